"""Where repaired frames go out: numbered, remembered by the fold, and as they came while nothing had to change."""

from __future__ import annotations

from collections import Counter
from typing import Any

from gateway.core.events import EVENTS, QUIET
from gateway.core.fold import Fold, parsed
from gateway.core.frames import Frame
from gateway.core.items import changed
from gateway.core.repair.run import Run
from gateway.core.repair.tracks import Track
from gateway.core.repair.trust import CHECKED, IDLE, State
from gateway.errors import UpstreamError

Json = dict[str, Any]


class Outlet:
    """The way out of a `Repair`: it knows how far the client is, and whether what comes next must be looked at."""

    def __init__(self, *, trusted: bool, open_item_bytes: int) -> None:
        self.fold = Fold(open_item_bytes=open_item_bytes)
        self.dropped: Counter[str] = Counter()
        """Events that are not for clients, by type."""
        self._trusted = trusted
        self._dirty = False
        self._next = 0
        self._state: State = IDLE if trusted else CHECKED
        self._run: Run | None = None
        self._shape: list[Frame] = []
        self._shown: list[Track] = []
        self._out: list[Frame] = []

    def _distrust(self) -> None:
        """From here on look at everything: catch up on what passed unread."""
        shape, self._shape = self._shape, []
        if self._state is CHECKED:
            return
        self._state = CHECKED
        failure: UpstreamError | None = None
        for frame in shape:
            try:
                self._shown[-1].note(EVENTS[frame.type], parsed(frame))
            except UpstreamError as error:
                failure = failure or error
        if failure is not None:
            raise failure

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

    def _drop(self, frame: Frame) -> None:
        if frame.type not in QUIET and not frame.type.startswith("codex."):
            self.dropped[frame.type] += 1
        data = data_of(frame)
        if data is None or "sequence_number" in data:
            self._soil()  # a number is missing now

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
        size = len(frame.raw)
        if data is not frame.data or not frame.typed:
            if not isinstance(data.get("type"), str):
                data = {**data, "type": frame.type}  # only the event name told it
            frame = Frame.of(data)
        self._push(frame, size)

    def _make(self, data: Json) -> None:
        """Send an event of our own."""
        self._run = None
        self._soil()
        self._push(Frame.of({"type": data["type"], "sequence_number": self._next, **data}))

    def _push(self, frame: Frame, size: int | None = None) -> None:
        self._next += 1
        self._out.append(frame)
        self.fold.take(frame, size)


def data_of(frame: Frame) -> Json | None:
    """The data of a frame that may not be JSON."""
    try:
        return frame.data
    except ValueError:
        return None
