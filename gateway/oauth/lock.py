"""The lock between processes that share a token file: held over re-read, refresh and write (codex-upstream §4.4)."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.errors import OAuthUnavailable

_POLL_SECONDS = 0.05
WAIT_SECONDS = 60.0
"""Twice the longest call to the token endpoint: whoever holds the lock longer hangs."""


class LockBusy(OAuthUnavailable):
    """Another process held the lock the whole time."""


@asynccontextmanager
async def hold(path: Path, wait_seconds: float = WAIT_SECONDS) -> AsyncIterator[None]:
    """Hold the lock of `path` against other tasks and processes. The system frees it when the process dies.

    It is asked for again and again instead of waited for in a thread, so that waiting can be cancelled.
    Raises LockBusy after `wait_seconds`, OAuthUnavailable when the lock file cannot be used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        for _ in range(max(1, int(wait_seconds / _POLL_SECONDS))):
            if _try(descriptor, path):
                break
            await asyncio.sleep(_POLL_SECONDS)
        else:
            raise LockBusy(
                f"Another process has held the lock of the login for {wait_seconds:.0f} s. End it, then try again.",
                detail=f"lock file: {path}",
            )
        yield
    finally:
        # Closing frees the lock. The file stays: removing it would let two processes lock two different files.
        os.close(descriptor)


def _try(descriptor: int, path: Path) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - exists on Windows only

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - does not exist on Windows

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        raise _unusable(path, error) from error
    return True


def _unusable(path: Path, error: OSError) -> OAuthUnavailable:
    return OAuthUnavailable(
        f"The lock file of the login cannot be used ({error.strerror}), so it cannot be refreshed or changed. "
        "Make the work directory writable for this user, on a file system with locks.",
        detail=f"lock file: {path}",
    )
