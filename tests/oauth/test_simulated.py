"""A login's whole life against the simulator: browser or device, use, refresh, rotation, logout."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest

from gateway.config import OAuth
from gateway.errors import OAuthUnavailable
from gateway.oauth.browser import BrowserLogin
from gateway.oauth.device import DeviceLogin
from gateway.oauth.endpoint import LoginFailed, TokenEndpoint
from gateway.oauth.file import TokenFile
from gateway.oauth.login import Login, logout
from gateway.oauth.source import TokenSource
from gateway.oauth.token import Token
from gateway.simulator import Scenario, Simulator
from tests.serving import serving

from .issuer import NOW, settings


class World:
    def __init__(self, simulator: Simulator, file: TokenFile, client: httpx2.AsyncClient, oauth: OAuth) -> None:
        self.simulator = simulator
        self.file = file
        self.client = client
        self.oauth = oauth
        self.endpoint = TokenEndpoint(oauth, client)
        self.finish = Login(self.endpoint, file, lambda: NOW).finish

    async def log_in(self) -> Token:
        """With a client that follows the redirect back, as a browser does."""
        browsers: list[asyncio.Task[httpx2.Response]] = []

        def open_page(url: str) -> None:
            browsers.append(asyncio.create_task(self.client.get(url, follow_redirects=True)))

        try:
            return await BrowserLogin(self.oauth, self.finish, say=lambda _: None, open_page=open_page).run()
        finally:
            self.page = (await browsers[0]).text

    def source(self) -> TokenSource:
        return TokenSource(
            self.file.path, settings=self.oauth, client=self.client, clock=lambda: NOW, jitter=lambda: 0.0
        )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    simulator = Simulator(Scenario(redirect_ports=None), clock=lambda: NOW)
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(serving(simulator))
        client = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False))
        await stack.enter_async_context(asyncio.timeout(20))
        yield World(simulator, TokenFile(tmp_path / "oauth-token.json"), client, settings(base_url))
        assert simulator.leftover == {}


@pytest.mark.proves("OAUTH-browser", "OAUTH-recover", "OAUTH-logout")
async def test_log_in_use_refresh_and_log_out(world: World) -> None:
    token = await world.log_in()
    assert "You are logged in as simulated@example.com" in world.page
    source = world.source()
    first = await source.credentials()
    assert (first.access_token, first.account_id, first.plan) == (token.access_token, "acct-simulated", "pro")
    second = await source.recover(first.access_token)
    assert second.access_token != first.access_token
    assert world.simulator.refresh_count == 1
    await logout(world.file, world.endpoint)
    assert world.simulator.calls("revoke")[0].body["token_type_hint"] == "refresh_token"
    with pytest.raises(OAuthUnavailable, match="Nobody is logged in"):
        await source.credentials()


@pytest.mark.proves("OAUTH-device")
async def test_log_in_with_a_device_code(world: World) -> None:
    async def sleep(_: float) -> None: ...

    said: list[str] = []
    login = DeviceLogin(world.oauth, world.client, world.finish, say=said.append, clock=lambda: NOW, sleep=sleep)
    token = await login.run()
    assert token.about().email == "simulated@example.com"
    assert "/codex/device" in said[0]
    assert len(world.simulator.calls("poll")) == 2


@pytest.mark.proves("OAUTH-permanent", "FAIL-16")
async def test_a_copy_of_a_login_ends_with_a_clear_message(world: World, tmp_path: Path) -> None:
    await world.log_in()
    copy = TokenFile(tmp_path / "copy" / "oauth-token.json")
    token = world.file.read()
    assert token is not None
    copy.write(token)
    await world.source().recover(token.access_token)
    other = TokenSource(copy.path, settings=world.oauth, client=world.client, clock=lambda: NOW)
    for _ in range(2):
        with pytest.raises(OAuthUnavailable, match=r"another program.*refresh_token_reused.*auth login"):
            await other.recover(token.access_token)
    assert world.simulator.refresh_count == 2


@pytest.mark.proves("OAUTH-browser-denied")
async def test_a_login_without_codex_in_the_plan_is_explained(world: World) -> None:
    world.simulator.queue(
        "authorize",
        {"redirect": {"code": None, "error": "access_denied", "error_description": "missing_codex_entitlement"}},
    )
    with pytest.raises(LoginFailed) as failed:
        await world.log_in()
    assert failed.value.code == "missing_codex_entitlement"
    assert "Ask the administrator" in world.page
