"""Headers by their names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache


def by_name(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their names in lower case; those of one name joined (RFC 9110, 5.3)."""
    found = {_name(name): value.decode("latin-1") for name, value in raw}
    if len(found) < len(raw):
        found = {}
        for name, value in raw:
            key, text = _name(name), value.decode("latin-1")
            found[key] = f"{found[key]}, {text}" if key in found else text
    return found


@lru_cache(maxsize=256)
def _name(name: bytes) -> str:
    return name.lower().decode("latin-1")
