"""What a client has been told of each item so far, and the events it still needs to hear."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gateway.core.events import FIELDS, PARTS, Channel, Event, Kind
from gateway.core.frames import Frame
from gateway.core.items import complete_part, empty_part

Json = dict[str, Any]

MOST_PARTS = 4096
"""A part index beyond this is a broken server, not a message."""


class Part:
    """A part of an item: `said` once a delta went out, `told` once its text is whole, `open` until its done event."""

    __slots__ = ("channel", "open", "said", "told")

    def __init__(self, channel: Channel | None) -> None:
        self.channel = channel
        self.said = self.told = False
        self.open = True


class Track:
    """An item on its way to the client.

    `source_id` and `source_call_id` are the upstream's, `id`, `call_id` and `index` the client's. `held` keeps the
    frames of a call that cannot be shown yet; None once it is shown.
    """

    __slots__ = (
        "call_id",
        "held",
        "held_bytes",
        "id",
        "index",
        "kind",
        "open",
        "parts",
        "said",
        "source",
        "source_call_id",
        "source_id",
        "told",
    )

    def __init__(self, source: Json) -> None:
        self.source = source
        self.kind = str(source.get("type") or "")
        self.source_id = source.get("id")
        self.source_call_id = source.get("call_id")
        self.index = -1
        self.id = ""
        self.call_id: str | None = None
        self.open = True
        self.said = self.told = False
        self.held: list[Frame] | None = None
        self.held_bytes = 0
        self.parts: dict[str, list[Part]] = {}

    def places(self, name: str) -> list[Part]:
        return self.parts.setdefault(name, [])

    def takes(self, channel: Channel) -> bool:
        """Whether such text can belong to this item; an item of a type we do not know may hold anything."""
        if self.kind in ("message", "reasoning") or self.kind in FIELDS:
            return channel.item == self.kind
        return True

    def note(self, event: Event, data: Json) -> None:
        """Remember an event that went to the client as it was."""
        channel = event.channel
        if event.kind is Kind.PART_ADDED:
            channel = part_channel(data)
            self.places(channel.places if channel else "content").append(Part(channel))
        elif event.kind is Kind.FIELD_DELTA:
            self.said = True
        elif event.kind is Kind.FIELD_DONE:
            self.told = True
        elif (parts := self._latest(event, data)) is not None:
            parts.said |= event.kind is Kind.TEXT_DELTA
            parts.told |= event.kind is Kind.TEXT_DONE
            parts.open &= event.kind is not Kind.PART_DONE

    def _latest(self, event: Event, data: Json) -> Part | None:
        channel = event.channel or part_channel(data)
        parts = self.parts.get(channel.places if channel else "content")
        return parts[-1] if parts else None


def part_channel(data: Json) -> Channel | None:
    """Where the text of the part in a part event goes; None for a part type we do not know."""
    part = data.get("part")
    return PARTS.get(str(part.get("type"))) if isinstance(part, dict) else None


def address(track: Track, channel: Channel, place: int) -> Json:
    """The fields by which an event names its place."""
    where: Json = {"item_id": track.id, "output_index": track.index}
    if channel.position:
        where[channel.position] = place
    return where


def part_added(track: Track, channel: Channel, place: int) -> Json:
    return {
        "type": f"{channel.part_event}.added",
        **address(track, channel, place),
        "part": empty_part(channel),
    }


def said_event(track: Track, channel: Channel, place: int, text: str) -> Json:
    """One delta with the whole text."""
    extra: Json = {"logprobs": []} if channel.part == "output_text" else {}
    return {"type": f"{channel.event}.delta", **address(track, channel, place), "delta": text, **extra}


def told_event(track: Track, channel: Channel, place: int, text: str) -> Json:
    extra: Json = {"logprobs": []} if channel.part == "output_text" else {}
    if channel.item == "function_call" and track.source.get("name"):
        extra = {"name": track.source["name"]}
    return {"type": f"{channel.event}.done", **address(track, channel, place), channel.field: text, **extra}


def rest_of_part(track: Track, channel: Channel, place: int, part: Json) -> Iterator[Json]:
    """The events that bring a part from where it is to its end, its own done event left out."""
    state = track.places(channel.places)[place]
    text = part.get(channel.field) or ""
    if text and not state.said:
        yield said_event(track, channel, place, text)
    if not state.told:
        yield told_event(track, channel, place, text)
    state.said = state.told = True


def rest_of_item(track: Track, item: Json, streamed: Callable[[Channel, int], str]) -> Iterator[Json]:
    """The events that a client still needs before the done event of `item`.

    `streamed` gives the text that went out for a place which the done item does not have.
    """
    for name in ("summary", "content"):
        parts = item.get(name)
        yield from _rest_of_parts(track, name, parts if isinstance(parts, list) else [], streamed)
    field = FIELDS.get(track.kind)
    if field is not None and isinstance(text := item.get(field.field), str):
        if text and not track.said:
            yield said_event(track, field, 0, text)
        if not track.told:
            yield told_event(track, field, 0, text)
        track.said = track.told = True


def _rest_of_parts(
    track: Track, name: str, parts: list[Any], streamed: Callable[[Channel, int], str]
) -> Iterator[Json]:
    known = track.places(name)
    for place in range(max(len(parts), len(known))):
        part = parts[place] if place < len(parts) else None
        channel = _channel_at(track, name, place, part)
        if channel is None:
            if place >= len(known):
                return  # a part nobody knows how to stream: its followers would be out of order
            continue
        if place >= len(known):
            known.append(Part(channel))
            yield part_added(track, channel, place)
        if not known[place].open:
            continue
        if part is None:
            part = {"type": channel.part, channel.field: streamed(channel, place)}
        yield from rest_of_part(track, channel, place, part)
        known[place].open = False
        yield {"type": f"{channel.part_event}.done", **address(track, channel, place), "part": complete_part(part)}


def _channel_at(track: Track, name: str, place: int, part: Any) -> Channel | None:
    """The channel of an open part, or of one that the done item brings."""
    known = track.places(name)
    if place < len(known):
        return known[place].channel
    channel = PARTS.get(str(part.get("type"))) if isinstance(part, dict) else None
    return channel if channel is not None and channel.places == name and track.takes(channel) else None
