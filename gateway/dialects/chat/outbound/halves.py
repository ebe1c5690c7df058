"""Characters beyond U+FFFF that a server cut in two, as those do that count in UTF-16 units.

Clients print and store each delta by itself, and half a character crashes many of them: what goes out is whole.
"""

from __future__ import annotations

LOST = "\ufffd"
"""What stands for a half whose other half never came."""


class Halves:
    """Feed it the pieces of one text; get them back as text that any program can encode.

    Only a first half at the end of a piece is held back.
    """

    __slots__ = ("_first",)

    def __init__(self) -> None:
        self._first = ""

    @property
    def held(self) -> bool:
        """Whether the last piece ended in half a character."""
        return bool(self._first)

    def push(self, piece: str) -> str:
        """What is whole by now; "" for nothing yet. `piece`: not empty."""
        if not self._first and (piece.isascii() or is_sound(piece)):
            return piece
        text, self._first = self._first + piece, ""
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._first = text[:-1], text[-1]
        return sound(text)

    def rest(self) -> str:
        """What is owed when no more comes."""
        first, self._first = self._first, ""
        return LOST if first else ""


def is_sound(text: str) -> bool:
    """Whether there is no half of a character in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def sound(text: str) -> str:
    """The text with its halves joined, and U+FFFD for each that stands alone."""
    return text if is_sound(text) else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
