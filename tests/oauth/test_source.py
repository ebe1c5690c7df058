"""TokenSource: which token the next request carries, and when the issuer is asked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest
from starlette.responses import JSONResponse

from gateway.config import OAuth
from gateway.errors import OAuthUnavailable
from gateway.oauth.lock import hold
from gateway.oauth.source import Credentials, TokenSource
from gateway.oauth.token import Token

from .conftest import World
from .issuer import NOW, jwt, settings

FRESH = jwt(NOW + 86_400)
ENDED = jwt(NOW - 1)


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
        refreshed=True,
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


@pytest.mark.proves("OAUTH-partial-reply")
async def test_a_reply_without_a_refresh_token_keeps_the_old_one(world: World) -> None:
    world.write(ENDED, id_token="id-0")
    world.issuer.answers.append(JSONResponse({"access_token": FRESH}))
    assert (await world.source().credentials()).access_token == FRESH
    token = world.file.read() or Token("")
    assert (token.refresh_token, token.id_token) == ("refresh-0", "id-0")


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
    assert (status.logged_in, status.refresh, status.email, status.plan) == (True, "untried", "ada@example.com", "pro")


@pytest.mark.proves("OAUTH-status")
async def test_refreshing_works_only_once_it_did(world: World) -> None:
    world.write(ENDED)
    assert world.source().status().refresh == "untried"
    await world.source().credentials()
    assert world.source().status().refresh == "works"


@pytest.mark.parametrize("damage", ["{", "{}", "a directory", "lock"])
async def test_clients_are_shown_no_path_and_the_log_is(world: World, damage: str) -> None:
    world.write(ENDED)
    path = world.file.path
    if damage == "lock":
        path = world.file.lock_path
        path.mkdir()
    elif damage == "a directory":
        path.unlink()
        path.mkdir()
    else:
        path.write_text(damage)
    with pytest.raises(OAuthUnavailable) as unavailable:
        await world.source().credentials()
    assert "/" not in unavailable.value.message
    assert str(path.parent) not in str(unavailable.value.error_object())
    assert str(path) in unavailable.value.detail


def test_secrets_stay_out_of_the_representation() -> None:
    assert repr(Credentials("SECRET", "acct-1", "pro", True, None)) == (
        "Credentials(account_id='acct-1', plan='pro', fedramp=True, expires_at=None)"
    )
