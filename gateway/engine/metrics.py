"""What the gateway counts, in the Prometheus format.

Labels are bounded: every value comes from a closed list, from the settings, or is "other". Models named by clients,
paths and keys are never labels.

Several workers: each process counts for itself, unless they share a directory. `Metrics(directory=...)` then reports
the sum; the environment variable PROMETHEUS_MULTIPROC_DIR must name that empty directory before `prometheus_client` is
imported, in every process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.core import usage

CONTENT_TYPE: str = CONTENT_TYPE_LATEST
OTHER = "other"

_SURFACES = frozenset({"chat", "completions", "responses", "conversations", "models", "passthrough", "system"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"})
"""Of HTTP, and what stands for it where a turn was asked for over a WebSocket."""
_STATUSES = frozenset(int(status) for status in HTTPStatus)
_REFRESHES = frozenset({"refreshed", "permanent", "transient", "uncertain", "replaced", "unsaved", "blocked"})

_KINDS = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cached_tokens": "cached",
    "reasoning_tokens": "reasoning",
}

_WAITS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
"""Models think: from a cached answer to minutes of reasoning (seconds)."""

_OWN = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
"""The gateway's own time before it calls the upstream: a few tenths of a millisecond when all is well (seconds)."""

M = TypeVar("M", Counter, Histogram)


class Metrics:
    """One registry a process; every method is a dictionary look-up and an addition."""

    def __init__(self, upstreams: Iterable[str] = (), *, directory: str = "") -> None:
        """`upstreams`: the configured names. `directory`: shared by all workers; "" when there is one."""
        self._directory = directory
        self._registry = CollectorRegistry()
        self._upstreams = frozenset(upstreams)
        self._requests = self._counter("requests", "Requests by their final status.", "surface", "method", "status")
        self._duration = self._histogram("request_seconds", "Whole duration of a request.", _WAITS, "surface")
        self._first_byte = self._histogram("first_byte_seconds", "Time until the status line left.", _WAITS, "surface")
        self._added = self._histogram("added_seconds", "The gateway's own time before the upstream call.", _OWN)
        self._tokens = self._counter("tokens", "Tokens the upstream reported.", "kind")
        self._upstream = self._counter("upstream_answers", "Answers of upstreams.", "upstream", "status")
        self._retries = self._counter("retries", "Upstream calls made again.", "upstream")
        self._refreshes = self._counter("token_refreshes", "Refreshes of the login.", "outcome")
        self._cancelled = self._counter("cancelled", "Requests whose client left before the end.")
        self._open = Gauge(
            "gateway_open_streams",
            "Streams being sent now.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._sockets = Gauge(
            "gateway_open_websockets",
            "WebSocket connections of clients.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._children: dict[tuple[object, ...], Any] = {}

    def request(
        self, surface: str, method: str, status: int, *, seconds: float, first_byte: float | None = None
    ) -> None:
        """A request is over. `status`: 0 when nothing was sent; `first_byte`: seconds until the status line."""
        surface = surface if surface in _SURFACES else OTHER
        method = method if method in _METHODS else OTHER
        family = f"{status // 100}xx" if 100 <= status < 600 else "none"
        self._child(self._requests, surface, method, family).inc()
        self._child(self._duration, surface).observe(seconds)
        if first_byte is not None:
            self._child(self._first_byte, surface).observe(first_byte)

    def added(self, seconds: float) -> None:
        """The gateway's own time between a request's arrival and its upstream call."""
        self._added.observe(seconds)

    def tokens(self, counts: Mapping[str, int]) -> None:
        """Count tokens by their kind, as `token_counts` has them."""
        for kind, count in counts.items():
            self._child(self._tokens, kind).inc(count)

    def stream_opened(self) -> None:
        self._open.inc()

    def stream_closed(self) -> None:
        self._open.dec()

    def websocket_opened(self) -> None:
        self._sockets.inc()

    def websocket_closed(self) -> None:
        self._sockets.dec()

    def upstream_answer(self, upstream: str, status: int) -> None:
        """An upstream answered; `status` 0 when there was no answer."""
        code = str(status) if status in _STATUSES else "none" if status == 0 else OTHER
        self._child(self._upstream, self._name(upstream), code).inc()

    def retried(self, upstream: str) -> None:
        self._child(self._retries, self._name(upstream)).inc()

    def token_refresh(self, outcome: str) -> None:
        """`outcome`: one of those that `oauth.source.TokenSource` tells."""
        self._child(self._refreshes, outcome if outcome in _REFRESHES else OTHER).inc()

    def cancelled(self) -> None:
        """A client left before its answer was complete."""
        self._cancelled.inc()

    def render(self) -> bytes:
        """Everything, in the text format of `CONTENT_TYPE`."""
        registry = self._registry
        if self._directory:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=self._directory)  # type: ignore[no-untyped-call]  # the package types all but this
        return generate_latest(registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"gateway_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"gateway_{name}", text, labels, buckets=buckets, registry=self._registry)

    def _name(self, upstream: str) -> str:
        return upstream if upstream in self._upstreams else OTHER

    def _child(self, family: M, *labels: str) -> M:
        """`family.labels(...)` without its lock and its checks."""
        key = (family, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = family.labels(*labels)
        found: M = child
        return found


def token_counts(told: object) -> dict[str, int]:
    """input, output, cached and reasoning tokens of a usage object, in Responses or chat form; only what is told."""
    return {_KINDS[name]: count for name, count in usage.counts(told).items() if name in _KINDS}
