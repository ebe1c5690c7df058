"""Ids: which ones a server may give its items, and stable ones of our own where it gave none.

Ids made here are a function of a seed, so the same stream always gets the same ids.
"""

from __future__ import annotations

import re
from hashlib import sha256

LONGEST = 64
"""Item ids longer than this are refused when a client sends them back (Codex gives ids of about 400 characters)."""

PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "web_search_call": "ws",
    "image_generation_call": "ig",
    "file_search_call": "fs",
    "code_interpreter_call": "ci",
    "computer_call": "cu",
    "mcp_call": "mcp",
    "tool_search_call": "tsc",
}
"""The prefix of an id of ours, by item type."""

_STRICT = frozenset(
    {"message", "reasoning", "function_call", "custom_tool_call", "web_search_call", "image_generation_call"}
)
"""Types whose ids are refused on replay under any other prefix."""

_LEGAL = re.compile(r"[A-Za-z0-9_-]{1,64}")


def digest(text: str) -> str:
    """64 hexadecimal digits, also for text with lone surrogates."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def derive(prefix: str, *parts: object) -> str:
    """An id of at most 64 characters that depends on nothing but its arguments: `msg_` and 40 hex digits."""
    seed = "\x1f".join(str(part) for part in parts)
    return f"{prefix}_{digest(seed)[:40]}"[:LONGEST]


def item_prefix(kind: str) -> str:
    """The id prefix of an item type; `item` for types nobody has told us about."""
    return PREFIXES.get(kind, "item")


def valid_item_id(kind: str, value: object) -> bool:
    """Whether a client can keep this id of an item of this type and send it back later (translation §4.1 point 5)."""
    if not isinstance(value, str) or _LEGAL.fullmatch(value) is None:
        return False
    return kind not in _STRICT or value.startswith(PREFIXES[kind] + "_")


def wire_call_id(call_id: str) -> str:
    """The call id as it is, or a stand-in where upstreams would refuse it (translation §1.2).

    The stand-in depends on the whole id, never on a cut of it: two long ids often begin alike. It needs no way back,
    because a call of the history is only ever matched with its own output, which gets the same stand-in.
    """
    return call_id if not call_id or _LEGAL.fullmatch(call_id) else derive("call", call_id)


def valid_id(value: object) -> bool:
    """Whether this can be the id of a response."""
    return isinstance(value, str) and _LEGAL.fullmatch(value) is not None
