"""`/v1/chat/completions` of before: a completion is kept as a response that was asked for in chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.core.metadata import need_metadata
from gateway.dialects.chat.stored import shown_id, stored_completion, stored_messages
from gateway.errors import NotFound
from gateway.store.rows import CONTINUABLE, StoredResponse
from gateway.surfaces.state.endpoint import Asked
from gateway.surfaces.state.lists import listed, page_of

if TYPE_CHECKING:
    from gateway.dialects import Choices
    from gateway.store import Store

Json = dict[str, Any]

SURFACE = "chat"
_AT_ONCE = 1_000


class Completions:
    """The handlers. Every one raises NotFound for what this owner does not have."""

    def __init__(self, store: Store, choices: Choices) -> None:
        self._rows = store.responses
        self._lists = store.completions
        self._choices = choices

    async def page(self, asked: Asked) -> None:
        """Those of a model, or with these pairs of metadata."""
        window = asked.query.window("asc")
        page = await self._lists.page(
            asked.owner,
            model=asked.query.text("model"),
            metadata=asked.query.metadata(),
            after=window.after,
            limit=window.limit,
            order=window.order,
        )
        await asked.answer(listed([self._shown(row) for row in page.rows], page.more))

    async def get(self, asked: Asked) -> None:
        await asked.answer(self._shown(await self._found(asked)))

    async def update(self, asked: Asked) -> None:
        """Replace the metadata."""
        metadata = need_metadata(await asked.body())
        row = await self._found(asked)
        await self._rows.set_metadata(asked.owner, row.key, dict(metadata))
        await asked.answer(self._shown(await self._found(asked)))

    async def delete(self, asked: Asked) -> None:
        row = await self._found(asked)
        await self._rows.delete(asked.owner, row.key)
        await asked.answer({"id": _name(row), "object": "chat.completion.deleted", "deleted": True})

    async def messages(self, asked: Asked) -> None:
        """The messages it was asked with. One may be several items, so they are counted over all of them."""
        window = asked.query.window("asc")
        row = await self._found(asked)
        items = await self._items(asked, row)
        messages = stored_messages(_name(row), row.request, items, self._choices)
        await asked.answer(page_of(messages, window))

    async def _items(self, asked: Asked, row: StoredResponse) -> list[Json]:
        found: list[Json] = []
        after: str | None = None
        while True:
            page = await self._lists.messages(asked.owner, row.key, after=after, limit=_AT_ONCE)
            rows = page.rows if page else ()  # none when it was deleted just now
            found += (item.body() for _, item in rows)
            if page is None or not page.more:
                return found
            after = f"{_name(row)}-{rows[-1][0]}"

    async def _found(self, asked: Asked) -> StoredResponse:
        row = await self._rows.response(asked.owner, asked.name("completion_id"))
        if row is None or row.surface != SURFACE or row.status not in CONTINUABLE:
            raise _unknown(asked)
        return row

    def _shown(self, row: StoredResponse) -> Json:
        response = {"created_at": row.created // 1000, **row.result}
        return stored_completion(_name(row), row.request, response, row.metadata, self._choices)


def _name(row: StoredResponse) -> str:
    """The id that its client saw; some servers give ids of another kind."""
    return row.wire_id if row.result.get("id") == row.wire_id else shown_id(row.wire_id)


def _unknown(asked: Asked) -> NotFound:
    return NotFound(f"Chat completion with id '{asked.name('completion_id')[:80]}' not found.")
