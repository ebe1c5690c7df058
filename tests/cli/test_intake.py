"""Large bodies that are read past the parser: nobody is told anything else than the parser would have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from gateway.cli import cycle, intake, place, protocol
from gateway.cli.intake import Intake
from gateway.cli.place import Place
from gateway.cli.protocol import Protocol
from gateway.surfaces.middleware.body import WHOLE
from tests.cli.raw import GET, Wire, app_of, bare, connected, tell, until
from tests.serving import serving

LARGE = b"".join(b"%07d." % number for number in range(700_000))  # 5.6 MB, three places


def post(body: bytes, path: str = "/whole", more: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n%b" % (path.encode(), len(body), more, body)


def chunked(body: bytes, path: str) -> bytes:
    data = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return b"POST %b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % (path.encode(), data)


async def whole(scope: Scope, receive: Receive, send: Send) -> None:
    """Asks for the whole body, and for the rest if it has not come."""
    body = scope[WHOLE]()
    await (pieces(scope, receive, send) if body is None else tell(send, body))


async def pieces(scope: Scope, receive: Receive, send: Send) -> None:
    """Asks for what has come."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    await tell(send, body)


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without the body."""
    await tell(send, b"not read")


async def some(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers after a piece of the body; what is in it depends on the network."""
    await receive()
    await tell(send, b"some")


APPS: dict[str, Callable[[Scope, Receive, Send], Awaitable[None]]] = {
    "/whole": whole,
    "/pieces": pieces,
    "/nothing": nothing,
    "/some": some,
}


@app_of
async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await APPS[scope["path"]](scope, receive, send)


def answers(data: bytes) -> list[bytes]:
    """The bodies of answers that all tell their length."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        if head == b"HTTP/1.1 100 Continue":
            continue
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        found.append(data[:length])
        data = data[length:]
    return found


# in every way the network may cut it --------------------------------------------------------------------------------


async def delivered(data: bytes, reads: list[tuple[int, int]]) -> bytes:
    """What is answered to bytes that come in reads of these lengths, with so many turns of the loop between them."""
    wire = Wire()
    _, state = bare(app, wire)
    at = 0
    pending = iter(reads)
    while at < len(data):
        length, turns = next(pending, (len(data), 1))
        if not wire.reading:
            await until(lambda: wire.reading)
        at += wire.read(data[at : at + length])
        for _ in range(turns):
            await asyncio.sleep(0)
    await until(lambda: not state.tasks)
    await asyncio.sleep(0)  # what is written goes out
    wire.protocol.connection_lost(None)
    return wire.written


BODIES = st.binary(max_size=300)
REQUESTS = st.lists(
    st.one_of(
        st.builds(post, BODIES, st.sampled_from(sorted(APPS))),
        st.builds(chunked, BODIES, st.sampled_from(sorted(APPS))),
        st.just(b"GET /pieces HTTP/1.1\r\n\r\n"),
        st.builds(post, BODIES, st.just("/whole"), st.just(b"Connection: Upgrade\r\nUpgrade: h2c\r\n")),
    ),
    min_size=1,
    max_size=5,
)
READS = st.lists(st.tuples(st.integers(1, 200), st.integers(0, 3)), max_size=30)


@pytest.mark.proves("SPEED-in-place", "HTTP-body", "HTTP-pipelining")
@given(REQUESTS, READS)
@example([post(b"a" * 100), post(b"b" * 100)], [])
@example([post(b"a" * 100, "/nothing"), post(b"b" * 100, "/some"), post(b"c" * 100)], [(70, 3)] * 9)
@example([post(b"a" * 100, more=b"Expect: 100-continue\r\n")], [(90, 2)])
def test_bodies_past_the_parser_are_what_the_parser_says(requests: list[bytes], reads: list[tuple[int, int]]) -> None:
    data = b"".join(requests)
    expected = answers(asyncio.run(delivered(data, reads)))
    with (
        mock.patch.object(protocol, "LEAST_BYTES", 20),
        mock.patch.object(intake, "READ_BYTES", 50),
        mock.patch.object(cycle, "PLACE_BYTES", 90),
        mock.patch.object(place, "PLACE_BYTES", 90),
        mock.patch.object(place, "_FIRST_BYTES", 10),
        mock.patch.object(place, "_GROWTH", 3),
        mock.patch.object(cycle, "HIGH_WATER", 128),
    ):
        found = answers(asyncio.run(delivered(data, reads)))
    assert found == expected
    assert len(found) == len(requests)


def write(target: Place, piece: bytes) -> None:
    target.rest()[: len(piece)] = piece
    target.fill(len(piece))


@pytest.mark.proves("SPEED-in-place")
@given(st.binary(max_size=50), st.binary(min_size=1, max_size=200), st.lists(st.integers(1, 60)))
def test_a_place_holds_what_was_written_into_it(start: bytes, rest: bytes, counts: list[int]) -> None:
    target = Place(start, len(rest))
    at = 0
    for count in counts:
        assert not target.is_full
        piece = rest[at : at + count]
        write(target, piece)
        at += len(piece)
        if at == len(rest):
            assert target.is_full
            break
    assert target.content() == start + rest[:at]


@pytest.mark.proves("SPEED-in-place")
def test_a_full_place_is_not_copied_to_be_taken_out() -> None:
    target = Place(b"start", 2)
    write(target, b"ed")
    content = target.content()
    assert content == b"started"
    assert target._file is not None and target._file.getvalue() is content


@pytest.mark.proves("SPEED-in-place-words")
@pytest.mark.parametrize(
    ("here", "told", "size"),
    [
        (0, 1000, 1000),
        (0, 1 << 40, 64 << 10),
        (1000, 1 << 40, 1000 + (64 << 10)),
        (64 << 10, 960 << 10, 1 << 20),
        (64 << 10, 1 << 40, 1 << 20),
        (1 << 20, 1 << 40, 3 << 20),
    ],
)
def test_of_a_length_that_is_told_only_so_much_is_believed(here: int, told: int, size: int) -> None:
    assert Place(bytes(here), told).size == size


# over sockets -------------------------------------------------------------------------------------------------------


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Intake]:
    """The intakes that were needed."""
    found: list[Intake] = []

    class Noted(Intake):
        def __init__(self, line: Protocol) -> None:
            super().__init__(line)
            found.append(self)

    monkeypatch.setattr(protocol, "Intake", Noted)
    return found


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The body of one answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))


@pytest.mark.proves("SPEED-in-place", "HTTP-body")
@pytest.mark.parametrize("path", ["/whole", "/pieces"])
async def test_large_and_small_bodies_take_turns_on_one_connection(path: str, made: list[Intake]) -> None:
    async with serving(app) as url, connected(url) as (reader, writer):
        for body in (LARGE, b"small", LARGE[:100_000], b"", LARGE[::-1]):
            writer.write(post(body, path))
            assert await answer(reader) == body
    assert len(made) == 1


@pytest.mark.proves("SPEED-in-place")
async def test_short_bodies_and_those_of_no_told_length_are_parsed(made: list[Intake]) -> None:
    async with serving(app) as url, connected(url) as (reader, writer):
        for request in (post(b"a" * 60_000), chunked(LARGE, "/whole"), GET.replace(b" / ", b" /whole ")):
            writer.write(request[:-10])
            await writer.drain()
            writer.write(request[-10:])
            assert len(await answer(reader)) in (60_000, len(LARGE), 0)
    assert not made


@pytest.mark.proves("SPEED-in-place", "HTTP-pipelining")
async def test_what_comes_behind_a_large_body_is_parsed_again() -> None:
    data = post(LARGE) + post(LARGE[:99_999], "/nothing") + chunked(b"abc", "/pieces") + post(b"last", "/whole")
    async with serving(app) as url, connected(url) as (reader, writer):
        writer.write(data)
        assert [await answer(reader) for _ in range(4)] == [LARGE, b"not read", b"abc", b"last"]
        writer.write(post(LARGE) + b"\0 is no HTTP\r\n\r\n")
        assert LARGE in (found := await reader.read()) or found.startswith(b"HTTP/1.1 400")


@pytest.mark.proves("SPEED-in-place")
async def test_a_client_that_waits_for_leave_to_send_a_large_body_gets_it() -> None:
    async with serving(app) as url, connected(url) as (reader, writer):
        head, _, body = post(LARGE, more=b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert await answer(reader) == LARGE


@pytest.mark.proves("SPEED-in-place", "HTTP-body-left")
@pytest.mark.parametrize("asks", [True, False])
async def test_who_leaves_within_a_large_body_is_missed(asks: bool) -> None:
    seen: list[str] = []
    gone = asyncio.Event()

    @app_of
    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        if asks:
            assert scope[WHOLE]() is None
        while not seen or seen[-1] != "http.disconnect":
            seen.append((await receive())["type"])
        gone.set()

    async with serving(waits) as url, connected(url) as (_, writer):
        writer.write(post(LARGE)[:3_000_000])
        await writer.drain()
        writer.close()
        await asyncio.wait_for(gone.wait(), 10)
    assert set(seen) == {"http.request", "http.disconnect"}


@pytest.mark.proves("SPEED-in-place")
async def test_who_asks_for_pieces_gets_what_has_come_before_more_does() -> None:
    @app_of
    async def mirror(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(LARGE))]})
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"], "more_body": more})

    head, _, body = post(LARGE).partition(b"\r\n\r\n")
    async with serving(mirror) as url, connected(url) as (reader, writer):
        writer.write(head + b"\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        for start in range(0, len(body), 700_000):
            writer.write(body[start : start + 700_000])
            assert await reader.readexactly(len(body[start : start + 700_000])) == body[start : start + 700_000]


@pytest.mark.proves("SPEED-in-place", "HTTP-body-limit")
async def test_who_asked_for_the_whole_is_told_of_each_read_and_gets_large_pieces() -> None:
    seen: list[int] = []

    @app_of
    async def notes(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope[WHOLE]() is None
        more = True
        while more:
            message = await receive()
            seen.append(len(message["body"]))
            more = message["more_body"]
        await tell(send)

    wire = Wire()
    _, state = bare(notes, wire)
    data = post(LARGE)
    while data:
        count = len(seen)
        data = data[wire.read(data[: 1_000_000 if seen else 1_000]) :]
        await until(lambda: len(seen) > count)  # noqa: B023 - called before the next turn
    await until(lambda: not state.tasks)
    large = [size for size in seen if size]
    assert sum(large) == len(LARGE)
    assert all(size >= place.PLACE_BYTES for size in large[:-1])
    assert seen.count(0) >= 4
    wire.protocol.connection_lost(None)


@pytest.mark.proves("SPEED-in-place", "HTTP-keep-alive")
async def test_the_rest_of_a_large_body_that_nobody_wants_takes_no_place_and_the_next_request_is_served() -> None:
    wire = Wire()
    line, state = bare(app, wire)
    data = post(LARGE, "/nothing") + post(b"next") + GET.replace(b" / ", b" /whole ")
    at = wire.read(data[:1000])
    await until(lambda: not state.tasks)
    line._stop_waiting()
    reads = set()
    while at < len(data):
        count = wire.read(data[at:])
        at += count
        reads.add(count)
        await asyncio.sleep(0)
        assert line._timer is not None  # it is still in use, and will not be for ever
    await until(lambda: not state.tasks)
    await asyncio.sleep(0)
    assert max(reads) == intake.READ_BYTES
    assert answers(wire.written) == [b"not read", b"next", b""]
    wire.protocol.connection_lost(None)


@pytest.mark.proves("SPEED-in-place-words")
@pytest.mark.parametrize("path", ["/early", "/never"])
async def test_what_has_come_of_a_body_is_forgotten_with_its_answer_or_its_client(path: str) -> None:
    @app_of
    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope[WHOLE]() is None
        while (await receive())["type"] != "http.disconnect" and path == "/never":
            pass
        await tell(send, b"too late")

    wire = Wire()
    line, state = bare(waits, wire)
    data = post(LARGE, path)
    at = wire.read(data[:100_000])
    at += wire.read(data[at : at + 500_000])
    cycle_of = line._latest
    assert cycle_of is not None and cycle_of._place is not None
    await until(lambda: not state.tasks or path == "/never")
    if path == "/never":
        wire.protocol.connection_lost(None)
    assert cycle_of._place is None and not cycle_of._pieces
    await until(lambda: not state.tasks)


@pytest.mark.proves("SPEED-in-place", "HTTP-body-limit")
@pytest.mark.parametrize(
    ("told", "status"), [(b"0" * 5000 + b"100000", 200), (b"0" * 5000 + b"5", 200), (b"9" * 5000, 400)]
)
async def test_a_length_of_many_digits_is_a_length(told: bytes, status: int) -> None:
    body = b"a" * int(told.lstrip(b"0")[:6])
    async with serving(app) as url, connected(url) as (reader, writer):
        writer.write(b"POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: " + told + b"\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(body[:100_000])
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 %d " % status)
        if status == 200:
            assert await answer(reader) == body


@pytest.mark.proves("SPEED-in-place")
async def test_a_connection_becomes_a_websocket_behind_a_large_body() -> None:
    async def talks(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": "hello"})
            await send({"type": "websocket.close"})
        else:
            await app(scope, receive, send)

    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    key = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    async with serving(talks) as url, connected(url) as (reader, writer):
        writer.write(post(LARGE))
        assert await answer(reader) == LARGE
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n" + upgrade + key + b"\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        assert await reader.readexactly(7) == b"\x81\x05hello"
