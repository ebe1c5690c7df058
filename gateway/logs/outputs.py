"""The places lines go to, and when.

A line is written at once, unless one was written a moment ago: then it waits a few milliseconds for others, and they
are made and written together. What waits is what the caller told; its secrets are taken out and it becomes text when it
is written, because under load a line made between two pieces of other work costs twice as much as one in a row, and a
write for each would be dearer still. Lines wait only where an event loop runs that will come back for them; warnings
and errors never do, and what waits is written before a process exits or forks. Only a signal that kills a process at
once loses lines, and `settle` is for who sees that coming.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import IO, Generic, TypeVar

from gateway.logs.lines import Line
from gateway.logs.rotation import RotatingFile

Form = Callable[[Line], bytes]

Told = TypeVar("Told")

_WAIT_SECONDS = 0.005

_TOLD_LINES = 32
"""How many wait as they were told. They hold only what their requests held a moment ago, and to measure them would make
a call dearer by a third."""

_MADE_BYTES = 64 * 1024
"""How much waits as text, about."""

_PIECE = 4096
"""What a pipe takes whole, however many processes write to it (PIPE_BUF of Linux)."""


class Outputs(Generic[Told]):
    """Each place with its own form of a line."""

    def __init__(
        self,
        finished: Callable[[Told], Line],
        instead: Callable[[Told, Exception], Line],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`finished` makes a line of what was told, `instead` the line that stands for one that cannot be made.

        `clock`: seconds from any start.
        """
        self._finished = finished
        self._instead = instead
        self._clock = clock
        self._told: deque[Told] = deque()  # whose two ends need no lock
        self._lock = threading.RLock()  # reentrant: a signal's handler may log in the middle of a line
        self._places: list[tuple[Form, _File | _Stream]] = []
        self._loop: asyncio.AbstractEventLoop | None = None  # that will come back for them
        self._thread = 0  # where it runs
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

    def write(self, told: Told, *, urgent: bool) -> None:
        """Never fails: a full disk or a closed terminal must not end a request. `urgent` lines do not wait.

        Nobody may change what was told any more.
        """
        self._told.append(told)
        loop = self._loop
        if loop is not None:  # as it is for nearly every line, so that nobody asks the system which process this is
            waits = self._thread == threading.get_ident() and loop.is_running() and not self._settled
        else:
            waits = not urgent and self._may_wait()
        if urgent or not waits:
            self.flush()
        elif len(self._told) >= _TOLD_LINES:
            with self._lock:
                self._make()
                if any(len(place.made) > _MADE_BYTES for _, place in self._places):
                    self.flush()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            self._loop = None
            self._make()
            for _, place in self._places:
                if place.made:
                    self._wait_until = self._clock() + _WAIT_SECONDS
                    nothing = bytearray()  # made before the exchange, which no signal's handler can interrupt
                    lines, place.made = place.made, nothing
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
            os.register_at_fork(before=self._hold, after_in_parent=self._lock.release, after_in_child=self._born)

    def _hold(self) -> None:
        self._lock.acquire()
        self.flush()

    def _born(self) -> None:
        self._loop = None  # it runs on in the parent
        self._told.clear()  # what was told since then is written by the parent
        for _, place in self._places:
            place.made.clear()
        self._lock.release()

    def _may_wait(self) -> bool:
        """Whether somebody will come back for what waits, which nobody does yet: it is arranged here."""
        running = asyncio._get_running_loop()  # public by its documentation, and needs no exception to say none
        if running is None or self._settled or self._clock() >= self._wait_until:
            return False
        self._loop, self._thread = running, threading.get_ident()
        running.call_later(_WAIT_SECONDS, self.flush)
        return True

    def _make(self) -> None:
        """Lines of what was told."""
        while self._told:
            told = self._told.popleft()
            try:
                self._put(self._finished(told))
            except Exception as error:  # the last guard: some value cannot be shown, and its line is not the only one
                self._put(self._instead(told, error))

    def _put(self, line: Line) -> None:
        for form, place in self._places:
            text = form(line)  # before `made` is looked at, for the same reason
            place.made += text  # no list: orjson leaves gaps in memory between results that are kept


class _File:
    def __init__(self, file: RotatingFile) -> None:
        self.made = bytearray()
        self.write = file.write
        self.close = file.close


class _Stream:
    """A text stream such as `sys.stderr`."""

    def __init__(self, stream: IO[str]) -> None:
        self.made = bytearray()
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
