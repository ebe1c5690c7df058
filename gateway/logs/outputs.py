"""The places lines go to, and when.

A line is written at once, unless one was written a moment ago: then it waits a few milliseconds for others, and they
are written together. Under load a write for each line would be the dearest part of it. Lines wait only where an event
loop runs that will come back for them; warnings and errors never do, and what waits is written before a process exits
or forks. Only a signal that kills a process at once loses lines, and `settle` is for who sees that coming.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import IO

from gateway.logs.lines import Line
from gateway.logs.rotation import RotatingFile

Form = Callable[[Line], bytes]

_WAIT_SECONDS = 0.005
_WAITING_BYTES = 64 * 1024

_PIECE = 4096
"""What a pipe takes whole, however many processes write to it (PIPE_BUF of Linux)."""


class Outputs:
    """Each place with its own form of a line."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds from any start."""
        self._clock = clock
        self._lock = threading.RLock()  # reentrant: a signal's handler may log in the middle of a line
        self._places: list[tuple[Form, _File | _Stream]] = []
        self._loop: asyncio.AbstractEventLoop | None = None  # that will come back for them
        self._wait_until = 0.0
        self._settled = False

    def use(self, targets: Iterable[tuple[Form, IO[str] | RotatingFile]]) -> None:
        """Lines go there from now on. The former file is closed."""
        with self._lock:
            self.flush()
            former = self._places
            self._places = [
                (form, _File(target) if isinstance(target, RotatingFile) else _Stream(target))
                for form, target in targets
            ]
            self._settled = False
            for _, place in former:
                place.close()

    def write(self, line: Line, *, urgent: bool) -> None:
        """Never fails: a full disk or a closed terminal must not end a request. `urgent` lines do not wait."""
        with self._lock:
            for form, place in self._places:
                place.waiting += form(line)  # no list: orjson leaves gaps in memory between results that are kept
                if len(place.waiting) > _WAITING_BYTES:
                    urgent = True
            if urgent or not self._may_wait():
                self.flush()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            self._loop = None
            for _, place in self._places:
                if place.waiting:
                    self._wait_until = self._clock() + _WAIT_SECONDS
                    lines, place.waiting = place.waiting, bytearray()
                    with contextlib.suppress(OSError, ValueError):
                        place.write(lines)

    def settle(self) -> None:
        """Write what waits, and let nothing wait any more: the process may be about to end by a signal."""
        with self._lock:
            self._settled = True
            self.flush()

    def guard(self) -> None:
        """Let nothing wait when this process exits, or is forked: its child would write it again."""
        atexit.register(self.flush)
        if sys.platform != "win32":
            os.register_at_fork(
                before=self._hold, after_in_parent=self._lock.release, after_in_child=self._lock.release
            )

    def _hold(self) -> None:
        self._lock.acquire()
        self.flush()

    def _may_wait(self) -> bool:
        """Whether somebody will come back for what waits, which is arranged here."""
        loop = None if self._settled else _running_loop()
        if loop is None or self._loop is not None:
            return loop is not None and loop is self._loop  # not for a loop that may have ended
        if self._clock() >= self._wait_until:
            return False
        self._loop = loop
        loop.call_later(_WAIT_SECONDS, self.flush)
        return True


class _File:
    def __init__(self, file: RotatingFile) -> None:
        self.waiting = bytearray()
        self.write = file.write
        self.close = file.close


class _Stream:
    """A text stream such as `sys.stderr`."""

    def __init__(self, stream: IO[str]) -> None:
        self.waiting = bytearray()
        self._stream = stream

    def write(self, lines: bytearray) -> None:
        start = 0
        while start < len(lines):
            end = lines.rfind(b"\n", start, start + _PIECE) + 1 or lines.find(b"\n", start) + 1 or len(lines)
            self._stream.write(lines[start:end].decode("utf-8"))
            self._stream.flush()
            start = end

    def close(self) -> None:
        """The stream is not ours to close."""


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
