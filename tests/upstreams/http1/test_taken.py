"""Pieces that are taken where they come in, while their reader waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx2
import pytest

from gateway.upstreams.http1 import Destination, Message
from gateway.upstreams.http1.exchange import Exchange
from tests.upstreams.http1.calls import CHUNKED, body, sending, turns
from tests.upstreams.http1.conftest import Clock
from tests.upstreams.http1.outcomes import places
from tests.upstreams.http1.wire import Network, Wire, request

END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Taken:
    """A taker. `leaves`: what it leaves of the pieces it is asked for, by their number."""

    def __init__(self, leaves: dict[int, bytes] | None = None) -> None:
        self.pieces: list[bytes] = []
        self._leaves = leaves or {}

    def __call__(self, piece: bytes) -> bytes | None:
        self.pieces.append(piece)
        return self._leaves.get(len(self.pieces))


async def answered(network: Network) -> tuple[Wire, Exchange]:
    task = sending(network, request())
    await turns()
    network.wires[0].receive(CHUNKED)
    return network.wires[0], body(await task)


@pytest.mark.proves("SPEED-at-once")
async def test_a_piece_is_taken_at_once_while_the_reader_waits_and_wakes_nobody() -> None:
    network, taken = Network([]), Taken()
    wire, stream = await answered(network)
    stream.taker = taken
    reader = asyncio.create_task(anext(stream, b"the end"))
    await turns()
    for piece in (b"one", b"two"):
        wire.receive(chunk(piece))
        assert taken.pieces[-1] == piece
    await turns()
    assert not reader.done()
    wire.receive(chunk(b"three") + END)
    assert await reader == b"the end"
    assert taken.pieces == [b"one", b"two", b"three"]
    assert places(network.transport) == (1, 1)


@pytest.mark.proves("SPEED-at-once")
async def test_what_comes_while_nobody_waits_is_left_to_the_reader_in_its_order() -> None:
    taken = Taken()
    wire, stream = await answered(Network([]))
    stream.taker = taken
    wire.receive(chunk(b"one"))
    wire.receive(chunk(b"two"))
    assert await anext(stream) == b"onetwo"
    reader = asyncio.create_task(anext(stream))
    await turns()
    reader.cancel()
    wire.receive(chunk(b"three"))
    await asyncio.wait({reader})
    assert taken.pieces == []
    await stream.aclose()


@pytest.mark.proves("SPEED-at-once")
@pytest.mark.parametrize("left", [b"", b"ne"])
async def test_what_is_left_of_a_piece_wakes_the_reader_who_gets_all_that_follows(left: bytes) -> None:
    taken = Taken({2: left})
    wire, stream = await answered(Network([]))
    stream.taker = taken
    reader = asyncio.create_task(anext(stream))
    await turns()
    wire.receive(chunk(b"zero"))
    wire.receive(chunk(b"one"))
    wire.receive(chunk(b"two"))
    assert await reader == left + b"two"
    assert taken.pieces == [b"zero", b"one"]
    await stream.aclose()
    assert stream.taker is None


@pytest.mark.proves("SPEED-at-once", "TRANSPORT-timeouts")
async def test_each_piece_that_is_taken_gives_the_next_one_the_whole_time(clock: Clock) -> None:
    taken = Taken()
    wire, stream = await answered(Network([]))
    stream.taker = taken
    late = asyncio.create_task(anext(stream))
    for _ in range(4):
        await clock.skip(4)
        wire.receive(chunk(b"x"))
    await clock.skip(6)
    with pytest.raises(httpx2.ReadTimeout):
        await late
    assert taken.pieces == [b"x"] * 4 and wire.aborted


@pytest.mark.proves("SPEED-at-once")
async def test_bytes_before_a_fault_are_taken_and_the_reader_gets_the_fault() -> None:
    taken = Taken()
    wire, stream = await answered(Network([]))
    stream.taker = taken
    reader = asyncio.create_task(anext(stream))
    await turns()
    wire.receive(chunk(b"one") + b"no size\r\n")
    with pytest.raises(httpx2.RemoteProtocolError):
        await reader
    assert taken.pieces == [b"one"]


def asking(join: Callable[[list[bytes]], bytes]) -> Message:
    return Message("POST", Destination(httpx2.URL("http://host/")), [(b"Host", b"host")], b"{}", join=join)


@pytest.mark.proves("SPEED-joined")
async def test_a_body_that_comes_whole_with_its_head_is_joined_by_who_asked_for_it() -> None:
    asked: list[list[bytes]] = []

    def join(pieces: list[bytes]) -> bytes:
        asked.append(pieces)
        return b"both"

    network = Network([CHUNKED + chunk(b"one") + chunk(b"two") + END], ends=b"{}")
    exchange = await network.transport.exchange(asking(join), {})
    assert (exchange.complete, exchange.rest(), asked) == (True, b"both", [[b"one", b"two"]])
    exchange = await network.transport.exchange(asking(join), {})
    assert (await anext(exchange), asked) == (b"both", [[b"one", b"two"]] * 2)
    assert places(network.transport) == (1, 1)


@pytest.mark.proves("SPEED-joined")
@pytest.mark.parametrize(
    "script",
    [
        [CHUNKED, chunk(b"one") + chunk(b"two") + END],
        [CHUNKED + chunk(b"one"), chunk(b"two") + END],
        [CHUNKED + chunk(b"one") + chunk(b"two"), END],
    ],
    ids=["head first", "in parts", "end last"],
)
async def test_a_body_that_does_not_is_nobodys_but_the_readers(script: list[bytes]) -> None:
    def join(pieces: list[bytes]) -> bytes:
        pytest.fail(f"asked for {pieces}")

    network = Network(script, ends=b"{}")
    exchange = await network.transport.exchange(asking(join), {})
    assert b"".join([piece async for piece in exchange]) == b"onetwo"
