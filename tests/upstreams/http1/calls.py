"""Calls over a network in memory, and the bodies they send: what the tests of exchanges share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2

from gateway.upstreams.http1.exchange import Exchange
from tests.upstreams.http1.outcomes import places
from tests.upstreams.http1.wire import EOF, Network, Wire, request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
RESET = b"reset"


class Upload(httpx2.AsyncByteStream):
    """A body whose pieces the test gives. `closed`: nobody will ask for more."""

    def __init__(self, *pieces: bytes | None) -> None:
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        for piece in pieces:
            self.pieces.put_nowait(piece)
        self.asked = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while True:
                self.asked += 1
                piece = await self.pieces.get()
                if piece is None:
                    return
                yield piece
        finally:
            self.closed = True


def upload(source: httpx2.AsyncByteStream, length: int | None = None, **changes: Any) -> httpx2.Request:
    framing = {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
    return request("POST", headers={"Host": "host", **framing}, stream=source, **changes)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def sending(network: Network, asked: httpx2.Request) -> asyncio.Task[httpx2.Response]:
    return asyncio.create_task(network.transport.handle_async_request(asked))


async def reading(response: httpx2.Response) -> bytes:
    return b"".join([piece async for piece in body(response)])


def body(response: httpx2.Response) -> Exchange:
    assert isinstance(response.stream, Exchange)
    return response.stream


def upload_of_bytes(**extensions: object) -> httpx2.Request:
    return request("POST", headers={"Host": "host"}, content=b"\r\n\r\n", extensions={"timeout": {}, **extensions})


async def kept(network: Network) -> None:
    """One exchange, after which the connection is kept."""
    task = sending(network, request())
    await turns()
    network.wires[0].receive(OK)
    await task
    assert places(network.transport) == (1, 1)


def die(wire: Wire, how: bytes) -> None:
    wire.reset() if how == RESET else wire.receive(EOF)


def protocol(network: Network, number: int = 0) -> Any:
    return network.wires[number]._protocol


def paused(network: Network) -> Callable[[Any, float | None], Awaitable[None]]:
    """An opening whose connections cannot write."""

    async def opening(connection: Any, seconds: float | None) -> None:
        await network._open(connection, seconds)
        connection.pause_writing()

    return opening
