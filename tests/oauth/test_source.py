"""TokenSource: which token the next request carries, and when the issuer is asked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse

from gateway.config import OAuth
from gateway.errors import OAuthUnavailable
from gateway.oauth.file import TokenFile
from gateway.oauth.lock import hold
from gateway.oauth.source import Credentials, TokenSource
from gateway.oauth.token import Token
from tests.serving import serving

from .issuer import NOW, Issuer, cut, jwt, refusal, settings

FRESH = jwt(NOW + 86_400)
ENDED = jwt(NOW - 1)


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


@pytest.mark.proves("OAUTH-credentials")
async def test_a_fresh_token_is_used_without_asking_anybody(world: World) -> None:
    world.write(FRESH)
    assert await world.source().credentials() == Credentials(FRESH, "acct-1", "pro", False, NOW + 86_400)
    assert world.issuer.token_calls == []


@pytest.mark.proves("OAUTH-credentials")
async def test_the_file_is_read_once_while_it_stays_the_same(world: World) -> None:
    world.write(FRESH)
    source = world.source()
    first = await source.credentials()
    # The same stamp with other content: whoever reads the file again would see it.
    stamp, size = world.file.path.stat().st_mtime_ns, world.file.path.stat().st_size
    world.file.path.write_bytes(b"x" * size)
    os.utime(world.file.path, ns=(stamp, stamp))
    assert await source.credentials() == first


@pytest.mark.proves("OAUTH-new-login")
async def test_a_new_login_is_picked_up_also_for_another_account(world: World) -> None:
    source = world.source()
    with pytest.raises(OAuthUnavailable, match="auth login"):
        await source.credentials()
    world.write(FRESH)
    assert (await source.credentials()).account_id == "acct-1"
    other = jwt(NOW + 86_400, name="b", account="acct-2")
    world.write(other, "refresh-9")
    assert await source.credentials() == Credentials(other, "acct-2", "pro", False, NOW + 86_400)


@pytest.mark.proves("OAUTH-new-login")
async def test_a_logout_elsewhere_ends_the_use_of_the_token(world: World) -> None:
    world.write(FRESH)
    source = world.source()
    await source.credentials()
    world.file.remove()
    with pytest.raises(OAuthUnavailable, match="Nobody is logged in"):
        await source.credentials()


@pytest.mark.proves("OAUTH-refresh", "FAIL-15")
async def test_an_ended_token_is_refreshed_and_saved_before_it_is_used(world: World) -> None:
    world.write(ENDED, scope="openid")
    credentials = await world.source().credentials()
    assert credentials.access_token == world.latest()
    assert world.file.read() == Token(
        access_token=world.latest(),
        refresh_token="refresh-1",
        id_token=jwt(world.issuer.expires_at, name="id", email="ada@example.com"),
        scope="openid",
        expires_at=world.issuer.expires_at,
        account_id="acct-1",
        last_refresh=NOW,
    )
    assert world.issuer.token_calls == [
        {"grant_type": "refresh_token", "refresh_token": "refresh-0", "client_id": OAuth().client_id}
    ]
    assert world.issuer.headers[0]["originator"] == "codex-gateway"
    assert world.issuer.headers[0]["user-agent"].startswith("codex-gateway/")
    assert world.outcomes == ["refreshed"]


@pytest.mark.proves("OAUTH-single-flight")
async def test_many_requests_share_one_refresh(world: World) -> None:
    world.write(ENDED)
    source = world.source()
    found = await asyncio.gather(*(source.credentials() for _ in range(50)))
    assert {credentials.access_token for credentials in found} == {world.latest()}
    assert world.issuer.refreshes == 1


@pytest.mark.proves("OAUTH-refresh")
async def test_a_token_about_to_end_is_used_while_it_is_refreshed(world: World) -> None:
    soon = jwt(NOW + 200)
    world.write(soon)
    world.issuer.hold = asyncio.Event()
    source = world.source()
    assert (await source.credentials()).access_token == soon
    await world.issuer.asked.wait()
    world.issuer.hold.set()
    await source.aclose()
    assert (await source.credentials()).access_token == world.latest()
    assert world.issuer.refreshes == 1


@pytest.mark.proves("OAUTH-not-cancelled")
async def test_a_caller_that_leaves_does_not_cancel_the_refresh(world: World) -> None:
    world.write(ENDED)
    world.issuer.hold = asyncio.Event()
    source = world.source()
    caller = asyncio.create_task(source.credentials())
    await world.issuer.asked.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    world.issuer.hold.set()
    await source.aclose()
    assert (world.file.read() or Token("")).refresh_token == "refresh-1"
    assert world.issuer.refreshes == 1


@pytest.mark.proves("OAUTH-not-cancelled")
async def test_shutdown_waits_for_a_refresh_on_its_way(world: World) -> None:
    world.write(ENDED)
    world.issuer.hold = asyncio.Event()
    source = world.source()
    caller = asyncio.create_task(source.credentials())
    await world.issuer.asked.wait()
    closing = asyncio.create_task(source.aclose())
    await asyncio.wait({closing}, timeout=0)
    assert not closing.done()
    world.issuer.hold.set()
    await closing
    assert (await caller).access_token == world.latest() == (world.file.read() or Token("")).access_token


@pytest.mark.proves("OAUTH-lock")
async def test_shutdown_does_not_wait_for_a_lock_that_another_process_holds(world: World) -> None:
    world.write(ENDED)
    source = world.source()
    async with hold(world.file.lock_path):
        caller = asyncio.create_task(source.credentials())
        await asyncio.wait({caller}, timeout=0)
        await source.aclose()
        with pytest.raises(OAuthUnavailable):
            await caller
    assert world.issuer.token_calls == []


@pytest.mark.proves("OAUTH-lock")
async def test_tokens_another_process_wrote_while_we_waited_are_used_unrefreshed(world: World) -> None:
    world.write(ENDED)
    source = world.source()
    async with hold(world.file.lock_path):
        caller = asyncio.create_task(source.credentials())
        await asyncio.wait({caller}, timeout=0)
        world.write(FRESH, "refresh-7")
    assert (await caller).access_token == FRESH
    assert world.issuer.token_calls == []


@pytest.mark.proves("OAUTH-permanent")
@pytest.mark.parametrize("code", ["refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated"])
async def test_a_dead_login_is_remembered_by_every_process_and_names_the_cure(world: World, code: str) -> None:
    world.write(ENDED)
    world.issuer.answers.append(refusal(401, code))
    first, second = world.source(), world.source()
    for source in (first, first, second):
        with pytest.raises(OAuthUnavailable, match=f"{code}.*auth login"):
            await source.credentials()
    assert world.issuer.refreshes == 1
    assert world.outcomes == ["permanent"]
    assert "refresh-0" not in world.file.mark_path.read_text()
    world.write(ENDED, "refresh-1")
    world.issuer.refresh_token = "refresh-1"
    assert (await second.credentials()).access_token == world.latest()
    assert world.file.read_mark() is None


@pytest.mark.proves("OAUTH-permanent", "FAIL-16")
async def test_a_reused_refresh_token_gives_way_to_a_newer_login_on_disk(world: World) -> None:
    world.write(ENDED)
    world.issuer.hold = asyncio.Event()
    world.issuer.answers.append(refusal(400, "refresh_token_reused"))
    source = world.source()
    caller = asyncio.create_task(source.credentials())
    await world.issuer.asked.wait()
    world.write(FRESH, "refresh-7")  # a program that knows nothing of our lock
    world.issuer.hold.set()
    assert (await caller).access_token == FRESH
    assert world.issuer.refreshes == 1
    assert world.file.read_mark() is None


@pytest.mark.proves("OAUTH-new-login")
async def test_a_refresh_never_overwrites_a_login_that_was_replaced_meanwhile(world: World) -> None:
    world.write(ENDED)
    world.issuer.hold = asyncio.Event()
    source = world.source()
    caller = asyncio.create_task(source.credentials())
    await world.issuer.asked.wait()
    other = jwt(NOW + 86_400, name="b", account="acct-2")
    world.write(other, "refresh-9")
    world.issuer.hold.set()
    assert (await caller).account_id == "acct-2"
    assert (world.file.read() or Token("")).refresh_token == "refresh-9"
    assert world.outcomes == ["replaced"]


@pytest.mark.proves("OAUTH-new-login")
async def test_a_refresh_does_not_bring_a_removed_login_back(world: World) -> None:
    world.write(ENDED)
    world.issuer.hold = asyncio.Event()
    source = world.source()
    caller = asyncio.create_task(source.credentials())
    await world.issuer.asked.wait()
    world.file.remove()
    world.issuer.hold.set()
    with pytest.raises(OAuthUnavailable, match="Nobody is logged in"):
        await caller
    assert world.file.read() is None


@pytest.mark.proves("OAUTH-back-off")
async def test_trouble_of_the_issuer_backs_off_for_all_processes(world: World) -> None:
    world.write(ENDED)
    world.issuer.answers.extend([refusal(503, "server_error"), refusal(429, "slow_down")])
    first, second = world.source(), world.source()
    for source in (first, second, first):
        with pytest.raises(OAuthUnavailable, match="could not be refreshed") as refused:
            await source.credentials()
        assert refused.value.headers == {"retry-after": "5"}
    assert world.issuer.refreshes == 1
    world.now += 5
    with pytest.raises(OAuthUnavailable) as refused:
        await second.credentials()
    assert refused.value.headers == {"retry-after": "10"}
    world.now += 10
    assert (await first.credentials()).access_token == world.latest()
    assert world.outcomes == ["transient", "transient", "refreshed"]


@pytest.mark.proves("OAUTH-back-off")
async def test_while_the_issuer_is_down_a_valid_token_is_still_used(world: World) -> None:
    soon = jwt(NOW + 30)
    world.write(soon)
    world.issuer.answers.append(refusal(500, "server_error"))
    source = world.source()
    assert [(await source.credentials()).access_token for _ in range(3)] == [soon] * 3
    assert world.issuer.refreshes == 1


@pytest.mark.proves("OAUTH-uncertain")
async def test_a_lost_reply_is_not_asked_for_again_at_once(world: World) -> None:
    world.write(ENDED)
    world.issuer.answers.append(cut())
    first, second = world.source(), world.source()
    for source in (first, first, second):
        with pytest.raises(OAuthUnavailable, match="could not be refreshed"):
            await source.credentials()
    assert world.issuer.refreshes == 1
    assert world.outcomes == ["uncertain"]
    world.now += 30
    world.issuer.refresh_token = "spent by the lost reply"
    with pytest.raises(OAuthUnavailable, match="auth login"):
        await second.credentials()
    assert world.outcomes == ["uncertain", "permanent"]


@pytest.mark.proves("OAUTH-uncertain")
async def test_a_reply_that_nobody_can_read_is_uncertain(world: World) -> None:
    world.write(ENDED)
    world.issuer.answers.append(PlainTextResponse("<html>ok</html>"))
    with pytest.raises(OAuthUnavailable, match="unreadable_reply"):
        await world.source().credentials()
    assert world.outcomes == ["uncertain"]


async def test_an_issuer_that_cannot_be_reached_is_transient(world: World) -> None:
    world.write(ENDED)
    source = world.source(token_endpoint="http://127.0.0.1:9/oauth/token")
    with pytest.raises(OAuthUnavailable, match="connect_failed"):
        await source.credentials()
    assert world.outcomes == ["transient"]


@pytest.mark.proves("OAUTH-recover")
async def test_after_a_401_the_tokens_of_another_process_are_used_first(world: World) -> None:
    world.write(FRESH)
    source = world.source()
    await source.credentials()
    newer = jwt(NOW + 86_400, name="newer")
    world.write(newer, "refresh-5")
    assert (await source.recover(FRESH)).access_token == newer
    assert world.issuer.token_calls == []


@pytest.mark.proves("OAUTH-recover")
async def test_after_a_401_one_refresh_follows_however_many_were_refused(world: World) -> None:
    world.write(FRESH)
    source = world.source()
    found = await asyncio.gather(*(source.recover(FRESH) for _ in range(20)))
    assert {credentials.access_token for credentials in found} == {world.latest()}
    assert (await source.recover(FRESH)).access_token == world.latest()
    assert world.issuer.refreshes == 1


@pytest.mark.proves("OAUTH-recover", "FAIL-17")
async def test_a_token_refused_right_after_its_refresh_ends_in_one_clear_message(world: World) -> None:
    world.write(FRESH)
    source = world.source()
    renewed = await source.recover(FRESH)
    for _ in range(3):
        with pytest.raises(OAuthUnavailable, match=r"session was ended.*auth login"):
            await source.recover(renewed.access_token)
    assert world.issuer.refreshes == 1


@pytest.mark.proves("OAUTH-recover", "FAIL-17")
async def test_a_refused_token_whose_login_is_dead_is_not_sent_again(world: World) -> None:
    world.write(FRESH)
    world.issuer.answers.append(refusal(401, "token_invalidated"))
    source = world.source()
    with pytest.raises(OAuthUnavailable, match="the server ended the session"):
        await source.recover(FRESH)
    with pytest.raises(OAuthUnavailable, match="the server ended the session"):
        await source.credentials()
    assert world.issuer.refreshes == 1


@pytest.mark.proves("OAUTH-access-only")
async def test_an_access_token_alone_works_until_it_ends(world: World) -> None:
    world.write(FRESH, "")
    source = world.source()
    assert (await source.credentials()).access_token == FRESH
    world.now = NOW + 86_400
    with pytest.raises(OAuthUnavailable, match=r"has expired and there is no refresh token.*auth login"):
        await source.credentials()
    assert world.issuer.token_calls == []


async def test_an_access_token_alone_that_is_refused_is_not_sent_again(world: World) -> None:
    world.write(FRESH, "")
    source = world.source()
    for ask in (source.recover(FRESH), source.credentials()):
        with pytest.raises(OAuthUnavailable, match="was refused by ChatGPT"):
            await ask


@pytest.mark.proves("OAUTH-partial-reply")
async def test_a_reply_without_a_refresh_token_keeps_the_old_one(world: World) -> None:
    world.write(ENDED, id_token="id-0")
    world.issuer.answers.append(JSONResponse({"access_token": FRESH}))
    assert (await world.source().credentials()).access_token == FRESH
    token = world.file.read() or Token("")
    assert (token.refresh_token, token.id_token) == ("refresh-0", "id-0")


@pytest.mark.proves("OAUTH-hosts")
async def test_a_refresh_token_never_goes_to_a_host_that_is_not_allowed(world: World) -> None:
    world.write(ENDED)
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        world.client = client
        with pytest.raises(OAuthUnavailable, match=r"oauth\.token_hosts"):
            await world.source(token_endpoint="https://chatgpt.com.evil.example/oauth/token").credentials()
    assert seen == []
    assert world.outcomes == ["blocked"]


@pytest.mark.proves("OAUTH-hosts")
async def test_a_redirect_is_not_followed_with_a_token(world: World) -> None:
    world.write(ENDED)
    world.issuer.answers.append(RedirectResponse(f"{world.base_url}/oauth/token"))
    world.client.follow_redirects = True
    with pytest.raises(OAuthUnavailable, match="http_307"):
        await world.source().credentials()
    assert world.issuer.refreshes == 1


@pytest.mark.proves("OAUTH-unsaved")
async def test_tokens_that_cannot_be_written_are_kept_and_written_later(world: World, tmp_path: Path) -> None:
    world.write(ENDED)
    world.issuer.hold = asyncio.Event()
    source = world.source()
    caller = asyncio.create_task(source.credentials())
    await world.issuer.asked.wait()
    # A directory cannot be swept away as the leftover it is named like: every write fails, also for root.
    obstacle = tmp_path / ".oauth-token.json.obstacle.tmp"
    obstacle.mkdir()
    world.issuer.hold.set()
    with pytest.raises(OAuthUnavailable, match="could not be written"):
        await caller
    with pytest.raises(OAuthUnavailable, match="could not be written"):
        await source.credentials()
    obstacle.rmdir()
    assert (await source.credentials()).access_token == world.latest()
    assert world.issuer.refreshes == 1
    assert world.outcomes == ["unsaved", "unsaved", "refreshed"]


async def _background(world: World, naps: int, jitter: Callable[[], float] = lambda: 0.0) -> list[float]:
    """Let the background task take some naps, without waiting for them."""
    taken: list[float] = []
    rested = asyncio.Event()

    async def sleep(seconds: float) -> None:
        taken.append(seconds)
        if len(taken) == naps:
            rested.set()
            await asyncio.Event().wait()

    source = TokenSource(
        world.file.path,
        settings=settings(world.base_url),
        client=world.client,
        clock=lambda: world.now,
        jitter=jitter,
        on_refresh=world.outcomes.append,
        sleep=sleep,
    )
    source.start()
    await rested.wait()
    await source.aclose()
    return taken


@pytest.mark.proves("OAUTH-proactive", "FAIL-15")
@pytest.mark.parametrize(
    ("left", "jitter", "refreshes"),
    [(301, 0.0, 0), (300, 0.0, 1), (601, 1.0, 0), (600, 1.0, 1), (450, 0.5, 1), (451, 0.5, 0)],
)
async def test_the_background_refreshes_five_minutes_and_a_lot_before_the_end(
    world: World, left: float, jitter: float, refreshes: int
) -> None:
    world.write(jwt(NOW + left))
    assert await _background(world, 3, lambda: jitter) == [60, 60, 60]
    assert world.issuer.refreshes == refreshes


@pytest.mark.proves("OAUTH-proactive")
@pytest.mark.parametrize(("days", "refreshes"), [(7.9, 0), (8.0, 1)])
async def test_a_token_without_a_readable_end_is_refreshed_after_eight_days(
    world: World, days: float, refreshes: int
) -> None:
    world.write("opaque", last_refresh=NOW - days * 86_400)
    await _background(world, 1)
    assert world.issuer.refreshes == refreshes


async def test_the_background_waits_for_a_login(world: World) -> None:
    assert await _background(world, 2) == [60, 60]
    assert world.outcomes == []


async def test_status_is_read_from_disk(world: World) -> None:
    world.write(FRESH)
    status = world.source().status()
    assert (status.logged_in, status.refresh, status.email, status.plan) == (True, "works", "ada@example.com", "pro")


def test_secrets_stay_out_of_the_representation() -> None:
    assert repr(Credentials("SECRET", "acct-1", "pro", True, None)) == (
        "Credentials(account_id='acct-1', plan='pro', fedramp=True, expires_at=None)"
    )
