"""Rows of responses, put together as values; and the conditions and labels that lists of them share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, bindparam, or_, select

from gateway.store.connection import Connection
from gateway.store.rows import Json, StoredResponse
from gateway.store.schema import items, responses
from gateway.store.shared import dumped, loaded

_OUTPUTS = (
    select(items.c.response_id, items.c.body)
    .where(items.c.response_id.in_(bindparam("the_keys", type_=Text, expanding=True)), items.c.step > 0)
    .order_by(items.c.response_id, items.c.step, items.c.seq)
)


def alive(now: ColumnElement[int] | int) -> ColumnElement[bool]:
    """Neither deleted nor expired."""
    return and_(responses.c.deleted.is_(None), or_(responses.c.expires.is_(None), responses.c.expires > now))


def labels_of(metadata: Any) -> str:
    """Metadata as lines, so that a pair can be searched for. JSON has no line ends inside."""
    return "".join(label_of(name, value) for name, value in metadata.items())


def label_of(name: str, value: object) -> str:
    return f"\n{dumped([name, value])}\n"


async def assembled(connection: Connection, rows: Sequence[Any]) -> list[StoredResponse]:
    """Responses of rows, with their outputs, in one more query."""
    outputs: dict[str, list[Json]] = {row.id: [] for row in rows}
    for item in (await connection.execute(_OUTPUTS, {"the_keys": list(outputs)})).all():
        outputs[item.response_id].append(loaded(item.body))
    return [_stored(row, outputs[row.id]) for row in rows]


def _stored(row: Any, output: list[Json]) -> StoredResponse:
    metadata = loaded(row.metadata)
    result = loaded(row.result)
    now = {"output": output, "status": row.status, "metadata": metadata}
    return StoredResponse(
        key=row.id,
        wire_id=row.wire_id,
        owner=row.owner,
        surface=row.surface,
        model=row.model,
        status=row.status,
        previous=row.previous_response_id,
        conversation=row.conversation_id,
        agent=row.agent_id,
        request=loaded(row.request),
        result=result | now,
        error=loaded(row.error) if row.error else None,
        metadata=metadata,
        background=row.background,
        logged=row.logged,
        cancel_asked=row.cancel is not None,
        created=row.created,
        completed=row.completed,
    )
