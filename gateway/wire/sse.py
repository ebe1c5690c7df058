"""Server-sent events: bytes as they come from the network → frames. Linear in time and memory, whatever the reads.

Works on bytes: lines end at LF, CRLF or CR only. Text decoders that also split at U+2028 would cut JSON apart.
"""

from __future__ import annotations

from gateway.core import json
from gateway.core.events import EVENTS
from gateway.core.frames import Frame
from gateway.errors import UpstreamError

END = b"data: [DONE]\n\n"
"""The end mark that every dialect sends last."""
KEEP_ALIVE = b": keep-alive\n\n"
"""A comment: bytes for the proxies on the way, nothing for the client."""

_BOM = b"\xef\xbb\xbf"

_KNOWN = {
    f"event: {name}".encode(): (name, f'\ndata: {{"type":"{name}"'.encode())
    for name in (*EVENTS, "codex.rate_limits", "keepalive")
}
"""First lines of events we know → the event's name, and how the rest begins when the data says the same."""


class SSEReader:
    """Feed it reads, get frames. After a failure it stays failed.

    `max_event_bytes` bounds one event, without its closing blank line. Frames before an event that is too large are
    still returned; the failure comes with the next call, so how the network cut the stream changes nothing.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._limit = max_event_bytes
        self._pieces: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._started = False
        self._failure: UpstreamError | None = None

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames completed by this read.

        Raises UpstreamError when an event is larger than the limit.
        """
        if self._failure is not None:
            raise self._failure
        if self._after_cr or b"\r" in chunk:
            chunk = self._to_lf(chunk)
        frames: list[Frame] = []
        # A blank line may be cut between two reads: the line end before it is the last byte we hold.
        if chunk.startswith(b"\n") and self._pieces and self._pieces[-1].endswith(b"\n"):
            self._take(frames, self._join()[:-1])
            chunk = chunk[1:]
        *blocks, rest = chunk.split(b"\n\n")
        if blocks:
            if self._pieces:
                self._hold(blocks[0])
                blocks[0] = self._join()
            for block in blocks:
                self._take(frames, block)
        self._hold(rest)
        if self._size - rest.endswith(b"\n") > self._limit:  # the line end may prove to be the closing one
            self._fail()
        if self._failure is not None and not frames:
            raise self._failure
        return frames

    def finish(self) -> list[Frame]:
        """The last frame, when the stream ended without its closing blank line; a part of a frame is not delivered.

        Raises UpstreamError when the reader had failed.
        """
        frames: list[Frame] = []
        self._take(frames, self._join().removesuffix(b"\n"))
        if self._failure is not None:
            raise self._failure
        return [frame for frame in frames if _is_whole(frame.payload)]

    def _to_lf(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]  # the second half of a CRLF whose first half was taken as a line end
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _hold(self, piece: bytes) -> None:
        if piece and self._failure is None:
            self._pieces.append(piece)
            self._size += len(piece)

    def _join(self) -> bytes:
        block = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return block

    def _take(self, frames: list[Frame], block: bytes) -> None:
        if self._failure is not None:
            return
        if len(block) > self._limit:
            self._fail()
            return
        if not self._started:
            block = block.removeprefix(_BOM)
            self._started = True
        if block.startswith(b"\n"):
            block = block.lstrip(b"\n")
        frame = _frame(block)
        if frame is not None:
            frames.append(frame)

    def _fail(self) -> None:
        self._join()
        self._failure = UpstreamError(f"The upstream sent an event of more than {self._limit} bytes.")


def _is_whole(payload: bytes) -> bool:
    if payload == b"[DONE]":
        return True
    try:
        json.loads(payload)
    except ValueError:
        return False
    return True


def _frame(block: bytes) -> Frame | None:
    """A block in LF form, without its closing blank line; None when it carries no data."""
    end = block.find(b"\n")
    known = _KNOWN.get(block[:end])
    # Almost every event there is: a name, then one line of data that begins with the same name.
    if known is not None and block.startswith(known[1], end) and block.find(b"\n", end + 1) < 0:
        return Frame.known(block + b"\n\n", end + 7, known[0])
    return _general_frame(block)


def _general_frame(block: bytes) -> Frame | None:
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
