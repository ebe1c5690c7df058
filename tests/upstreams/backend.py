"""A server that plays what a test tells it and remembers what it was sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.serving import serving

EVENT_STREAM = (("content-type", "text/event-stream"),)


@dataclass(frozen=True)
class Reply:
    """One answer. `stall`: after the pieces, say nothing until the client leaves; `cut`: break the connection."""

    status: int = 200
    pieces: tuple[bytes, ...] = (b"data: {}\n\n",)
    headers: tuple[tuple[str, str], ...] = EVENT_STREAM
    stall: bool = False
    silent: bool = False
    cut: bool = False

    @classmethod
    def json(cls, document: Any, status: int = 200, **headers: str) -> Reply:
        return cls(
            status,
            (orjson.dumps(document),),
            (("content-type", "application/json"), *((n.replace("_", "-"), v) for n, v in headers.items())),
        )


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Broken(Exception):
    """Raised inside the app to make the server drop the connection."""


@dataclass
class Backend:
    """An ASGI app; each request takes the next reply, and one too many is answered 599."""

    replies: list[Reply]
    received: list[Received] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError("no lifespan here")
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        self.received.append(Received(scope["method"], scope["path"], scope["query_string"].decode(), headers, body))
        self.asked.set()
        reply = self.replies.pop(0) if self.replies else Reply.json({"error": "unexpected request"}, 599)
        await self._play(reply, receive, send)

    async def _play(self, reply: Reply, receive: Any, send: Any) -> None:
        if reply.silent:
            await self._until_left(receive)
            return
        raw = [(name.encode(), value.encode("latin-1")) for name, value in reply.headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        for piece in reply.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if reply.stall:
            await self._until_left(receive)
        if reply.cut:
            return  # uvicorn drops a connection whose answer was not finished
        await send({"type": "http.response.body", "body": b""})

    async def _until_left(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()


@contextlib.asynccontextmanager
async def playing(*replies: Reply) -> AsyncIterator[Backend]:
    """A backend on a real socket; fails the test if a reply was never asked for."""
    backend = Backend(list(replies))
    async with serving(backend) as url:
        backend.url = url
        yield backend
    assert backend.replies == [], "replies nobody asked for"
