"""One attempt at a turn: open the upstream call, read its answer, hand it on."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from gateway.core import json
from gateway.core.failures import failure
from gateway.core.frames import Frame
from gateway.core.redact import Redaction
from gateway.core.repair import Repair
from gateway.core.response import complete_response
from gateway.dialects import Inlet, Outbound
from gateway.engine.channel import NativeChannel, TranslatedChannel, early_failure, truncated
from gateway.engine.metrics import Metrics
from gateway.engine.pump import Pump, drain, pass_whole
from gateway.engine.turn import Record, Sink, Turn
from gateway.engine.way import Aside, KeptWay, PassingWay, Source, TranslatedWay, Way
from gateway.errors import GatewayError, UpstreamError, UpstreamFault
from gateway.upstreams import Answer, Call, Upstream
from gateway.wire.sse import SSEReader

if TYPE_CHECKING:
    from gateway.config import Limits
    from gateway.engine.plan import Plan

Json = dict[str, Any]

DRAIN_SECONDS = 0.5
DRAIN_BYTES = 64 * 1024
"""After its terminal event a stream has a few bytes left; reading them lets the connection be used again."""

_RELAYED_PREFIXES = ("x-ratelimit-", "openai-", "x-simulated")
_PRIVATE = frozenset({"openai-organization", "openai-project"})


class Attempt:
    """One upstream call and the relay of its answer."""

    __slots__ = ("_limits", "_metrics", "_now", "_redaction", "_upstream")

    def __init__(self, upstream: Upstream, limits: Limits, metrics: Metrics, *, now: float) -> None:
        self._upstream = upstream
        self._limits = limits
        self._metrics = metrics
        self._now = now

    def run(self, turn: Turn, plan: Plan, sink: Sink, call: Call) -> Awaitable[None]:
        """Raises GatewayError for every failure that the client has not been told of.

        The request is let go of as soon as it cannot be sent again: from then on `turn`, `plan` and `call` have none.
        """
        if "attempt_failed" not in turn.facts:  # the wait before a retry is not the gateway's own time
            self._metrics.added(time.perf_counter() - turn.started)
        if not call.stream:
            return self._relay_whole(turn, plan, sink, call)
        self._redaction = Redaction()
        """Knows what the call was made with as soon as it was made: until then a login may be refreshed."""
        folded = plan.relay is None and plan.exchange is not None and not plan.exchange.request.stream
        return self._relay_folded(turn, plan, sink, call) if folded else self._relay_stream(turn, plan, sink, call)

    async def _relay_whole(self, turn: Turn, plan: Plan, sink: Sink, call: Call) -> None:
        try:
            answer = await self._upstream.open(call)
        except GatewayError as error:
            raise self._refused(turn, error) from error.__cause__
        self._answered(turn, answer)
        body = answer.whole()
        if body is not None:
            await self._relay_document(turn, plan, sink, answer, body)
            return
        try:
            await self._relay_document(turn, plan, sink, answer, await answer.read())
        finally:
            await answer.aclose()

    async def _relay_folded(self, turn: Turn, plan: Plan, sink: Sink, call: Call) -> None:
        answer = await self._open(turn, call)
        try:
            await self._fold(turn, plan, sink, answer)
        finally:
            await answer.aclose()

    async def _open(self, turn: Turn, call: Call) -> Answer:
        """The upstream's stream, to be closed: its connection is given back, or ended if it was not read to its end.

        Raises the GatewayError that the upstream answered with, redacted.
        """
        try:
            answer = await self._upstream.open(call)
        except GatewayError as error:
            raise self._refused(turn, error) from error.__cause__
        self._redaction.know(self._upstream.secrets())
        self._answered(turn, answer)
        return answer

    def _answered(self, turn: Turn, answer: Answer) -> None:
        self._metrics.upstream_answer(self._upstream.name, answer.status)
        turn.facts["upstream_status"] = answer.status

    def _refused(self, turn: Turn, error: GatewayError) -> GatewayError:
        answered = error.answered if isinstance(error, UpstreamFault) else 0
        self._metrics.upstream_answer(self._upstream.name, answered)
        if answered:
            turn.facts["upstream_status"] = answered
        return Redaction(self._upstream.secrets()).error(error)

    # JSON from upstream ---------------------------------------------------------------------------------------------

    def _relay_document(self, turn: Turn, plan: Plan, sink: Sink, answer: Answer, body: bytes) -> Awaitable[None]:
        document = _readable(body)
        turn.facts["usage"] = document.get("usage")
        if plan.relay is not None:
            _check_answered(document, self._now)
            if turn.record is not None:
                return self._keep_relayed(turn, plan, sink, document, answer)
        elif plan.exchange is not None:
            if not plan.relayed or (turn.record is not None and "output" in document):
                if plan.outbound is not None:
                    document = plan.outbound.response(document, seed=turn.request_id, created=int(self._now))
                    turn.facts["usage"] = document.get("usage")
                return self._send_response(turn, plan, sink, document, answer)
            if document.get("object") == "response":
                whole = complete_response(document)
                body = body if whole is document else json.dumps(whole)
        return sink.document(body, {**_relayed_headers(answer), **plan.headers})

    async def _keep_relayed(self, turn: Turn, plan: Plan, sink: Sink, document: Json, answer: Answer) -> None:
        """Keep an answer that passes as it is: what it says in the inner language, under our id for it."""
        assert plan.exchange is not None
        assert plan.outbound is not None
        assert turn.record is not None
        response = plan.outbound.response(document, seed=turn.request_id, created=int(self._now))
        await turn.record.ended(plan.exchange, {**response, "id": plan.answer_id})
        body = json.dumps({**document, "id": plan.answer_id})
        await sink.document(body, {**_relayed_headers(answer), **plan.headers})

    async def _send_response(self, turn: Turn, plan: Plan, sink: Sink, document: Json, answer: Answer) -> None:
        assert plan.exchange is not None
        response = complete_response({**document, "id": turn.response_id} if turn.response_id else document)
        if response.get("status") in ("failed", "cancelled"):
            raise failure(response.get("error"), now=self._now)
        plan.told(response)
        if turn.record is not None:
            await turn.record.ended(plan.exchange, response)
        body = plan.exchange.encode_response(response)
        await sink.document(body, {**_relayed_headers(answer), **plan.headers})

    # SSE from upstream, JSON to the client ----------------------------------------------------------------------------

    async def _fold(self, turn: Turn, plan: Plan, sink: Sink, answer: Answer) -> None:
        """Read the stream to its terminal event, and answer with the one finished object."""
        repair = self._repair(turn, plan)
        if turn.record is not None:
            assert plan.exchange is not None
            turn.record.watch(plan.exchange, repair, None)
        source = self._source(turn, plan)
        if not _is_stream(answer):
            raise await self._told_instead(answer)
        chunks = answer.chunks()
        async for chunk in chunks:
            self._fold_frames(repair, source.feed(chunk))
            if repair.terminal is not None:
                break
        else:
            self._fold_frames(repair, source.finish())
        if repair.terminal is None:
            raise truncated()
        response = repair.fold.response()
        turn.facts["usage"] = response.get("usage")
        await self._send_response(turn, plan, sink, response, answer)
        if not answer.over:
            await drain(chunks)

    def _fold_frames(self, repair: Repair, frames: Sequence[Frame]) -> None:
        for frame in frames:
            if frame.type == "error" and repair.terminal is None and (error := early_failure(frame, self._now)):
                raise error
        repair.feed(frames)

    def _repair(self, turn: Turn, plan: Plan, response_id: str = "") -> Repair:
        return Repair(
            seed=turn.request_id,
            created=int(self._now),
            model=str(turn.facts.get("model") or ""),
            trusted=self._upstream.trusted or plan.outbound is not None,  # what we translated ourselves is in order
            open_item_bytes=self._limits.open_item_bytes,
            response_id=response_id or turn.response_id,
        )

    def _reader(self) -> SSEReader:
        return SSEReader(self._limits.event_bytes)

    def _inlet(self, turn: Turn, outbound: Outbound) -> Inlet:
        return outbound.inlet(seed=turn.request_id, created=int(self._now), open_bytes=self._limits.open_item_bytes)

    def _source(self, turn: Turn, plan: Plan) -> Source:
        inlet = self._inlet(turn, plan.outbound) if plan.outbound is not None and plan.relay is None else None
        return Source(self._reader(), self._redaction, inlet, gathered=plan.relay is None and inlet is None)

    # SSE from upstream, SSE to the client -----------------------------------------------------------------------------

    async def _relay_stream(self, turn: Turn, plan: Plan, sink: Sink, call: Call) -> None:
        way = self._way(turn, plan, sink)
        call.join = way.join
        sink.stream(plan.headers, way.channel)  # a client does not wait in silence for a slow head either
        self._metrics.stream_opened()
        try:
            answer = await self._open(turn, call)
            try:
                sink.stream({**_relayed_headers(answer), **plan.headers}, way.channel)
                if not _is_stream(answer):
                    raise await self._told_instead(answer)
                whole = answer.whole()
                if whole is not None:
                    await pass_whole(whole, way, sink)
                    return
                pump = Pump(way, sink)
                chunks = answer.chunks(pump.take if sink.offers else None)
                await pump.run(chunks, partial(_forget, turn, plan, call))
                if way.channel.ended and not answer.over:
                    await drain(chunks)
            finally:
                await answer.aclose()
        except GatewayError as error:
            if not sink.committed:
                raise
            turn.facts["error"] = error.code
            await sink.finish(await way.fail(error))
        finally:
            self._metrics.stream_closed()
            turn.facts["usage"] = way.channel.usage
            if failed := way.channel.failed:
                turn.facts.setdefault("error", failed)

    def _way(self, turn: Turn, plan: Plan, sink: Sink) -> Way:
        if plan.relay is None:
            assert plan.exchange is not None
            encoder = plan.exchange.stream_encoder(int(self._now))
            channel = TranslatedChannel(self._repair(turn, plan), encoder, self._now)
            return TranslatedWay(turn, plan, channel, self._source(turn, plan), sink)
        native = NativeChannel(plan.relay, self._now)
        if turn.record is None:
            return PassingWay(native, self._reader(), self._redaction, sink)
        return KeptWay(native, self._source(turn, plan), sink, self._aside(turn, turn.record, plan))

    def _aside(self, turn: Turn, record: Record, plan: Plan) -> Aside:
        assert plan.exchange is not None
        assert plan.outbound is not None
        repair = self._repair(turn, plan, response_id=plan.answer_id)
        return Aside(record, plan.exchange, self._inlet(turn, plan.outbound), repair, plan.answer_id)

    async def _told_instead(self, answer: Answer) -> GatewayError:
        """Of a server that answered with a document instead of a stream: its error, or a complaint."""
        document = _readable(await answer.read())
        if error := document.get("error"):
            return failure(error if isinstance(error, dict) else {"message": str(error)}, now=self._now)
        return UpstreamError("The upstream answered a stream request with a document.")


def _is_stream(answer: Answer) -> bool:
    kind = answer.headers.get("content-type", "")
    return "json" not in kind and "html" not in kind


def _forget(turn: Turn, plan: Plan, call: Call) -> None:
    """Let go of a request that will not be sent again, since its client has bytes of the answer."""
    turn.body = plan.body = call.body = b""
    turn.document = {}
    plan.document = None


def _readable(body: bytes) -> Json:
    try:
        document = json.loads_served(body)
    except ValueError as error:
        raise UpstreamError("The upstream's answer is not JSON.", detail=repr(body[:200])) from error
    if not isinstance(document, dict):
        raise UpstreamError("The upstream's answer is not a JSON object.")
    return document


def _check_answered(document: Json, now: float) -> None:
    """Some servers tell a failure with status 200. Raises the GatewayError it is."""
    error = document.get("error")
    if error or document.get("object") == "error":
        told = error if isinstance(error, dict) else {"message": str(error or document.get("message") or "")}
        raise failure(told, now=now)
    if not document.get("choices"):
        raise UpstreamError("The upstream's answer has no choices.")


def _relayed_headers(answer: Answer) -> dict[str, str]:
    headers = answer.headers
    names = _relayed_names(tuple(headers))
    return {name: headers[name] for name in names} if names else {}


@lru_cache(maxsize=64)
def _relayed_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of an answer that are relayed. Answers of one server have the same, in the same order."""
    return tuple(name for name in names if name.startswith(_RELAYED_PREFIXES) and name not in _PRIVATE)
