"""Fixtures of the tests with real programs. A gateway is shared by all tests of its mode, the Node process by all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import pytest_asyncio

from tests.clients.node import Node, started
from tests.clients.served import Served, served
from tests.live.stack import MODES, Mode


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def node() -> AsyncIterator[Node]:
    async with started() as process:
        yield process


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=MODES, ids=lambda mode: mode.name)
async def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, node: Node
) -> AsyncIterator[Served]:
    """A running gateway."""
    async with served(request.param, tmp_path_factory.mktemp(request.param.name), node) as gateway:
        yield gateway


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(shared: Served) -> AsyncIterator[Served]:
    """The shared gateway, as new."""
    async with _used(shared):
        yield shared


def _keeping(mode: Mode) -> Mode:
    """The mode with responses kept by the gateway: servers of Responses are left to keep them unless it is said."""
    if mode.codex or not mode.inner:
        return mode
    return replace(mode, upstream={**mode.upstream, "state": "gateway"})


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=MODES, ids=lambda mode: mode.name)
async def shared_keeper(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, node: Node
) -> AsyncIterator[Served]:
    """A running gateway that keeps responses itself."""
    mode = _keeping(request.param)
    async with served(mode, tmp_path_factory.mktemp(f"{mode.name}-keeper"), node) as gateway:
        yield gateway


@pytest_asyncio.fixture(loop_scope="session")
async def keeper(shared_keeper: Served) -> AsyncIterator[Served]:
    """The shared gateway that keeps responses itself, as new."""
    async with _used(shared_keeper):
        yield shared_keeper


@asynccontextmanager
async def _used(shared: Served) -> AsyncIterator[None]:
    """Afterwards every script was played and no upstream stream is left open."""
    yield
    sim = shared.sim
    async with asyncio.timeout(10):
        await sim.until(lambda: sim.open_streams == 0)
    leftover = sim.leftover
    sim.reset()
    assert leftover == {}, "scripts that no request has played"
