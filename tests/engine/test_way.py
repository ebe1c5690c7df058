"""Ways of streams: what is held until there is output to show, whether events are read or pass as bytes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Coroutine, Sequence
from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.frames import Frame
from gateway.core.redact import Redaction
from gateway.dialects.relay import ChunkRelay
from gateway.engine.channel import NativeChannel
from gateway.engine.pump import Pump, pass_whole
from gateway.engine.turn import Voice
from gateway.engine.way import HELD_FRAMES, FrameWay, PassingWay, Source, Way
from gateway.errors import GatewayError, StreamTruncated
from gateway.wire.sse import END, SSEReader
from tests.pure.test_relay_reads import CORPUS, COUNTS, EVENTS, REDACTION, SECRET, delta, event

T = TypeVar("T")
Told = tuple[str, bytes | str | int | None]


class Quiet:
    """A sink as far as a way looks at one."""

    committed = False
    offers = False

    async def document(self, body: bytes, headers: dict[str, str]) -> None: ...
    def stream(self, headers: dict[str, str], voice: Voice) -> None: ...
    async def write(self, data: bytes) -> None: ...
    def offer(self, data: bytes) -> bool:
        return False

    async def finish(self, data: bytes = b"") -> None: ...


class ReadingWay(FrameWay):
    """A native stream of which every event is read."""

    async def fail(self, error: GatewayError) -> bytes:
        return self.channel.fail(error)

    def _pass(self, frames: Sequence[Frame]) -> bytes:
        return self.channel.feed(frames)

    async def _kept(self) -> bytes:
        raise AssertionError("nobody keeps it")

    async def _end(self) -> bytes:
        return self.channel.end()


def passing(sink: Quiet, limit: int = 1 << 20) -> Way:
    channel = NativeChannel(ChunkRelay(include_usage=False), now=0.0)
    return PassingWay(channel, SSEReader(limit), REDACTION, sink)


def reading(sink: Quiet, limit: int = 1 << 20) -> Way:
    channel = NativeChannel(ChunkRelay(include_usage=False), now=0.0)
    return ReadingWay(channel, Source(SSEReader(limit), Redaction([SECRET]), None), sink)


async def pumped(way: Way, sink: Quiet, chunks: Sequence[bytes], signs_of_life: int | None) -> list[Told]:
    """What the engine gets for each read; `signs_of_life`: the read before which the status line goes out by itself."""
    told: list[Told] = []
    try:
        for number, chunk in enumerate(chunks):
            if number == signs_of_life:
                sink.committed = True
            data = way.feed(chunk)
            sink.committed = sink.committed or bool(data)
            told.append(("sent", data))
            if way.channel.finished:
                break
        else:
            told.append(("end", await way.finish()))
    except GatewayError as error:
        told += [("raised", error.code), ("raised", error.message), ("raised", error.status)]
        if sink.committed:
            told.append(("failed", await way.fail(error)))
    return [*told, ("usage", str(way.channel.usage)), ("ended", way.channel.ended)]


def ran(work: Coroutine[None, None, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waits")


def check(chunks: Sequence[bytes], *, limit: int = 1 << 20, signs_of_life: int | None = None) -> list[Told]:
    one, other = Quiet(), Quiet()
    passed = ran(pumped(passing(one, limit), one, chunks, signs_of_life))
    assert passed == ran(pumped(reading(other, limit), other, chunks, signs_of_life))
    return passed


BEGINNING = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
PRELUDE = [BEGINNING, b": working\n\n", event({"choices": [], "prompt_filter_results": []}), EVENTS[6]]


@settings(max_examples=150, deadline=None)
@given(
    prelude=st.lists(st.sampled_from(PRELUDE), max_size=5),
    events=st.lists(st.sampled_from(EVENTS), max_size=8),
    cuts=st.lists(st.integers(0, 1500), max_size=8),
    limit=st.sampled_from([1 << 20, 120]),
    signs_of_life=st.none() | st.integers(0, 5),
)
@pytest.mark.proves("CHAT-relay-reads", "CHAT-relay-output")
def test_a_passing_stream_is_held_and_sent_as_if_every_event_were_read(
    *, prelude: list[bytes], events: list[bytes], cuts: list[int], limit: int, signs_of_life: int | None
) -> None:
    stream = b"".join([*prelude, *events])
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    check([stream], limit=limit, signs_of_life=signs_of_life)
    check([stream[start:end] for start, end in pairwise(places)], limit=limit, signs_of_life=signs_of_life)


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.proves("CHAT-relay-reads", "CHAT-relay-output")
def test_every_recorded_stream_is_held_and_sent_as_if_every_event_were_read(name: str) -> None:
    source = CORPUS[name]
    check([source])
    check([source[at : at + 1] for at in range(len(source))])
    for cut in range(0, len(source), 5):
        check([source[:cut], source[cut:]])
        check([source[:cut]])


@pytest.mark.proves("CHAT-relay-output")
def test_nothing_is_sent_before_there_is_output_and_then_all_of_it() -> None:
    told = check([BEGINNING, b": working\n\n", delta("Hi"), delta("", reason="stop"), END])
    assert told[:4] == [("sent", b""), ("sent", b""), ("sent", BEGINNING + delta("Hi")), ("sent", EVENTS[5])]


@pytest.mark.proves("CHAT-relay-output")
def test_a_failure_after_the_bare_beginning_is_raised_without_its_secrets() -> None:
    failed = event({"error": {"message": f"Wrong key {SECRET}.", "code": "server_error"}})
    told = check([BEGINNING, failed])
    assert told[0] == ("sent", b"")
    assert ("raised", "Wrong key [secret].") in told


@pytest.mark.proves("CHAT-relay-output")
def test_who_sends_too_much_before_any_output_is_not_held_back() -> None:
    told = check([BEGINNING * HELD_FRAMES, BEGINNING, BEGINNING])
    assert told[:3] == [("sent", b""), ("sent", BEGINNING * (HELD_FRAMES + 1)), ("sent", BEGINNING)]


@pytest.mark.proves("CHAT-relay-output")
def test_a_stream_that_ends_before_any_output_is_a_failure() -> None:
    assert ("raised", StreamTruncated("").code) in check([BEGINNING])


@pytest.mark.proves("CHAT-relay-output")
def test_comments_before_any_output_are_not_kept() -> None:
    """A server may say that it works for as long as it likes: what it says so is nothing to hold."""

    way = passing(Quiet())
    assert isinstance(way, PassingWay)
    for _ in range(3):
        assert way.feed(b": working\n\n") == b""
    assert way._held == []
    assert way.feed(delta("Hi")) == delta("Hi")


@pytest.mark.proves("CHAT-relay-reads")
def test_counts_in_the_last_event_without_its_blank_line_are_learnt() -> None:
    counted = event({"choices": [], "usage": COUNTS})
    told = check([delta("Hi"), delta("", reason="stop"), counted[:-2]])
    assert told[2:] == [("sent", b""), ("end", END), ("usage", str(COUNTS)), ("ended", True)]


class Kept(Quiet):
    """A sink that remembers."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    async def write(self, data: bytes) -> None:
        self.committed = True
        self.got.append(data)

    async def finish(self, data: bytes = b"") -> None:
        self.got += [data, b"<end>"]


async def moved(pieces: list[bytes], sink: Kept, *, whole: bool, limit: int = 1 << 20) -> list[object]:
    """What a client gets of a stream that comes in one read, and the failure; and what the log is told."""
    way = passing(sink, limit)
    stream = way.join(pieces) if whole and way.join else b"".join(pieces)

    async def chunks() -> AsyncIterator[bytes]:
        yield stream

    told: list[object] = []
    try:
        await (pass_whole(stream, way, sink) if whole else Pump(way, sink).run(chunks(), lambda: None))
    except GatewayError as error:
        told = [error.code, error.message]
    return [b"".join(sink.got), *told, way.channel.usage, way.channel.failed]


@settings(max_examples=100, deadline=None)
@given(events=st.lists(st.sampled_from(EVENTS), max_size=8), left_out=st.integers(0, 20))
@pytest.mark.proves("CHAT-relay-reads")
def test_a_stream_all_of_which_has_come_goes_out_as_from_one_read(*, events: list[bytes], left_out: int) -> None:
    stream = b"".join(events)
    stream = stream[: len(stream) - left_out]
    if stream:
        assert ran(moved([stream], Kept(), whole=True)) == ran(moved([stream], Kept(), whole=False))


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.proves("CHAT-relay-reads")
def test_every_recorded_stream_all_of_which_has_come_goes_out_as_from_one_read(name: str) -> None:
    source = CORPUS[name]
    for stream in (source, source[: len(source) // 2], source[:-1]):
        for pieces in ([stream], re.findall(rb"(?s).+?(?:\n\n|$)", stream), [bytes([byte]) for byte in stream]):
            assert ran(moved(pieces, Kept(), whole=True)) == ran(moved([stream], Kept(), whole=False))


WORDS = st.lists(st.text(max_size=6).map(delta) | st.sampled_from(EVENTS[:2]), min_size=12, max_size=24)
"""Deltas that are alike."""


@settings(max_examples=300, deadline=None)
@given(
    first=st.lists(st.sampled_from([BEGINNING, *EVENTS]), max_size=2),
    words=WORDS,
    odd=st.none() | st.tuples(st.integers(0, 23), st.sampled_from(EVENTS) | st.binary(max_size=4)),
    last=st.lists(st.sampled_from([*EVENTS[5:10], *EVENTS]), max_size=3),
    cut=st.none() | st.integers(1, 4000),
    limit=st.sampled_from([1 << 20, 1 << 20, 300, 90]),
)
@pytest.mark.proves("CHAT-relay-burst")
def test_a_stream_in_its_servers_pieces_goes_out_as_from_one_read(
    *,
    first: list[bytes],
    words: list[bytes],
    odd: tuple[int, bytes] | None,
    last: list[bytes],
    cut: int | None,
    limit: int,
) -> None:
    if odd is not None:
        words.insert(*odd)
    pieces = [*first, *words, *last, END]
    if cut is not None:  # the pieces are not always events
        stream = b"".join(pieces)
        pieces = [piece for piece in (stream[:cut], *pieces[len(first) + 1 :]) if piece]
    want = ran(moved([b"".join(pieces)], Kept(), whole=False, limit=limit))
    assert ran(moved(pieces, Kept(), whole=True, limit=limit)) == want


@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
@settings(max_examples=400, deadline=None)
@pytest.mark.proves("CHAT-relay-burst")
def test_a_stream_with_any_byte_changed_goes_out_as_from_one_read(place: int, value: int) -> None:
    pieces = [BEGINNING, *(delta(f" {number}") for number in range(20)), delta("", reason="stop"), EVENTS[9], END]
    number = place % len(pieces)
    changed = bytearray(pieces[number])
    changed[place % len(changed)] = value
    pieces[number] = bytes(changed)
    want = ran(moved([b"".join(pieces)], Kept(), whole=False))
    assert ran(moved(pieces, Kept(), whole=True)) == want
