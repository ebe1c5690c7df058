"""The engine: one obvious path for a request that runs a model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.core import json
from gateway.core.usage import counts
from gateway.engine.attempt import Attempt
from gateway.engine.books import Books
from gateway.engine.continuity import SECONDS, Continuity
from gateway.engine.fanout import fan_out
from gateway.engine.metrics import Metrics, token_counts
from gateway.engine.plan import Batch, Plan, make_plan, passing_plan
from gateway.engine.state.once import Once, Run
from gateway.engine.state.recall import in_client_places
from gateway.engine.state.restart import Restart
from gateway.engine.state.state import State
from gateway.engine.truncating import cut
from gateway.engine.turn import Sink, Turn
from gateway.errors import GatewayError, UnsupportedValue
from gateway.logs import get_logger
from gateway.upstreams import Call, Model, Upstream
from gateway.upstreams.providers import Providers, Target, falls_back

if TYPE_CHECKING:
    from gateway.config import Limits
    from gateway.store import Store

Json = dict[str, Any]

SHORT_WAIT_SECONDS = 1.0
"""A client gets the answer of a stand-in rather than wait longer than this for a retry of the first upstream."""

HEADER = "Idempotency-Key"

REPAIRS = 3
"""How often one turn's body may be repaired after a refusal: unsupported field, encrypted reasoning, history."""


class Engine:
    """Runs turns on the upstreams."""

    def __init__(
        self,
        providers: Providers,
        *,
        limits: Limits,
        metrics: Metrics,
        store: Store | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Without a `store` every turn is on its own."""
        self._providers = providers
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._sleep = sleep
        self._books = Books(store)
        self._continuity = Continuity(limits.reasoning_bytes, SECONDS, time.monotonic)
        self.state = None if store is None else self._make_state(store)
        self._once = None if self.state is None else Once(self.state, providers)

    def _make_state(self, store: Store) -> State:
        return State(
            store,
            go=self._run_somewhere,
            check=self._check_plan,
            done=self._record,
            places=self._limits.background_responses,
            now=self._clock,
            log=get_logger("gateway"),
        )

    def run(self, turn: Turn, sink: Sink) -> Awaitable[None]:
        """Run one turn and put its answer into the sink.

        Raises GatewayError while nothing was committed; a later failure is told inside the stream.
        """
        return self.run_once(turn, sink, self._run) if turn.once else self._run(turn, sink)

    async def run_once(self, turn: Turn, sink: Sink, run: Run) -> None:
        """Let `run` run a turn, and only once if it has an Idempotency-Key. Raises what `run` does."""
        if not turn.once:
            await run(turn, sink)
        elif self._once is None:
            raise UnsupportedValue("Idempotency-Key needs the store, which is off (store.enabled).", param=HEADER)
        else:
            await self._once.run(turn, sink, run)

    async def _run(self, turn: Turn, sink: Sink) -> None:
        try:
            model = turn.model
            target = self._providers.settled(model) or await self._providers.choose(model)
            if self.state is None:
                await self._run_somewhere(turn, target, sink)
            else:
                await self.state.run(turn, target, sink)
        except GatewayError as error:
            turn.facts["error"] = error.code
            raise
        finally:
            self._record(turn)

    async def keep_restarting(self) -> None:
        """For ever: end and start again what processes left that are gone. Needs a store."""
        assert self.state is not None
        limit = self._limits.open_item_bytes
        log = get_logger("gateway")
        await Restart(self.state, self._providers, open_item_bytes=limit, log=log).keep()

    async def models(self) -> list[Model]:
        """Current models of all upstreams, hidden ones included, and the operator's aliases."""
        return await self._providers.models()

    async def model(self, name: str) -> Model | None:
        """One model by any name a request may give it: its own, an alias, or one with an effort behind it."""
        return await self._providers.model(name)

    async def check(self) -> GatewayError | None:
        """What keeps the default upstream from running turns now, though another can.

        Raises GatewayError when none can.
        """
        return await self._providers.check()

    # choose ---------------------------------------------------------------------------------------------------------

    def _run_somewhere(self, turn: Turn, target: Target, sink: Sink) -> Awaitable[None]:
        """On the target, else on those that the operator wants tried after it."""
        if target.provider.fallback or target.provider.codex:
            return self._run_on_one_of(turn, target, sink)
        return self._run_on(target, turn, sink, patience=None)

    async def _run_on_one_of(self, turn: Turn, target: Target, sink: Sink) -> None:
        """The target or a stand-in, which is tried while the client has seen no byte.

        Raises the first target's error when all fail: it is the one that the client asked for. Where a login is missing
        it also tells who needs none.
        """
        entries = target.provider.fallback
        try:
            await self._run_on(target, turn, sink, patience=SHORT_WAIT_SECONDS if entries else None)
        except GatewayError as error:
            if sink.committed or not falls_back(error):
                raise
            told = dict(turn.facts)
            for place, entry in enumerate(entries, 1):
                turn.facts.update(instead_of=told["upstream"], upstream_status=None)
                try:
                    other = await self._providers.instead(target, entry)
                    patience = SHORT_WAIT_SECONDS if place < len(entries) else None
                    await self._run_on(other, turn, sink, fallback=True, patience=patience)
                except GatewayError:
                    if sink.committed:
                        break
                else:
                    return
            turn.facts.update({"instead_of": None, "upstream_status": None, **told})
            raise self._providers.advised(error) from error.__cause__

    def _run_on(
        self, target: Target, turn: Turn, sink: Sink, *, fallback: bool = False, patience: float | None
    ) -> Awaitable[None]:
        """`patience`: the longest wait before a retry, while somebody else could stand in; None: nobody is left."""
        upstream, facts = target.provider.upstream, turn.facts
        facts["model"], facts["upstream"], facts["dialect"] = target.model, upstream.name, turn.dialect.name
        self._books.opened(turn)
        if fallback or turn.record is not None or turn.origins or turn.places:
            plan = None
        else:
            plan = passing_plan(turn, target)
        if plan is not None:  # as most turns: what has to be asked or changed before has a way of its own
            return self._call(upstream, patience, turn, plan, sink)
        return self._run_planned(target, turn, sink, fallback=fallback, patience=patience)

    async def _run_planned(
        self, target: Target, turn: Turn, sink: Sink, *, fallback: bool, patience: float | None
    ) -> None:
        upstream = target.provider.upstream
        if turn.record is not None or turn.origins:
            turn = await _readable(turn, target)
        try:
            plan = await make_plan(turn, target, self._continuity)
            if fallback:
                plan.headers["x-gateway-upstream"] = target.provider.name
            if isinstance(plan, Batch):
                run = partial(self._call, upstream, patience)
                await fan_out(turn, plan, sink, limit=self._limits.parallel_prompts, run=run)
            else:
                await self._call(upstream, patience, turn, plan, sink)
        except GatewayError as error:
            in_client_places(error, turn.places)
            raise

    async def _check_plan(self, turn: Turn, target: Target) -> None:
        try:
            await make_plan(turn, target, self._continuity)
        except GatewayError as error:
            in_client_places(error, turn.places)
            raise

    # call -----------------------------------------------------------------------------------------------------------

    async def _call(self, upstream: Upstream, patience: float | None, turn: Turn, plan: Plan, sink: Sink) -> None:
        """Attempts, until one has answered or nothing more can help; none once the client has seen a byte."""
        retries = repairs = cuts = 0
        while True:
            attempt = Attempt(upstream, self._limits, self._metrics, now=self._clock())
            call = Call(plan.route, plan.body, plan.stream, turn.request_id, plan.session_id, plan.lite)
            turn.facts["usage"] = None
            try:
                await attempt.run(turn, plan, sink, call)
            except GatewayError as error:
                self._books.put(turn, upstream, retries + repairs + cuts + 1, "failed")
                turn.facts["attempt_failed"] = error.code
                if sink.committed:
                    raise
                shorter = cut(plan, error, cuts)
                if shorter is not None:
                    plan.repaired(shorter)
                    cuts += 1
                    continue
                mended = upstream.repair(plan.document, error) if plan.document and repairs < REPAIRS else None
                if mended is not None:
                    plan.repaired(mended)
                    repairs += 1
                    continue
                delay = upstream.delay(retries + 1, error)
                if delay is None or (patience is not None and delay > patience and falls_back(error)):
                    raise plan.in_client_words(error) from error.__cause__
                retries += 1
                self._metrics.retried(upstream.name)
                await self._sleep(delay)
            except BaseException:
                self._books.put(turn, upstream, retries + repairs + cuts + 1, "cancelled")
                raise
            else:
                status = "failed" if "error" in turn.facts else "completed"  # told inside the stream
                self._books.put(turn, upstream, retries + repairs + cuts + 1, status)
                return

    # record ---------------------------------------------------------------------------------------------------------

    def _record(self, turn: Turn) -> None:
        facts = turn.facts
        usage, told = facts.pop("usage", None), facts.pop("counts", None)
        if usage:
            # The books have counted it already, unless they are closed, or it is the sum of several turns.
            tokens = facts["tokens"] = token_counts(told or counts(usage))
            self._metrics.tokens(tokens)


async def _readable(turn: Turn, target: Target) -> Turn:
    """The turn as this target can read it: reasoning that another account encrypted is left out."""
    origin = await target.provider.upstream.origin()
    if turn.record is not None:
        turn.record.asking(origin)
    foreign = {place for place, other in turn.origins.items() if other != origin}
    if not foreign:
        return turn
    given = turn.document["input"]
    left = [place for place in range(len(given)) if place not in foreign]
    document = {**turn.document, "input": [given[place] for place in left]}
    places = [turn.places[place] for place in left]
    return replace(turn, document=document, body=json.dumps(document), places=places)
