"""Deleting what is over: in small batches, so that nobody waits long for the lock."""

from __future__ import annotations

from functools import partial

from sqlalchemy import ColumnElement, Table, and_, delete, exists, or_, select, tuple_, update

from gateway.store.connection import Connection, Work
from gateway.store.conversations import detach
from gateway.store.schema import conversations, events, idempotency, items, ledger, responses, stream_frames
from gateway.store.shared import DAY, Shared

BATCH = 500
FRAMES = 5_000
"""Frames are small, and many."""
GRACE = 3_600_000
"""Between the deletion and the purge: what was running may still name what was deleted."""


async def sweep(shared: Shared) -> dict[str, int]:
    """Delete everything that is over; how many rows of each table."""
    now, settings = shared.now(), shared.settings
    steps: dict[str, Work[int]] = {
        # Before the logs, which stay as long as a key stands for them.
        "idempotency": partial(_rows, idempotency, idempotency.c.expires <= now),
        "stream_frames": partial(_frames, now - settings.frames_minutes * 60_000),
        "responses": partial(_responses, now - GRACE),
        "items": partial(_conversation_items, now - GRACE),
        "conversations": partial(_conversations, now - GRACE),
        "events": partial(_rows, events, events.c.created < now - settings.events_minutes * 60_000),
    }
    if settings.ledger_days:
        steps["ledger"] = partial(_rows, ledger, ledger.c.created < now - settings.ledger_days * DAY)
    if settings.conversations_days:
        await _forget(shared, now - settings.conversations_days * DAY)
    gone = dict.fromkeys(steps, 0)
    for name, step in steps.items():
        while count := await shared.database.write(step):
            gone[name] += count
    return gone


async def _forget(shared: Shared, before: int) -> None:
    """Delete conversations that nobody has touched, as their owners would: they are purged after the grace."""
    old = and_(
        conversations.c.updated < before, conversations.c.deleted.is_(None), conversations.c.lock_token.is_(None)
    )

    async def work(connection: Connection) -> None:
        await connection.execute(update(conversations).where(old).values(deleted=shared.now()))

    await shared.database.write(work)


async def _rows(table: Table, over: ColumnElement[bool], connection: Connection) -> int:
    key = table.primary_key.columns
    if len(key) == 1:
        column = next(iter(key))
        chosen = select(column).where(over).limit(BATCH)
        return (await connection.execute(delete(table).where(column.in_(chosen)))).rowcount
    return (await connection.execute(delete(table).where(over))).rowcount


async def _frames(before: int, connection: Connection) -> int:
    """Logs of responses that ended long enough ago, and that no Idempotency-Key stands for."""
    claimed = exists().where(idempotency.c.owner == responses.c.owner, idempotency.c.response_id == responses.c.wire_id)
    old = and_(responses.c.logged, responses.c.completed < before, ~claimed)
    over = select(responses.c.id).where(old).limit(BATCH)
    keys = (await connection.execute(over)).scalars().all()
    if not keys:
        return 0
    key = tuple_(stream_frames.c.response_id, stream_frames.c.seq)
    some = select(*stream_frames.primary_key).where(stream_frames.c.response_id.in_(keys)).limit(FRAMES)
    gone: int = (await connection.execute(delete(stream_frames).where(key.in_(some)))).rowcount
    if gone < FRAMES:
        await connection.execute(update(responses).where(responses.c.id.in_(keys)).values(logged=False))
    return gone or 1


async def _responses(before: int, connection: Connection) -> int:
    """Responses that are deleted or expired, and that no other stands on. Parents follow in the next batch."""
    child = responses.alias()
    over = or_(responses.c.deleted < before, responses.c.expires < before)
    unused = ~exists().where(child.c.previous_response_id == responses.c.id)
    query = select(responses.c.id).where(over, unused, responses.c.completed.is_not(None)).limit(BATCH)
    keys = (await connection.execute(query)).scalars().all()
    if keys:
        mine = items.c.response_id.in_(keys)
        await connection.execute(delete(items).where(mine, items.c.conversation_id.is_(None)))
        await connection.execute(update(items).where(mine).values(response_id=None))
        await connection.execute(delete(responses).where(responses.c.id.in_(keys)))
    return len(keys)


async def _conversation_items(before: int, connection: Connection) -> int:
    """Items of deleted conversations; those of responses stay with these."""
    over = select(conversations.c.id).where(conversations.c.deleted < before)
    query = select(items.c.id).where(items.c.conversation_id.in_(over)).limit(BATCH)
    keys = (await connection.execute(query)).scalars().all()
    if keys:
        await detach(connection, items.c.id.in_(keys))
    return len(keys)


async def _conversations(before: int, connection: Connection) -> int:
    """Deleted conversations, which are empty by now."""
    query = select(conversations.c.id).where(conversations.c.deleted < before).limit(BATCH)
    keys = (await connection.execute(query)).scalars().all()
    if keys:
        mine = responses.c.conversation_id.in_(keys)
        await connection.execute(update(responses).where(mine).values(conversation_id=None))
        await connection.execute(delete(conversations).where(conversations.c.id.in_(keys)))
    return len(keys)
