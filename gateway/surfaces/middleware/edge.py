"""The outermost layer: request id, one log line, metrics, Host check, CORS, and the only wrap of `send`."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from gateway.errors import GatewayError, HostNotAllowed
from gateway.surfaces.errors import RawHeaders, send_error
from gateway.surfaces.headers import Headers, by_name
from gateway.surfaces.middleware.cors import CorsPolicy
from gateway.surfaces.middleware.hosts import host_of, is_loopback
from gateway.surfaces.middleware.sockets import refusing

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from structlog.typing import FilteringBoundLogger

    from gateway.config import Cors
    from gateway.engine.metrics import Metrics

_SANE_ID = re.compile(rb"[\x20-\x7e]{1,128}")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FOREIGN_SITES = frozenset({b"cross-site", b"same-site"})
_PREFLIGHT = b"access-control-request-method"


_numbers = random.Random()  # noqa: S311 - an id is no secret, and to ask the system for each lets other threads run


def _new_id() -> str:
    return f"{_numbers.getrandbits(128):032x}"


def _is_foreign(origin: bytes) -> bool:
    """Whether a page of another machine asks. `null` and the schemes of apps name no machine."""
    scheme, _, authority = origin.partition(b"://")
    return scheme in (b"http", b"https") and not is_loopback(host_of(authority.decode("latin-1")))


OFFER = "gateway.offer"
"""Where in the scope a server may put a function that sends a piece of a body that has begun, if it can do so at once;
returns False and does nothing where it cannot."""


class Sent:
    """What has gone to the client so far; called in place of `send`. `status` is 0 until the answer has started.

    It is 101 once a WebSocket was accepted; `bytes` are then those of the messages, `complete` means closed by us.
    """

    __slots__ = ("_clock", "_extra", "_offer", "_send", "bytes", "complete", "first_at", "status")

    def __init__(
        self, send: Send, extra: RawHeaders, clock: Callable[[], float], offer: Callable[[bytes], bool] | None = None
    ) -> None:
        """`extra`: headers put on whatever answer is sent. `offer`: see `OFFER`."""
        self._send = send
        self._offer = offer
        self._extra = extra
        self._clock = clock
        self.status = 0
        self.bytes = 0
        self.complete = False
        self.first_at: float | None = None

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.body":
            self.bytes += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
        elif kind == "http.response.start":
            self.status = message["status"]
            self.first_at = self._clock()
            message = {**message, "headers": [*message.get("headers", ()), *self._extra]}
        elif kind == "websocket.accept":
            self.status = 101
            self.first_at = self._clock()
            message = {**message, "headers": [*message.get("headers", ()), *self._extra]}
        elif kind == "websocket.send":
            self.bytes += len(message["text"])
        elif kind == "websocket.close":
            self.complete = True
        await self._send(message)

    def offer(self, data: bytes) -> bool:
        """Send a piece of a body that has begun, if the server can take it at once. False: nothing was done."""
        if self._offer is None or not self._offer(data):
            return False
        self.bytes += len(data)
        return True


class Edge:
    """Wraps the whole app.

    A trailing slash is optional on every route, without a redirect: it is taken off here, once, for all that follows.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        loopback: bool,
        allowed_hosts: Iterable[str],
        cors: Cors,
        metrics: Metrics,
        log: FilteringBoundLogger,
        clock: Callable[[], float] = time.perf_counter,
        new_id: Callable[[], str] = _new_id,
    ) -> None:
        """`loopback`: only this machine can connect, so foreign pages are kept out by their Host.

        `allowed_hosts`: further names for a loopback listener. `clock`: seconds from any start, never going back.
        """
        self._app = app
        self._cors = CorsPolicy(cors)
        self._metrics = metrics
        self._log = log.bind()  # once: a lazy logger binds itself anew for every line
        self._clock = clock
        self._new_id = new_id
        self._guarded = loopback
        allowed = frozenset(host_of(name) for name in allowed_hosts)

        def host_is_ours(value: bytes) -> bool:
            host = host_of(value.decode("latin-1"))
            return host in allowed or is_loopback(host)

        self._host_is_ours = lru_cache(maxsize=64)(host_is_ours)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            scope["method"] = "GET"  # what the handshake is on the wire; ASGI does not say it
            send = refusing(scope, send)
        started = self._clock()
        state = scope.setdefault("state", {})
        seen = by_name(scope)
        told = seen.get(b"x-request-id", b"").strip()
        request_id = told.decode() if told and _SANE_ID.fullmatch(told) else self._new_id()
        extra = [(b"x-request-id", request_id.encode())]
        if self._cors.on:
            extra += self._cors.headers(seen.get(b"origin", b""))
        sent = Sent(send, extra, self._clock, scope.get(OFFER))
        facts: dict[str, Any] = {}
        state["request_id"], state["facts"], state["sent"] = request_id, facts, sent
        if scope["path"].endswith("/"):
            scope["path"] = scope["path"].rstrip("/") or "/"
        try:
            await self._serve(scope, receive, sent, seen)
        finally:
            if "outcome" not in facts:
                facts["outcome"] = "completed" if sent.complete else "cut"
            self._record(scope, sent, facts, started)
            del state["sent"]  # it holds the server's `send`, which holds the scope: a circle for each request

    def _serve(self, scope: Scope, receive: Receive, sent: Sent, seen: Headers) -> Awaitable[None]:
        # No page reaches a Unix socket; its clients name any host.
        guarded = self._guarded and (scope.get("server") or ("", 0))[1] is not None
        refusal = self._refusal(scope, seen) if guarded else None
        if refusal is not None:
            scope["state"]["facts"]["error"] = refusal.code
            return send_error(sent, refusal)
        if scope["method"] == "OPTIONS" and _PREFLIGHT in seen and self._cors.allows(seen.get(b"origin", b"")):
            answer = Response(status_code=204)
            answer.raw_headers.extend(self._cors.preflight(scope["headers"]))
            return answer(scope, receive, sent)
        return self._app(scope, receive, sent)

    def _refusal(self, scope: Scope, seen: Headers) -> GatewayError | None:
        """Why a loopback listener does not serve this request: it comes from a page of some other site.

        By DNS rebinding such a page reaches the listener under its own host name. Without it, it can still post blindly
        under the right name, with no key, and spend the user's quota. Browsers tell: by `Sec-Fetch-Site`, old ones by
        `Origin`. A WebSocket is worse, because no browser keeps a page from reading it: `Origin: null` is foreign, too.
        """
        for name, host in scope["headers"]:
            if name == b"host" and not self._host_is_ours(host):
                return HostNotAllowed(
                    f"The host name {host.decode('latin-1')[:200]!r} is not served here. "
                    "Use localhost or a loopback address, or add the name to server.allowed_hosts."
                )
        if b"origin" not in seen and b"sec-fetch-site" not in seen:
            return None  # no browser
        socket, origin = scope["type"] == "websocket", seen.get(b"origin", b"")
        foreign = seen.get(b"sec-fetch-site") in _FOREIGN_SITES or _is_foreign(origin) or (socket and origin == b"null")
        if (
            foreign
            and (socket or scope["method"] not in _SAFE_METHODS)
            and b"authorization" not in seen
            and not self._cors.allows(origin)
        ):
            return HostNotAllowed("Pages of other sites may not call this gateway. Add them to cors.allow_origins.")
        return None

    def _record(self, scope: Scope, sent: Sent, facts: dict[str, Any], started: float) -> None:
        """The log line and the metrics of a request that is over, however it ended."""
        seconds = self._clock() - started
        first_byte = None if sent.first_at is None else sent.first_at - started
        method, path = scope["method"], scope["path"]
        surface = path.split("/", 3)[2] if path.startswith("/v1/") else "system"
        if facts.get("surface") == "passthrough":
            surface = "passthrough"
        if sent.status == 101:
            event = "websocket"  # its turns were counted one by one; the time in between is not a request
        else:
            event = "request"
            self._metrics.request(surface, method, sent.status, seconds=seconds, first_byte=first_byte)
            if facts["outcome"] == "client_left":
                self._metrics.cancelled()
        line = {
            **{name: value for name, value in facts.items() if value is not None},
            "method": method,
            "path": path,
            "status": sent.status,
            "bytes": sent.bytes,
            "duration_ms": _milliseconds(seconds),
            "ttfb_ms": _milliseconds(first_byte),
            "request_id": scope["state"]["request_id"],
        }
        write = self._log.warning if sent.status >= 500 else self._log.info
        write(event, **line)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
