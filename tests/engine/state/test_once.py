"""Idempotency-Key inside the engine: whose key it is, and clients that leave at any moment."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.app import App, create_app
from gateway.core import json
from gateway.dialects import Dialect, chat, responses
from gateway.engine.turn import Hints, Sink, Turn, Voice
from gateway.errors import NotFound
from gateway.simulator import Simulator
from tests.live.stack import CODEX, MODEL, settings_for, write_login
from tests.serving import serving

Json = dict[str, Any]

ROUTE = "codex.responses"
PATIENCE_SECONDS = 10


class Collected:
    """What a client gets."""

    def __init__(self) -> None:
        self.committed = self.offers = False
        self.body = b""

    async def document(self, body: bytes, headers: dict[str, str]) -> None:
        self.committed = True
        self.body = body

    def stream(self, headers: dict[str, str], voice: Voice) -> None:
        pass

    async def write(self, data: bytes) -> None:
        self.committed = True
        self.body += data

    def offer(self, data: bytes) -> bool:
        return False

    async def finish(self, data: bytes = b"") -> None:
        if data:
            await self.write(data)


class World:
    """A gateway whose engine is at hand, and its upstream."""

    def __init__(self, app: App, sim: Simulator) -> None:
        self.app = app
        self.sim = sim

    def turn(self, dialect: Dialect, key: str, *, owner: str = "operator", **fields: Any) -> Turn:
        given: Json = (
            {"messages": [{"role": "user", "content": "Hello"}]} if dialect is chat.DIALECT else {"input": "x"}
        )
        document = {"model": MODEL, **given, **fields}
        return Turn(dialect, json.dumps(document), document, request_id=key, hints=Hints(owner=owner), once=key)

    async def run(self, turn: Turn) -> bytes:
        sink = Collected()
        taken: Sink = sink
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.app.engine.run(turn, taken)
        return sink.body


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    sim = Simulator()
    async with serving(sim) as url:
        write_login(tmp_path, sim.issue_tokens())
        app = create_app(settings_for(CODEX, url), workdir=tmp_path)
        async with serving(app):
            yield World(app, sim)


DIALECTS = pytest.mark.parametrize("dialect", [chat.DIALECT, responses.DIALECT], ids=["chat", "responses"])
streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])


@pytest.mark.proves("ONCE-owners")
@DIALECTS
async def test_a_key_belongs_to_its_owner(world: World, dialect: Dialect) -> None:
    mine = await world.run(world.turn(dialect, "key", owner="me"))
    yours = await world.run(world.turn(dialect, "key", owner="you", temperature=1))
    assert mine != yours
    assert await world.run(world.turn(dialect, "key", owner="me")) == mine
    assert world.sim.counters[ROUTE] == 2


@pytest.mark.proves("JOBS-unbroken", "ONCE-left")
@DIALECTS
@streamed_or_not
async def test_a_client_that_leaves_at_any_moment_leaves_a_request_that_runs_once(
    world: World, dialect: Dialect, stream: bool
) -> None:
    for steps in itertools.count():
        key = f"key {steps}"
        leaving = asyncio.create_task(world.run(world.turn(dialect, key, stream=stream)))
        for _ in range(int(1.3**steps)):
            await asyncio.sleep(0)
        if leaving.done():
            break
        leaving.cancel()
        await asyncio.wait([leaving])
        before = world.sim.counters[ROUTE]
        whole = await world.run(world.turn(dialect, key, stream=stream))
        assert await world.run(world.turn(dialect, key, stream=stream)) == whole
        assert world.sim.counters[ROUTE] - before <= 1
    assert world.sim.counters[ROUTE] == steps + 1, "each key is one call"
    assert steps > 5


@pytest.mark.proves("JOBS-unbroken")
async def test_a_client_that_leaves_at_any_moment_leaves_no_background_response_that_nobody_runs(world: World) -> None:
    for steps in itertools.count():
        leaving = asyncio.create_task(world.run(world.turn(responses.DIALECT, "", background=True)))
        for _ in range(int(1.3**steps)):
            await asyncio.sleep(0)
        if leaving.done():
            break
        leaving.cancel()
        await asyncio.wait([leaving])
    await leaving
    assert world.app.store is not None
    state = world.app.engine.state
    assert state is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        while tasks := [job.task for job in state.jobs._running if job.task is not None]:
            await asyncio.wait(tasks)
    stats = {table.table: table.rows for table in (await world.app.store.stats()).tables}
    assert stats["responses"] == world.sim.counters[ROUTE] > 0


@pytest.mark.proves("JOBS-deleted", "ONCE-deleted")
@streamed_or_not
async def test_who_deletes_a_response_that_others_wait_for_stops_it_and_tells_them(world: World, stream: bool) -> None:
    world.sim.queue(ROUTE, {"steps": [{"text": ["one ", {"gate": "delete"}, "two"]}]})
    waiting = asyncio.create_task(world.run(world.turn(responses.DIALECT, "key", stream=stream)))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await world.sim.gate("delete").reached.wait()
        assert world.app.store is not None
        [name] = [row["wire_id"] async for row in world.app.store.export("responses")]
        await world.app.store.responses.delete("operator", name)
        with pytest.raises(NotFound):
            await waiting
        [call] = world.sim.calls(ROUTE)
        await call.finished.wait()
    assert call.closed_early
    await world.run(world.turn(responses.DIALECT, "key", stream=stream))
    assert world.sim.counters[ROUTE] == 2
