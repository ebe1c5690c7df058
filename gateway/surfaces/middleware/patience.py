"""A bound to a wait that is nearly always over at once: `asyncio.timeout`, at a third of its price."""

from __future__ import annotations

import asyncio
from typing import Self


class Patience:
    """A context that raises TimeoutError when it has lasted longer than `seconds`.

    Whoever else cancels the task in the meantime is heard, as with `asyncio.timeout`.
    """

    __slots__ = ("_cancelling", "_late", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._late = False

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._timer = loop.call_later(self._seconds, self._interrupt)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._timer.cancel()
        if self._late and self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error

    def _interrupt(self) -> None:
        self._late = True
        self._task.cancel()
