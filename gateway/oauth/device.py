"""Login with a code typed on another machine (codex-upstream §2). Not RFC 8628: own addresses, JSON bodies, and the
server makes the PKCE pair."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit, urlunsplit

import httpx2

from gateway.core import json
from gateway.oauth.endpoint import LoginFailed, identity
from gateway.oauth.failures import error_code
from gateway.oauth.hosts import require_token_host
from gateway.oauth.token import Token, read_time

if TYPE_CHECKING:
    from gateway.config import OAuth

_CEILING_SECONDS = 900.0
_CALL_SECONDS = 30.0
_REDIRECT_URI = "https://auth.openai.com/deviceauth/callback"
"""Registered for the public client; nothing is sent there, the exchange only has to name it."""
_SHORTEST, _USUAL, _LONGEST = 1.0, 5.0, 60.0

Verdict = Literal["approved", "pending", "slow down", "expired", "declined", "fatal"]
Finish = Callable[[str, str, str], Awaitable[Token]]

_VERDICTS: dict[str, Verdict] = {
    "deviceauth_authorization_pending": "pending",
    "authorization_pending": "pending",
    "deviceauth_not_found": "expired",
    "deviceauth_access_denied": "declined",
    "access_denied": "declined",
    "deviceauth_slow_down": "slow down",
    "slow_down": "slow down",
    "deviceauth_expired_token": "expired",
    "expired_token": "expired",
}
_BARE: dict[int, Verdict] = {403: "pending", 404: "expired"}


def verdict(status: int, body: bytes) -> Verdict:
    """What a poll's answer means: its code decides, and its status where it has none."""
    if 200 <= status < 300:
        return "approved"
    code = error_code(body)
    if code in _VERDICTS:
        return _VERDICTS[code]
    if status == 429:
        return "slow down"
    # A web page comes from something in between, not from the login server.
    if code or b"<html" in body[:1000].lower():
        return "fatal"
    return _BARE.get(status, "fatal")


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What the server gave for this login. `interval` and `expires_at` in seconds."""

    device_auth_id: str = field(repr=False)
    user_code: str = field(repr=False)
    interval: float
    expires_at: float


class DeviceLogin:
    """One login with a code. `finish` exchanges the authorization code and saves the login."""

    def __init__(
        self,
        settings: OAuth,
        client: httpx2.AsyncClient,
        finish: Finish,
        *,
        say: Callable[[str], None],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._client = client
        self._finish = finish
        self._say = say
        self._clock = clock
        self._sleep = sleep
        self._start_url = settings.device_authorization_endpoint
        parts = urlsplit(self._start_url)
        self._issuer = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        self._poll_url = urlunsplit((parts.scheme, parts.netloc, parts.path.rpartition("/")[0] + "/token", "", ""))

    async def run(self) -> Token:
        """Show the code, wait until it was typed in, finish. Raises LoginFailed, TokenHostRefused."""
        require_token_host(self._settings.token_endpoint, self._settings.token_hosts)
        device = await self._start()
        self._say(f"Open {self._issuer}/codex/device in any browser and enter this code: {device.user_code}")
        self._say(
            "The code was made by the login you started here just now. Never enter a code that somebody sent you: "
            "it would give them your account."
        )
        reply = await self._approval(device)
        code, verifier = reply.get("authorization_code"), reply.get("code_verifier")
        if not isinstance(code, str) or not isinstance(verifier, str) or not code or not verifier:
            raise LoginFailed(
                "The login server approved the code but sent no authorization code. Log in again.",
                code="missing_authorization_code",
            )
        return await self._finish(code, verifier, _REDIRECT_URI)

    async def _start(self) -> DeviceCode:
        try:
            answer = await self._post(self._start_url, {"client_id": self._settings.client_id})
        except (httpx2.TransportError, TimeoutError) as error:
            raise LoginFailed(
                f"{self._start_url} could not be reached. Check the network and network.proxy_url, then log in again.",
                code="device_unreachable",
            ) from error
        if answer.status_code == 404:
            raise LoginFailed(
                "This login server offers no login with a device code. Use `codex-gateway auth login --no-browser`.",
                code="device_login_disabled",
            )
        body = _object(answer)
        auth_id, user_code = body.get("device_auth_id"), body.get("user_code") or body.get("usercode")
        if not answer.is_success or not isinstance(auth_id, str) or not isinstance(user_code, str):
            said = f"HTTP {answer.status_code} {error_code(answer.content)}".rstrip()
            raise LoginFailed(
                f"The login server gave no device code ({said}). Try later, or use "
                "`codex-gateway auth login --no-browser`.",
                code="device_start_failed",
            )
        now = self._clock()
        ends = read_time(body.get("expires_at"))
        # An end in the past only says that one of the two clocks is wrong.
        ceiling = now + _CEILING_SECONDS
        shown = "".join(letter for letter in user_code if letter.isprintable())
        return DeviceCode(
            auth_id, shown, read_interval(body.get("interval")), min(ends, ceiling) if ends and ends > now else ceiling
        )

    async def _approval(self, device: DeviceCode) -> dict[str, Any]:
        interval = device.interval
        while self._clock() + interval <= device.expires_at:
            await self._sleep(interval)
            try:
                answer = await self._post(
                    self._poll_url, {"device_auth_id": device.device_auth_id, "user_code": device.user_code}
                )
            except (httpx2.TransportError, TimeoutError):
                continue  # the person may still be typing; the ceiling ends it
            match verdict(answer.status_code, answer.content):
                case "approved":
                    return _object(answer)
                case "pending":
                    continue
                case "slow down":
                    interval = min(interval * 2, _LONGEST)
                case "declined":
                    raise LoginFailed(
                        "The login was declined. Run `codex-gateway auth login --device` to try again.",
                        code="access_denied",
                    )
                case "expired":
                    break
                case "fatal":
                    said = f"HTTP {answer.status_code} {error_code(answer.content)}".rstrip()
                    raise LoginFailed(
                        f"The login server ended the login ({said}). Run `codex-gateway auth login --device` again.",
                        code="device_login_failed",
                    )
        raise LoginFailed(
            "The code has expired. Run `codex-gateway auth login --device` for a new one.", code="device_code_expired"
        )

    async def _post(self, url: str, body: dict[str, str]) -> httpx2.Response:
        async with asyncio.timeout(_CALL_SECONDS):
            return await self._client.post(
                url, json=body, headers=identity(self._settings), follow_redirects=False, timeout=_CALL_SECONDS
            )


def read_interval(value: object) -> float:
    """Seconds between polls; the server writes them as text."""
    try:
        seconds = float(value) if isinstance(value, str | int | float) else 0.0
    except ValueError:
        seconds = 0.0
    if not math.isfinite(seconds) or seconds <= 0:
        return _USUAL
    return min(max(seconds, _SHORTEST), _LONGEST)


def _object(answer: httpx2.Response) -> dict[str, Any]:
    try:
        body = json.loads(answer.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
