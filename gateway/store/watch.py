"""Waiting for what other processes do: one poller for each process, which looks only while somebody waits.

It asks two questions every 50 ms: do the followed responses have new frames, and are there new signals. What this
process wrote itself, and NOTIFY on PostgreSQL, wake it earlier; nothing depends on them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Text, bindparam, func, select, text

from gateway.store.connection import Connection
from gateway.store.faults import unavailable
from gateway.store.rows import Signal
from gateway.store.schema import events, responses, stream_frames
from gateway.store.shared import Shared, loaded

POLL_SECONDS = 0.05
FAILED_SECONDS = 1.0
"""A store that does not answer is asked less often."""
CHANNEL = "codex_gateway"
_AT_ONCE = 1_000

_NEW = select(events).where(events.c.seq > bindparam("seen")).order_by(events.c.seq).limit(_AT_ONCE)
_LAST = select(func.max(stream_frames.c.seq)).where(stream_frames.c.response_id == responses.c.id).scalar_subquery()
_HOW_FAR = select(responses.c.id, responses.c.completed, _LAST.label("last")).where(
    responses.c.id.in_(bindparam("the_keys", type_=Text, expanding=True))
)

Deliver = Callable[[Signal], None]
Follower = tuple[int, "asyncio.Future[None]"]


async def ring(connection: Connection) -> None:
    """Wake the pollers of other processes when this transaction is committed."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"NOTIFY {CHANNEL}"))


class Watch:
    """The poller of this process."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._followers: dict[str, list[Follower]] = {}
        self._listeners: set[Deliver] = set()
        self._seen = 0
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def changed(self, response: str, after: int) -> None:
        """Wait until the response has a frame beyond `after`, has ended, or cannot be asked about.

        Raises StoreUnavailable when the store is being closed.
        """
        if self._closed:
            raise unavailable("it is closed", self._shared.database.place.shown)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        follower = (after, future)
        self._followers.setdefault(response, []).append(follower)
        self._start()
        try:
            await future
        finally:
            others = self._followers.get(response, [])
            if follower in others:
                others.remove(follower)
            if not others:
                self._followers.pop(response, None)

    def touched(self, keys: Iterable[str]) -> None:
        """Wake those who follow these responses: this process has just committed something of theirs."""
        for key in keys:
            self._release(key)
        self._awake.set()

    async def listen(self, deliver: Deliver) -> None:
        """From now on give every new signal to `deliver`."""
        newest = (await self._shared.database.rows(select(func.max(events.c.seq))))[0][0] or 0
        if not self._listeners:
            self._seen = newest
        self._listeners.add(deliver)
        self._start()

    def forget(self, deliver: Deliver) -> None:
        self._listeners.discard(deliver)

    async def aclose(self) -> None:
        """Stop, and let go everybody who waits."""
        self._closed = True
        for key in list(self._followers):
            self._release(key)
        self._listeners.clear()
        self._awake.set()
        if self._task is not None:
            await self._task

    # the poller -------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._poll())

    async def _poll(self) -> None:
        bell = _Bell(self._shared, self._awake.set)
        try:
            while (self._followers or self._listeners) and not self._closed:
                pause = POLL_SECONDS
                self._awake.clear()
                try:
                    await bell.hang()
                    await self._look()
                except Exception:  # nobody may wait for ever because one question went wrong
                    pause = FAILED_SECONDS
                    for key in list(self._followers):  # what is wrong is said to them when they look
                        self._release(key)
                try:
                    await asyncio.wait_for(self._awake.wait(), pause)
                except TimeoutError:
                    continue
        finally:
            await bell.take_down()

    async def _look(self) -> None:
        if self._listeners:
            for row in await self._shared.database.rows(_NEW, {"seen": self._seen}):
                self._seen = row.seq
                signal = Signal(row.seq, row.owner, row.type, row.subject, loaded(row.body), row.created)
                for deliver in tuple(self._listeners):
                    deliver(signal)
        if self._followers:
            await self._look_for_frames()

    async def _look_for_frames(self) -> None:
        keys = list(self._followers)
        found = {row.id: row for row in await self._shared.database.rows(_HOW_FAR, {"the_keys": keys})}
        for key in keys:
            row = found.get(key)
            if row is None or row.completed is not None:
                self._release(key)
            elif row.last is not None:
                self._release(key, row.last)

    def _release(self, key: str, last: float = math.inf) -> None:
        """Let those go on who have not seen frame `last`."""
        for after, future in self._followers.get(key, ()):
            if after < last and not future.done():
                future.set_result(None)


class _Bell:
    """LISTEN on a connection of its own; nothing on SQLite."""

    def __init__(self, shared: Shared, ring: Callable[[], None]) -> None:
        self._database = shared.database
        self._ring = ring
        self._connection: Any = None
        self._hangs = False

    async def hang(self) -> None:
        """Listen, if that is not done already."""
        if not self._database.postgresql or (self._hangs and not self._connection.is_closed()):
            return
        await self.take_down()
        self._connection = await self._database.driver_connection()
        await self._connection.add_listener(CHANNEL, self._rung)
        self._hangs = True

    def _rung(self, *_: object) -> None:
        self._ring()

    async def take_down(self) -> None:
        self._hangs = False
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
