"""A piece of a body that is read where it stays."""

from __future__ import annotations

import io

PLACE_BYTES = 2 * 1024 * 1024
"""The largest. Longer bodies are read in several."""


class Place:
    """Bytes of which some are here, and the others are written into `rest`."""

    __slots__ = ("_file", "_rest", "_start", "size")

    def __init__(self, start: bytes, more: int) -> None:
        """`start`: what is here; so many `more` may come, at least one."""
        self.size = len(start) + more
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

    def fill(self, count: int) -> bool:
        """So many bytes have been written into `rest`. Returns whether it is full."""
        self._rest = self._rest[count:]
        return not self._rest

    def content(self) -> bytes:
        """What is here, taken out: nothing more can be written.

        A full place is not copied, unless a transport still has `rest`: not to be called from where it tells of a read.
        """
        if self._file is None:
            return self._start
        here = self.size - len(self._rest)
        self._rest.release()  # as long as anything is written through, the file gives copies
        return self._file.getvalue()[:here]
