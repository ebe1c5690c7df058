"""A piece of a body that is read where it stays."""

from __future__ import annotations

import io

PLACE_BYTES = 2 * 1024 * 1024
"""The largest. Longer bodies are read in several."""

_FIRST_BYTES = 64 * 1024
_GROWTH = 15
"""Of what is told to come, so many times what is here is believed: words alone shall not take memory."""


class Place:
    """Bytes of which some are here, and the others are written into `rest`."""

    __slots__ = ("_file", "_rest", "_start", "is_full", "size")

    def __init__(self, start: bytes, more: int) -> None:
        """`start`: what is here; `more`: how many bytes are told to come, of which it has room for some, or all."""
        self.size = len(start) + min(more, PLACE_BYTES, max(_FIRST_BYTES, _GROWTH * len(start)))
        self.is_full = False
        self._start = start
        self._file: io.BytesIO | None = None  # not before something comes: many a request is refused for its head
        self._rest = memoryview(b"")

    def rest(self) -> memoryview:
        """Where the next bytes belong."""
        if self._file is None:
            self._file = io.BytesIO(bytes(self.size))
            view = self._file.getbuffer()
            view[: len(self._start)] = self._start
            self._rest = view[len(self._start) :]
            self._start = b""
        return self._rest

    def fill(self, count: int) -> None:
        """So many bytes have been written into `rest`."""
        self._rest = self._rest[count:]
        self.is_full = not self._rest

    def content(self) -> bytes:
        """What is here, taken out: nothing more can be written.

        A full place is not copied, unless a transport still has `rest`: not to be called from where it tells of a read.
        """
        if self._file is None:
            return self._start
        here = self.size - len(self._rest)
        self._rest.release()  # as long as anything is written through, the file gives copies
        return self._file.getvalue()[:here]
