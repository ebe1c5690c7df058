"""The headers of a request by their names, made once for all who look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope

Headers = dict[bytes, bytes]


def by_name(scope: Scope) -> Headers:
    """Names in lower case, as servers give them; of a name that repeats, the last value. Not to be changed."""
    state = scope["state"]
    found: Headers | None = state.get("headers")
    if found is None:
        found = state["headers"] = dict(scope["headers"])
    return found
