"""What a request leaves behind: nothing that only the garbage collector could find.

A circle of references keeps all of a request, its body with it, until the collector comes by, and then holds up every
other request.
"""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.live.stack import CODEX, KEY, MODEL, NATIVE, TRANSLATED, Mode, running

ROUTES: dict[str, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "Hello"}]},
    "completions": {"prompt": "Hello"},
    "responses": {"input": "Hello"},
}
OURS = ("gateway.", "uvicorn.")


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, document: Any) -> bytes:
    """One request on a kept connection, and its whole answer, read by hand: a client would leave circles of its own."""
    body = json.dumps(document).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
    )
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    told = await reader.readuntil(b"\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 200"), told
    length = told.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return await (reader.readexactly(int(length)) if length else reader.readuntil(b"\r\n0\r\n\r\n"))


def _left(garbage: list[Any]) -> Counter[str]:
    """The types of ours in what the collector found. The simulator runs in this process, too."""
    names = (f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in garbage)
    return Counter(name for name in names if name.startswith(OURS) and not name.startswith("gateway.simulator"))


@pytest.mark.proves("SPEED-no-circles")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", ROUTES)
@pytest.mark.parametrize("mode", [CODEX, NATIVE, TRANSLATED], ids=lambda mode: mode.name)
async def test_a_request_leaves_no_circle_of_references(mode: Mode, dialect: str, stream: bool, tmp_path: Path) -> None:
    path = {"chat": "/v1/chat/completions"}.get(dialect, f"/v1/{dialect}")
    document = {"model": MODEL, **ROUTES[dialect], "stream": stream}
    async with running(mode, tmp_path) as stack:
        host, port = stack.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await _ask(reader, writer, path, document)
        await asyncio.sleep(0)
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                await _ask(reader, writer, path, document)
            await asyncio.sleep(0)
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            left = _left(gc.garbage)
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
            writer.close()
            await writer.wait_closed()
    assert {name: count for name, count in left.items() if count >= 5} == {}
