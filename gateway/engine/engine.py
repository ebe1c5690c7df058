"""The engine: one obvious path for a request that runs a model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from gateway.engine.attempt import Attempt
from gateway.engine.metrics import Metrics, token_counts
from gateway.engine.plan import Plan, in_client_words, make_plan
from gateway.engine.turn import Sink, Turn
from gateway.errors import GatewayError
from gateway.upstreams import Call, Model, Upstream
from gateway.upstreams.providers import Providers, Target, falls_back

if TYPE_CHECKING:
    from gateway.config import Limits

Json = dict[str, Any]

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
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._providers = providers
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._sleep = sleep

    async def run(self, turn: Turn, sink: Sink) -> None:
        """Run one turn and put its answer into the sink.

        Raises GatewayError while nothing was committed; a later failure is told inside the stream.
        """
        try:
            target = await self._providers.choose(turn.model)
            await self._run_somewhere(turn, target, sink)
        except GatewayError as error:
            turn.facts["error"] = error.code
            raise
        finally:
            self._record(turn)

    async def models(self) -> list[Model]:
        """Current models of all upstreams, hidden ones included, and the operator's aliases."""
        return await self._providers.models()

    async def model(self, name: str) -> Model | None:
        """One model by any name a request may give it: its own, an alias, or one with an effort behind it."""
        return await self._providers.model(name)

    async def check(self) -> None:
        """Raises a GatewayError when turns cannot be run now."""
        await self._providers.check()

    # choose ---------------------------------------------------------------------------------------------------------

    async def _run_somewhere(self, turn: Turn, target: Target, sink: Sink) -> None:
        """On the target, else on those that the operator wants tried after it, while the client has seen no byte.

        Raises the first target's error when all fail: it is the one that the client asked for.
        """
        try:
            await self._run_on(target, turn, sink)
        except GatewayError as error:
            if sink.committed or not falls_back(error):
                raise
            for other in await self._providers.after(target):
                try:
                    await self._run_on(other, turn, sink, fallback=True)
                except GatewayError:
                    if sink.committed:
                        raise
                else:
                    return
            raise

    async def _run_on(self, target: Target, turn: Turn, sink: Sink, *, fallback: bool = False) -> None:
        turn.facts.update(model=target.model, upstream=target.provider.upstream.name, dialect=turn.dialect.name)
        plan = await make_plan(turn, target)
        if fallback:
            plan.headers["x-gateway-upstream"] = target.provider.name
        await self._call(turn, target.provider.upstream, plan, sink)

    # call -----------------------------------------------------------------------------------------------------------

    async def _call(self, turn: Turn, upstream: Upstream, plan: Plan, sink: Sink) -> None:
        """Attempts, until one has answered or nothing more can help; none once the client has seen a byte."""
        retries = repairs = 0
        while True:
            attempt = Attempt(upstream, self._limits, self._metrics, now=self._clock())
            call = Call(plan.route, plan.body, plan.stream, turn.request_id, plan.session_id)
            try:
                await attempt.run(turn, plan, sink, call)
            except GatewayError as error:
                turn.facts["attempt_failed"] = error.code
                if sink.committed:
                    raise
                mended = upstream.repair(plan.document, error) if plan.document and repairs < REPAIRS else None
                if mended is not None:
                    plan.repaired(mended)
                    repairs += 1
                    continue
                delay = upstream.delay(retries + 1, error)
                if delay is None:
                    raise in_client_words(plan.exchange, error) from error.__cause__
                retries += 1
                self._metrics.retried(upstream.name)
                await self._sleep(delay)
            else:
                return

    # record ---------------------------------------------------------------------------------------------------------

    def _record(self, turn: Turn) -> None:
        usage = turn.facts.pop("usage", None)
        if usage:
            self._metrics.tokens(usage)
            turn.facts["tokens"] = token_counts(usage)
