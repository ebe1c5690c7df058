"""Two ways to count behind one face: by numbers of our own, and by the objects of `prometheus_client`.

A request counts seven times. The library takes a lock and several calls for each, so a process that counts for itself
adds to its own numbers, and hands them to the library when they are asked for. Workers that share a directory count by
the library, which keeps its numbers in files there. Both tell the same, with one exception, which is the library's:
workers that share leave out when a series began (`_created`).

Our own numbers have no lock: they are for the thread of the event loop.
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

Count = Callable[[Labels, float], None]
"""Takes the values of the labels, in their order, and what is added to their number or, by a histogram, observed."""

M = TypeVar("M", Counter, Histogram)


class Counting(Protocol):
    """Makes families of numbers, and tells them all."""

    def counter(self, name: str, text: str, *labels: str) -> Count:
        """Numbers that only grow."""

    def gauge(self, name: str, text: str) -> Count:
        """A number that grows and shrinks."""

    def histogram(self, name: str, text: str, bounds: Sequence[float], *labels: str) -> Count:
        """`bounds`: the greatest values of the buckets, in ascending order; one more bucket has no bound."""

    def render(self) -> bytes:
        """Everything, in the text format of Prometheus."""


class OwnNumbers:
    """Counts for this process alone."""

    def __init__(self) -> None:
        self._collectors = CollectorRegistry()

    def counter(self, name: str, text: str, *labels: str) -> Count:
        family = _Counter(name, text, labels)
        self._collectors.register(family)
        return family.add

    def gauge(self, name: str, text: str) -> Count:
        family = _Gauge(name, text)
        self._collectors.register(family)
        return family.add

    def histogram(self, name: str, text: str, bounds: Sequence[float], *labels: str) -> Count:
        family = _Histogram(name, text, bounds, labels)
        self._collectors.register(family)
        return family.observe

    def render(self) -> bytes:
        return generate_latest(self._collectors)


class LibraryNumbers:
    """Counts for all processes that share a directory, if there is one."""

    def __init__(self, directory: str = "") -> None:
        """PROMETHEUS_MULTIPROC_DIR must name the directory before `prometheus_client` is imported, in every process."""
        self._directory = directory
        self._collectors = CollectorRegistry()

    def counter(self, name: str, text: str, *labels: str) -> Count:
        child = _children(Counter(name, text, labels, registry=self._collectors), labels)
        return lambda values, amount: child(values).inc(amount)

    def gauge(self, name: str, text: str) -> Count:
        gauge = Gauge(name, text, registry=self._collectors, multiprocess_mode="livesum")
        return lambda _, amount: gauge.inc(amount)

    def histogram(self, name: str, text: str, bounds: Sequence[float], *labels: str) -> Count:
        child = _children(Histogram(name, text, labels, buckets=bounds, registry=self._collectors), labels)
        return lambda values, amount: child(values).observe(amount)

    def render(self) -> bytes:
        registry = self._collectors
        if self._directory:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=self._directory)  # type: ignore[no-untyped-call]  # the package types all but this
        return generate_latest(registry)


def _children(family: M, labels: Labels) -> Callable[[Labels], M]:
    """`family.labels(...)` without its lock and its checks; a family without labels is its own child."""
    known: dict[Labels, M] = {} if labels else {(): family}

    def child(values: Labels) -> M:
        found = known.get(values)
        if found is None:
            found = known[values] = family.labels(*values)
        return found

    return child


class _Series:
    """One number, and when it began: seconds since 1970."""

    __slots__ = ("begun", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self.begun = time.time()


class _Counter:
    def __init__(self, name: str, text: str, labels: Labels) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._series: dict[Labels, _Series] = {} if labels else {(): _Series()}

    def add(self, values: Labels, amount: float) -> None:
        try:
            self._series[values].value += amount
        except KeyError:
            series = self._series[values] = _Series()
            series.value += amount

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

    def add(self, _values: Labels, amount: float) -> None:
        self._value += amount

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(self._name, self._text, value=self._value)


class _Distribution(_Series):
    """The sum of what was observed, and how often each bucket."""

    __slots__ = ("buckets",)

    def __init__(self, buckets: int) -> None:
        super().__init__()
        self.buckets = [0] * buckets


class _Histogram:
    def __init__(self, name: str, text: str, bounds: Sequence[float], labels: Labels) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._bounds = [*bounds, float("inf")]
        self._series: dict[Labels, _Distribution] = {} if labels else {(): _Distribution(len(self._bounds))}

    def observe(self, values: Labels, amount: float) -> None:
        try:
            series = self._series[values]
        except KeyError:
            series = self._series[values] = _Distribution(len(self._bounds))
        series.value += amount
        series.buckets[bisect_left(self._bounds, amount)] += 1

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
