"""Leases: who runs what, and that he is alive. A process that stays silent for `LEASE` loses what it held.

Processes of several hosts compare times, so their clocks must agree within a few seconds.
"""

from __future__ import annotations

import asyncio

from sqlalchemy import and_, update

from gateway.errors import StoreUnavailable
from gateway.store.connection import Connection
from gateway.store.schema import conversations, responses
from gateway.store.shared import LEASE, Shared

RENEWALS = 3
"""In the life of a lease: one that fails does not lose it."""


class Leases:
    """The leases of this process, renewed together while it holds any."""

    def __init__(self, shared: Shared, *, every: float = LEASE / 1000 / RENEWALS) -> None:
        self._shared = shared
        self._every = every
        self._held: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def hold(self, name: str) -> None:
        """Renew it from now on, until `drop`."""
        self._held.add(name)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._keep())

    def drop(self, name: str) -> None:
        self._held.discard(name)

    def holds(self, name: str) -> bool:
        return name in self._held

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            if not self._held:
                return
            try:
                await self.renew()
            except StoreUnavailable:
                continue  # the next renewal may succeed; if not, others take over, as they should

    async def renew(self) -> None:
        """Prolong every lease of this process that it has not lost."""
        await self._set(self._shared.now() + LEASE)

    async def aclose(self) -> None:
        """Give everything back, so that others need not wait."""
        if self._task is not None:
            self._task.cancel()
        if self._held:
            await self._set(0)
            self._held.clear()

    async def _set(self, until: int) -> None:
        # By name: what was dropped without an end is to be found by others.
        names, holder = sorted(self._held), self._shared.holder
        running = and_(responses.c.id.in_(names), responses.c.completed.is_(None), responses.c.holder == holder)
        locked = and_(conversations.c.lock_holder == holder, conversations.c.lock_token.in_(names))

        async def work(connection: Connection) -> None:
            await connection.execute(update(responses).where(running).values(lease=until))
            await connection.execute(update(conversations).where(locked).values(lock_until=until))

        await self._shared.database.write(work)
