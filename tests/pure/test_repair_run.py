"""Deltas in a row take a short way through the repair. What comes out is what the long way gives, whatever comes in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import json
from gateway.core.frames import Frame
from gateway.core.repair import Repair
from gateway.core.repair.run import Run
from gateway.errors import StreamTruncated, UpstreamError
from gateway.wire.sse import SSEReader
from tests.pure.invariants import read
from tests.pure.streams import CORPUS, event, of_type, output, repair

Json = dict[str, Any]
Machine = TypeVar("Machine", bound=Repair)


class Looking(Repair):
    """Looks at every delta."""

    def _goes_on(self, run: Run, frame: Frame) -> bool:
        return False


class Counting(Repair):
    """Counts the deltas that needed no look."""

    unseen = 0

    def _goes_on(self, run: Run, frame: Frame) -> bool:
        gone = super()._goes_on(run, frame)
        self.unseen += gone
        return gone


def machine(kind: type[Machine], **options: Any) -> Machine:
    return kind(
        "seed", **{"created": 1790000000, "model": "m", "trusted": False, "open_item_bytes": 1 << 20, **options}
    )


# streams -------------------------------------------------------------------------------------------------------------

TEXTS: st.SearchStrategy[Any] = st.sampled_from(["a", " b", "", "é", "\ud83d", "\ude00", "🌍", '"\\', "x" * 40])
NUMBERS: tuple[Any, ...] = (0, 1, 0.0, 1.0, False, True, None, -1, 300, "0", [])
ODD: dict[str, tuple[Any, ...]] = {
    "output_index": NUMBERS,
    "content_index": NUMBERS,
    "summary_index": NUMBERS,
    "sequence_number": NUMBERS,
    "item_id": ("msg_1", "", None, 7),
    "delta": (None, 7, []),
    "type": ("response.output_text.delta", "response.reasoning.delta", None),
}
KINDS = {
    "message": ("response.output_text", "content_index"),
    "reasoning": ("response.reasoning_summary_text", "summary_index"),
    "function_call": ("response.function_call_arguments", ""),
}


@st.composite
def items(draw: st.DrawFn) -> list[Json]:
    """The items of a stream; some share an id or an index, or have none."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3))
    found = []
    for place, kind in enumerate(kinds):
        index = draw(st.sampled_from([place, place, place, 0, place + 5, None, 300]))
        identity = draw(st.sampled_from([f"{kind[:3]}_{place}", f"{kind[:3]}_{place}", "msg_1", "i" * 90, None]))
        found.append({"kind": kind, "index": index, "id": identity})
    return found


def added(item: Json) -> list[Json]:
    fields = {"id": item["id"], "type": item["kind"]}
    if item["kind"] == "function_call":
        fields |= {"name": "f", "call_id": f"call_{item['id']}", "arguments": ""}
    told = [{"type": "response.output_item.added", "output_index": item["index"], "item": fields}]
    if item["kind"] == "message":
        part = {"type": "output_text", "text": ""}
        told.append({"type": "response.content_part.added", **address(item), "part": part})
    return told


def address(item: Json, place: int = 0) -> Json:
    _, position = KINDS[item["kind"]]
    where = {"item_id": item["id"], "output_index": item["index"], **({position: place} if position else {})}
    return {name: value for name, value in where.items() if value is not None}


@st.composite
def burst(draw: st.DrawFn, item: Json) -> list[Json]:
    """Deltas of one text in a row; one of them may differ from the others."""
    name, _ = KINDS[item["kind"]]
    place = draw(st.sampled_from([0, 0, 0, 1]))
    told = [
        {"type": f"{name}.delta", **address(item, place), "delta": text} for text in draw(st.lists(TEXTS, max_size=6))
    ]
    spoil = draw(st.booleans())
    if told and spoil:
        at = draw(st.integers(0, len(told) - 1))
        odd = draw(st.sampled_from(sorted(ODD)))
        told[at] = {**told[at], odd: draw(st.sampled_from(ODD[odd]))}
        if draw(st.integers(0, 3)) == 0:
            del told[at][odd]
    return told


def ended(item: Json) -> list[Json]:
    name, position = KINDS[item["kind"]]
    shown = {"id": item["id"], "type": item["kind"], "name": "f", "call_id": f"call_{item['id']}"}
    told: Json = {"type": "response.output_item.done", "output_index": item["index"], "item": shown}
    return [{"type": f"{name}.done", **address(item), "text" if position else "arguments": ""}, told]


@st.composite
def streams(draw: st.DrawFn) -> list[Frame]:
    """A stream of items whose events may be mixed, numbered in one of several ways."""
    known = draw(items())
    response = {"id": "resp_1", "status": "in_progress"}
    told: list[Json] = [{"type": "response.created", "response": response}]
    told += added(known[0])
    for _ in range(draw(st.integers(1, 8))):
        item = draw(st.sampled_from(known))
        step = draw(st.sampled_from(["burst", "burst", "burst", "added", "ended", "aside"]))
        if step == "burst":
            told += draw(burst(item))
        elif step == "added":
            told += added(item)
        elif step == "ended":
            told += ended(item)
        else:
            told.append({"type": draw(st.sampled_from(["keepalive", "response.in_progress", "new.event"]))})
    if draw(st.booleans()):
        told.append({"type": "response.completed", "response": {**response, "status": "completed", "output": []}})
    return draw(framed(told))


@st.composite
def framed(draw: st.DrawFn, told: list[Json]) -> list[Frame]:
    """Events as frames: numbered or not, with or without event names, some cut."""
    number, step = draw(st.sampled_from([(0, 1), (0, 1), (1, 1), (0, 2), (None, 0)]))
    name = draw(st.sampled_from(["", "its own", "its own", "response.output_text.delta"]))
    cut = draw(st.sampled_from([*[None] * 5, *range(len(told))]))
    blocks = []
    for place, data in enumerate(told):
        if number is not None and data.get("type") != "new.event":
            payload = json.dumps({"sequence_number": number + step * place, **data})
        else:
            payload = json.dumps(data)
        event_name = str(data.get("type")) if name == "its own" else name
        head = b"event: %b\n" % event_name.encode() if event_name else b""
        blocks.append(head + b"data: " + (payload[:-1] if place == cut else payload) + b"\n\n")
    return [frame for block in blocks for frame in SSEReader(1 << 20).feed(block)]


# the two ways --------------------------------------------------------------------------------------------------------


def told_by(one: Repair, reads: Sequence[Sequence[Frame]], last: str) -> list[Any]:
    """All that a machine lets be seen of a stream: what it sent for each read, and what it knows at the end."""
    seen: list[Any] = [[(frame.type, frame.raw) for frame in one.feed(fresh(frames))] for frames in reads]
    if last == "again":
        seen.append([frame.raw for frame in one.in_progress_again()])
        seen.append([frame.raw for frame in one.feed(fresh(reads[-1]))])
    end = one.cancel() if last == "cancel" else one.abort(StreamTruncated("The stream was cut."))
    seen += [[frame.raw for frame in end], one.error, one.dropped, one.finished]
    try:
        return [*seen, one.fold.response()]
    except UpstreamError as error:
        return [*seen, error.message]


def fresh(frames: Sequence[Frame]) -> list[Frame]:
    """The same frames, unread."""
    return [frame for one in frames for frame in SSEReader(1 << 20).feed(one.raw)]


@pytest.mark.proves("RUN-same")
@settings(max_examples=600, deadline=None)
@given(
    frames=streams(),
    cut=st.integers(0, 60),
    trusted=st.booleans(),
    limit=st.sampled_from([1 << 20, 1 << 20, 60, 400, 1500]),
    response_id=st.sampled_from(["", "", "resp_own"]),
    last=st.sampled_from(["abort", "cancel", "again"]),
)
def test_both_ways_say_the_same(
    frames: list[Frame], cut: int, trusted: bool, limit: int, response_id: str, last: str
) -> None:
    reads = [frames[:cut], frames[cut:]]
    options = {"trusted": trusted, "open_item_bytes": limit, "response_id": response_id}
    assert told_by(machine(Repair, **options), reads, last) == told_by(machine(Looking, **options), reads, last)


MESSAGE: Json = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
PART: Json = {"type": "output_text", "text": ""}
AT: Json = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
DELTA = "response.output_text.delta"
BEGUN = (
    event("response.created", 0, response={"id": "resp_1", "status": "in_progress"}),
    event("response.output_item.added", 1, output_index=0, item=MESSAGE),
    event("response.content_part.added", 2, **AT, part=PART),
)


def deltas(numbers: Iterable[int | None], **where: Any) -> list[Frame]:
    return [event(DELTA, number, **{**AT, **where}, delta=" word") for number in numbers]


def looked_at(*frames: Frame, **options: Any) -> tuple[int, list[Frame]]:
    """How many of the deltas were looked at, and what was sent, which is the same as if all had been."""
    short = machine(Counting, **options)
    sent = short.feed(frames)
    assert [frame.raw for frame in sent] == [frame.raw for frame in machine(Looking, **options).feed(frames)]
    return sum(frame.type.endswith(".delta") for frame in frames) - short.unseen, sent


@pytest.mark.proves("RUN-short")
def test_of_deltas_in_a_row_only_the_first_is_looked_at() -> None:
    frames = [*BEGUN, *deltas(range(3, 100))]
    looked, sent = looked_at(*frames)
    assert looked == 1
    assert all(one is other for one, other in zip(sent[-97:], frames[-97:], strict=True)), "they pass as they came"


@pytest.mark.proves("RUN-short")
def test_renumbered_deltas_are_not_looked_at_either() -> None:
    looked, sent = looked_at(*BEGUN, event("keepalive", 3), *deltas(range(4, 100)))
    assert looked == 1
    assert [frame.data["sequence_number"] for frame in sent][-3:] == [96, 97, 98]


@pytest.mark.proves("RUN-short")
def test_deltas_under_another_id_are_not_looked_at_either() -> None:
    looked, sent = looked_at(*BEGUN, *deltas(range(3, 100), item_id="other"))
    assert looked == 1
    assert {frame.data["item_id"] for frame in sent[-50:]} == {"msg_1"}


@pytest.mark.proves("RUN-short")
def test_deltas_without_any_address_are_not_looked_at_either() -> None:
    bare = [event(DELTA, delta="a") for _ in range(9)]
    looked, sent = looked_at(*BEGUN, *bare)
    assert looked == 1
    assert sent[-1].data == {"type": DELTA, "sequence_number": 11, **AT, "delta": "a"}


@pytest.mark.proves("RUN-same")
@pytest.mark.parametrize("where", [{"output_index": 0.0}, {"content_index": 0.0}], ids=str)
def test_a_number_that_only_equals_the_address_is_looked_at(where: Json) -> None:
    looked, _ = looked_at(*BEGUN, *deltas([3, 4]), *deltas([5], **where), *deltas([6, 7]))
    assert looked == 3


@pytest.mark.proves("RUN-same")
def test_numbers_with_gaps_are_kept_for_a_trusted_server() -> None:
    other = event("response.output_item.added", 3, output_index=1, item={**MESSAGE, "id": "msg_2"})
    looked, sent = looked_at(*BEGUN, other, *deltas([4, 5, 8, 9]), trusted=True)
    assert looked == 2
    assert [frame.data["sequence_number"] for frame in sent if frame.type == DELTA] == [4, 5, 8, 9]


@pytest.mark.proves("RUN-same")
def test_a_repeated_progress_event_renumbers_what_goes_on() -> None:
    short = machine(Counting)
    short.feed([*BEGUN, *deltas([3, 4])])
    short.in_progress_again()
    assert [frame.data["sequence_number"] for frame in short.feed(deltas([5, 6, 7]))] == [6, 7, 8]


@pytest.mark.proves("RUN-same")
def test_what_was_never_looked_at_is_in_the_answer() -> None:
    short = repair()
    short.feed([*BEGUN, *deltas(range(3, 100))])
    end = short.abort(StreamTruncated("The stream was cut."))
    (item,) = end[-1].data["response"]["output"]
    assert item["content"][0]["text"] == " word" * 97
    (part,) = of_type(end, "response.content_part.done")
    assert part["part"] == item["content"][0]


@pytest.mark.proves("RUN-bound")
def test_a_bound_is_met_at_the_same_delta() -> None:
    _, sent = looked_at(*BEGUN, *deltas(range(3, 200)), open_item_bytes=300)
    assert sent[-1].type == "response.failed"
    assert len(of_type(sent, DELTA)) < 80


@pytest.mark.proves("RUN-linear")
def test_very_many_deltas_in_one_read() -> None:
    """Of each but the first only the text is kept, and none is looked at again when the item is done."""
    numbers = range(3, 100_003)
    short = machine(Counting, open_item_bytes=64 << 20)
    sent = short.feed([*BEGUN, *deltas(numbers)])
    assert short.unseen == len(numbers) - 1
    assert sum(not isinstance(told, str) for told in short.fold._waiting) == 2
    assert len(sent) == len(numbers) + len(BEGUN)
    end = short.abort(StreamTruncated("The stream was cut."))
    assert output(end)[0]["content"][0]["text"] == " word" * len(numbers)


@pytest.mark.proves("RUN-linear")
def test_a_very_long_text() -> None:
    piece = "x" * (1 << 20)
    short = repair(open_item_bytes=64 << 20)
    short.feed(BEGUN)
    for number in range(3, 35):
        (passed,) = short.feed([event(DELTA, number, **AT, delta=piece)])
        assert passed.data["delta"] == piece
    end = short.abort(StreamTruncated("The stream was cut."))
    assert len(output(end)[0]["content"][0]["text"]) == 32 << 20


@pytest.mark.proves("RUN-same")
@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "not-trusted"])
@pytest.mark.parametrize("name", sorted(CORPUS))
def test_both_ways_say_the_same_of_recorded_streams(name: str, trusted: bool) -> None:
    frames = read(CORPUS[name])
    for cut in range(len(frames) + 1):
        for last in ("abort", "cancel", "again"):
            reads = [frames[:cut]]
            looking = told_by(machine(Looking, trusted=trusted), reads, last)
            assert told_by(machine(Repair, trusted=trusted), reads, last) == looking
