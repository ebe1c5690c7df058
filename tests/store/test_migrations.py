"""The tables on disk: made, brought up to date by one of many, and what the schema says they are."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from gateway.errors import StoreUnavailable
from gateway.store import Store, versions
from gateway.store.check import check
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


async def bring_up(store: Store, migrations: Path, version: str = "0002") -> None:
    writer, reader = store.database._writer, store.database._reader
    assert writer is not None
    assert reader is not None
    await versions.bring_up_to_date(reader, writer, "here", ours=version, migrations=migrations)


@pytest.mark.proves("STORE-migrations")
async def test_the_tables_are_those_of_the_schema(bare: Home) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))

    async with bare.store() as store, store.database.reading() as connection:
        assert await connection.run_sync(differences) == []


@pytest.mark.proves("STORE-migrations")
async def test_every_index_that_queries_count_on_is_on_disk(bare: Home) -> None:
    def indexes(connection: Connection) -> set[str]:
        found = inspect(connection)
        return {str(index["name"]) for name in found.get_table_names() for index in found.get_indexes(name)}

    wanted = {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    async with bare.store() as store, store.database.reading() as connection:
        assert wanted - await connection.run_sync(indexes) == set()


@pytest.mark.proves("STORE-migrations")
async def test_an_older_store_is_brought_up_to_date_with_all_it_holds(bare: Home, tomorrow: Path) -> None:
    async with bare.store() as store:
        await store.responses.save(response("resp_a"), [message("q"), answer("a")])
        await bring_up(store, tomorrow)
        found = await store.responses.response(OWNER, "resp_a")
        assert found is not None
        assert len(found.result["output"]) == 1
        async with store.database.reading() as connection:
            assert (await connection.execute(text("SELECT colour FROM responses"))).scalar_one() == "red"
            assert await versions.look(connection, "0002") == ("current", "0002")
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
        with pytest.raises(RuntimeError):
            await bring_up(store, tomorrow, "0003")
        async with store.database.reading() as connection:
            assert await versions.look(connection) == ("current", VERSION)
            tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        assert "half" not in tables


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
async def main():
    async with gateway.store.Store(Settings(), Path(sys.argv[1])) as store:
        await store.responses.response("o", "resp_a")
    print("alembic" in sys.modules)
asyncio.run(main())
"""


@pytest.mark.proves("STORE-cheap")
def test_alembic_is_imported_by_the_first_start_only(tmp_path: Path) -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", PLAIN, str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert told == ["True\n", "False\n"]


def test_the_package_has_no_other_names() -> None:
    import gateway.store

    with pytest.raises(AttributeError, match="Shop"):
        _ = gateway.store.Shop
