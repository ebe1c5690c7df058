"""Fixtures of the live tests.

A stack is shared by all tests of its mode; what a test steered or saw is cleared after it. All modules run in one event
loop (`pytestmark` in each), since servers live in the loop that made them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.live.sdk import Sdk
from tests.live.stack import MODES, Stack, running


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cells of a test's table that make no sense, as its mark `applies` says."""
    left_out = [item for item in items if not _applies(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if _applies(item)]


def _applies(item: pytest.Item) -> bool:
    mark = item.get_closest_marker("applies")
    if mark is None:
        return True
    assert isinstance(item, pytest.Function)
    parameters = {"mode" if name == "shared" else name: value for name, value in item.callspec.params.items()}
    return bool(mark.args[0](parameters))


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=MODES, ids=lambda mode: mode.name)
async def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A running stack; tests that suit one mode only choose it with `stack.only`."""
    async with running(request.param, tmp_path_factory.mktemp(request.param.name)) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="session")
async def stack(shared: Stack) -> AsyncIterator[Stack]:
    """The shared stack, as new; afterwards every script was played and no upstream stream is left open."""
    yield shared
    sim = shared.sim
    async with asyncio.timeout(5):
        await sim.until(lambda: sim.open_streams == 0)
    leftover = sim.leftover
    sim.reset()
    assert leftover == {}, "scripts that no request has played"


@pytest.fixture(params=["SyncSdk", "AsyncSdk"], ids=["sync", "async"])
def sdk(request: pytest.FixtureRequest, stack: Stack) -> Sdk:
    """A client of the SDK in front of the stack."""
    return stack.sdks[request.param]
