"""`POST /v1/responses/compact`: a long history in, a short one out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from gateway.core import json
from gateway.dialects.responses.compact import Compact, Summary
from gateway.engine.engine import Engine
from gateway.engine.turn import Hints, Sink, Turn
from gateway.errors import GatewayError, UpstreamFault
from gateway.surfaces import reply
from gateway.surfaces.headers import by_name
from gateway.surfaces.middleware.body import parse_body, read_body
from gateway.surfaces.openai import once_key, session_id
from gateway.surfaces.reply import Reply

if TYPE_CHECKING:
    from gateway.config import Limits

Json = dict[str, Any]

_NO_SUCH_ROUTE = frozenset({404, 405, 501})


class CompactEndpoint:
    """Asks the upstream for the compaction, and makes it where the upstream has none."""

    methods = ("POST",)

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["state"]
        state["facts"]["surface"] = "responses"
        document, body = parse_body(await read_body(scope, receive, self._limits), self._limits.json_depth)
        if document.pop("stream", None) is not None:  # it is answered in one piece, whatever clients send along
            body = json.dumps(document)
        turn = Turn(
            dialect=Compact(seed=state["request_id"], created=int(time.time())),
            body=body,
            document=document,
            request_id=state["request_id"],
            hints=Hints(session_id=session_id(by_name(scope)), owner=state.get("owner", "operator")),
            facts=state["facts"],
            once=once_key(by_name(scope)),
        )

        async def run(sink: Reply) -> None:
            await self._engine.run_once(turn, sink, self._run)

        await reply.answer(scope, receive, send, self._limits, run)

    async def _run(self, turn: Turn, sink: Sink) -> None:
        try:
            await self._engine.run(turn, sink)
        except GatewayError as error:
            status = error.answered if isinstance(error, UpstreamFault) else error.status
            summarisable = status in _NO_SUCH_ROUTE or error.code == "oauth_unavailable"
            if sink.committed or not summarisable or error.code == "model_not_found":
                raise
            for name in ("error", "attempt_failed"):
                turn.facts.pop(name, None)
            turn.facts["summarised"] = True
            turn.dialect = Summary(seed=turn.request_id, created=int(time.time()))
            await self._engine.run(turn, sink)
