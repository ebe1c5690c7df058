"""The events of our own that bring a part or an item to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gateway.core.events import FIELDS, Channel
from gateway.core.items import complete_part, empty_part
from gateway.core.repair.tracks import Part, Track, part_channel

Json = dict[str, Any]


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


def part_done(track: Track, channel: Channel, place: int, part: Json) -> Json:
    return {"type": f"{channel.part_event}.done", **address(track, channel, place), "part": complete_part(part)}


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
        part = parts[place] if place < len(parts) and isinstance(parts[place], dict) else None
        if place == len(known):
            channel = _new_channel(track, name, part)
            if channel is None:
                return  # a part nobody knows how to stream: its followers would be out of order
            known.append(Part(channel))
            yield part_added(track, channel, place)
        state = known[place]
        if not state.open:
            continue
        if state.channel is None:
            yield {
                "type": "response.content_part.done",
                "item_id": track.id,
                "output_index": track.index,
                "content_index": place,
                "part": part or state.source,
            }
        else:
            part = part or {"type": state.channel.part, state.channel.field: streamed(state.channel, place)}
            yield from rest_of_part(track, state.channel, place, part)
            yield part_done(track, state.channel, place, part)
        state.open = False


def _new_channel(track: Track, name: str, part: Json | None) -> Channel | None:
    """The channel of a part that only the done item brings."""
    channel = part_channel({"part": part})
    return channel if channel is not None and channel.places == name and track.takes(channel) else None
