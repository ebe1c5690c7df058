"""WebSocket handshakes as the layers see them: GET requests, which may be refused like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Scope, Send

KEY_PROTOCOL = "openai-insecure-api-key."
"""How pages in a browser, which cannot set headers, send a key: as a subprotocol (as OpenAI's realtime clients do)."""

_DENIAL = "websocket.http.response"
_POLICY = 1008


def refusing(scope: Scope, send: Send) -> Send:
    """`send` for layers that answer in HTTP: before the handshake is accepted, their answer refuses it.

    A server without the ASGI extension for that says a bare 403.
    """
    can_answer = _DENIAL in (scope.get("extensions") or {})

    async def translated(message: Message) -> None:
        kind: str = message["type"]
        if not kind.startswith("http.response."):
            await send(message)
        elif can_answer:
            await send({**message, "type": f"websocket.{kind}"})
        elif kind == "http.response.start":
            await send({"type": "websocket.close", "code": _POLICY})

    return translated


def key_of(scope: Scope) -> str:
    """The key among the subprotocols that a client offers; "" when there is none."""
    offered: list[str] = scope.get("subprotocols", [])
    return next((name[len(KEY_PROTOCOL) :] for name in offered if name.startswith(KEY_PROTOCOL)), "")
