"""Inner field names → the client's names, for errors that an upstream reports (translation §8.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gateway.dialects.chat.messages import Origin
from gateway.dialects.chat.options import LIMITS
from gateway.dialects.chat.tools import Place

Json = dict[str, Any]

_PATH = re.compile(r"(?P<root>[^.\[]+)(?:\[(?P<index>\d+)\])?(?P<rest>.*)", re.DOTALL)
_FIELD = re.compile(r"\.(?P<name>[^.\[]+)(?:\[(?P<index>\d+)\])?")
# Client fields that can be behind an inner one, the likeliest first.
_CANDIDATES = {
    "max_output_tokens": LIMITS,
    "reasoning.effort": ("reasoning_effort", "reasoning", "enable_thinking", "thinking"),
    "reasoning.summary": ("reasoning_summary", "reasoning"),
    "reasoning": ("reasoning", "reasoning_effort", "enable_thinking", "thinking", "reasoning_summary"),
    "tool_choice": ("tool_choice", "function_call"),
    "parallel_tool_calls": ("parallel_tool_calls", "functions"),
    "include": ("include", "logprobs"),
    "tools": ("tools", "functions", "web_search_options"),
    "text.verbosity": ("verbosity", "text"),
    "text.format": ("response_format", "text"),
    "text": ("text", "response_format", "verbosity"),
    "input": ("messages", "input"),
}


class Params:
    """The way back for the field names of one request."""

    def __init__(self, *, sent: Json, origins: Sequence[Origin], places: Sequence[Place]) -> None:
        """`sent`: the client's body. `origins`, `places`: where its input items and tools came from, by inner index."""
        self._sent = sent
        self._origins = origins
        self._places = places

    def client(self, param: str | None) -> str | None:
        """The client's name for an inner field; None when the client sent nothing of the kind."""
        found = _PATH.fullmatch(param or "")
        if found is None:
            return None
        root, index, rest = found["root"], found["index"], found["rest"]
        if root == "input" and index is not None:
            return self._item(int(index), rest)
        if root == "tools" and index is not None:
            return self._tool(int(index), rest)
        if root in ("text", "reasoning"):
            return self._nested(root, rest)
        if root == "tool_choice":
            return self._choice(rest)
        name = self._sent_name(_CANDIDATES.get(root, (root,)))
        return param if name == root else name

    def _sent_name(self, candidates: Sequence[str]) -> str | None:
        return next((name for name in candidates if self._sent.get(name) is not None), None)

    def _item(self, index: int, rest: str) -> str | None:
        if index >= len(self._origins):
            return self._sent_name(_CANDIDATES["input"])
        origin = self._origins[index]
        if origin.inner:
            return f"{origin.path}{rest}"
        field = _FIELD.match(rest)
        if field is None:
            return origin.path
        name = origin.fields.get(field["name"])
        if name is None:
            return origin.path
        part = int(field["index"]) if field["index"] is not None else len(origin.parts)
        return f"{origin.path}.{origin.parts[part] if part < len(origin.parts) else name}"

    def _tool(self, index: int, rest: str) -> str | None:
        if index >= len(self._places):
            return self._sent_name(_CANDIDATES["tools"])
        place = self._places[index]
        field = rest.removeprefix(".")
        if not field:
            return place.entry
        if field == "type" or field.startswith(f"{place.nest}."):
            return f"{place.entry}.{field}"
        return place.field(field)

    def _choice(self, rest: str) -> str | None:
        """What the client nested under the kind of its choice."""
        name = self._sent_name(_CANDIDATES["tool_choice"])
        choice = self._sent.get(name) if name else None
        if not isinstance(choice, dict) or rest == ".type":
            return name if name is None or name == "function_call" else f"{name}{rest}"
        kind = choice.get("type")
        nested = isinstance(kind, str) and isinstance(choice.get(kind), dict)
        return f"{name}.{kind}{rest}" if nested and rest else f"{name}{rest}"

    def _nested(self, root: str, rest: str) -> str | None:
        field = _FIELD.match(rest)
        inner = f"{root}.{field['name']}" if field else root
        name = self._sent_name(_CANDIDATES.get(inner, _CANDIDATES[root]))
        if name == root:
            return f"{root}{rest}"
        if name == "response_format" and field:
            deeper = rest[field.end() :]
            return name + (deeper if deeper in ("", ".type") else f".json_schema{deeper}")
        return name
