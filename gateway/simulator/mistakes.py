"""Mistakes in a scenario or script: named by their path, and collected so that all of them are told at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from gateway.simulator import shapes


class ScenarioError(ValueError):
    """A scenario or script that cannot be used.

    `path`: of the first wrong key, "" for the whole document. `mistakes`: a line for each mistake, which begins with
    its path; the message is all of them.
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.mistakes: tuple[str, ...] = (f"{path}: {problem}" if path else f"the scenario {problem}",)
        super().__init__(path, problem)

    def __str__(self) -> str:
        return "\n".join(self.mistakes)


class Mistakes:
    """Collects the mistakes of one document."""

    def __init__(self) -> None:
        self._found: list[ScenarioError] = []

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep a ScenarioError of this block for later, and go on after the block."""
        try:
            yield
        except ScenarioError as error:
            self._found.append(error)

    def tell(self) -> None:
        """Raise ScenarioError with everything that was kept, if anything was."""
        if self._found:
            first = self._found[0]
            first.mistakes = tuple(line for error in self._found for line in error.mistakes)
            raise first


def shaped(value: Any, shape: shapes.Shape, path: str) -> None:
    """Compare a value with a shape. Raises ScenarioError."""
    try:
        shapes.check(value, shape, path)
    except shapes.Misshapen as wrong:
        raise ScenarioError(wrong.path, wrong.problem) from wrong


def all_known(document: Mapping[str, object], known: Mapping[str, object], path: str) -> None:
    """Every key is one of the known ones. Raises ScenarioError with each that is not."""
    mistakes = Mistakes()
    for key in document:
        if key not in known:
            with mistakes.kept():
                raise ScenarioError(f"{path}.{key}".lstrip("."), f"unknown key{near(str(key), known)}")
    mistakes.tell()


def near(key: str, known: Mapping[str, object] | Sequence[str]) -> str:
    """The known word that was probably meant, as the end of a message; "" when there is none."""
    close = difflib.get_close_matches(key, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
