"""Tool names that every upstream accepts: `[A-Za-z0-9_-]`, at most 64 characters.

Anything else gets a stand-in made from a hash of the whole name, never a cut: two long names often share their
first 64 characters. Stand-ins are functions of the name alone, so prompts stay the same from turn to turn and the
upstream's prompt cache holds. The client's own name is put back in every answer.
"""

from __future__ import annotations

import re

from gateway.core.ids import digest

_SOUND = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SEGMENTS = re.compile(r"__|[^A-Za-z0-9_-]+")


class Names:
    """The stand-ins given in one request, and the way back."""

    __slots__ = ("_originals",)

    def __init__(self) -> None:
        self._originals: dict[str, str] = {}

    def wire(self, name: str) -> str:
        """The name as it is, or its stand-in."""
        if _SOUND.fullmatch(name):
            return name
        alias = _alias(name)
        self._originals[alias] = name
        return alias

    def client(self, name: str) -> str:
        """The client's own name for what the upstream called."""
        return self._originals.get(name, name)


def _alias(name: str) -> str:
    """`mcp__` if there was one, the last segment, twelve digits of the hash: at most 64 characters."""
    prefix = "mcp__" if name.startswith("mcp__") else ""
    segments = [segment for segment in _SEGMENTS.split(name.removeprefix(prefix)) if segment]
    tail = segments[-1] if segments else "tool"
    return f"{prefix}{tail[-(64 - len(prefix) - 13) :]}_{digest(name)[:12]}"
