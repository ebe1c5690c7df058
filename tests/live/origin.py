"""A server that does what a test says, piece by piece: what the scripts of the simulator cannot do with raw bodies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.live.stack import KEY, NATIVE, Stack, running
from tests.serving import serving

Headers = dict[str, str]


@dataclass
class Exchange:
    """One request as it came, and the way back. `left`: the caller is gone before the answer was complete."""

    scope: Any
    receive: Any
    send: Any
    size: int = 0
    sent: int = 0
    body: bytes = b""
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        return str(self.scope["raw_path"].decode())

    @property
    def headers(self) -> Headers:
        return {name.decode(): value.decode("latin-1") for name, value in self.scope["headers"]}

    async def read(self, *, whole: bool = True) -> bool:
        """Take the body, or only its next piece; False when there is no more, or the caller left."""
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return False
            piece = message.get("body", b"")
            self.size += len(piece)
            if self.size < 1_000_000:
                self.body += piece
            if not message.get("more_body"):
                return False
            if not whole:
                return True

    async def start(self, status: int = 200, headers: Headers | None = None) -> None:
        raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})

    async def write(self, data: bytes) -> None:
        await self.send({"type": "http.response.body", "body": data, "more_body": True})
        self.sent += len(data)

    async def end(self) -> None:
        await self.send({"type": "http.response.body", "body": b""})

    async def answer(self, body: bytes = b"{}", status: int = 200, headers: Headers | None = None) -> None:
        """A whole answer, of a told length."""
        told = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
        await self.start(status, told)
        await self.send({"type": "http.response.body", "body": body})

    async def until_left(self) -> None:
        """Wait for the caller to go."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.left.set()


Act = Callable[[Exchange], Awaitable[None]]


async def echo(exchange: Exchange) -> None:
    """Take everything, say so."""
    await exchange.read()
    await exchange.answer()


class Origin:
    """An ASGI app: `act` answers each request; `seen` has them all."""

    def __init__(self, act: Act = echo) -> None:
        self.act = act
        self.seen: list[Exchange] = []
        self.url = ""
        self._arrived = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError("no lifespan here")
        exchange = Exchange(scope, receive, send)
        self.seen.append(exchange)
        self._arrived.set()
        await self.act(exchange)

    async def asked(self) -> Exchange:
        """The first request, once it is there."""
        await self._arrived.wait()
        return self.seen[0]


@asynccontextmanager
async def playing(act: Act = echo) -> AsyncIterator[Origin]:
    """An origin on a real socket."""
    origin = Origin(act)
    async with serving(origin) as origin.url:
        yield origin


@asynccontextmanager
async def between(origin: Origin, workdir: Path, **changes: Any) -> AsyncIterator[Stack]:
    """A gateway in front of the origin that sends everything on."""
    upstream = {"passthrough": ["*"], **changes.pop("upstream", {})}
    async with (
        asyncio.timeout(20),
        running(NATIVE, workdir, upstream_url=origin.url, upstream=upstream, **changes) as it,
    ):
        yield it


@asynccontextmanager
async def raw(stack: Stack, request: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which a request was sent as it is, for what clients would normalise or complete."""
    url = httpx2.URL(stack.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(request.replace(b"{auth}", f"host: {url.netloc.decode()}\r\nauthorization: Bearer {KEY}".encode()))
    await writer.drain()
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.transport.abort()


@asynccontextmanager
async def passing(act: Act, workdir: Path, **changes: Any) -> AsyncIterator[tuple[Origin, Stack]]:
    """An origin and a gateway in front of it, for a test that must not take long."""
    async with asyncio.timeout(20), playing(act) as origin, between(origin, workdir, **changes) as stack:
        yield origin, stack
