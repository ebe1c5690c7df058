"""The tables on disk: made, brought up to date by one of many, and what the schema says they are."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from gateway.errors import StoreUnavailable
from gateway.store import Store, versions
from gateway.store.check import check
from gateway.store.migrate import upgrade
from gateway.store.schema import VERSION, metadata
from gateway.store.versions import MIGRATIONS, judge
from tests.store.home import OWNER, Home, answer, message, response
from tests.store.postgres import Server

ROOT = Path(__file__).parents[2]
_numbers = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """A place without any tables."""
    if request.param == "sqlite":
        return Home("", tmp_path)
    server: Server = request.getfixturevalue("postgres")
    name = f"bare{next(_numbers)}"
    server.sql(f"CREATE DATABASE {name}")
    return Home(server.url(name), tmp_path)


@pytest.fixture
def tomorrow(tmp_path: Path) -> Path:
    """The migrations, and one more that a newer gateway would bring."""
    copy = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "versions" / "v0002_more.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        'revision = "0002"\n'
        'down_revision = "0001"\n'
        "def upgrade():\n"
        '    op.add_column("responses", sa.Column("colour", sa.Text(), server_default="red", nullable=False))\n'
    )
    return copy


async def bring_up(store: Store, migrations: Path, version: str = "0002", *, busy: float = 30) -> None:
    driver = store.database._driver
    assert driver is not None
    await versions.bring_up_to_date(driver, store.database.place, busy, ours=version, migrations=migrations)


@pytest.mark.proves("STORE-migrations")
async def test_the_tables_are_those_of_the_schema(bare: Home) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))

    async with bare.store() as store:
        assert await store.database.read(lambda connection: connection.run_sync(differences)) == []


@pytest.mark.proves("STORE-migrations")
async def test_every_index_that_queries_count_on_is_on_disk(bare: Home) -> None:
    def indexes(connection: Connection) -> set[str]:
        found = inspect(connection)
        return {str(index["name"]) for name in found.get_table_names() for index in found.get_indexes(name)}

    wanted = {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    async with bare.store() as store:
        assert wanted - await store.database.read(lambda connection: connection.run_sync(indexes)) == set()


@pytest.mark.proves("STORE-migrations")
async def test_an_older_store_is_brought_up_to_date_with_all_it_holds(bare: Home, tomorrow: Path) -> None:
    async with bare.store() as store:
        await store.responses.save(response("resp_a"), [message("q"), answer("a")])
        await bring_up(store, tomorrow)
        found = await store.responses.response(OWNER, "resp_a")
        assert found is not None
        assert len(found.result["output"]) == 1
        assert (await store.database.rows(text("SELECT colour FROM responses")))[0].colour == "red"
        assert await store.database.read(partial(versions.look, ours="0002")) == ("current", "0002")
    # And this gateway, which is the older one now, leaves it alone.
    with pytest.raises(StoreUnavailable, match="version 0002, and this gateway knows versions up to 0001"):
        async with bare.store():
            pass
    with pytest.raises(StoreUnavailable, match="0002"):
        await check(bare.settings(), bare.workdir)


@pytest.mark.proves("STORE-migrations")
async def test_a_migration_that_fails_changes_nothing(bare: Home, tomorrow: Path) -> None:
    (tomorrow / "versions" / "v0003_bad.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        'revision = "0003"\n'
        'down_revision = "0002"\n'
        "def upgrade():\n"
        '    op.create_table("half", sa.Column("id", sa.Text()))\n'
        '    raise RuntimeError("in the middle")\n'
    )
    async with bare.store() as store:
        with pytest.raises(RuntimeError, match="in the middle"):
            await bring_up(store, tomorrow, "0003")
        assert await store.database.read(versions.look) == ("current", VERSION)
        tables = await store.database.read(
            lambda connection: connection.run_sync(lambda sync: inspect(sync).get_table_names())
        )
        assert "half" not in tables


def described(connection: Connection) -> object:
    """Everything that the tables are, whatever the order it was made in."""
    found = inspect(connection)
    tables: dict[str, object] = {}
    for name in sorted(found.get_table_names()):
        parts: list[list[object]] = [
            [{**column, "type": str(column["type"])} for column in found.get_columns(name)],
            [found.get_pk_constraint(name)],
            list(found.get_foreign_keys(name)),
            list(found.get_unique_constraints(name)),
            list(found.get_check_constraints(name)),
            [
                {**index, "dialect_options": {key: str(value) for key, value in index["dialect_options"].items()}}
                for index in found.get_indexes(name)
            ],
        ]
        tables[name] = [sorted(map(repr, part)) for part in parts]
    if connection.dialect.name == "sqlite":
        counted = connection.execute(text("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'"))
        tables["counted"] = sorted(counted.scalars())
    return tables


@pytest.mark.proves("STORE-migrations")
async def test_tables_that_are_made_at_once_are_those_that_the_migrations_make(bare: Home) -> None:
    async with bare.store() as store:
        made = await store.database.read(lambda connection: connection.run_sync(described))

        def make_again(connection: Connection) -> None:
            for table in (*reversed(metadata.sorted_tables), versions._version):
                table.drop(connection)
            upgrade(VERSION, MIGRATIONS, connection)

        await store.database.write(lambda connection: connection.run_sync(make_again))
        assert await store.database.read(lambda connection: connection.run_sync(described)) == made
        assert (await store.stats()).schema == VERSION
    assert "logged" in str(made)


@pytest.mark.proves("STORE-migrations")
async def test_of_many_that_migrate_at_once_one_does(bare: Home, tomorrow: Path) -> None:
    async with bare.store() as store, bare.store() as other:
        await asyncio.gather(*(bring_up(each, tomorrow) for each in (store, other)))
        assert await store.database.read(partial(versions.look, ours="0002")) == ("current", "0002")


@pytest.mark.proves("STORE-migrations", "STORE-unavailable")
async def test_a_migration_that_cannot_have_the_lock_says_so(tmp_path: Path, tomorrow: Path) -> None:
    async with Home("", tmp_path).store() as store:
        blocker = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="another process holds the lock") as raised:
            await bring_up(store, tomorrow, busy=0.1)
        assert str(tmp_path) in raised.value.detail
        blocker.close()


@pytest.mark.proves("STORE-migrations")
async def test_many_that_start_at_once_make_the_tables_once(bare: Home) -> None:
    async def start(number: int) -> None:
        async with bare.store() as store:
            await store.responses.save(response(f"resp_{number}"), [])

    await asyncio.gather(*(start(number) for number in range(6)))
    async with bare.store() as store:
        assert (await store.stats()).schema == VERSION
        for number in range(6):
            assert await store.responses.response(OWNER, f"resp_{number}") is not None


@pytest.mark.proves("STORE-migrations")
def test_versions_are_judged_by_their_order() -> None:
    assert judge(None, tables=False) == "new"
    assert judge(None, tables=True) == "foreign"
    assert judge(VERSION, tables=True) == "current"
    assert judge("0000", tables=True) == "older"
    assert judge("9999", tables=True) == "newer"


PLAIN = """
import asyncio, sys
from pathlib import Path
import gateway.store, gateway.store.rows
assert "sqlalchemy" not in sys.modules
from gateway.config import Store as Settings
from tests.store.home import answer, message, response
async def main():
    async with gateway.store.Store(Settings(), Path(sys.argv[1])) as store:
        await store.responses.save(response("resp_a"), [message("q"), answer("a", id="msg_a")])
        await store.responses.response("o", "resp_a")
        await store.idempotency.claim("o", "k", "h", "resp_b")
asyncio.run(main())
for name in ("alembic", "asyncpg", "sqlalchemy.orm", "sqlalchemy.ext.asyncio", "sqlalchemy.dialects.postgresql"):
    print(name if name in sys.modules else "-")
"""


@pytest.mark.proves("STORE-cheap")
def test_a_start_imports_nothing_that_sqlite_does_not_need(tmp_path: Path) -> None:
    for _ in range(2):  # the first makes the tables
        done = subprocess.run(
            [sys.executable, "-c", PLAIN, str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stdout == "-\n" * 5


def test_the_package_has_no_other_names() -> None:
    import gateway.store

    with pytest.raises(AttributeError, match="Shop"):
        _ = gateway.store.Shop
