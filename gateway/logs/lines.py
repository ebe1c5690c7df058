"""Log lines as text for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson

Line = dict[str, Any]

_COLORS = {"debug": "\x1b[2m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m"}
_RESET = "\x1b[0m"
_HEAD = frozenset({"time", "level", "event", "exception", "stack"})


def as_json(line: Line) -> bytes:
    """One line of JSON, its fields in their order."""
    try:
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        # Lone surrogates and integers beyond 64 bits.
        return json.dumps(line, default=str).encode("ascii") + b"\n"


def as_text(*, color: bool) -> Callable[[Line], bytes]:
    """`time LEVEL event key=value ...`, then the traceback if there is one. Values cannot break the line."""

    def render(line: Line) -> bytes:
        level = str(line.get("level", ""))
        head = f"{level.upper():<8}"
        if color:
            head = f"{_COLORS.get(level, '')}{head}{_RESET}"
        fields = "".join(f" {key}={_value(value)}" for key, value in line.items() if key not in _HEAD)
        text = f"{line.get('time', '')} {head}{_one_line(str(line.get('event', '')))}{fields}\n"
        for key in ("exception", "stack"):
            if line.get(key):
                text += f"{_block(str(line[key]))}\n"
        return text.encode("utf-8", "backslashreplace")

    return render


def _value(value: object) -> str:
    if isinstance(value, str):
        return value if value.isprintable() and not set(' "=') & set(value) and value else json.dumps(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_value(item)}" for key, item in value.items()) + "}"
    return _one_line(str(value))


def _one_line(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)[1:-1]


def _block(text: str) -> str:
    """Several lines, without characters that steer a terminal."""
    return "\n".join(_one_line(part) for part in text.split("\n"))
