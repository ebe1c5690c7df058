"""Requests and answers as an application has them, over raw sockets."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.surfaces.middleware.body import WHOLE
from tests.cli.raw import GET, POST, Wire, app_of, bare, connected, echo, tell, told, until
from tests.serving import serving

# answers --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("HTTP-header-injection")
@pytest.mark.parametrize(
    "header", [(b"x", b"a\r\nset-cookie: b"), (b"x", b"a\nb"), (b"x\r\ny", b"a"), (b"x: y\r\nz", b"a"), (b"x", b"\0")]
)
async def test_an_answer_with_a_header_that_would_be_two_is_not_sent(
    header: tuple[bytes, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await tell(send, b"never", header)

    with caplog.at_level(logging.ERROR):
        assert await told(app, GET) == b""
    assert "Invalid HTTP header" in caplog.text


@pytest.mark.proves("HTTP-framing")
@pytest.mark.parametrize(
    ("request_line", "headers", "expected"),
    [
        (
            b"GET / HTTP/1.1",
            [],
            b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n",
        ),
        (b"GET / HTTP/1.1", [(b"Content-Length", b"6")], b"content-length: 6\r\nconnection: close\r\n\r\nonetwo"),
        (b"GET / HTTP/1.1", [(b"Connection", b"x, Close"), (b"content-length", b"6")], b"length: 6\r\n\r\nonetwo"),
        (b"HEAD / HTTP/1.1", [(b"content-length", b"6")], b"content-length: 6\r\nconnection: close\r\n\r\n"),
        (b"HEAD / HTTP/1.1", [], b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"),
        (b"GET / HTTP/1.0", [(b"content-length", b"6")], b"content-length: 6\r\nconnection: close\r\n\r\nonetwo"),
    ],
    ids=["chunked", "of a length", "closed by the app", "head", "head of no length", "of 1.0"],
)
async def test_an_answer_tells_where_it_ends(
    request_line: bytes, headers: list[tuple[bytes, bytes]], expected: bytes
) -> None:
    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in (b"one", b"", b"two"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    answer = await told(app, request_line + b"\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.endswith(expected) and answer.count(b"\r\n\r\n") == expected.count(b"\r\n\r\n")


@pytest.mark.proves("HTTP-framing")
@pytest.mark.parametrize(("length", "wrong"), [(b"1", "longer"), (b"9", "shorter")])
async def test_an_answer_that_is_not_as_long_as_it_said_ends_the_connection(
    length: bytes, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": b"body"})

    with caplog.at_level(logging.ERROR):
        assert (await told(app, GET + GET)).count(b"HTTP/1.1") == 1
    assert wrong in caplog.text


@pytest.mark.proves("HTTP-framing")
@pytest.mark.parametrize("how", ["raises", "says nothing", "is cancelled", "begins with a body", "begins twice"])
async def test_an_app_that_fails_says_so_or_hangs_up(how: str, caplog: pytest.LogCaptureFixture) -> None:
    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {"type": "http.response.start", "status": 200, "headers": []}
        if how == "raises":
            raise KeyError
        if how == "is cancelled":
            raise asyncio.CancelledError
        if how == "begins with a body":
            await send({"type": "http.response.body"})
        if how == "begins twice":
            await send(start)
            await send(start)

    with caplog.at_level(logging.ERROR):
        answer = await told(app, GET)
    begun = how == "begins twice"
    assert answer.startswith(b"HTTP/1.1 200" if begun else b"HTTP/1.1 500")
    assert answer.endswith(b"chunked\r\n\r\n" if begun else b"close\r\n\r\nInternal Server Error")
    assert "ASGI" in caplog.text


# bodies ---------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("HTTP-continue")
async def test_a_client_that_asks_first_is_told_to_go_on_when_its_body_is_wanted() -> None:
    async with serving(echo) as url, connected(url) as (reader, writer):
        writer.write(POST + b"Expect: 100-Continue\r\nContent-Length: 4\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"body")
        assert (await reader.readuntil(b"body")).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.proves("HTTP-continue")
async def test_a_client_whose_body_nobody_wants_is_not_told_to_go_on() -> None:
    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope[WHOLE]() is None
        await tell(send, b"no", (b"connection", b"close"), status=413)

    assert (await told(app, POST + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")).startswith(b"HTTP/1.1 413")


@pytest.mark.proves("SPEED-whole-body")
@pytest.mark.parametrize("body", [b"", b"body", b"x" * 3_000_000], ids=["none", "short", "long"])
async def test_a_body_is_given_once_when_it_is_whole_and_then_the_client_leaves(body: bytes) -> None:
    seen: list[Any] = []
    gone = asyncio.Event()

    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        whole, pieces = scope[WHOLE](), []
        while whole is None and (message := await receive())["more_body"]:
            pieces.append(message["body"])
        seen.append(b"".join([*pieces, message["body"]]) if whole is None else whole)
        seen.append(scope[WHOLE]())
        seen.append((await receive())["type"])
        gone.set()

    async with serving(app) as url, connected(url) as (_, writer):
        writer.write(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()
        await asyncio.wait_for(gone.wait(), 10)
    assert seen == [body, None, "http.disconnect"]


@pytest.mark.proves("HTTP-body-held")
@pytest.mark.parametrize(("size", "most"), [(1, 20_000), (1000, 1100), (200_000, 6)])
async def test_no_more_of_a_body_is_held_than_about_a_mebibyte_whatever_its_pieces(size: int, most: int) -> None:
    asked, wire = asyncio.Event(), Wire()
    got: list[Message] = []

    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asked.wait()
        got.append(await receive())

    line, state = bare(app, wire)
    line.data_received(POST + b"Transfer-Encoding: chunked\r\n\r\n")
    count = 0
    while wire.reading:
        line.data_received(b"%x\r\n%b\r\n" % (size, b"x" * size))
        count += 1
        assert count <= most
    assert count * (size + 64) > 1024 * 1024
    asked.set()
    await until(lambda: got)
    assert wire.reading and got == [{"type": "http.request", "body": b"x" * (size * count), "more_body": True}]
    line.connection_lost(None)
    await until(lambda: not state.tasks)
