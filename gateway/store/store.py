"""The store of one process: opens and closes its parts, and sweeps now and then."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gateway.errors import StoreUnavailable
from gateway.logs import get_logger
from gateway.store import export, retention
from gateway.store.completions import Completions
from gateway.store.conversations import Conversations
from gateway.store.database import Database
from gateway.store.faults import unavailable
from gateway.store.frames import FrameLog
from gateway.store.idempotency import Idempotency
from gateway.store.ids import Ulids
from gateway.store.leases import Leases
from gateway.store.ledger import Ledger
from gateway.store.place import place_of
from gateway.store.recovery import Recovery
from gateway.store.responses import Responses
from gateway.store.rows import Json, Stats
from gateway.store.shared import Shared
from gateway.store.signals import Signals
from gateway.store.watch import Watch

if TYPE_CHECKING:
    from gateway.config import Store as Settings

SWEEP_SECONDS = 600.0
FIRST_SWEEP_SECONDS = 30.0
"""After the start: not in its way, and not too late for gateways that are restarted often."""


class Store:
    """Everything that is kept. Its parts raise StoreUnavailable while it cannot be used; `ledger.put` never does.

    `now`: seconds since 1970. `randomness`: that many random bytes. `clock`: seconds that only go forward.
    """

    def __init__(
        self,
        settings: Settings,
        workdir: Path,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        randomness: Callable[[int], bytes] = os.urandom,
    ) -> None:
        def milliseconds() -> int:
            return int(now() * 1000)

        self._settings = settings
        self.new_id = Ulids(milliseconds, randomness)
        """Makes the body of a new id: 26 characters, ascending."""
        place = place_of(settings.url.get_secret_value(), workdir)
        self.database = Database(place, busy=settings.busy_seconds, clock=clock)
        self._shared = Shared(self.database, settings, self.new_id, milliseconds, holder=self.new_id())
        self._watch = Watch(self._shared)
        self._leases = Leases(self._shared)
        self.signals = Signals(self._shared, self._watch)
        self.responses = Responses(self._shared, watch=self._watch, signals=self.signals, leases=self._leases)
        self.conversations = Conversations(self._shared, self._leases)
        self.completions = Completions(self._shared)
        self.frames = FrameLog(self._shared, self._watch)
        log = get_logger("gateway.store")
        self.recovery = Recovery(self._shared, self.responses, self._leases, log)
        self.idempotency = Idempotency(self._shared)
        self.ledger = Ledger(self._shared, log)
        self._sweeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, and bring the tables up to date; from then on what is over is swept every ten minutes.

        Raises StoreUnavailable. The store may be used even so: it tries again when somebody needs it.
        """
        if not self._settings.enabled:
            raise unavailable("it is switched off (store.enabled)", self.database.place.shown)
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep_often())
        await self.database.open()

    async def aclose(self) -> None:
        """Write what waits, give back what this process holds, and close."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
        await self.ledger.aclose()
        await self.frames.aclose()
        await self._watch.aclose()
        with contextlib.suppress(StoreUnavailable):  # then the leases end by themselves
            await self._leases.aclose()
        await self.database.aclose()

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def sweep(self) -> dict[str, int]:
        """Delete what is over; how many rows of each table."""
        return await retention.sweep(self._shared)

    async def stats(self) -> Stats:
        return await export.stats(self.database)

    def export(self, table: str) -> AsyncIterator[Json]:
        """Every row of one of `export.TABLES`, secrets left out."""
        return export.export(self.database, table)

    async def _sweep_often(self) -> None:
        pause = FIRST_SWEEP_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = SWEEP_SECONDS
            with contextlib.suppress(StoreUnavailable):
                await self.sweep()
