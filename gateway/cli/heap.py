"""What bodies take of the system's memory is kept while there is work, and given back when it is quiet.

By itself the C library of Linux gives the memory of each large body back at once, and takes it again for the next one,
page by page: half of what a body of 1 MB costs. Where there is another library, nothing is done.
"""

from __future__ import annotations

import asyncio
import ctypes
import time
from collections.abc import Callable
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of `mallopt` (malloc.h)."""

KEPT_BYTES = 64 * 1024 * 1024
"""Free memory at the end of the heap up to which nothing is given back: a few large bodies at a time."""
OWN_BYTES = 32 * 1024 * 1024
"""A single piece from that size on is not taken from the heap, and given back when it is free."""

LOOK_SECONDS = 10.0
QUIET_SHARE = 0.02
"""Of a processor, in that time."""


class Heap:
    """The memory of this process, looked after from the event loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, library: Any, clock: Callable[[], float] = time.process_time
    ) -> None:
        """`library`: with `mallopt` and `malloc_trim`. `clock`: seconds of CPU that this process has used."""
        self._loop = loop
        self._library = library
        self._clock = clock
        self._last = clock()
        self._worked = False
        library.mallopt(_MMAP_THRESHOLD, OWN_BYTES)
        library.mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
        loop.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        now = self._clock()
        if now - self._last > QUIET_SHARE * LOOK_SECONDS:
            self._worked = True
        elif self._worked:
            self._worked = False
            self._library.malloc_trim(0)
        self._last = self._clock()
        self._loop.call_later(LOOK_SECONDS, self._look)


def look_after_heap(loop: asyncio.AbstractEventLoop) -> None:
    """From now on, until the loop ends. Call it when all that stays has been made."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt") and hasattr(library, "malloc_trim"):
        Heap(loop, library)
