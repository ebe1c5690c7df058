"""Whatever is done to a stream on its way, what we send on is legal."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import json
from gateway.core.frames import DONE, Frame
from tests.pure.invariants import check_response_stream, read
from tests.pure.streams import CORPUS, play

Json = dict[str, Any]

_NULLABLE = (
    *("item_id", "output_index", "content_index", "summary_index", "sequence_number"),
    *("item", "part", "delta", "text", "arguments"),
)
_INNER = ("id", "call_id", "name", "content", "status", "type", "output", "usage", "summary", "text", "arguments")
_VALUES: st.SearchStrategy[Any] = st.sampled_from([None, "", 7, -1, [], {}, "msg_other", True, 1.5, "x" * 70])


@st.composite
def mutated(draw: st.DrawFn) -> list[Frame]:
    frames = [frame.data for frame in read(CORPUS[draw(st.sampled_from(READABLE))]) if frame.type != DONE]
    for _ in range(draw(st.integers(1, 4))):
        frames = draw(st.sampled_from([_drop, _repeat, _swap, _spoil]))(draw, frames)
    return [frame for data in frames for frame in read(b"data: " + json.dumps(data) + b"\n\n")]


def _place(draw: st.DrawFn, frames: list[Json]) -> int:
    return draw(st.integers(0, max(0, len(frames) - 1)))


def _drop(draw: st.DrawFn, frames: list[Json]) -> list[Json]:
    place = _place(draw, frames)
    return frames[:place] + frames[place + 1 :]


def _repeat(draw: st.DrawFn, frames: list[Json]) -> list[Json]:
    place = _place(draw, frames)
    return frames[: place + 1] + frames[place:]


def _swap(draw: st.DrawFn, frames: list[Json]) -> list[Json]:
    if not frames:
        return frames
    one, two = _place(draw, frames), _place(draw, frames)
    changed = list(frames)
    changed[one], changed[two] = changed[two], changed[one]
    return changed


def _spoil(draw: st.DrawFn, frames: list[Json]) -> list[Json]:
    if not frames:
        return frames
    place = _place(draw, frames)
    data = dict(frames[place])
    nested = next((name for name in ("item", "response", "part") if isinstance(data.get(name), dict)), None)
    if nested and draw(st.booleans()):
        data[nested] = {**data[nested], draw(st.sampled_from(_INNER)): draw(_VALUES)}
    else:
        data[draw(st.sampled_from(_NULLABLE))] = draw(_VALUES)
    return [*frames[:place], data, *frames[place + 1 :]]


READABLE = tuple(name for name in CORPUS if "-cut-" not in name)


@settings(max_examples=200, deadline=None)
@given(frames=mutated())
def test_a_spoilt_stream_is_sent_on_as_a_legal_one(frames: list[Frame]) -> None:
    machine, sent = play(frames)
    check_response_stream(sent)
    assert machine.fold.response()["output"] == sent[-1].data["response"]["output"]
