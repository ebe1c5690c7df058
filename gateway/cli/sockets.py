"""uvicorn's WebSocket protocol, made to end in good order: uvicorn's own closes every connection when it stops."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.surfaces.websocket.connection import STOPPING

PING_SECONDS = 30.0
"""Routers and proxies forget connections that are silent for a minute."""

PONG_SECONDS = 60.0
"""Clients that read only while they wait for an answer are late with it."""


class WebSockets(WebSocketsSansIOProtocol):
    """One connection. Told to stop, it tells the app, which lets a running turn end and then closes by itself."""

    def shutdown(self) -> None:
        if self.handshake_complete and not self.close_sent:
            told: Any = {"type": STOPPING}  # between our server and our app; ASGI has no word for it
            self.queue.put_nowait(told)
        else:
            super().shutdown()
