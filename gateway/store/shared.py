"""What every part of the store works with, and the phrases that many statements need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Insert, Table, and_, bindparam, or_

from gateway.core import json
from gateway.store.database import Database
from gateway.store.ids import Kind, Ulids, body_of

if TYPE_CHECKING:
    from gateway.config import Store as Settings

HOUR = 3_600_000
DAY = 24 * HOUR
LEASE = 15_000
"""Milliseconds that a process may be silent before others take over what it was doing."""


@dataclass(frozen=True, slots=True)
class Shared:
    """`now`: milliseconds since 1970. `holder`: the name of this process in leases."""

    database: Database
    settings: Settings
    ulid: Ulids
    now: Callable[[], int]
    holder: str


def called(table: Table) -> ColumnElement[bool]:
    """Rows that a client calls what `names` tells: for statements that are made once."""
    either = or_(table.c.id == bindparam("the_id"), table.c.wire_id == bindparam("the_wire"))
    return and_(table.c.owner == bindparam("the_owner"), either)


def names(kind: Kind, owner: str, name: str) -> dict[str, str]:
    """The parameters of `called`; a name of another kind becomes one that no row has."""
    body = body_of(kind, name) or ""
    return {"the_owner": owner, "the_id": body.lower(), "the_wire": body}


def named(table: Table, kind: Kind, owner: str, name: str) -> ColumnElement[bool]:
    """`called` and `names` in one: for statements that are made when they are needed."""
    body = body_of(kind, name) or ""
    return and_(table.c.owner == owner, or_(table.c.id == body.lower(), table.c.wire_id == body))


@cache
def insert_unless_there(dialect: str, table: Table) -> Insert:
    """Insert, unless a unique key is there; PostgreSQL waits for another transaction that is inserting it."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - 3 MiB that SQLite does not need

        return postgresql.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - as above

    return sqlite.insert(table).on_conflict_do_nothing()


def dumped(value: object) -> str:
    return json.dumps(value).decode()


def loaded(text: str) -> Any:
    return json.loads(text.encode())
