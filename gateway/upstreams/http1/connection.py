"""One connection: an asyncio protocol that writes requests, parses answers and holds back whoever is too fast.

Rules: one exchange at a time; at most one coroutine waits for news of it, and it is woken by a future that the protocol
sets. The clock is looked at when somebody waits; the one timer is armed for the earliest end and only then asks whether
that end still counts. A connection serves again only if nothing at all was odd about its last answer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterable
from typing import Protocol, cast

import httpx2

from gateway.inlet import READ_BYTES, buffer_of
from gateway.outlet import outlet_of
from gateway.upstreams.http1.exchange import Exchange
from gateway.upstreams.http1.message import Message, Origin
from gateway.upstreams.http1.parsing import AnswerParser

HIGH_WATER = READ_BYTES
"""More than one read that nobody has asked for, and the network has to wait."""
_JOINED_BYTES = 16 * 1024
"""Up to here head and body are one write, at the end of the turn; beyond, the copy would be dearer."""


class Owner(Protocol):
    """Where a connection belongs when it is not in use."""

    def give(self, connection: Connection) -> None:
        """It can be used again."""

    def gone(self, connection: Connection) -> None:
        """It was in use, or idle, and is closed now."""


class Connection(asyncio.BufferedProtocol):
    """A connection to `origin`; `reused` from its second exchange on. Its `owner` has it only once it is open.

    `writing`: what is written goes out; False while the network holds it back.
    """

    __slots__ = (
        "_buffer",
        "_deadline",
        "_early",
        "_exchange",
        "_held",
        "_late",
        "_loop",
        "_outlet",
        "_parser",
        "_reading",
        "_timer",
        "_timer_at",
        "_transport",
        "_waiter",
        "closed",
        "origin",
        "owner",
        "reused",
        "writing",
    )

    def __init__(self, origin: Origin, loop: asyncio.AbstractEventLoop) -> None:
        self.origin = origin
        self.reused = False
        self.closed = False
        self.owner: Owner = _NOBODY
        self._loop = loop
        self._outlet = outlet_of(loop)
        self._buffer = buffer_of(loop)
        self._held = b""
        self._transport: asyncio.Transport = _NO_TRANSPORT
        self._exchange: Exchange | None = None
        self._parser = AnswerParser()
        self._waiter: asyncio.Future[None] | None = None
        self._early: asyncio.Timeout | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._deadline = math.inf
        self._late: type[httpx2.TimeoutException] = httpx2.ReadTimeout
        self._reading = self.writing = True

    # requests ---------------------------------------------------------------------------------------------------------

    def begin(self, message: Message, read_timeout: float | None) -> Exchange:
        """Take the connection for one exchange. It comes back by itself when the exchange is over."""
        assert self._exchange is None and not self.closed
        exchange = self._exchange = Exchange(self, message.bodyless, read_timeout, self._loop.time())
        if message.join is not None:
            exchange.join = message.join
        self._parser.begin(exchange)
        return exchange

    def send(self, exchange: Exchange, message: Message) -> None:
        """Write a request whose body is here. It may not be out yet: `writing` tells, and `drained` waits."""
        body = message.body
        exchange.sent = True
        if len(body) <= _JOINED_BYTES:
            self._held = message.head + body
            self._outlet.soon(self, self._loop)
        else:
            self._transport.write(message.head)
            self._transport.write(body)

    async def drained(self, exchange: Exchange, write_timeout: float | None) -> None:
        """Wait until what is written goes out, an answer comes before that, or the connection breaks."""
        while not self.writing and self._unanswered(exchange):
            await self.news(write_timeout, httpx2.WriteTimeout)

    async def send_stream(
        self, exchange: Exchange, message: Message, stream: AsyncIterable[bytes], write_timeout: float | None
    ) -> None:
        """Write a request whose body comes in pieces. Returns early when an answer does, or the connection breaks.

        Raises LocalProtocolError for a stream that is not as long as told, and whatever the stream raises.
        """
        self._transport.write(message.head)
        size = 0
        source = aiter(stream)
        try:
            # An early answer must not wait for a source that waits itself: the timeout ends it, at no set time.
            async with asyncio.timeout(None) as self._early:
                async for piece in source:
                    size += len(piece)
                    if message.length is not None and size > message.length:
                        raise httpx2.LocalProtocolError(f"The body is longer than the {message.length} bytes told.")
                    if piece and self._unanswered(exchange):
                        self._write_piece(piece, chunked=message.chunked)
                        # All that was told is out, even if the source does not know yet that it has ended.
                        exchange.sent = size == message.length
                    await self.drained(exchange, write_timeout)
                    if not self._unanswered(exchange):
                        return
        except TimeoutError:
            if self._unanswered(exchange):
                raise
            return
        finally:
            self._early = None
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()
        if not self._unanswered(exchange):
            return
        if message.chunked:
            self._transport.write(b"0\r\n\r\n")
        elif size != message.length:
            raise httpx2.LocalProtocolError(f"The body has {size} bytes, and its head told {message.length}.")
        exchange.sent = True

    def _write_piece(self, piece: bytes, *, chunked: bool) -> None:
        if not chunked:
            self._transport.write(piece)
        elif len(piece) <= _JOINED_BYTES:
            self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        else:
            self._transport.write(b"%x\r\n" % len(piece))
            self._transport.write(piece)
            self._transport.write(b"\r\n")

    @staticmethod
    def _unanswered(exchange: Exchange) -> bool:
        return not exchange.status and exchange.error is None

    def news(self, seconds: float | None, late: type[httpx2.TimeoutException]) -> asyncio.Future[None]:
        """A future that is set when something happened; after so many seconds the exchange fails with `late`."""
        waiter = self._waiter = self._loop.create_future()
        self._late = late
        if seconds is None:
            self._deadline = math.inf
        else:
            self._deadline = self._loop.time() + seconds
            if self._deadline < self._timer_at:
                self._arm(self._deadline)
        return waiter

    def abandon(self, exchange: Exchange) -> None:
        """Nobody wants the rest of this exchange: its connection ends at once."""
        if self._exchange is exchange:
            self._end(httpx2.StreamClosed())

    def taken(self) -> None:
        """The reader has all that was there."""
        if not self._reading and not self.closed:
            self._reading = True
            self._transport.resume_reading()

    def flush(self) -> None:
        """Write a request that is held; one that nobody wants any more is not there."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def close(self) -> None:
        """Close an idle connection, politely."""
        self._closing()
        self._transport.close()

    def abort(self) -> None:
        """Close it whatever it does."""
        if self._exchange is not None:
            self._end(httpx2.ReadError("The connection was closed on this side."))
        elif not self.closed:
            self._closing()
            self._transport.abort()
            self.owner.gone(self)

    # the protocol -----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are that without being instances of it.
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(self._buffer[:nbytes])

    def data_received(self, data: bytes | memoryview) -> None:
        """What came; nothing of it is kept."""
        exchange = self._exchange
        if exchange is None:
            self._unasked()
            return
        exchange.heard = True
        status, interim = exchange.status, exchange.interim
        pieces = self._parser.feed(data)
        taken = False
        if pieces:
            whole = exchange.complete and not status
            piece = exchange.join(pieces) if whole and exchange.join is not None else b"".join(pieces)
            left: bytes | None = piece
            taker = exchange.taker
            if taker is not None and self._waiter is not None and not self._waiter.done():
                left = taker(piece)
                taken = left is None
            if left is not None and exchange.put(left) > HIGH_WATER and self._reading and not exchange.complete:
                self._reading = False
                self._transport.pause_reading()
        if exchange.complete:
            self._finish(exchange)
        elif self._parser.fault is not None:
            self._end(self._parser.fault)
        elif (pieces and not taken) or exchange.status != status:
            self._wake()
        elif (taken or exchange.interim != interim) and self._waiter is not None and exchange.read_timeout is not None:
            # A sign of life, and nothing for the reader.
            self._deadline = self._loop.time() + exchange.read_timeout

    def eof_received(self) -> None:
        self._over(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._over(exc)
        self._closing()
        self._parser.forget()

    def pause_writing(self) -> None:
        self.writing = False

    def resume_writing(self) -> None:
        self.writing = True
        self._wake()

    # the rest ---------------------------------------------------------------------------------------------------------

    def _finish(self, exchange: Exchange) -> None:
        """The answer is whole. The connection goes back, unless something was odd or the request is not yet out."""
        serves = self._parser.serves and exchange.sent and not self._held
        if serves and not self._transport.is_closing() and not self._transport.get_write_buffer_size():
            self.reused = True
            if not self._reading:
                self.taken()
            self._exchange = exchange.connection = None
            self._wake()
            self.owner.give(self)
        else:
            self._end(None)

    def _over(self, cause: Exception | None) -> None:
        """The other side has ended the connection, or the network has."""
        exchange = self._exchange
        if exchange is None:
            self._unasked()
            return
        if cause is None and self._parser.finish():
            self._end(None)
            return
        exchange.broken = True
        if cause is not None:
            error: httpx2.TransportError = (httpx2.ReadError if exchange.sent else httpx2.WriteError)(str(cause))
            error.__cause__ = cause
        elif exchange.heard:
            error = httpx2.RemoteProtocolError("The server closed the connection in the middle of its answer.")
        else:
            error = httpx2.RemoteProtocolError("The server closed the connection without an answer.")
        self._fail(error)

    def _unasked(self) -> None:
        """Something came, or the end, while the connection was idle: it cannot be trusted any more."""
        if not self.closed:
            self.close()
            self.owner.gone(self)

    def _fail(self, error: Exception) -> None:
        if self._exchange is not None:
            self._end(error)

    def _end(self, error: Exception | None) -> None:
        """The exchange is over, and so is the connection."""
        exchange = self._exchange
        assert exchange is not None
        self._closing()
        self._transport.abort()
        self._exchange = exchange.connection = None
        exchange.error = error
        self._wake()
        self.owner.gone(self)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        early = self._early
        if early is not None and (self._exchange is None or self._exchange.status):
            self._early = None
            early.reschedule(self._loop.time())

    def _closing(self) -> None:
        self.closed = True
        self._held = b""
        self._deadline = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._timer_at = math.inf

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._timer_at = math.inf
        if self._waiter is None or self._deadline == math.inf:
            return
        if self._loop.time() < self._deadline:
            self._arm(self._deadline)
        else:
            self._fail(self._late(_LATE[self._late]))


_LATE: dict[type[httpx2.TimeoutException], str] = {
    httpx2.ReadTimeout: "The server sent nothing in the time allowed.",
    httpx2.WriteTimeout: "The server took nothing in the time allowed.",
}


class _Nobody:
    """The owner of a connection that is being made: who makes it sees for himself how it ends."""

    def give(self, connection: Connection) -> None:
        """Nothing to do."""

    def gone(self, connection: Connection) -> None:
        """Nothing to do."""


class _NoTransport(asyncio.Transport):
    """In place of a transport that was never made."""

    def abort(self) -> None:
        """Nothing to do."""


_NOBODY = _Nobody()
_NO_TRANSPORT = _NoTransport()
