"""The session store: responses, conversations, usage, streams to resume. SQLAlchemy Core on SQLite or PostgreSQL.

    async with Store(settings.store, workdir) as store:
        store.responses       save · begin · start · finish · response · history · input_items · cancel · delete
        store.conversations   create · get · page · update · delete · add · items · item_page · item · remove · lock
        store.completions     lists of stored chat completions, and their messages
        store.frames          the frames of running responses: append · read · follow
        store.recovery        what dead processes left: end_interrupted · claim_queued · keep
        store.idempotency     claim · release
        store.signals         send · listen, across processes
        store.ledger          put: never waits, never raises
        store.sweep · store.stats · store.export

Rules: an owner sees only his own rows, and a guessed id answers like an unknown one (None, False). It knows Responses
items and response objects as JSON, and no dialect, no HTTP and no settings beyond its own section. Engine and surfaces
import it; it imports core and errors. `rows` has the values, `schema` the tables.

Below them: `database` is opened, read and written; `sqlite` (threads) and `postgresql` (a pool) are its two kinds;
`connection` says what work on it may do; `versions` makes the tables and `migrate` changes them.

Importing this package is cheap. `Store` brings SQLAlchemy's core, 15 MiB and a fifth of a second, when it is first
named; its ORM, greenlet and the dialect of PostgreSQL come only with PostgreSQL, Alembic only in a process of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.store.store import Store

__all__ = ["Store"]


def __getattr__(name: str) -> object:
    if name == "Store":
        from gateway.store.store import Store  # noqa: PLC0415 - the point of this function

        return Store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
