"""Ids: ascending ULIDs for our rows, and what the ids that clients send name.

A row has one key of ours (a ULID, lower case, without a prefix) and a *wire id*: the id that a client saw or sent,
without its prefix. Each surface puts its own prefix before it, and every prefix of the same kind is understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from threading import Lock
from typing import Literal

from gateway.core.ids import PREFIXES

Kind = Literal["response", "conversation", "item"]

LONGEST = 512
"""Ids beyond this name nothing. (Codex gives ids of about 400 characters.)"""

_PREFIXES: dict[str, Kind] = {
    **dict.fromkeys(("resp", "run", "chatcmpl"), "response"),
    **dict.fromkeys(("conv", "thread", "ses"), "conversation"),
    **dict.fromkeys((*PREFIXES.values(), "prt", "item", "cmp"), "item"),
}
_OTHER_KINDS = frozenset({"asst", "file", "qst", "evt", "call"})
"""Prefixes of things that the store looks up elsewhere, or not at all."""

_PARTS = re.compile(r"([A-Za-z]+)[_-](.*)", re.DOTALL)
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)


def storable(text: str) -> str:
    """Text that a database can keep: neither takes half of a surrogate pair, and PostgreSQL no NUL."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def body_of(kind: Kind, text: object) -> str | None:
    """The id without its prefix; None when it has the prefix of another kind, or can be no id at all.

    A prefix that nobody knows is part of the id: clients may choose their own.
    """
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST:
        return None
    text = storable(text)
    parts = _PARTS.fullmatch(text)
    prefix = parts[1].lower() if parts else ""
    if prefix in _PREFIXES and _PREFIXES[prefix] == kind:
        return parts[2] or None if parts else None
    return None if prefix in _PREFIXES or prefix in _OTHER_KINDS else text


class Ulids:
    """Makes ULIDs that ascend, also within one millisecond, and in several threads.

    `now`: milliseconds since 1970. `randomness`: that many random bytes, as `os.urandom` gives them; it is asked now
    and then, because it lets other threads run.
    """

    def __init__(self, now: Callable[[], int], randomness: Callable[[int], bytes]) -> None:
        self._now = now
        self._randomness = randomness
        self._last = -1
        self._unused = b""
        self._one_at_a_time = Lock()

    def __call__(self) -> str:
        with self._one_at_a_time:
            moment = self._now()
            if moment > self._last >> 80:
                self._last = moment << 80 | int.from_bytes(self._ten_bytes(), "big")
            else:  # the same millisecond, or a clock that was set back
                self._last += 1
            number = self._last
        return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])

    def _ten_bytes(self) -> bytes:
        if not self._unused:
            self._unused = self._randomness(640)
        ten, self._unused = self._unused[:10], self._unused[10:]
        return ten
