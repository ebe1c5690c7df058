"""The items of a stream: each under one id and index of its own, begun once, ended once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from gateway.core import ids
from gateway.core.events import Channel, Event
from gateway.core.fold import said
from gateway.core.frames import Frame
from gateway.core.items import CALLS, NAMED_CALLS, changed, finished, kind_of, started
from gateway.core.repair.closing import rest_of_item
from gateway.core.repair.outlet import Outlet
from gateway.core.repair.tracks import Track
from gateway.core.repair.trust import FULL, IDLE, ITEM
from gateway.errors import UpstreamError

Json = dict[str, Any]


class ItemRepair(Outlet):
    """Added and done events, and which item any other event belongs to."""

    def __init__(self, seed: str, *, trusted: bool, open_item_bytes: int) -> None:
        super().__init__(trusted=trusted, open_item_bytes=open_item_bytes)
        self._seed = seed
        self._limit = open_item_bytes
        self._tracks: dict[object, Track] = {}
        self._by_id: dict[str, Track] = {}
        self._ids: set[str] = set()
        self._call_ids: set[str] = set()

    @abstractmethod
    def _look_at(self, frame: Frame) -> None:
        """Read a frame and act on it."""

    @abstractmethod
    def _begin(self, response: Json) -> None:
        """Make sure that `response.created` went out."""

    def _on_item_added(self, frame: Frame, event: Event) -> None:
        item = frame.data.get("item")
        if not isinstance(item, dict) or not kind_of(item):
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
        if not isinstance(item, dict) or not kind_of(item):
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
        if track is not None and track.kind != item["type"]:
            self._end_item(track, None, "completed")  # one index for several items, and no added event for this one
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
            if not isinstance(item, dict) or not kind_of(item):
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

    def _find(self, data: Json) -> Track | None:
        index, item_id = data.get("output_index"), data.get("item_id")
        track = self._tracks.get(index) if isinstance(index, int) else None
        if track is None and isinstance(item_id, str):
            track = self._by_id.get(item_id)
        if track is None and not isinstance(index, int) and self._shown:
            track = self._shown[-1]
        return track

    def _owner(self, frame: Frame, event: Event, channel: Channel | None) -> Track | None:
        """The open item an event belongs to, made when it was never announced; None when the event goes no further."""
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
