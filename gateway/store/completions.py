"""Stored chat completions: responses whose surface is `chat`, as lists. One by one they are `Responses`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlalchemy import and_, func, select

from gateway.store import items as pieces
from gateway.store.assembly import alive, assembled, label_of
from gateway.store.connection import Connection
from gateway.store.rows import CONTINUABLE, Item, Order, Page, StoredResponse
from gateway.store.schema import items, responses
from gateway.store.shared import Shared, named

SURFACE = "chat"


class Completions:
    """Lists of stored chat completions, and of the messages they were asked with."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._database = shared.database

    async def page(
        self,
        owner: str,
        *,
        model: str | None = None,
        metadata: Mapping[str, str] | None = None,
        after: str | None = None,
        limit: int = 20,
        order: Order = "asc",
    ) -> Page[StoredResponse]:
        """A page of the owner's completions, those of this model and with all these metadata pairs.

        Raises UnknownCursor.
        """
        kept = and_(
            responses.c.owner == owner,
            responses.c.surface == SURFACE,
            responses.c.status.in_(CONTINUABLE),
            alive(self._shared.now()),
        )
        query = select(responses).where(kept)
        if model is not None:
            query = query.where(responses.c.model == model)
        for name, value in (metadata or {}).items():
            # The one way to look for a text, in the same case, that both databases know.
            query = query.where(func.replace(responses.c.labels, label_of(name, value), "") != responses.c.labels)

        async def work(connection: Connection) -> Page[StoredResponse]:
            cursor = None
            if after is not None:
                known = select(responses.c.id).where(kept, named(responses, "response", owner, after)).limit(1)
                cursor = (await connection.execute(known)).scalar_one_or_none()
                if cursor is None:
                    raise pieces.unknown_cursor(after)
            found = await pieces.page(
                connection, query, responses.c.id, after=cursor, limit=limit, order=order, shown=lambda row: row
            )
            return Page(await assembled(connection, found.rows), found.more)

        return await self._database.read(work)

    async def messages(
        self, owner: str, name: str, *, after: str | None = None, limit: int = 20, order: Order = "asc"
    ) -> Page[tuple[int, Item]] | None:
        """A page of the input of one completion: places, from 0, and items; None for an unknown completion.

        Clients know message n as `<completion id>-<n>`. Raises UnknownCursor.
        """

        async def work(connection: Connection) -> Page[tuple[int, Item]] | None:
            mine = named(responses, "response", owner, name)
            query = select(responses.c.id).where(mine, responses.c.surface == SURFACE, alive(self._shared.now()))
            key = (await connection.execute(query.limit(1))).scalar_one_or_none()
            if key is None:
                return None
            listed = and_(items.c.response_id == key, items.c.step == 0)
            cursor = None
            if after is not None:
                number = re.fullmatch(r".*-([0-9]{1,9})", after)
                known = select(items.c.seq).where(listed, items.c.seq == (int(number[1]) if number else -1))
                cursor = (await connection.execute(known)).scalar_one_or_none()
                if cursor is None:
                    raise pieces.unknown_cursor(after)
            return await pieces.page(
                connection,
                select(*pieces.SHOWN, items.c.seq).where(listed),
                items.c.seq,
                after=cursor,
                limit=limit,
                order=order,
                shown=lambda row: (row.seq, pieces.item_of(row)),
            )

        return await self._database.read(work)
