"""Small applications behind the gateway's protocol, and raw bytes to them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from gateway.cli.protocol import Protocol
from tests.serving import serving

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


def app_of(answer: Callable[[Scope, Receive, Send], Awaitable[None]]) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        await answer(scope, receive, send)

    return app


async def tell(send: Send, body: bytes = b"", *headers: tuple[bytes, bytes], status: int = 200) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Streams]:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.close()


async def told(app: Any, request: bytes, http: type[Protocol] = Protocol) -> bytes:
    """All that comes back until the server hangs up."""
    async with serving(app, http=http) as url, connected(url) as (reader, writer):
        writer.write(request)
        return await reader.read()


@app_of
async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    pieces = []
    more = True
    while more:
        message = await receive()
        pieces.append(message["body"])
        more = message["more_body"]
    await tell(send, b"".join(pieces))


class Wire(asyncio.Transport):
    """Remembers whether it is read from, and what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = True
        self.closed = False
        self.protocol: asyncio.BaseProtocol = asyncio.Protocol()
        self.written = b""

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def read(self, data: bytes) -> int:
        """Data comes from the network; returns how much of it was read at once."""
        if not isinstance(self.protocol, asyncio.BufferedProtocol):
            assert isinstance(self.protocol, asyncio.Protocol)
            self.protocol.data_received(data)
            return len(data)
        room = self.protocol.get_buffer(-1)
        assert isinstance(room, memoryview) and len(room) > 0
        count = min(len(room), len(data))
        room[:count] = data[:count]
        self.protocol.buffer_updated(count)
        return count

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def bare(app: Any, wire: Wire) -> tuple[Protocol, ServerState]:
    """A connection without a socket, and what its server knows."""
    config, state = uvicorn.Config(app, http=Protocol, log_config=None, access_log=False), ServerState()
    line = Protocol(config, state, {}, asyncio.get_running_loop())
    wire.protocol = line
    line.connection_made(wire)
    return line, state


async def until(reached: Callable[[], object]) -> None:
    """Let the loop turn until it is so."""
    async with asyncio.timeout(10):
        while not reached():  # noqa: ASYNC110 - there is no event for what is looked at
            await asyncio.sleep(0)
