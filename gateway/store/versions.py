"""The version of the tables, and bringing them up to date. Alembic is imported only when something has to be done."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Text, column, inspect, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.store.faults import unavailable
from gateway.store.schema import VERSION

MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK = 7_061_990_413
"""The advisory lock of PostgreSQL that says: tables are being made. Any number that others do not use."""

_recorded = select(column("version_num", Text)).select_from(table("alembic_version"))

State = Literal["new", "older", "current", "newer", "foreign"]


def judge(version: str | None, *, tables: bool, ours: str = VERSION) -> State:
    """What to do with a database of this version; None is one without. `tables`: it holds tables already."""
    if version is None:
        return "foreign" if tables else "new"
    return "current" if version == ours else "older" if version < ours else "newer"


async def look(connection: AsyncConnection, ours: str = VERSION) -> tuple[State, str | None]:
    """What is there, and the recorded version."""
    names = await connection.run_sync(_tables)
    version = None
    if "alembic_version" in names:
        version = (await connection.execute(_recorded)).scalar_one_or_none()
    # A PostgreSQL database may be shared with other programs; a file is not.
    others = connection.dialect.name == "sqlite" and bool(names - {"alembic_version"})
    return judge(version, tables=others, ours=ours), version


async def bring_up_to_date(
    reader: AsyncEngine, writer: AsyncEngine, place: str, *, ours: str = VERSION, migrations: Path = MIGRATIONS
) -> None:
    """Make or change the tables, if need be; several processes may do so at the same time.

    Raises StoreUnavailable when they are of a newer gateway, or of another program.
    """
    async with reader.connect() as connection:
        state, version = await look(connection, ours)
    refuse(state, version, place, ours)
    if state == "current":
        return
    async with writer.begin() as connection:
        if connection.dialect.name == "postgresql":  # on SQLite the transaction holds the only lock
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        state, version = await look(connection, ours)
        refuse(state, version, place, ours)
        if state != "current":
            await connection.run_sync(_migrate, ours, migrations)


def refuse(state: State, version: str | None, place: str, ours: str = VERSION) -> None:
    """Raises StoreUnavailable for tables that this gateway must not touch."""
    if state == "newer":
        raise unavailable(
            f"its tables are of version {version}, and this gateway knows versions up to {ours}. "
            "Run the newer gateway, or set store.url to another place",
            place,
        )
    if state == "foreign":
        raise unavailable("it holds the tables of another program. Set store.url to another place", place)


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _migrate(connection: Connection, ours: str, migrations: Path) -> None:
    from alembic import command  # noqa: PLC0415 - 20 MiB that most starts do not need
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, ours)
