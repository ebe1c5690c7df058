"""uvicorn's HTTP protocol with an answer of ours where no application is asked: what is not HTTP, or never ends."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import Any
from weakref import ReferenceType, ref

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.cli.waiting import Event, Line
from gateway.errors import GatewayError, HeadTooLarge, InvalidRequest, RequestTimeout
from gateway.logs import get_logger
from gateway.outlet import HELD_BYTES, outlet_of
from gateway.surfaces.errors import render_error
from gateway.surfaces.middleware.edge import OFFER

HEAD_BYTES = 128 * 1024
"""The parser sets no bound to a request line and headers. Reads are of up to 256 KiB, so this is not an exact one."""

LINGER_SECONDS = 1.0

HEAD_SECONDS = 30.0
"""From the first byte of a request, or from the connection, to the end of its headers."""


class Outbox:
    """The transport of a connection as its answers see it: what they write in one turn goes out together at its end."""

    __slots__ = ("_held", "_loop", "_outlet", "_size", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._outlet = outlet_of(loop)
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > HELD_BYTES:
            self.flush()
            self._transport.write(data)
        else:
            if not self._held:
                self._outlet.soon(self, self._loop)
            self._held.append(data)

    def flush(self) -> None:
        """Write what is held. A client that has left gets nothing."""
        held = self._held
        self._size = 0
        if held:
            self._held = []
            if not self._transport.is_closing():
                self._transport.write(held[0] if len(held) == 1 else b"".join(held))

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()


def _offer(whose: ReferenceType[RequestResponseCycle], data: bytes) -> bool:
    """What `send` does with a piece of a body that has begun, if there is nothing to wait for.

    The cycle holds the scope, and so this function, which therefore must not hold the cycle.
    """
    cycle = whose()
    if cycle is None or cycle.response_complete or cycle.disconnected or cycle.flow.write_paused:
        return False
    if not cycle.chunked_encoding or not data:
        return False  # not begun, or of a length that was told; an empty chunk would be the end
    cycle.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
    return True


class Protocol(HttpToolsProtocol):
    """One connection. The answers made here are in the envelope, carry a request id and close the connection."""

    # uvicorn's own are all that CPython keeps together for a class; with more, each connection has a table to itself.
    __slots__ = ("_head_bytes", "_impatience", "_in_head", "_outbox", "_refused")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._in_head = False
        self._impatience: asyncio.TimerHandle | None = None
        self._refused = False
        self.pipeline = Line()  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow._is_writable_event = Event(is_set=True)  # type: ignore[assignment]
        self._outbox = Outbox(transport, self.loop)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        if not self._declines_upgrade():
            super().on_headers_complete()
            cycle = self.cycle
            if cycle is not None:
                cycle.transport = self._outbox  # type: ignore[assignment]  # all that a cycle asks of it
                cycle.scope[OFFER] = partial(_offer, ref(cycle))  # type: ignore[literal-required]
                self.cycle.message_event = Event()  # type: ignore[assignment]

    def shutdown(self) -> None:
        self._outbox.flush()
        super().shutdown()

    def on_body(self, body: bytes) -> None:
        """As uvicorn does, but the first piece is kept as it is: copying it twice is what a large body costs most."""
        cycle = self.cycle
        if not cycle.body:
            cycle.body = b""  # type: ignore[assignment]  # to which nothing has to be appended, unlike to a bytearray
        elif isinstance(cycle.body, bytes):
            cycle.body = bytearray(cycle.body)  # many small pieces would be copied again and again
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._declines_upgrade():
            super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._parse(data)
        if not self._in_head:
            if self._impatience is not None:
                self._head_came()
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self._refuse(HeadTooLarge(f"The request line and headers are longer than {HEAD_BYTES} bytes."))
        elif self._impatience is None:
            self._wait_for_head()

    def _declines_upgrade(self) -> bool:
        """Whether the parser waits for a protocol that nobody here speaks, `h2c` of Java's client for one."""
        tunnel = self.parser.get_method() == b"CONNECT"  # an upgrade to the parser, a method we do not have to us
        return bool(self.parser.should_upgrade()) and not tunnel and not self._should_upgrade()

    def _should_upgrade(self) -> bool:
        """To WebSocket, from a GET only: its own parser has no answer to another method."""
        return self.parser.get_method() == b"GET" and super()._should_upgrade()

    def _parse(self, data: bytes) -> None:
        """As uvicorn does, but an upgrade that is declined is ignored, as RFC 9110 (7.8) wants, and the body is read.

        The parser takes what follows the headers for the other protocol. So it is told of the same request again,
        without the wish.
        """
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
                return
            if not self._declines_upgrade():
                return
            lines = [self.parser.get_method(), b" ", self.url, b" HTTP/1.1\r\n"]
            for name, value in self.headers:
                if name == b"connection":
                    lines += [b"connection: ", b"close" if b"close" in value.lower() else b"keep-alive", b"\r\n"]
                elif name != b"upgrade":
                    lines += [name, b": ", value, b"\r\n"]
            self.parser = httptools.HttpRequestParser(self)
            self._parse(b"".join([*lines, b"\r\n", data[upgrade.args[0] :]]))
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for bytes that its parser cannot read."""
        self._refuse(InvalidRequest("The request is not valid HTTP.", detail=msg))

    def _wait_for_head(self) -> None:
        self._impatience = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _head_came(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None

    def _give_up(self) -> None:
        self._impatience = None
        self._refuse(RequestTimeout(f"The request's headers did not come within {HEAD_SECONDS:g} seconds."))

    def _refuse(self, error: GatewayError) -> None:
        """Answer and hang up; without an answer when another one is on its way, for it would land in its midst."""
        self._head_came()
        self._outbox.flush()
        if self.transport.is_closing():
            return
        idle = self.cycle is None or self.cycle.response_complete
        if idle or not (self._in_head or self.cycle.response_started):
            request_id = secrets.token_hex(16)
            status, headers, body = render_error(error)
            headers += [(b"x-request-id", request_id.encode()), (b"connection", b"close")]
            head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
            self.transport.write(STATUS_LINE[status] + head + b"\r\n" + body)
            self._linger()
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
