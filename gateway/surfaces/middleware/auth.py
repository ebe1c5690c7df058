"""Who is calling: the innermost layer. Bearer keys, compared in constant time by hash."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from gateway.errors import InvalidApiKey, RouteNotFound
from gateway.surfaces.headers import by_name
from gateway.surfaces.middleware.sockets import key_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Receive, Scope, Send

OPERATOR = "operator"
"""The owner of everything done with the fixed key, or in open mode."""

_PUBLIC = frozenset({"/", "/healthz", "/readyz", "/docs", "/redoc", "/openapi.yaml", "/openapi.json"})
_PUBLIC_PREFIX = "/assets/"
_PRIVATE_PREFIX = "/v1/"


class Auth:
    """Lets a request through with its owner, or refuses it.

    A path that is neither public nor below a private prefix does not exist, whatever the router knows: a new surface
    stays closed until it is listed here.
    """

    def __init__(self, app: ASGIApp, *, key: str, loopback: bool) -> None:
        """`key`: "" is open mode. `loopback`: only this machine can connect, so `/metrics` needs no key."""
        self._app = app
        self._digest = _digest(key.encode()) if key else None
        self._public = _PUBLIC | {"/metrics"} if loopback else _PUBLIC
        self._label = "config" if key else "open"

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "lifespan":
            self._admit(scope)
        return self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        path: str = scope["path"]
        if path in self._public or path.startswith(_PUBLIC_PREFIX):
            return
        if not path.startswith(_PRIVATE_PREFIX) and path != "/metrics":
            raise RouteNotFound(f"Unknown URL: {scope['method']} {path[:200]}")
        state = scope["state"]
        if self._digest is not None:
            self._check(scope, self._digest)
        state["facts"]["key"] = self._label
        state["owner"] = OPERATOR

    @staticmethod
    def _check(scope: Scope, digest: bytes) -> None:
        """Raises InvalidApiKey."""
        value = by_name(scope).get(b"authorization")
        if value is None:
            value = b"Bearer " + key_of(scope).encode("latin-1")  # pages that open a WebSocket have no other way
        scheme, _, sent = value.strip().partition(b" ")
        sent = sent.strip()
        if scheme.lower() != b"bearer" or not sent:
            raise _refused("No API key was sent. Put it into the header `Authorization: Bearer <key>`.")
        if not hmac.compare_digest(_digest(sent), digest):
            raise _refused("The API key that was sent is not a key of this gateway.")


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _refused(message: str) -> InvalidApiKey:
    return InvalidApiKey(message, headers={"www-authenticate": "Bearer"})
