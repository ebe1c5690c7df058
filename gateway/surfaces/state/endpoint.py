"""One path of the state routes: which handler takes a method, and what the handler sees of the request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from gateway.core import json
from gateway.surfaces.middleware.body import parse_json, read_body
from gateway.surfaces.state.lists import Query

if TYPE_CHECKING:
    from gateway.config import Limits

Json = dict[str, Any]


class Asked:
    """A request for rows of one owner."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.limits = limits
        self.owner: str = scope["state"]["owner"]
        self.query = Query(scope["query_string"])

    def name(self, kind: str) -> str:
        """The id of this kind in the path, as the client knows it."""
        name: str = self.scope["path_params"][kind]
        return name

    async def body(self, *, may_be_empty: bool = False) -> Json:
        """The JSON object that was sent. Raises InvalidRequest and what `read_body` raises."""
        body = await read_body(self.scope, self.receive, self.limits)
        if may_be_empty and not body.strip():
            return {}
        return parse_json(body, self.limits.json_depth)

    async def answer(self, document: Json, headers: Mapping[str, str] | None = None) -> None:
        """Send a JSON answer with status 200."""
        body = json.dumps(document)
        told = {"content-type": "application/json", **(headers or {}), "content-length": str(len(body))}
        raw = [(name.encode(), value.encode()) for name, value in told.items()]
        await self.send({"type": "http.response.start", "status": 200, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})


Handler = Callable[[Asked], Awaitable[None]]


class StateEndpoint:
    """An `Endpoint`: a handler for each method. `surface`: as logs call it."""

    def __init__(self, surface: str, limits: Limits, handlers: Mapping[str, Handler]) -> None:
        self.methods = tuple(handlers)
        self._surface = surface
        self._limits = limits
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["facts"]["surface"] = self._surface
        await self._handlers[scope["method"]](Asked(scope, receive, send, self._limits))
