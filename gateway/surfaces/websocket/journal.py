"""What is logged and counted of the turns of a connection: the same as of an HTTP request."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gateway.surfaces.middleware.body import ClientLeft

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from gateway.engine.metrics import Metrics
    from gateway.surfaces.websocket.sink import TurnSink

Json = dict[str, Any]

METHOD = "WEBSOCKET"
"""What stands for the HTTP method of a turn."""


class Journal:
    """One for all connections."""

    def __init__(self, metrics: Metrics, log: FilteringBoundLogger) -> None:
        self._metrics = metrics
        self._log = log.bind()  # once: a lazy logger binds itself anew for every line

    @contextlib.contextmanager
    def connection(self) -> Iterator[None]:
        """While a connection is open."""
        self._metrics.websocket_opened()
        try:
            yield
        finally:
            self._metrics.websocket_closed()

    @contextlib.contextmanager
    def turn(self, request_id: str, facts: Json, sink: TurnSink) -> Iterator[None]:
        """One turn: its line in the log and its counts when it is over, however it ends. Failures pass through."""
        started = time.monotonic()
        try:
            yield
        except ClientLeft:
            facts["outcome"] = "client_left"
            self._metrics.cancelled()
            raise
        except asyncio.CancelledError:
            facts["outcome"] = "stopped"
            raise
        except BaseException:
            facts.update(outcome="failed", status=500)
            raise
        finally:
            self._record(request_id, facts, sink, started)

    def _record(self, request_id: str, facts: Json, sink: TurnSink, started: float) -> None:
        seconds = time.monotonic() - started
        waited = None if sink.first_at is None else sink.first_at - started
        status = facts.setdefault("status", 200 if sink.first_at is not None else 0)
        facts.setdefault("outcome", _outcome(status, facts))
        self._metrics.request("responses", METHOD, status, seconds=seconds, first_byte=waited)
        told = {name: value for name, value in facts.items() if value is not None}
        line = {"duration_ms": _milliseconds(seconds), "ttfb_ms": _milliseconds(waited), "request_id": request_id}
        write = self._log.warning if status >= 500 else self._log.info
        write("turn", **{**told, **line})


def _outcome(status: int, facts: Json) -> str:
    if status >= 500:
        return "failed"
    if status >= 400:
        return "refused"
    return "failed" if "error" in facts else "completed"


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
