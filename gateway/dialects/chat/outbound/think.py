"""Thoughts in tags: some servers leave a model's leading `<think>…</think>` in the text of its answer."""

from __future__ import annotations

_OPEN, _CLOSE = "<think>", "</think>"

Piece = tuple[bool, str]
"""Whether it is thought, and the text; the text is never empty."""


class ThinkTags:
    """Feed it the text of an answer as it comes, however the tags are cut; get it back told apart.

    Only a tag at the very beginning counts: later ones are what the model writes about. At most one tag's length is
    held back.
    """

    def __init__(self) -> None:
        self._step = self._before
        self._held = ""

    def feed(self, text: str) -> list[Piece]:
        """What is certain by now."""
        return self._step(text)

    def finish(self) -> list[Piece]:
        """What was held back. Text that still comes is part of the answer."""
        held, self._held = self._held, ""
        thought = self._step == self._inside
        self._step = self._after
        return [(thought, held)] if held else []

    def _before(self, text: str) -> list[Piece]:
        bare = text if self._held else text.lstrip()
        blank = text[: len(text) - len(bare)]
        found = self._held + bare
        if len(found) < len(_OPEN) and _OPEN.startswith(found):
            self._held = found
            return [(False, blank)] if blank else []
        self._held = ""
        if found.startswith(_OPEN):
            self._step = self._inside
            # In a piece of its own the blank would have gone out already.
            return [*([(False, blank)] if blank else []), *self._inside(found[len(_OPEN) :])]
        self._step = self._after
        return [(False, blank + found)]

    def _inside(self, text: str) -> list[Piece]:
        text = self._held + text
        end = text.find(_CLOSE)
        if end < 0:
            certain = len(text) - _overlap(text)
            self._held = text[certain:]
            return [(True, text[:certain])] if certain else []
        self._held = ""
        self._step = self._between
        thought = [(True, text[:end])] if end else []
        return thought + self._between(text[end + len(_CLOSE) :])

    def _between(self, text: str) -> list[Piece]:
        """The blanks behind the closing tag are no part of the answer."""
        text = text.lstrip()
        if not text:
            return []
        self._step = self._after
        return [(False, text)]

    def _after(self, text: str) -> list[Piece]:
        return [(False, text)]


def _overlap(text: str) -> int:
    """How many characters at the end may be the beginning of the closing tag."""
    return next((size for size in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:size])), 0)
