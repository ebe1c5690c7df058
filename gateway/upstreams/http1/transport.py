"""The transport: a request in, an answer out whose body has not been read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx2

from gateway.upstreams.http1.connection import Connection
from gateway.upstreams.http1.exchange import Exchange
from gateway.upstreams.http1.message import Message
from gateway.upstreams.http1.opening import Opening
from gateway.upstreams.http1.pool import Pool

_DEAD_SECONDS = 2.0
"""A kept connection that the server had closed says so after one way there and back. What breaks later was being worked
on, and may have cost something."""
_NO_TIMEOUTS: dict[str, float | None] = {}


class HTTP1Transport(httpx2.AsyncBaseTransport):
    """HTTP/1.1 with at most `connections` open, made by `opening`, and closed after `idle_seconds` without work.

    Timeouts are those of the request's extension `timeout`: `connect`, `pool`, `read`, `write`, in seconds or None.
    The extension `resend` allows what safe methods may do anyway: to send a request again, once, when a kept connection
    turns out to be dead: it breaks at once, before the first byte of an answer. A streamed body is never sent again.
    """

    def __init__(self, *, connections: int, idle_seconds: float, opening: Opening) -> None:
        self._opening = opening
        self.pool: Pool[Connection] = Pool(limit=connections, idle_seconds=idle_seconds)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request.

        Raises ConnectTimeout, PoolTimeout, ReadTimeout, WriteTimeout, ConnectError, ReadError, WriteError,
        RemoteProtocolError, LocalProtocolError, UnsupportedProtocol, and what a streamed body raises.
        """
        exchange = await self.exchange(Message.of(request), request.extensions.get("timeout") or _NO_TIMEOUTS)
        return httpx2.Response(
            exchange.status,
            headers=exchange.headers,
            stream=exchange,
            extensions={"http_version": exchange.version, "reason_phrase": exchange.reason},
        )

    async def exchange(self, message: Message, timeouts: Mapping[str, float | None]) -> Exchange:
        """Send a message; the answer, with its head. The same as `handle_async_request`, without objects of httpx2.

        Raises what that does.
        """
        connection = self.pool.take(message.origin) or await self._connect(message, timeouts)
        while True:
            exchange = connection.begin(message, timeouts.get("read"))
            try:
                if message.stream is not None:
                    await connection.send_stream(exchange, message, message.stream, timeouts.get("write"))
                else:
                    connection.send(exchange, message)
                    if not connection.writing:
                        await connection.drained(exchange, timeouts.get("write"))
                while not exchange.status and exchange.error is None:
                    await connection.news(exchange.read_timeout, httpx2.ReadTimeout)
            except BaseException:
                connection.abandon(exchange)
                raise
            if exchange.status:
                return exchange
            assert exchange.error is not None
            if not _was_dead(connection, exchange, message):
                raise exchange.error
            # Once at most: the next connection is a new one.
            connection = await self._connect(message, timeouts, fresh=True)

    async def _connect(
        self, message: Message, timeouts: Mapping[str, float | None], *, fresh: bool = False
    ) -> Connection:
        """A connection where none is idle: one that becomes free, or a new one."""
        pool = self.pool
        while (found := await pool.wait(None if fresh else message.origin, timeouts.get("pool"))) is not None:
            # It may have been closed between the moment it was given and the one it arrived.
            if not found.closed:
                return found
        connection = Connection(message.origin, asyncio.get_running_loop())
        try:
            await self._opening(connection, timeouts.get("connect"))
        except BaseException:
            connection.abort()
            pool.vacate()
            raise
        connection.owner = pool
        pool.opened(connection)
        return connection

    async def aclose(self) -> None:
        """Close all connections, also those in use."""
        self.pool.close()
        # Sockets are closed by the next turns of the loop, which may be the last.
        for _ in range(3):
            await asyncio.sleep(0)


def _was_dead(connection: Connection, exchange: Exchange, message: Message) -> bool:
    """Whether the server never saw the request, as far as anybody can tell."""
    if not (connection.reused and exchange.broken and message.again) or exchange.heard:
        return False
    return asyncio.get_running_loop().time() - exchange.begun < _DEAD_SECONDS
