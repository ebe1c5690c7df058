"""Logins, clocks and adapters for the tests of the adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.config import Settings
from gateway.errors import OAuthUnavailable
from gateway.upstreams import Answer, Call
from gateway.upstreams.codex import CodexUpstream
from gateway.upstreams.openai import OpenAIUpstream
from gateway.upstreams.transport import build_transport


@dataclass(frozen=True)
class Login:
    access_token: str = "access-1"
    account_id: str = "acct-1"
    plan: str = "plus"
    fedramp: bool = False


@dataclass
class Logins:
    """A source of logins: the current one, and those that follow when one is refused."""

    current: Login | None = field(default_factory=Login)
    next: list[Login] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def credentials(self) -> Login:
        if self.current is None:
            raise OAuthUnavailable("Nobody is logged in.")
        return self.current

    async def recover(self, rejected_access_token: str) -> Login:
        self.refused.append(rejected_access_token)
        if not self.next:
            raise OAuthUnavailable("The login is over.")
        self.current = self.next.pop(0)
        return self.current


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@asynccontextmanager
async def codex(
    url: str, logins: Logins | None = None, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[CodexUpstream]:
    """The adapter in front of a server on this machine."""
    tree = {**settings, "upstream": {"codex_base_url": url, **settings.get("upstream", {})}}
    transport = build_transport(proxy_url="", connections=10)
    upstream = CodexUpstream(
        Settings.model_validate(tree),
        tokens=logins or Logins(),
        transport=transport,
        clock=clock or Clock(),
        now=lambda: 1_800_000_000.0,
        random=lambda: 0.5,
    )
    yield upstream
    await upstream.aclose()
    await transport.aclose()


@asynccontextmanager
async def openai(url: str, clock: Clock | None = None, **settings: Any) -> AsyncIterator[OpenAIUpstream]:
    """The adapter in front of a server on this machine."""
    tree = {**settings, "upstream": {"mode": "openai_api", "base_url": url, **settings.get("upstream", {})}}
    transport = build_transport(proxy_url="", connections=10)
    upstream = OpenAIUpstream(
        Settings.model_validate(tree),
        transport=transport,
        clock=clock or Clock(),
        now=lambda: 1_800_000_000.0,
        random=lambda: 0.5,
    )
    yield upstream
    await upstream.aclose()
    await transport.aclose()


def call(body: bytes = b"{}", **changes: Any) -> Call:
    """A streamed Responses call."""
    return Call(**{"route": "responses", "body": body, "stream": True, "request_id": "req-1", **changes})


async def whole(answer: Answer) -> bytes:
    return await answer.read()
