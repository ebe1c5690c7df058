"""A small authorization server on a real socket, and tokens as it makes them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.config import OAuth

NOW = 1_795_000_000.0
"""The time in tests: Unix seconds."""
ALWAYS = 4_000_000_000.0
"""A time after any test: for what asks the real clock."""


def jwt(expires_at: float | None, *, name: str = "a", account: str = "acct-1", **claims: object) -> str:
    """An unsigned access token. Two names make two tokens."""
    body: dict[str, object] = {
        "jti": name,
        "https://api.openai.com/auth": {"chatgpt_account_id": account, "chatgpt_plan_type": "pro"},
        "https://api.openai.com/profile": {"email": "ada@example.com"},
        **({} if expires_at is None else {"exp": expires_at}),
        **claims,
    }
    return ".".join(_part(part) for part in ({"alg": "none"}, body, {"sig": name}))


def _part(document: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


@dataclass
class Issuer:
    """Codes are exchanged with a PKCE check; refresh tokens work once. `answers` go before its own, in order; an
    answer may be `CUT`, which breaks the connection. `hold`: token calls wait for it. `asked`: set by a token call."""

    expires_at: float = NOW + 864_000
    refresh_token: str = "refresh-0"
    answers: deque[Response] = field(default_factory=deque)
    device_answers: deque[Response] = field(default_factory=deque)
    revoked: list[dict[str, Any]] = field(default_factory=list)
    revoke_status: int = 200
    challenges: dict[str, str] = field(default_factory=dict)
    token_calls: list[dict[str, str]] = field(default_factory=list)
    device_calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    hold: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    made: int = 0

    @property
    def refreshes(self) -> int:
        return sum(call["grant_type"] == "refresh_token" for call in self.token_calls)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/oauth/token", self._token, methods=["POST"]),
                Route("/oauth/revoke", self._revoke, methods=["POST"]),
                Route("/api/accounts/deviceauth/usercode", self._device, methods=["POST"]),
                Route("/api/accounts/deviceauth/token", self._device, methods=["POST"]),
            ]
        )

    def reply(self) -> dict[str, object]:
        """The next tokens; the refresh token before them is spent."""
        self.made += 1
        self.refresh_token = f"refresh-{self.made}"
        access = jwt(self.expires_at, name=f"access-{self.made}")
        return {
            "access_token": access,
            "refresh_token": self.refresh_token,
            "id_token": jwt(self.expires_at, name="id", email="ada@example.com"),
            "token_type": "Bearer",
            "expires_in": 864_000,
        }

    async def _token(self, request: Request) -> Response:
        call = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.token_calls.append(call)
        self.headers.append(dict(request.headers))
        self.asked.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.answers:
            return self.answers.popleft()
        if call["grant_type"] == "refresh_token":
            if call["refresh_token"] != self.refresh_token:
                return refusal(400, "refresh_token_reused")
            return JSONResponse(self.reply())
        challenge = base64.urlsafe_b64encode(sha256(call["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if self.challenges.pop(call["code"], None) != challenge:
            return JSONResponse({"error": "invalid_grant", "error_description": "pkce"}, 400)
        return JSONResponse(self.reply())

    async def _revoke(self, request: Request) -> Response:
        self.revoked.append(await request.json())
        return Response(status_code=self.revoke_status)

    async def _device(self, request: Request) -> Response:
        self.device_calls.append((request.url.path, await request.json()))
        return self.device_answers.popleft()


class _Cut(Response):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Promise a body and break off: the request was read, no answer came."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise ConnectionResetError


def cut() -> Response:
    """The connection breaks after the request was read."""
    return _Cut()


def refusal(status: int, code: str) -> Response:
    return JSONResponse(
        {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": code}}, status
    )


def settings(base_url: str, **changes: Any) -> OAuth:
    """The settings of a gateway whose issuer is at `base_url`."""
    values: dict[str, Any] = {
        "authorize_endpoint": f"{base_url}/oauth/authorize",
        "token_endpoint": f"{base_url}/oauth/token",
        "revoke_endpoint": f"{base_url}/oauth/revoke",
        "device_authorization_endpoint": f"{base_url}/api/accounts/deviceauth/usercode",
        "redirect_port": 0,
        **changes,
    }
    return OAuth(**values)
