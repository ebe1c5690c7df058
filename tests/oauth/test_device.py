"""Login with a code typed on another machine."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from gateway.config import OAuth
from gateway.oauth.device import DeviceLogin, read_interval
from gateway.oauth.endpoint import LoginFailed, TokenEndpoint
from gateway.oauth.file import TokenFile
from gateway.oauth.login import Login
from gateway.oauth.token import Token, write_time
from tests.serving import serving

from .issuer import NOW, Issuer, jwt, refusal, settings

USERCODE, POLL = "/api/accounts/deviceauth/usercode", "/api/accounts/deviceauth/token"
VERIFIER = "v" * 60
PENDING = (403, "deviceauth_authorization_pending")


class Room:
    """A device login whose sleeping moves the clock."""

    def __init__(self, issuer: Issuer, file: TokenFile, client: httpx2.AsyncClient, oauth: OAuth) -> None:
        self.issuer = issuer
        self.file = file
        self.client = client
        self.oauth = oauth
        self.said: list[str] = []
        self.naps: list[float] = []

    async def run(self) -> Token:
        async def sleep(seconds: float) -> None:
            self.naps.append(seconds)

        finish = Login(TokenEndpoint(self.oauth, self.client), self.file, lambda: NOW).finish
        return await DeviceLogin(
            self.oauth,
            self.client,
            finish,
            say=self.said.append,
            clock=lambda: NOW + sum(self.naps),
            sleep=sleep,
        ).run()

    def answer(self, *answers: Response, **start: object) -> None:
        """What the device endpoints answer: the code, then one for each poll."""
        code = {"device_auth_id": "dev-1", "user_code": "ABCD-12345", "interval": "5", **start}
        self.issuer.device_answers.extend([JSONResponse(code), *answers])


def approval(issuer: Issuer) -> Response:
    challenge = base64.urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    issuer.challenges["code-9"] = challenge
    return JSONResponse({"authorization_code": "code-9", "code_challenge": challenge, "code_verifier": VERIFIER})


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    issuer = Issuer()
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(serving(issuer.app()))
        client = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False))
        await stack.enter_async_context(asyncio.timeout(20))
        yield Room(issuer, TokenFile(tmp_path / "oauth-token.json"), client, settings(base_url))


@pytest.mark.proves("OAUTH-device", "FAIL-18")
async def test_a_person_logs_in_with_a_code(room: Room) -> None:
    room.answer(refusal(*PENDING), refusal(*PENDING), approval(room.issuer))
    token = await room.run()
    assert token == room.file.read()
    assert token.access_token == jwt(room.issuer.expires_at, name="access-1")
    poll = {"device_auth_id": "dev-1", "user_code": "ABCD-12345"}
    assert room.issuer.device_calls == [
        (USERCODE, {"client_id": room.oauth.client_id}),
        (POLL, poll),
        (POLL, poll),
        (POLL, poll),
    ]
    issuer = room.oauth.token_endpoint.removesuffix("/oauth/token")
    assert room.issuer.token_calls == [
        {
            "grant_type": "authorization_code",
            "code": "code-9",
            "code_verifier": VERIFIER,
            "client_id": room.oauth.client_id,
            "redirect_uri": "https://auth.openai.com/deviceauth/callback",
        }
    ]
    assert room.naps == [5, 5, 5]
    assert room.said[0] == f"Open {issuer}/codex/device in any browser and enter this code: ABCD-12345"
    assert "Never enter a code that somebody sent you" in room.said[1]


@pytest.mark.proves("OAUTH-device-table")
@pytest.mark.parametrize(
    ("poll", "code"),
    [
        (refusal(404, "deviceauth_not_found"), "device_code_expired"),
        (Response(status_code=404), "device_code_expired"),
        (refusal(403, "deviceauth_access_denied"), "access_denied"),
        (refusal(403, "access_denied"), "access_denied"),
        (refusal(400, "deviceauth_expired_token"), "device_code_expired"),
        (refusal(403, "expired_token"), "device_code_expired"),
        (refusal(403, "something_else"), "device_login_failed"),
        (refusal(400, "invalid_request"), "device_login_failed"),
        (refusal(500, "server_error"), "device_login_failed"),
        (PlainTextResponse("<!doctype html><html>Just a moment", 403), "device_login_failed"),
        (JSONResponse({}), "missing_authorization_code"),
    ],
    ids=lambda value: "" if isinstance(value, Response) else value,
)
async def test_answers_that_end_the_login(room: Room, poll: Response, code: str) -> None:
    room.answer(poll)
    with pytest.raises(LoginFailed) as failed:
        await room.run()
    assert failed.value.code == code
    assert len(room.issuer.device_calls) == 2
    assert room.file.read() is None


@pytest.mark.proves("OAUTH-device-table")
@pytest.mark.parametrize(
    ("poll", "then"),
    [
        (refusal(*PENDING), 5),
        (refusal(404, "deviceauth_authorization_pending"), 5),
        (Response(status_code=403), 5),
        (refusal(400, "deviceauth_slow_down"), 10),
        (refusal(403, "slow_down"), 10),
        (Response(status_code=429), 10),
    ],
)
async def test_answers_after_which_polling_goes_on(room: Room, poll: Response, then: float) -> None:
    room.answer(poll, approval(room.issuer))
    await room.run()
    assert room.naps == [5, then]


@pytest.mark.proves("OAUTH-device-table")
async def test_slowing_down_stops_at_a_minute(room: Room) -> None:
    room.answer(*[Response(status_code=429)] * 5, approval(room.issuer), interval="20")
    await room.run()
    assert room.naps == [20, 40, 60, 60, 60, 60]


@pytest.mark.proves("OAUTH-device-ceiling")
@pytest.mark.parametrize(
    ("expires_at", "polls"),
    [(None, 15), (write_time(NOW + 120), 2), (write_time(NOW + 9999), 15), (write_time(NOW - 60), 15), ("soon", 15)],
)
async def test_waiting_ends_with_the_code_and_after_fifteen_minutes_at_the_latest(
    room: Room, expires_at: str | None, polls: int
) -> None:
    room.answer(*[refusal(*PENDING)] * 20, interval="60", expires_at=expires_at)
    with pytest.raises(LoginFailed) as failed:
        await room.run()
    assert failed.value.code == "device_code_expired"
    assert len(room.naps) == polls


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("5", 5), ("7.5", 7.5), (3, 3), ("0", 5), (None, 5), ("x", 5), ("nan", 5), ("0.1", 1), ("900", 60), (-4, 5)],
    ids=repr,
)
def test_intervals(value: object, seconds: float) -> None:
    assert read_interval(value) == seconds


@pytest.mark.proves("OAUTH-device")
async def test_the_other_spelling_of_the_code_is_read(room: Room) -> None:
    room.answer(approval(room.issuer), user_code=None, usercode="WXYZ-98765")
    await room.run()
    assert room.said[0].endswith("WXYZ-98765")


@pytest.mark.proves("OAUTH-device")
async def test_an_issuer_without_device_login_is_named(room: Room) -> None:
    room.issuer.device_answers.append(Response(status_code=404))
    with pytest.raises(LoginFailed) as failed:
        await room.run()
    assert failed.value.code == "device_login_disabled"
    assert "--no-browser" in failed.value.message


@pytest.mark.parametrize("start", [JSONResponse({}), refusal(500, "server_error"), PlainTextResponse("x")])
async def test_a_start_without_a_code_fails(room: Room, start: Response) -> None:
    room.issuer.device_answers.append(start)
    with pytest.raises(LoginFailed) as failed:
        await room.run()
    assert failed.value.code == "device_start_failed"


async def test_a_network_that_fails_between_polls_does_not_end_the_login(room: Room) -> None:
    class Flaky(httpx2.AsyncHTTPTransport):
        calls = 0

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            self.calls += 1
            if self.calls == 2:
                raise httpx2.ConnectError("no way")
            return await super().handle_async_request(request)

    room.answer(approval(room.issuer))
    async with httpx2.AsyncClient(transport=Flaky()) as client:
        room.client = client
        assert (await room.run()).refresh_token == "refresh-1"
    assert room.naps == [5, 5]


@pytest.mark.proves("OAUTH-device")
async def test_a_configured_device_address_is_used_with_its_sibling(room: Room) -> None:
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(str(request.url))
        if request.url.path.endswith("/token"):
            return httpx2.Response(404)
        return httpx2.Response(200, json={"device_auth_id": "d", "user_code": "c"})

    room.oauth = OAuth(device_authorization_endpoint="https://login.example.com/a/b/code")
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        room.client = client
        with pytest.raises(LoginFailed):
            await room.run()
    assert seen == ["https://login.example.com/a/b/code", "https://login.example.com/a/b/token"]
    assert room.said[0].startswith("Open https://login.example.com/codex/device ")
