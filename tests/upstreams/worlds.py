"""Providers for tests: real adapters before servers that do nothing but list models."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.upstreams import Upstream
from gateway.upstreams.providers import DEFAULT, Provider, Providers
from tests.serving import serving
from tests.upstreams.doubles import Clock, Logins, codex, openai


@dataclass
class ListServer:
    """Lists these models; `status` other than 200 is a failure, `silent` says nothing until the client leaves."""

    models: Sequence[str] = ()
    status: int = 200
    silent: bool = False
    asked: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError("no lifespan here")
        self.asked += 1
        while self.silent and (await receive())["type"] != "http.disconnect":
            pass
        if self.silent:
            self.left.set()
            return
        rows = [{"id": name, "object": "model", "created": 1, "owned_by": "maker"} for name in self.models]
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps({"object": "list", "data": rows}).encode()})


PLAN = "plan"
"""In place of a server: a ChatGPT plan whose list cannot be had, so that the built-in one holds."""


@dataclass
class World:
    """Providers in front of servers; `logins` are those of the plans."""

    providers: Providers
    clock: Clock
    logins: Logins

    async def place(self, name: str) -> tuple[str, str | None, str | None]:
        """Provider, model and effort that a name means."""
        target = await self.providers.choose(name)
        return target.provider.name, target.model, target.effort

    async def ids(self) -> list[str]:
        return [model.id for model in await self.providers.models() if not model.hidden]


@asynccontextmanager
async def world(
    default: ListServer | str = PLAN, /, patience: float = 5, **named: tuple[ListServer | str, dict[str, Any]]
) -> AsyncIterator[World]:
    """`named`: each provider's server and the fields of its `Provider`; `upstream` gives those of the default one."""
    clock, logins = Clock(), Logins()
    async with AsyncExitStack() as stack:

        async def provider(name: str, server: ListServer | str, fields: dict[str, Any]) -> Provider:
            url = await stack.enter_async_context(serving(ListServer(status=500) if server == PLAN else server))
            if server == PLAN:
                upstream: Upstream = await stack.enter_async_context(codex(url, logins, clock))
            else:
                upstream = await stack.enter_async_context(openai(url, clock))
            return Provider(name, upstream, codex=server == PLAN, **fields)

        first = named.pop(DEFAULT, (default, {}))
        made = [await provider(DEFAULT, *first)]
        made += [await provider(name, *rest) for name, rest in named.items()]
        yield World(Providers(made[0], made[1:], patience=patience, clock=clock), clock, logins)
