"""Every recorded stream: whole, byte by byte, and cut."""

from __future__ import annotations

import random

import pytest

from gateway.core.fold import complete_response
from gateway.core.frames import Frame
from tests.pure.invariants import check_response_stream, read
from tests.pure.streams import CLEAN, CORPUS, play, play_chunks, repair

EVERY = pytest.mark.parametrize("name", CORPUS)
TRUST = pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "checked"])

BELIEVED = "compat-other-item-id"
"""Its deltas lie about their item in a way that only reading them shows: not a server to trust."""


@pytest.mark.parametrize(
    ("name", "trusted"),
    [(name, trusted) for name in CORPUS for trusted in (True, False) if not trusted or name != BELIEVED],
)
@pytest.mark.proves("RESPONSES-invariants")
def test_every_recorded_stream_is_sent_on_as_a_legal_one(name: str, trusted: bool) -> None:
    machine, frames = play(CORPUS[name], trusted=trusted)
    events = check_response_stream(frames)
    assert machine.finished
    assert machine.terminal is frames[-1]
    assert machine.fold.response() == events[-1]["response"]


@EVERY
@pytest.mark.proves("RESPONSES-chunking")
def test_byte_by_byte_gives_the_same_stream_as_whole(name: str) -> None:
    source = CORPUS[name]
    whole = play_chunks([source])
    assert play_chunks(source[at : at + 1] for at in range(len(source))) == whole
    assert play_chunks(source[at : at + 7] for at in range(0, len(source), 7)) == whole


@EVERY
@pytest.mark.proves("RESPONSES-junk-after")
def test_nothing_after_the_terminal_event_matters(name: str) -> None:
    machine, frames = play(CORPUS[name])
    assert machine.feed(read(CORPUS["openai-text"])) == []
    assert machine.terminal is frames[-1]


ALTERNATING = "openai-two-calls-at-once"
"""Events of items that are open at the same time are looked at, even if the server is trusted."""


def cuts(source: bytes) -> list[int]:
    """Everywhere in a small stream; at event borders and two bytes around, and 200 other places, in a large one."""
    if len(source) <= 4096:
        return list(range(len(source)))
    borders = {at + near for at in range(len(source)) if source.startswith(b"\n\n", at) for near in range(-2, 5)}
    some = random.Random(len(source)).sample(range(len(source)), 200)
    return sorted(place for place in borders.union(some) if place < len(source))


@EVERY
@pytest.mark.proves("RESPONSES-cut", "CASE-109", "FAIL-6")
def test_a_cut_stream_never_looks_complete(name: str) -> None:
    source = CORPUS[name]
    whole = [frame.raw for frame in read(source)]
    ends = [play(read(source)[:length])[1][-1].type for length in range(len(whole))]
    for cut in cuts(source):
        frames = [frame.raw for frame in read(source[:cut])]
        assert frames == whole[: len(frames)], f"cut at {cut}: not what was sent"
        if len(frames) < len(whole):
            assert ends[len(frames)] == "response.failed", f"cut at {cut}"


@EVERY
@pytest.mark.proves("RESPONSES-cut")
def test_cut_streams_are_legal_at_every_event(name: str) -> None:
    source = read(CORPUS[name])
    for length in range(len(source)):
        _, frames = play(source[:length])
        check_response_stream(frames)


@pytest.mark.parametrize("name", CLEAN)
@TRUST
@pytest.mark.proves("RESPONSES-clean")
def test_a_clean_stream_passes_as_the_same_frames(name: str, trusted: bool) -> None:
    source = read(CORPUS[name])
    machine = repair(trusted=trusted)
    sent = machine.feed(source)
    assert len(sent) == len(source)
    assert all(one is other for one, other in zip(sent, source, strict=True))


@pytest.mark.parametrize("name", [name for name in CLEAN if name != ALTERNATING])
@pytest.mark.proves("RESPONSES-lazy")
def test_deltas_of_a_trusted_clean_stream_are_never_parsed(name: str) -> None:
    source = read(CORPUS[name])
    repair(trusted=True).feed(source)
    parsed = {frame.type for frame in source if frame._data is not None}
    kinds = ("created", "in_progress", "output_item.added", "output_item.done", "completed", "incomplete")
    assert parsed <= {f"response.{kind}" for kind in kinds}


@EVERY
def test_a_stream_and_its_json_answer_tell_the_same(name: str) -> None:
    machine, frames = play(CORPUS[name])
    told = frames[-1].data["response"]
    answer = complete_response(machine.fold.response())
    assert {key: answer[key] for key in told if key not in ("usage", "tools", "text", "reasoning")} == {
        key: value for key, value in told.items() if key not in ("usage", "tools", "text", "reasoning")
    }


def test_frames_of_our_own_are_canonical() -> None:
    _, frames = play(CORPUS["compat-text-deltas-only"])
    made = frames[1]
    assert made.raw == Frame.of(made.data).raw
