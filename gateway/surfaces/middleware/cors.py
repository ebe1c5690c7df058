"""Cross-origin requests of browser pages: off until `cors.allow_origins` names somebody (Fetch standard, CORS)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.config import Cors
    from gateway.surfaces.errors import RawHeaders

_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"

_EXPOSED = b", ".join(
    (
        b"x-request-id",
        b"x-gateway-dropped",
        b"x-gateway-upstream",
        b"retry-after",
        b"retry-after-ms",
        b"x-should-retry",
        b"openai-processing-ms",
        b"x-ratelimit-limit-requests",
        b"x-ratelimit-limit-tokens",
        b"x-ratelimit-remaining-requests",
        b"x-ratelimit-remaining-tokens",
        b"x-ratelimit-reset-requests",
        b"x-ratelimit-reset-tokens",
    )
)
"""What SDKs read. Named one by one: "*" does not count in requests with credentials."""


class CorsPolicy:
    """Which origins may call, as response headers."""

    def __init__(self, cors: Cors) -> None:
        self.on = bool(cors.allow_origins)
        self._any = "*" in cors.allow_origins
        self._origins = frozenset(origin.rstrip("/").encode("latin-1") for origin in cors.allow_origins)
        self._max_age = str(cors.max_age_seconds).encode()

    def allows(self, origin: bytes) -> bool:
        return self._any or origin in self._origins

    def headers(self, origin: bytes) -> RawHeaders:
        """The headers of any answer; `origin` is b"" when the request names none."""
        if not self._origins:
            return []
        if self._any:
            # No credentials here: with "*" browsers refuse them, and echoing the origin instead would allow everybody.
            return [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", _EXPOSED)]
        if origin not in self._origins:
            return [(b"vary", b"Origin")]
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", _EXPOSED),
            (b"vary", b"Origin"),
        ]

    def preflight(self, request: RawHeaders) -> RawHeaders:
        """The headers that answer an allowed preflight, besides `headers`.

        The headers asked for are granted as they are: SDKs send a changing set of `x-stainless-*`.
        """
        answer = [(b"access-control-allow-methods", _METHODS), (b"access-control-max-age", self._max_age)]
        for name, value in request:
            if name == b"access-control-request-headers":
                answer.append((b"access-control-allow-headers", value))
            elif name == b"access-control-request-private-network" and value == b"true":
                # A page on the internet that calls a gateway on the private network.
                answer.append((b"access-control-allow-private-network", b"true"))
        answer.append((b"vary", b"Access-Control-Request-Headers"))
        return answer
