"""The whole of the product on real sockets: a simulator as the upstream, the gateway, and clients in front of it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest

from gateway.app import create_app
from gateway.config import Settings
from gateway.simulator import Scenario, Simulator
from tests.live.sdk import AsyncSdk, Sdk, SyncSdk
from tests.serving import serving

Json = dict[str, Any]
DialectName = Literal["chat", "completions", "responses"]

KEY = "sk-gw-test"
MODEL = "gpt-5.5"


@dataclass(frozen=True)
class Mode:
    """A kind of upstream the gateway can stand before. `native`: dialects it relays instead of translating them."""

    name: str
    upstream: Json
    native: frozenset[DialectName] = frozenset()

    @property
    def codex(self) -> bool:
        return bool(self.upstream["mode"] == "codex_oauth")

    @property
    def inner(self) -> bool:
        """Whether the upstream speaks the inner language, as Responses or as Codex does."""
        return self.codex or "responses" in self.native

    def route(self, dialect: DialectName) -> str:
        """The simulator's route that a request of this dialect ends at."""
        if self.codex:
            return "codex.responses"
        inner = "responses" if self.inner else "chat"
        return f"openai.{dialect if dialect in self.native else inner}"


CODEX = Mode("codex_oauth", {"mode": "codex_oauth"})
NATIVE = Mode("openai_api", {"mode": "openai_api", "api_key": "sk-simulated"}, native=frozenset({"chat", "responses"}))
TRANSLATED = Mode(
    "openai_api-responses",
    {"mode": "openai_api", "api_key": "sk-simulated", "dialects": ["responses"]},
    native=frozenset({"responses"}),
)
CHAT_ONLY = Mode(
    "openai_api-chat",
    {"mode": "openai_api", "api_key": "sk-simulated", "dialects": ["chat"]},
    native=frozenset({"chat"}),
)
MODES = (CODEX, NATIVE, TRANSLATED, CHAT_ONLY)
INNER = (CODEX, NATIVE, TRANSLATED)
"""Modes whose upstream speaks the inner language."""

LIMITS: Json = {"retries": 0, "cool_down_seconds": 0}
"""What tests want unless they are about these: one upstream call a request, and no memory of plan limits."""


class Stoppable:
    """The gateway's app, with the requests it is serving at hand."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        if scope["type"] != "lifespan":
            self._tasks.add(task)
        try:
            await self._app(scope, receive, send)
        finally:
            self._tasks.discard(task)

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()


@dataclass
class Stack:
    """A running gateway and its upstream."""

    mode: Mode
    url: str
    sim: Simulator
    workdir: Path
    stop: Callable[[], None]
    """Cut every request that runs, as the server does when the time to finish them is over."""
    sdks: dict[str, Sdk] = field(default_factory=dict)

    @cached_property
    def http(self) -> httpx2.AsyncClient:
        """A plain client with the key, for what the SDK hides: exact bytes, odd requests."""
        headers = {"authorization": f"Bearer {KEY}"}
        return httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=20, trust_env=False)

    @property
    def upstream_route(self) -> str:
        return self.mode.route("responses")

    def play(self, dialect: DialectName, *scripts: Any) -> None:
        """Scripts for the next upstream calls that requests of this dialect cause."""
        self.sim.queue(self.mode.route(dialect), *scripts)

    def sent(self, dialect: DialectName) -> list[Json]:
        """The bodies that the upstream got for requests of this dialect."""
        return [call.body for call in self.sim.calls(self.mode.route(dialect))]

    def log_in(self, **changes: Any) -> Json:
        """Put a login into the work directory, as `auth login` does; returns its tokens."""
        tokens = self.sim.issue_tokens(**changes)
        write_login(self.workdir, tokens)
        return tokens

    async def aclose(self) -> None:
        for sdk in self.sdks.values():
            await sdk.aclose()
        if "http" in self.__dict__:
            await self.http.aclose()


def write_login(workdir: Path, tokens: Mapping[str, Any]) -> None:
    """A token file in the layout of the original program; the expiry is read from the token itself."""
    keys = ("access_token", "refresh_token", "token_type", "scope", "id_token", "account_id")
    path = workdir / "oauth-token.json"
    path.write_text(json.dumps({key: tokens[key] for key in keys}), "utf-8")
    os.chmod(path, 0o600)  # noqa: PTH101


def settings_for(mode: Mode, upstream_url: str, **changes: Json) -> Settings:
    """Settings of a mode; `changes` are merged into sections by name."""
    address = {"codex_base_url" if mode.codex else "base_url": upstream_url}
    document: Json = {
        "auth": {"downstream_api_key": KEY},
        "limits": LIMITS,
        "oauth": {
            "authorize_endpoint": f"{upstream_url}/oauth/authorize",
            "token_endpoint": f"{upstream_url}/oauth/token",
            "revoke_endpoint": f"{upstream_url}/oauth/revoke",
            "device_authorization_endpoint": f"{upstream_url}/api/accounts/deviceauth/usercode",
        },
        "upstream": {**mode.upstream, **address},
    }
    for section, values in changes.items():
        document[section] = {**document.get(section, {}), **values}
    return Settings.model_validate(document)


@asynccontextmanager
async def running(
    mode: Mode,
    workdir: Path,
    *,
    login: bool = True,
    demo: bool = False,
    scenario: Scenario | None = None,
    upstream_url: str | None = None,
    **changes: Json,
) -> AsyncIterator[Stack]:
    """A stack of its own. `upstream_url` puts another server into the simulator's place; `changes`: `settings_for`."""
    async with AsyncExitStack() as stack:
        sim = Simulator(scenario)
        sim_url = await stack.enter_async_context(serving(sim))
        settings = settings_for(mode, upstream_url or sim_url, **changes)
        if login and mode.codex:
            write_login(workdir, sim.issue_tokens())
        app = Stoppable(create_app(settings, workdir=workdir, demo=demo))
        url = await stack.enter_async_context(serving(app))
        clients: dict[str, Sdk] = {kind.__name__: kind(f"{url}/v1", KEY) for kind in (SyncSdk, AsyncSdk)}
        running_stack = Stack(mode, url, sim, workdir, app.stop, clients)
        stack.push_async_callback(running_stack.aclose)
        yield running_stack


def only(*modes: Mode) -> pytest.MarkDecorator:
    """Run a test in these modes instead of all."""
    return pytest.mark.parametrize("shared", modes, indirect=True, ids=[mode.name for mode in modes])
