"""Idempotency-Key: a request that comes again with the same key and body gets the answer of the first one.

The first request runs as a job, so it goes on when its client leaves; everybody, the first client too, reads its answer
out of the log, in any process. A response that is kept anyway is its own row; any other answer gets one that only its
key can find.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any

from gateway.core import json
from gateway.core.response import complete_response
from gateway.dialects.responses import Responses
from gateway.engine.state.jobs import Job
from gateway.engine.state.log import LogSink, follow
from gateway.engine.state.state import POLL, State
from gateway.engine.state.wishes import Wish
from gateway.engine.turn import Sink, Turn
from gateway.errors import GatewayError, IdempotencyConflict, Remembered, UpstreamFault, UpstreamTimeout
from gateway.store.rows import REPLAY, NewResponse, StoredResponse
from gateway.upstreams.providers import Providers, Target

Json = dict[str, Any]
Run = Callable[[Turn, Sink], Awaitable[None]]

POLL_SECONDS = 0.05
"""How often to look whether another process has begun, or given up, a request with the same key."""

REPLAYED = {"x-gateway-replayed": "true"}
_WORTH_ANOTHER_TRY = frozenset({401, 408, 409, 425, 429, 503})


class Once:
    """Runs requests that have a key."""

    def __init__(self, state: State, providers: Providers) -> None:
        self._state = state
        self._store = state.store
        self._providers = providers

    async def run(self, turn: Turn, sink: Sink, run: Run) -> None:
        """Run the turn by `run`, or answer as it was answered before.

        Raises IdempotencyConflict, StoreUnavailable, and what the turn fails with while nothing was committed. What
        fails before an upstream has taken the request on is not remembered.
        """
        digest = _digest(turn)
        while True:
            name, job = await self._state.jobs.unbroken(self._claimed(turn, digest, run))
            if await self._answer(turn, name, sink, job):
                return
            if job is not None and job.failure is not None:
                raise job.failure
            await asyncio.sleep(POLL_SECONDS)

    # the first request ------------------------------------------------------------------------------------------------

    async def _claimed(self, turn: Turn, digest: str, run: Run) -> tuple[str, Job | None]:
        """The name of the response that the key stands for, and its job if this is the first request."""
        claim = await self._store.idempotency.claim(turn.hints.owner, turn.once, digest, self._store.new_id())
        if claim.state == "conflict":
            raise IdempotencyConflict(
                "This Idempotency-Key came with another request body before. Use a new key for a new request.",
                param="Idempotency-Key",
            )
        return claim.response, await self._begin(turn, claim.response, run) if claim.state == "new" else None

    async def _begin(self, turn: Turn, name: str, run: Run) -> Job:
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._store.idempotency.release, turn.hints.owner, turn.once, name)
            job = await self._kept(turn, name) or await self._hidden(turn, name, run)
            release = job.release

            async def forget(job: Job) -> None:
                await self._store.idempotency.release(turn.hints.owner, turn.once, name)
                await release(job)

            job.release = forget
            self._state.jobs.start(job)
            undo.pop_all()
        return job

    async def _kept(self, turn: Turn, name: str) -> Job | None:
        """The job of a response that is kept for its own sake; None when this is none."""
        if not isinstance(turn.dialect, Responses):
            return None
        target = await self._providers.choose(turn.model)
        wish = await self._state.wish(turn, target)
        if wish is None or not (wish.keep or wish.background):
            return None
        async with AsyncExitStack() as held:
            await held.enter_async_context(self._state.locked(turn, wish))
            job = await self._kept_job(turn, target, wish, name)
            if job is not None:
                job.held = held.pop_all()
        return job

    async def _kept_job(self, turn: Turn, target: Target, wish: Wish, name: str) -> Job | None:
        if wish.background:
            return await self._state.background(turn, target, wish, name)
        prepared = await self._state.prepared(turn, target, wish, response_id=f"resp_{name}")
        if prepared is None or prepared.asked is None:
            return None
        await self._state.check(prepared.turn, target)
        result = self._state.unfinished(turn, prepared.turn, "in_progress")
        row = prepared.asked.row(result, logged=True)
        key = await self._store.responses.begin(row, prepared.asked.inputs(None))
        alone = replace(prepared.turn, facts=_facts(turn))
        job = self._state.kept_job(key, alone, prepared.asked, target, result)
        job.lasting = lambda error: lasts(error, alone.facts)
        return job

    async def _hidden(self, turn: Turn, name: str, run: Run) -> Job:
        request = {"stream": _streams(turn), "dialect": turn.dialect.name}
        key = await self._store.responses.begin(
            NewResponse(
                owner=turn.hints.owner,
                id=name,
                status="in_progress",
                result={},
                surface=REPLAY,
                request=request,
                logged=True,
            )
        )
        alone = replace(turn, once="", facts=_facts(turn))

        async def go(sink: LogSink) -> None:
            await self._state.alone(alone, partial(run, alone, sink))

        job = Job(key, LogSink(self._store.frames, key), go, release=self._state.forget)
        job.lasting = lambda error: lasts(error, alone.facts)
        return job

    # the answer -------------------------------------------------------------------------------------------------------

    async def _answer(self, turn: Turn, name: str, sink: Sink, job: Job | None) -> bool:
        """Answer out of the row; False when there is none, or none any more.

        Raises the job's failure, and Remembered.
        """
        row = await self._store.responses.claimed(turn.hints.owner, name)
        if row is None:
            return False

        def headers() -> dict[str, str]:
            return REPLAYED if job is None else job.sink.headers

        if row.background and not _streams(turn):
            # The first client is told what every first client is told: it may be running by now.
            told = _snapshot(row) if job is None else job.result
            await sink.document(json.dumps(told), {**headers(), **POLL})
            return True
        if _streams(turn):
            if await follow(self._store.frames, row.key, -1, headers, sink, dialect=turn.dialect.name):
                return True
        else:
            async with aclosing(self._store.frames.follow(row.key)) as frames:
                async for frame in frames:
                    await sink.document(frame.data, headers())
                    return True
        if job is not None and job.failure is not None:
            raise job.failure
        row = await self._store.responses.claimed(turn.hints.owner, name)
        if row is None:
            return False
        raise Remembered(row.error or {})


def lasts(error: GatewayError, facts: Json) -> bool:
    """Whether a failure is the answer for good: the upstream has taken the request on, or will never take it.

    One that asks for another try is none, wherever it was told: SDKs make that try with the same key.
    """
    if not isinstance(error, UpstreamFault) or error.status in _WORTH_ANOTHER_TRY:
        return False
    if isinstance(error, UpstreamTimeout) or 200 <= (facts.get("upstream_status") or 0) < 300:
        return True
    return not error.retryable and error.status < 500


def _digest(turn: Turn) -> str:
    return sha256(type(turn.dialect).__name__.encode() + b"\n" + turn.body).hexdigest()


def _streams(turn: Turn) -> bool:
    return turn.document.get("stream") is True


def _facts(turn: Turn) -> Json:
    return {name: turn.facts[name] for name in ("surface", "key") if name in turn.facts}


def _snapshot(row: StoredResponse) -> Json:
    return complete_response(row.result)
