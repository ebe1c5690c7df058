"""The pump: what goes out where it comes in, and what is left to the task of the turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.engine import pump
from gateway.engine.pump import Pump, drain
from gateway.engine.turn import Voice
from gateway.engine.way import Way
from gateway.errors import GatewayError, UpstreamUnavailable

LAST, KEPT, BAD, BUG, SILENT = b"<last>", b"<kept>", b"<bad>", b"<bug>", b"<silent>"


class Echo:
    """A way that says what it gets. `KEPT` is kept before it is told; `LAST` is the end; `BAD` fails; `BUG`, too."""

    def __init__(self) -> None:
        self.channel = SimpleNamespace(finished=False, ended=False)
        self.keeping = False
        self.kept: list[bytes] = []
        self._waiting = b""

    def feed(self, chunk: bytes) -> bytes:
        assert not self.keeping, "fed before the end was kept"
        if BUG in chunk:
            raise RuntimeError("a bug")
        if BAD in chunk:
            raise UpstreamUnavailable("It broke.")
        if KEPT in chunk:
            self.keeping, self._waiting = True, chunk.replace(SILENT, b"")
            return b""
        self.channel.finished = LAST in chunk
        return chunk.replace(SILENT, b"")

    async def keep(self) -> bytes:
        await asyncio.sleep(0)
        self.kept.append(self._waiting)
        self.keeping = False
        self.channel.finished = LAST in self._waiting
        return self._waiting

    async def finish(self) -> bytes:
        return b"<cut>"

    async def fail(self, error: GatewayError) -> bytes:
        return b"<failed>"


class Client:
    """A sink. `willing`: whether it takes the next piece at once, asked each time."""

    committed = True
    offers = True

    def __init__(self, willing: Callable[[], bool] = lambda: True) -> None:
        self.got = b""
        self.offered = 0
        self.ended = 0
        self._willing = willing

    async def document(self, body: bytes, headers: dict[str, str]) -> None:
        pytest.fail("a stream was asked for")

    def stream(self, headers: dict[str, str], voice: Voice) -> None: ...

    def offer(self, data: bytes) -> bool:
        assert data and not self.ended
        if self._willing():
            self.got += data
            self.offered += 1
            return True
        return False

    async def write(self, data: bytes) -> None:
        assert data and not self.ended
        await asyncio.sleep(0)
        self.got += data

    async def finish(self, data: bytes = b"") -> None:
        self.got += data
        self.ended += 1


class Network:
    """Pieces that come, as `http1.Exchange` gives them: to the taker while somebody waits, else to the reader."""

    def __init__(self, taker: Callable[[bytes], bytes | None]) -> None:
        self._taker = taker
        self._pieces: list[bytes] = []
        self._over = False
        self._waiter: asyncio.Future[None] | None = None

    def receive(self, piece: bytes | None) -> None:
        left = piece
        if piece is None:
            self._over = True
        elif self._waiter is not None:
            left = self._taker(piece)
            if left is None:
                return
        if left is not None:
            self._pieces.append(left)
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.set_result(None)

    async def chunks(self) -> AsyncIterator[bytes]:
        while self._pieces or not self._over:
            if self._pieces:
                piece = b"".join(self._pieces)
                self._pieces.clear()
                yield piece
            else:
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter


class Run:
    """A pump at work."""

    def __init__(self, client: Client) -> None:
        self.way, self.client, self.begun = Echo(), client, 0
        self.pump = Pump(cast(Way, self.way), client)
        self.network = Network(self.pump.take)
        self.task = asyncio.create_task(self.pump.run(self.network.chunks(), self._begin))

    def _begin(self) -> None:
        self.begun += 1

    async def receive(self, *pieces: bytes | None, turns: int = 3) -> None:
        for piece in pieces:
            self.network.receive(piece)
        for _ in range(turns):
            await asyncio.sleep(0)


@pytest.mark.proves("SPEED-at-once")
async def test_an_event_goes_out_in_the_turn_in_which_it_came() -> None:
    run = Run(Client())
    await run.receive()
    for number in range(3):
        run.network.receive(b"%d" % number)
        assert run.client.offered == number + 1
    await run.receive(LAST)
    await run.task
    assert (run.client.got, run.client.ended, run.client.offered) == (b"012" + LAST, 1, 3)


@pytest.mark.proves("SPEED-at-once")
async def test_a_client_that_is_slow_gets_what_was_made_for_it_before_what_came_after() -> None:
    run = Run(Client(willing=lambda: False))
    await run.receive()
    await run.receive(b"one", b"two", b"three", turns=9)
    assert (run.client.got, run.begun) == (b"onetwothree", 1)
    await run.receive(b"four", BAD, turns=9)
    with pytest.raises(UpstreamUnavailable):
        await run.task
    assert (run.client.got, run.client.ended) == (b"onetwothreefour", 0)


@pytest.mark.proves("SPEED-at-once")
@pytest.mark.parametrize(("piece", "error"), [(BAD, UpstreamUnavailable), (BUG, RuntimeError)])
async def test_a_failure_is_met_by_the_task_and_not_by_the_network(piece: bytes, error: type[Exception]) -> None:
    run = Run(Client())
    await run.receive()
    await run.receive(b"one", piece, b"two")
    with pytest.raises(error):
        await run.task
    assert run.client.got == b"one"


@pytest.mark.proves("SPEED-at-once")
async def test_an_end_is_kept_before_the_client_hears_of_it() -> None:
    run = Run(Client())
    await run.receive()
    await run.receive(b"one", KEPT, b"two", turns=0)
    assert run.client.got == b"one"
    await run.receive(b"", LAST, turns=9)
    await run.task
    assert (run.way.kept, run.client.got) == ([KEPT], b"one" + KEPT + b"two" + LAST)


@pytest.mark.proves("SPEED-at-once")
async def test_nothing_is_taken_of_a_stream_that_is_over() -> None:
    run = Run(Client())
    await run.receive()
    await run.receive(LAST)
    await run.task
    assert run.pump.take(b"more") == b"more"
    assert run.client.got == LAST


@settings(max_examples=200, deadline=None)
@given(
    pieces=st.lists(st.tuples(st.sampled_from([b"a", b"bc", SILENT, KEPT, b"d"]), st.integers(0, 3)), max_size=12),
    end=st.sampled_from([LAST, None, BAD]),
    willing=st.lists(st.booleans(), max_size=12),
)
@pytest.mark.proves("SPEED-at-once")
def test_whatever_is_taken_and_whatever_waits_the_client_gets_the_same(
    pieces: Sequence[tuple[bytes, int]], end: bytes | None, willing: list[bool]
) -> None:
    async def work() -> None:
        answers = iter(willing)
        run = Run(Client(willing=lambda: next(answers, True)))
        for piece, turns in pieces:
            await run.receive(piece, turns=turns)
        await run.receive(end, turns=9)
        if end == BAD:
            with pytest.raises(UpstreamUnavailable):
                await run.task
        else:
            await run.task
        whole = b"".join(piece for piece, _ in pieces).replace(SILENT, b"")
        told = {LAST: LAST, None: b"<cut>", BAD: b""}[end]
        assert (whole + told).startswith(run.client.got)
        if end != BAD:  # what comes in one read with a failure fails with it
            assert run.client.got == whole + told
        assert run.client.ended == (end != BAD)

    asyncio.run(work())


@pytest.mark.proves("SPEED-at-once")
async def test_draining_ends_with_the_stream_after_so_many_bytes_and_with_a_failure() -> None:
    read: list[bytes] = []

    async def chunks(*pieces: bytes | GatewayError) -> AsyncIterator[bytes]:
        for piece in pieces:
            if isinstance(piece, GatewayError):
                raise piece
            read.append(piece)
            yield piece

    half = bytes(pump.DRAIN_BYTES // 2 + 1)
    await drain(chunks(b"one", b"two"))
    await drain(chunks(half, half, b"never"))
    await drain(chunks(b"three", UpstreamUnavailable("It broke.")))
    assert read == [b"one", b"two", half, half, b"three"]
