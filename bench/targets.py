"""What the numbers are wanted to be, and whether they are: pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.found import Found, Values, differences, ratios, shown


@dataclass(frozen=True, slots=True)
class Target:
    """A line. `least`: the value is to be at least, not at most, `target`, and by all means `must`."""

    name: str
    made: Callable[[Found], Values]
    target: float
    must: float
    digits: int = 1
    least: bool = False

    def verdict(self, value: float) -> str:
        """met; must met: between the two; missed."""
        sign = -1 if self.least else 1
        if sign * value <= sign * self.target:
            return "met"
        return "must met" if sign * value <= sign * self.must else "missed"


def _over(above: tuple[str, str], below: tuple[str, str]) -> Callable[[Found], Values]:
    return lambda found: ratios(found.of(*above), found.of(*below))


def _nginx(what: str) -> Callable[[Found], Values]:
    return _over((what, "gateway"), (what, "nginx"))


def _plain(what: str) -> Callable[[Found], Values]:
    return _over((what, "plain"), (what, "gateway"))


def _itself(above: str, below: str) -> Callable[[Found], Values]:
    return _over((above, "gateway"), (below, "gateway"))


def _value(what: str) -> Callable[[Found], Values]:
    return lambda found: found.of(what)


def slope(short: str, long: str, who: str = "gateway") -> Callable[[Found], Values]:
    """µs per delta, from 200 to 2,000."""
    return lambda found: differences(found.of(long, who), found.of(short, who), per=1800)


def added(kind: str, part: str, who: str = "gateway") -> Callable[[Found], Values]:
    """ms more than the upstream by itself; `part` is a percentile of the first byte or the whole: "whole 50"."""
    return lambda found: differences(found.of(f"{kind} {part}", who), found.of(f"{kind} {part}", "direct"))


TARGETS = (
    Target("JSON passed on, CPU x nginx", _nginx("json16"), 6, 8),
    Target("… times cheaper than plain", _plain("json16"), 20, 15, least=True),
    Target("… 1,000 connections over 16", _itself("json1000", "json16"), 2.5, 3.5, 2),
    Target("request body of 1 MB, CPU x nginx", _nginx("body1m"), 2.5, 3, 2),
    Target("stream of 200 passed on, CPU x nginx", _nginx("burst200"), 1.2, 1.5, 2),
    Target("Responses → chat, µs per delta of a burst", slope("inner200", "inner2000"), 2.5, 3.5, 2),
    Target("paced, CPU x nginx", _nginx("paced"), 2.2, 2.6, 2),
    Target("paced, translated over passed on", _itself("pacedinner", "paced"), 1.3, 1.5, 2),
    Target("event of 4 MB over 1 MB, passed on", _itself("event4", "event1"), 5, 7),
    Target("event of 4 MB over 1 MB, translated", _itself("innerevent4", "innerevent1"), 5, 7),
    Target("resident at the first start, MiB", _value("first resident"), 80, 90),
    Target("resident at a later start, MiB", _value("later resident"), 80, 90),
    Target("resident per open stream, KiB", _value("open KiB"), 18, 25),
    Target("added p50 at half load, ms", added("half", "whole 50"), 0.5, 1, 2),
    Target("first start to ready, s", _value("first ready"), 1.0, 1.5, 2),
    Target("later start to ready, s", _value("later ready"), 1.0, 1.5, 2),
)


def lines(found: Found) -> Iterator[list[str]]:
    """The cells of the targets whose parts were measured."""
    for target in TARGETS:
        values = target.made(found)
        if values:
            sign = "≥" if target.least else "≤"
            verdict = target.verdict(statistics.median(values))
            wanted = [f"{sign} {value:g}" for value in (target.target, target.must)]
            yield [target.name, shown(values, target.digits), *wanted, verdict]
