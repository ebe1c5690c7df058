"""Real processes on one store: two on a file, three on PostgreSQL; and what a killed one leaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.store import Store
from gateway.store.rows import Ending, Frame, Interrupted
from tests.store.home import OWNER, Home

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 40


class Worker:
    """A running `tests.store.worker`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def told(self) -> dict[str, Any]:
        """What it says next."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        assert line, "the worker has ended"
        told: dict[str, Any] = json.loads(line)
        return told

    async def kill(self) -> list[dict[str, Any]]:
        """End it at once; what it had said until then."""
        self.process.send_signal(signal.SIGKILL)
        assert self.process.stdout is not None
        rest = await self.process.stdout.read()
        await self.process.wait()
        return [json.loads(line) for line in rest.splitlines() if line.endswith(b"}")]


@contextlib.asynccontextmanager
async def working(home: Home, job: str) -> AsyncIterator[Worker]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.store.worker", str(home.workdir), home.url, job),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Worker(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        # Or the transport is closed by the collector, in a loop that is gone.
        process._transport.close()  # type: ignore[attr-defined]


async def finisher(interrupted: Interrupted) -> Ending:
    last = Frame(interrupted.last + 1, b"response.failed")
    return Ending(status="failed", result={}, error={"code": "gateway_restarted"}, frames=[last])


@pytest.mark.proves("STORE-processes", "STORE-cancel")
async def test_what_one_process_runs_others_read_follow_and_cancel(home: Home) -> None:
    home.clock.seconds = time.time()
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        home.store() as reader,
        home.store() as canceller,
        working(home, "run") as worker,
    ):
        key = (await worker.told())["run"]
        found = await reader.responses.response(OWNER, "resp_bg")
        assert found is not None
        assert (found.key, found.status) == (key, "in_progress")
        seen: list[int] = []
        async for frame in reader.frames.follow(key):
            seen.append(frame.seq)
            if frame.seq == 5:
                await canceller.responses.cancel(OWNER, "resp_bg")
        last = (await worker.told())["last"]
        assert seen == list(range(last + 1))
        assert [frame.seq async for frame in canceller.frames.follow(key, after=last - 1)] == [last]
        found = await reader.responses.response(OWNER, "resp_bg")
        assert found is not None
        assert (found.status, len(found.result["output"])) == ("cancelled", 1)


async def whole(store: Store, number: int) -> None:
    """What the worker said it had done is there, and nothing is there in part."""
    history = await store.responses.history(OWNER, f"resp_{number}")
    assert history is not None
    texts = [item.body()["content"][0]["text"] for item in history.items]
    assert texts == [f"{kind}{turn}" for turn in range(number + 1) for kind in "qa"]
    items = await store.conversations.items(OWNER, "conv_c")
    assert items is not None
    texts = [item.body()["content"][0]["text"] for item in items]
    assert len(texts) >= 2 * (number + 1)
    assert texts == [f"{kind}{turn}" for turn in range(len(texts) // 2) for kind in "qa"]


@pytest.mark.proves("STORE-crash", "STORE-recovery")
async def test_a_process_that_is_killed_while_it_writes_loses_nothing_it_had_told(home: Home) -> None:
    home.clock.seconds = time.time()
    async with asyncio.timeout(PATIENCE_SECONDS), working(home, "save") as worker, home.store() as survivor:
        key = (await worker.told())["run"]
        while (await worker.told())["done"] < 5:
            pass
        said = await worker.kill()
        number = max((line["done"] for line in said), default=5)
        await whole(survivor, number)
        frames = await survivor.frames.read(key)
        assert [frame.seq for frame in frames][: number + 1] == list(range(number + 1))
        assert [frame.seq for frame in frames] == list(range(len(frames)))
        assert await survivor.recovery.end_interrupted(finisher) == []
        home.clock.forward(seconds=60)
        assert await survivor.recovery.end_interrupted(finisher) == [key]
        assert [frame.data async for frame in survivor.frames.follow(key, after=len(frames) - 1)] == [
            b"response.failed"
        ]
        assert [row.wire_id for row in await survivor.recovery.claim_queued()] == ["wait"]
    if not home.postgresql:
        connection = sqlite3.connect(home.workdir / "gateway.db")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()


@pytest.mark.proves("STORE-processes")
async def test_processes_that_write_at_the_same_time_do_not_fail(home: Home) -> None:
    home.clock.seconds = time.time()
    async with asyncio.timeout(PATIENCE_SECONDS), working(home, "save") as worker, home.store() as here:
        await worker.told()
        # A hundred writes of ours between its own, and none of them is refused.
        for number in range(100):
            await here.idempotency.claim(OWNER, f"k{number}", "h", f"resp_k{number}")
        number = (await worker.told())["done"]
        await worker.kill()
        await whole(here, number)
