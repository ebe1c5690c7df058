"""Raw bytes to a server and whole answers back: what no HTTP client would send."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

PATIENCE_SECONDS = 10
"""For an answer, or for the server to hang up; under load, not a measure of speed."""


@dataclass(frozen=True)
class Heard:
    """One answer. Its framing was sound: a status line, headers, and a body of the length they tell."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)["error"]
        return document


@dataclass
class Line:
    """A connection. `heard` reads the next answer; None when the server has hung up instead."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Write bytes; a server that has hung up already is no failure."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def heard(self, *, head: bool = False) -> Heard | None:
        """`head`: the request was one, so that no body follows."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                start = await self.reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError) as end:
                rest = end.partial if isinstance(end, asyncio.IncompleteReadError) else b""
                assert rest == b"", f"a half-sent head: {rest!r}"
                return None
            return await self._rest(start, head=head)

    async def _rest(self, start: bytes, *, head: bool) -> Heard:
        status_line, *lines = start.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        assert version == "HTTP/1.1", status_line
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        if head or status in ("100", "204", "304"):
            return Heard(int(status), headers, b"")
        if "content-length" in headers:
            return Heard(int(status), headers, await self.reader.readexactly(int(headers["content-length"])))
        if headers.get("transfer-encoding") == "chunked":
            return Heard(int(status), headers, await self._chunks())
        return Heard(int(status), headers, await self.reader.read())

    async def _chunks(self) -> bytes:
        body = b""
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            piece = await self.reader.readexactly(size + 2)
            assert piece.endswith(b"\r\n")
            if not size:
                return body
            body += piece[:-2]

    async def until_closed(self) -> bytes:
        """What else comes until the server hangs up."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    def abort(self) -> None:
        """Go without a word (RST)."""
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Line]:
    """A connection to a server; closed at the end."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**22)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def said(url: str, raw: bytes, *, head: bool = False) -> Heard | None:
    """The first answer to these bytes on a connection of their own."""
    async with connected(url) as line:
        await line.send(raw)
        return await line.heard(head=head)


def check(answer: Heard | None, statuses: tuple[int, ...]) -> None:
    """`statuses`: what may be answered; 0 stands for a connection closed without a word."""
    if answer is None:
        assert 0 in statuses, "closed without an answer"
        return
    assert answer.status in statuses, (answer.status, answer.body[:300])
    assert answer.headers["x-request-id"]
    if answer.status >= 400:
        assert set(answer.error) == {"message", "type", "code", "param"}
        assert answer.error["message"]
