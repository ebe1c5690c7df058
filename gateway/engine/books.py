"""The ledger's rows: one for each upstream call, attempts that failed among them. Putting one never waits."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from gateway.core.usage import UNTOLD, counts
from gateway.engine.turn import Turn
from gateway.errors import GatewayError
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

    def entry(self, turn: Turn, upstream: Upstream, attempt: int) -> Entry:
        """A context around one attempt, from before its call to its end, however it ends."""
        return Entry(self._store, turn, upstream, attempt)


class Entry:
    """One attempt, and its row."""

    __slots__ = ("_attempt", "_store", "_turn", "_upstream")

    def __init__(self, store: Store | None, turn: Turn, upstream: Upstream, attempt: int) -> None:
        self._store = store
        self._turn = turn
        self._upstream = upstream
        self._attempt = attempt

    def __enter__(self) -> None:
        self._turn.facts["usage"] = None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._store is None:
            return
        if error is None:
            status = "failed" if "error" in self._turn.facts else "completed"
        else:
            status = "failed" if isinstance(error, GatewayError) else "cancelled"
        self._store.ledger.put(_row(self._turn, self._upstream, self._attempt, status))


def _row(turn: Turn, upstream: Upstream, attempt: int, status: str) -> LedgerRow:
    facts = turn.facts
    told = facts["counts"] = counts(facts.get("usage"))
    return LedgerRow(  # without names, which would cost more than the row
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
