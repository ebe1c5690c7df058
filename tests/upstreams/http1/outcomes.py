"""What became of a request, in a form that two transports can be compared by."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import httpcore2
import httpx2

from gateway.upstreams.http1 import HTTP1Transport


class Outcome(NamedTuple):
    """`error`: the name of the exception that ended it, "" for none. The head is there if it came before."""

    status: int = 0
    version: bytes = b""
    reason: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    error: str = ""


async def outcome(transport: httpx2.AsyncBaseTransport, request: httpx2.Request) -> Outcome:
    """Send a request and read its answer to the end, whichever that is."""
    async with asyncio.timeout(30):
        try:
            response = await transport.handle_async_request(request)
        except httpx2.TransportError as error:
            return Outcome(error=type(error).__name__)
        body, name = b"", ""
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        try:
            async for piece in response.stream:
                body += piece
        except httpx2.TransportError as error:
            name = type(error).__name__
        await response.aclose()
    extensions: dict[str, Any] = response.extensions
    return Outcome(
        response.status_code,
        extensions["http_version"],
        extensions["reason_phrase"],
        tuple(response.headers.raw),
        body,
        name,
    )


def library(script: list[bytes]) -> httpx2.AsyncHTTPTransport:
    """httpx2's transport, with this answer coming to every request."""
    transport = httpx2.AsyncHTTPTransport()
    transport._pool = httpcore2.AsyncConnectionPool(network_backend=httpcore2.AsyncMockBackend(script))
    return transport


def places(transport: httpx2.AsyncBaseTransport) -> tuple[int, int]:
    """How many connections are open, and how many of them idle."""
    assert isinstance(transport, HTTP1Transport)
    return transport.pool.held, transport.pool.idle
