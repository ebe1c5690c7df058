"""Who is calling: the innermost layer. Bearer keys, compared in constant time."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from gateway.errors import InvalidApiKey, RouteNotFound
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
        self._key = key.encode()
        self._header = b"Bearer " + self._key
        """As nearly every client spells it."""
        self._public = _PUBLIC | {"/metrics"} if loopback else _PUBLIC
        self._label = "config" if key else "open"

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        path: str = scope["path"]
        if path.startswith(_PRIVATE_PREFIX) or self._asks_for_key(scope, path):
            state = scope["state"]
            if self._key:
                value = state["headers"].get(b"authorization")
                if value is None or not compare_digest(self._header, value):
                    self._check(scope, value)
            state["facts"]["key"] = self._label
            state["owner"] = OPERATOR
        return self._app(scope, receive, send)

    def _asks_for_key(self, scope: Scope, path: str) -> bool:
        """Whether a path outside the API does. Raises RouteNotFound for one that nobody listed."""
        if path in self._public or path.startswith(_PUBLIC_PREFIX):
            return False
        if path != "/metrics":
            raise RouteNotFound(f"Unknown URL: {scope['method']} {path[:200]}")
        return True

    def _check(self, scope: Scope, value: bytes | None) -> None:
        """Look for the key in a header of any spelling. Raises InvalidApiKey.

        How long `compare_digest` takes depends on what was sent alone, its second argument: neither on where the two
        differ nor on how long the key is. So nothing would be gained by hashes.
        """
        if value is None:
            value = b"Bearer " + key_of(scope).encode("latin-1")  # pages that open a WebSocket have no other way
        scheme, _, sent = value.strip().partition(b" ")
        sent = sent.strip()
        if scheme.lower() != b"bearer" or not sent:
            raise _refused("No API key was sent. Put it into the header `Authorization: Bearer <key>`.")
        if not compare_digest(self._key, sent):
            raise _refused("The API key that was sent is not a key of this gateway.")


def _refused(message: str) -> InvalidApiKey:
    return InvalidApiKey(message, headers={"www-authenticate": "Bearer"})
