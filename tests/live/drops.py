"""A client on a bare socket, which leaves a stream in the middle: after so many events, or after one of a kind."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from tests.live.stack import KEY, Stack
from tests.sdk_types import sse_events

Json = dict[str, Any]


async def events_until(
    stack: Stack, path: str, *, body: Json | None = None, count: int = 0, kind: str = ""
) -> list[Json]:
    """The first events of a stream: so many, or up to the first of a kind. Then the socket is gone."""
    reader, writer = await _asked(stack, path, body)
    try:
        found: list[Json] = []
        async for event in _events(reader):
            found.append(event)
            if len(found) == count or event["type"] == kind:
                return found
        raise AssertionError(f"the stream ended after {[event['type'] for event in found]}")
    finally:
        writer.transport.abort()


def lines_of(stream: bytes) -> list[Json]:
    """The events of a whole stream."""
    return [json.loads(data) for _, data in sse_events(stream) if data != "[DONE]"]


async def _asked(stack: Stack, path: str, body: Json | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(stack.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    sent = b"" if body is None else json.dumps(body).encode()
    head = [
        # The old version has answers without chunks.
        f"{'GET' if body is None else 'POST'} {path} HTTP/1.0",
        f"Host: {address.netloc}",
        f"Authorization: Bearer {KEY}",
        "Content-Type: application/json",
        f"Content-Length: {len(sent)}",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode() + sent)
    status = await reader.readline()
    assert b" 200 " in status, status + await reader.read()
    while (await reader.readline()).strip():
        pass
    return reader, writer


async def _events(reader: asyncio.StreamReader) -> Any:
    while block := await reader.readuntil(b"\n\n"):
        for _, data in sse_events(block):
            if data == "[DONE]":
                return
            yield json.loads(data)
