"""A server on a real socket that says exactly the bytes a test wants, when it wants."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import h11


@dataclass(frozen=True)
class Received:
    """A request, as a strict server reads it."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass
class Client:
    """One connection, seen from the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    parser: h11.Connection = field(default_factory=lambda: h11.Connection(h11.SERVER))

    async def head(self) -> h11.Request | None:
        """The head of the next request; None when the client has gone."""
        if self.parser.our_state is not h11.IDLE:
            self.parser = h11.Connection(h11.SERVER)
        event = await self._event()
        return event if isinstance(event, h11.Request) else None

    async def request(self) -> Received | None:
        """The next request, whole; None when the client has gone."""
        head = await self.head()
        if head is None:
            return None
        body = bytearray()
        while isinstance(event := await self._event(), h11.Data):
            body += event.data
        assert isinstance(event, h11.EndOfMessage)
        self.parser = h11.Connection(h11.SERVER)
        return Received(bytes(head.method), bytes(head.target), head.headers.raw_items(), bytes(body))

    async def _event(self) -> object:
        while (event := self.parser.next_event()) is h11.NEED_DATA:
            self.parser.receive_data(await self.reader.read(65536))
        return event

    async def say(self, *pieces: bytes) -> None:
        """Send pieces, each in a write of its own."""
        for piece in pieces:
            self.writer.write(piece)
            await asyncio.sleep(0)
        await self.writer.drain()

    async def left(self) -> None:
        """Wait for the client to go."""
        while await self.reader.read(65536):
            pass


Script = Callable[[Client], Awaitable[None]]


@dataclass
class Server:
    """Where it listens, and who came."""

    port: int = 0
    open: int = 0
    most: int = 0
    came: int = 0

    def url(self, path: str = "/", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@contextlib.asynccontextmanager
async def listening(
    script: Script, *, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Server]:
    """Serve every connection by the script; what it raises fails the test."""
    server = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        server.came += 1
        server.open += 1
        server.most = max(server.most, server.open)
        try:
            await script(Client(reader, writer))
        except (ConnectionError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            server.open -= 1
            writer.transport.abort()

    listener = await asyncio.start_server(serve, host, 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        async with asyncio.timeout(60):
            yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)
