"""Whole events → frames, deltas in a row as one of them."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from itertools import takewhile

from gateway.core.deltas import LINES, Deltas, Shape
from gateway.core.frames import LARGE as LARGE_EVENT
from gateway.core.frames import Frame, KnownFrame
from gateway.core.longtext import LongText
from gateway.wire import sse

TRIES = 8
"""So many deltas in a row whose shape fits none that follow, then no more are looked at: some servers number or pad
theirs in ways of their own."""
LARGE = 4096
"""Bytes of a delta. Larger ones are not worth gathering."""
_FIRST, _MOST = 2_000, 256 * 1024
"""Bytes that are looked at together: few at first, so that looking in vain is cheap, and four times more each time."""


class Gathering:
    """Frames the reads of one stream."""

    __slots__ = ("_long", "_shape", "_tries")

    def __init__(self) -> None:
        self._shape: Shape | None = None
        self._tries = TRIES
        self._long = LongText()

    def frames(self, events: bytes) -> list[Frame]:
        """As `sse.frames`, with `Deltas` for most deltas in a row. The first one is always a frame of its own."""
        if len(events) < _FIRST:
            return sse.frames(events)
        found = sse.frames(events, self._gather if self._tries else None)
        if len(events) >= LARGE_EVENT:
            for frame in found:
                if isinstance(frame, KnownFrame):
                    frame.long = self._long
        return found

    def _gather(self, frame: KnownFrame, lines: BytesIO) -> Sequence[Frame]:
        """What follows a frame and is like it; nothing, and no line is taken, if that is none."""
        if not frame.type.endswith(".delta") or len(frame.raw) > LARGE or not self._tries:
            return ()
        found: list[Frame] = []
        room = _FIRST
        while (deltas := self._next(frame, lines, room)) is not None:
            found.append(deltas)
            room = min(4 * room, _MOST)
        if found:
            self._tries = TRIES
        return found

    def _next(self, frame: KnownFrame, lines: BytesIO, room: int) -> Deltas | None:
        """The deltas that come next, as far as they are in about so many bytes."""
        at = lines.tell()
        name = b"event: %b\n" % frame.type.encode()
        deltas = None
        if lines.readline() == name:
            window = [name, *lines.readlines(room)]
            count = min(sum(1 for _ in takewhile(name.__eq__, window[::LINES])), len(window) // LINES)
            if count > 1:
                deltas = self._cut(frame, window[: count * LINES])
        lines.seek(at + deltas.size if deltas is not None else at)
        return deltas

    def _cut(self, frame: KnownFrame, lines: list[bytes]) -> Deltas | None:
        deltas = self._shape.cut(lines) if self._shape is not None and self._shape.name == lines[0] else None
        if deltas is None:
            self._tries -= 1
            self._shape = Shape.learned(frame)
            deltas = self._shape.cut(lines) if self._shape is not None else None
        return deltas
