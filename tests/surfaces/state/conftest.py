"""The state routes on a real store, behind the three layers, on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.config import Limits
from gateway.store import Store
from gateway.surfaces.router import Router
from gateway.surfaces.state import routes
from tests.serving import serving
from tests.store.home import Home
from tests.surfaces.stack import Stack

Json = dict[str, Any]
LIMITS = Limits(idle_seconds=5)


class _Owners:
    """Stands for keys that belong to several people: the owner is named in a header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for name, value in scope["headers"]:
            if name == b"x-owner":
                scope["state"]["owner"] = value.decode()
        await self._app(scope, receive, send)


@dataclass
class World:
    """`client` and `http` are the operator's; `visitor` is somebody else."""

    store: Store
    url: str
    stack: Stack
    client: AsyncOpenAI
    visitor: AsyncOpenAI
    http: httpx2.AsyncClient

    async def refused(self, method: str, path: str, **arguments: Any) -> tuple[int, Json]:
        """Status and error object of an answer that is an error in the envelope."""
        answer = await self.http.request(method, path, **arguments)
        envelope = answer.json()
        assert list(envelope) == ["error"], envelope
        assert set(envelope["error"]) == {"message", "type", "code", "param"}
        assert envelope["error"]["type"] == "gateway_error"
        return answer.status_code, envelope["error"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home("", tmp_path)


@pytest.fixture
async def world(home: Home) -> AsyncIterator[World]:
    async with home.store() as store:
        stack = Stack(_Owners(Router({}, {}, [], templates=routes(store, LIMITS))))
        async with (
            serving(stack) as url,
            AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client,
            AsyncOpenAI(
                base_url=f"{url}/v1", api_key="k", max_retries=0, default_headers={"x-owner": "visitor"}
            ) as visitor,
            httpx2.AsyncClient(base_url=url) as http,
        ):
            yield World(store, url, stack, client, visitor, http)


def problem(found: tuple[int, Json]) -> tuple[int, str | None, str | None]:
    """Status, code and param of a refusal."""
    status, error = found
    return status, error["code"], error["param"]
