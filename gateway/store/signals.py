"""Signals between processes: rows of `events`, read in the order of their numbers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import insert, text

from gateway.store.connection import Connection
from gateway.store.rows import Json, Signal
from gateway.store.schema import events
from gateway.store.shared import Shared, dumped
from gateway.store.watch import Watch, ring

WAITING = 1_000
"""Signals that a listener may leave unread; then the oldest are lost."""

_LOCK = 7_061_990_414
_INSERT = insert(events)


async def put(
    connection: Connection,
    shared: Shared,
    *,
    owner: str,
    type: str,  # noqa: A002 - the column
    subject: str,
    body: Json,
) -> None:
    """Write a signal as a part of this transaction."""
    if connection.dialect.name == "postgresql":
        # Numbers are given before the commit. Without this lock a reader could see 6 before 5, and then never see 5.
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    row = {"owner": owner, "type": type, "subject": subject, "body": dumped(body), "created": shared.now()}
    await connection.execute(_INSERT, row)
    await ring(connection)


class Listener:
    """The signals that one waiter asked for."""

    def __init__(self, wanted: dict[str, str]) -> None:
        self._wanted = wanted
        self._waiting: deque[Signal] = deque(maxlen=WAITING)
        self._arrived = asyncio.Event()

    def deliver(self, signal: Signal) -> None:
        if all(getattr(signal, name) == value for name, value in self._wanted.items()):
            self._waiting.append(signal)
            self._arrived.set()

    async def next(self) -> Signal:
        """Wait for the next one."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()


class Signals:
    """Send to, and hear from, every process that uses the store."""

    def __init__(self, shared: Shared, watch: Watch) -> None:
        self._shared = shared
        self._watch = watch

    async def send(self, owner: str, type: str, subject: str = "", body: Json | None = None) -> None:  # noqa: A002 - the column
        """Tell every listener, here and elsewhere."""

        async def work(connection: Connection) -> None:
            await put(connection, self._shared, owner=owner, type=type, subject=subject, body=body or {})

        await self._shared.database.write(work)
        self._watch.touched(())

    @asynccontextmanager
    async def listen(self, **wanted: str) -> AsyncIterator[Listener]:
        """Hear signals whose `owner`, `type` and `subject` are as wanted, from now on."""
        listener = Listener(wanted)
        await self._watch.listen(listener.deliver)
        try:
            yield listener
        finally:
            self._watch.forget(listener.deliver)
