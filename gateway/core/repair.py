"""Frames from an upstream → a stream that every client accepts (translation §4.1, appendix A).

Fold first, emit from what the fold knows. A clean stream passes as the very same frames. From the first repair that
touches numbers or ids on, the stream is `dirty`: every frame is read, and its number, index and ids are ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gateway.core import ids, usage
from gateway.core.events import EVENTS, QUIET, RENAMED, TERMINALS, Channel, Event, Kind
from gateway.core.failures import error_of, merge_errors
from gateway.core.fold import Fold, parsed, said
from gateway.core.frames import DONE, Frame
from gateway.core.items import CALLS, NAMED_CALLS, changed, complete_part, finished, started
from gateway.core.tracks import (
    MOST_PARTS,
    Part,
    Track,
    address,
    part_added,
    part_channel,
    rest_of_item,
    rest_of_part,
    said_event,
)
from gateway.core.trust import CHECKED, FULL, IDLE, ITEM, State
from gateway.errors import GatewayError, StreamTruncated, UpstreamError

Json = dict[str, Any]


class Repair:
    """Feed it an upstream's frames, pass on what it returns.

    `seed` makes ids that are not the upstream's. `created` (Unix seconds) and `model` are used where the upstream tells
    none. `trusted`: deltas are not looked at while the stream around them is in order. `open_item_bytes`: see `Fold`.
    """

    def __init__(self, seed: str, *, created: int, model: str, trusted: bool, open_item_bytes: int) -> None:
        self.fold = Fold(open_item_bytes=open_item_bytes)
        self.terminal: Frame | None = None
        """The completed, incomplete or failed frame, once it went out; everything after it is ignored."""
        self.error: Json | None = None
        """What failed, in full, when `terminal` is a failure: give it to `core.failures.failure`."""
        self.dropped: Counter[str] = Counter()
        """Events that are not for clients, by type."""
        self._seed = seed
        self._created_at: float = created
        self._model = model
        self._trusted = trusted
        self._limit = open_item_bytes
        self._response_id = ""
        self._begun = False
        self._dirty = False
        self._next = 0
        self._state: State = IDLE if trusted else CHECKED
        self._shape: list[Frame] = []
        self._tracks: dict[object, Track] = {}
        self._by_id: dict[str, Track] = {}
        self._ids: set[str] = set()
        self._call_ids: set[str] = set()
        self._shown: list[Track] = []
        self._pending_error: Json | None = None
        self._out: list[Frame] = []

    @property
    def finished(self) -> bool:
        """The terminal frame went out."""
        return self.terminal is not None

    def feed(self, frames: Iterable[Frame]) -> list[Frame]:
        """The frames for the client; a failure of the upstream's stream is told in them, never raised."""
        out = self._out = []
        for frame in frames:
            following = self._state.get(frame.type)
            try:
                if following is None:
                    if self.terminal is None:
                        self._look_at(frame)
                elif following is self._state or self._follow(frame, following):
                    self.fold.keep(frame)
                    self._next += 1
                    out.append(frame)
            except UpstreamError as error:
                self._fail(error.error_object())
        return out

    def abort(self, error: GatewayError) -> list[Frame]:
        """End the stream as failed: open items closed as incomplete, an `error` frame, `response.failed`.

        Nothing when it has ended already.
        """
        self._out = []
        if self.terminal is None:
            told = error.error_object()
            if isinstance(error, StreamTruncated):
                told = self._pending_error or {**told, "code": "stream_incomplete"}
            self._fail(told)
        return self._out

    def in_progress_again(self) -> list[Frame]:
        """A repeated `response.in_progress`, for clients that take long silence for death; what follows is renumbered."""
        self._out = []
        if self._begun and self.terminal is None:
            self._make({"type": "response.in_progress", "response": {**self.fold.base(), "output": []}})
        return self._out

    # trust ------------------------------------------------------------------------------------------------------------

    def _follow(self, frame: Frame, following: State) -> bool:
        """Whether the frame can pass unread; a frame that keeps the state was already judged by the one before it."""
        if not frame.typed:
            self._look_at(frame)
            return False
        self._shape.append(frame)
        self._state = following
        return True

    def _distrust(self) -> None:
        """From here on look at everything: catch up on what passed unread."""
        shape, self._shape = self._shape, []
        if self._state is CHECKED:
            return
        self._state = CHECKED
        for frame in shape:
            self._shown[-1].note(EVENTS[frame.type], parsed(frame))

    def _soil(self) -> None:
        """Numbers, indexes or ids are no longer the upstream's."""
        if not self._dirty:
            self._distrust()
            self._dirty = True

    def _retrust(self) -> None:
        """Once nothing is open, a clean stream of a trusted server is believed again."""
        if self._trusted and not self._dirty and not any(track.open for track in self._shown):
            self._shape.clear()
            self._state = IDLE

    # one frame --------------------------------------------------------------------------------------------------------

    def _look_at(self, frame: Frame) -> None:
        event = EVENTS.get(frame.type)
        if event is None:
            self._unknown(frame)
            return
        try:
            frame.data  # noqa: B018  # read here, so that no handler meets a frame it cannot read
        except ValueError:
            self._unreadable(frame, event)
            return
        self._HANDLERS[event.kind](self, frame, event)

    def _unknown(self, frame: Frame) -> None:
        if frame.type == DONE:
            return
        if not frame.type and error_of(_data(frame)) is not None:
            self._on_error(frame, EVENTS["error"])
        else:
            self._drop(frame)

    def _unreadable(self, frame: Frame, event: Event) -> None:
        """Proxies cut large lifecycle events; the stream goes on without them. A cut delta cannot be made up for."""
        if event.kind is Kind.TERMINAL:
            self._on_terminal(Frame.of({"type": frame.type}), event)
        elif event.kind in (Kind.LIFECYCLE, Kind.PROGRESS, Kind.LOOSE):
            self._drop(frame)
        else:
            parsed(frame)

    def _drop(self, frame: Frame) -> None:
        if frame.type not in QUIET and not frame.type.startswith("codex."):
            self.dropped[frame.type] += 1
        if "sequence_number" in _data(frame, {"sequence_number": None}):
            self._soil()

    def _pass(self, frame: Frame, data: Json) -> None:
        """Send a frame, as it is when `data` is still its own and its number is right."""
        number = data.get("sequence_number")
        if number != self._next:
            if self._trusted and not self._dirty and isinstance(number, int) and 0 < self._next < number:
                self._next = number  # deltas that nobody looked at were numbered with a gap
            else:
                self._soil()
        if self._dirty:
            data = changed(data, {"sequence_number": self._next})
        if data is not frame.data or not frame.typed:
            frame = Frame.of({"type": frame.type, **data})
        self._push(frame)

    def _make(self, data: Json) -> None:
        """Send an event of our own."""
        self._soil()
        self._push(Frame.of({"type": data["type"], "sequence_number": self._next, **data}))

    def _push(self, frame: Frame) -> None:
        self._next += 1
        self._out.append(frame)
        self.fold.feed((frame,))

    # lifecycle --------------------------------------------------------------------------------------------------------

    def _begin(self, response: Json) -> None:
        """Make sure that `response.created` went out first; `response` is the earliest one known."""
        if not self._begun:
            self._begun = True
            shown = self._public(response, "in_progress", [])
            for name in ("response.created", "response.in_progress"):
                self._make({"type": name, "response": shown})

    def _public(self, response: Json, status: str, output: list[Json]) -> Json:
        """The response object under the one id of this stream."""
        if not self._response_id:
            told = response.get("id")
            self._response_id = told if ids.valid_id(told) else ids.derive("resp", self._seed)
        changes: Json = {"id": self._response_id, "status": status, "output": output, "object": "response"}
        if not isinstance(response.get("created_at"), int | float):
            changes["created_at"] = self._created_at
        if not isinstance(response.get("model"), str):
            changes["model"] = self._model
        if "id" in response and response["id"] != self._response_id:
            self._soil()
        return changed(response, changes)

    def _on_lifecycle(self, frame: Frame, event: Event) -> None:
        response = _object(frame.data, "response")
        first = not self._begun
        if first and frame.type == "response.created":
            self._begun = True
        elif frame.type == "response.created":
            self._drop(frame)
            return
        elif first:
            self._begin(response)
            if frame.type == "response.in_progress":
                return
        told = response.get("status")
        status = told if told in ("queued", "in_progress") else "in_progress"
        shown = self._public(response, status, [])
        self._created_at, self._model = shown["created_at"], shown["model"]
        self._pass(frame, changed(frame.data, {"response": shown}))

    def _on_terminal(self, frame: Frame, event: Event) -> None:
        self._distrust()
        response = _object(frame.data, "response")
        status = response.get("status")
        if status not in TERMINALS:
            status = frame.type.removeprefix("response.")
        self._begin({**response, "error": None, "incomplete_details": None, "usage": None})
        told = response.get("output")
        self._end_items(told if isinstance(told, list) else [], "completed" if status == "completed" else "incomplete")
        shown = self._public(response, status, self.fold.items())
        if not usage.sound(shown.get("usage")):
            shown = {**shown, "usage": usage.complete(shown.get("usage"))}
        if _object(shown, "incomplete_details").get("reason") == "max_tokens":
            shown = {**shown, "incomplete_details": {**shown["incomplete_details"], "reason": "max_output_tokens"}}
        if status == "failed":
            shown = self._failed(shown)
        self._pass(frame, changed(frame.data, {"type": TERMINALS[status], "response": shown}))
        self.terminal = self._out[-1]

    def _failed(self, shown: Json) -> Json:
        """The failed response with an error in it; an `error` event that came before it goes out first."""
        self.error = merge_errors(shown.get("error"), self._pending_error)
        if self._pending_error is not None:
            self._make(_error_event(self.error))
        return changed(
            shown, {"error": self.error if self._pending_error or not shown.get("error") else shown["error"]}
        )

    def _on_error(self, frame: Frame, event: Event) -> None:
        """A failure without details waits for the `response.failed` that may tell them; any other one ends the stream."""
        told = error_of(frame.data) or {}
        merged = merge_errors(told, self._pending_error)
        if merged["code"] == "server_error":
            self._pending_error = merged
            self._soil()
        else:
            self._fail(merged)

    def _fail(self, error: Json) -> None:
        try:
            self.fold.read()
        except UpstreamError:
            pass  # what could not be read is lost; the rest of the items can still be closed
        self.error = merge_errors(error, self._pending_error)
        self._begin({})
        self._end_items([], "incomplete")
        self._make(_error_event(self.error))
        base = {name: value for name, value in self.fold.base().items() if name != "completed_at"}
        shown = self._public(base, "failed", self.fold.items())
        error = {"code": self.error["code"], "message": self.error["message"]}
        self._make({"type": "response.failed", "response": {**shown, "error": error}})
        self.terminal = self._out[-1]

    def _on_renamed(self, frame: Frame, event: Event) -> None:
        data = {**frame.data, "type": RENAMED[frame.type]}
        if "reasoning_part" in frame.type:
            data["part"] = {**_object(data, "part"), "type": "reasoning_text"}
        self._look_at(Frame.of(data))

    def _on_loose(self, frame: Frame, event: Event) -> None:
        self._begin({})
        self._pass(frame, frame.data)

    # items ------------------------------------------------------------------------------------------------------------

    def _on_item_added(self, frame: Frame, event: Event) -> None:
        item = frame.data.get("item")
        if not isinstance(item, dict):
            self._drop(frame)
            return
        self._begin({})
        key = self._key(frame.data, item)
        known = self._tracks.get(key)
        if known is not None:
            if known.source_id == item.get("id") and (known.open or known.source_id):
                self._drop(frame)  # told twice
                return
            if known.open:
                self._end_item(known, None, "completed")  # one index for several items
        track = self._tracks[key] = Track(item)
        if track.kind in NAMED_CALLS and not (item.get("name") and item.get("call_id")):
            track.held = []
            self._soil()
        else:
            self._show(track, item, frame)

    def _on_item_done(self, frame: Frame, event: Event) -> None:
        item = frame.data.get("item")
        if not isinstance(item, dict):
            self._drop(frame)
            return
        self._begin({})
        trusted = self._state is FULL
        if not trusted:
            self._distrust()
        key = self._key(frame.data, item)
        track = self._tracks.get(key)
        if track is not None and not track.open:
            if track.source_id == item.get("id"):
                self._drop(frame)
                return
            track = None
        if track is None:
            track = self._tracks[key] = Track(item)
        self._end_item(track, item, "completed", frame, trusted=trusted)
        self._retrust()

    def _key(self, data: Json, item: Json) -> object:
        """What the upstream knows an item by: its output index, or its id where there is none."""
        index = data.get("output_index")
        if isinstance(index, int):
            return index
        source = item.get("id") or item.get("call_id")
        if isinstance(source, str):
            return self._key_of(source) or source
        return len(self._tracks)

    def _key_of(self, source: str) -> object:
        track = self._by_id.get(source)
        return next((key for key, known in self._tracks.items() if known is track), None) if track else None

    def _show(self, track: Track, item: Json, frame: Frame | None = None) -> None:
        """Send the `added` event of an item."""
        if any(other.open for other in self._shown):
            self._distrust()  # two open items: their events may alternate
        track.held = None
        track.index = len(self._shown)
        track.source = item
        if isinstance(track.source_id, str):
            self._by_id.setdefault(track.source_id, track)
        self._name(track, item)
        shown = self._named(track, item)
        if shown is not item:
            self._soil()
        data = {"type": "response.output_item.added", "output_index": track.index, "item": started(shown)}
        self._shown.append(track)
        if frame is None:
            self._make(data)
            return
        if frame.data.get("output_index") != track.index:
            self._soil()
        self._pass(frame, changed(frame.data, data))
        if self._state is IDLE:
            self._state = ITEM

    def _name(self, track: Track, item: Json) -> None:
        """Settle the ids an item has towards the client."""
        told = item.get("id")
        if ids.valid_item_id(track.kind, told) and told not in self._ids:
            track.id = str(told)
        else:
            track.id = ids.derive(ids.item_prefix(track.kind), self._seed, track.index)
        self._ids.add(track.id)
        if track.kind not in CALLS:
            return
        call_id = item.get("call_id")
        if not isinstance(call_id, str) or not call_id or call_id in self._call_ids:
            call_id = ids.derive("call", self._seed, track.index)
        self._call_ids.add(call_id)
        track.call_id = call_id

    def _named(self, track: Track, item: Json) -> Json:
        names: Json = {"id": track.id}
        if track.call_id is not None:
            names["call_id"] = track.call_id
        return changed(item, names)

    def _end_item(
        self, track: Track, item: Json | None, status: str, frame: Frame | None = None, *, trusted: bool = False
    ) -> None:
        """Send what is missing of an item, then its done event. `item` is what the upstream says it is, if it does."""
        if track.index < 0:
            self._release(track, {**track.source, **(item or {})})
        told = {**track.source, "status": None} if item is None else item
        whole = self.fold.settle(track.index, told)
        named = self._named(track, whole)
        if named is not whole:
            self._soil()
        done = finished(named, status)
        if not trusted:
            for data in rest_of_item(track, done, lambda channel, place: self.fold.text(track.index, channel, place)):
                self._make(data)
        track.open = False
        data = {"type": "response.output_item.done", "output_index": track.index, "item": done}
        if frame is None:
            self._make(data)
        else:
            self._pass(frame, changed(frame.data, data))

    def _release(self, track: Track, item: Json) -> None:
        """Show an item that was held back, or never announced, and all that was said in it."""
        held, track.held = track.held or [], None
        track.source_id = track.source_id or item.get("id")
        self._show(track, item)
        for frame in held:
            self._look_at(frame)

    def _end_items(self, told: Sequence[Any], status: str) -> None:
        """Before the terminal event: close what is open, and add what only the terminal's own list tells."""
        tracks = list(self._tracks.values())
        unmatched = [*self._shown, *(track for track in tracks if track.held is not None)]
        fresh = []
        for item in told:
            if not isinstance(item, dict):
                continue
            track = self._match(item, unmatched)
            if track is None:
                fresh.append(item)
                continue
            unmatched.remove(track)
            if track.open:
                self._end_item(track, item, status)
        for track in unmatched:
            if track.held is not None and not track.source.get("name"):
                track.open = False
                self.dropped["unnamed call"] += 1  # nothing was ever told that a client could act on
            elif track.open:
                self._end_item(track, None, status)
        for item in fresh:
            self._end_item(Track(item), item, status)

    def _match(self, item: Json, tracks: list[Track]) -> Track | None:
        """The item of the stream that this one of the terminal's list repeats (translation §4.3)."""
        same = [track for track in tracks if track.kind == item.get("type")]
        for track in same:
            if item.get("id") and item["id"] in (track.source_id, track.id):
                return track
        for track in same:
            if item.get("call_id") and item["call_id"] == track.source_call_id:
                return track
        for track in same:
            if track.open or said(item) == said(self.fold.item(track.index)):
                return track
        return None

    # inside an item ---------------------------------------------------------------------------------------------------

    def _find(self, data: Json) -> Track | None:
        index, item_id = data.get("output_index"), data.get("item_id")
        track = self._tracks.get(index) if isinstance(index, int) else None
        if track is None and isinstance(item_id, str):
            track = self._by_id.get(item_id)
        if track is None and not isinstance(index, int) and self._shown:
            track = self._shown[-1]
        return track

    def _owner(self, frame: Frame, event: Event, channel: Channel | None) -> Track | None:
        """The open item an event belongs to, made when it was never announced; None when the event is to go no further."""
        self._begin({})
        self._distrust()
        track = self._find(frame.data)
        if track is None and channel is not None:
            track = self._tracks[self._key(frame.data, {"id": frame.data.get("item_id")})] = Track(
                {"type": channel.item, "id": frame.data.get("item_id")}
            )
            if channel.item in ("message", "reasoning"):
                self._show(track, track.source)
            else:
                track.held = []
        if track is not None and track.held is not None:
            self._hold(track, frame)
            return None
        if track is None or not track.open or (channel is not None and not track.takes(channel)):
            self._drop(frame)
            return None
        return track

    def _hold(self, track: Track, frame: Frame) -> None:
        assert track.held is not None
        track.held.append(frame)
        track.held_bytes += len(frame.raw)
        if isinstance(name := frame.data.get("name"), str) and not track.source.get("name"):
            track.source = {**track.source, "name": name}
        self._soil()
        if track.held_bytes > self._limit:
            raise UpstreamError(f"The upstream sent more than {self._limit} bytes of a call that it did not name.")

    def _part(self, track: Track, channel: Channel, data: Json) -> tuple[Part, int] | None:
        """The open part an event belongs to, announced first when it was not; None when it is complete or impossible."""
        parts = track.places(channel.places)
        place = data.get(channel.position)
        if not isinstance(place, int):
            place = max(0, len(parts) - 1)
        if not 0 <= place < MOST_PARTS:
            return None
        while len(parts) <= place:
            self._make(part_added(track, channel, len(parts)))
            parts.append(Part(channel))
        part = parts[place]
        return (part, place) if part.open and part.channel is channel else None

    def _pass_on(self, frame: Frame, track: Track, changes: Json) -> None:
        """Send an event of an item under the item's own names."""
        named = changed(frame.data, {name: changes.pop(name) for name in tuple(changes) if name in _ADDRESS})
        if named is not frame.data:
            self._soil()
        self._pass(frame, changed(named, changes))

    def _on_part_added(self, frame: Frame, event: Event) -> None:
        channel = part_channel(frame.data)
        track = self._owner(frame, event, channel)
        if track is None:
            return
        if channel is None:
            track.places("content").append(Part(None))
            self._pass_on(frame, track, {"item_id": track.id, "output_index": track.index})
            return
        parts = track.places(channel.places)
        place = frame.data.get(channel.position)
        if not isinstance(place, int):
            place = len(parts)
        if not len(parts) <= place < MOST_PARTS:
            self._drop(frame)
            return
        while len(parts) < place:
            self._make(part_added(track, channel, len(parts)))
            parts.append(Part(channel))
        parts.append(Part(channel))
        part = complete_part(changed(frame.data["part"], {channel.field: ""}))
        self._pass_on(frame, track, {**address(track, channel, place), "part": part})

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
        self._pass_on(frame, track, address(track, channel, found[1]))

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
        self._pass_on(frame, track, {**address(track, channel, place), channel.field: text})

    def _on_part_done(self, frame: Frame, event: Event) -> None:
        channel = part_channel(frame.data)
        track = self._owner(frame, event, channel)
        if track is None:
            return
        if channel is None:
            self._pass_on(frame, track, {"item_id": track.id, "output_index": track.index})
            return
        found = self._part(track, channel, frame.data)
        if found is None:
            self._drop(frame)
            return
        part, place = found
        whole = frame.data["part"]
        if not whole.get(channel.field) and (streamed := self.fold.text(track.index, channel, place)):
            whole = {**whole, channel.field: streamed}
        for data in rest_of_part(track, channel, place, whole):
            self._make(data)
        part.open = False
        self._pass_on(frame, track, {**address(track, channel, place), "part": complete_part(whole)})

    def _on_annotation(self, frame: Frame, event: Event) -> None:
        channel = _channel(event)
        track = self._owner(frame, event, channel)
        if track is None:
            return
        found = self._part(track, channel, frame.data)
        if found is None:
            self._drop(frame)
            return
        self._pass_on(frame, track, address(track, channel, found[1]))

    def _on_field_delta(self, frame: Frame, event: Event) -> None:
        channel = _channel(event)
        track = self._owner(frame, event, channel)
        if track is None:
            return
        if track.told or not isinstance(frame.data.get("delta"), str):
            self._drop(frame)
            return
        track.said = True
        self._pass_on(frame, track, address(track, channel, 0))

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
        self._pass_on(frame, track, {**address(track, channel, 0), channel.field: text})

    def _full_text(self, frame: Frame, track: Track, channel: Channel, place: int) -> str:
        told = frame.data.get(channel.field)
        return told if isinstance(told, str) and told else self.fold.text(track.index, channel, place)

    def _on_progress(self, frame: Frame, event: Event) -> None:
        track = self._owner(frame, event, None)
        if track is not None:
            where: Json = {"output_index": track.index}
            if "item_id" in frame.data:
                where["item_id"] = track.id
            self._pass_on(frame, track, where)

    _HANDLERS: Mapping[Kind, Callable[[Repair, Frame, Event], None]] = {
        Kind.LIFECYCLE: _on_lifecycle,
        Kind.TERMINAL: _on_terminal,
        Kind.ITEM_ADDED: _on_item_added,
        Kind.ITEM_DONE: _on_item_done,
        Kind.PART_ADDED: _on_part_added,
        Kind.PART_DONE: _on_part_done,
        Kind.TEXT_DELTA: _on_text_delta,
        Kind.TEXT_DONE: _on_text_done,
        Kind.ANNOTATION: _on_annotation,
        Kind.FIELD_DELTA: _on_field_delta,
        Kind.FIELD_DONE: _on_field_done,
        Kind.PROGRESS: _on_progress,
        Kind.LOOSE: _on_loose,
        Kind.ERROR: _on_error,
        Kind.RENAMED: _on_renamed,
    }


_ADDRESS = frozenset({"item_id", "output_index", "content_index", "summary_index"})


def _channel(event: Event) -> Channel:
    assert event.channel is not None
    return event.channel


def _object(document: Json, name: str) -> Json:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _data(frame: Frame, otherwise: Json | None = None) -> Json:
    """The data of a frame that may not be JSON."""
    try:
        return frame.data
    except ValueError:
        return otherwise or {}


def _error_event(error: Json) -> Json:
    """Both forms in one: SDKs read the nested object, the published type is flat (translation §8.5)."""
    told = {name: error[name] for name in ("type", "code", "message", "param")}
    return {"type": "error", "code": told["code"], "message": told["message"], "param": told["param"], "error": told}
