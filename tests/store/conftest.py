"""The same tests on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.config import Store as Settings
from gateway.store import Store
from gateway.store.connection import Connection
from gateway.store.schema import metadata
from tests.store.home import Home
from tests.store.postgres import Server, server

DATABASE = "contract"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


@pytest.fixture(scope="session")
def postgres_url(postgres: Server) -> str:
    """A database with tables."""
    postgres.sql(f"CREATE DATABASE {DATABASE}")
    url = postgres.url(DATABASE)

    async def make_tables() -> None:
        async with Store(Settings.model_validate({"url": url}), Path()):
            pass

    asyncio.run(make_tables())
    return url


async def _empty(home: Home) -> None:
    async def work(connection: Connection) -> None:
        await connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE"))

    async with home.store() as store:
        await store.database.write(work)


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """An empty store's place, in each kind of database."""
    if request.param == "sqlite":
        return Home("", tmp_path)
    place = Home(request.getfixturevalue("postgres_url"), tmp_path)
    asyncio.run(_empty(place))
    return place


@pytest.fixture
async def store(home: Home) -> AsyncIterator[Store]:
    async with home.store() as opened:
        yield opened


@pytest.fixture
async def other(home: Home, store: Store) -> AsyncIterator[Store]:
    """Another process on the same store."""
    async with home.store() as opened:
        yield opened
