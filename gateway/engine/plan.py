"""The `choose` step: relay or translate, and what exactly to send."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gateway.core import json
from gateway.dialects import Exchange, Outbound, Relay
from gateway.engine.turn import Turn
from gateway.errors import GatewayError, InvalidRequest, UpstreamRefusal
from gateway.upstreams import Route
from gateway.upstreams.providers import Target

Json = dict[str, Any]

_ROUTES: dict[str, Route] = {"chat": "chat", "responses": "responses", "completions": "completions"}
"""The route of an upstream that speaks a client's own dialect."""


@dataclass(slots=True)
class Plan:
    """What the `choose` step decided: how to call, and how to turn the answer into the client's dialect.

    Exactly one of `exchange` (translated, or inner to inner) and `relay` (native chunks) is set. `outbound` reads the
    answer of a server that does not speak the inner language. `document` is the body as a document when it may be
    repaired, None when it is the client's own. `relayed`: the upstream speaks the client's dialect, so its documents
    pass as they are.
    """

    route: Route
    stream: bool
    body: bytes
    session_id: str
    exchange: Exchange | None = None
    relay: Relay | None = None
    outbound: Outbound | None = None
    document: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)
    relayed: bool = False

    def repaired(self, document: Json) -> None:
        """Go on with a body from which something was taken out, and tell the client of fields that are gone."""
        if self.exchange is not None and self.document is not None:
            left_out = [name for name in self.document if name not in document]
            report(self.headers, filter(None, map(self.exchange.client_param, left_out)))
        self.document, self.body = document, json.dumps(document)


async def make_plan(turn: Turn, target: Target) -> Plan:
    """How this turn is run on this target.

    Raises InvalidRequest, UnsupportedParameter, UnsupportedValue in the client's words.
    """
    if turn.dialect.name in target.provider.upstream.native and target.effort is None:
        plan = _relay_plan(turn, target)
        if plan is not None:
            return plan
    return await _translation_plan(turn, target)


def _relay_plan(turn: Turn, target: Target) -> Plan | None:
    renamed = target.model if target.model != turn.model else None
    relayed = turn.dialect.relay(turn.document, renamed)
    if relayed is None:
        return None
    return Plan(
        route=_ROUTES[turn.dialect.name],
        stream=turn.document.get("stream") is True,
        body=turn.body if relayed.body is None else json.dumps(relayed.body),
        session_id=turn.hints.session_id,
        exchange=relayed.exchange,
        relay=relayed.relay,
        relayed=True,
    )


async def _translation_plan(turn: Turn, target: Target) -> Plan:
    upstream = target.provider.upstream
    document = turn.document if target.asked == turn.model else {**turn.document, "model": target.asked}
    exchange = turn.dialect.decode(document, target.provider.choices)
    request = exchange.request
    if request.body.get("reasoning") or request.body.get("service_tier"):
        await upstream.models()  # what the model can do decides what is asked of it
    try:
        shaped = upstream.shape(request, turn.hints)
    except InvalidRequest as error:
        raise in_client_words(exchange, error) from None
    headers = exchange.headers()
    report(headers, [*request.dropped, *filter(None, map(exchange.client_param, shaped.dropped))])
    unchanged = shaped.body is turn.document
    return Plan(
        route=shaped.route,
        stream=request.stream or upstream.streams_only,
        body=turn.body if unchanged else json.dumps(shaped.body),
        session_id=shaped.session_id,
        exchange=exchange,
        outbound=shaped.outbound,
        document=shaped.body,
        headers=headers,
    )


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
