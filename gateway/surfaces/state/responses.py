"""`/v1/responses/{id}`: what turns have left, and stopping those that run."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from gateway.errors import InvalidRequest, NotFound
from gateway.store.ids import body_of
from gateway.store.rows import StoredResponse
from gateway.surfaces.state import showing
from gateway.surfaces.state.endpoint import Asked
from gateway.surfaces.state.lists import listed
from gateway.surfaces.state.replay import replay

if TYPE_CHECKING:
    from gateway.store import Store

CANCEL_SECONDS = 10.0
"""How long a cancel waits for whoever runs the response to stop; then it is answered with the response as it is."""

_LAST_NUMBER = 2**31 - 1
"""No event has a higher number: who follows a response from here on reads nothing but its end."""

_POLL = {"openai-poll-after-ms": "1000"}
"""For the helpers of SDKs that ask again until a response has ended."""


class Responses:
    """The handlers. Every one raises NotFound for what this owner does not have."""

    def __init__(self, store: Store, *, cancel_seconds: float = CANCEL_SECONDS) -> None:
        self._rows = store.responses
        self._frames = store.frames
        self._cancel_seconds = cancel_seconds

    async def get(self, asked: Asked) -> None:
        """The response as of now, or its stream."""
        wanted = asked.query.include()
        after = asked.query.integer("starting_after", low=0, high=_LAST_NUMBER)
        stream = asked.query.flag("stream")
        row = await self._found(asked)
        if stream:
            await replay(asked, row, self._frames, after=-1 if after is None else after)
        else:
            await self._show(asked, row, wanted)

    async def delete(self, asked: Asked) -> None:
        """Unreachable at once; those that continue it keep what they stand on."""
        name = asked.name("response_id")
        if not await self._rows.delete(asked.owner, name):
            raise _unknown(asked)
        body = body_of("response", name)
        shown = name if body == name else f"resp_{body}"
        await asked.answer({"id": shown, "object": "response", "deleted": True})

    async def cancel(self, asked: Asked) -> None:
        """Stop a background response, and answer once it has stopped; one that has ended stays as it is."""
        row = await self._found(asked)
        if not row.background:
            raise InvalidRequest("Cannot cancel a synchronous response.")
        if not row.ended:
            await self._rows.cancel(asked.owner, row.key)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._cancel_seconds):
                    async for _ in self._frames.follow(row.key, after=_LAST_NUMBER):
                        pass
            row = await self._found(asked)
        await self._show(asked, row, frozenset())

    async def input_items(self, asked: Asked) -> None:
        """What was new in its input."""
        wanted, window = asked.query.include(), asked.query.window("desc")
        page = await self._rows.input_items(
            asked.owner, asked.name("response_id"), after=window.after, limit=window.limit, order=window.order
        )
        if page is None:
            raise _unknown(asked)
        await asked.answer(listed([showing.item(row, wanted) for row in page.rows], page.more))

    async def _found(self, asked: Asked) -> StoredResponse:
        row = await self._rows.response(asked.owner, asked.name("response_id"))
        if row is None:
            raise _unknown(asked)
        return row

    @staticmethod
    async def _show(asked: Asked, row: StoredResponse, wanted: frozenset[str]) -> None:
        await asked.answer(showing.response(row, wanted), None if row.ended else _POLL)


def _unknown(asked: Asked) -> NotFound:
    return NotFound(f"Response with id '{asked.name('response_id')[:80]}' not found.")
