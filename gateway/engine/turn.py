"""A turn (one run asked for by a client) and the sink that takes its answer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.dialects import Dialect
from gateway.errors import GatewayError
from gateway.upstreams import Hints, Model

__all__ = ["Hints", "Model", "Sink", "Turn", "Voice"]

Json = dict[str, Any]


class Voice(Protocol):
    """What an SSE answer says when the engine has nothing to say: `engine.channel` has it."""

    def keep_alive(self, silent_seconds: float) -> bytes:
        """What to send into a silence."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """An error in the client's dialect, and the end of the stream."""
        ...


class Sink(Protocol):
    """Where the engine puts a client's answer; an HTTP response in practice."""

    committed: bool
    """The status line is out: failures must now be told inside the stream."""

    async def document(self, body: bytes, headers: dict[str, str]) -> None:
        """Send a whole JSON answer with status 200."""
        ...

    def stream(self, headers: dict[str, str], voice: Voice) -> None:
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

    @property
    def model(self) -> str | None:
        """The model's name as the client says it; None when it says none that could be one."""
        name = self.document.get("model")
        return name if isinstance(name, str) else None
