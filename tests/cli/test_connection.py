"""Connections: what is kept, what is served in turn, what ends, and what of uvicorn's all this rests on."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.cli import protocol
from gateway.cli.protocol import Protocol
from tests.cli.raw import GET, POST, Wire, app_of, bare, connected, echo, tell, told, until
from tests.serving import serving


class Brief(Protocol):
    """Keeps no connection for long."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.timeout_keep_alive = 0.05  # type: ignore[assignment]


@app_of
async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes longer than a connection is kept."""
    await asyncio.sleep(0.2)
    await tell(send, b"done")


@pytest.mark.proves("HTTP-keep-alive")
async def test_a_connection_that_nobody_uses_is_closed_quietly() -> None:
    answer = await told(echo, GET + GET, http=Brief)
    assert answer.count(b"HTTP/1.1 200") == 2 and b"408" not in answer


@pytest.mark.proves("HTTP-keep-alive")
async def test_an_answer_may_take_longer_than_a_connection_is_kept() -> None:
    async with serving(slow, http=Brief) as url, connected(url) as (reader, writer):
        for _ in range(2):
            writer.write(GET)
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        assert await reader.read() == b""


@pytest.mark.proves("HTTP-keep-alive", "HTTP-head-bounds")
async def test_a_head_that_has_begun_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    async with serving(echo, http=Brief) as url, connected(url) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(GET[:20])
        assert (await reader.read()).startswith(b"HTTP/1.1 408")


@pytest.mark.proves("HTTP-keep-alive", "HTTP-head-bounds")
async def test_a_head_that_begins_behind_another_request_is_not_waited_for_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    answer = await told(echo, GET + GET[:20])
    assert answer.count(b"HTTP/1.1 200") == 1 and answer.count(b"HTTP/1.1 408") == 1


@pytest.mark.proves("HTTP-keep-alive")
async def test_a_connection_has_one_timer_however_many_requests_it_serves() -> None:
    wire = Wire()
    line, state = bare(echo, wire)
    timers = set()
    for _ in range(5):
        line.data_received(GET)
        await until(lambda: not state.tasks)
        timers.add(line._timer)
    assert len(timers) == 1 and state.total_requests == 5
    line.connection_lost(None)
    assert line._timer is None
    assert all(timer is not None and timer.cancelled() for timer in timers)


@pytest.mark.proves("HTTP-pipelining")
async def test_requests_in_line_are_run_one_after_the_other() -> None:
    running: list[str] = []

    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        running.append(scope["path"])
        await asyncio.sleep(0)
        await tell(send, scope["path"].encode(), (b"x-running", b"%d" % len(running)))
        running.remove(scope["path"])

    requests = b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(4))
    answer = await told(app, requests + b"GET /4 HTTP/1.0\r\n\r\n")
    assert [part[-2:] for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == [b"/%d" % number for number in range(5)]
    assert answer.count(b"x-running: 1\r\n") == 5


@pytest.mark.proves("HTTP-pipelining")
async def test_a_client_that_leaves_is_missed_by_the_request_that_runs_and_the_next_never_begins() -> None:
    began: list[str] = []
    gone = asyncio.Event()

    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        began.append(scope["path"])
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    async with serving(app) as url, connected(url) as (_, writer):
        writer.write(b"GET /first HTTP/1.1\r\n\r\nGET /second HTTP/1.1\r\n\r\n")
        await writer.drain()
        writer.close()
        await asyncio.wait_for(gone.wait(), 10)
    assert began == ["/first"]


@pytest.mark.proves("HTTP-not-http")
async def test_garbage_in_the_body_of_a_request_in_line_never_lands_in_the_answer_before_it() -> None:
    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        await receive()
        await receive()

    async with serving(app) as url, connected(url) as (reader, writer):
        writer.write(GET)
        answer = await reader.readuntil(b"begun\r\n")
        writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
        assert (answer + await reader.read()).count(b"HTTP/1.1") == 1


@pytest.mark.proves("HTTP-not-http")
async def test_a_request_that_was_refused_in_its_body_is_over_for_the_app_and_answered_once() -> None:
    seen: list[str] = []

    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while not seen or seen[-1] != "http.disconnect":
            seen.append((await receive())["type"])
        await tell(send, b"too late")

    answer = await told(app, POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert answer.startswith(b"HTTP/1.1 400") and answer.count(b"HTTP/1.1") == 1 and b"too late" not in answer
    assert seen[-1] == "http.disconnect"


@pytest.mark.proves("HTTP-one-task")
async def test_what_a_request_sets_in_its_context_is_not_there_for_the_next_on_its_connection() -> None:
    setting: contextvars.ContextVar[str] = contextvars.ContextVar("setting", default="none")

    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        before = setting.get()
        setting.set("of another request")
        await tell(send, before.encode())

    answer = await told(app, GET + GET + b"GET / HTTP/1.0\r\n\r\n")
    assert answer.count(b"none") == 3


@pytest.mark.proves("HTTP-one-task")
async def test_the_server_knows_the_tasks_that_run_and_none_that_ended() -> None:
    may_end = asyncio.Event()

    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await may_end.wait()
        await tell(send)

    wire = Wire()
    line, state = bare(app, wire)
    line.data_received(GET + GET)
    await asyncio.sleep(0)
    tasks = set(state.tasks)
    assert [task.done() for task in tasks] == [False]
    may_end.set()
    await until(lambda: not state.tasks)
    await asyncio.sleep(0)
    assert all(task.done() for task in tasks)
    assert wire.written.count(b"HTTP/1.1 200") == 2
    line.connection_lost(None)


@pytest.mark.proves("HTTP-shutdown")
@pytest.mark.parametrize("in_line", [0, 2])
async def test_a_server_that_stops_lets_answers_end_and_closes_behind_the_last(in_line: int) -> None:
    may_end = asyncio.Event()

    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await may_end.wait()
        await tell(send)

    wire = Wire()
    line, state = bare(app, wire)
    line.data_received(GET * (1 + in_line))
    await asyncio.sleep(0)
    line.shutdown()
    assert not wire.closed
    may_end.set()
    await until(lambda: wire.closed)
    assert wire.written.count(b"HTTP/1.1 200") == 1 + in_line
    assert wire.written.count(b"connection: close") == 1
    line.connection_lost(None)
    assert not state.connections


@pytest.mark.proves("HTTP-shutdown")
async def test_a_server_that_stops_closes_a_connection_without_a_request() -> None:
    wire = Wire()
    line, _ = bare(echo, wire)
    line.shutdown()
    assert wire.closed
    line.connection_lost(None)


@pytest.mark.proves("HTTP-paths")
@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query"),
    [
        (b"/a/b", "/a/b", b"/a/b", b""),
        (b"/a%20b%2Fc?d=%20", "/a b/c", b"/a%20b%2Fc", b"d=%20"),
        (b"http://host/a?b", "/a", b"/a", b"b"),
        (b"/" + b"a" * 500 + b"?b", "/" + "a" * 500, b"/" + b"a" * 500, b"b"),
    ],
)
async def test_a_target_is_path_and_query(target: bytes, path: str, raw_path: bytes, query: bytes) -> None:
    scopes: list[Any] = []

    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await tell(send)

    await told(app, b"GET %b HTTP/1.0\r\nHost: a\r\nX-Y: Z\r\nx-y: z\r\n\r\n" % target)
    [scope] = scopes
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == (path, raw_path, query)
    assert (scope["method"], scope["http_version"], scope["scheme"]) == ("GET", "1.0", "http")
    assert scope["headers"] == [(b"host", b"a"), (b"x-y", b"Z"), (b"x-y", b"z")]


INHERITED = {
    "eof_received": "does nothing",
    "pause_writing": "tells the flow",
    "resume_writing": "tells the flow",
    "on_url": "appends",
    "handle_websocket_upgrade": "gives the connection to the WebSocket protocol",
    "_get_upgrade": "reads headers",
    "_should_upgrade_to_ws": "whether there is a WebSocket protocol",
}
UNUSED = {
    "_start_asgi_task",
    "_unset_keepalive_if_required",
    "timeout_keep_alive_handler",
    "_unsupported_upgrade_warning",
}


@pytest.mark.proves("HTTP-uvicorn")
def test_no_method_of_uvicorns_protocol_is_unknown_here() -> None:
    """A version of uvicorn with another one may call it where its state is not ours."""
    theirs = {name for name, value in vars(HttpToolsProtocol).items() if callable(value)}
    ours = {name for name in theirs if name in vars(Protocol)}
    assert theirs == ours | INHERITED.keys() | UNUSED
    assert not ours & (INHERITED.keys() | UNUSED)


@pytest.mark.proves("HTTP-pipelining", "HTTP-head-bounds")
async def test_many_small_requests_in_line_are_no_head_that_is_too_large() -> None:
    number = 2 * protocol.HEAD_BYTES // len(GET)
    async with serving(echo) as url, connected(url) as (reader, writer):
        writer.write(GET * number)
        for _ in range(number):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
