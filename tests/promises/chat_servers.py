"""What is promised of: chat-only upstreams."""

from __future__ import annotations

from tests.promises import Promise

CHAT_SERVERS: dict[str, Promise] = {}
