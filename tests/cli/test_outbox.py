"""How answers go out: what is written in one turn of the loop, together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from starlette.types import Receive, Scope, Send

from gateway.cli.outbox import JOINED_BYTES, Outbox
from gateway.outlet import HELD_BYTES
from tests.serving import serving

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Wire(asyncio.Transport):
    """Remembers what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        assert not self.closed
        self.writes.append(data)

    def writelines(self, list_of_data: Iterable[bytes]) -> None:  # type: ignore[override]
        assert not self.closed
        self.writes.extend(list_of_data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def turn() -> None:
    """One turn of the loop."""
    await asyncio.sleep(0)


@pytest.mark.proves("SPEED-one-write")
async def test_what_is_written_in_one_turn_goes_out_at_its_end_in_one_write() -> None:
    wire = Wire()
    box = Outbox(wire, asyncio.get_running_loop())
    for piece in (HEAD, b"body", b"more"):
        box.write(piece)
    assert wire.writes == []
    await turn()
    assert wire.writes == [HEAD + b"body" + b"more"]
    box.write(b"last")
    await turn()
    assert wire.writes[1:] == [b"last"]


@pytest.mark.proves("SPEED-one-write")
async def test_a_long_body_is_neither_held_nor_copied() -> None:
    wire, body = Wire(), bytes(HELD_BYTES + 1)
    Outbox(wire, asyncio.get_running_loop()).write(body)
    box = Outbox(wire, asyncio.get_running_loop())
    box.write(HEAD)
    box.write(body)
    assert wire.writes == [body, HEAD, body]
    assert wire.writes[2] is body
    await turn()
    assert len(wire.writes) == 3


@pytest.mark.proves("SPEED-one-write")
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("size", [1, JOINED_BYTES, JOINED_BYTES + 1, HELD_BYTES + 1])
async def test_a_chunk_is_framed_whatever_its_size_and_a_long_one_is_not_copied(size: int, *, last: bool) -> None:
    wire, body = Wire(), b"x" * size
    box = Outbox(wire, asyncio.get_running_loop())
    box.write(HEAD)
    box.write_chunk(body, last)
    await turn()
    assert b"".join(wire.writes) == HEAD + b"%x\r\n%b\r\n" % (size, body) + b"0\r\n\r\n" * last
    assert any(piece is body for piece in wire.writes) is (size > JOINED_BYTES)


@pytest.mark.proves("SPEED-one-write")
async def test_an_empty_chunk_is_the_end_or_nothing() -> None:
    wire = Wire()
    box = Outbox(wire, asyncio.get_running_loop())
    box.write_chunk(b"", False)
    await turn()
    assert wire.writes == []
    box.write_chunk(b"", True)
    await turn()
    assert wire.writes == [b"0\r\n\r\n"]


@pytest.mark.proves("SPEED-one-write")
async def test_many_pieces_in_one_turn_are_held_only_up_to_a_bound() -> None:
    wire = Wire()
    box = Outbox(wire, asyncio.get_running_loop())
    for _ in range(5):
        box.write(bytes(HELD_BYTES // 2))
    assert [len(data) for data in wire.writes] == [HELD_BYTES // 2] * 3
    await turn()
    assert sum(map(len, wire.writes)) == 5 * (HELD_BYTES // 2)


@pytest.mark.proves("SPEED-one-write")
async def test_connections_are_written_to_in_the_order_of_their_answers() -> None:
    told: list[str] = []

    class Named(Wire):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def write(self, data: bytes) -> None:  # type: ignore[override]
            told.append(f"{self.name} {data.decode()}")

    boxes = {name: Outbox(Named(name), asyncio.get_running_loop()) for name in "abc"}
    for name in "bacab":
        boxes[name].write(name.encode())
    await turn()
    assert told == ["b bb", "a aa", "c c"]


@pytest.mark.proves("SPEED-one-write")
async def test_closing_writes_what_is_held_first() -> None:
    wire = Wire()
    box = Outbox(wire, asyncio.get_running_loop())
    box.write(HEAD)
    box.close()
    assert (wire.writes, wire.closed, box.is_closing()) == ([HEAD], True, True)
    await turn()
    assert wire.writes == [HEAD]


@pytest.mark.proves("SPEED-one-write")
async def test_a_connection_that_cannot_be_written_to_does_not_hold_up_the_others() -> None:
    class Broken(Wire):
        def write(self, data: bytes) -> None:  # type: ignore[override]
            raise RuntimeError("closed")

    loop = asyncio.get_running_loop()
    told: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    wire = Wire()
    first, second = Outbox(Broken(), loop), Outbox(wire, loop)
    first.write(HEAD)
    second.write(HEAD)
    await turn()
    assert wire.writes == [HEAD]
    assert [str(context["exception"]) for context in told] == ["closed"]


@pytest.mark.proves("SPEED-one-write")
async def test_a_client_that_left_is_written_nothing() -> None:
    wire, other = Wire(), Wire()
    box, second = Outbox(wire, asyncio.get_running_loop()), Outbox(other, asyncio.get_running_loop())
    box.write(HEAD)
    second.write(HEAD)
    wire.close()
    await turn()
    assert (wire.writes, other.writes) == ([], [HEAD])


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    pieces = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    body = b"".join(pieces)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def _told(base_url: str, request: bytes, until: bytes) -> bytes:
    """What comes back on one connection, up to these bytes."""
    host, port = base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**22)
    try:
        writer.write(request)
        return await reader.readuntil(until)
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.proves("SPEED-one-write")
async def test_pipelined_requests_are_answered_in_their_order() -> None:
    bodies = [b"first", b"second", b"HTTP/1.1 like a head", b"", b"last"]
    request = b"".join(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(b), b) for b in bodies)
    async with serving(_echo) as base_url:
        told = await _told(base_url, request, b"last")
    assert [part.partition(b"\r\n\r\n")[2] for part in told.split(b"HTTP/1.1 200")[1:]] == [
        b"first",
        b"second",
        b"HTTP/1.1 like a head",
        b"",
        b"last",
    ]


@pytest.mark.proves("SPEED-body-pieces")
@pytest.mark.parametrize("size", [1, 7, 1000, 300_000])
async def test_a_body_in_pieces_of_any_size_is_read_whole(size: int) -> None:
    body = bytes(range(256)) * (1200 if size > 1 else 40) + b"the end"
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    request = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % chunks
    async with serving(_echo) as base_url:
        told = await _told(base_url, request, b"the end")
    assert told.partition(b"\r\n\r\n")[2] == body
