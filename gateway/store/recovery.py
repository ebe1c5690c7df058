"""After a crash: what a dead process was running is ended, what it had queued is handed out again. Once each.

Every process does this for all others; a lease that was not renewed says that its holder is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select, update

from gateway.errors import StoreUnavailable
from gateway.store.connection import Connection
from gateway.store.leases import Leases
from gateway.store.responses import Responses
from gateway.store.rows import Ending, Interrupted, StoredResponse
from gateway.store.schema import responses, stream_frames
from gateway.store.shared import LEASE, Shared

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

Finisher = Callable[[Interrupted], Awaitable[Ending]]
"""Says how an interrupted response ends; it may read the response's log."""
Starter = Callable[[StoredResponse], None]
"""Starts a queued response, which this process now holds."""

LOOK_SECONDS = 5.0
AT_ONCE = 20


class Recovery:
    """Takes over what dead processes left."""

    def __init__(self, shared: Shared, every: Responses, leases: Leases, log: FilteringBoundLogger) -> None:
        self._shared = shared
        self._log = log
        self._responses = every
        self._leases = leases

    async def keep(self, *, finisher: Finisher, starter: Starter) -> None:
        """Look for left work now and then, for ever. A store that fails is asked again."""
        while True:
            try:
                while len(await self.end_interrupted(finisher)) == AT_ONCE:
                    pass  # a process that died may leave many
                for response in await self.claim_queued():
                    starter(response)
            except StoreUnavailable:
                pass  # said by every request that needs the store; here there is nobody to tell
            except Exception:  # one row that nobody foresaw must not end the care for all others
                self._log.exception("what dead processes left could not be looked at")
            await asyncio.sleep(LOOK_SECONDS)

    async def end_interrupted(self, finisher: Finisher) -> list[str]:
        """End the responses whose process died; returns their keys. No two processes end the same one."""
        ended = []
        for key in await self._left("in_progress"):
            if not await self._take(key, "in_progress"):
                continue
            response = await self._responses.by_key(key)
            last = select(func.max(stream_frames.c.seq)).where(stream_frames.c.response_id == key)
            newest = (await self._shared.database.rows(last))[0][0]
            assert response is not None
            try:
                ending = await finisher(Interrupted(response, -1 if newest is None else newest))
                done = await self._responses.finish(key, ending)
            except Exception:
                self._leases.drop(key)
                self._log.exception("an interrupted response could not be ended", response=key)
                continue
            if done:
                ended.append(key)
        return ended

    async def claim_queued(self) -> list[StoredResponse]:
        """Queued responses that nobody holds any more, now held by this process, oldest first. Each is given once."""
        claimed = []
        for key in await self._left("queued"):
            if await self._take(key, "queued"):
                response = await self._responses.by_key(key)
                assert response is not None
                claimed.append(response)
        return claimed

    async def _left(self, status: str) -> list[str]:
        query = (
            select(responses.c.id)
            .where(
                responses.c.completed.is_(None), responses.c.lease < self._shared.now(), responses.c.status == status
            )
            .order_by(responses.c.id)
            .limit(AT_ONCE)
        )
        found = [row.id for row in await self._shared.database.rows(query)]
        # Not what runs here: after a pause of the whole machine its renewal is only late.
        return [key for key in found if not self._leases.holds(key)]

    async def _take(self, key: str, status: str) -> bool:
        """Become its holder, unless it has one that lives."""
        now = self._shared.now()
        left = and_(
            responses.c.id == key,
            responses.c.completed.is_(None),
            responses.c.status == status,
            responses.c.lease < now,
        )
        holding = update(responses).where(left).values(holder=self._shared.holder, lease=now + LEASE)

        async def work(connection: Connection) -> bool:
            return (await connection.execute(holding)).rowcount == 1

        taken = await self._shared.database.write(work)
        if taken:
            self._leases.hold(key)
        return taken
