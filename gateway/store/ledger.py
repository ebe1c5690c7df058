"""The ledger: a row for each upstream call. Putting one never waits; one writer per process brings them to disk."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from functools import cache, lru_cache, partial
from itertools import chain, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert
from sqlalchemy.engine import Dialect

from gateway.errors import StoreUnavailable
from gateway.store.connection import Connection
from gateway.store.ids import storable
from gateway.store.rows import LedgerRow
from gateway.store.schema import ledger
from gateway.store.shared import DAY, Shared

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

FLUSH_SECONDS = 0.1
FAILED_SECONDS = 2.0
"""A store that refused rows is left alone so long; the rows wait in the queue."""

AT_ONCE = 1_000
"""Rows of one transaction."""

_COLUMNS = tuple(column.name for column in ledger.c if not column.primary_key)
_VALUES = attrgetter(*(name for name in _COLUMNS if name not in ("day", "created")))
_INSERT = insert(ledger)
_SIZES = (500, 100, 20)
"""Rows of one statement, as many as can be had: after each row of its own SQLite lets other threads run, which is dear
when they want to."""
_made: dict[str, str] = {}


class Ledger:
    """The writer of this process."""

    def __init__(self, shared: Shared, log: FilteringBoundLogger) -> None:
        self._shared = shared
        self._log = log
        self._waiting: deque[tuple[int, LedgerRow]] = deque()
        self._hurry = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._failing = False
        self._full = False
        self._closing = False
        self.lost = 0
        """Rows that the store did not take and the queue could not hold."""

    def put(self, row: LedgerRow) -> None:
        """Keep a row, soon. Never waits and never raises; call it in the event loop."""
        settings = self._shared.settings
        if not settings.enabled:
            return
        if len(self._waiting) >= settings.ledger_queue:
            self._lose(1, "the queue of usage rows is full (store.ledger_queue); further ones are lost")
            return
        self._waiting.append((self._shared.now(), row))
        if len(self._waiting) >= settings.ledger_batch and not self._failing:
            self._hurry.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write())

    async def flush(self) -> None:
        """Write what waits now; what the store cannot take waits on.

        What comes meanwhile is for the next time: under load this would never end, with a transaction for each row.
        """
        left = len(self._waiting)
        while left > 0 and await self._commit():
            left -= AT_ONCE

    async def aclose(self) -> None:
        """Write what waits. What the store cannot take now is lost."""
        self._closing = True
        self._hurry.set()
        await self.flush()
        if self._task is not None:
            await self._task
        if self._waiting:
            self._lose(len(self._waiting), "usage rows were lost, because the store cannot be used")

    async def _write(self) -> None:
        """Write until nothing waits; then end, so that an idle gateway does nothing."""
        while self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), FAILED_SECONDS if self._failing else FLUSH_SECONDS)
            self._hurry.clear()
            await self.flush()
            if self._failing and self._closing:
                return

    async def _commit(self) -> bool:
        """Write the oldest rows; False when the store cannot take them now."""
        async with self._writing:
            return await self._commit_alone(list(islice(self._waiting, AT_ONCE)))

    async def _commit_alone(self, batch: Sequence[tuple[int, LedgerRow]]) -> bool:
        try:
            if batch:
                await self._shared.database.write(partial(_insert, batch))
        except StoreUnavailable as error:
            if not self._failing:
                self._log.error("usage rows wait for the store", reason=error.message, detail=error.detail)
            self._failing = True
            return False
        except Exception as error:
            # A row that no database takes must not hold up all others.
            self._lose(len(batch), f"usage rows were refused: {type(error).__name__}: {error}")
        else:
            self._failing = self._full = False
        for _ in batch:
            self._waiting.popleft()
        return True

    def _lose(self, count: int, reason: str) -> None:
        self.lost += count
        if not self._full:
            self._log.error(reason)
        self._full = True


async def _insert(batch: Sequence[tuple[int, LedgerRow]], connection: Connection) -> None:
    # The driver's own words: by name, and each value by its type, a row would cost three times as much.
    rows = [_values(created, row) for created, row in batch]
    sql = _sql(connection.dialect)
    if connection.dialect.paramstyle == "qmark":  # SQLite; the drivers of PostgreSQL number their parameters
        for size in _SIZES:
            while len(rows) >= size:
                part, rows = rows[:size], rows[size:]
                await connection.exec_driver_sql(_repeated(sql, size), tuple(chain.from_iterable(part)))
    if rows:
        await connection.exec_driver_sql(sql, rows)


def _sql(dialect: Dialect) -> str:
    """The statement in the words of a driver, with its parameters in the order of `_COLUMNS`, the table's own."""
    if dialect.name not in _made:
        _made[dialect.name] = str(_INSERT.compile(dialect=dialect, column_keys=_COLUMNS))
    return _made[dialect.name]


@cache
def _repeated(sql: str, rows: int) -> str:
    """The statement for so many rows."""
    insertion, _, values = sql.partition(" VALUES ")
    return f"{insertion} VALUES {', '.join([values] * rows)}"


def _values(created: int, row: LedgerRow) -> tuple[Any, ...]:
    told = [storable(value) if type(value) is str else value for value in _VALUES(row)]
    return (*told, _day(created // DAY), created)


@lru_cache(maxsize=8)
def _day(number: int) -> str:
    """The name of a day, by its number since 1970."""
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()
