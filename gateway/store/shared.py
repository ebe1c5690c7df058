"""What every part of the store works with, and the two phrases that every query needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Table, and_, false, or_

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


def named(table: Table, kind: Kind, owner: str, name: str) -> ColumnElement[bool]:
    """Rows of this owner that a client calls `name`; none when the name is of another kind."""
    body = body_of(kind, name)
    if body is None:
        return false()
    return and_(table.c.owner == owner, or_(table.c.id == body.lower(), table.c.wire_id == body))


def dumped(value: object) -> str:
    return json.dumps(value).decode()


def loaded(text: str) -> Any:
    return json.loads(text.encode())
