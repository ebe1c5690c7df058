"""The `choose` step: relay or translate, and what exactly to send."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from gateway.core import json
from gateway.core.continuity import places
from gateway.core.request import Request
from gateway.core.splice import add_fields
from gateway.dialects import Bundle, Exchange, Joint, Outbound, Relay, Relayed
from gateway.engine.continuity import Continuity
from gateway.engine.turn import Turn
from gateway.errors import GatewayError, InvalidRequest, UpstreamRefusal
from gateway.upstreams import Route
from gateway.upstreams.providers import Target

Json = dict[str, Any]

Learn = Callable[[Sequence[Json]], None]

_ITEM = re.compile(r"input\[(\d+)\](.*)", re.DOTALL)

_ROUTES: dict[str, Route] = {"chat": "chat", "responses": "responses", "completions": "completions"}
"""The route of an upstream that speaks a client's own dialect."""


@dataclass(slots=True)
class Plan:
    """What the `choose` step decided: how to call, and how to turn the answer into the client's dialect.

    One of `exchange` (translated, or inner to inner) and `relay` (native chunks) is set; both, where what passes is
    also kept. `outbound` reads the answer of a server that does not speak the inner language. `document` is the body as
    a document when it may be repaired, None when it is the client's own; `kept` says where the items of its `input`
    stood in the request, () when they all still stand there. `relayed`: the upstream speaks the client's dialect, so
    its documents pass as they are. `lite`: see `upstreams.Call`. `answer_id`: what a kept answer that passes is called,
    for its server may give an id again. `learn`: see `told`.
    """

    route: Route
    stream: bool
    body: bytes
    session_id: str
    exchange: Exchange | None = None
    relay: Relay | None = None
    outbound: Outbound | None = None
    document: Json | None = None
    kept: tuple[int, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    relayed: bool = False
    lite: bool = False
    answer_id: str = ""
    learn: Learn | None = None

    def told(self, response: Json) -> None:
        """The answer has come to its end, and the client does not know it yet."""
        if self.learn is not None:
            self.learn(response.get("output") or ())

    def repaired(self, document: Json) -> None:
        """Go on with a body from which something was taken out, and tell the client of fields that are gone."""
        if self.exchange is not None and self.document is not None:
            left_out = [name for name in self.document if name not in document]
            report(self.headers, filter(None, map(self.exchange.client_param, left_out)))
            self.kept = _still_kept(self.kept, self.document.get("input"), document.get("input"))
        self.document, self.body = document, json.dumps(document)

    def in_client_words(self, error: GatewayError) -> GatewayError:
        """Name the field that the upstream refused as the client knows it: by its own name, at its own place."""
        if self.relay is not None:
            return error
        named = error.param
        if self.outbound is not None:
            error.param = self.outbound.inner_param(error.param)
        place = _ITEM.match(error.param or "")
        if place and self.kept:
            number = int(place[1])
            error.param = f"input[{self.kept[number]}]{place[2]}" if number < len(self.kept) else "input"
        return _translated(self.exchange, error, named)


@dataclass(slots=True)
class Batch:
    """The plans of a request that takes several turns, and what makes one answer of theirs."""

    plans: list[Plan]
    joint: Joint
    stream: bool
    headers: dict[str, str] = field(default_factory=dict)


def passing_plan(turn: Turn, target: Target) -> Plan | None:
    """The plan of a turn that passes in the client's own dialect and is not kept; None when more has to be asked."""
    if turn.record is not None or target.effort is not None:
        return None
    return _relay_plan(turn, target) if turn.dialect.name in target.provider.upstream.native else None


async def make_plan(turn: Turn, target: Target, continuity: Continuity) -> Plan | Batch:
    """How this turn is run on this target.

    Raises InvalidRequest, UnsupportedParameter, UnsupportedValue in the client's words.
    """
    relayed = None
    if turn.dialect.name in target.provider.upstream.native and target.effort is None:
        kept_here = turn.record is not None and not turn.dialect.continues
        relayed = _relay_plan(_unlabelled(turn) if kept_here else turn, target)
    if relayed is None:
        return await _translation_plan(turn, target, continuity)
    if turn.record is None or relayed.exchange is not None:
        return relayed
    # What is kept is kept in the inner language: the answer passes as it is, and is read beside that.
    translated = await _translation_plan(turn, target, continuity)
    if isinstance(translated, Batch) or translated.outbound is None:
        return translated
    name = f"chatcmpl-{turn.id}"
    return replace(relayed, exchange=translated.exchange, outbound=translated.outbound, answer_id=name)


def _unlabelled(turn: Turn) -> Turn:
    """The turn without metadata, which a server that keeps nothing may refuse."""
    if "metadata" not in turn.document:
        return turn
    document = {name: value for name, value in turn.document.items() if name != "metadata"}
    return replace(turn, document=document, body=json.dumps(document))


def _relay_plan(turn: Turn, target: Target) -> Plan | None:
    renamed = target.model if target.model != turn.model else None
    relayed = turn.dialect.relay(turn.document, renamed)
    if relayed is None:
        return None
    plan = Plan(  # mostly without names: each would cost
        _ROUTES[turn.dialect.name],
        turn.document.get("stream") is True,
        turn.body if relayed.body is None and not relayed.edits else _relayed_body(turn, relayed),
        turn.hints.session_id,
        relayed.exchange,
        relayed.relay,
        relayed=True,
    )
    if relayed.exchange is not None:
        request = relayed.exchange.request
        if request.counts:
            plan.route, plan.stream = "input_tokens", False
            plan.relayed = False  # what comes in the place of a count is no answer
        elif request.compact:
            plan.route = "compact"
    return plan


def _relayed_body(turn: Turn, relayed: Relayed) -> bytes:
    if relayed.body is not None:
        return json.dumps(relayed.body)
    if relayed.edits.keys().isdisjoint(turn.document):
        return add_fields(turn.body, relayed.edits)
    return json.dumps({**turn.document, **relayed.edits})


async def _translation_plan(turn: Turn, target: Target, continuity: Continuity) -> Plan | Batch:
    document = turn.document if target.model == turn.model else {**turn.document, "model": target.model}
    decoded = turn.dialect.decode(document, target.provider.choices)
    if not isinstance(decoded, Bundle):
        return await _exchange_plan(turn, target, decoded, continuity)
    plans = [await _exchange_plan(turn, target, exchange, continuity) for exchange in decoded.exchanges]
    stream = any(exchange.request.stream for exchange in decoded.exchanges)
    return Batch(plans, decoded.joint, stream, dict(decoded.headers))


async def _exchange_plan(turn: Turn, target: Target, exchange: Exchange, continuity: Continuity) -> Plan:
    upstream, request = target.provider.upstream, exchange.request
    if target.effort is not None:
        request = replace(request, body=_with_effort(request.body, target.effort))
    if target.provider.codex and (request.body.get("reasoning") or request.body.get("service_tier")):
        await upstream.models()  # what the model can do decides what is asked of it
    request, stood, learn = await _continued(turn, target, request, continuity)
    try:
        shaped = upstream.shape(request, turn.hints)
    except InvalidRequest as error:
        raise in_client_words(exchange, error) from None
    headers = exchange.headers()
    report(headers, [*request.dropped, *filter(None, map(exchange.client_param, shaped.dropped))])
    unchanged = shaped.body is turn.document
    return Plan(
        route=shaped.route,
        stream=shaped.route != "compact" and (request.stream or upstream.streams_only),
        body=turn.body if unchanged else json.dumps(shaped.body),
        session_id=shaped.session_id,
        lite=shaped.lite,
        exchange=exchange,
        outbound=shaped.outbound,
        document=shaped.body,
        kept=_composed(shaped.kept, stood),
        headers=headers,
        learn=learn,
    )


async def _continued(
    turn: Turn, target: Target, request: Request, continuity: Continuity
) -> tuple[Request, tuple[int, ...], Learn | None]:
    """The request with the reasoning that chat has no word for, where its items stood, and who learns of more."""
    origin = await target.provider.upstream.origin() if turn.dialect.name == "chat" else ""
    if not origin:
        return request, (), None
    whose = turn.hints.owner, origin, target.model
    given = request.body["input"]
    restored = continuity.restored(*whose, given)
    if restored is given:
        return request, (), partial(continuity.keep, *whose)
    changed = replace(request, body={**request.body, "input": restored})
    return changed, places(given, restored), partial(continuity.keep, *whose)


def _with_effort(body: Json, effort: str) -> Json:
    """The body with the effort that the model's name asks for, unless it says one itself."""
    asked = body.get("reasoning")
    asked = asked if isinstance(asked, dict) else {}
    return body if asked.get("effort") is not None else {**body, "reasoning": {**asked, "effort": effort}}


def report(headers: dict[str, str], names: Iterable[str]) -> None:
    """Tell the client which of its fields were accepted and not sent on (`x-gateway-dropped`)."""
    told = headers.get("x-gateway-dropped")
    dropped = dict.fromkeys([*(told.split(",") if told else ()), *names])
    if dropped:
        headers["x-gateway-dropped"] = ",".join(dropped)


def in_client_words(exchange: Exchange, error: GatewayError) -> GatewayError:
    """Name the field that the gateway itself refused as the client did, when it spoke of it under another name."""
    return _translated(exchange, error, error.param)


def _translated(exchange: Exchange | None, error: GatewayError, named: str | None) -> GatewayError:
    """`named`: the field as the message names it; `error.param` is the field of the inner request."""
    if exchange is None or named is None:
        return error
    error.param = exchange.client_param(error.param)
    if error.param != named:
        if error.param is not None:
            error.message = error.message.replace(f"'{named}'", f"'{error.param}'")
        if isinstance(error, UpstreamRefusal):
            error.body = None
    return error


def _composed(kept: tuple[int, ...], stood: tuple[int, ...]) -> tuple[int, ...]:
    """Where the kept items stood before others were put between them; () is: where they stand."""
    return tuple(stood[place] for place in kept) if kept and stood else kept or stood


def _still_kept(kept: tuple[int, ...], before: Any, after: Any) -> tuple[int, ...]:
    """Where the items of a repaired input stood in the request; mends change items or leave some out, never both."""
    if not isinstance(before, list) or not isinstance(after, list) or len(before) == len(after):
        return kept
    left = {id(item) for item in after}
    return tuple(kept[index] if kept else index for index, item in enumerate(before) if id(item) in left)
