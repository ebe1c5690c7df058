"""A JSON object's text with another value of one key, or with more keys, and not one other byte changed. Pure."""

from __future__ import annotations

import re
from typing import Any

from gateway.core import json

Json = dict[str, Any]

_TOKENS = re.compile(
    rb'(?P<text>"[^"\\]*(?:\\.[^"\\]*)*")(?P<colon>\s*:\s*)?|(?P<open>[{\[])|(?P<close>[}\]])', re.DOTALL
)
"""Strings, and what nests. Everything else is skipped by the search."""

_WHITE = b" \t\r\n"
"""What JSON takes for white space."""


def replace_text(body: bytes, key: str, value: str) -> bytes:
    """The body with `value` in place of the string that `key` has at the top. Of keys that repeat, the last counts.

    `body` is valid JSON, an object, and its last `key` holds a string; otherwise it comes back as it is.
    """
    found: tuple[int, int] | None = None
    depth = 0
    after = -1  # where a value of the key must begin
    for token in _TOKENS.finditer(body):
        if token["open"]:
            depth += 1
        elif token["close"]:
            depth -= 1
        elif depth == 1:
            if token["colon"]:
                after = token.end() if json.loads(token["text"]) == key else -1
            elif token.start() == after:
                found = token.span("text")
    if found is None:
        return body
    return body[: found[0]] + json.dumps(value) + body[found[1] :]


def add_fields(body: bytes, fields: Json) -> bytes:
    """The body with more fields at its end; the same object when there are none.

    `body` is valid JSON, an object that is not empty and has none of these keys.
    """
    if not fields:
        return body
    text = memoryview(body.rstrip(_WHITE))[:-1]
    return b"".join([text, b",", json.dumps(fields)[1:]])
