"""An event that is waited for seldom, and kept by every connection: a deque has 64 places from the start."""

from __future__ import annotations

import asyncio


class Event:
    """An `asyncio.Event` as far as a connection asks for one; it holds nothing while nobody waits."""

    __slots__ = ("_is_set", "_loop", "_waiters")

    def __init__(self, loop: asyncio.AbstractEventLoop, *, is_set: bool = False) -> None:
        self._loop = loop
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
        waiter: asyncio.Future[None] = self._loop.create_future()
        if self._is_set:
            waiter.set_result(None)
        elif self._waiters is None:
            self._waiters = [waiter]
        else:  # those who gave up are not missed
            self._waiters = [waiter, *(other for other in self._waiters if not other.done())]
        return waiter
