"""Stop strings, looked for by the gateway (translation §1.8), and surrogate halves cut apart by a server."""

from __future__ import annotations

from collections.abc import Sequence


class StopScanner:
    """Finds the first stop string in a text that arrives in pieces.

    Holds back only what may still become a stop string: at most the longest one less a character.
    """

    __slots__ = ("_held", "_stops", "hit")

    def __init__(self, stops: Sequence[str]) -> None:
        """`stops`: non-empty strings."""
        self._stops = stops
        self._held = ""
        self.hit = False

    def push(self, text: str) -> str:
        """The text that is surely before any stop string. After a hit: nothing."""
        text = self._held + text
        matches = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if matches:
            # The one that is complete first, however the text was cut into pieces.
            _, at = min(matches)
            self.hit = True
            self._held = ""
            return text[:at]
        keep = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        """What was held back, once no more text comes."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of the text are the beginning of the stop string."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0


class Halves:
    """Joins an emoji whose two UTF-16 halves came in two pieces of text."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = ""

    def push(self, text: str) -> str:
        """The text so far, without a first half that its second half may still follow."""
        if self.held:
            joined = (self.held + text).encode("utf-16-le", "surrogatepass")
            text, self.held = joined.decode("utf-16-le", "surrogatepass"), ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            self.held = text[-1]
            return text[:-1]
        return text

    def rest(self) -> str:
        """A half whose other half never came."""
        held, self.held = self.held, ""
        return held
