"""Idempotency-Key: the same key with the same body is the same response, for as long as the setting says."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, delete, select

from gateway.store.assembly import alive
from gateway.store.connection import Connection
from gateway.store.ids import body_of
from gateway.store.rows import Claim
from gateway.store.schema import idempotency, responses
from gateway.store.shared import HOUR, Shared, insert_unless_there

ABANDONED = 60_000
"""A claim whose response was never begun is of a process that died in between."""


class Idempotency:
    """Who came first with a key."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._database = shared.database

    async def claim(self, owner: str, key: str, body_hash: str, response: str) -> Claim:
        """Claim a key for a response, by the id it will have; or learn whose it is."""

        async def work(connection: Connection) -> Claim:
            now = self._shared.now()
            row = {
                "owner": owner,
                "key": key,
                "body_hash": body_hash,
                "response_id": body_of("response", response) or response,
                "created": now,
                "expires": now + self._shared.settings.idempotency_hours * HOUR,
            }
            while not await _insert(connection, row):
                found = await _known(connection, owner, key, now)
                if found is None:
                    continue  # given back a moment ago
                if found.expires > now and (found.begun is not None or found.created > now - ABANDONED):
                    return Claim("same" if found.body_hash == body_hash else "conflict", found.response_id)
                # Only this claim: another process may be replacing it too.
                same = and_(idempotency.c.response_id == found.response_id, idempotency.c.created == found.created)
                stale = and_(_named(owner, key), same)
                await connection.execute(delete(idempotency).where(stale))
            return Claim("new", response)

        return await self._database.write(work)

    async def release(self, owner: str, key: str, response: str) -> None:
        """Give a key back whose request failed before any upstream was called, so that it can be tried again."""
        claimed = and_(_named(owner, key), idempotency.c.response_id == (body_of("response", response) or response))

        async def work(connection: Connection) -> None:
            await connection.execute(delete(idempotency).where(claimed))

        await self._database.write(work)


async def _known(connection: Connection, owner: str, key: str, now: int) -> Any:
    """The claim, and the key of its response once that was begun."""
    mine = and_(responses.c.owner == owner, responses.c.wire_id == idempotency.c.response_id)
    begun = and_(mine, alive(now))  # an answer that is gone cannot be given again
    query = (
        select(idempotency, responses.c.id.label("begun"))
        .select_from(idempotency.outerjoin(responses, begun))
        .where(_named(owner, key))
    )
    return (await connection.execute(query)).first()


async def _insert(connection: Connection, row: dict[str, object]) -> bool:
    """Insert, unless the key is there; PostgreSQL waits for another transaction that is inserting it."""
    return (await connection.execute(insert_unless_there(connection.dialect.name, idempotency), row)).rowcount == 1


def _named(owner: str, key: str) -> ColumnElement[bool]:
    return and_(idempotency.c.owner == owner, idempotency.c.key == key)
