"""The ledger: a row for each upstream call. Putting one never waits; one writer per process brings them to disk."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence, Set
from contextlib import suppress
from datetime import date, timedelta
from functools import lru_cache, partial
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text

from gateway.errors import StoreUnavailable
from gateway.store.connection import Connection
from gateway.store.ids import storable
from gateway.store.rows import LedgerRow
from gateway.store.schema import Word, ledger
from gateway.store.shared import DAY, Shared

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

FLUSH_SECONDS = 0.1
FAILED_SECONDS = 2.0
"""A store that refused rows is left alone so long; the rows wait in the queue."""

AT_ONCE = 1_000
"""Rows of one transaction."""

_COLUMNS = (*LedgerRow._fields, "day", "created")
_TEXT = tuple(isinstance(ledger.c[name].type, Text | Word) for name in _COLUMNS)
_INTO = f"INSERT INTO ledger ({', '.join(_COLUMNS)})"
_ROW = f"{_INTO} VALUES ({', '.join(f'${number}' for number in range(1, len(_COLUMNS) + 1))})"

Columns = Sequence[tuple[Any, ...]]
"""What rows say, for each of `_COLUMNS`: a value of each row or, where rows have never differed, one value."""


class Ledger:
    """The writer of this process."""

    def __init__(self, shared: Shared, log: FilteringBoundLogger) -> None:
        self._shared = shared
        self._now = shared.now
        self._enabled = shared.settings.enabled
        self._enough = shared.settings.ledger_batch
        self._room = shared.settings.ledger_queue
        self._log = log
        self._waiting: deque[tuple[int, LedgerRow]] = deque()
        self._hurry = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._differing: set[int] = set()
        """Columns in which rows have differed. They stay: each other set would be a statement that the driver keeps."""
        self._failing = False
        self._full = False
        self._closing = False
        self.lost = 0
        """Rows that the store did not take and the queue could not hold."""

    def put(self, row: LedgerRow) -> None:
        """Keep a row, soon. Never waits and never raises; call it in the event loop."""
        if not self._enabled:
            return
        waiting = len(self._waiting)
        if waiting >= self._room:
            self._lose(1, "the queue of usage rows is full (store.ledger_queue); further ones are lost")
            return
        self._waiting.append((self._now(), row))
        if waiting + 1 >= self._enough and not self._failing:
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
                await self._shared.database.write(partial(_insert, batch, self._differing))
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


async def _insert(batch: Sequence[tuple[int, LedgerRow]], differing: set[int], connection: Connection) -> None:
    # In the driver's own words: by name, and each value by its type, a row would cost many times as much.
    rows, columns = len(batch), _columns(batch, differing)
    if connection.dialect.paramstyle == "qmark":  # SQLite
        sql, values = _together(columns, rows, differing)
        await connection.exec_driver_sql(sql, values)
    else:  # PostgreSQL, whose driver sends all rows in one go
        whole = [column if len(column) == rows else column * rows for column in columns]
        await connection.exec_driver_sql(_ROW, list(zip(*whole, strict=True)))


def _columns(batch: Sequence[tuple[int, LedgerRow]], differing: set[int]) -> Columns:
    moments, rows = zip(*batch, strict=True)
    days = tuple([_day(moment // DAY) for moment in moments])
    columns = (*zip(*rows, strict=True), days, moments)
    differing.update([place for place, column in enumerate(columns) if column.count(column[0]) < len(column)])
    told = (column if place in differing else column[:1] for place, column in enumerate(columns))
    return [_storable(column) if text else column for column, text in zip(told, _TEXT, strict=True)]


def _storable(column: tuple[str | None, ...]) -> tuple[str | None, ...]:
    together = "".join(filter(None, column))
    if storable(together) == together:
        return column
    return tuple([value and storable(value) for value in column])


def _together(columns: Columns, rows: int, differing: Set[int]) -> tuple[str, tuple[Any, ...]]:
    """One statement of SQLite for all rows, and its parameters.

    With each statement SQLite lets other threads run several times, which is dear when they want to; most of the rest
    is what the driver does for each parameter.
    """
    size = 1 << (rows - 1).bit_length()  # one of few, so that the driver knows the statement already
    missing = (None,) * (size - rows)
    shared = tuple([place not in differing for place in range(len(columns))])
    values = [column if once else column + missing for column, once in zip(columns, shared, strict=True)]
    return _statement(shared, size), (*chain.from_iterable(values), rows)


@lru_cache(maxsize=32)
def _statement(shared: Sequence[bool], size: int) -> str:
    """Insert the first of `size` rows.

    Its parameters go column by column, one for what the rows share; the last is how many rows there are.
    """
    number = count(1)
    told, columns = [], []
    for once in shared:
        if once:
            told.append(f"?{next(number)}")
        else:
            columns.append([f"?{next(number)}" for _ in range(size)])
            told.append(f"column{len(columns)}")
    rows = zip(*columns, strict=True) if columns else [("NULL",)] * size
    values = ", ".join([f"({', '.join(row)})" for row in rows])
    return f"{_INTO} SELECT {', '.join(told)} FROM (VALUES {values}) LIMIT ?{next(number)}"  # noqa: S608 - only names and numbers


@lru_cache(maxsize=8)
def _day(number: int) -> str:
    """The name of a day, by its number since 1970."""
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()
