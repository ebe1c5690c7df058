"""`POST /v1/responses/input_tokens`: what a request would cost to read, without running it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from gateway.dialects.responses.tokens import Estimate, InputTokens
from gateway.engine.engine import Engine
from gateway.engine.turn import Hints, Turn
from gateway.errors import GatewayError, UpstreamFault
from gateway.surfaces import reply
from gateway.surfaces.headers import by_name
from gateway.surfaces.middleware.body import parse_body, read_body
from gateway.surfaces.openai import session_id
from gateway.surfaces.reply import Reply

if TYPE_CHECKING:
    from gateway.config import Limits

Json = dict[str, Any]

_NO_SUCH_ROUTE = frozenset({404, 405, 501})


class InputTokensEndpoint:
    """Asks the upstream for the count, and makes an estimate where the upstream has none."""

    methods = ("POST",)

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["state"]
        state["facts"]["surface"] = "responses"
        body = await read_body(scope, receive, self._limits)
        document, body = parse_body(body if body.strip() else b"{}", self._limits.json_depth)
        turn = Turn(
            dialect=InputTokens(),
            body=body,
            document=document,
            request_id=state["request_id"],
            hints=Hints(session_id=session_id(by_name(scope)), owner=state.get("owner", "operator")),
            facts=state["facts"],
        )
        await reply.answer(scope, receive, send, self._limits, partial(self._run, turn))

    async def _run(self, turn: Turn, sink: Reply) -> None:
        try:
            await self._engine.run(turn, sink)
        except GatewayError as error:
            if not _lacks_route(error):
                raise
            for name in ("error", "attempt_failed"):
                turn.facts.pop(name, None)
            turn.dialect = Estimate()
            await self._engine.run(turn, sink)


def _lacks_route(error: GatewayError) -> bool:
    """Whether the upstream cannot count at all. A 404 with a field or a code is about the request: a model, an item."""
    status = error.answered if isinstance(error, UpstreamFault) else error.status
    return status in _NO_SUCH_ROUTE and error.param is None and error.code != "model_not_found"
