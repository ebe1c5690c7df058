"""uvicorn's HTTP protocol with requests and answers of ours, and one where no application is asked.

What uvicorn does for each request and can be done once, or not at all, is not done: a timer, a log line of its own, a
limit of connections and contexts to be reset, which nobody here sets. Its server, its connections and its way to
WebSocket stay what they are.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Callable
from contextvars import copy_context
from functools import lru_cache, partial
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.cli.cycle import Cycle
from gateway.cli.intake import LEAST_BYTES, Intake
from gateway.cli.outbox import Outbox
from gateway.cli.waiting import Event
from gateway.errors import GatewayError, HeadTooLarge, InvalidRequest, RequestTimeout
from gateway.logs import get_logger
from gateway.surfaces.errors import render_error
from gateway.surfaces.headers import by_name, told_length
from gateway.surfaces.middleware.body import WHOLE
from gateway.surfaces.middleware.edge import ANSWER, OFFER

HEAD_BYTES = 128 * 1024
"""The parser sets no bound to a request line and headers. Reads are of up to 256 KiB, so this is not an exact one."""

_TARGET_BYTES = 65535
"""httptools takes no longer one apart."""

LINGER_SECONDS = 1.0

HEAD_SECONDS = 30.0
"""From the first byte of a request, or from the connection, to the end of its headers."""

_SHORT_BYTES = 100
"""Targets that clients make up are remembered only when they are short."""


def _target(root: str, url: bytes) -> tuple[str, bytes, bytes]:
    """Path, the path as it came, and query of a request's target. `root`: what stands before both paths."""
    parsed = httptools.parse_url(url)
    path = parsed.path.decode("ascii")
    return root + (unquote(path) if "%" in path else path), root.encode("ascii") + parsed.path, parsed.query or b""


def _new_parser(protocol: HttpToolsProtocol) -> httptools.HttpRequestParser:
    """As uvicorn makes it: what comes behind a request that wanted to be the last is not an error."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


_known_target = lru_cache(maxsize=256)(_target)


class Protocol(HttpToolsProtocol):
    """One connection. The answers made here are in the envelope, carry a request id and close the connection."""

    # uvicorn's own are all that CPython keeps together for a class; with more, each connection has a table to itself.
    __slots__ = (
        "_body_begins",
        "_brought",
        "_deadline",
        "_head_bytes",
        "_head_is_due",
        "_in_head",
        "_latest",
        "_outbox",
        "_refused",
        "_running",
        "_timer",
        "_timer_at",
        "_upgrades",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app = getattr(self.app, "requests", self.app)  # what `App` has for servers, without its lifespan
        self.pipeline: list[tuple[Cycle, Callable[[], None]]] = []  # type: ignore[assignment]
        self._latest: Cycle | None = None
        """Of the request that came last, whose body may still be coming."""
        self._running: Cycle | None = None
        """Of the request that is answered; those behind it wait in the pipeline."""
        self._in_head = False
        self._head_bytes = 0
        self._body_begins = False
        """The head that was read last may have a body that has not come yet."""
        self._brought = False
        """The read that is parsed has brought the end of a request."""
        self._upgrades = False
        """The parser takes what follows the headers for another protocol."""
        self._refused = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._deadline = math.inf
        self._head_is_due = False
        """At the deadline a head has to be there. Otherwise it is the end of a connection that nobody uses."""

    # the connection ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow._is_writable_event = Event(self.loop, is_set=True)  # type: ignore[assignment]
        self._outbox = Outbox(transport, self.loop)
        self._wait(HEAD_SECONDS, head_is_due=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        for cycle in (self._running, self._latest):
            if cycle is not None:
                cycle.leave()
        self.pipeline.clear()
        self._running = self._latest = None
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Called by the server when it stops: answers that are under way are the last."""
        if self._is_idle():
            self._outbox.close()
        else:
            assert self._latest is not None
            self._latest.keep_alive = False

    def data_received(self, data: bytes | memoryview) -> None:
        """Of a view nothing is kept."""
        if self._refused:
            return
        self._brought = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._other_protocol(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            if self._in_head and len(self.url) > _TARGET_BYTES:
                self._refuse(HeadTooLarge(f"The request's target is longer than {_TARGET_BYTES} bytes."))
            else:
                self.send_400_response("Invalid HTTP request received.")
        if self._in_head and not self._refused:
            if not self._brought:  # else what of the read is of this head is not known
                self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(HeadTooLarge(f"The request line and headers are longer than {HEAD_BYTES} bytes."))
            elif not self._head_is_due:
                self._wait(HEAD_SECONDS, head_is_due=True)
        elif self._body_begins:
            self._take_in()

    # what the parser finds --------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self._in_head = True
        self._head_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser, url = self.parser, self.url
        method, version = parser.get_method().decode("ascii"), parser.get_http_version()
        path, raw_path, query = (_known_target if len(url) <= _SHORT_BYTES else _target)(self.root_path, url)
        scope: Any = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": method,
            "root_path": self.root_path,
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": self.app_state.copy(),
        }
        self._in_head = self._head_is_due = False
        self._body_begins = True
        self._deadline = math.inf
        # An upgrade to the parser, a method we do not have to us.
        self._upgrades = parser.should_upgrade() and method != "CONNECT"
        if self._upgrades:
            self.scope = scope
            return
        seen = by_name(scope)
        cycle = self._latest = Cycle(
            self,
            self._outbox,
            method == "HEAD",
            b"expect" in seen and seen[b"expect"].lower() == b"100-continue",
            version != "1.0" and parser.should_keep_alive(),
        )
        scope[OFFER] = cycle.offer
        scope[WHOLE] = cycle.whole
        scope[ANSWER] = cycle.answer
        if self._is_idle():
            self._running = cycle
            cycle.start(self.app, scope)
        else:
            self.flow.pause_reading()
            # It will begin at the end of another one, whose context is not its own.
            self.pipeline.append((cycle, partial(copy_context().run, cycle.start, self.app, scope)))

    def on_body(self, body: bytes) -> None:
        cycle = self._latest
        assert cycle is not None
        if not cycle.complete:
            cycle.put(body)
        else:  # nobody wants it, but the client is still there
            self._wait(self.timeout_keep_alive, head_is_due=False)

    def on_message_complete(self) -> None:
        cycle = self._latest
        self._brought = True
        self._body_begins = False
        if cycle is not None and not self._upgrades and not cycle.complete:
            cycle.end()

    def on_response_complete(self) -> None:
        """Called by the cycle that runs."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._running, start = self.pipeline.pop(0)
            start()
        elif not self._in_head:
            self._wait(self.timeout_keep_alive, head_is_due=False)

    def _is_idle(self) -> bool:
        return self._running is None or self._running.complete

    # large bodies -----------------------------------------------------------------------------------------------------

    def _take_in(self) -> None:
        """Have the rest of a body read past the parser, if it is large and its length was told."""
        self._body_begins = False
        cycle, headers = self._latest, dict(self.headers)
        length = told_length(headers) or 0
        if cycle is None or length < LEAST_BYTES or b"transfer-encoding" in headers or self._refused:
            return
        intake = self.transport.get_protocol()
        if not isinstance(intake, Intake):
            intake = Intake(self)
            self.transport.set_protocol(intake)
        intake.begin(cycle, cycle.gather(length))

    def on_body_end(self) -> None:
        """A body has been read past the parser, which still expects it."""
        self.parser = _new_parser(self)
        self.on_message_complete()

    # upgrades ---------------------------------------------------------------------------------------------------------

    def _should_upgrade(self) -> bool:
        """To WebSocket, from a GET only: its own parser has no answer to another method."""
        return self.parser.get_method() == b"GET" and super()._should_upgrade()

    def _other_protocol(self, rest: bytes | memoryview) -> None:
        """Upgrade to WebSocket; ignore any other wish, as RFC 9110 (7.8) wants, and read the body (Java asks for h2c).

        The parser takes what follows the headers for the other protocol. So it is told of the same request again,
        without the wish.
        """
        if not self._upgrades:
            return
        if self._should_upgrade():
            self._stop_waiting()
            self.handle_websocket_upgrade()
            return
        lines = [self.parser.get_method(), b" ", self.url, b" HTTP/1.1\r\n"]
        for name, value in self.headers:
            if name == b"connection":
                lines += [b"connection: ", b"close" if b"close" in value.lower() else b"keep-alive", b"\r\n"]
            elif name != b"upgrade":
                lines += [name, b": ", value, b"\r\n"]
        self.parser = _new_parser(self)
        self.data_received(b"".join([*lines, b"\r\n", rest]))

    # what has to end --------------------------------------------------------------------------------------------------

    def _wait(self, seconds: float, *, head_is_due: bool) -> None:
        """Bound the wait that begins. One timer does for all of them: it is moved only to ring sooner."""
        self._head_is_due = head_is_due
        self._deadline = at = self.loop.time() + seconds
        if at < self._timer_at:
            self._arm(at)

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self.loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._timer_at = math.inf
        if self._deadline == math.inf:
            return  # it is in use
        if self.loop.time() < self._deadline:
            self._arm(self._deadline)
        elif self._head_is_due:
            self._refuse(RequestTimeout(f"The request's headers did not come within {HEAD_SECONDS:g} seconds."))
        else:
            self._outbox.close()

    def _stop_waiting(self) -> None:
        self._deadline = self._timer_at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for bytes that its parser cannot read."""
        self._refuse(InvalidRequest("The request is not valid HTTP.", detail=msg))

    def _refuse(self, error: GatewayError) -> None:
        """Answer and hang up; without an answer when another one is on its way, for it would land in its midst."""
        self._stop_waiting()
        self._outbox.flush()
        if self.transport.is_closing():
            return
        cycle = self._running
        if cycle is None or cycle.complete or (cycle is self._latest and not (self._in_head or cycle.started)):
            request_id = secrets.token_hex(16)
            status, headers, body = render_error(error)
            headers += [(b"x-request-id", request_id.encode()), (b"connection", b"close")]
            head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
            self.transport.write(STATUS_LINE[status] + head + b"\r\n" + body)
            self._linger()
            if cycle is not None:
                cycle.leave()  # its answer has been given
            get_logger("gateway").info(
                "request refused", status=status, error=error.code, request_id=request_id, detail=error.detail or None
            )
        else:
            self.transport.close()

    def _linger(self) -> None:
        """Hang up once the client has, or soon: closing with bytes unread would take the answer back (RST)."""
        self._refused = True
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
