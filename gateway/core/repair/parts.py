"""What happens inside an item: its parts, its text, its arguments."""

from __future__ import annotations

from typing import Any

from gateway.core.events import TEXT, Channel, Event
from gateway.core.frames import Frame
from gateway.core.items import changed, complete_part
from gateway.core.repair.closing import address, part_added, rest_of_part, said_event
from gateway.core.repair.items import ItemRepair
from gateway.core.repair.run import Run
from gateway.core.repair.tracks import MOST_MISSING, Part, Track, part_channel

Json = dict[str, Any]


class PartRepair(ItemRepair):
    """Events inside items go out under the item's names; those that others depend on are made when they are missing."""

    def _part(self, track: Track, channel: Channel | None, data: Json) -> tuple[Part, int] | None:
        """The open part an event belongs to, announced first when it was not; None when there can be none."""
        parts = track.places(channel.places if channel else "content")
        place = data.get(channel.position if channel else "content_index")
        if not isinstance(place, int):
            place = max(0, len(parts) - 1)
        if not 0 <= place < len(parts) + (MOST_MISSING if channel else 0):
            return None
        while channel is not None and len(parts) <= place:
            self._make(part_added(track, channel, len(parts)))
            parts.append(Part(channel))
        part = parts[place]
        return (part, place) if part.open and part.channel is channel else None

    def _pass_on(self, frame: Frame, where: Json, changes: Json | None = None) -> None:
        """Send an event of an item under the item's own names (`where`), with other changes."""
        data = changed(frame.data, where)
        if data is not frame.data:
            self._soil()
        self._pass(frame, changed(data, changes) if changes else data)

    def _pass_delta(self, frame: Frame, channel: Channel, where: Json) -> None:
        self._pass_on(frame, where)
        self._run = Run(frame, channel, where)

    def _on_part_added(self, frame: Frame, event: Event) -> None:
        channel = part_channel(frame.data)
        track = self._owner(frame, event, channel)
        if track is None:
            return
        part = frame.data.get("part")
        parts = track.places(channel.places if channel else "content")
        name = channel.position if channel else "content_index"
        place = frame.data.get(name)
        if not isinstance(place, int):
            place = len(parts)
        if not isinstance(part, dict) or not len(parts) <= place < len(parts) + MOST_MISSING:
            self._drop(frame)
            return
        while len(parts) < place:
            self._make(part_added(track, channel or TEXT, len(parts)))
            parts.append(Part(channel or TEXT))
        parts.append(Part(channel, part))
        if channel is not None:
            part = complete_part(changed(part, {"type": channel.part, channel.field: ""}))
        where = {"item_id": track.id, "output_index": track.index, name: place}
        self._pass_on(frame, where, {"part": part})

    def _on_text_delta(self, frame: Frame, event: Event) -> None:
        channel = _channel(event)
        track = self._owner(frame, event, channel)
        if track is None:
            return
        found = self._part(track, channel, frame.data)
        if found is None or found[0].told or not isinstance(frame.data.get("delta"), str):
            self._drop(frame)
            return
        found[0].said = True
        self._pass_delta(frame, channel, address(track, channel, found[1]))

    def _on_text_done(self, frame: Frame, event: Event) -> None:
        channel = _channel(event)
        track = self._owner(frame, event, channel)
        if track is None:
            return
        found = self._part(track, channel, frame.data)
        if found is None or found[0].told:
            self._drop(frame)
            return
        part, place = found
        text = self._full_text(frame, track, channel, place)
        if text and not part.said:
            self._make(said_event(track, channel, place, text))
        part.said = part.told = True
        self._pass_on(frame, address(track, channel, place), {channel.field: text})

    def _on_part_done(self, frame: Frame, event: Event) -> None:
        channel = part_channel(frame.data)
        track = self._owner(frame, event, channel)
        if track is None:
            return
        found = self._part(track, channel, frame.data)
        whole = frame.data.get("part")
        if found is None or not isinstance(whole, dict):
            self._drop(frame)
            return
        part, place = found
        part.open = False
        if channel is None:
            where = {"item_id": track.id, "output_index": track.index, "content_index": place}
            self._pass_on(frame, where)
            return
        whole = changed(whole, {"type": channel.part})
        if not whole.get(channel.field) and (streamed := self.fold.text(track.index, channel, place)):
            whole = {**whole, channel.field: streamed}
        for data in rest_of_part(track, channel, place, whole):
            self._make(data)
        self._pass_on(frame, address(track, channel, place), {"part": complete_part(whole)})

    def _on_annotation(self, frame: Frame, event: Event) -> None:
        channel = _channel(event)
        track = self._owner(frame, event, channel)
        if track is None:
            return
        found = self._part(track, channel, frame.data)
        if found is None:
            self._drop(frame)
            return
        self._pass_on(frame, address(track, channel, found[1]))

    def _on_field_delta(self, frame: Frame, event: Event) -> None:
        channel = _channel(event)
        track = self._owner(frame, event, channel)
        if track is None:
            return
        if track.told or not isinstance(frame.data.get("delta"), str):
            self._drop(frame)
            return
        track.said = True
        self._pass_delta(frame, channel, address(track, channel, 0))

    def _on_field_done(self, frame: Frame, event: Event) -> None:
        channel = _channel(event)
        track = self._owner(frame, event, channel)
        if track is None:
            return
        if track.told:
            self._drop(frame)
            return
        text = self._full_text(frame, track, channel, 0)
        if text and not track.said:
            self._make(said_event(track, channel, 0, text))
        track.said = track.told = True
        self._pass_on(frame, address(track, channel, 0), {channel.field: text})

    def _full_text(self, frame: Frame, track: Track, channel: Channel, place: int) -> str:
        told = frame.data.get(channel.field)
        return told if isinstance(told, str) and told else self.fold.text(track.index, channel, place)

    def _on_progress(self, frame: Frame, event: Event) -> None:
        track = self._owner(frame, event, None)
        if track is not None:
            where: Json = {"output_index": track.index}
            if "item_id" in frame.data:
                where["item_id"] = track.id
            self._pass_on(frame, where)


def _channel(event: Event) -> Channel:
    assert event.channel is not None
    return event.channel
