"""Items: writing them, reading lists of them, cutting lists into pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, bindparam, insert, select, union_all, update

from gateway.errors import UnknownCursor
from gateway.store.connection import Connection
from gateway.store.ids import body_of
from gateway.store.rows import Item, NewItem, Order, Page
from gateway.store.rows import Row as RowType
from gateway.store.schema import Word, conversations, items
from gateway.store.shared import Shared, dumped, loaded, named

SHOWN = (
    items.c.id,
    items.c.wire_id,
    items.c.type,
    items.c.role,
    items.c.step,
    items.c.body,
    items.c.meta,
    items.c.created,
)
"""The columns of an `Item`."""

ASKED_AT_ONCE = 5_000
"""Ids in one query; both databases take at most about 32,000 parameters."""

_INSERT = insert(items)
_OF_RESPONSE = (
    select(items.c.id).where(items.c.response_id == bindparam("the_response")).order_by(items.c.step, items.c.seq)
)
_PLACE = update(items).where(items.c.id == bindparam("the_key"))
_TAKE_POSITIONS = (
    update(conversations)
    .where(conversations.c.id == bindparam("the_key"), conversations.c.deleted.is_(None))
    .values(next_position=conversations.c.next_position + bindparam("the_count"), updated=bindparam("now"))
    .returning(conversations.c.next_position)
)


def _taken_of(wires: Any) -> CompoundSelect[Any]:
    """Ids that are among these, each with its owner. Keys count too: a client may send back what a list showed it.

    Not with OR, and keys without their owner: SQLite would read all that the owner has, to find a few.
    """
    return union_all(
        select(items.c.wire_id, items.c.owner).where(
            items.c.owner == bindparam("the_owner"), items.c.wire_id.in_(wires)
        ),
        select(items.c.id, items.c.owner).where(items.c.id.in_(wires)),
    )


_FEW = [f"wire_{number}" for number in range(3)]
_TAKEN_OF_FEW = _taken_of([bindparam(name, type_=Word) for name in _FEW])
"""As many as most turns have. A list of any length is put into the statement's text each time, which costs more."""
_TAKEN_OF_MANY = _taken_of(bindparam("the_wires", type_=Word, expanding=True))


def item_of(row: Any) -> Item:
    """An item of a row that has the columns `SHOWN`."""
    return Item(
        key=row.id,
        wire_id=row.wire_id,
        type=row.type,
        role=row.role,
        step=row.step,
        text=row.body,
        meta=loaded(row.meta) if row.meta else None,
        created=row.created,
    )


async def append(
    connection: Connection,
    shared: Shared,
    owner: str,
    drafts: Sequence[NewItem],
    *,
    response: str | None = None,
    conversation: str | None = None,
) -> list[Item]:
    """Write items of a response, at the end of a conversation, or both. Costs what these items need.

    An item whose id another one of the owner has already gets a wire id of its own; its body stays as it is.
    """
    if not drafts:
        return []
    position = None if conversation is None else await take_positions(connection, shared, conversation, len(drafts))
    wanted = [body_of("item", draft.body.get("id")) for draft in drafts]
    taken = await _taken(connection, owner, [wire for wire in wanted if wire])
    rows = []
    for index, (draft, wish) in enumerate(zip(drafts, wanted, strict=True)):
        key = shared.ulid()
        wire = key if wish is None or wish in taken else wish
        taken.add(wire)
        row = _row(shared, owner, draft, key, wire) | {"response_id": response, "seq": index}
        if position is not None:
            row |= {"conversation_id": conversation, "position": position + index}
        rows.append(row)
    await connection.execute(_INSERT, rows)
    return [
        Item(row["id"], row["wire_id"], row["type"], row["role"], row["step"], row["body"], draft.meta, row["created"])
        for row, draft in zip(rows, drafts, strict=True)
    ]


def _row(shared: Shared, owner: str, draft: NewItem, key: str, wire: str) -> dict[str, Any]:
    body = draft.body
    return {
        "id": key,
        "wire_id": wire,
        "owner": owner,
        "step": draft.step,
        # Servers that leave the type out mean a message.
        "type": str(body.get("type") or "message"),
        "role": str(body.get("role") or ""),
        "call_id": str(body["call_id"]) if body.get("call_id") else None,
        "body": dumped(body),
        "meta": None if draft.meta is None else dumped(draft.meta),
        "created": shared.now(),
    }


async def attach(connection: Connection, shared: Shared, response: str, conversation: str) -> None:
    """Put the items of a response, which were kept beside it, at the end of its conversation."""
    keys = (await connection.execute(_OF_RESPONSE, {"the_response": response})).scalars().all()
    if not keys:
        return
    position = await take_positions(connection, shared, conversation, len(keys))
    if position is not None:
        places = [
            {"the_key": key, "conversation_id": conversation, "position": position + index}
            for index, key in enumerate(keys)
        ]
        await connection.execute(_PLACE, places)


async def take_positions(connection: Connection, shared: Shared, conversation: str, count: int) -> int | None:
    """The first of so many places at the end of a conversation; None when it is gone.

    The row stays locked until the transaction ends, so that places are filled in their order.
    """
    asked = {"the_key": conversation, "the_count": count, "now": shared.now()}
    end: int | None = (await connection.execute(_TAKE_POSITIONS, asked)).scalar_one_or_none()
    return None if end is None else end - count


async def _taken(connection: Connection, owner: str, wires: Sequence[str]) -> set[str]:
    found: list[Any] = []
    if 0 < len(wires) <= len(_FEW):
        asked = dict(zip_longest(_FEW, wires, fillvalue=wires[0]))
        found += (await connection.execute(_TAKEN_OF_FEW, asked | {"the_owner": owner})).all()
    else:
        for start in range(0, len(wires), ASKED_AT_ONCE):
            part = {"the_owner": owner, "the_wires": wires[start : start + ASKED_AT_ONCE]}
            found += (await connection.execute(_TAKEN_OF_MANY, part)).all()
    return {name for name, whose in found if whose == owner}


async def page(
    connection: Connection,
    query: Select[Any],
    column: ColumnElement[Any],
    *,
    after: Any,
    limit: int,
    order: Order,
    shown: Callable[[Any], RowType],
) -> Page[RowType]:
    """Part of a list that is ordered by `column`. `after`: the value of the row before it."""
    down = order == "desc"
    if after is not None:
        query = query.where(column < after if down else column > after)
    # One more than asked for tells whether the list goes on.
    query = query.order_by(column.desc() if down else column.asc()).limit(limit + 1)
    rows = (await connection.execute(query)).all()
    return Page([shown(row) for row in rows[:limit]], len(rows) > limit)


async def item_page(
    connection: Connection,
    listed: ColumnElement[bool],
    column: ColumnElement[Any],
    owner: str,
    *,
    after: str | None,
    limit: int,
    order: Order,
) -> Page[Item]:
    """A page of the items that `listed` chooses.

    Raises UnknownCursor.
    """
    cursor = None
    if after is not None:
        query = select(column).where(listed, named(items, "item", owner, after))
        cursor = (await connection.execute(query)).scalars().first()
        if cursor is None:
            raise unknown_cursor(after)
    query = select(*SHOWN).where(listed)
    return await page(connection, query, column, after=cursor, limit=limit, order=order, shown=item_of)


def unknown_cursor(after: str) -> UnknownCursor:
    return UnknownCursor(f"after must be an id of this list, not {after[:80]!r}.", param="after")
