"""Several turns for one request, side by side, and one answer of theirs: legacy completions of several prompts.

The turns share one stream of the client. The first failure ends all of them; so does the client's leaving.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from gateway.core import usage
from gateway.dialects import Joint
from gateway.engine.plan import Batch, Plan, report
from gateway.engine.turn import Sink, Turn, Voice
from gateway.errors import GatewayError
from gateway.wire.sse import KEEP_ALIVE

Json = dict[str, Any]
Run = Callable[[Turn, Plan, Sink], Awaitable[None]]
"""Runs one plan to its end, with its retries; raises GatewayError for what its sink has not told."""


async def fan_out(turn: Turn, batch: Batch, sink: Sink, *, limit: int, run: Run) -> None:
    """Run every plan of the batch, at most `limit` of them at once, and put the one answer into the sink.

    Raises GatewayError while nothing was committed; a later failure is told inside the stream.
    """
    shared = _Shared(sink, batch)
    slots = asyncio.Semaphore(limit)
    branches = [_Branch(shared, turn) for _ in batch.plans]
    try:
        async with asyncio.TaskGroup() as tasks:
            for branch, plan in zip(branches, batch.plans, strict=True):
                tasks.create_task(branch.run(plan, slots, run))
    except BaseExceptionGroup as failures:
        await shared.fail(failures.exceptions[0], turn)
    else:
        if not batch.stream:
            body = batch.joint.join([branch.body for branch in branches])
            await sink.document(body, shared.headers)
    finally:
        _gather_facts(turn, branches)


class _Over(Exception):
    """A branch has failed inside the stream, and the last words are known: the other turns are worth nothing now."""


class _Shared:
    """The client's sink, as the branches share it."""

    def __init__(self, sink: Sink, batch: Batch) -> None:
        self.sink = sink
        self.joint = batch.joint
        self.headers = dict(batch.headers)
        self.last_words = b""
        """What a failed branch has left to say. It waits until no other branch can come between."""

    def tell(self, headers: dict[str, str]) -> None:
        """Headers of one branch for the one answer."""
        named = self.headers.get("x-gateway-dropped", "")
        self.headers.update(headers)
        report(self.headers, filter(None, named.split(",")))

    async def fail(self, error: BaseException, turn: Turn) -> None:
        """Raises the error where the status line can still tell it, or where it is none of ours."""
        if isinstance(error, GatewayError) and self.sink.committed:
            turn.facts["error"] = error.code
            self.last_words = self.last_words or self.joint.fail(error)
        elif not isinstance(error, _Over):
            raise error
        await self.sink.finish(self.last_words)


class _Voice:
    """What the stream of all branches says when none of them has anything to say."""

    def __init__(self, joint: Joint) -> None:
        self._joint = joint

    def keep_alive(self, silent_seconds: float) -> bytes:
        return KEEP_ALIVE

    def fail(self, error: GatewayError) -> bytes:
        return self._joint.fail(error)


class _Branch:
    """The sink of one turn. It counts as committed once it has shown something itself: until then it may be retried.

    Who has the last word is known when it is made, so it must be written at once, before another branch makes one.
    """

    offers = False

    def __init__(self, shared: _Shared, turn: Turn) -> None:
        self.committed = False
        self.body = b""
        self.facts = dict(turn.facts)
        self._shared = shared
        self._turn = turn
        self._last = False

    async def run(self, plan: Plan, slots: asyncio.Semaphore, run: Run) -> None:
        async with slots:
            await run(replace(self._turn, facts=self.facts, started=time.perf_counter()), plan, self)

    async def document(self, body: bytes, headers: dict[str, str]) -> None:
        self.committed = True
        self.body = body
        self._shared.tell(headers)

    def stream(self, headers: dict[str, str], voice: Voice) -> None:
        shared = self._shared
        shared.tell(headers)
        shared.sink.stream(shared.headers, _Voice(shared.joint))

    async def write(self, data: bytes) -> None:
        """Raises _Over after a failure, so that the call of this branch ends as well."""
        shared = self._shared
        self.committed = True
        # As it is now: while this branch waits for the client, others go on.
        if shared.joint.failed:
            shared.last_words = shared.last_words or data
            raise _Over
        self._last = shared.joint.finished
        await shared.sink.write(data)

    def offer(self, data: bytes) -> bool:
        """Never."""
        return False

    async def finish(self, data: bytes = b"") -> None:
        """The client's stream ends with the branch that wrote its end."""
        if data:
            await self.write(data)
        if self._last:
            await self._shared.sink.finish()


def _gather_facts(turn: Turn, branches: list[_Branch]) -> None:
    """One line of the log for all: what the branches learnt, and their tokens together."""
    total: Json | None = None
    for branch in branches:
        counted = branch.facts.pop("usage", None)
        branch.facts.pop("counts", None)  # of that branch alone
        total = usage.add(total, usage.complete(counted))
        turn.facts.update(branch.facts)
    turn.facts["usage"] = total
