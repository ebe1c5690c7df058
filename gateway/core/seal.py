"""Texts of the gateway's own making in `encrypted_content`, the one field that every client sends back untouched.

OpenAI's content there is a secret of OpenAI's. Ours is the text itself under a mark: it tells its owner nothing new,
and has to be readable after a restart and by every process.
"""

from __future__ import annotations

import base64

SUMMARY = "gateway-summary."
REASONING = "gateway-reasoning."


def sealed(mark: str, text: str) -> str:
    """The `encrypted_content` for a text of this kind."""
    return mark + base64.urlsafe_b64encode(text.encode("utf-8", "replace")).decode()


def opened(mark: str, content: object) -> str | None:
    """The text; None for content of others and of another kind, and for what somebody has damaged."""
    if not is_ours(mark, content):
        return None
    try:
        return base64.b64decode(str(content).removeprefix(mark).encode(), b"-_", validate=True).decode()
    except ValueError:
        return None


def is_ours(mark: str, content: object) -> bool:
    """Whether this content bears the mark."""
    return isinstance(content, str) and content.startswith(mark)
