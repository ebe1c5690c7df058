"""When an open-loop generator asks, and what is said of the delays: pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass
class Schedule:
    """Requests at a fixed rate from `start` on, whatever becomes of them. Times are seconds of one clock.

    A generator that waits for answers before it asks again hides the delays of a slow server; one that asks by a
    schedule and counts from the planned time does not, also when it is late itself.
    """

    start: float
    rate: float
    count: int
    sent: int = 0

    def due(self, now: float) -> list[float]:
        """The planned times that have come since the last call."""
        until = min(self.count, int((now - self.start) * self.rate + 1e-9) + 1) if now >= self.start else 0
        planned = [self.start + number / self.rate for number in range(self.sent, until)]
        self.sent = max(self.sent, until)
        return planned

    @property
    def finished(self) -> bool:
        return self.sent >= self.count


def percentile(values: Iterable[float], share: float) -> float:
    """The least value that at least this share of all values does not exceed (nearest rank)."""
    known = sorted(values)
    return known[max(1, math.ceil(share * len(known))) - 1]
