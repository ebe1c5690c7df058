"""The estimate of a whole request: its items, instructions, tools and the form of the answer.

The frame around each item is that of OpenAI's open models (harmony), which agrees with published counts: a message has
four tokens around its text, a call about twelve, and the answer is begun with two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.core import json
from gateway.core.compaction import opened as opened_summary
from gateway.core.estimate.media import UNKNOWN_FILE, file_tokens, image_tokens
from gateway.core.estimate.text import text_tokens
from gateway.core.estimate.tools import HEADER, declared
from gateway.core.items import kind_of
from gateway.core.seal import REASONING
from gateway.core.seal import opened as unsealed

Json = dict[str, Any]

ANSWER, MESSAGE, CALL, FIELD, FORMAT = 2, 4, 12, 2, 10
"""Tokens of the beginning of an answer; around a message, and a call or its result; around the name of a field of an
item that has no form of its own; and before the schema of an answer."""

_SEALED_EXTRA, _BYTES_PER_TOKEN = 650, 4
"""What encryption adds to reasoning, in bytes, and how long a token of it is: as Codex itself reckons."""

_UNSEEN = frozenset({"id", "type", "status", "call_id", "role", "annotations", "logprobs", "encrypted_content"})
"""Fields that models do not see, or in the frame that is counted already."""


def input_tokens(body: Mapping[str, Any]) -> int:
    """The tokens of a Responses create request, with each field as optional as in `/v1/responses/input_tokens`.

    Whatever is not of the form that the API describes counts as the text it holds; nothing raises.
    """
    return _Count().of(body)


class _Count:
    """Adds up what is no text in `tokens`, and collects the texts, which are judged together."""

    def __init__(self) -> None:
        self.tokens = ANSWER
        self.texts: list[str] = []

    def of(self, body: Mapping[str, Any]) -> int:
        given = body.get("input")
        for item in given if isinstance(given, list) else [given]:
            self._item(item)
        self._item(body.get("instructions"))
        self._tools(body.get("tools"))
        text = body.get("text")
        wanted = text.get("format") if isinstance(text, dict) else None
        if isinstance(wanted, dict) and (schema := wanted.get("schema")):
            self.tokens += FORMAT
            self.texts += [str(wanted.get("name")), str(wanted.get("description") or ""), json.dumps(schema).decode()]
        return round(self.tokens + text_tokens(self.texts))

    def _item(self, item: object) -> None:
        """An item of the input; a text is a message of its own."""
        if not item:
            return
        kind = (kind_of(item) or "message") if isinstance(item, dict) else "message"
        self.tokens += CALL if kind.endswith(("_call", "_output")) else MESSAGE
        if not isinstance(item, dict):
            self._value(item)
        elif kind in _SPECIAL:
            _SPECIAL[kind](self, item)
        elif kind == "message":
            self._value(item.get("content"))
        else:
            self._fields(item, _FIELDS.get(kind))

    def _fields(self, item: Json, known: tuple[str, ...] | None) -> None:
        """The fields of an item that models see; where they are not known, all of them, with their names."""
        if known is None:
            self._value({name: value for name, value in item.items() if name not in _UNSEEN})
        for name in known or ():
            self._value(item.get(name))

    def _value(self, value: object) -> None:
        """Anything below an item: texts, lists of parts, objects nobody knows."""
        if isinstance(value, str):
            self.texts.append(value)
        elif isinstance(value, list):
            for part in value:
                self._value(part)
        elif isinstance(value, dict):
            kind = kind_of(value)
            if kind in _SPECIAL:
                _SPECIAL[kind](self, value)
                return
            for name, field in value.items():
                if name not in _UNSEEN:
                    if kind not in _TEXTS:
                        self.tokens += FIELD
                        self.texts.append(name)
                    self._value(field)
        elif value is not None:
            self.texts.append(str(value))

    def _tools(self, tools: object) -> None:
        if isinstance(tools, list) and tools:
            self.tokens += HEADER + declared(tools, self.texts)

    # what is not a text ---------------------------------------------------------------------------------------------

    def _image(self, part: Json) -> None:
        image = part.get("image_url")
        if isinstance(image, dict):  # as chat completions have it
            self.tokens += image_tokens(image.get("url"), image.get("detail"))
        else:
            self.tokens += image_tokens(image, part.get("detail"))

    def _file(self, part: Json) -> None:
        data = part.get("file_data")
        if not isinstance(data, str):
            self.tokens += UNKNOWN_FILE
            return
        tokens, text = file_tokens(data)
        self.tokens += tokens
        self.texts += [str(part.get("filename") or ""), text]

    def _made_image(self, item: Json) -> None:
        self._value(item.get("revised_prompt"))
        self.tokens += image_tokens(item.get("result"), "auto")

    def _reasoning(self, item: Json) -> None:
        """Sealed thoughts if there are any, else those in words. Servers leave out those of earlier turns: a little
        less is counted there."""
        sealed = item.get("encrypted_content")
        if not isinstance(sealed, str):
            self._value(item.get("content") or item.get("summary"))
        elif (words := unsealed(REASONING, sealed)) is not None:
            self.texts.append(words)
        else:
            self._sealed(sealed)

    def _compaction(self, item: Json) -> None:
        summary = opened_summary(item)
        if summary is not None:
            self.texts.append(summary)
        elif isinstance(sealed := item.get("encrypted_content"), str):
            self._sealed(sealed)

    def _sealed(self, sealed: str) -> None:
        self.tokens += max(0, len(sealed) * 3 // 4 - _SEALED_EXTRA) // _BYTES_PER_TOKEN

    def _more_tools(self, item: Json) -> None:
        self._tools(item.get("tools"))


_SPECIAL: Mapping[str, Callable[[_Count, Json], None]] = {
    "input_image": _Count._image,
    "image_url": _Count._image,
    "computer_screenshot": _Count._image,
    "input_file": _Count._file,
    "image_generation_call": _Count._made_image,
    "reasoning": _Count._reasoning,
    "compaction": _Count._compaction,
    "compaction_summary": _Count._compaction,
    "additional_tools": _Count._more_tools,
    "tool_search_output": _Count._more_tools,
}

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "function_call": ("namespace", "name", "arguments"),
    "function_call_output": ("output",),
    "custom_tool_call": ("namespace", "name", "input"),
    "custom_tool_call_output": ("output",),
    "item_reference": (),
}
"""What models see of the items that agents send most."""

_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text", "refusal"})
"""Parts whose one field is their text."""
