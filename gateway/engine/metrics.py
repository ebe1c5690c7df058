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

from prometheus_client import CONTENT_TYPE_LATEST

from gateway.core.usage import Counts
from gateway.engine.counting import Counting, LibraryNumbers, OwnNumbers

CONTENT_TYPE: str = CONTENT_TYPE_LATEST
OTHER = "other"

_SURFACES = frozenset({"chat", "completions", "responses", "conversations", "models", "passthrough", "system"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"})
"""Of HTTP, and what stands for it where a turn was asked for over a WebSocket."""
_FAMILIES = {status: f"{status // 100}xx" for status in range(100, 600)}
_STATUSES = {0: "none", **{int(status): str(int(status)) for status in HTTPStatus}}
_REFRESHES = frozenset({"refreshed", "permanent", "transient", "uncertain", "replaced", "unsaved", "blocked"})

_WAITS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
"""Models think: from a cached answer to minutes of reasoning (seconds)."""

_OWN = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
"""The gateway's own time before it calls the upstream: a few tenths of a millisecond when all is well (seconds)."""


class Metrics:
    """What is counted; every method is a few look-ups and additions. Only for the thread of the event loop."""

    def __init__(self, upstreams: Iterable[str] = (), *, directory: str = "") -> None:
        """`upstreams`: the configured names. `directory`: shared by all workers; "" when each counts for itself."""
        self._names = {name: name for name in upstreams}
        self._numbers: Counting = LibraryNumbers(directory) if directory else OwnNumbers()
        counter, histogram, gauge = self._numbers.counter, self._numbers.histogram, self._numbers.gauge
        self._requests = counter("gateway_requests", "Requests by their final status.", "surface", "method", "status")
        self._duration = histogram("gateway_request_seconds", "Whole duration of a request.", _WAITS, "surface")
        self._first_byte = histogram(
            "gateway_first_byte_seconds", "Time until the status line left.", _WAITS, "surface"
        )
        self.added = histogram("gateway_added_seconds", "The gateway's own time before the upstream call.", _OWN)[()]
        """Takes the gateway's own time between a request's arrival and its upstream call, in seconds."""
        self._tokens = counter("gateway_tokens", "Tokens the upstream reported.", "kind")
        self._upstream = counter("gateway_upstream_answers", "Answers of upstreams.", "upstream", "status")
        self._retries = counter("gateway_retries", "Upstream calls made again.", "upstream")
        self._refreshes = counter("gateway_token_refreshes", "Refreshes of the login.", "outcome")
        self._cancelled = counter("gateway_cancelled", "Requests whose client left before the end.")[()]
        self._open = gauge("gateway_open_streams", "Streams being sent now.")
        self._sockets = gauge("gateway_open_websockets", "WebSocket connections of clients.")

    def request(
        self, surface: str, method: str, status: int, *, seconds: float, first_byte: float | None = None
    ) -> None:
        """A request is over. `status`: 0 when nothing was sent; `first_byte`: seconds until the status line."""
        surface = surface if surface in _SURFACES else OTHER
        method = method if method in _METHODS else OTHER
        self._requests[surface, method, _FAMILIES.get(status, "none")](1)
        self._duration[(surface,)](seconds)
        if first_byte is not None:
            self._first_byte[(surface,)](first_byte)

    def tokens(self, counts: Mapping[str, int]) -> None:
        """Count tokens by their kind, as `token_counts` has them."""
        for kind, count in counts.items():
            self._tokens[(kind,)](count)

    def stream_opened(self) -> None:
        self._open(1)

    def stream_closed(self) -> None:
        self._open(-1)

    def websocket_opened(self) -> None:
        self._sockets(1)

    def websocket_closed(self) -> None:
        self._sockets(-1)

    def upstream_answer(self, upstream: str, status: int) -> None:
        """An upstream answered; `status` 0 when there was no answer."""
        self._upstream[self._names.get(upstream, OTHER), _STATUSES.get(status, OTHER)](1)

    def retried(self, upstream: str) -> None:
        self._retries[(self._names.get(upstream, OTHER),)](1)

    def token_refresh(self, outcome: str) -> None:
        """`outcome`: one of those that `oauth.source.TokenSource` tells."""
        self._refreshes[(outcome if outcome in _REFRESHES else OTHER,)](1)

    def cancelled(self) -> None:
        """A client left before its answer was complete."""
        self._cancelled(1)

    def render(self) -> bytes:
        """Everything, in the text format of `CONTENT_TYPE`."""
        return self._numbers.render()


def token_counts(told: Counts) -> dict[str, int]:
    """Those that are told, by the names that the log and the metrics have for them."""
    read, cached, _, written, reasoning = told
    counts = {}
    if read is not None:
        counts["input"] = read
    if written is not None:
        counts["output"] = written
    if cached is not None:
        counts["cached"] = cached
    if reasoning is not None:
        counts["reasoning"] = reasoning
    return counts
