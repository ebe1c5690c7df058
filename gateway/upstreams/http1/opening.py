"""How a connection is made: names, addresses, TLS.

A name with several addresses is tried at all of them, each a moment after the one before, IPv6 and IPv4 in turn
(RFC 8305): a network that swallows IPv6 costs a quarter of a second, not the whole patience. asyncio could do that by
itself, uvloop cannot.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from itertools import chain, zip_longest
from typing import Any

import httpx2

from gateway.upstreams.http1.connection import Connection

_HEAD_START_SECONDS = 0.25
_SHUTDOWN_SECONDS = 2.0
"""How long the end of TLS may take, for which nobody waits."""

Address = tuple[socket.AddressFamily, Any]
"""A family, and an address as its sockets have them."""
Opening = Callable[[Connection, float | None], Awaitable[None]]
"""Connects to a connection's origin, in so many seconds. Raises ConnectTimeout, ConnectError."""


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a name, in the order in which to try them. Raises OSError, UnicodeError."""
    try:
        # A number needs no resolver, and no thread to wait for one.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [(socket.AddressFamily(family), address) for family, _, _, _, address in found]
    preferred = [address for address in addresses if address[0] == addresses[0][0]]
    others = [address for address in addresses if address[0] != addresses[0][0]]
    return [address for address in chain(*zip_longest(preferred, others)) if address is not None]


class Dialer:
    """The usual `Opening`: TCP, or TLS as `context` says. `head_start`: seconds between two addresses of a name."""

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        resolve: Callable[[str, int], Awaitable[list[Address]]] = resolve,
        head_start: float = _HEAD_START_SECONDS,
    ) -> None:
        context.set_alpn_protocols(["http/1.1"])
        self._context = context
        self._resolve = resolve
        self._head_start = head_start

    async def __call__(self, connection: Connection, seconds: float | None) -> None:
        """Connect. Raises ConnectTimeout, ConnectError (no such name, refused, not trusted)."""
        scheme, host, port = connection.origin
        try:
            async with asyncio.timeout(seconds):
                await self._connect(connection, scheme, host.decode("ascii"), port)
        except TimeoutError as error:
            raise httpx2.ConnectTimeout("No connection in the time allowed.") from error
        except (OSError, UnicodeError) as error:
            raise httpx2.ConnectError(str(error)) from error
        if connection.closed:
            raise httpx2.ConnectError("The server closed the connection at once.")

    async def _connect(self, connection: Connection, scheme: str, host: str, port: int) -> None:
        line = await self._reach(await self._resolve(host, port))
        loop = asyncio.get_running_loop()
        try:
            if scheme == "https":
                await loop.create_connection(
                    lambda: connection,
                    sock=line,
                    ssl=self._context,
                    server_hostname=host,
                    ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
                )
            else:
                await loop.create_connection(lambda: connection, sock=line)
        except BaseException:
            line.close()
            raise

    async def _reach(self, addresses: list[Address]) -> socket.socket:
        """A socket connected to the first address that answers. Raises OSError, of the first that refused."""
        if len(addresses) == 1:
            return await _attempt(*addresses[0])
        running: set[asyncio.Task[socket.socket]] = set()
        failed: list[BaseException] = []
        waiting = list(reversed(addresses))
        try:
            while running or waiting:
                if waiting:
                    running.add(asyncio.create_task(_attempt(*waiting.pop())))
                done, running = await asyncio.wait(
                    running, timeout=self._head_start if waiting else None, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    error = task.exception()
                    if error is None:
                        done.discard(task)
                        running |= done
                        return task.result()
                    failed.append(error)
        finally:
            for task in running:
                task.cancel()
            for result in await asyncio.gather(*running, return_exceptions=True):
                if isinstance(result, socket.socket):
                    result.close()
        raise failed[0] if failed else OSError("The name has no address.")


async def _attempt(family: socket.AddressFamily, address: Any) -> socket.socket:
    line = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        line.setblocking(False)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(line, address)
    except BaseException:
        line.close()
        raise
    return line
