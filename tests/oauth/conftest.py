"""The world of a TokenSource: an issuer on a real socket, a token file, and a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest

from gateway.oauth.file import TokenFile
from gateway.oauth.source import TokenSource
from gateway.oauth.token import Token
from tests.serving import serving

from .issuer import NOW, Issuer, jwt, settings


class World:
    """An issuer, a token file, and a clock that stands still until it is moved."""

    def __init__(self, directory: Path, base_url: str, issuer: Issuer, client: httpx2.AsyncClient) -> None:
        self.issuer = issuer
        self.file = TokenFile(directory / "oauth-token.json")
        self.now = NOW
        self.outcomes: list[str] = []
        self.client = client
        self.base_url = base_url
        self._ticks = 0

    def write(self, access: str, refresh: str = "refresh-0", **changes: object) -> None:
        self.file.write(Token.read({"access_token": access, "refresh_token": refresh, **changes}))
        # File times are coarse; two writes in one test must not look alike.
        self._ticks += 1
        os.utime(self.file.path, ns=(self._ticks, self._ticks))

    def source(self, **changes: object) -> TokenSource:
        return TokenSource(
            self.file.path,
            settings=settings(self.base_url, **changes),
            client=self.client,
            clock=lambda: self.now,
            jitter=lambda: 0.0,
            on_refresh=self.outcomes.append,
        )

    def latest(self) -> str:
        """The access token that the issuer made last."""
        return jwt(self.issuer.expires_at, name=f"access-{self.issuer.made}")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    issuer = Issuer()
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(serving(issuer.app()))
        client = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False))
        await stack.enter_async_context(asyncio.timeout(20))
        yield World(tmp_path, base_url, issuer, client)
