"""Bytes out, bytes in, and what happens when they do not come."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import socksio

from gateway.errors import GatewayError, UpstreamError, UpstreamTimeout, UpstreamUnavailable
from gateway.upstreams.faults import Faults
from gateway.upstreams.transport import Line, Outgoing, Patience, build_transport, destination
from tests.upstreams.backend import EVENT_STREAM, Backend, Reply, playing

PATIENT = {"connect": 5.0, "idle": 5.0, "whole": 5.0, "answer_bytes": 1000}
HASTY = {**PATIENT, "idle": 0.05, "connect": 0.05, "whole": 0.05}


@asynccontextmanager
async def line_to(patience: dict[str, Any] = PATIENT, proxy_url: str = "") -> AsyncIterator[Line]:
    transport = build_transport(proxy_url=proxy_url, connections=10)
    async with asyncio.timeout(10):
        yield Line(transport, Patience(**patience))
    await transport.aclose()


def get(backend: Backend, path: str = "/x", **changes: Any) -> Outgoing:
    return Outgoing("GET", destination(httpx2.URL(backend.url + path)), [], **changes)


@pytest.mark.proves("UPSTREAM-transport")
async def test_a_request_carries_the_given_headers_and_nothing_of_a_client_library() -> None:
    async with playing(Reply()) as backend, line_to() as line:
        url = httpx2.URL(backend.url + "/v1/responses?a=b")
        answer = await line.send(Outgoing("POST", destination(url), [(b"X-Own", b"1")], b"body"))
        await answer.aclose()
        [received] = backend.received
    assert received.headers == {
        "host": url.netloc.decode(),
        "x-own": "1",
        "accept-encoding": "identity",
        "content-length": "4",
    }
    assert (received.method, received.path, received.query, received.body) == ("POST", "/v1/responses", "a=b", b"body")


@pytest.mark.proves("UPSTREAM-transport")
async def test_pieces_come_as_they_are_sent_and_the_connection_is_used_again() -> None:
    pieces = (b"data: 1\n\n", b"data: 2\n\n")
    async with playing(Reply(pieces=pieces), Reply(pieces=pieces)) as backend, line_to() as line:
        answer = await line.send(get(backend))
        assert b"".join([piece async for piece in answer.chunks()]) == b"".join(pieces)
        await answer.aclose()
        again = await line.send(get(backend))
        assert (again.status, again.headers["content-type"], await again.read()) == (
            200,
            "text/event-stream",
            b"".join(pieces),
        )


@pytest.mark.proves("UPSTREAM-leaves-at-once")
async def test_closing_an_unread_answer_shows_the_server_that_nobody_listens() -> None:
    async with playing(Reply(stall=True), Reply(stall=True)) as backend, line_to() as line:
        answer = await line.send(get(backend))
        await answer.aclose()
        await backend.left.wait()
        backend.left.clear()
        answer = await line.send(get(backend))
        async for _ in answer.chunks():
            break
        await answer.aclose()
        await backend.left.wait()


@pytest.mark.proves("UPSTREAM-leaves-at-once")
async def test_a_cancelled_reader_leaves_at_once() -> None:
    async with playing(Reply(stall=True)) as backend, line_to() as line:
        answer = await line.send(get(backend))
        started = asyncio.Event()

        async def read() -> None:
            try:
                async for _ in answer.chunks():
                    started.set()
            finally:
                await answer.aclose()

        reader = asyncio.create_task(read())
        await started.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await backend.left.wait()


@pytest.mark.proves("UPSTREAM-decoded")
async def test_a_body_that_was_compressed_in_spite_of_the_request_is_read_all_the_same() -> None:
    packed = gzip.compress(b"data: {}\n\n")
    headers = (*EVENT_STREAM, ("content-encoding", "gzip"))
    async with playing(Reply(pieces=(packed[:7], packed[7:]), headers=headers)) as backend, line_to() as line:
        answer = await line.send(get(backend))
        assert b"".join([piece async for piece in answer.chunks()]) == b"data: {}\n\n"
        await answer.aclose()


@pytest.mark.parametrize(
    ("encoding", "body"), [pytest.param("br", b"?", id="unknown"), pytest.param("gzip", b"not gzip", id="broken")]
)
@pytest.mark.proves("UPSTREAM-decoded")
async def test_a_body_nobody_can_decode_is_an_upstream_error(encoding: str, body: bytes) -> None:
    async with playing(Reply(pieces=(body,), headers=(("content-encoding", encoding),))) as backend, line_to() as line:
        answer = await line.send(get(backend))
        with pytest.raises(UpstreamError):
            await answer.read()


@pytest.mark.proves("UPSTREAM-answer-limit")
async def test_an_answer_longer_than_the_limit_is_refused() -> None:
    async with playing(Reply(pieces=(b"x" * 600, b"x" * 600))) as backend, line_to() as line:
        answer = await line.send(get(backend))
        with pytest.raises(UpstreamError, match="1000 bytes"):
            await answer.read()


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        pytest.param(Reply(silent=True), UpstreamTimeout, "did not answer", id="no head"),
        pytest.param(Reply(stall=True), UpstreamTimeout, "did not answer", id="silence in the body"),
        pytest.param(Reply(cut=True), UpstreamUnavailable, "broke", id="cut body"),
    ],
)
@pytest.mark.proves("UPSTREAM-faults")
async def test_silence_and_broken_connections_have_their_own_errors(
    reply: Reply, error: type[GatewayError], words: str
) -> None:
    async with playing(reply) as backend, line_to(HASTY) as line:
        with pytest.raises(error, match=words) as caught:
            answer = await line.send(get(backend, "/secret?key=hidden"))
            try:
                async for _ in answer.chunks():
                    pass
            finally:
                await answer.aclose()
    assert "127.0.0.1" in caught.value.message
    assert "hidden" not in caught.value.message + caught.value.detail
    assert caught.value.__cause__ is not None


@pytest.mark.proves("UPSTREAM-timeouts")
async def test_an_answer_that_trickles_is_bounded_as_a_whole_only_when_it_is_no_stream() -> None:
    async with playing(Reply(stall=True)) as backend, line_to({**PATIENT, "whole": 0.05}) as line:
        answer = await line.send(get(backend))
        with pytest.raises(UpstreamTimeout, match=r"0\.05 seconds"):
            await answer.read()
        await backend.left.wait()


@pytest.mark.proves("UPSTREAM-faults")
async def test_no_connection_is_upstream_unavailable() -> None:
    async with playing() as backend:
        url = httpx2.URL(backend.url)
    async with line_to() as line:
        with pytest.raises(UpstreamUnavailable, match="Cannot connect to 127"):
            await line.send(Outgoing("GET", destination(url), []))


@pytest.mark.proves("UPSTREAM-faults")
async def test_an_answer_that_is_not_http_is_upstream_unavailable() -> None:
    finished = asyncio.Event()

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        finished.set()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server, line_to() as line:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UpstreamUnavailable, match="broke"):
            await line.send(Outgoing("GET", destination(httpx2.URL(f"http://127.0.0.1:{port}/")), []))
        await finished.wait()


@pytest.mark.proves("UPSTREAM-refusal-bounds")
async def test_a_refusal_that_never_ends_costs_only_its_time() -> None:
    endless = Reply(status=500, pieces=(b"partial",), stall=True)
    async with playing(endless) as backend, line_to({**PATIENT, "connect": 0.05}) as line:
        answer = await line.send(get(backend))
        assert await line.refusal_body(answer) == b"partial"
        await backend.left.wait()


@pytest.mark.proves("UPSTREAM-refusal-bounds")
async def test_a_refusal_is_read_up_to_one_mebibyte() -> None:
    pieces = (b"x" * 700_000, b"y" * 700_000)
    async with playing(Reply(status=400, pieces=pieces)) as backend, line_to() as line:
        body = await line.refusal_body(await line.send(get(backend)))
    assert len(body) == 1024 * 1024


@pytest.mark.proves("UPSTREAM-proxy")
async def test_calls_go_through_the_configured_proxy() -> None:
    async with playing(Reply(pieces=(b"through",))) as proxy, line_to(proxy_url=proxy.url) as line:
        answer = await line.send(Outgoing("GET", destination(httpx2.URL("http://backend.example/path?q=1")), []))
        assert await answer.read() == b"through"
    assert proxy.received[0].headers["host"] == "backend.example"


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.proves("UPSTREAM-proxy")
async def test_a_socks_proxy_is_asked_for_the_host_by_name(scheme: str) -> None:
    asked: list[bytes] = []
    finished = asyncio.Event()

    async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(b"\x05\x00")
        asked.append(await reader.readexactly(4 + 1 + len(b"backend.example") + 2))
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nthrough")
        await writer.drain()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        finished.set()

    server = await asyncio.start_server(socks, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with line_to(proxy_url=f"{scheme}://127.0.0.1:{port}") as line:
            answer = await line.send(Outgoing("GET", destination(httpx2.URL("http://backend.example/")), []))
            assert await answer.read() == b"through"
        await finished.wait()
    assert asked == [b"\x05\x01\x00\x03\x0fbackend.example\x00\x50"]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(httpx2.ProxyError("407 Proxy Authentication Required"), id="http"),
        pytest.param(socksio.ProtocolError("malformed"), id="socks"),
    ],
)
@pytest.mark.proves("UPSTREAM-proxy", "UPSTREAM-faults")
def test_a_proxy_that_refuses_is_upstream_unavailable(error: Exception) -> None:
    with pytest.raises(UpstreamUnavailable) as caught, Faults("backend.example"):
        raise error
    assert caught.value.message == "The proxy cannot reach backend.example."


@pytest.mark.proves("UPSTREAM-proxy")
def test_a_proxy_address_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(ValueError, match="scheme"):
        build_transport(proxy_url="ftp://127.0.0.1:1", connections=1)
