"""`GET /v1/responses` as a WebSocket: the handshake, and how many connections there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send

from gateway.engine.engine import Engine
from gateway.engine.turn import Hints
from gateway.surfaces.headers import by_name
from gateway.surfaces.middleware.sockets import KEY_PROTOCOL
from gateway.surfaces.openai import session_id
from gateway.surfaces.websocket.connection import Connection
from gateway.surfaces.websocket.events import ConnectionsFull
from gateway.surfaces.websocket.journal import Journal

if TYPE_CHECKING:
    from gateway.config import Limits


class WebSocketEndpoint:
    """Accepts connections and serves each until it ends."""

    def __init__(self, engine: Engine, limits: Limits, journal: Journal) -> None:
        self._engine = engine
        self._limits = limits
        self._journal = journal
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ConnectionsFull before the handshake is answered."""
        scope["state"]["facts"]["surface"] = "responses"
        if self._open >= self._limits.websocket_connections:
            raise ConnectionsFull(
                f"{self._open} WebSockets are open (limits.websocket_connections). Use POST, or try again.",
                headers={"Retry-After": "5"},
            )
        await receive()  # websocket.connect
        self._open += 1
        try:
            with self._journal.connection():
                await send({"type": "websocket.accept", "subprotocol": _subprotocol(scope), "headers": []})
                await self._connection(scope, receive, send).serve()
        finally:
            self._open -= 1

    def _connection(self, scope: Scope, receive: Receive, send: Send) -> Connection:
        return Connection(
            scope,
            receive,
            send,
            engine=self._engine,
            limits=self._limits,
            journal=self._journal,
            hints=Hints(session_id=session_id(by_name(scope)), owner=scope["state"].get("owner", "operator")),
        )


def _subprotocol(scope: Scope) -> str | None:
    """The first one offered: browsers drop a connection that answers none of theirs. Never the one that is a key."""
    offered: list[str] = scope.get("subprotocols", [])
    return next((name for name in offered if not name.startswith(KEY_PROTOCOL)), None)
