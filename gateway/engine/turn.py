"""A turn (one run asked for by a client) and the sink that takes its answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.core.repair import Repair
from gateway.dialects import Dialect, Exchange
from gateway.errors import GatewayError
from gateway.upstreams import Hints, Model

__all__ = ["Hints", "Model", "Record", "Sink", "Turn", "Voice"]

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
    offers: bool
    """Whether `offer` is worth asking: only then are events made before it is known that they can be written."""

    async def document(self, body: bytes, headers: dict[str, str]) -> None:
        """Send a whole JSON answer with status 200."""
        ...

    def stream(self, headers: dict[str, str], voice: Voice) -> None:
        """Announce an SSE answer. Nothing is sent until the first `write`, or until `limits.hold_seconds` passed."""
        ...

    async def write(self, data: bytes) -> None:
        """Send whole events, at once; the first call sends the status line."""
        ...

    def offer(self, data: bytes) -> bool:
        """`write`, if nothing has to be waited for. False: nothing was done."""
        ...

    async def finish(self, data: bytes = b"") -> None:
        """End the stream in good order, after these last events."""
        ...


class Record(Protocol):
    """What a turn leaves in the store: `engine.state` has it."""

    def asking(self, origin: str) -> None:
        """An upstream is about to be asked; the last one is who answers. `origin`: see `Upstream.origin`."""
        ...

    def watch(self, exchange: Exchange, repair: Repair, encode: Callable[..., bytes] | None) -> None:
        """A stream has been opened: `repair` knows what it has said so far. `encode`: its frames for the client."""
        ...

    async def ended(self, exchange: Exchange, response: Json) -> None:
        """Keep the response, which has ended, before the client hears of it."""
        ...


@dataclass(slots=True)
class Turn:
    """One request for a run, still in the client's dialect.

    `facts` is what the log line and the metrics will tell about it; each step adds what it learns. `id`: what the
    ledger calls it. `once`: the client's Idempotency-Key, "" without one. `record`: who keeps the answer; None when
    nobody does. `response_id`: the id that the response gets; "" leaves it the upstream's. `origins`: of reasoning in
    the input, by its place, who can read it (`Upstream.origin`), where that is known. `places`: where each item of the
    input stood in what the client sent, -1 for what was put there; () when all stand as they were sent.
    """

    dialect: Dialect
    body: bytes
    document: Json
    request_id: str
    hints: Hints
    facts: Json = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    id: str = ""
    once: str = ""
    record: Record | None = None
    response_id: str = ""
    origins: Mapping[int, str] = field(default_factory=dict)
    places: Sequence[int] = ()

    @property
    def model(self) -> str | None:
        """The model's name as the client says it; None when it says none that could be one."""
        name = self.document.get("model")
        return name if isinstance(name, str) else None
