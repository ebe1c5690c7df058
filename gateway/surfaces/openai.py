"""The OpenAI surface: chat completions, responses, models."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from gateway.core import json
from gateway.dialects import Dialect
from gateway.engine.engine import Engine
from gateway.engine.turn import Hints, Model, Turn
from gateway.errors import InvalidRequest, ModelNotFound
from gateway.surfaces import reply
from gateway.surfaces.middleware.body import body_at_hand, parse_body, read_body

if TYPE_CHECKING:
    from gateway.config import Limits

Json = dict[str, Any]

SESSION_HEADERS = (b"session-id", b"session_id", b"x-session-id", b"conversation_id", b"x-session-affinity")
"""Headers in which programs name their conversation, best first; a hint for prompt caching, never for state."""

_SESSION = frozenset(SESSION_HEADERS)

LONGEST_KEY = 255
"""Characters of an Idempotency-Key."""


class RunEndpoint:
    """POST of a dialect: one body, one run."""

    methods = ("POST",)

    def __init__(self, engine: Engine, dialect: Dialect, limits: Limits, *, may_be_empty: bool = False) -> None:
        self._engine = engine
        self._dialect = dialect
        self._limits = limits
        self._may_be_empty = may_be_empty

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        scope["state"]["facts"]["surface"] = self._dialect.name
        body = body_at_hand(scope, self._limits)
        if body is None:
            return self._read(scope, receive, send)
        return self._answer(scope, receive, send, body)

    async def _read(self, scope: Scope, receive: Receive, send: Send) -> None:
        # No name here for the body: the turn has it, and lets go of it as soon as nobody needs it any more.
        await self._answer(scope, receive, send, await read_body(scope, receive, self._limits))

    def _answer(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> Awaitable[None]:
        document: Json = {}
        if not self._may_be_empty or body.strip():
            document, body = parse_body(body, self._limits.json_depth)
        state = scope["state"]
        headers = state["headers"]  # which the reader of the body has asked for
        owner = state.get("owner", "operator")
        hints = _nameless(owner) if _SESSION.isdisjoint(headers) else Hints(session_id(headers), owner)
        # By position: names would cost a dict.
        turn = Turn(self._dialect, body, document, state["request_id"], hints, state["facts"])
        if b"idempotency-key" in headers:
            turn.once = once_key(headers)
        return reply.answer(scope, receive, send, self._limits, partial(self._engine.run, turn))


class ModelsEndpoint:
    """GET of the model list, or of one model."""

    methods = ("GET", "HEAD")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["facts"]["surface"] = "models"
        name = scope.get("path_params", {}).get("model")
        if name is None:
            shown = [_row(model) for model in await self._engine.models() if not model.hidden]
            await _send_json(send, {"object": "list", "data": shown})
            return
        model = await self._engine.model(name)
        if model is None:
            known = ", ".join(model.id for model in await self._engine.models() if not model.hidden)
            raise ModelNotFound(f"The model {name!r} does not exist here. Current models: {known}.", param="model")
        await _send_json(send, _row(model))


def _row(model: Model) -> Json:
    if model.document is not None:
        return model.document
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owned_by}


@lru_cache(maxsize=16)
def _nameless(owner: str) -> Hints:
    """Of a conversation that no header names."""
    return Hints(owner=owner)


def session_id(headers: Mapping[bytes, bytes]) -> str:
    """The id by which a program names its conversation in a header; "" when it does not."""
    for name in SESSION_HEADERS:
        if value := headers.get(name):
            return value.decode("latin-1")
    return ""


def once_key(headers: Mapping[bytes, bytes]) -> str:
    """The Idempotency-Key; "" without one. Raises InvalidRequest for one that cannot be a key."""
    key = headers.get(b"idempotency-key", b"").decode("latin-1").strip()
    if len(key) > LONGEST_KEY or not key.isprintable():
        message = f"Idempotency-Key must be up to {LONGEST_KEY} printable characters."
        raise InvalidRequest(message, param="Idempotency-Key")
    return key


async def _send_json(send: Send, document: Json) -> None:
    body = json.dumps(document)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
