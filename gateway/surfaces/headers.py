"""The headers of a request by their names, made once for all who look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope

Headers = dict[bytes, bytes]

_MOST_DIGITS = 20
"""Of a length that any server counts with. Python reads 4300, and fails for more; zeros may come before as many."""


def by_name(scope: Scope) -> Headers:
    """Names in lower case, as servers give them; of a name that repeats, the last value. Not to be changed."""
    state = scope["state"]
    found: Headers | None = state.get("headers")
    if found is None:
        found = state["headers"] = dict(scope["headers"])
    return found


def told_length(headers: Headers) -> int | None:
    """The length of a body as its head tells it; None where it does not. Of a number too large to be one, a part."""
    digits = headers.get(b"content-length", b"").strip()
    return int(digits.lstrip(b"0")[:_MOST_DIGITS] or b"0") if digits.isdigit() else None
