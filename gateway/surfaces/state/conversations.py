"""`/v1/conversations`: conversations and their items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.metadata import need_metadata, read_metadata
from gateway.core.response import without_item_secrets
from gateway.errors import NotFound
from gateway.store.rows import Conversation, NewItem
from gateway.surfaces.state import showing
from gateway.surfaces.state.endpoint import Asked
from gateway.surfaces.state.items import need_items, read_items
from gateway.surfaces.state.lists import listed

if TYPE_CHECKING:
    from gateway.store import Store


class Conversations:
    """The handlers. Every one raises NotFound for what this owner does not have."""

    def __init__(self, store: Store) -> None:
        self._rows = store.conversations

    async def create(self, asked: Asked) -> None:
        """A conversation, empty or with items; the body may be absent."""
        body = await asked.body(may_be_empty=True)
        drafts = [NewItem(without_item_secrets(item), step=0) for item in read_items(body.get("items"))]
        metadata = read_metadata(body.get("metadata"))
        row = await self._rows.create(asked.owner, drafts, metadata=dict(metadata))
        await asked.answer(showing.conversation(row))

    async def get(self, asked: Asked) -> None:
        await asked.answer(showing.conversation(await self._found(asked)))

    async def update(self, asked: Asked) -> None:
        """Replace the metadata."""
        metadata = need_metadata(await asked.body())
        row = await self._rows.update(asked.owner, asked.name("conversation_id"), metadata=dict(metadata))
        if row is None:
            raise _unknown(asked)
        await asked.answer(showing.conversation(row))

    async def delete(self, asked: Asked) -> None:
        """Unreachable at once, with its items."""
        row = await self._found(asked)
        await self._rows.delete(asked.owner, row.key)
        await asked.answer({"id": f"conv_{row.wire_id}", "object": "conversation.deleted", "deleted": True})

    # its items --------------------------------------------------------------------------------------------------------

    async def add_items(self, asked: Asked) -> None:
        """Append items; the answer lists the new ones."""
        wanted = asked.query.include()
        drafts = [NewItem(without_item_secrets(item), step=0) for item in need_items(await asked.body())]
        rows = await self._rows.add(asked.owner, asked.name("conversation_id"), drafts)
        if rows is None:
            raise _unknown(asked)
        await asked.answer(listed([showing.item(row, wanted) for row in rows], more=False))

    async def list_items(self, asked: Asked) -> None:
        wanted, window = asked.query.include(), asked.query.window("desc")
        page = await self._rows.item_page(
            asked.owner, asked.name("conversation_id"), after=window.after, limit=window.limit, order=window.order
        )
        if page is None:
            raise _unknown(asked)
        await asked.answer(listed([showing.item(row, wanted) for row in page.rows], page.more))

    async def get_item(self, asked: Asked) -> None:
        wanted = asked.query.include()
        conversation = await self._found(asked)
        row = await self._rows.item(asked.owner, conversation.key, asked.name("item_id"))
        if row is None:
            raise _unknown_item(asked)
        await asked.answer(showing.item(row, wanted))

    async def delete_item(self, asked: Asked) -> None:
        """Take it out; the answer is the conversation."""
        conversation = await self._found(asked)
        if not await self._rows.remove(asked.owner, conversation.key, asked.name("item_id")):
            raise _unknown_item(asked)
        await asked.answer(showing.conversation(conversation))

    async def _found(self, asked: Asked) -> Conversation:
        row = await self._rows.get(asked.owner, asked.name("conversation_id"))
        if row is None:
            raise _unknown(asked)
        return row


def _unknown(asked: Asked) -> NotFound:
    return NotFound(f"Conversation with id '{asked.name('conversation_id')[:80]}' not found.")


def _unknown_item(asked: Asked) -> NotFound:
    return NotFound(f"Item with id '{asked.name('item_id')[:80]}' not found.")
