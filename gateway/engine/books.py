"""The ledger's rows: one for each upstream call, attempts that failed among them. Putting one never waits."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from gateway.core.usage import UNTOLD, counts
from gateway.engine.turn import Turn
from gateway.store.rows import LedgerRow
from gateway.upstreams import Upstream

if TYPE_CHECKING:
    from gateway.store import Store


class Books:
    """Writes down what upstream calls have used; without a store, nothing."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._process = "" if store is None else store.new_id()
        self._turns = count(1)

    def opened(self, turn: Turn) -> None:
        """Give a turn the id under which its rows stand, unless it has one.

        One that is kept may give it to its answer. For any other the process and a number do, which are cheaper.
        """
        if self._store is not None and not turn.id:
            kept = turn.record is not None
            turn.id = self._store.new_id() if kept else f"{self._process}.{next(self._turns)}"

    def put(self, turn: Turn, upstream: Upstream, attempt: int, status: str) -> None:
        """Write down an attempt that is over, however it ended."""
        if self._store is None:
            return
        facts = turn.facts
        told = facts["counts"] = counts(facts.get("usage"))
        row = LedgerRow(  # without names, which would cost more than the row
            turn.id,
            turn.hints.owner,
            turn.dialect.name,
            upstream.name,
            facts.get("model") or "",
            attempt,
            facts.get("key"),
            upstream.account or None,
            status,
            *told,
            "none" if told == UNTOLD else "upstream",
            turn.request_id,
        )
        self._store.ledger.put(row)
