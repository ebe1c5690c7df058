"""Requests put to an ASGI app with no network between: a tenth of a client's cost, and every message in sight."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any

import orjson

RawHeaders = list[tuple[bytes, bytes]]
Message = dict[str, Any]

PATIENCE_SECONDS = 60
"""No case may hang; this is for a machine under load, not a measure of speed."""


@dataclass(frozen=True)
class Reply:
    """A whole answer. That its messages came in the order ASGI wants was checked already."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_stream(self) -> bool:
        return self.headers["content-type"].startswith("text/event-stream")

    @property
    def error(self) -> dict[str, Any]:
        document: dict[str, Any] = orjson.loads(self.body)["error"]
        return document


class Sending:
    """The client's end of `send`: collects an answer and asserts that it is whole and in order."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: RawHeaders = []
        self.pieces: list[bytes] = []
        self.complete = False

    async def __call__(self, message: Message) -> None:
        assert not self.complete, f"{message['type']} after the end of the answer"
        if message["type"] == "http.response.start":
            assert not self.status, "a second status line"
            self.status = message["status"]
            self.headers = list(message["headers"])
            return
        assert message["type"] == "http.response.body", message["type"]
        assert self.status, "a body without a status line"
        self.pieces.append(message.get("body", b""))
        self.complete = not message.get("more_body", False)

    def reply(self) -> Reply:
        """The answer. Asserts that it is complete, and that its headers are fit for the wire and say its length."""
        assert self.complete, f"an answer that was not ended: status {self.status}, {self.pieces!r}"
        for name, value in self.headers:
            assert name == name.lower() and name.isascii(), name
            assert not set(value) & set(b"\r\n\0"), (name, value)
        headers = {name.decode(): value.decode("latin-1") for name, value in self.headers}
        assert len(headers) == len(self.headers), f"a header twice: {self.headers}"
        body = b"".join(self.pieces)
        assert headers.get("content-length", str(len(body))) == str(len(body))
        assert headers["x-request-id"]
        return Reply(self.status, headers, body)


@contextlib.asynccontextmanager
async def opened(app: Any) -> AsyncIterator[None]:
    """An app between the two ends of its lifespan, as a server runs it."""
    came: asyncio.Queue[Message] = asyncio.Queue()
    said: asyncio.Queue[Message] = asyncio.Queue()
    task = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, came.get, said.put))
    try:
        await _step(came, said, "startup")
        yield
    finally:
        await _step(came, said, "shutdown")
        await task


async def _step(came: asyncio.Queue[Message], said: asyncio.Queue[Message], name: str) -> None:
    await came.put({"type": f"lifespan.{name}"})
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await said.get())["type"] == f"lifespan.{name}.complete"


async def ask(
    app: Any,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    headers: RawHeaders | None = None,
    pieces: Collection[bytes] | None = None,
    raw_path: bytes | None = None,
) -> Reply:
    """Send one request and return the whole answer. `pieces`: the body as it comes from the
    network; the next one is made when it is asked for."""
    waiting: Collection[bytes] = [body] if pieces is None else pieces
    rest = iter(waiting)
    left = len(waiting)

    async def receive() -> Message:
        nonlocal left
        if left:
            left -= 1
            return {"type": "http.request", "body": next(rest), "more_body": left > 0}
        await asyncio.Event().wait()  # a client that stays until it has its answer
        raise AssertionError("unreachable")

    sending = Sending()
    given = headers or []
    scope: Message = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": raw_path if raw_path is not None else path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8080"), (b"content-type", b"application/json"), *given],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
    }
    async with asyncio.timeout(PATIENCE_SECONDS):
        await app(scope, receive, sending)
    return sending.reply()
