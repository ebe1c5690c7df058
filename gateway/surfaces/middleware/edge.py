"""The outermost layer: request id, one log line, metrics, Host check, CORS, errors, and the only wrap of `send`."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from gateway.errors import GatewayError, HostNotAllowed
from gateway.logs import ready
from gateway.surfaces.errors import RawHeaders, send_error
from gateway.surfaces.headers import Headers, by_name
from gateway.surfaces.middleware.cors import CorsPolicy
from gateway.surfaces.middleware.errors import Errors
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
    return _numbers.getrandbits(128).to_bytes(16).hex()


def _is_foreign(origin: bytes) -> bool:
    """Whether a page of another machine asks. `null` and the schemes of apps name no machine."""
    scheme, _, authority = origin.partition(b"://")
    return scheme in (b"http", b"https") and not is_loopback(host_of(authority.decode("latin-1")))


OFFER = "gateway.offer"
"""Where in the scope a server may put a function that sends a piece of a body that has begun, if it can do so at once;
returns False and does nothing where it cannot."""

ANSWER = "gateway.answer"
"""Where in the scope a server may put a function that sends a whole answer (status, headers, body), if it can do so at
once; returns False and does nothing where it cannot."""

_BY_BROWSERS = frozenset({b"origin", b"sec-fetch-site"})


class Sent:
    """What has gone to the client so far; called in place of `send`. `status` is 0 until the answer has started.

    It is 101 once a WebSocket was accepted; `bytes` are then those of the messages, `complete` means closed by us.
    """

    __slots__ = ("_answer", "_clock", "_extra", "_offer", "_send", "bytes", "complete", "first_at", "status")

    def __init__(
        self,
        send: Send,
        extra: RawHeaders,
        clock: Callable[[], float],
        offer: Callable[[bytes], bool] | None = None,
        answer: Callable[[int, RawHeaders, bytes], bool] | None = None,
    ) -> None:
        """`extra`: headers put on whatever answer is sent. `offer`, `answer`: see `OFFER` and `ANSWER`."""
        self._send = send
        self._offer = offer
        self._answer = answer
        self._extra = extra
        self._clock = clock
        self.status = 0
        self.bytes = 0
        self.complete = False
        self.first_at: float | None = None

    def __call__(self, message: Message) -> Awaitable[None]:
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
        return self._send(message)

    def offer(self, data: bytes) -> bool:
        """Send a piece of a body that has begun, if the server can take it at once. False: nothing was done."""
        if self._offer is None or not self._offer(data):
            return False
        self.bytes += len(data)
        return True

    def answer(self, status: int, headers: RawHeaders, body: bytes) -> bool:
        """Send a whole answer, if the server can take it at once. False: nothing was done."""
        if self._answer is None:
            return False
        before = self.status, self.first_at
        self.status, self.first_at = status, self._clock()  # one whose headers cannot be sent has begun all the same
        if not self._answer(status, headers + self._extra, body):
            self.status, self.first_at = before
            return False
        self.bytes = len(body)
        self.complete = True
        return True


class Edge:
    """Wraps the whole app, but for its lifespan.

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
        self._errors = Errors(log)
        self._info, self._warning = ready(log, "info"), ready(log, "warning")
        self._clock = clock
        self._new_id = new_id
        self._guarded = loopback
        allowed = frozenset(host_of(name) for name in allowed_hosts)

        def host_is_ours(value: bytes) -> bool:
            host = host_of(value.decode("latin-1"))
            return host in allowed or is_loopback(host)

        self._host_is_ours = lru_cache(maxsize=64)(host_is_ours)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            scope["method"] = "GET"  # what the handshake is on the wire; ASGI does not say it
            send = refusing(scope, send)
        started = self._clock()
        state = scope.setdefault("state", {})
        seen = by_name(scope)
        request_id = self._id_of(seen[b"x-request-id"]) if b"x-request-id" in seen else self._new_id()
        extra = [(b"x-request-id", request_id.encode())]
        if self._cors.on:
            extra += self._cors.headers(seen.get(b"origin", b""))
        sent = Sent(send, extra, self._clock, scope.get(OFFER), scope.get(ANSWER))
        facts: dict[str, Any] = {}
        state["request_id"], state["facts"], state["sent"] = request_id, facts, sent
        if scope["path"].endswith("/"):
            scope["path"] = scope["path"].rstrip("/") or "/"
        # Starlette's router raises its 404 and 405 only inside an application; without one it answers in plain text.
        scope.setdefault("app", self._app)
        try:
            refusal = self._refusal(scope, seen) if self._guarded else None
            if refusal is not None:
                facts["error"] = refusal.code
                await send_error(sent, refusal)
            elif scope["method"] == "OPTIONS" and _PREFLIGHT in seen and self._cors.allows(seen.get(b"origin", b"")):
                answer = Response(status_code=204)
                answer.raw_headers.extend(self._cors.preflight(scope["headers"]))
                await answer(scope, receive, sent)
            else:
                await self._app(scope, receive, sent)
        except Exception as error:
            await self._errors.answer(scope, sent, error)
        finally:
            if "outcome" not in facts:
                facts["outcome"] = "completed" if sent.complete else "cut"
            self._record(scope, sent, facts, started)
            del state["sent"]  # it holds the server's `send`, which holds the scope: a circle for each request

    def _id_of(self, told: bytes) -> str:
        """The request id that a client tells, if it is one that can be echoed."""
        told = told.strip()
        return told.decode() if _SANE_ID.fullmatch(told) else self._new_id()

    def _refusal(self, scope: Scope, seen: Headers) -> GatewayError | None:
        """Why a loopback listener does not serve this request: it comes from a page of some other site.

        By DNS rebinding such a page reaches the listener under its own host name. Without it, it can still post blindly
        under the right name, with no key, and spend the user's quota. Browsers tell: by `Sec-Fetch-Site`, old ones by
        `Origin`. A WebSocket is worse, because no browser keeps a page from reading it: `Origin: null` is foreign, too.
        """
        if (scope.get("server") or ("", 0))[1] is None:
            return None  # no page reaches a Unix socket; its clients name any host
        if len(seen) == len(scope["headers"]):  # no name repeats
            hosts = [seen[b"host"]] if b"host" in seen else []
        else:
            hosts = [value for name, value in scope["headers"] if name == b"host"]
        for host in hosts:
            if not self._host_is_ours(host):
                return HostNotAllowed(
                    f"The host name {host.decode('latin-1')[:200]!r} is not served here. "
                    "Use localhost or a loopback address, or add the name to server.allowed_hosts."
                )
        if _BY_BROWSERS.isdisjoint(seen):
            return None
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
        status, method, path = sent.status, scope["method"], scope["path"]
        if status == 101:
            event = "websocket"  # its turns were counted one by one; the time in between is not a request
        else:
            event = "request"
            surface = facts.get("surface") or _surface_of(path)
            self._metrics.request(surface, method, status, seconds=seconds, first_byte=first_byte)
            if facts["outcome"] == "client_left":
                self._metrics.cancelled()
        if None in facts.values():
            facts = {name: value for name, value in facts.items() if value is not None}
        write = self._warning if status >= 500 else self._info
        line = {
            **facts,  # a copy: work that goes on in the background may still add to them
            "method": method,
            "path": path,
            "status": status,
            "bytes": sent.bytes,
            # Two digits behind the point. `round` would take three times as long: it is exact for any number of them.
            "duration_ms": int(seconds * 100_000 + 0.5) / 100,
            "ttfb_ms": None if first_byte is None else int(first_byte * 100_000 + 0.5) / 100,
            "request_id": scope["state"]["request_id"],
        }
        write(event, line)


def _surface_of(path: str) -> str:
    """How metrics call a path that no endpoint has answered for."""
    return path.split("/", 3)[2] if path.startswith("/v1/") else "system"
