"""PostgreSQL: a pool of connections in the event loop. Imported when `store.url` names one: it brings the ORM."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.store.connection import Result, Work
from gateway.store.faults import RETRIED, sqlstate
from gateway.store.place import Place

CONNECTIONS = 8
"""Connections of one process."""
ATTEMPTS = 4
"""Runs of a transaction that other writers made fail."""


class PostgreSQL:
    """A database, open. `busy`: seconds to wait for the server."""

    def __init__(self, place: Place, busy: float) -> None:
        self._writer = _engine(place, busy)
        self._reader = self._writer.execution_options(isolation_level="AUTOCOMMIT")
        self.engine = self._writer.sync_engine

    async def prepare(self) -> None:
        """Nothing: connections are made when they are needed."""

    async def read(self, work: Work[Result]) -> Result:
        """Run `work`, each of whose queries sees what was committed when it began."""
        async with self._reader.connect() as connection:
            return await work(connection)

    def write(self, work: Work[Result]) -> asyncio.Future[Result]:
        """Run `work` in a transaction, which goes on even if nobody waits for it any more."""
        return asyncio.ensure_future(self._write(work))

    async def driver_connection(self) -> Any:
        """A connection of the driver's own, outside the pool, which the caller has to close."""
        raw = await self._writer.raw_connection()
        driver = raw.driver_connection
        raw.detach()
        return driver

    async def aclose(self) -> None:
        await self._writer.dispose()

    async def _write(self, work: Work[Result]) -> Result:
        attempt = 1
        while True:
            try:
                async with self._writer.begin() as connection:
                    return await work(connection)
            except DBAPIError as error:
                if sqlstate(error) not in RETRIED or attempt == ATTEMPTS:
                    raise
            attempt += 1


def _engine(place: Place, busy: float) -> AsyncEngine:
    return create_async_engine(
        place.url,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={"timeout": busy, "server_settings": {"application_name": "codex-gateway"}},
    )
