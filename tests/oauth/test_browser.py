"""Login with a browser: a real callback server, and an HTTP client that plays the browser."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from gateway.config import OAuth
from gateway.oauth.browser import BrowserLogin, WrongState, query_of, read_callback
from gateway.oauth.callback import listen
from gateway.oauth.endpoint import LoginFailed, TokenEndpoint
from gateway.oauth.file import TokenFile
from gateway.oauth.hosts import TokenHostRefused
from gateway.oauth.login import Login
from gateway.oauth.token import Token
from tests.serving import serving

from .issuer import NOW, Issuer, jwt, settings


class Desk:
    """A login under way: what it printed, and a browser in front of it."""

    def __init__(self, issuer: Issuer, file: TokenFile, client: httpx2.AsyncClient, oauth: OAuth) -> None:
        self.issuer = issuer
        self.file = file
        self.client = client
        self.oauth = oauth
        self.said: list[str] = []
        self.opened: list[str] = []
        self.typed: asyncio.Queue[str] = asyncio.Queue()
        self._invited = asyncio.Event()

    def start(self, **changes: Any) -> asyncio.Task[Token]:
        finish = Login(TokenEndpoint(self.oauth, self.client), self.file, lambda: NOW).finish
        login = BrowserLogin(self.oauth, finish, say=self._say, open_page=self._open, **changes)
        return asyncio.create_task(login.run())

    def _say(self, line: str) -> None:
        self.said.append(line)

    def _open(self, url: str) -> None:
        self.opened.append(url)
        self._invited.set()

    async def asked(self) -> dict[str, str]:
        """The parameters of the authorize address."""
        await self._invited.wait()
        assert self.opened[0] in self.said
        return {name: value for name, (value,) in parse_qs(urlsplit(self.opened[0]).query).items()}

    async def callback(self, **answer: str) -> str:
        """The address the login server redirects to; the person said yes unless `answer` says otherwise."""
        asked = await self.asked()
        self.issuer.challenges["code-1"] = asked["code_challenge"]
        return f"{asked['redirect_uri']}?{urlencode({'state': asked['state'], **(answer or {'code': 'code-1'})})}"

    async def browse(self, url: str) -> httpx2.Response:
        return await self.client.get(url)


async def stop(login: asyncio.Task[Token]) -> None:
    login.cancel()
    await asyncio.wait({login})


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    issuer = Issuer()
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(serving(issuer.app()))
        client = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False))
        await stack.enter_async_context(asyncio.timeout(20))
        yield Desk(issuer, TokenFile(tmp_path / "oauth-token.json"), client, settings(base_url))


@pytest.mark.proves("OAUTH-browser")
async def test_a_person_logs_in_with_a_browser(desk: Desk) -> None:
    login = desk.start()
    callback = await desk.callback()
    page = await desk.browse(callback)
    token = await login
    assert page.status_code == 200
    assert "You are logged in as ada@example.com." in page.text
    assert page.headers["connection"] == "close"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert (
        token
        == desk.file.read()
        == Token(
            access_token=jwt(desk.issuer.expires_at, name="access-1"),
            refresh_token="refresh-1",
            id_token=jwt(desk.issuer.expires_at, name="id", email="ada@example.com"),
            expires_at=desk.issuer.expires_at,
            account_id="acct-1",
            last_refresh=NOW,
        )
    )


@pytest.mark.proves("OAUTH-authorize")
async def test_the_authorize_address_carries_our_own_name_and_the_registered_redirect(desk: Desk) -> None:
    login = desk.start()
    asked = await desk.asked()
    await stop(login)
    redirect = urlsplit(asked["redirect_uri"])
    assert (redirect.scheme, redirect.hostname, redirect.path) == ("http", "localhost", "/auth/callback")
    assert (len(asked.pop("state")), len(asked.pop("code_challenge"))) == (43, 43)
    del asked["redirect_uri"]
    assert asked == {
        "response_type": "code",
        "client_id": desk.oauth.client_id,
        "scope": "openid profile email offline_access",
        "code_challenge_method": "S256",
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
        "originator": "codex-gateway",
    }


@pytest.mark.proves("OAUTH-authorize")
async def test_audience_and_client_secret_are_sent_when_they_are_set(desk: Desk) -> None:
    desk.oauth = OAuth(**{**desk.oauth.model_dump(), "audience": "https://api", "client_secret": "SECRET"})
    login = desk.start()
    assert (await desk.asked())["audience"] == "https://api"
    await desk.browse(await desk.callback())
    await login
    call = desk.issuer.token_calls[0]
    assert len(call.pop("code_verifier")) == 86
    assert call == {
        "grant_type": "authorization_code",
        "code": "code-1",
        "redirect_uri": (await desk.asked())["redirect_uri"],
        "client_id": desk.oauth.client_id,
        "client_secret": "SECRET",
        "audience": "https://api",
    }


@pytest.mark.proves("OAUTH-browser-state")
async def test_a_wrong_state_is_refused_and_the_login_keeps_waiting(desk: Desk) -> None:
    login = desk.start()
    callback = await desk.callback()
    for wrong in (callback.replace("state=", "state=x"), callback.split("?")[0], callback.replace("&", ".x&", 1)):
        refused = await desk.browse(wrong)
        assert (refused.status_code, refused.text.split(":")[0]) == (400, "State mismatch")
    assert desk.issuer.token_calls == []
    await desk.browse(callback)
    assert (await login).refresh_token == "refresh-1"


@pytest.mark.proves("OAUTH-browser-denied")
@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        ({"error": "access_denied"}, "access_denied", "was declined"),
        (
            {"error": "access_denied", "error_description": "missing_codex_entitlement: x"},
            "missing_codex_entitlement",
            "Ask the administrator",
        ),
        ({"error": "chatgpt_account_missing", "error_description": "No workspaces."}, "refused", "No workspaces."),
        ({"error": "x", "error_description": "<script>alert(1)</script>"}, "refused", "&lt;script&gt;"),
        ({"code": ""}, "missing_authorization_code", "sent no code"),
    ],
    ids=["declined", "no entitlement", "no workspace", "markup", "no code"],
)
async def test_a_refusal_ends_the_login_and_is_shown_on_the_page(
    desk: Desk, answer: dict[str, str], code: str, text: str
) -> None:
    login = desk.start()
    page = await desk.browse(await desk.callback(**answer))
    assert page.status_code == 200
    assert "Login failed" in page.text
    assert text in page.text
    assert "<script" not in page.text
    with pytest.raises(LoginFailed) as failed:
        await login
    assert failed.value.code == code
    assert desk.file.read() is None


@pytest.mark.proves("OAUTH-browser")
async def test_the_page_tells_that_the_exchange_failed(desk: Desk) -> None:
    login = desk.start()
    callback = await desk.callback()
    desk.issuer.challenges.clear()
    page = await desk.browse(callback)
    assert "Login failed" in page.text
    assert "HTTP 400, invalid_grant" in page.text
    with pytest.raises(LoginFailed) as failed:
        await login
    assert failed.value.code == "token_exchange_failed"


@pytest.mark.proves("OAUTH-browser")
async def test_the_page_tells_that_the_login_could_not_be_saved(desk: Desk) -> None:
    desk.file.path.mkdir()
    login = desk.start()
    page = await desk.browse(await desk.callback())
    assert "could not be written" in page.text
    with pytest.raises(LoginFailed) as failed:
        await login
    assert failed.value.code == "persist_failed"


@pytest.mark.proves("OAUTH-browser")
async def test_a_page_that_is_loaded_twice_exchanges_once(desk: Desk) -> None:
    desk.issuer.hold = asyncio.Event()
    login = desk.start()
    callback = await desk.callback()
    pages = [asyncio.create_task(desk.browse(callback)) for _ in range(2)]
    await desk.issuer.asked.wait()
    desk.issuer.hold.set()
    assert ["You are logged in" in (await page).text for page in pages] == [True, True]
    await login
    assert len(desk.issuer.token_calls) == 1


async def test_other_paths_and_unreadable_requests_are_refused(desk: Desk) -> None:
    login = desk.start()
    base = (await desk.callback()).split("/auth/")[0]
    assert (await desk.browse(f"{base}/success")).status_code == 404
    assert (await desk.client.post(f"{base}/auth/callback")).status_code == 405
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(base).port)
    writer.write(b"nonsense\r\n\r\n")
    assert b" 400 " in await reader.readline()
    writer.close()
    await writer.wait_closed()
    await stop(login)


@pytest.mark.proves("OAUTH-browser-cancel")
async def test_cancel_ends_the_login(desk: Desk) -> None:
    login = desk.start()
    base = (await desk.callback()).split("/auth/")[0]
    page = await desk.browse(f"{base}/cancel")
    assert (page.status_code, page.text) == (200, "Login cancelled")
    with pytest.raises(LoginFailed) as failed:
        await login
    assert failed.value.code == "cancelled"


@pytest.mark.proves("OAUTH-browser-timeout")
async def test_a_login_that_nobody_finishes_times_out(desk: Desk) -> None:
    with pytest.raises(LoginFailed) as failed:
        await desk.start(timeout_seconds=0.001)
    assert failed.value.code == "login_timeout"
    assert "--device" in failed.value.message


@pytest.mark.proves("OAUTH-paste", "FAIL-18")
@pytest.mark.parametrize(
    "form",
    [
        lambda url: f"  {url}\n",
        lambda url: urlsplit(url).query + "\n",
        lambda url: "?" + urlsplit(url).query + "\n",
        lambda url: "code-1#" + parse_qs(urlsplit(url).query)["state"][0] + "\n",
    ],
    ids=["address", "query", "query with mark", "code#state"],
)
async def test_a_headless_person_pastes_the_last_address(desk: Desk, form: Callable[[str], str]) -> None:
    login = desk.start(pasted=desk.typed.get)
    callback = await desk.callback()
    for line in ("\n", "hello\n", callback.replace("state=", "state=x") + "\n", form(callback)):
        desk.typed.put_nowait(line)
    assert (await login).refresh_token == "refresh-1"
    assert sum("not the address" in line for line in desk.said) == 1
    assert sum("belongs to another login" in line for line in desk.said) == 1


async def test_the_browser_still_works_after_the_terminal_is_closed(desk: Desk) -> None:
    login = desk.start(pasted=desk.typed.get)
    desk.typed.put_nowait("")
    await desk.browse(await desk.callback())
    assert (await login).refresh_token == "refresh-1"


@pytest.mark.proves("OAUTH-port")
async def test_the_second_port_is_used_when_the_first_is_taken(desk: Desk) -> None:
    taken, first = listen("localhost", [0])
    free, second = listen("localhost", [0])
    for one in free:
        one.close()
    try:
        login = desk.start(ports=[first, second])
        assert urlsplit((await desk.asked())["redirect_uri"]).port == second
        await desk.browse(await desk.callback())
        await login
    finally:
        for one in taken:
            one.close()


@pytest.mark.proves("OAUTH-port")
async def test_taken_ports_are_named_with_the_ways_out(desk: Desk) -> None:
    taken, port = listen("localhost", [0])
    try:
        with pytest.raises(LoginFailed) as failed:
            await desk.start(ports=[port])
    finally:
        for one in taken:
            one.close()
    assert failed.value.code == "port_in_use"
    assert f"http://localhost:{port}/cancel" in failed.value.message
    assert "--device" in failed.value.message


@pytest.mark.proves("OAUTH-port")
def test_a_port_taken_on_ipv6_only_counts_as_taken() -> None:
    if not socket.has_ipv6:
        return  # such a machine has no port to take
    with closing(socket.socket(socket.AF_INET6)) as other:
        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            other.bind(("::1", 0))
        except OSError:
            return
        other.listen()
        with pytest.raises(LoginFailed):
            listen("localhost", [other.getsockname()[1]])


async def test_the_callback_listens_on_loopback_only(desk: Desk) -> None:
    sockets, _ = listen("localhost", [0])
    addresses = {one.getsockname()[0] for one in sockets}
    for one in sockets:
        one.close()
    assert "127.0.0.1" in addresses
    assert addresses <= {"127.0.0.1", "::1"}


def test_a_host_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(LoginFailed) as failed:
        listen("192.0.2.1", [0])
    assert failed.value.code == "redirect_failed"


@pytest.mark.proves("OAUTH-hosts")
async def test_no_login_begins_when_its_code_could_not_be_sent(desk: Desk) -> None:
    desk.oauth = settings("https://elsewhere.example")
    with pytest.raises(TokenHostRefused, match=r"oauth\.token_hosts"):
        await desk.start()
    assert desk.said == []


def test_the_issuers_suffix_of_the_state_is_accepted() -> None:
    assert read_callback("state=abc.onboarding_entrypoint%3Dlife_sciences&code=c", "abc") == "c"
    with pytest.raises(WrongState):
        read_callback("state=abc.other&code=c", "abc")


@pytest.mark.parametrize("line", ["", "\n", "code", "#", "code#", "#state", "http://[", "http://[?code=1"])
def test_lines_that_are_no_callback(line: str) -> None:
    assert query_of(line) == ""
