"""What was measured, and what is made of it: medians, and ratios within a round. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Values = list[float]


@dataclass
class Found:
    """A value for each round, by what was measured and at whom. A name is a case's key, or one of `bench.report`."""

    values: dict[tuple[str, str], Values] = field(default_factory=dict)
    loads: Values = field(default_factory=list)
    """Load averages before each round."""

    def add(self, what: str, who: str, value: float) -> None:
        self.values.setdefault((what, who), []).append(value)

    def of(self, what: str, who: str = "gateway") -> Values:
        """Empty when it was not measured."""
        return self.values.get((what, who), [])


def within(made: Callable[..., float], *columns: Sequence[float]) -> Values:
    """`made` of the values of each round; empty when one of the columns was not measured.

    A round measures everything once. Its parts ran at the same time of a busy machine; those of two rounds did not.
    """
    return [made(*values) for values in zip(*columns, strict=True)] if all(columns) else []


def ratios(above: Sequence[float], below: Sequence[float]) -> Values:
    """Round by round."""
    return within(lambda a, b: a / b, above, below)


def differences(more: Sequence[float], less: Sequence[float], per: float = 1) -> Values:
    """Round by round, divided by `per`."""
    return within(lambda a, b: (a - b) / per, more, less)


def shown(values: Sequence[float], digits: int = 0) -> str:
    """The median, with the least and the most; a dash when there is nothing."""
    if not values:
        return "–"
    middle = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"
