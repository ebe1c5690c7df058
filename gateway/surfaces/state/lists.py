"""Query strings of the state routes, and the one form of a list (translation §7.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from gateway.core.include import INCLUDABLE
from gateway.core.metadata import read_metadata
from gateway.errors import InvalidRequest, UnknownCursor
from gateway.store.ids import storable
from gateway.store.rows import Order

Json = dict[str, Any]

LONGEST_PAGE = 100
_PAGE = 20
_MOST_FIELDS = 500
_INCLUDE = re.compile(r"include(\[[0-9]*\])?")
"""SDKs repeat `include[]`, others `include`; a few count."""
_METADATA = re.compile(r"metadata\[(.*)\]", re.DOTALL)
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_FLAGS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list is wanted. `after`: the id before its first element, exclusive."""

    after: str | None
    limit: int
    order: Order


class Query:
    """The parameters of a request. What nobody asks for is ignored (`beta=true`)."""

    def __init__(self, query_string: bytes) -> None:
        """Raises InvalidRequest for more parameters than any program sends."""
        try:
            text = query_string.decode("utf-8", "replace")
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError as error:
            raise InvalidRequest(f"The query string must have at most {_MOST_FIELDS} parameters.") from error
        self._pairs = [(storable(name), storable(value)) for name, value in pairs]
        self._last = dict(self._pairs)

    def text(self, name: str) -> str | None:
        """The last value; None when there is none, or an empty one."""
        return self._last.get(name) or None

    def integer(self, name: str, *, low: int, high: int | None = None) -> int | None:
        """A whole number between the bounds; None when absent. Raises InvalidRequest."""
        text = self.text(name)
        if text is None:
            return None
        bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
        if not _INTEGER.fullmatch(text):
            raise InvalidRequest(f"{name} must be an integer {bounds}, not {text[:40]!r}.", param=name)
        value = int(text)
        if value < low:
            message = f"{name} must be an integer {bounds}, not {value}."
            raise InvalidRequest(message, param=name, code="integer_below_min_value")
        if high is not None and value > high:
            message = f"{name} must be an integer {bounds}, not {value}."
            raise InvalidRequest(message, param=name, code="integer_above_max_value")
        return value

    def flag(self, name: str) -> bool:
        """true or false; false when absent. Raises InvalidRequest."""
        text = self.text(name)
        if text is None:
            return False
        if text.lower() not in _FLAGS:
            raise InvalidRequest(f"{name} must be true or false, not {text[:40]!r}.", param=name)
        return _FLAGS[text.lower()]

    def include(self) -> frozenset[str]:
        """What is to be shown (§7.7), in any of the forms that programs send. Raises InvalidRequest."""
        lists = [value.split(",") for name, value in self._pairs if _INCLUDE.fullmatch(name)]
        wanted = [word.strip() for words in lists for word in words if word.strip()]
        for place, word in enumerate(wanted):
            if word not in INCLUDABLE:
                known = ", ".join(INCLUDABLE)
                message = f"include[{place}] must be one of {known}, not {word[:80]!r}."
                raise InvalidRequest(message, param=f"include[{place}]", code="invalid_value")
        return frozenset(wanted)

    def metadata(self) -> dict[str, str]:
        """The pairs of `metadata[key]=value`. Raises InvalidRequest."""
        named = [(_METADATA.fullmatch(name), value) for name, value in self._pairs]
        return read_metadata({name[1]: value for name, value in named if name})

    def window(self, order: Order) -> Window:
        """`after`, `limit` and `order`, which is as given when it was not sent. Raises InvalidRequest."""
        wanted = self.text("order") or order
        if wanted not in ("asc", "desc"):
            message = f"order must be asc or desc, not {wanted[:40]!r}."
            raise InvalidRequest(message, param="order", code="invalid_value")
        limit = self.integer("limit", low=1, high=LONGEST_PAGE)
        return Window(self.text("after"), _PAGE if limit is None else limit, "asc" if wanted == "asc" else "desc")


def listed(data: Sequence[Json], more: bool) -> Json:
    """The list body. Every element has an id, because SDKs ask for the next page with it."""
    return {
        "object": "list",
        "data": list(data),
        "first_id": data[0]["id"] if data else "",
        "last_id": data[-1]["id"] if data else "",
        "has_more": more,
    }


def page_of(rows: Sequence[Json], window: Window) -> Json:
    """The list body for a part of a list that is whole in memory, oldest first. Raises UnknownCursor."""
    rows = rows if window.order == "asc" else rows[::-1]
    start = 0
    if window.after is not None:
        ids = [row["id"] for row in rows]
        if window.after not in ids:
            raise UnknownCursor(f"after must be an id of this list, not {window.after[:80]!r}.", param="after")
        start = ids.index(window.after) + 1
    end = start + window.limit
    return listed(rows[start:end], end < len(rows))
