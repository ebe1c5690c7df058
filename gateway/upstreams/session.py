"""Which conversation a request belongs to, as far as prompt caching needs to know.

The Codex backend finds cached prompts by its `session-id` header, which must equal the body's `prompt_cache_key` and
stay the same for a whole conversation: never one per request, never one per account (codex-upstream §5.2).
Conversations that begin alike share an id. That is good for a cache and the reason why nothing else may hang on it.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Any

from gateway.core import json
from gateway.upstreams import Hints

Json = dict[str, Any]

_HEADER_SAFE = re.compile(r"[!-~]{1,64}")
"""Printable ASCII, and no longer than the backend's limit of a cache key."""


def session_id(body: Json, hints: Hints) -> str:
    """The client's own `prompt_cache_key`, else the id it sent in a header, else one made of how the talk begins.

    An id that no header can carry is replaced by a UUID that stands for it.
    """
    named = body.get("prompt_cache_key") or hints.session_id
    if isinstance(named, str) and named:
        return named if _HEADER_SAFE.fullmatch(named) else _digest(["named", named])
    return _digest(["begins", hints.owner, body.get("model"), body.get("instructions"), _first_words(body)])


def _first_words(body: Json) -> Any:
    """The content of the first user message, which stays while the conversation grows."""
    for item in body.get("input", []):
        if isinstance(item, dict) and item.get("role") == "user":
            return item.get("content")
    return None


def _digest(parts: list[Any]) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(json.dumps(parts)).digest()[:16], version=5))
