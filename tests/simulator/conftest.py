"""A simulator on a real socket, a client for it, and a login it knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from gateway.simulator import Simulator
from tests.serving import serving
from tests.simulator.asking import NOW


@pytest.fixture
def sim() -> Simulator:
    return Simulator(clock=lambda: NOW)


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[httpx2.AsyncClient]:
    # No certificates are needed on loopback, and loading them costs more than most tests.
    async with serving(sim) as url, httpx2.AsyncClient(base_url=url, verify=False) as client:
        yield client


@pytest.fixture
def login(sim: Simulator) -> dict[str, Any]:
    return sim.issue_tokens()
