"""A log file that is renamed when it is full; old ones are compressed and removed.

Several processes may write to one file. Whatever is written at once is one append. What another process has done to the
file (its share of the size, a renaming) is looked at now and then, not for each write: two system calls cost as much as
all the rest of a line. What goes to a renamed file in the meantime is not lost, because every process holds a shared
lock on the file it writes to, and a backup is compressed only by who can lock it alone.
"""

from __future__ import annotations

import contextlib
import gzip
import math
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_LOOK_SECONDS = 0.2
"""How long a process may go on in a file that another one has renamed."""

_OPENINGS = 10
"""Tries to open a file that keeps its name; on a file system that numbers its files anew each time, none does."""


def _now() -> datetime:
    return datetime.now(UTC)


class RotatingFile:
    """Backups stand beside the file, named by the time of the rotation: `name-20261121T013823.123456.log[.gz]`."""

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        max_backups: int,
        max_age_days: int,
        compress: bool,
        seldom: bool = False,
        now: Callable[[], datetime] = _now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens the file, readable by its owner only. `clock`: seconds from any start. Raises OSError.

        `seldom`: this process lets go of the file after each write, so that it never keeps a backup from the others.
        """
        self._path = path
        self._max_bytes = max_bytes
        self._max_backups = max_backups
        self._max_age = timedelta(days=max_age_days)
        self._compress = compress
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._tidying: threading.Thread | None = None
        self._untidy = False  # a backup came that no tidying has seen
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = self._open()
        self._size = 0  # as last looked at, and what this process has written since
        self._look_at = clock()
        self._torn = False
        self._seldom = seldom
        if seldom:
            self._let_go()

    def write(self, lines: bytes | bytearray) -> None:
        """Append whole lines, in one piece. Raises OSError when they could not be written."""
        with self._lock:
            if not self._seldom:
                self._append(lines)
                return
            self._file = self._open()
            self._look_at = -math.inf
            try:
                self._append(lines)
            finally:
                self._let_go()

    def close(self) -> None:
        """Close the file and wait for the compression of the last backup."""
        with self._lock:
            if not self._seldom:
                self._let_go()
            self._seldom = False
            tidying = self._tidying
        if tidying is not None:
            tidying.join()

    def _append(self, lines: bytes | bytearray) -> None:
        now = self._clock()
        if now >= self._look_at or self._size + len(lines) > self._max_bytes:
            self._look_at = now + _LOOK_SECONDS
            with contextlib.suppress(OSError):  # better a file that is too large than a line that is lost
                self._look(len(lines))
        if self._torn:
            lines = b"\n" + lines
        written = os.write(self._file, lines)
        self._size += written
        self._torn = written != len(lines)  # a full disk takes a part; what comes next begins a line of its own

    def _let_go(self) -> None:
        os.close(self._file)
        self._file = -1  # a late line must not go to whatever is opened next

    def _open(self) -> int:
        file = -1
        for _ in range(_OPENINGS):
            if file >= 0:
                os.close(file)
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with contextlib.suppress(OSError):  # where no file can be locked, no backup is compressed
                _lock(file, alone=False)
            if self._is_named(os.fstat(file)):
                break  # else it was renamed before it was locked, and somebody may be compressing it
        return file

    def _look(self, coming: int) -> None:
        """Go on in a new file when this one is full, or was renamed by another process."""
        mine = os.fstat(self._file)
        if not self._is_named(mine):
            self._reopen()
        elif mine.st_size and mine.st_size + coming > self._max_bytes:
            self._rotate()
        else:
            self._size = mine.st_size

    def _is_named(self, mine: os.stat_result) -> bool:
        """Whether the file that is open still has its name."""
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        return named.st_ino == mine.st_ino and named.st_dev == mine.st_dev

    def _rotate(self) -> None:
        with _alone(self._path.parent):
            if self._is_named(os.fstat(self._file)):  # nobody was faster
                stamp = self._now().strftime("%Y%m%dT%H%M%S.%f")
                self._path.rename(self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}"))
        self._reopen()

    def _reopen(self) -> None:
        former, self._file = self._file, self._open()
        os.close(former)
        self._size = os.fstat(self._file).st_size
        self._torn = False
        self._untidy = True
        if self._tidying is None or not self._tidying.is_alive():
            # Compressing 100 MB takes seconds, which the event loop does not have.
            self._tidying = threading.Thread(target=self._tidy_all, name="log-rotation", daemon=True)
            self._tidying.start()

    def _tidy_all(self) -> None:
        """Tidy until no backup has come in the meantime."""
        while True:
            with self._lock:  # a rotation comes before this, and is seen, or after it, and starts the next thread
                if not self._untidy:
                    self._tidying = None
                    return
                self._untidy = False
            self._tidy()

    def _tidy(self) -> None:
        """Compress backups, remove those too many or too old."""
        backups = sorted(self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}*"), reverse=True)
        oldest = (self._now() - self._max_age).timestamp()
        for position, backup in enumerate(backups):
            try:
                if position >= self._max_backups or backup.stat().st_mtime < oldest:
                    backup.unlink()
                elif self._compress and backup.suffix != ".gz":
                    _compress(backup)
            except FileNotFoundError:
                continue  # another process tidies too


def _lock(file: int, *, alone: bool) -> None:
    """Lock a file, together with others or alone, without waiting; closing it ends that.

    Raises BlockingIOError when another process is in the way, another OSError where the file system has no locks.
    """
    if sys.platform != "win32":  # which renames no open file, so that there is nothing to guard
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One process at a time. Raises BlockingIOError when another one is in here."""
    if sys.platform == "win32":
        yield  # which cannot open directories
        return
    file = os.open(directory, os.O_RDONLY)
    try:
        try:
            _lock(file, alone=True)
        except OSError as error:
            if isinstance(error, BlockingIOError):
                raise
            # Otherwise no locks here: two may rename at once, which makes a small backup more.
        yield
    finally:
        os.close(file)


def _compress(path: Path) -> None:
    """Put `path.gz` in the place of the file, unless another process still writes to it: then at the next rotation."""
    unfinished = path.with_name(f".{path.name}.gz")
    with path.open("rb") as source:
        try:
            _lock(source.fileno(), alone=True)
        except OSError:
            return
        file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as raw, gzip.open(raw, "wb") as packed:
            shutil.copyfileobj(source, packed)
        shutil.copystat(path, unfinished)
        unfinished.rename(path.with_name(f"{path.name}.gz"))
        path.unlink()
