"""Two ways to count behind one face: by numbers of our own, and by the objects of `prometheus_client`.

A request counts seven times. The library takes a lock and several calls for each, so a process that counts for itself
adds to its own numbers, and hands them to the library when they are asked for. Workers that share a directory count by
the library, which keeps its numbers in files there. Both tell the same, with one exception, which is the library's:
workers that share leave out when a series began (`_created`).

Our own numbers have no lock: they are for the thread of the event loop.

A family is a dict: of a series that was counted before, finding it is one look-up, and counting one call.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Sample
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.utils import floatToGoString

Labels = tuple[str, ...]

Count = Callable[[float], None]
"""Takes what is added to a number or, by a histogram, observed."""

M = TypeVar("M", Counter, Histogram)


class Family(dict[Labels, Count]):
    """How to count, by the values of the labels in their order. A series begins when it is first asked for."""

    def __init__(self, begin: Callable[[Labels], Count]) -> None:
        super().__init__()
        self._begin = begin

    def __missing__(self, values: Labels) -> Count:
        count = self[values] = self._begin(values)
        return count


class Counting(Protocol):
    """Makes families of numbers, and tells them all."""

    def counter(self, name: str, text: str, *labels: str) -> Family:
        """Numbers that only grow. Without labels its one series, `()`, is there from the start."""

    def gauge(self, name: str, text: str) -> Count:
        """A number that grows and shrinks."""

    def histogram(self, name: str, text: str, bounds: Sequence[float], *labels: str) -> Family:
        """`bounds`: the greatest values of the buckets, in ascending order; one more bucket has no bound.

        Without labels as with `counter`.
        """

    def render(self) -> bytes:
        """Everything, in the text format of Prometheus."""


class OwnNumbers:
    """Counts for this process alone."""

    def __init__(self) -> None:
        self._collectors = CollectorRegistry()

    def counter(self, name: str, text: str, *labels: str) -> Family:
        numbers = _Counter(name, text, labels)
        self._collectors.register(numbers)
        return _begun(Family(numbers.begin), labels)

    def gauge(self, name: str, text: str) -> Count:
        number = _Gauge(name, text)
        self._collectors.register(number)
        return number.add

    def histogram(self, name: str, text: str, bounds: Sequence[float], *labels: str) -> Family:
        numbers = _Histogram(name, text, bounds, labels)
        self._collectors.register(numbers)
        return _begun(Family(numbers.begin), labels)

    def render(self) -> bytes:
        return generate_latest(self._collectors)


class LibraryNumbers:
    """Counts for all processes that share a directory, if there is one."""

    def __init__(self, directory: str = "") -> None:
        """PROMETHEUS_MULTIPROC_DIR must name the directory before `prometheus_client` is imported, in every process."""
        self._directory = directory
        self._collectors = CollectorRegistry()

    def counter(self, name: str, text: str, *labels: str) -> Family:
        numbers = Counter(name, text, labels, registry=self._collectors)
        return _begun(Family(lambda values: _child(numbers, values).inc), labels)

    def gauge(self, name: str, text: str) -> Count:
        return Gauge(name, text, registry=self._collectors, multiprocess_mode="livesum").inc

    def histogram(self, name: str, text: str, bounds: Sequence[float], *labels: str) -> Family:
        numbers = Histogram(name, text, labels, buckets=bounds, registry=self._collectors)
        return _begun(Family(lambda values: _child(numbers, values).observe), labels)

    def render(self) -> bytes:
        registry = self._collectors
        if self._directory:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=self._directory)  # type: ignore[no-untyped-call]  # the package types all but this
        return generate_latest(registry)


def _begun(family: Family, labels: Labels) -> Family:
    if not labels:
        _ = family[()]
    return family


def _child(numbers: M, values: Labels) -> M:
    """The series of these values; numbers without labels are their own."""
    return numbers.labels(*values) if values else numbers


class _Series:
    """One number, and when it began: seconds since 1970."""

    __slots__ = ("begun", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self.begun = time.time()

    def add(self, amount: float) -> None:
        self.value += amount


class _Counter:
    def __init__(self, name: str, text: str, labels: Labels) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._series: dict[Labels, _Series] = {}

    def begin(self, values: Labels) -> Count:
        series = self._series[values] = _Series()
        return series.add

    def collect(self) -> Iterator[CounterMetricFamily]:
        created = _tells_created()
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for values, series in self._series.items():
            family.add_metric(values, series.value, created=series.begun if created else None)
        yield family


class _Gauge:
    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._text = text
        self._value = 0.0

    def add(self, amount: float) -> None:
        self._value += amount

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(self._name, self._text, value=self._value)


class _Distribution(_Series):
    """The sum of what was observed, and how often each bucket."""

    __slots__ = ("_bounds", "buckets")

    def __init__(self, bounds: Sequence[float]) -> None:
        super().__init__()
        self._bounds = bounds
        self.buckets = [0] * len(bounds)

    def observe(self, amount: float) -> None:
        self.value += amount
        self.buckets[bisect_left(self._bounds, amount)] += 1


class _Histogram:
    def __init__(self, name: str, text: str, bounds: Sequence[float], labels: Labels) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._bounds = [*bounds, float("inf")]
        self._series: dict[Labels, _Distribution] = {}

    def begin(self, values: Labels) -> Count:
        series = self._series[values] = _Distribution(self._bounds)
        return series.observe

    def collect(self) -> Iterator[HistogramMetricFamily]:
        created = _tells_created()
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        names = [floatToGoString(bound) for bound in self._bounds]  # type: ignore[no-untyped-call]  # as in `render`
        for values, series in self._series.items():
            family.add_metric(values, list(zip(names, accumulate(series.buckets), strict=True)), series.value)
            if created:
                told = dict(zip(self._labels, values, strict=True))
                family.samples.append(Sample(f"{self._name}_created", told, series.begun))
        yield family


def _tells_created() -> bool:
    """Whether to tell when a series began.

    The library decides, by PROMETHEUS_DISABLE_CREATED_SERIES among others, and shows it only by what it does.
    """
    (family,) = Counter("any", "Any.", registry=None).collect()
    return any(sample.name.endswith("_created") for sample in family.samples)
