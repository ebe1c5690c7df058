"""Chunk streams that come in one read, from servers that write them so: passed on whole, and counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.live.stack import MODEL, NATIVE, running
from tests.live.test_ledger import rows

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
USAGE = {"prompt_tokens": 7, "completion_tokens": 40, "total_tokens": 47}
TEXTS = [f' "word" {number}\n' for number in range(40)]


def event(**rest: Any) -> bytes:
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, **rest}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def delta(finish: str | None = None, **more: str) -> bytes:
    return event(choices=[{"index": 0, "delta": more, "finish_reason": finish}])


def stream(*last: bytes) -> list[bytes]:
    return [delta(role="assistant", content=""), *(delta(content=text) for text in TEXTS), *last]


@asynccontextmanager
async def writing(events: list[bytes]) -> AsyncIterator[str]:
    """The URL of a server that answers every request with these events, each a chunk, all in one write."""
    answer = b"".join([HEAD, *(b"%x\r\n%b\r\n" % (len(event), event) for event in events), b"0\r\n\r\n"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length or b"0"))
                writer.write(answer)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    yield f"http://{host}:{port}"
    server.close()


END = [delta("stop"), event(choices=[], usage=USAGE), b"data: [DONE]\n\n"]


@pytest.mark.proves("CHAT-relay-burst", "ENGINE-ledger")
@pytest.mark.parametrize("counts", [True, False], ids=["counts", "no counts"])
async def test_a_stream_that_comes_at_once_is_passed_on_as_it_is_and_counted(tmp_path: Path, *, counts: bool) -> None:
    body: Json = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "stream": True}
    if counts:
        body["stream_options"] = {"include_usage": True}
    async with writing(stream(*END)) as url, running(NATIVE, tmp_path, upstream_url=url) as stack:
        for _ in range(2):
            answer = await stack.http.post("/v1/chat/completions", json=body)
            assert answer.status_code == 200
            assert answer.content == b"".join(stream(*END) if counts else stream(END[0], END[2]))
        for row in await rows(stack, 2):
            assert (row["status"], row["input_tokens"], row["output_tokens"]) == ("completed", 7, 40)


@pytest.mark.proves("CHAT-relay-burst", "ENGINE-ledger")
@pytest.mark.parametrize(
    ("last", "code"),
    [
        ([event(error={"message": "boom", "code": "overloaded"}), *END], "overloaded"),
        ([], "upstream_stream_truncated"),
    ],
    ids=["error", "cut"],
)
async def test_one_that_fails_is_not_taken_for_a_whole_one(tmp_path: Path, last: list[bytes], code: str) -> None:
    body: Json = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "stream": True}
    async with writing(stream(*last)) as url, running(NATIVE, tmp_path, upstream_url=url) as stack:
        answer = await stack.http.post("/v1/chat/completions", json=body)
        assert answer.content.startswith(b"".join(stream()))
        assert code in answer.text.removeprefix(b"".join(stream()).decode())
        (row,) = await rows(stack, 1)
        assert row["status"] == "failed"
