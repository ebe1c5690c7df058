"""Calls that carry a secret: code exchange, refresh, revocation. Every one checks the host rule before it is sent,
follows no redirect, and lets no text of the server out except a code that looks like one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx2

from gateway import __version__
from gateway.core import json
from gateway.errors import OAuthUnavailable
from gateway.oauth.failures import Failure, classify, error_code
from gateway.oauth.hosts import require_token_host

if TYPE_CHECKING:
    from gateway.config import OAuth

_TOKEN_SECONDS = 30.0
_REVOKE_SECONDS = 10.0
_NOT_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
)
"""Failures that happen before the first byte of the request is on its way."""


class LoginFailed(OAuthUnavailable):
    """A login did not succeed; the message says why and what to do. `code` is for programs."""

    code = "login_failed"


class TokenEndpoint:
    """The token and revocation endpoints of the issuer. The client stays the caller's to close."""

    def __init__(self, settings: OAuth, client: httpx2.AsyncClient) -> None:
        self._settings = settings
        self._client = client

    async def exchange(self, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """The token reply for an authorization code (§1.3). Raises LoginFailed, TokenHostRefused."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        try:
            answer = await self._send(fields)
        except (httpx2.TransportError, TimeoutError) as error:
            raise LoginFailed(
                f"{self._settings.token_endpoint} could not be reached ({_kind(error)}). "
                "Check the network and network.proxy_url, then log in again.",
                code="token_exchange_failed",
            ) from error
        reply = _reply(answer) if answer.is_success else None
        if reply is None:
            raise LoginFailed(_refused_exchange(answer), code="token_exchange_failed")
        return reply

    async def refresh(self, refresh_token: str) -> dict[str, Any] | Failure:
        """The token reply for a refresh token (§4.1), or why there is none. Raises TokenHostRefused."""
        try:
            answer = await self._send({"grant_type": "refresh_token", "refresh_token": refresh_token})
        except _NOT_SENT as error:
            return Failure("transient", _kind(error))
        except (httpx2.TransportError, TimeoutError) as error:
            return Failure("uncertain", _kind(error))
        if not answer.is_success:
            return classify(answer.status_code, answer.content)
        # A 2xx that nobody can read may have spent the token.
        reply = _reply(answer)
        return Failure("uncertain", "unreadable_reply") if reply is None else reply

    async def revoke(self, token: str, hint: str) -> None:
        """Ask the issuer to forget a token (§4.6); `hint` is `refresh_token` or `access_token`.

        Raises LoginFailed with the reason when it did not, TokenHostRefused.
        """
        url = self._settings.revoke_endpoint
        require_token_host(url, self._settings.token_hosts)
        body = {"token": token, "token_type_hint": hint}
        if hint == "refresh_token":
            body["client_id"] = self._settings.client_id
        try:
            async with asyncio.timeout(_REVOKE_SECONDS):
                answer = await self._client.post(
                    url, json=body, headers=identity(self._settings), follow_redirects=False, timeout=_REVOKE_SECONDS
                )
        except (httpx2.TransportError, TimeoutError) as error:
            raise LoginFailed(f"{url} could not be reached ({_kind(error)})", code="revocation_failed") from error
        if not answer.is_success:
            code = error_code(answer.content)
            raise LoginFailed(f"{url} answered {answer.status_code} {code}".rstrip(), code="revocation_failed")

    async def _send(self, fields: dict[str, str]) -> httpx2.Response:
        """POST a form to the token endpoint. Raises httpx2.TransportError, TimeoutError, TokenHostRefused."""
        url = self._settings.token_endpoint
        require_token_host(url, self._settings.token_hosts)
        form = {**fields, "client_id": self._settings.client_id}
        if secret := self._settings.client_secret.get_secret_value():
            form["client_secret"] = secret
        if self._settings.audience and fields["grant_type"] == "authorization_code":
            form["audience"] = self._settings.audience
        async with asyncio.timeout(_TOKEN_SECONDS):
            return await self._client.post(
                url, data=form, headers=identity(self._settings), follow_redirects=False, timeout=_TOKEN_SECONDS
            )


def identity(settings: OAuth) -> dict[str, str]:
    """Who we say we are: the same on every call to the issuer and to the backend (§5.3)."""
    name = settings.originator or "codex-gateway"
    return {
        "originator": name,
        "user-agent": f"{name}/{__version__}",
        "accept": "application/json",
    }


def _reply(answer: httpx2.Response) -> dict[str, Any] | None:
    try:
        reply = json.loads(answer.content)
    except ValueError:
        return None
    return reply if isinstance(reply, dict) else None


def _refused_exchange(answer: httpx2.Response) -> str:
    if answer.is_success:
        return "The login server sent an answer that is not JSON. Log in again; if it stays, check network.proxy_url."
    if answer.headers.get("cf-mitigated") == "challenge" or b"<html" in answer.content[:1000].lower():
        return (
            f"A web page (HTTP {answer.status_code}) came instead of the login server's answer: a proxy or a bot check "
            "stands between. Log in from another network, or set network.proxy_url."
        )
    code = error_code(answer.content)
    said = f"HTTP {answer.status_code}" + (f", {code}" if code else "")
    return f"The login server refused the login ({said}). The code works once and only for minutes: log in again."


def _kind(error: Exception) -> str:
    """What went wrong on the way, as a code: the text of network errors may hold an address with a password."""
    names = {
        httpx2.ConnectTimeout: "connect_timeout",
        httpx2.ConnectError: "connect_failed",
        httpx2.ProxyError: "proxy_failed",
        httpx2.TimeoutException: "timeout",
        TimeoutError: "timeout",
    }
    return next((name for kind, name in names.items() if isinstance(error, kind)), "connection_broke")
