"""A turn (one run asked for by a client) and the sink that takes its answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.dialects import Dialect
from gateway.upstreams import Hints, Model

__all__ = ["Hints", "Model", "Sink", "Turn"]

Json = dict[str, Any]


class Sink(Protocol):
    """Where the engine puts a client's answer; an HTTP response in practice."""

    committed: bool
    """The status line is out: failures must now be told inside the stream."""

    async def document(self, body: bytes, headers: dict[str, str]) -> None:
        """Send a whole JSON answer with status 200."""
        ...

    def stream(self, headers: dict[str, str], keep_alive: Callable[[float], bytes]) -> None:
        """Announce an SSE answer. Nothing is sent until the first `write`, or until `limits.hold_seconds` passed."""
        ...

    async def write(self, data: bytes) -> None:
        """Send whole events, at once; the first call sends the status line."""
        ...

    async def finish(self) -> None:
        """End the stream in good order."""
        ...


@dataclass(slots=True)
class Turn:
    """One request for a run, still in the client's dialect.

    `facts` is what the log line and the metrics will tell about it; each step adds what it learns.
    """

    dialect: Dialect
    body: bytes
    document: Json
    request_id: str
    hints: Hints
    facts: Json = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
