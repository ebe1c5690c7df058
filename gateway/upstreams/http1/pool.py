"""Who may use which connection: the last one given back is the first one used, and no more are open than allowed.

Taking and giving cost the same however many connections are open. One timer, armed while something is idle, closes
what has been idle for too long; what closes by itself is forgotten at once. Callers that find everything in use wait in
line.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Generic, Protocol, TypeVar

import httpx2

from gateway.upstreams.http1.message import Origin


class Pooled(Protocol):
    """What a pool needs to know of a connection."""

    @property
    def origin(self) -> Origin:
        """Whom it can be used for."""

    @property
    def closed(self) -> bool:
        """Whether it can be used no longer."""

    def close(self) -> None:
        """Close it while it is idle, without telling the pool."""

    def abort(self) -> None:
        """Close it whatever it does; the pool is told."""


C = TypeVar("C", bound=Pooled)


class Pool(Generic[C]):
    """At most `limit` places. A place is held by a connection, in use or idle, or by a caller who is to make one.

    `take` or `wait` give a connection or a place; `give`, `gone` and `vacate` return them. Not for several loops.
    """

    def __init__(self, *, limit: int, idle_seconds: float) -> None:
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._held = 0
        self._open: set[C] = set()
        self._idle: dict[Origin, dict[C, None]] = {}
        self._expiries: OrderedDict[C, float] = OrderedDict()
        """All that are idle, the longest idle first."""
        self._line: deque[tuple[Origin | None, asyncio.Future[C | None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """That of the last `wait`: without one there is nothing to give back."""

    @property
    def held(self) -> int:
        """Places taken."""
        return self._held

    @property
    def idle(self) -> int:
        """Connections that nobody uses."""
        return len(self._expiries)

    def take(self, origin: Origin) -> C | None:
        """The idle connection that was in use last; None when there is none."""
        stack = self._idle.get(origin)
        if not stack:
            return None
        connection, _ = stack.popitem()
        del self._expiries[connection]
        return connection

    async def wait(self, origin: Origin | None, seconds: float | None) -> C | None:
        """A connection to `origin` that became free, or None: a place, for the caller to make one.

        With None for an origin it is always a place, and the caller comes first: he has waited before.
        Raises PoolTimeout.
        """
        loop = self._loop = asyncio.get_running_loop()
        if self._held < self._limit:
            self._held += 1
            return None
        if self._expiries:
            # Idle ones of other servers make room, the longest idle first.
            oldest = next(iter(self._expiries))
            self._forget(oldest)
            self._close(oldest)
            return None
        turn: asyncio.Future[C | None] = loop.create_future()
        if origin is None:
            self._line.appendleft((origin, turn))
        else:
            self._line.append((origin, turn))
        timer = None if seconds is None else loop.call_later(seconds, _give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._return(turn.result())
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def opened(self, connection: C) -> None:
        """The holder of a place has made a connection."""
        self._open.add(connection)

    def give(self, connection: C) -> None:
        """Take back a connection that can be used again: for the first in line, or for later."""
        turn = self._next() if self._line else None
        if turn is None:
            loop = self._loop
            assert loop is not None
            stack = self._idle.get(connection.origin)
            if stack is None:
                stack = self._idle[connection.origin] = {}
            stack[connection] = None
            until = self._expiries[connection] = loop.time() + self._idle_seconds
            if self._timer is None:
                self._timer = loop.call_at(until, self._expire)
            return
        origin, future = turn
        if origin == connection.origin:
            future.set_result(connection)
        else:
            self._close(connection)
            future.set_result(None)

    def gone(self, connection: C) -> None:
        """A connection is closed, that was idle or in use."""
        self._open.discard(connection)
        if connection in self._expiries:
            self._forget(connection)
        self.vacate()

    def vacate(self) -> None:
        """A place is free again: for the first in line, who may make a connection of his own."""
        turn = self._next()
        if turn is None:
            self._held -= 1
        else:
            turn[1].set_result(None)

    def close(self) -> None:
        """Close every connection. The pool can be used on."""
        for connection in list(self._open):
            connection.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next(self) -> tuple[Origin | None, asyncio.Future[C | None]] | None:
        """The first in line who still waits."""
        while self._line:
            turn = self._line.popleft()
            if not turn[1].done():
                return turn
        return None

    def _return(self, what: C | None) -> None:
        """Pass on what was given to a caller who left in the same moment."""
        if what is None:
            self.vacate()
        elif not what.closed:
            self.give(what)

    def _close(self, connection: C) -> None:
        self._open.discard(connection)
        connection.close()

    def _forget(self, connection: C) -> None:
        del self._expiries[connection]
        stack = self._idle[connection.origin]
        del stack[connection]
        if not stack:
            del self._idle[connection.origin]

    def _expire(self) -> None:
        self._timer = None
        loop = self._loop
        assert loop is not None
        now = loop.time()
        while self._expiries:
            connection, at = next(iter(self._expiries.items()))
            if at > now:
                self._timer = loop.call_at(at, self._expire)
                return
            self._forget(connection)
            self._close(connection)
            self.vacate()


def _give_up(turn: asyncio.Future[C | None]) -> None:
    if not turn.done():
        turn.set_exception(httpx2.PoolTimeout("All connections were in use for the time allowed."))
