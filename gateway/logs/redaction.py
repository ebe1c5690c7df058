"""Takes secrets out of log lines: by the name of a field, and by the shape of a text.

Names are compared without regard to case, `-` and `_`. Shapes are those of the keys and tokens the gateway meets: JSON
Web Tokens, `sk-` keys, `rt_` refresh tokens, Authorization headers, named secrets in URLs and JSON, passwords in URLs.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"

_MAX_TEXT = 16 * 1024
_MAX_DEPTH = 8

_REMEMBERED = 1024
_REMEMBERED_CHARACTERS = 128
"""How many names and texts known to be clean are kept, and the longest of them: some 200 KiB at most."""

_WORD_CHARACTERS = 24
"""What is longer and all letters and digits is an id, which no later line has, and not worth remembering."""

_SECRET_NAMES = frozenset(
    {
        "authorization",
        "code",
        "codeverifier",
        "cookie",
        "devicecode",
        "passwd",
        "password",
        "proxyauthorization",
        "proxyurl",
        "secret",
        "setcookie",
        "token",
        "usercode",
    }
)
_SECRET_ENDINGS = ("apikey", "token", "secret", "password", "verifier", "privatekey")

# A text without any of these cannot match an expression below. Most texts in a log line hold none of them.
_HINTS = (
    "eyj",
    "sk-",
    "rt_",
    "bearer",
    "basic",
    "token",
    "secret",
    "passw",
    "cookie",
    "api",
    "auth",
    "verifier",
    "code=",
    "key=",
    "state=",
    "@",
)

_NAMED = (
    r"authorization|proxy-authorization|cookie|set-cookie|password|passwd|client_secret|secret|code_verifier|"
    r"(?:x-)?api[-_]?key|downstream_api_key|(?:access|refresh|id|session|bearer)?_?token"
)

_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\beyJ[\w-]{6,}(?:\.[\w-]*){1,4}"), REDACTED),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{4,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    (re.compile(r"\bsk-[\w-]{4,}"), REDACTED),
    (re.compile(r"\brt_[\w.-]{8,}"), REDACTED),
    (re.compile(r"([?&](?:code|state|key|code_verifier)=)[^&\s\"']+"), rf"\1{REDACTED}"),
    (re.compile(r"(://)[^/\s@]+@"), rf"\1{REDACTED}@"),
    (
        # name: value, name=value, "name": "value", b'name', b'value'
        re.compile(
            rf"""((?<![\w-])(?:{_NAMED})\b\\?["']?\s*[:=,]\s*(?:b?\\?["'])?)(?!\[redacted\]|(?:bearer|basic)\s\[redacted\])"""
            r"""(?:[^\s"'\\&,;)}\]]+)""",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
)


_SCALARS = frozenset({int, float, bool, type(None)})

_clean_names: set[str] = set()
_clean_texts: set[str] = set()


def redact(line: dict[str, Any]) -> dict[str, Any]:
    """The line without secrets, at any depth. Values become plain JSON; very long texts are cut.

    A line with nothing to take out is returned as it is: so is nearly every line, and nearly all of its names and texts
    stood in an earlier one.
    """
    return line if _is_clean(line, 0) else redact_each(line)


def redact_each(line: dict[str, Any]) -> dict[str, Any]:
    """What `redact` makes of a line, with no regard to earlier ones."""
    return {name: REDACTED if is_secret(name) and value else _clean(value, 0) for name, value in line.items()}


def _is_clean(line: dict[str, Any], depth: int) -> bool:
    """Whether `redact_each` would change nothing, as far as that is quickly seen: lists are not looked into."""
    if not _clean_names.issuperset(line) and not _are_clean_names(line):
        return False
    for value in line.values():
        kind = type(value)
        if kind is str:
            if (
                value not in _clean_texts
                # Every shape has a mark or a blank in it, and an id often none.
                and not (_WORD_CHARACTERS < len(value) <= _REMEMBERED_CHARACTERS and value.isalnum())
                and not _is_clean_text(value)
            ):
                return False
        elif kind not in _SCALARS and (kind is not dict or depth or not _is_clean(value, 1)):
            return False
    return True


def _are_clean_names(line: dict[str, Any]) -> bool:
    for name in line:
        if type(name) is not str or is_secret(name):
            return False
        _remember(_clean_names, name)
    return True


def _is_clean_text(text: str) -> bool:
    if len(text) > _MAX_TEXT or redact_text(text) != text:
        return False
    _remember(_clean_texts, text)
    return True


def _remember(known: set[str], text: str) -> None:
    if len(text) <= _REMEMBERED_CHARACTERS:
        if len(known) >= _REMEMBERED:
            known.clear()  # what lines have in common is back with the next few
        known.add(text)


def redact_text(text: str) -> str:
    """A text without what looks like a secret."""
    lower = text.lower()
    for hint in _HINTS:
        if hint in lower:
            break
    else:
        return text
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    return text


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether a field of this name holds a secret."""
    plain = name.lower().replace("-", "").replace("_", "")
    return plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDINGS)


def _clean(value: object, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        return _cut(redact_text(value))  # type: ignore[arg-type]  # mypy does not narrow by type()
    if kind is int or kind is float or kind is bool or value is None:
        return value
    if depth >= _MAX_DEPTH:
        return "..."
    if isinstance(value, dict):
        return {
            str(name): REDACTED if is_secret(str(name)) and item else _clean(item, depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return _clean_row(tuple(value), depth + 1)
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, (bytes, bytearray)) else str(value)
    return _cut(redact_text(text))


def _clean_row(row: tuple[object, ...], depth: int) -> list[Any]:
    """A sequence; a pair whose first half names a secret is a header."""
    if len(row) == 2 and isinstance(row[0], (str, bytes)):
        name = row[0] if isinstance(row[0], str) else row[0].decode("latin-1")
        if is_secret(name):
            return [name, REDACTED]
    return [_clean(item, depth) for item in row]


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}... ({len(text)} characters)"
