"""Server-sent events: bytes as they come from the network → whole events → frames.

Linear in time and memory, whatever the reads. Works on bytes: lines end at LF, CRLF or CR only. Text decoders that also
split at U+2028 would cut JSON apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import takewhile

from gateway.core import json
from gateway.core.events import EVENTS
from gateway.core.frames import Frame, KnownFrame
from gateway.errors import UpstreamError

END = b"data: [DONE]\n\n"
"""The end mark that every dialect sends last."""
KEEP_ALIVE = b": keep-alive\n\n"
"""A comment: bytes for the proxies on the way, nothing for the client."""

_BOM = b"\xef\xbb\xbf"

_KNOWN = {
    f"event: {name}\n".encode(): (name, f'data: {{"type":"{name}"'.encode(), len(name) + 14)
    for name in (*EVENTS, "codex.rate_limits", "keepalive")
}
"""First lines of events we know → the event's name, how the next line begins when its data says the same, and where in
the event the data stands."""

_OBJECT = b"data: {"
_BEYOND = b"data: |"
"""No line that begins with `_OBJECT` is less than that, and each is less than this: `|` comes next after `{`."""


class SSEReader:
    """Feed it reads, get whole events. After a failure it stays failed.

    `max_event_bytes` bounds one event, without its closing blank line. Events before one that is too large are still
    returned; the failure comes with the next call, so how the network cut the stream changes nothing.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self.max_event_bytes = max_event_bytes
        self._pieces: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._started = False
        self._failure: UpstreamError | None = None

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames completed by this read.

        Raises UpstreamError when an event is larger than the limit.
        """
        return frames(self.whole(chunk))

    def finish(self) -> list[Frame]:
        """The last frame, when the stream ended without its closing blank line; a part of a frame is not delivered.

        Raises UpstreamError when the reader had failed.
        """
        return frames(self.rest())

    def whole(self, chunk: bytes) -> bytes:
        """The events completed by this read as one piece, in LF form: the read itself where that is the same.

        Raises UpstreamError when an event is larger than the limit.
        """
        if self._failure is not None:
            raise self._failure
        if (
            self._started
            and not (self._pieces or self._after_cr)
            and len(chunk) <= self.max_event_bytes
            and chunk.endswith(b"\n\n")
            and not chunk.endswith(b"\n\n\n")
            and b"\r" not in chunk
        ):
            return chunk  # as most reads are
        if self._after_cr or b"\r" in chunk:
            chunk = self._to_lf(chunk)
        end = self._end(chunk)
        events = self._completed(chunk[:end]) if end else b""
        if end < len(chunk):
            self._hold(chunk[end:])
        if self._failure is not None and not frames(events):
            raise self._failure
        return events

    def rest(self) -> bytes:
        """What `finish` frames: the last event, given its blank line, or b"".

        Raises UpstreamError when the reader had failed.
        """
        if self._failure is not None:
            raise self._failure
        event = self._join(b"").removesuffix(b"\n") + b"\n\n"
        if not self._started:
            event = self._begun(event)
        return event if any(_is_whole(frame.payload) for frame in frames(event)) else b""

    def _to_lf(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]  # the second half of a CRLF whose first half was taken as a line end
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _end(self, chunk: bytes) -> int:
        """Where the last event ends that is whole with this read; 0 when none is."""
        # A blank line may be cut between two reads: the line end before it is the last byte we hold.
        cut = bool(self._pieces) and self._pieces[-1].endswith(b"\n")
        # Most reads end with an event; in those that are a piece of a large one, one byte is found faster than two.
        whole = chunk.endswith(b"\n\n")
        end = len(chunk) if whole else chunk.rfind(b"\n\n", 0, chunk.rfind(b"\n") + 1) + 2
        if end < 2:
            return int(cut and chunk.startswith(b"\n"))
        if chunk.endswith(b"\n", 0, end - 2) or (cut and end == 2):  # more than two line ends: they count in pairs
            lines = end - len(chunk[:end].rstrip(b"\n"))
            end -= (lines + (cut and lines == end)) % 2
        return end

    def _completed(self, events: bytes) -> bytes:
        """Whole events, with what is held of the first of them, up to one that is too large."""
        if self._pieces:
            events = self._join(events)
        if len(events) - 2 > self.max_event_bytes:
            events = self._within(events)
        return events if self._started else self._begun(events)

    def _within(self, events: bytes) -> bytes:
        end = 0
        for block in events[:-2].split(b"\n\n"):
            if len(block) > self.max_event_bytes:
                self._fail()
                break
            end += len(block) + 2
        return events[:end]

    def _begun(self, events: bytes) -> bytes:
        self._started = True
        return events.removeprefix(_BOM)

    def _hold(self, piece: bytes) -> None:
        if self._failure is None:
            self._pieces.append(piece)
            self._size += len(piece)
            if (
                self._size - piece.endswith(b"\n") > self.max_event_bytes
            ):  # the line end may prove to be the closing one
                self._fail()

    def _join(self, last: bytes) -> bytes:
        joined = b"".join([*self._pieces, last])
        self._pieces.clear()
        self._size = 0
        return joined

    def _fail(self) -> None:
        self._pieces.clear()
        self._failure = UpstreamError(f"The upstream sent an event of more than {self.max_event_bytes} bytes.")


def plain(events: bytes) -> bool:
    """Whether each of these whole events, one at least, is a single line of data with an object in it.

    What has no name and no other fields needs no reading to be passed on. Asked of each read of a stream, so it takes
    a few calls of C and no loop: of all lines of data only the least and the greatest are looked at.
    """
    lines = BytesIO(events).readlines()
    data = lines[::2]
    return lines[1::2].count(b"\n") == len(data) and min(data) >= _OBJECT and max(data) < _BEYOND


def frames(events: bytes, gather: Callable[[KnownFrame, BytesIO], Sequence[Frame]] | None = None) -> list[Frame]:
    """The frames of whole events, as `SSEReader.whole` gives them; those without data are none.

    `gather` is shown each frame of which the type was seen, and reads those that follow it from the lines, if it will.
    """
    alone = _alone(events)
    if alone is not None:
        return [alone]
    found: list[Frame] = []
    lines = BytesIO(events)
    for first in lines:
        if first == b"\n":
            continue  # blank lines between events
        # Almost every event there is: a line of data, or a name and a line of data that begins with the same name.
        second = next(lines)
        if second == b"\n":
            if first.startswith(_OBJECT):
                found.append(Frame(first + second, first[6:-1], ""))
                continue
            block = first
        else:
            third = next(lines)
            if third == b"\n":
                known = _KNOWN.get(first)
                if known is not None and second.startswith(known[1]):
                    seen = KnownFrame(first + second + third, known[2], known[0])
                    found.append(seen)
                    if gather is not None:
                        found += gather(seen, lines)
                    continue
                block = first + second
            else:
                block = b"".join([first, second, third, *takewhile(b"\n".__ne__, lines)])
        frame = _general_frame(block[:-1])
        if frame is not None:
            found.append(frame)
    return found


def _alone(events: bytes) -> KnownFrame | None:
    """The frame of a read that is one event of which the type is seen: as paced ones are, and very large ones, of which
    each copy counts."""
    start = events.find(b"\n") + 1
    known = _KNOWN.get(events[:start])
    if known is None or not events.startswith(known[1], start) or events.find(b"\n", start) != len(events) - 2:
        return None
    return KnownFrame(events, known[2], known[0])


def _is_whole(payload: bytes) -> bool:
    if payload == b"[DONE]":
        return True
    try:
        json.loads(payload)
    except ValueError:
        return False
    return True


def _general_frame(block: bytes) -> Frame | None:
    """A block in LF form, without its closing blank line; None when it carries no data."""
    event = b""
    data: list[bytes] = []
    exact = True
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            event = value
        else:
            exact = False  # comments, id, retry: not for our clients
    payload = b"\n".join(data)
    if not payload:
        return None
    return Frame(block + b"\n\n" if exact else _canonical(event, data), payload, event.decode("utf-8", "replace"))


def _canonical(event: bytes, data: list[bytes]) -> bytes:
    head = b"event: %b\n" % event if event else b""
    return head + b"".join(b"data: %b\n" % line for line in data) + b"\n"
