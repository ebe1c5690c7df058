"""Jobs on a real store in a file, which can be locked as another program would lock it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from gateway.core.repair import Repair
from gateway.core.response import complete_response
from gateway.dialects import Choices
from gateway.dialects.responses import DIALECT
from gateway.engine.state.jobs import Job, Jobs
from gateway.engine.state.keeping import Asked, Outcome
from gateway.engine.state.log import LogSink
from gateway.store import Store
from tests.store.home import OWNER, Home, running

Json = dict[str, Any]
Run = Callable[[LogSink], Awaitable[None]]

PATIENCE_SECONDS = 10


class Lock:
    """Another program's hold on the file: whoever writes meanwhile is told that the store is busy."""

    def __init__(self, workdir: Path) -> None:
        self._connection = sqlite3.connect(workdir / "gateway.db", isolation_level=None)

    def take(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def give_back(self) -> None:
        self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()


class Tries(Sequence[float]):
    """Pauses between tries, none of which lasts. `after`: is called when so many tries have failed."""

    def __init__(self, count: int, after: Callable[[], object]) -> None:
        self._most = count
        self._after = after

    def __len__(self) -> int:
        return self._most

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError

    def __iter__(self) -> Iterator[float]:
        for tried in range(1, self._most + 1):
            if tried == self._most:
                self._after()
            yield 0


@dataclass
class Desk:
    """A process: its store and its jobs."""

    store: Store
    jobs: Jobs
    released: list[str] = field(default_factory=list)

    async def job(self, run: Run, *, pauses: Sequence[float] = (), **fields: Any) -> Job:
        """A job that runs this, in a row of its own that only its key can find."""
        key = await self.store.responses.begin(running(status="in_progress", surface="replay"))
        return Job(key, LogSink(self.store.frames, key, pauses=pauses), run, release=self._release, **fields)

    async def background(self, run: Callable[[LogSink, Outcome], Awaitable[None]], **fields: Any) -> Job:
        """A queued background response that runs this."""
        name = f"resp_{self.store.new_id()}"
        result = complete_response({"id": name, "created_at": 5, "model": "m", "status": "queued"}, {})
        asked = Asked(owner=OWNER, surface="responses", request={}, origin="", facts={})
        key = await self.store.responses.begin(asked.row(result, background=True, logged=True))
        sink = LogSink(self.store.frames, key)
        outcome = Outcome(asked, sink.hold)

        async def go(sink: LogSink) -> None:
            await run(sink, outcome)

        return Job(key, sink, go, release=self._release, result=result, outcome=outcome, queued=True, **fields)

    async def done(self, job: Job) -> None:
        """Start it, and wait for its end."""
        self.jobs.start(job)
        await self.ended(job)

    @staticmethod
    async def ended(job: Job) -> None:
        assert job.task is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            await job.task

    async def log(self, job: Job) -> list[bytes]:
        return [frame.data for frame in await self.store.frames.read(job.key)]

    async def status(self, job: Job) -> str:
        row = await self.store.responses.by_key(job.key)
        return "" if row is None else row.status

    async def _release(self, job: Job) -> None:
        self.released.append(job.key)
        await self.store.responses.forget(job.key)


@asynccontextmanager
async def at_work(home: Home, *, places: int = 10, pauses: Sequence[float] = ()) -> AsyncIterator[Desk]:
    async with home.store(busy_seconds=0.05) as store:
        jobs = Jobs(store, places=places, log=structlog.get_logger("test"), pauses=pauses)
        try:
            yield Desk(store, jobs)
        finally:
            await jobs.aclose()


def opened(outcome: Outcome, name: str) -> Repair:
    """The stream of a response, as the engine watches it."""
    repair = Repair("", created=5, model="m", trusted=False, open_item_bytes=1000, response_id=name)
    outcome.watch(
        DIALECT.decode({"model": "m", "input": []}, Choices()),
        repair,
        lambda frames: b"".join(frame.raw for frame in frames),
    )
    return repair
