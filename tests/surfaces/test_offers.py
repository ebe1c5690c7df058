"""Pieces of an answer that go out at once, or not at all, from the sink down to the connection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from gateway.config import Settings
from gateway.surfaces import reply
from gateway.surfaces.middleware.edge import ANSWER, OFFER, Sent
from gateway.surfaces.reply import Reply
from tests.cli.raw import Wire, app_of, bare, until
from tests.serving import serving
from tests.surfaces.test_reply import Peer, Silent, scope

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


class Server(Peer):
    """A server that takes pieces at once while it is `willing`."""

    willing = True

    def offer(self, data: bytes) -> bool:
        if self.willing:
            self.got.append({"type": "offered", "body": data})
        return self.willing


@pytest.mark.proves("SPEED-at-once")
async def test_a_reply_offers_between_the_status_line_and_the_end_and_counts_what_was_taken() -> None:
    server = Server()
    sent = Sent(server.send, [], lambda: 0.0, server.offer)

    async def run(answer: Reply) -> None:
        answer.stream({}, Silent())
        assert answer.offers and not answer.offer(b"early")
        await answer.write(b"one")
        assert answer.offer(b"two")
        server.willing = False
        assert not answer.offer(b"three")
        server.willing = True
        await answer.finish(b"four")
        assert not answer.offer(b"late")

    await reply.answer(scope(), server.receive, sent, Settings().limits, run)
    assert [message.get("body") for message in server.got] == [None, b"one", b"two", b"four"]
    assert server.got[-1] == {"type": "http.response.body", "body": b"four"}
    assert (sent.bytes, sent.complete) == (10, True)


@pytest.mark.proves("SPEED-at-once")
async def test_a_server_without_offers_gets_everything_as_messages() -> None:
    peer = Peer()
    sent = Sent(peer.send, [], lambda: 0.0)

    async def run(answer: Reply) -> None:
        await answer.write(b"one")
        assert not answer.offer(b"two")
        await answer.finish()

    await reply.answer(scope(), peer.receive, sent, Settings().limits, run)
    assert [message.get("body") for message in peer.got] == [None, b"one", b""]


class Whole(Server):
    """A server that takes whole answers at once while it is `willing`."""

    def answer(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        if self.willing:
            self.got.append({"type": "answered", "status": status, "headers": headers, "body": body})
        return self.willing


@pytest.mark.proves("SPEED-at-once")
@pytest.mark.parametrize("willing", [True, False])
@pytest.mark.parametrize("streams", [True, False])
async def test_a_whole_answer_is_one_call_of_a_willing_server_and_counts_the_same(streams: bool, willing: bool) -> None:
    server = Whole()
    server.willing = willing
    sent = Sent(server.send, [(b"x", b"1")], lambda: 7.0, server.offer, server.answer)

    async def run(answer: Reply) -> None:
        if streams:
            answer.stream({"Y": "2"}, Silent())
            await answer.finish(b"body")
        else:
            await answer.document(b"body", {"Y": "2"})

    await reply.answer(scope(), server.receive, sent, Settings().limits, run)
    kinds = [message["type"] for message in server.got]
    assert kinds == (["answered"] if willing else ["http.response.start", "http.response.body"])
    assert server.got[0]["status"] == 200 and server.got[-1]["body"] == b"body"
    kind = b"text/event-stream; charset=utf-8" if streams else b"application/json"
    assert {(b"content-type", kind), (b"y", b"2"), (b"x", b"1")} <= set(server.got[0]["headers"])
    assert (sent.status, sent.bytes, sent.complete, sent.first_at) == (200, 4, True, 7.0)


async def test_an_answer_that_is_refused_leaves_no_trace() -> None:
    server = Whole()
    server.willing = False
    sent = Sent(server.send, [], lambda: 7.0, server.offer, server.answer)
    assert not sent.answer(200, [], b"body")
    assert (sent.status, sent.bytes, sent.complete, sent.first_at, server.got) == (0, 0, False, None, [])


class App:
    """Answers through the offer of its server. `done`: it has seen all it wanted to see."""

    def __init__(self, *, length: int | None = None, flood: bool = False) -> None:
        self.headers = [] if length is None else [(b"content-length", b"%d" % length)]
        self.flood = flood
        self.taken: list[bool] = []
        self.sent = 0
        self.done = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        offer: Any = scope[OFFER]
        self.taken.append(offer(b"early"))
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        self.taken.append(offer(b""))
        if self.flood:
            await self._flood(offer, receive)
            return
        self.taken.append(offer(b"one"))
        await send({"type": "http.response.body", "body": b"two", "more_body": False})
        self.taken.append(offer(b"late"))
        self.done.set()

    async def _flood(self, offer: Any, receive: Receive) -> None:
        """Until the server refuses, since the client does not read; and once more when the client has left."""
        while offer(bytes(1 << 16)):
            self.sent += 1 << 16
            assert self.sent < 1 << 30
        self.done.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.taken.append(offer(b"gone"))


async def _told(base_url: str, until: bytes) -> bytes:
    host, port = base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(REQUEST)
        return await reader.readuntil(until)
    finally:
        writer.close()


@pytest.mark.proves("SPEED-at-once", "SPEED-one-write")
async def test_what_is_offered_to_a_connection_is_a_chunk_in_its_place() -> None:
    app = App()
    async with serving(app) as base_url:
        answer = await _told(base_url, b"0\r\n\r\n")
        await app.done.wait()
    assert answer.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    assert app.taken == [False, False, True, False]


@pytest.mark.proves("SPEED-at-once")
async def test_an_answer_of_a_told_length_takes_no_offers() -> None:
    app = App(length=3)
    async with serving(app) as base_url:
        assert (await _told(base_url, b"two")).endswith(b"\r\n\r\ntwo")
        await app.done.wait()
    assert app.taken == [False, False, False, False]


@pytest.mark.proves("SPEED-at-once")
async def test_a_connection_whose_client_does_not_read_refuses_and_so_does_one_without_a_client() -> None:
    app = App(flood=True)
    async with serving(app) as base_url:
        host, port = base_url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(REQUEST)
        async with asyncio.timeout(10):
            await app.done.wait()
        writer.transport.abort()
    assert app.taken == [False, False, False]


@pytest.mark.proves("SPEED-at-once", "SPEED-one-write", "HTTP-framing")
@pytest.mark.parametrize(
    ("headers", "expected"),
    [([(b"Content-Length", b"4")], b"content-length: 4\r\n\r\nbody"), ([], b"chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n")],
)
async def test_a_whole_answer_is_framed_as_its_messages_are_and_given_once(
    headers: list[tuple[bytes, bytes]], expected: bytes
) -> None:
    taken: list[bool] = []

    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        taken.append(scope[ANSWER](200, headers, b"body"))
        taken.append(scope[ANSWER](200, headers, b"again"))

    wire = Wire()
    line, state = bare(app, wire)
    line.data_received(REQUEST)
    await until(lambda: len(taken) == 2 and wire.written)
    line.connection_lost(None)
    await until(lambda: not state.tasks)
    assert taken == [True, False]
    assert wire.written.endswith(expected) and wire.written.count(b"HTTP/1.1 200 OK") == 1


@pytest.mark.proves("SPEED-at-once")
async def test_a_whole_answer_waits_for_a_client_that_does_not_read_and_is_not_given_to_one_that_left() -> None:
    taken: list[bool] = []

    @app_of
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        taken.append(scope[ANSWER](200, [], b"body"))
        line.connection_lost(None)
        taken.append(scope[ANSWER](200, [], b"body"))

    wire = Wire()
    line, state = bare(app, wire)
    line.pause_writing()
    line.data_received(REQUEST)
    await until(lambda: len(taken) == 2 and not state.tasks)
    assert taken == [False, False] and wire.written == b""
