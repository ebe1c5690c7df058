"""A call a little later, for many who hardly ever want it by then.

A timer of the event loop for each of them would cost more than all the rest of their waiting.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

PAUSE_SECONDS = 0.025


class Late(Protocol):
    """Who may still be there after a while."""

    def late(self) -> None:
        """A while has passed."""


class Rounds:
    """Calls, once, who joined at least `PAUSE_SECONDS` ago, at most twice that, and has not left."""

    __slots__ = ("_came", "_makes", "_stay", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._came: dict[Late, None] = {}
        self._stay: dict[Late, None] = {}
        """Who was there at the last round already."""
        self._makes = False

    def join(self, who: Late) -> None:
        self._came[who] = None
        if not self._makes:
            self._makes = True
            self.loop.call_later(PAUSE_SECONDS, self._make)

    def leave(self, who: Late) -> None:
        """Also for who has been called, or never joined."""
        if who in self._came:
            del self._came[who]
        else:
            self._stay.pop(who, None)

    def _make(self) -> None:
        late, self._stay, self._came = self._stay, self._came, {}
        self._makes = bool(self._stay)
        if self._makes:
            self.loop.call_later(PAUSE_SECONDS, self._make)
        for who in late:
            who.late()


_latest: Rounds | None = None


def rounds_of(loop: asyncio.AbstractEventLoop) -> Rounds:
    """The rounds of an event loop: one for all as long as no other loop asks."""
    global _latest  # noqa: PLW0603 - a look-up by loop would cost as much as the timer
    if _latest is None or _latest.loop is not loop:
        _latest = Rounds(loop)
    return _latest
