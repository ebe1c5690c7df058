"""Writing responses: the row of a turn, its items, and its end, each as a part of one transaction.

Statements that turns make are made once, here and in `items`: putting one together takes longer than running it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from gateway.errors import InvalidRequest, PreviousResponseNotFound
from gateway.store import items as pieces
from gateway.store.assembly import labels_of
from gateway.store.connection import Connection
from gateway.store.frames import write_frames
from gateway.store.ids import body_of
from gateway.store.rows import CONTINUABLE, REPLAY, Ending, Json, NewItem, NewResponse
from gateway.store.schema import conversations, responses, stream_frames
from gateway.store.shared import DAY, HOUR, LEASE, Shared, called, dumped, insert_unless_there, names
from gateway.store.watch import ring

_INSERT = insert(responses)
_MAKE_ROOM = (
    update(responses)
    .where(responses.c.owner == bindparam("the_owner"), responses.c.wire_id == bindparam("the_wire"))
    .values(wire_id=responses.c.id)
)
# Deleted ones count: the new response may have been running when it happened.
_PREVIOUS = select(responses.c.id).where(called(responses)).limit(1)
_CONVERSATION = select(conversations.c.id).where(called(conversations), conversations.c.deleted.is_(None)).limit(1)
_HELD = (
    select(responses.c.id, responses.c.owner, responses.c.conversation_id, responses.c.deleted)
    .where(
        responses.c.id == bindparam("the_key"),
        responses.c.completed.is_(None),
        responses.c.holder == bindparam("the_holder"),
    )
    .with_for_update()
)
_END = update(responses).where(responses.c.id == bindparam("the_key"))
_UNLOCK = (
    update(conversations)
    .where(conversations.c.id == bindparam("the_key"), conversations.c.lock_holder == bindparam("the_holder"))
    .values(lock_token=None, lock_holder=None, lock_until=None)
)
_FORGET_FRAMES = delete(stream_frames).where(stream_frames.c.response_id == bindparam("the_key"))


async def insert_response(
    shared: Shared, new: NewResponse, drafts: Sequence[NewItem], connection: Connection, *, running: bool
) -> str:
    """Write a response and its items; returns its key.

    Raises PreviousResponseNotFound or InvalidRequest when what it stands on is gone.
    """
    key = shared.ulid()
    now = shared.now()
    kept = _kept_for(shared, new)
    conversation = await _conversation(connection, new)
    row = {
        "id": key,
        "wire_id": body_of("response", new.id) or key,
        "owner": new.owner,
        "surface": new.surface,
        "model": new.model,
        "status": new.status,
        "conversation_id": conversation,
        # Before its own id is taken: a server that gives the same id again also continues it under that id.
        "previous_response_id": await _previous(connection, new),
        "agent_id": new.agent,
        "request": dumped(new.request),
        "result": dumped(_without_output(new.result)),
        "error": None if new.error is None else dumped(new.error),
        "metadata": dumped(dict(new.metadata)),
        "labels": labels_of(new.metadata),
        "background": new.background,
        "logged": new.logged,
        "holder": shared.holder if running else None,
        "lease": now + LEASE if running else None,
        "created": now,
        "completed": None if running else now,
        "expires": now + kept if kept else None,
    }
    if (await connection.execute(insert_unless_there(connection.dialect.name, responses), row)).rowcount == 0:
        # A server that gives the same id again means its newest response.
        await connection.execute(_MAKE_ROOM, {"the_owner": new.owner, "the_wire": row["wire_id"]})
        await connection.execute(_INSERT, row)
    shown_in = conversation if new.status in CONTINUABLE else None
    await pieces.append(connection, shared, new.owner, drafts, response=key, conversation=shown_in)
    return key


async def finish(shared: Shared, key: str, ending: Ending, connection: Connection, *, unlock: bool) -> bool:
    """Write the end of a response that this process holds; False when it does not."""
    row = (await connection.execute(_HELD, {"the_key": key, "the_holder": shared.holder})).first()
    if row is None:
        return False
    changes: Json = {"status": ending.status, "completed": shared.now(), "holder": None, "lease": None}
    if row.deleted is None:  # of a deleted one nothing is kept
        changes["result"] = dumped(_without_output(ending.result))
        changes["error"] = None if ending.error is None else dumped(ending.error)
        await _keep_items(shared, connection, row, ending)
        await write_frames(connection, ((key, frame) for frame in ending.frames))
    else:
        await forget_frames(connection, key)
    await connection.execute(_END, changes | {"the_key": key})
    if unlock and row.conversation_id is not None:
        await connection.execute(_UNLOCK, {"the_key": row.conversation_id, "the_holder": shared.holder})
    await ring(connection)
    return True


async def forget_frames(connection: Connection, key: str) -> None:
    await connection.execute(_FORGET_FRAMES, {"the_key": key})


def _kept_for(shared: Shared, new: NewResponse) -> int:
    """Milliseconds; 0: for ever."""
    settings = shared.settings
    return settings.idempotency_hours * HOUR if new.surface == REPLAY else settings.responses_days * DAY


async def _previous(connection: Connection, new: NewResponse) -> str | None:
    if new.previous is None:
        return None
    asked = names("response", new.owner, new.previous)
    key: str | None = (await connection.execute(_PREVIOUS, asked)).scalar_one_or_none()
    if key is None:
        message = f"Previous response with id {new.previous!r} not found."
        raise PreviousResponseNotFound(message, param="previous_response_id")
    return key


async def _conversation(connection: Connection, new: NewResponse) -> str | None:
    if new.conversation is None:
        return None
    asked = names("conversation", new.owner, new.conversation)
    key: str | None = (await connection.execute(_CONVERSATION, asked)).scalar_one_or_none()
    if key is None:
        raise InvalidRequest(f"Conversation with id {new.conversation!r} not found.", param="conversation")
    return key


async def _keep_items(shared: Shared, connection: Connection, row: Any, ending: Ending) -> None:
    """Its output, and with its input the end of its conversation."""
    conversation = row.conversation_id if ending.status in CONTINUABLE else None
    if conversation is not None:
        await pieces.attach(connection, shared, row.id, conversation)
    await pieces.append(connection, shared, row.owner, ending.drafts, response=row.id, conversation=conversation)


def _without_output(result: Json) -> Json:
    return {name: value for name, value in result.items() if name != "output"}
