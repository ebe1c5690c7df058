"""The fold: frames of a Responses stream → the finished response (translation §4.2 to §4.4).

Lazy: the frames of an open item wait as bytes, and are parsed only when its done event never comes or lacks its text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gateway.core.events import EVENTS, FIELDS, PARTS, SUMMARY, Channel, Event, Kind
from gateway.core.frames import Frame
from gateway.core.items import empty_part, finished
from gateway.core.response import complete_response
from gateway.errors import UpstreamError

__all__ = ["Draft", "Fold", "complete_response", "joined", "match", "merged", "parsed", "said"]

Json = dict[str, Any]
_Place = tuple[str, int]

_WAITING = frozenset(
    {
        Kind.PART_ADDED,
        Kind.PART_DONE,
        Kind.TEXT_DELTA,
        Kind.TEXT_DONE,
        Kind.ANNOTATION,
        Kind.FIELD_DELTA,
        Kind.FIELD_DONE,
    }
)


class Draft:
    """An item while it is being told: the item itself, its parts, and the pieces of text that belong into them."""

    __slots__ = ("done", "item", "parts", "pieces", "settled")

    def __init__(self, item: Json) -> None:
        self.item = item
        self.done = False
        self.settled = False
        self.parts: dict[_Place, Json] = {}
        self.pieces: dict[_Place, list[str]] = {}

    def part(self, channel: Channel, index: int) -> Json:
        """The part at this place, made when it is new. Ours alone: it may be changed in place."""
        return self.parts.setdefault((channel.places, index), empty_part(channel))

    def say(self, place: _Place, text: str) -> None:
        self.pieces.setdefault(place, []).append(text)

    def text(self, channel: Channel, index: int = 0) -> str:
        return joined(self.pieces.get((channel.places, index), ()))

    def build(self) -> Json:
        """The item with all that was said in it; where the item itself says more, it is believed."""
        item = self.item
        for places in ("content", "summary"):
            parts = [self._built_part(place) for place in sorted(self.parts) if place[0] == places]
            told = item.get(places)
            if parts:
                item = {**item, places: _merged_parts(told if isinstance(told, list) else [], parts)}
        field = FIELDS.get(str(item.get("type")))
        if field is not None and not item.get(field.field) and (text := self.text(field)):
            item = {**item, field.field: text}
        return item

    def _built_part(self, place: _Place) -> Json:
        part = self.parts[place]
        channel = PARTS.get(str(part.get("type")))
        said = joined(self.pieces.get(place, ()))
        if channel is None or not said:
            return part
        return {**part, channel.field: said}


class Fold:
    """Feed it frames; `response()` is what they amount to.

    `open_item_bytes` bounds what waits for done events: frames beyond it are parsed and only their text is kept, and
    text beyond it is an error.
    """

    def __init__(self, *, open_item_bytes: int) -> None:
        self._limit = open_item_bytes
        self._base: Json = {}
        self._drafts: dict[int, Draft] = {}
        self._waiting: list[Frame | str] = []
        self._waiting_bytes = 0
        self._text_bytes = 0
        self._overflowed = False
        # Where the latest frame that was read belongs: a text that waits without a frame goes on there.
        self._telling: tuple[Draft, _Place] | None = None
        self._open = 0
        self._output: list[Any] | None = None

    def feed(self, frames: Iterable[Frame]) -> None:
        """Take note of frames; events that say nothing lasting are ignored.

        Raises UpstreamError when open items hold more than the limit, or a frame that must be read is not JSON.
        """
        for frame in frames:
            self.take(frame)

    def take(self, frame: Frame, size: int | None = None) -> None:
        """Take note of one frame, as `feed` does; `size`: about that of its bytes, where it is known."""
        event = EVENTS.get(frame.type)
        if event is None:
            return
        if event.kind in _WAITING:
            self.keep(frame, len(frame.raw) if size is None else size)
        elif (read := self._READ.get(event.kind)) is not None:
            read(self, parsed(frame))

    def keep(self, told: Frame | str, size: int) -> None:
        """Keep a frame of an open item, unread; `size` is that of its bytes.

        Of a delta that goes on where the one before it ended, the text is enough. Raises UpstreamError as `feed` does.
        """
        self._waiting.append(told)
        self._waiting_bytes += size
        if self._waiting_bytes > self._limit:
            self.read()
            if self._text_bytes > self._limit and not self._overflowed:
                self._overflowed = True  # told once: the items must still be closed
                raise UpstreamError(f"The upstream sent more than {self._limit} bytes in items that it did not finish.")

    def takes(self, size: int) -> bool:
        """Whether so much more can wait."""
        return self._waiting_bytes + size <= self._limit

    def settle(self, index: int, item: Json) -> Json:
        """A done item completed from what was streamed, where the item itself is empty (translation §4.2).

        Whoever asks sends the answer on: its done event is then believed as it is.
        """
        draft = self._drafts.get(index)
        if draft is None:
            return item
        draft.settled = True
        if not _has_gaps(item) or self._summarised(draft, item):
            return item
        self.read()
        told, draft.item = draft.item, item
        built = draft.build()
        draft.item = told
        return built

    def _summarised(self, draft: Draft, item: Json) -> bool:
        """Whether a reasoning item without content is whole: nothing but its summary was told, and it has all of it."""
        summary = _parts(item, "summary")
        if self._open > 1 or draft.parts or not summary or len(summary) < len(item["summary"]):
            return False
        if not all(part.get("text") for part in summary):
            return False
        told = [frame.type for frame in self._waiting if isinstance(frame, Frame)]
        only_summary = all(kind.startswith("response.reasoning_summary") for kind in told)
        return only_summary and told.count(f"{SUMMARY.part_event}.added") <= len(summary)

    def item(self, index: int) -> Json:
        """The item at an output index as told so far, done or not."""
        draft = self._drafts[index]
        if not draft.done:
            self.read()
        return draft.item if draft.done else draft.build()

    def text(self, index: int, channel: Channel, place: int = 0) -> str:
        """What the deltas of one place of an open item amount to so far."""
        self.read()
        return self._drafts[index].text(channel, place)

    def items(self) -> list[Json]:
        """All items in the order of their output index."""
        self.read()
        return [self.item(index) for index in sorted(self._drafts)]

    def base(self) -> Json:
        """The response as the last lifecycle or terminal event told it; its `output` means nothing before the end."""
        return self._base

    def response(self) -> Json:
        """The whole response: what the terminal event said, with the items that were really sent (translation §4.3)."""
        status = str(self._base.get("status") or "in_progress")
        items = merged(self._output or [], self.items())
        settled = "completed" if status == "completed" else "incomplete"
        return {**self._base, "output": [finished(item, settled) for item in items]}

    # events -----------------------------------------------------------------------------------------------------------

    def _on_lifecycle(self, data: Json) -> None:
        response = data.get("response")
        if isinstance(response, dict):
            self._base = response

    def _on_terminal(self, data: Json) -> None:
        self._on_lifecycle(data)
        output = self._base.get("output")
        self._output = output if isinstance(output, list) else []

    def _on_item_added(self, data: Json) -> None:
        index, item = data.get("output_index"), data.get("item")
        if isinstance(index, int) and isinstance(item, dict) and index not in self._drafts:
            self._drafts[index] = Draft(item)
            self._open += 1

    def _on_item_done(self, data: Json) -> None:
        index, item = data.get("output_index"), data.get("item")
        if not isinstance(index, int) or not isinstance(item, dict):
            return
        draft = self._drafts.get(index)
        if draft is None:
            draft = self._drafts[index] = Draft(item)
            self._open += 1
        if not draft.done:
            draft.item = item if draft.settled else self.settle(index, item)
            draft.done = True
            self._open -= 1
        draft.parts, draft.pieces = {}, {}
        if not self._open:
            # Frames of items that are still open stay; those of done items are skipped when they are read.
            self._waiting.clear()
            self._waiting_bytes = self._text_bytes = 0

    _READ: Mapping[Kind, Callable[[Fold, Json], None]] = {
        Kind.LIFECYCLE: _on_lifecycle,
        Kind.TERMINAL: _on_terminal,
        Kind.ITEM_ADDED: _on_item_added,
        Kind.ITEM_DONE: _on_item_done,
    }

    # the frames that waited -------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Parse the frames that wait.

        Raises UpstreamError for one that is not JSON, once all others were read; a second call finds nothing to do.
        """
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        failure: UpstreamError | None = None
        for told in waiting:
            if isinstance(told, str):
                self._say(told)
                continue
            try:
                data = parsed(told)
            except UpstreamError as error:
                failure = failure or error
                continue
            self._tell_draft(EVENTS[told.type], data)
        if failure is not None:
            raise failure

    def _say(self, text: str) -> None:
        """More of the text that is being told."""
        assert self._telling is not None
        draft, place = self._telling
        if not draft.done:
            draft.say(place, text)
            self._text_bytes += len(text)

    def _tell_draft(self, event: Event, data: Json) -> None:
        index = data.get("output_index")
        if not isinstance(index, int):
            return
        draft = self._drafts.get(index)
        if draft is None:
            draft = self._drafts[index] = Draft({"type": event.channel.item if event.channel else "message"})
            self._open += 1
        channel = event.channel
        if channel is not None:
            place = (channel.places, _index(data, channel))
            self._telling = draft, place
            if not draft.done:
                self._tell(draft, event.kind, channel, place, data)
        elif not draft.done:
            _tell_part(draft, event.kind, data)

    def _tell(self, draft: Draft, kind: Kind, channel: Channel, place: _Place, data: Json) -> None:
        if kind is Kind.ANNOTATION:
            annotations = draft.part(channel, place[1]).setdefault("annotations", [])
            annotations.insert(_number(data.get("annotation_index"), len(annotations)), data.get("annotation"))
            return
        if channel.places:
            draft.part(channel, place[1])
        if kind in (Kind.TEXT_DELTA, Kind.FIELD_DELTA):
            text = data.get("delta")
            if isinstance(text, str):
                draft.say(place, text)
                self._text_bytes += len(text)
        elif isinstance(full := data.get(channel.field), str) and full:
            draft.pieces[place] = [full]


def _tell_part(draft: Draft, kind: Kind, data: Json) -> None:
    part = data.get("part")
    channel = PARTS.get(str(part.get("type"))) if isinstance(part, dict) else None
    if channel is None or not isinstance(part, dict):
        return
    place = (channel.places, _index(data, channel))
    if kind is Kind.PART_DONE:
        if isinstance(full := part.get(channel.field), str) and full:
            draft.pieces[place] = [full]
        known = draft.parts.get(place, {})
        part = {**part, "annotations": part.get("annotations") or known.get("annotations")}
    draft.parts[place] = {**empty_part(channel), **{name: value for name, value in part.items() if value is not None}}


def merged(told: list[Any], built: list[Json]) -> list[Json]:
    """The final output: items as they were sent, then what only the terminal event tells (translation §4.3)."""
    unmatched = list(built)
    extra = []
    for item in told:
        if isinstance(item, dict):
            found = match(item, unmatched)
            if found is None:
                extra.append(item)
            else:
                unmatched.remove(found)
    return built + extra


def match(item: Json, others: list[Json]) -> Json | None:
    """The one of `others` that is this item, perhaps under another id: by id, by call id, by what it says."""
    for name in ("id", "call_id"):
        for other in others:
            if item.get(name) and item.get(name) == other.get(name) and item.get("type") == other.get("type"):
                return other
    for other in others:
        if item.get("type") == other.get("type") and said(item) == said(other):
            return other
    return None


def joined(pieces: Iterable[str]) -> str:
    """Text from its deltas; halves of surrogate pairs that servers cut apart are one character again."""
    text = "".join(pieces)
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def parsed(frame: Frame) -> Json:
    """The data of an upstream's frame.

    Raises UpstreamError with code `upstream_bad_event` when it is not a JSON object.
    """
    try:
        return frame.data
    except ValueError as error:
        raise UpstreamError(
            f"The upstream sent an event {frame.type!r} that is not JSON.", code="upstream_bad_event", detail=str(error)
        ) from error


def said(item: Json) -> object:
    """What an item says, whatever its ids: equal for two tellings of one item."""
    field = FIELDS.get(str(item.get("type")))
    if field is not None:
        return item.get("name"), item.get(field.field)
    parts = [part for places in ("content", "summary") for part in _parts(item, places)]
    return item.get("encrypted_content"), [part.get("text") or part.get("refusal") for part in parts]


def _parts(item: Json, places: str) -> list[Json]:
    parts = item.get(places)
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _has_gaps(item: Json) -> bool:
    """Whether a done item lacks text that its deltas may have told."""
    kind = str(item.get("type"))
    if kind in FIELDS:
        return not item.get(FIELDS[kind].field)
    if kind == "reasoning":
        return not item.get("summary") or not item.get("content")
    parts = _parts(item, "content")
    return kind == "message" and (not parts or any(not (part.get("text") or part.get("refusal")) for part in parts))


def _merged_parts(told: list[Any], built: list[Json]) -> list[Any]:
    """Part by part: what the item tells, or what was streamed where it tells nothing."""
    merged_parts = [
        part if isinstance(part, dict) and (part.get("text") or part.get("refusal")) else built[place]
        for place, part in enumerate(told[: len(built)])
    ]
    return merged_parts + told[len(built) :] + built[len(told) :]


def _index(data: Json, channel: Channel) -> int:
    return _number(data.get(channel.position), 0) if channel.position else 0


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) else default
