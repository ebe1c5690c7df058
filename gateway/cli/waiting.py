"""What uvicorn keeps for each connection and is nearly always empty, in less: a deque has 64 places from the start."""

from __future__ import annotations

import asyncio
from typing import Any


class Event:
    """An `asyncio.Event` as far as uvicorn asks for one; it holds nothing while nobody waits."""

    __slots__ = ("_is_set", "_waiters")

    def __init__(self, *, is_set: bool = False) -> None:
        self._is_set = is_set
        self._waiters: list[asyncio.Future[None]] | None = None

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        self._is_set = False

    def wait(self) -> asyncio.Future[None]:
        """To be awaited: over once the event is set."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._is_set:
            waiter.set_result(None)
        elif self._waiters is None:
            self._waiters = [waiter]
        else:  # those who gave up are not missed
            self._waiters = [waiter, *(other for other in self._waiters if not other.done())]
        return waiter


class Line(list[Any]):
    """The requests of a connection that wait for the one before them; the next one is the last."""

    __slots__ = ()

    def appendleft(self, request: Any) -> None:
        self.insert(0, request)
