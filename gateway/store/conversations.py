"""Conversations (threads, sessions): an ordered list of items that every surface can read and go on with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, or_, select, update

from gateway.errors import ConversationLocked, InvalidRequest, StoreUnavailable
from gateway.store import items as pieces
from gateway.store.connection import Connection
from gateway.store.ids import body_of
from gateway.store.leases import Leases
from gateway.store.rows import Conversation, Item, Json, NewItem, Order, Page
from gateway.store.schema import conversations, items
from gateway.store.shared import LEASE, Shared, called, dumped, loaded, named, names

_VISIBLE = and_(called(conversations), conversations.c.deleted.is_(None))
_GET = select(conversations).where(_VISIBLE).limit(1)
_KEY = select(conversations.c.id).where(_VISIBLE).limit(1)
_KEY_LOCKED = _KEY.with_for_update()
_ITEMS = (
    select(*pieces.SHOWN)
    .select_from(conversations.outerjoin(items, items.c.conversation_id == conversations.c.id))
    .where(_VISIBLE)
    .order_by(items.c.position)
)
_FREE = or_(conversations.c.lock_token.is_(None), conversations.c.lock_until < bindparam("now"))
_LOCK = update(conversations).where(_VISIBLE, _FREE).returning(conversations.c.id)
_UNLOCK = (
    update(conversations)
    .where(conversations.c.id == bindparam("the_key"), conversations.c.lock_token == bindparam("the_token"))
    .values(lock_token=None, lock_holder=None, lock_until=None)
)


class Conversations:
    """Every method answers None, or False, for a conversation that is unknown, deleted or another owner's."""

    def __init__(self, shared: Shared, leases: Leases) -> None:
        self._shared = shared
        self._database = shared.database
        self._leases = leases

    # the conversation itself ------------------------------------------------------------------------------------------

    async def create(
        self,
        owner: str,
        drafts: Sequence[NewItem] = (),
        *,
        id: str = "",  # noqa: A002 - the word for it
        metadata: Json | None = None,
        agent: str | None = None,
        title: str = "",
        state: Json | None = None,
    ) -> Conversation:
        """Begin a conversation, with items in it. `id`: one that the client chose.

        Raises InvalidRequest when the owner has a conversation of this id.
        """
        key, now = self._shared.ulid(), self._shared.now()
        row = {
            "id": key,
            "wire_id": body_of("conversation", id) or key,
            "owner": owner,
            "agent_id": agent,
            "title": title,
            "metadata": dumped(metadata or {}),
            "state": dumped(state or {}),
            "created": now,
            "updated": now,
        }

        async def work(connection: Connection) -> Conversation:
            if id and await _key(connection, owner, id) is not None:
                raise InvalidRequest(f"There is a conversation with id {id!r} already.", param="id")
            made = (await connection.execute(insert(conversations).returning(conversations), row)).one()
            await pieces.append(connection, self._shared, owner, drafts, conversation=key)
            return _conversation(made)

        return await self._database.write(work)

    async def get(self, owner: str, name: str) -> Conversation | None:
        rows = await self._database.rows(_GET, names("conversation", owner, name))
        return _conversation(rows[0]) if rows else None

    async def page(
        self, owner: str, *, after: str | None = None, limit: int = 20, order: Order = "desc"
    ) -> Page[Conversation]:
        """A page of the owner's conversations, in the order they were made.

        Raises UnknownCursor.
        """

        async def work(connection: Connection) -> Page[Conversation]:
            cursor = None
            if after is not None:
                cursor = await _key(connection, owner, after)
                if cursor is None:
                    raise pieces.unknown_cursor(after)
            return await pieces.page(
                connection,
                select(conversations).where(conversations.c.owner == owner, conversations.c.deleted.is_(None)),
                conversations.c.id,
                after=cursor,
                limit=limit,
                order=order,
                shown=_conversation,
            )

        return await self._database.read(work)

    async def update(
        self,
        owner: str,
        name: str,
        *,
        metadata: Json | None = None,
        title: str | None = None,
        title_state: str | None = None,
        state: Json | None = None,
    ) -> Conversation | None:
        """Replace what is given; the conversation as it is then."""
        words = {"title": title, "title_state": title_state}
        documents = {"metadata": metadata, "state": state}
        changes: Json = {name: value for name, value in words.items() if value is not None}
        changes |= {name: dumped(value) for name, value in documents.items() if value is not None}
        statement = (
            update(conversations)
            .where(_visible(owner, name))
            .values(changes | {"updated": self._shared.now()})
            .returning(conversations)
        )

        async def work(connection: Connection) -> Conversation | None:
            row = (await connection.execute(statement)).first()
            return None if row is None else _conversation(row)

        return await self._database.write(work)

    async def delete(self, owner: str, name: str) -> bool:
        """Make it unreachable at once; what it holds is purged later."""
        now = self._shared.now()
        # Its id is free again.
        emptied = {
            "wire_id": conversations.c.id,
            "deleted": now,
            "metadata": "{}",
            "state": "{}",
            "title": "",
            "share_id": None,
        }

        async def work(connection: Connection) -> bool:
            gone = await connection.execute(update(conversations).where(_visible(owner, name)).values(emptied))
            return gone.rowcount > 0

        return await self._database.write(work)

    # its items --------------------------------------------------------------------------------------------------------

    async def add(self, owner: str, name: str, drafts: Sequence[NewItem]) -> list[Item] | None:
        """Append items; the new ones."""

        async def work(connection: Connection) -> list[Item] | None:
            key = await _key(connection, owner, name)
            if key is None:
                return None
            return await pieces.append(connection, self._shared, owner, drafts, conversation=key)

        return await self._database.write(work)

    async def items(self, owner: str, name: str) -> list[Item] | None:
        """All of them, oldest first, in one query: what the model is sent."""
        rows = await self._database.rows(_ITEMS, names("conversation", owner, name))
        return [pieces.item_of(row) for row in rows if row.id is not None] if rows else None

    async def item_page(
        self, owner: str, name: str, *, after: str | None = None, limit: int = 20, order: Order = "desc"
    ) -> Page[Item] | None:
        """A page of its items.

        Raises UnknownCursor.
        """

        async def work(connection: Connection) -> Page[Item] | None:
            key = await _key(connection, owner, name)
            if key is None:
                return None
            listed = items.c.conversation_id == key
            return await pieces.item_page(
                connection, listed, items.c.position, owner, after=after, limit=limit, order=order
            )

        return await self._database.read(work)

    async def item(self, owner: str, name: str, item: str) -> Item | None:
        """One of its items."""
        query = (
            select(*pieces.SHOWN)
            .join_from(items, conversations, items.c.conversation_id == conversations.c.id)
            .where(_visible(owner, name), named(items, "item", owner, item))
            .limit(1)
        )
        rows = await self._database.rows(query)
        return pieces.item_of(rows[0]) if rows else None

    async def remove(self, owner: str, name: str, item: str) -> bool:
        """Take an item out; of a call and its result, the other half too. A response that made it keeps it."""

        async def work(connection: Connection) -> bool:
            key = await _key(connection, owner, name, lock=True)
            listed = items.c.conversation_id == key
            query = select(items.c.id, items.c.call_id).where(listed, named(items, "item", owner, item)).limit(1)
            row = (await connection.execute(query)).first()
            if row is None:
                return False
            gone = items.c.id == row.id
            if row.call_id is not None:
                gone = or_(gone, items.c.call_id == row.call_id)
            await detach(connection, and_(listed, gone))
            touched = update(conversations).where(conversations.c.id == key).values(updated=self._shared.now())
            await connection.execute(touched)
            return True

        return await self._database.write(work)

    # one response at a time -------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def lock(self, owner: str, name: str) -> AsyncIterator[str | None]:
        """Let nobody else run a response on it, in any process; gives its key.

        The lock of a process that died is free after a while. Raises ConversationLocked.
        """
        key, token = await self._lock(owner, name)
        if key is None:
            yield None
            return
        self._leases.hold(token)
        try:
            yield key
        finally:
            self._leases.drop(token)
            # A lock that cannot be given back ends by itself, and what was done under it is done.
            with suppress(StoreUnavailable):
                await self._unlock(key, token)

    async def _lock(self, owner: str, name: str) -> tuple[str | None, str]:
        token, now = self._shared.ulid(), self._shared.now()
        taking = names("conversation", owner, name) | {
            "now": now,
            "lock_token": token,
            "lock_holder": self._shared.holder,
            "lock_until": now + LEASE,
        }

        async def work(connection: Connection) -> str | None:
            key: str | None = (await connection.execute(_LOCK, taking)).scalar_one_or_none()
            if key is None and await _key(connection, owner, name) is not None:
                raise ConversationLocked(
                    "Another response is running on this conversation. Wait for its end.", param="conversation"
                )
            return key

        return await self._database.write(work), token

    async def _unlock(self, key: str, token: str) -> None:
        async def work(connection: Connection) -> None:
            await connection.execute(_UNLOCK, {"the_key": key, "the_token": token})

        await self._database.write(work)


async def detach(connection: Connection, gone: ColumnElement[bool]) -> None:
    """Take items out of their conversation; those that belong to no response are deleted."""
    await connection.execute(delete(items).where(gone, items.c.response_id.is_(None)))
    await connection.execute(update(items).where(gone).values(conversation_id=None, position=None))


def _visible(owner: str, name: str) -> ColumnElement[bool]:
    return and_(named(conversations, "conversation", owner, name), conversations.c.deleted.is_(None))


async def _key(connection: Connection, owner: str, name: str, *, lock: bool = False) -> str | None:
    asked = names("conversation", owner, name)
    key: str | None = (await connection.execute(_KEY_LOCKED if lock else _KEY, asked)).scalar_one_or_none()
    return key


def _conversation(row: Any) -> Conversation:
    return Conversation(
        key=row.id,
        wire_id=row.wire_id,
        owner=row.owner,
        agent=row.agent_id,
        title=row.title,
        title_state=row.title_state,
        metadata=loaded(row.metadata),
        state=loaded(row.state),
        created=row.created,
        updated=row.updated,
    )
