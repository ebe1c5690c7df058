"""TokenSource when a refresh is refused, its reply is lost, or the backend answers 401."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest
from starlette.responses import PlainTextResponse, RedirectResponse

from gateway.errors import OAuthUnavailable

from .conftest import World
from .issuer import NOW, cut, jwt, refusal

FRESH = jwt(NOW + 86_400)
ENDED = jwt(NOW - 1)


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
    with pytest.raises(OAuthUnavailable, match="could not be written") as unsaved:
        await source.credentials()
    assert str(tmp_path) not in unsaved.value.message
    assert unsaved.value.detail == f"token file: {world.file.path}"
    obstacle.rmdir()
    assert (await source.credentials()).access_token == world.latest()
    assert world.issuer.refreshes == 1
    assert world.outcomes == ["unsaved", "unsaved", "refreshed"]
