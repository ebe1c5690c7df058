"""What every stream we send to a Responses client must be (translation appendix A), as one check."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.core.events import EVENTS, Kind
from gateway.core.frames import DONE, Frame
from gateway.core.items import CALLS
from gateway.wire.sse import SSEReader

Json = dict[str, Any]

_PARTS = (Kind.TEXT_DELTA, Kind.TEXT_DONE, Kind.ANNOTATION)
_OUTSIDE = (Kind.LIFECYCLE, Kind.LOOSE, Kind.ERROR)


def read(data: bytes) -> list[Frame]:
    """All frames of a transcript."""
    reader = SSEReader(1 << 30)
    return reader.feed(data) + reader.finish()


def check_response_stream(stream: Iterable[Frame] | bytes, *, done_mark: bool = False) -> list[Json]:
    """Assert the invariants; returns the events. `done_mark`: the stream must end with `[DONE]`."""
    frames = read(stream) if isinstance(stream, bytes) else list(stream)
    if done_mark:
        assert frames[-1].type == DONE
        frames.pop()
    events = [frame.data for frame in frames]
    for frame in frames:
        assert frame.raw.endswith(b"\n\n")
        assert frame.data["type"] == frame.type, "the data must say its type"
    assert [event.get("sequence_number") for event in events] == list(range(len(events)))
    first = events[0]
    assert first["type"] == "response.created"
    assert first["response"]["output"] == []
    responses = [event["response"] for event in events if "response" in event]
    assert len({response["id"] for response in responses}) == 1
    assert [event["type"] for event in events].count("response.created") == 1
    _check_items(events)
    return events


def _check_items(events: list[Json]) -> None:
    items: dict[int, Json] = {}
    parts: dict[tuple[int, str, int], bool] = {}
    done: dict[int, Json] = {}
    terminal: Json | None = None
    for event in events:
        assert terminal is None, f"{event['type']} after the terminal event"
        kind = EVENTS[event["type"]].kind
        index = event.get("output_index")
        if kind is Kind.ITEM_ADDED:
            assert index == len(items), "output_index must be dense, first used by added"
            items[index] = event["item"]
        elif kind is Kind.ITEM_DONE:
            assert index in items and index not in done
            assert event["item"]["id"] == items[index]["id"]
            if event["item"]["type"] in CALLS:
                assert event["item"]["call_id"] == items[index]["call_id"]
            assert not [place for place, is_open in parts.items() if place[0] == index and is_open]
            done[index] = event["item"]
        elif kind is Kind.TERMINAL:
            terminal = event["response"]
        elif kind not in _OUTSIDE:
            assert index in items and index not in done, f"{event['type']} outside of its item"
            assert event.get("item_id", items[index]["id"]) == items[index]["id"]
            _check_part(event, kind, index, parts)
    assert terminal is not None, "no terminal event"
    assert set(items) == set(done), "each added item has a done"
    assert terminal["output"] == [done[index] for index in sorted(done)]
    identities = [item["id"] for item in items.values()]
    assert all(identities) and len(set(identities)) == len(identities)
    calls = [item["call_id"] for item in items.values() if item["type"] in CALLS]
    assert all(calls) and len(set(calls)) == len(calls)


def _check_part(event: Json, kind: Kind, index: int, parts: dict[tuple[int, str, int], bool]) -> None:
    name = "summary_index" if "reasoning_summary" in event["type"] else "content_index"
    if kind is Kind.PART_ADDED:
        place = (index, name, event[name])
        assert place not in parts
        assert event[name] == sum(known[:2] == place[:2] for known in parts), "part indexes must be dense"
        parts[place] = True
    elif kind is Kind.PART_DONE or kind in _PARTS:
        assert parts[(index, name, event[name])], f"{event['type']} outside of its part"
        parts[(index, name, event[name])] = kind is not Kind.PART_DONE
