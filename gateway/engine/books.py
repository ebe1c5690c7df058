"""The ledger's rows: one for each upstream call, attempts that failed among them. Putting one never waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gateway.core import usage
from gateway.engine.turn import Turn
from gateway.errors import GatewayError
from gateway.store.rows import LedgerRow
from gateway.upstreams import Upstream

if TYPE_CHECKING:
    from gateway.store import Store

Json = dict[str, Any]


class Books:
    """Writes down what upstream calls have used; without a store, nothing."""

    def __init__(self, store: Store | None) -> None:
        self._store = store

    def opened(self, turn: Turn) -> None:
        """Give a turn the id under which its rows stand."""
        if self._store is not None and not turn.id:
            turn.id = self._store.new_id()

    @contextmanager
    def entry(self, turn: Turn, upstream: Upstream, attempt: int) -> Iterator[None]:
        """One attempt, from before its call to its end, however it ends."""
        turn.facts["usage"] = None
        status = "cancelled"
        try:
            yield
            status = "failed" if "error" in turn.facts else "completed"
        except GatewayError:
            status = "failed"
            raise
        finally:
            if self._store is not None:
                self._store.ledger.put(_row(turn, upstream, attempt, status))


def _row(turn: Turn, upstream: Upstream, attempt: int, status: str) -> LedgerRow:
    facts = turn.facts
    told: Json = usage.counts(facts.get("usage"))
    return LedgerRow(
        turn_id=turn.id,
        owner=turn.hints.owner,
        surface=turn.dialect.name,
        upstream=upstream.name,
        model=facts.get("model") or "",
        attempt=attempt,
        key_id=facts.get("key"),
        account=upstream.account or None,
        status=status,
        usage_source="upstream" if told else "none",
        request_id=turn.request_id,
        **told,
    )
