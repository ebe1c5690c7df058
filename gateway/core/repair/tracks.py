"""What a client has been told of each item so far, and the events it still needs to hear."""

from __future__ import annotations

from typing import Any

from gateway.core.events import FIELDS, PARTS, SUMMARY, Channel, Event, Kind
from gateway.core.frames import Frame
from gateway.core.items import kind_of

Json = dict[str, Any]

MOST_MISSING = 16
"""So many parts before an announced one can be made up for; a larger gap is a broken server."""


class Part:
    """A part of an item: `said` once a delta went out, `told` once its text is whole, `open` until its done event.

    A part of a type we do not know has no channel, and `source` is all that is known of it.
    """

    __slots__ = ("channel", "open", "said", "source", "told")

    def __init__(self, channel: Channel | None, source: Json | None = None) -> None:
        self.channel = channel
        self.source = source
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
        self.kind = kind_of(source)
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
            self.places(channel.places if channel else "content").append(Part(channel, data.get("part")))
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
    if not isinstance(part, dict):
        return None
    if str(data.get("type")).startswith(SUMMARY.part_event):
        return SUMMARY  # whatever the part calls itself: summaries have no other
    return PARTS.get(str(part.get("type")))
