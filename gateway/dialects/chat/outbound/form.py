"""The form of the one chunk that a stream has thousands of: every byte of it but those of its text.

A chunk that has the bytes of the last one before its text and behind it, and one JSON string between, is the same
document with another text. So it need not be parsed, nor looked through for all that servers put into chunks.
"""

from __future__ import annotations

import re
from typing import Any

from gateway.core import json
from gateway.core.frames import Frame

Json = dict[str, Any]

TRIES = 3
"""So many forms in a row that fit no other chunk, then no more are looked for: some servers number or pad each one."""

_FIELDS = {
    name: re.compile(rb'"%b": ?("(?:[^"\\]++|\\.)*+")' % name.encode())
    for name in ("content", "reasoning_content", "reasoning")
}
"""Fields of a delta that hold text → where one stands in a chunk; all but `content` hold thoughts.

The patterns never go back: a text of many megabytes costs no memory to find.
"""


class Form:
    """Show it every chunk: it reads the text of those that are like the last one."""

    __slots__ = ("_event", "_head", "_tail", "_tries", "thought")

    def __init__(self) -> None:
        self.thought = False
        """The text is thought."""
        self._event = ""
        self._head = self._tail = b""
        self._tries = TRIES

    def text_in(self, frame: Frame) -> str:
        """The text of a chunk of this form; "" for one that has to be read."""
        head, tail = self._head, self._tail
        if not head:
            return ""
        payload = frame.payload
        if not (payload.startswith(head) and payload.endswith(tail)):
            return ""
        try:
            text = json.loads(payload[len(head) : -len(tail)])
        except ValueError:
            return ""
        if not isinstance(text, str) or frame.event != self._event:
            return ""
        self._tries = TRIES
        return text

    def learn(self, frame: Frame, chunk: Json) -> None:
        """A chunk that was read: the next ones may be like it, if it says nothing but one text."""
        self._head = b""
        field = _only_field(chunk) if self._tries and frame.type != "error" else ""
        if not field:
            return
        try:
            payload = frame.payload
        except RecursionError:
            return  # a JSON answer that is read as a chunk, and nested beyond writing
        found = _FIELDS[field].search(payload)
        if found is None:
            return
        self._tries -= 1
        head, tail = payload[: found.start(1)], payload[found.end(1) :]
        # It is the one place of the text if the chunk with a text of our own there is the same but for that.
        told = json.loads_served(head + b'"?"' + tail)
        if _only_field(told) == field and _with_text(chunk, field, "?") == told:
            self._event, self._head, self._tail = frame.event, head, tail
            self.thought = field != "content"


def _only_field(chunk: Json) -> str:
    """The field of its delta by which the only choice of a chunk speaks; "" when there is more to be read in it."""
    choices = chunk.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choice := choices[0], dict):
        return ""
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return ""
    telling = [name for name, value in delta.items() if value and name != "role"]
    if len(telling) != 1 or telling[0] not in _FIELDS or not isinstance(delta[telling[0]], str):
        return ""
    if any(choice.get(name) for name in ("index", "finish_reason", "error", "usage")):
        return ""
    more = any(chunk.get(name) for name in ("error", "usage", "x_groq")) or chunk.get("object") == "error"
    return "" if more else telling[0]


def _with_text(chunk: Json, field: str, text: str) -> Json:
    choice = chunk["choices"][0]
    return {**chunk, "choices": [{**choice, "delta": {**choice["delta"], field: text}}]}
