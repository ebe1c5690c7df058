"""Between the engine and the store: turns that the store has a part in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.core import json
from gateway.core.response import complete_response, request_echo
from gateway.dialects.responses import Responses
from gateway.engine.state.jobs import Job, Jobs
from gateway.engine.state.keeping import Asked, Keeping, Outcome
from gateway.engine.state.log import LogSink, follow
from gateway.engine.state.recall import Recalled, recall
from gateway.engine.state.wishes import Wish, wish_of
from gateway.engine.turn import Sink, Turn
from gateway.errors import GatewayError, InvalidRequest, StoreUnavailable
from gateway.store.rows import Status, StoredResponse
from gateway.upstreams.providers import Target

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from gateway.store import Store

Json = dict[str, Any]
Go = Callable[[Turn, Target, Sink], Awaitable[None]]
"""Runs a turn that needs no store, with its retries and stand-ins."""
Check = Callable[[Turn, Target], Awaitable[None]]
"""Raises GatewayError for a turn that no upstream would be asked to run."""


POLL = {"openai-poll-after-ms": "1000"}
"""For the helpers of SDKs that ask again until a response has ended."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A turn that needs no store any more, and what is to be kept of it; None for nothing."""

    turn: Turn
    asked: Asked | None


class State:
    """The store's part in turns. `now`: seconds since 1970."""

    def __init__(
        self,
        store: Store,
        *,
        go: Go,
        check: Check,
        done: Callable[[Turn], None],
        places: int,
        now: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        """`done` counts what a turn without a request has used. `places`: background responses at the same time."""
        self.store = store
        self.jobs = Jobs(store, places=places, log=log)
        self._go = go
        self.check = check
        self._done = done
        self._now = now
        self._log = log
        self._leaving: set[asyncio.Task[None]] = set()

    def run(self, turn: Turn, target: Target, sink: Sink) -> Awaitable[None]:
        """Run a turn with what the store has to do with it. Raises GatewayError while nothing was committed."""
        wish = wish_of(turn.dialect, turn.document, target.provider.state)
        return self._go(turn, target, sink) if wish is None else self._run(turn, target, wish, sink)

    async def _run(self, turn: Turn, target: Target, wish: Wish, sink: Sink) -> None:
        if not (wish.ours or await self._names_ours(turn, wish)):
            await self._go(turn, target, sink)
        elif wish.background:
            await self._in_background(turn, target, wish, sink)
        else:
            await self._while_waited_for(turn, target, wish, sink)

    async def wish(self, turn: Turn, target: Target) -> Wish | None:
        """What the turn wants of the store; None when the store has no part in it."""
        wish = wish_of(turn.dialect, turn.document, target.provider.state)
        return wish if wish is not None and (wish.ours or await self._names_ours(turn, wish)) else None

    async def _names_ours(self, turn: Turn, wish: Wish) -> bool:
        """Whether a turn for a server that keeps its own state is ours all the same; never without a store.

        Naming one of our ids, or nobody's with `background`, is handled here.
        """
        owner, store = turn.hints.owner, self.store
        try:
            if wish.previous:
                return await store.responses.history(owner, wish.previous) is not None
            if wish.conversation:
                return await store.conversations.get(owner, wish.conversation) is not None
        except StoreUnavailable:
            return False
        return wish.background

    async def aclose(self) -> None:
        """End what runs here, and keep what was cut off."""
        await self.jobs.aclose()
        if self._leaving:
            await asyncio.wait(self._leaving)

    # foreground -------------------------------------------------------------------------------------------------------

    async def _while_waited_for(self, turn: Turn, target: Target, wish: Wish, sink: Sink) -> None:
        async with AsyncExitStack() as held:
            await held.enter_async_context(self.locked(turn, wish))
            prepared = await self.prepared(turn, target, wish)
            if prepared is None or prepared.asked is None:
                await self._go(prepared.turn if prepared else turn, target, sink)
                return
            keeping = Keeping(self.store, prepared.asked, held.aclose)
            try:
                await self._go(replace(prepared.turn, record=keeping), target, sink)
            except asyncio.CancelledError:
                if sink.committed:
                    self._keep_cut(keeping)
                raise

    def _keep_cut(self, keeping: Keeping) -> None:
        """Keep what came before the client left, without holding up its end."""

        async def keep() -> None:
            try:
                await keeping.left()
            except StoreUnavailable as error:
                self._log.error("a cancelled response could not be kept", reason=error.message)

        task = asyncio.get_running_loop().create_task(keep())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def prepared(self, turn: Turn, target: Target, wish: Wish, *, response_id: str = "") -> Prepared | None:
        """The turn as it goes on, and what is to be kept of it; None for one that names ids of its server's own.

        Raises InvalidRequest, NotFound and StoreUnavailable.
        """
        recalled = None
        if turn.dialect.continues:
            recalled = await recall(self.store, turn.hints.owner, turn.document, wish)
            if recalled is None:
                return None
        changed = _changed(turn, recalled, keep=wish.keep, response_id=response_id)
        conversation = recalled.conversation if recalled else None
        if turn.dialect.keeps == "never" or not (wish.keep or conversation):
            return Prepared(changed, None)
        asked = Asked(
            owner=turn.hints.owner,
            surface=turn.dialect.name,
            request=turn.document,
            facts=turn.facts,
            keep=wish.keep,
            added=recalled.added if recalled else None,
            previous=recalled.previous if recalled else None,
            conversation=conversation,
        )
        return Prepared(changed, asked)

    @asynccontextmanager
    async def locked(self, turn: Turn, wish: Wish) -> AsyncIterator[None]:
        """Alone on its conversation, if that is ours."""
        if not wish.conversation or turn.dialect.keeps == "never":
            yield
            return
        async with self.store.conversations.lock(turn.hints.owner, wish.conversation):
            yield

    # background -------------------------------------------------------------------------------------------------------

    async def _in_background(self, turn: Turn, target: Target, wish: Wish, sink: Sink) -> None:
        job = await self.jobs.unbroken(self._begun(turn, target, wish))
        if job is None:  # what it goes on from is its server's, and so is the rest
            await self._go(turn, target, sink)
        elif turn.document.get("stream") is True:
            await follow(self.store.frames, job.key, -1, lambda: job.sink.headers, sink, dialect=turn.dialect.name)
        else:
            await sink.document(json.dumps(job.result), POLL)

    async def _begun(self, turn: Turn, target: Target, wish: Wish) -> Job | None:
        async with AsyncExitStack() as held:
            await held.enter_async_context(self.locked(turn, wish))
            job = await self.background(turn, target, wish, self.store.new_id())
            if job is not None:
                job.held = held.pop_all()
                self.jobs.start(job)
        return job

    async def background(self, turn: Turn, target: Target, wish: Wish, name: str) -> Job | None:
        """Keep a background response as queued. `name`: its id without a prefix. None: see `prepared`.

        Raises what `prepared` raises, and what `Check` does.
        """
        if not wish.keep:
            message = "background needs `store`: a response that is not kept could not be fetched."
            raise InvalidRequest(message, param="background")
        prepared = await self.prepared(turn, target, wish, response_id=f"resp_{name}")
        if prepared is None:
            return None
        await self.check(prepared.turn, target)
        assert prepared.asked is not None
        result = self.unfinished(turn, prepared.turn, "queued")
        row = prepared.asked.row(result, background=True, logged=True)
        key = await self.store.responses.begin(row, prepared.asked.inputs(None))
        return self.background_job(key, prepared, target, result)

    def background_job(self, key: str, prepared: Prepared, target: Target, result: Json) -> Job:
        """The job of a background response whose row is there."""
        assert prepared.asked is not None
        document = {**prepared.turn.document, "stream": True}  # its log has events, whoever may ask for them
        facts = {name: value for name, value in prepared.turn.facts.items() if name in ("surface", "key")}
        alone = replace(prepared.turn, document=document, body=json.dumps(document), facts=facts)
        return self.kept_job(key, alone, prepared.asked, target, result, queued=True)

    async def restarted(self, row: StoredResponse, turn: Turn, target: Target) -> None:
        """Start a queued response that another process left.

        Raises GatewayError when what it stands on is no longer there, or busy.
        """
        wish = wish_of(turn.dialect, turn.document, "gateway")
        assert wish is not None
        async with AsyncExitStack() as held:
            await held.enter_async_context(self.locked(turn, wish))
            prepared = await self.prepared(turn, target, wish, response_id=str(row.result["id"]))
            assert prepared is not None
            job = self.background_job(row.key, prepared, target, row.result)
            job.held = held.pop_all()
            self.jobs.start(job)

    def kept_job(
        self, key: str, turn: Turn, asked: Asked, target: Target, result: Json, *, queued: bool = False
    ) -> Job:
        """A job whose answer is kept as a response."""
        sink = LogSink(self.store.frames, key)
        outcome = Outcome(asked, sink.hold)
        dialect = turn.dialect
        if isinstance(dialect, Responses):
            dialect = dialect.showing({"created_at": result["created_at"]})  # its client has been told
        alone = replace(turn, record=outcome, dialect=dialect)

        async def run(sink: LogSink) -> None:
            await self.alone(alone, partial(self._go, alone, target, sink))

        return Job(key, sink, run, release=self.forget, result=result, outcome=outcome, queued=queued)

    async def alone(self, turn: Turn, run: Callable[[], Awaitable[None]]) -> None:
        """Run a turn that has no request any more to tell of it, with a line of its own in the log."""
        started = time.monotonic()
        outcome = "failed"
        try:
            await run()
            outcome = "failed" if "error" in turn.facts else "completed"
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except GatewayError as error:
            turn.facts.update(error=error.code, detail=error.detail or None)
            raise
        finally:
            self._done(turn)
            told = {name: value for name, value in turn.facts.items() if value is not None}
            seconds = round((time.monotonic() - started) * 1000, 2)
            self._log.info(
                "turn",
                **{**told, "outcome": outcome, "duration_ms": seconds, "request_id": turn.request_id},
                response=turn.response_id or None,
            )

    def unfinished(self, turn: Turn, changed: Turn, status: Status) -> Json:
        """The response object before it has any output."""
        assert isinstance(changed.dialect, Responses)
        echo = {**request_echo(turn.document), **changed.dialect.shown}
        told = {
            "id": changed.response_id,
            "created_at": int(self._now()),
            "model": turn.model or "",
            "status": status,
        }
        return complete_response(told, echo)

    async def forget(self, job: Job) -> None:
        """Forget a job that never came to anything."""
        await self.store.responses.forget(job.key)


def _changed(turn: Turn, recalled: Recalled | None, *, keep: bool, response_id: str) -> Turn:
    """The turn with its history, and nothing in it that its server would have to know."""
    document, dialect = turn.document, turn.dialect
    if recalled is not None:
        document = recalled.document
    if isinstance(dialect, Responses):
        document = {**document, "store": False}
        dialect = dialect.showing({**(recalled.shown if recalled else {}), "store": keep})
    elif dialect.keeps != "never":
        document = {name: value for name, value in document.items() if name != "store"}
    if recalled is not None:
        turn = replace(turn, origins=recalled.origins, places=recalled.places)
    return replace(turn, document=document, body=json.dumps(document), dialect=dialect, response_id=response_id)
