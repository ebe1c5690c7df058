"""A log file that is renamed when it is full; old ones are compressed and removed.

Several processes may write to one file: each line is one append, and whoever finds the file renamed by another opens
the new one.
"""

from __future__ import annotations

import gzip
import os
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path


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
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Opens the file, readable by its owner only. Raises OSError."""
        self._path = path
        self._max_bytes = max_bytes
        self._max_backups = max_backups
        self._max_age = timedelta(days=max_age_days)
        self._compress = compress
        self._now = now
        self._lock = threading.Lock()
        self._tidying: threading.Thread | None = None
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = self._open()

    def write(self, line: bytes) -> None:
        """Append a whole line. Raises OSError."""
        with self._lock:
            mine = os.fstat(self._file)
            if not self._is_named(mine):
                self._reopen()  # another process has renamed the file already
            elif mine.st_size and mine.st_size + len(line) > self._max_bytes:
                self._rotate()
            os.write(self._file, line)

    def close(self) -> None:
        """Close the file and wait for the compression of the last backup."""
        with self._lock:
            os.close(self._file)
        if self._tidying is not None:
            self._tidying.join()

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def _is_named(self, mine: os.stat_result) -> bool:
        """Whether the file that is open still has its name."""
        try:
            named = os.stat(self._path)  # noqa: PTH116 - half the price of Path.stat, for every line
        except FileNotFoundError:
            return False
        return named.st_ino == mine.st_ino and named.st_dev == mine.st_dev

    def _reopen(self) -> None:
        former, self._file = self._file, self._open()
        os.close(former)

    def _rotate(self) -> None:
        stamp = self._now().strftime("%Y%m%dT%H%M%S.%f")
        self._path.rename(self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}"))
        self._reopen()
        if self._tidying is None or not self._tidying.is_alive():
            # Compressing 100 MB takes seconds, which the event loop does not have.
            self._tidying = threading.Thread(target=self._tidy, name="log-rotation", daemon=True)
            self._tidying.start()

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


def _compress(path: Path) -> None:
    unfinished = path.with_name(f".{path.name}.gz")
    file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with path.open("rb") as source, os.fdopen(file, "wb") as raw, gzip.open(raw, "wb") as packed:
        shutil.copyfileobj(source, packed)
    shutil.copystat(path, unfinished)
    unfinished.rename(path.with_name(f"{path.name}.gz"))
    path.unlink()
