"""The engine: one obvious path for a request that runs a model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gateway.core import json
from gateway.dialects import Choices, Exchange, Relay
from gateway.engine.attempt import Attempt
from gateway.engine.metrics import Metrics, token_counts
from gateway.engine.turn import Sink, Turn
from gateway.errors import GatewayError, InvalidRequest, UpstreamRefusal
from gateway.upstreams import Call, Model, Route, Upstream
from gateway.upstreams.catalogue import looks_suffixed, resolve

if TYPE_CHECKING:
    from gateway.config import Limits

Json = dict[str, Any]

REPAIRS = 3
"""How often one turn's body may be repaired after a refusal: unsupported field, encrypted reasoning, history."""


@dataclass(slots=True)
class Plan:
    """What the `choose` step decided: how to call, and how to turn the answer into the client's dialect.

    Exactly one of `exchange` (translated, or inner to inner) and `relay` (native chunks) is set. `document` is the body
    as a document when it may be repaired, None when it is the client's own. `relayed`: the upstream speaks the client's
    dialect, so its documents pass as they are.
    """

    route: Route
    stream: bool
    body: bytes
    session_id: str
    exchange: Exchange | None = None
    relay: Relay | None = None
    document: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)
    relayed: bool = False


class Engine:
    """Runs turns on one upstream."""

    def __init__(
        self,
        upstream: Upstream,
        *,
        choices: Choices,
        aliases: Mapping[str, str],
        limits: Limits,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._upstream = upstream
        self._choices = choices
        self._aliases = dict(aliases)
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._sleep = sleep

    async def run(self, turn: Turn, sink: Sink) -> None:
        """Run one turn and put its answer into the sink.

        Raises GatewayError while nothing was committed; a later failure is told inside the stream.
        """
        try:
            plan = await self._choose(turn)
            await self._call(turn, plan, sink)
        except GatewayError as error:
            turn.facts["error"] = error.code
            raise
        finally:
            self._record(turn)

    async def models(self) -> list[Model]:
        """Current models of the upstream, hidden ones included, and the operator's aliases."""
        models = await self._upstream.models()
        taken = {model.id for model in models}
        return [*models, *(Model(alias, owned_by="codex-gateway") for alias in self._aliases if alias not in taken)]

    async def model(self, name: str) -> Model | None:
        """One model by any name a request may give it: its own, an alias, or one with an effort behind it."""
        models = await self.models()
        slug, _ = resolve(name, models, self._aliases)
        found = next((model for model in models if model.id == slug), None)
        if found is None or slug == name:
            return found
        return replace(found, id=name, document=found.document and {**found.document, "id": name})

    async def check(self) -> None:
        """Raises a GatewayError when turns cannot be run now."""
        await self._upstream.check()

    # choose ---------------------------------------------------------------------------------------------------------

    async def _choose(self, turn: Turn) -> Plan:
        """Admit the body in its dialect, settle the model, and decide between relay and translation."""
        name = turn.document.get("model")
        model, effort = await self._resolve(name) if isinstance(name, str) else (None, None)
        turn.facts.update(model=model, upstream=self._upstream.name, dialect=turn.dialect.name)
        if turn.dialect.name in self._upstream.native and effort is None:
            plan = self._relay_plan(turn, model if model != name else None)
            if plan is not None:
                return plan
        return await self._translation_plan(turn)

    async def _resolve(self, name: str) -> tuple[str, str | None]:
        """The upstream's slug and the effort that aliases and suffixes of a model name stand for."""
        known = self._aliases.get(name, name)
        if not looks_suffixed(known):
            return known, None
        return resolve(name, await self._upstream.models(), self._aliases)

    def _relay_plan(self, turn: Turn, renamed: str | None) -> Plan | None:
        relayed = turn.dialect.relay(turn.document, renamed)
        if relayed is None:
            return None
        return Plan(
            route="chat" if relayed.relay is not None else "responses",
            stream=turn.document.get("stream") is True,
            body=turn.body if relayed.body is None else json.dumps(relayed.body),
            session_id=turn.hints.session_id,
            exchange=relayed.exchange,
            relay=relayed.relay,
            relayed=True,
        )

    async def _translation_plan(self, turn: Turn) -> Plan:
        exchange = turn.dialect.decode(turn.document, self._choices)
        request = exchange.request
        if request.body.get("reasoning") or request.body.get("service_tier"):
            await self._upstream.models()  # what the model can do decides what is asked of it
        try:
            shaped = self._upstream.shape(request, turn.hints)
        except InvalidRequest as error:
            raise in_client_words(exchange, error) from None
        headers = exchange.headers()
        report(headers, [*request.dropped, *filter(None, map(exchange.client_param, shaped.dropped))])
        unchanged = shaped.body is turn.document
        return Plan(
            route="responses",
            stream=request.stream or self._upstream.streams_only,
            body=turn.body if unchanged else json.dumps(shaped.body),
            session_id=shaped.session_id,
            exchange=exchange,
            document=shaped.body,
            headers=headers,
        )

    # call -----------------------------------------------------------------------------------------------------------

    async def _call(self, turn: Turn, plan: Plan, sink: Sink) -> None:
        """Attempts, until one has answered or nothing more can help; none once the client has seen a byte."""
        retries = repairs = 0
        while True:
            attempt = Attempt(self._upstream, self._limits, self._metrics, now=self._clock())
            try:
                await attempt.run(turn, plan, sink, self._make_call(turn, plan))
            except GatewayError as error:
                turn.facts["attempt_failed"] = error.code
                if sink.committed:
                    raise
                if repairs < REPAIRS and self._repair(plan, error):
                    repairs += 1
                    continue
                delay = self._upstream.delay(retries + 1, error)
                if delay is None:
                    raise in_client_words(plan.exchange, error) from error.__cause__
                retries += 1
                self._metrics.retried(self._upstream.name)
                await self._sleep(delay)
            else:
                return

    def _make_call(self, turn: Turn, plan: Plan) -> Call:
        return Call(plan.route, plan.body, plan.stream, turn.request_id, plan.session_id)

    def _repair(self, plan: Plan, error: GatewayError) -> bool:
        if plan.document is None:
            return False
        document = self._upstream.repair(plan.document, error)
        if document is None:
            return False
        if plan.exchange is not None:
            left_out = [name for name in plan.document if name not in document]
            report(plan.headers, filter(None, map(plan.exchange.client_param, left_out)))
        plan.document, plan.body = document, json.dumps(document)
        return True

    # record ---------------------------------------------------------------------------------------------------------

    def _record(self, turn: Turn) -> None:
        usage = turn.facts.pop("usage", None)
        if usage:
            self._metrics.tokens(usage)
            turn.facts["tokens"] = token_counts(usage)


def report(headers: dict[str, str], names: Iterable[str]) -> None:
    """Tell the client which of its fields were accepted and not sent on (`x-gateway-dropped`)."""
    told = headers.get("x-gateway-dropped")
    dropped = dict.fromkeys([*(told.split(",") if told else ()), *names])
    if dropped:
        headers["x-gateway-dropped"] = ",".join(dropped)


def in_client_words(exchange: Exchange | None, error: GatewayError) -> GatewayError:
    """Name the field that a refusal is about as the client did, when it spoke of it under another name."""
    named = error.param
    if exchange is None or named is None:
        return error
    error.param = exchange.client_param(named)
    if error.param != named:
        if error.param is not None:
            error.message = error.message.replace(f"'{named}'", f"'{error.param}'")
        if isinstance(error, UpstreamRefusal):
            error.body = None
    return error
