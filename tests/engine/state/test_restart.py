"""What a process that died has left, in every state it can be in, and a gateway that is started on it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.core import json
from gateway.core.response import complete_response
from gateway.engine.state.keeping import kept_request
from gateway.store import Store
from gateway.store.rows import REPLAY, Frame, NewItem, NewResponse, Status, StoredResponse
from tests.live.stack import CODEX, MODEL, Stack, running
from tests.sdk_types import check_failed_response_stream, check_response_stream, sse_events
from tests.store.home import OWNER, Home, message

Json = dict[str, Any]

RESTARTED = "gateway_restarted"
ROUTE = "codex.responses"


class Left:
    """Rows that a process left an hour ago."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def response(self, name: str, status: Status, **fields: Any) -> str:
        """A background response with one question in it; its key."""
        fields = {"background": True, "request": {"model": MODEL, "background": True}, **fields}
        told = {"id": f"resp_{name}", "created_at": 5, "model": MODEL, "status": status}
        result = complete_response(told, {"background": True})
        row = NewResponse(owner=OWNER, id=f"resp_{name}", status=status, result=result, logged=True, **fields)
        return await self.store.responses.begin(row, [message("Reply with exactly: tea")])

    async def replay(self, name: str, *frames: bytes, dialect: str) -> str:
        """An answer that only its Idempotency-Key can find."""
        request = {"stream": bool(frames), "dialect": dialect}
        row = NewResponse(
            owner=OWNER, id=name, status="in_progress", result={}, surface=REPLAY, request=request, logged=True
        )
        key = await self.store.responses.begin(row)
        await self.store.frames.append(key, [Frame(number, data) for number, data in enumerate(frames)])
        return key


@asynccontextmanager
async def leaving(workdir: Path) -> AsyncIterator[Left]:
    home = Home("", workdir)
    home.clock.seconds = time.time() - 3600
    async with home.store() as store:
        yield Left(store)


async def ended(workdir: Path, key: str) -> StoredResponse:
    """The row, once it has ended."""
    async with asyncio.timeout(10), Home("", workdir).store() as store:
        while True:
            row = await store.responses.by_key(key)
            assert row is not None
            if row.ended:
                return row


async def log_of(workdir: Path, key: str) -> list[bytes]:
    async with Home("", workdir).store() as store:
        return [frame.data for frame in await store.frames.read(key)]


async def told(stack: Stack, name: str) -> tuple[bytes, Json]:
    """The stream of a response up to its end, and the response."""
    stream = await stack.http.get(f"/v1/responses/{name}", params={"stream": "true"})
    assert stream.status_code == 200, stream.text
    return stream.content, (await stack.http.get(f"/v1/responses/{name}")).json()


def event(kind: str, number: int, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, "sequence_number": number, **fields})
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


@pytest.mark.proves("RESTART-cancelled", "CRASH-ends")
async def test_what_ran_is_ended_as_its_owner_would_expect(tmp_path: Path) -> None:
    async with leaving(tmp_path) as left:
        silent = await left.response("silent", "in_progress")
        await left.response("cancelled", "in_progress")
        await left.store.responses.cancel(OWNER, "resp_cancelled")
        deleted = await left.response("deleted", "in_progress")
        await left.store.frames.append(deleted, [Frame(0, event("response.created", 0, response={}))])
        await left.store.responses.delete(OWNER, "resp_deleted")
    async with running(CODEX, tmp_path) as stack:
        stream, found = await told(stack, "resp_silent")
        assert check_failed_response_stream(stream) == RESTARTED
        assert (found["status"], found["error"]["code"], found["background"]) == ("failed", RESTARTED, True)
        stream, found = await told(stack, "resp_cancelled")
        assert (found["status"], found["error"]) == ("cancelled", None)
        assert json.loads(sse_events(stream)[-2][1].encode())["response"]["status"] == "cancelled"
        assert (await ended(tmp_path, deleted)).result["output"] == []
        assert await log_of(tmp_path, deleted) == []
        assert (await ended(tmp_path, silent)).error is not None
        assert stack.sim.calls(ROUTE) == []


@pytest.mark.proves("RESTART-ends", "CRASH-told")
async def test_answers_that_only_a_key_can_find_end_in_the_words_of_their_dialect(tmp_path: Path) -> None:
    chunk = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[]}\n\n'
    begun = [
        event("response.created", 0, response={"id": "resp_upstream", "status": "in_progress", "output": []}),
        event("response.in_progress", 1, response={"id": "resp_upstream", "status": "in_progress", "output": []}),
    ]
    async with leaving(tmp_path) as left:
        chat = await left.replay("chat", chunk, dialect="chat")
        responses = await left.replay("responses", *begun, dialect="responses")
        silent = [await left.replay(f"{name}-silent", dialect=name) for name in ("chat", "responses")]
    async with running(CODEX, tmp_path):
        for key in (chat, responses, *silent):
            row = await ended(tmp_path, key)
            assert (row.status, row.error and row.error["code"], row.error and row.error["status"]) == (
                "failed",
                RESTARTED,
                500,
            )
        [first, last] = await log_of(tmp_path, chat)
        assert (first, json.loads(last.removeprefix(b"data: "))["error"]["code"]) == (chunk, RESTARTED)
        whole = await log_of(tmp_path, responses)
        assert whole[:2] == begun
        data = [json.loads(frame.partition(b"data: ")[2]) for frame in whole]
        assert [one["type"] for one in data[2:]] == ["error", "response.failed"]
        assert [one["sequence_number"] for one in data] == [0, 1, 2, 3]
        assert data[-1]["response"]["id"] == "resp_upstream"
        assert [await log_of(tmp_path, key) for key in silent] == [[], []]


@pytest.mark.proves("CRASH-queued", "RESTART-cancelled", "RESTART-queued")
async def test_what_was_queued_runs_unless_nobody_wants_it_or_it_cannot(tmp_path: Path) -> None:
    async with leaving(tmp_path) as left:
        await left.response("waits", "queued")
        await left.response("cancelled", "queued")
        await left.store.responses.cancel(OWNER, "resp_cancelled")
        deleted = await left.response("deleted", "queued")
        await left.store.responses.delete(OWNER, "resp_deleted")
        tool = {"type": "mcp", "server_label": "s", "server_url": "https://mcp.example", "authorization": "secret-1"}
        request = kept_request({"model": MODEL, "background": True, "input": "x", "tools": [tool]})
        assert "secret-1" not in str(request)
        await left.response("keyless", "queued", request=request)
        await left.store.conversations.create(OWNER, id="conv_gone")
        await left.response(
            "orphan",
            "queued",
            conversation="conv_gone",
            request={"model": MODEL, "background": True, "conversation": "conv_gone"},
        )
        await left.store.conversations.delete(OWNER, "conv_gone")
    async with running(CODEX, tmp_path) as stack:
        stream, found = await told(stack, "resp_waits")
        assert check_response_stream(stream).output_text == "tea"
        assert found["output"][0]["content"][0]["text"] == "tea"
        _, found = await told(stack, "resp_cancelled")
        assert found["status"] == "cancelled"
        _, found = await told(stack, "resp_keyless")
        assert (found["status"], found["error"]["code"]) == ("failed", RESTARTED)
        stream, found = await told(stack, "resp_orphan")
        assert found["status"] == "failed"
        assert check_failed_response_stream(stream)
        assert (await ended(tmp_path, deleted)).status == "cancelled"
        [call] = stack.sim.calls(ROUTE)
        assert call.body["input"][-1]["content"][0]["text"] == "Reply with exactly: tea"


@pytest.mark.proves("RESTART-queued")
async def test_what_was_queued_on_a_conversation_that_is_busy_now_waits_for_it(tmp_path: Path) -> None:
    async with leaving(tmp_path) as left:
        await left.store.conversations.create(OWNER, [NewItem({"role": "user", "content": "Hello"})], id="conv_busy")
        asked = {"model": MODEL, "background": True, "conversation": "conv_busy"}
        await left.response("waits", "queued", conversation="conv_busy", request=asked)
        other = await left.response("other", "queued")
    alive = Home("", tmp_path)
    alive.clock.seconds = time.time()
    async with (
        alive.store() as store,
        store.conversations.lock(OWNER, "conv_busy"),
        running(CODEX, tmp_path) as stack,
    ):
        await ended(tmp_path, other)
        row = await store.responses.response(OWNER, "resp_waits")
        assert row is not None
        assert row.status == "queued"
        assert [len(call.body["input"]) for call in stack.sim.calls(ROUTE)] == [1]
    with sqlite3.connect(tmp_path / "gateway.db") as connection:
        connection.execute("UPDATE responses SET lease = 0 WHERE completed IS NULL")
    connection.close()
    async with running(CODEX, tmp_path) as stack:
        _, found = await told(stack, "resp_waits")
        assert found["status"] == "completed"
        assert [len(call.body["input"]) for call in stack.sim.calls(ROUTE)] == [2]
