"""Usage: one row for each upstream call, whatever came of it. Read from the file, as its operator could."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.live.stack import CHAT_ONLY, CODEX, MODES, Mode, Stack, running

Json = dict[str, Any]

STATELESS = ("conversations", "items", "responses", "stream_frames", "idempotency", "events")


async def rows(stack: Stack, count: int) -> list[Json]:
    """The rows of the ledger, once there are so many."""
    connection = sqlite3.connect(stack.workdir / "gateway.db")
    connection.row_factory = sqlite3.Row
    try:
        async with asyncio.timeout(10):
            while True:
                found = [dict(row) for row in connection.execute("SELECT * FROM ledger ORDER BY created, attempt")]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.01)  # another task writes them
    finally:
        connection.close()


def counted(stack: Stack, table: str) -> int:
    connection = sqlite3.connect(stack.workdir / "gateway.db")
    try:
        count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    finally:
        connection.close()
    return count


@pytest.mark.proves("ENGINE-ledger")
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
async def test_each_call_is_a_row_with_its_tokens_and_nothing_else_is_written(mode: Mode, tmp_path: Path) -> None:
    async with running(mode, tmp_path) as stack:
        asked: list[tuple[str, Json]] = [
            ("/v1/responses", {"input": "one", "store": False}),
            ("/v1/responses", {"input": "two", "store": False, "stream": True}),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "three"}]}),
            ("/v1/completions", {"prompt": "four"}),
        ]
        for path, body in asked:
            answer = await stack.http.post(path, json={"model": "gpt-5.5", **body})
            assert answer.status_code == 200, answer.text
        found = await rows(stack, 4)
        assert [row["surface"] for row in found] == ["responses", "responses", "chat", "completions"]
        assert {(row["owner"], row["status"], row["model"], row["attempt"]) for row in found} == {
            ("operator", "completed", "gpt-5.5", 1)
        }
        assert {row["usage_source"] for row in found} == {"upstream"}
        assert all(row["input_tokens"] > 0 and row["output_tokens"] > 0 for row in found)
        assert len({row["turn_id"] for row in found}) == 4
        assert bool(found[0]["account"]) is mode.codex
        assert {table: counted(stack, table) for table in STATELESS} == dict.fromkeys(STATELESS, 0)


@pytest.mark.proves("ENGINE-ledger")
async def test_attempts_and_failures_are_rows_of_their_own(tmp_path: Path) -> None:
    async with running(CODEX, tmp_path, limits={"retries": 1, "cool_down_seconds": 0}) as stack:
        stack.play(
            "responses",
            {
                "status": 503,
                "body": {"error": {"message": "busy", "type": "server_error", "code": "server_is_overloaded"}},
            },
            {"text": "fine"},
        )
        answer = await stack.http.post("/v1/responses", json={"model": "gpt-5.5", "input": "x", "store": False})
        assert answer.status_code == 200
        first, second = await rows(stack, 2)
        assert first["turn_id"] == second["turn_id"]
        assert [(row["attempt"], row["status"], row["usage_source"]) for row in (first, second)] == [
            (1, "failed", "none"),
            (2, "completed", "upstream"),
        ]


@pytest.mark.proves("ENGINE-ledger")
async def test_a_client_that_leaves_leaves_a_row(tmp_path: Path) -> None:
    async with running(CHAT_ONLY, tmp_path) as stack:
        stack.play("chat", {"text": ["some ", {"gate": "never"}]})
        body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "x"}], "stream": True}
        async with stack.http.stream("POST", "/v1/chat/completions", json=body) as answer:
            async for _ in answer.aiter_bytes():
                break
        (row,) = await rows(stack, 1)
        assert row["status"] == "cancelled"


@pytest.mark.proves("ENGINE-ledger")
@pytest.mark.parametrize("finish", ["cut", "end", {"failed": "server_error"}], ids=["cut", "end", "failed"])
@pytest.mark.parametrize("mode", [CODEX, CHAT_ONLY], ids=lambda mode: mode.name)
async def test_a_stream_that_broke_is_a_row_that_says_so(mode: Mode, finish: str | Json, tmp_path: Path) -> None:
    async with running(mode, tmp_path, limits={"retries": 0}) as stack:
        stack.play("responses" if mode is CODEX else "chat", {"text": ["some ", "words"], "finish": finish})
        body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "x"}], "stream": True}
        answer = await stack.http.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200 and '"error"' in answer.text
        (row,) = await rows(stack, 1)
        assert row["status"] == "failed"
