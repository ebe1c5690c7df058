"""The version of the tables, and bringing them up to date.

An empty database gets the tables of `schema` at once, with the newest version. Migrations are for those that hold
something: a process of its own runs them, so that Alembic does not stay in the memory of one that serves for weeks.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, select, text
from sqlalchemy import Connection as SyncConnection

from gateway.store.connection import Connection
from gateway.store.faults import unavailable
from gateway.store.place import Place
from gateway.store.schema import VERSION, metadata

if TYPE_CHECKING:
    from gateway.store.database import Driver

MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK = 7_061_990_413
"""The advisory lock of PostgreSQL that says: tables are being made. Any number that others do not use."""

_versions = MetaData()
_version = Table(
    "alembic_version",
    _versions,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""As Alembic makes it."""

State = Literal["new", "older", "current", "newer", "foreign"]


def judge(version: str | None, *, tables: bool, ours: str = VERSION) -> State:
    """What to do with a database of this version; None is one without. `tables`: it holds tables already."""
    if version is None:
        return "foreign" if tables else "new"
    return "current" if version == ours else "older" if version < ours else "newer"


async def look(connection: Connection, ours: str = VERSION) -> tuple[State, str | None]:
    """What is there, and the recorded version."""
    names = await connection.run_sync(_tables)
    version = None
    if _version.name in names:
        version = (await connection.execute(select(_version.c.version_num))).scalar_one_or_none()
    # A PostgreSQL database may be shared with other programs; a file is not.
    others = connection.dialect.name == "sqlite" and bool(names - {_version.name})
    return judge(version, tables=others, ours=ours), version


async def bring_up_to_date(
    driver: Driver, place: Place, busy: float, *, ours: str = VERSION, migrations: Path = MIGRATIONS
) -> None:
    """Make or change the tables, if need be; several processes may do so at the same time.

    Raises StoreUnavailable when they are of a newer gateway, or of another program, and RuntimeError when a migration
    fails by its own mistake.
    """
    state = await _judged(driver, place, ours)
    if state == "new":
        await driver.write(make)
        state = await _judged(driver, place, ours)
    if state == "older":
        from gateway.store import migrate  # noqa: PLC0415 - once in a year

        await migrate.elsewhere(migrate.Order(place, busy, ours, migrations))
        await _judged(driver, place, ours)


async def _judged(driver: Driver, place: Place, ours: str) -> State:
    state, version = await driver.read(partial(look, ours=ours))
    refuse(state, version, place.shown, ours)
    return state


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


async def make(connection: Connection) -> None:
    """Make the tables of today, unless another process has been faster."""
    await lock(connection)
    state, _ = await look(connection)
    if state == "new":
        await connection.run_sync(_make)


async def lock(connection: Connection) -> None:
    """Let nobody else make or change tables until this transaction ends. On SQLite it holds the only lock already."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))


def _tables(connection: SyncConnection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _make(connection: SyncConnection) -> None:
    metadata.create_all(connection, checkfirst=False)
    _versions.create_all(connection)  # which may be there, and empty
    connection.execute(insert(_version).values(version_num=VERSION))
