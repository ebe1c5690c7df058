"""What uvicorn's parser cannot give to an application, over raw sockets."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway.cli import protocol
from tests.serving import serving


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers at once; `/slow` only after the client said more."""
    if scope["type"] == "lifespan":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    if scope["path"] == "/slow":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    await send({"type": "http.response.body", "body": b"other"})


async def read_body_first(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return
    while (message := await receive())["type"] != "http.disconnect" and message.get("more_body"):
        pass


async def said(url: str, *pieces: bytes) -> bytes:
    """What the server answers to raw bytes until it hangs up."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def refusal(answer: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    assert len(body) == int(headers["content-length"])
    return int(lines[0].split()[1]), headers, json.loads(body)["error"]


@pytest.mark.proves("HTTP-not-http")
@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",  # a TLS hello
        b"HELLO\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_in_the_envelope(bytes_sent: bytes) -> None:
    async with serving(echo) as url:
        status, headers, error = refusal(await said(url, bytes_sent))
    assert status == 400
    assert error["code"] == "invalid_request"
    assert error["type"] == "gateway_error"
    assert len(headers["x-request-id"]) == 32
    assert headers["connection"] == "close"


@pytest.mark.proves("HTTP-not-http")
async def test_garbage_in_a_chunked_body_is_refused_before_the_answer_began() -> None:
    async with serving(read_body_first) as url:
        answer = await said(url, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert refusal(answer)[0] == 400


@pytest.mark.proves("HTTP-not-http")
async def test_garbage_behind_a_request_never_lands_in_its_answer() -> None:
    async with serving(echo) as url:
        answer = await said(url, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00garbage\r\n\r\n")
    assert answer.count(b"HTTP/1.1") <= 1
    assert b"invalid_request" not in answer


@pytest.mark.proves("HTTP-head-bounds")
async def test_headers_without_end_are_refused() -> None:
    line = b"x-filler: " + b"a" * 1000 + b"\r\n"
    async with serving(echo) as url:
        answer = await said(url, b"GET / HTTP/1.1\r\n", *[line * 20] * 40)
    status, _, error = refusal(answer)
    assert (status, error["code"]) == (431, "request_header_fields_too_large")


@pytest.mark.proves("HTTP-head-bounds")
@pytest.mark.parametrize("longer", [0, 1, 50_000])
async def test_a_target_that_is_too_long_is_refused(longer: int) -> None:
    async with serving(echo) as url:
        answer = await said(url, b"GET /" + b"a" * (65534 + longer) + b" HTTP/1.1\r\nConnection: close\r\n\r\n")
    if longer:
        status, _, error = refusal(answer)
        assert (status, error["code"]) == (431, "request_header_fields_too_large")
    else:
        assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.proves("HTTP-head-bounds")
@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost:"])
async def test_headers_that_do_not_come_are_not_waited_for(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    async with serving(echo) as url:
        status, _, error = refusal(await said(url, start))
    assert (status, error["code"]) == (408, "request_timeout")


@pytest.mark.proves("HTTP-head-bounds")
async def test_the_patience_is_for_the_head_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    async with serving(echo) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"first")).startswith(b"HTTP/1.1 200")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        writer.close()
