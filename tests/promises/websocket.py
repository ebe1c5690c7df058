"""What is promised of: Responses over WebSocket."""

from __future__ import annotations

from tests.promises import Promise

WEBSOCKET: dict[str, Promise] = {}
