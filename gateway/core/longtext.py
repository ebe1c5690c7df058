"""A long text that a stream tells again: in its delta, and in the events that end its part, its item and the response.

It is parsed once. Where a later event has the very bytes of it, a short stand-in is parsed in their place, and the text
is put where that stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.core import json

Json = dict[str, Any]

LONG = 1 << 15
"""Characters of a text that is worth it."""
_SEEN = 64
"""Bytes of a text by which its place is found."""


class LongText:
    """The latest long text of a stream, as it is and as it is written."""

    __slots__ = ("_text", "_written")

    def __init__(self) -> None:
        self._text = ""
        self._written = b""

    def loads(self, raw: bytes, start: int, end: int) -> Any:
        """The document between these places, as `json.loads_served` reads it. Raises ValueError as that does."""
        found = self._repeated(raw, start, end) if self._written else None
        if found is None:
            found = json.loads_served(memoryview(raw)[start:end])
            self._learn(found, raw)
        return found

    def _learn(self, document: Any, raw: bytes) -> None:
        """Remember the long text that an event tells at its top, if it is written as we would write it.

        One with half of a surrogate pair is not: we write it as ASCII, and what holds it is read by another parser.
        """
        values = document.values() if isinstance(document, dict) else ()
        text = next((value for value in values if isinstance(value, str) and len(value) >= LONG), None)
        if text is not None:
            written = json.dumps(text)
            at = raw.find(written[:_SEEN])
            if at >= 0 and raw.startswith(written, at) and written.isascii() == text.isascii():
                self._text, self._written = text, written

    def _repeated(self, raw: bytes, start: int, end: int) -> Any:
        """The document that has the text; None for one that has to be read."""
        at = raw.find(self._written[:_SEEN], start, end)
        behind = at + len(self._written)
        if at < 0 or behind > end or not raw.startswith(self._written, at):
            return None
        # No text of the rest is as long as the stand-in, so what is found to be it was put there. If the bytes began
        # where another text ends, the rest is no JSON.
        stand_in = "#" * (at - start + end - behind + 1)
        try:
            document = json.loads_served(raw[start:at] + b'"%b"' % stand_in.encode() + raw[behind:end])
        except ValueError:
            return None
        return document if _put(document, stand_in, self._text) else None


def _put(document: Any, stand_in: str, text: str) -> bool:
    """Put the text where the stand-in is; False when that is no value in the document."""
    open_: list[Any] = [document] if isinstance(document, dict | list) else []
    while open_:
        holder = open_.pop()
        places: Iterable[tuple[Any, Any]] = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for place, value in places:
            if value == stand_in:
                holder[place] = text
                return True
            if isinstance(value, dict | list):
                open_.append(value)
    return False
