"""What the store holds: counts, and every row of a table. Secrets stay where they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Table, and_, func, or_, select, text

from gateway.store import versions
from gateway.store.connection import Connection
from gateway.store.database import Database
from gateway.store.place import Place
from gateway.store.rows import Json, Stats, TableStats
from gateway.store.schema import keys, metadata, secrets

TABLES = tuple(table.name for table in metadata.sorted_tables if table is not secrets)
"""What can be exported, parents before children."""

AT_ONCE = 500
_LEFT_OUT = {keys.c.hash}


async def stats(database: Database) -> Stats:
    """Counts and ages of every table."""
    return await database.read(partial(_stats, database.place))


async def _stats(place: Place, connection: Connection) -> Stats:
    _, version = await versions.look(connection)
    tables = []
    for name in TABLES:
        table = metadata.tables[name]
        query = select(func.count()).select_from(table)
        if "created" in table.c:
            query = query.add_columns(func.min(table.c.created), func.max(table.c.created))
        row = (*(await connection.execute(query)).one(), None, None)
        tables.append(TableStats(table=name, rows=row[0], oldest=row[1], newest=row[2]))
    if place.file is None:
        size = (await connection.execute(text("SELECT pg_database_size(current_database())"))).scalar_one()
    else:
        size = sum(part.stat().st_size for part in _parts(place.file) if part.exists())
    return Stats(place=place.shown, schema=version or "", size=size, tables=tables)


async def export(database: Database, name: str) -> AsyncIterator[Json]:
    """Every row of a table, as columns and values; JSON stays text, bytes become text.

    Raises KeyError for a table that is not in `TABLES`.
    """
    if name not in TABLES:
        raise KeyError(name)
    table = metadata.tables[name]
    after: tuple[Any, ...] | None = None
    while True:
        rows = await database.rows(_part(table, after))
        for row in rows:
            yield {column.name: _plain(row._mapping[column]) for column in table.c if column not in _LEFT_OUT}
        if len(rows) < AT_ONCE:
            return
        after = tuple(rows[-1]._mapping[column] for column in table.primary_key.columns)


def _part(table: Table, after: tuple[Any, ...] | None) -> Any:
    """The next rows in the order of the key. No offset: it would read everything before it again."""
    columns = list(table.primary_key.columns)
    query = select(table).order_by(*columns).limit(AT_ONCE)
    if after is None:
        return query
    beyond = [
        and_(
            *(column == value for column, value in zip(columns[:index], after, strict=False)),
            columns[index] > after[index],
        )
        for index in range(len(columns))
    ]
    return query.where(or_(*beyond))


def _parts(file: Path) -> tuple[Path, ...]:
    return file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")


def _plain(value: object) -> object:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else value
