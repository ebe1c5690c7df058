"""Responses: a row for each turn of any surface, its items, and the chain it stands on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, literal, select, update

from gateway.store import items as pieces
from gateway.store.assembly import alive, assembled, labels_of
from gateway.store.connection import Connection
from gateway.store.ids import body_of
from gateway.store.leases import Leases
from gateway.store.rows import (
    ENDED,
    REPLAY,
    Ending,
    History,
    Item,
    Json,
    NewItem,
    NewResponse,
    Order,
    Page,
    StoredResponse,
)
from gateway.store.schema import conversations, idempotency, items, responses
from gateway.store.shared import Shared, called, dumped, named, names
from gateway.store.signals import Signals, put
from gateway.store.watch import Watch
from gateway.store.writing import finish, forget_frames, insert_response


def _shown(now: ColumnElement[int] | int) -> ColumnElement[bool]:
    """What clients can name."""
    return and_(alive(now), responses.c.surface != REPLAY)


def _whole_chain() -> Select[Any]:
    """A response and all it stands on, each with its items, the oldest first."""
    head = select(
        responses.c.id, responses.c.previous_response_id, responses.c.status, literal(0).label("depth")
    ).where(called(responses), _shown(bindparam("now")))
    chain = head.limit(1).subquery().select().cte("chain", recursive=True)
    older = select(responses.c.id, responses.c.previous_response_id, responses.c.status, chain.c.depth + 1).where(
        responses.c.id == chain.c.previous_response_id
    )
    chain = chain.union_all(older)
    return (
        select(chain.c.id.label("response"), chain.c.status, chain.c.depth, *pieces.SHOWN)
        .select_from(chain.outerjoin(items, items.c.response_id == chain.c.id))
        .order_by(chain.c.depth.desc(), items.c.step, items.c.seq)
    )


_HISTORY = _whole_chain()
_SHOWN = select(responses).where(called(responses), _shown(bindparam("now"))).limit(1)


class Responses:
    """What clients can fetch, continue, cancel and delete. `owner` sees nothing of others."""

    def __init__(self, shared: Shared, *, watch: Watch, signals: Signals, leases: Leases) -> None:
        self._shared = shared
        self._database = shared.database
        self._watch = watch
        self._signals = signals
        self._leases = leases

    # writing ----------------------------------------------------------------------------------------------------------

    async def save(self, new: NewResponse, drafts: Sequence[NewItem]) -> str:
        """Keep a response that has ended, with its items, in one transaction; returns its key.

        `drafts`: what was new in its input (step 0), then its output. They are appended to the conversation too, unless
        the response failed or was cancelled. Raises PreviousResponseNotFound or InvalidRequest when what it stands on
        is gone.
        """
        assert new.status in ENDED
        return await self._database.write(partial(insert_response, self._shared, new, drafts, running=False))

    async def begin(self, new: NewResponse, drafts: Sequence[NewItem] = ()) -> str:
        """Keep a response that waits or runs, with its input; returns its key. This process holds it until `finish`.

        Raises what `save` raises.
        """
        assert new.status not in ENDED
        key = await self._database.write(partial(insert_response, self._shared, new, drafts, running=True))
        self._leases.hold(key)
        return key

    async def start(self, key: str) -> bool:
        """Turn a queued response into one that runs; False when it is not queued, or not this process's."""
        changes = {"status": "in_progress"}
        return await self._change(self._ours(key) & (responses.c.status == "queued"), changes)

    async def finish(self, key: str, ending: Ending, *, unlock: bool = False) -> bool:
        """End a response that this process holds: its result, its output and its last frames, all at once.

        `unlock`: and with it the lock that this process has on its conversation, since who reads of the end may go on
        with that at once.

        False, and nothing is written, when it has ended already or belongs to another process. Raises StoreUnavailable;
        then this process still holds it, and may try again or `leave` it.
        """
        done = await self._database.write(partial(finish, self._shared, key, ending, unlock=unlock))
        self._leases.drop(key)
        self._watch.touched((key,))
        return done

    def leave(self, key: str) -> None:
        """Hold it no longer: whoever finds it without a holder ends it."""
        self._leases.drop(key)

    async def forget(self, key: str) -> None:
        """Remove a response of this process that never came to anything, as if it had not been begun."""
        self._leases.drop(key)

        async def work(connection: Connection) -> None:
            if await _locked(connection, self._ours(key)) is None:
                return  # somebody else has ended it
            await connection.execute(delete(items).where(items.c.response_id == key))
            await forget_frames(connection, key)
            await connection.execute(delete(responses).where(responses.c.id == key))

        await self._database.write(work)
        self._watch.touched((key,))

    async def set_metadata(self, owner: str, name: str, metadata: Json) -> bool:
        """Replace the metadata; False for an unknown response."""
        return await self._change(
            self._visible(owner, name), {"metadata": dumped(metadata), "labels": labels_of(metadata)}
        )

    async def delete(self, owner: str, name: str) -> bool:
        """Make it unreachable, and stop it when it runs; False for an unknown response.

        Its items stay as long as other responses stand on them.
        """

        async def work(connection: Connection) -> bool:
            row = await _locked(connection, self._visible(owner, name))
            if row is None:
                return False
            await self._ask_to_stop(connection, row)
            claims = and_(idempotency.c.owner == owner, idempotency.c.response_id == row.wire_id)
            await connection.execute(delete(idempotency).where(claims))
            emptied = {"request": "{}", "result": "{}", "error": None, "metadata": "{}", "labels": "", "logged": False}
            gone = update(responses).where(responses.c.id == row.id).values(emptied | {"deleted": self._shared.now()})
            await connection.execute(gone)
            if row.completed is not None:
                await forget_frames(connection, row.id)
            return True

        return await self._database.write(work)

    # reading ----------------------------------------------------------------------------------------------------------

    async def response(self, owner: str, name: str) -> StoredResponse | None:
        """The response as a client sees it, or None."""
        shown = names("response", owner, name) | {"now": self._shared.now()}
        return await self._database.read(partial(_one, _SHOWN, shown))

    async def claimed(self, owner: str, name: str) -> StoredResponse | None:
        """The response that an Idempotency-Key was claimed for, also one that answers nothing else; None when there is
        none, or none any more."""
        query = select(responses).where(named(responses, "response", owner, name), alive(self._shared.now())).limit(1)
        return await self._database.read(partial(_one, query, None))

    async def by_key(self, key: str) -> StoredResponse | None:
        """The response of a key, whoever's it is and even if it was deleted: for what runs it."""
        return await self._database.read(partial(_one, select(responses).where(responses.c.id == key), None))

    async def items(self, owner: str, names: Collection[str]) -> dict[str, Item]:
        """Items of the owner's responses and conversations by the ids that clients know; unknown ones are missing."""
        bodies = {body: name for name in names if (body := body_of("item", name)) is not None}
        source = items.outerjoin(responses, responses.c.id == items.c.response_id).outerjoin(
            conversations, conversations.c.id == items.c.conversation_id
        )
        found: dict[str, Item] = {}
        for start in range(0, len(bodies), pieces.ASKED_AT_ONCE):
            part = list(bodies)[start : start + pieces.ASKED_AT_ONCE]
            named_so = and_(
                items.c.owner == owner,
                items.c.wire_id.in_(part),
                responses.c.deleted.is_(None),
                conversations.c.deleted.is_(None),
            )
            for row in await self._database.rows(select(*pieces.SHOWN).select_from(source).where(named_so)):
                found[bodies[row.wire_id]] = pieces.item_of(row)
        return found

    async def history(self, owner: str, name: str) -> History | None:
        """Everything that a continuation of this response stands on, in one query; None for an unknown response.

        What lies behind it counts even if it was deleted or has expired since.
        """
        shown = names("response", owner, name) | {"now": self._shared.now()}
        rows = await self._database.rows(_HISTORY, shown)
        if not rows:
            return None
        last = rows[-1]
        return History(last.response, last.status, [pieces.item_of(row) for row in rows if row.id is not None])

    async def input_items(
        self, owner: str, name: str, *, after: str | None = None, limit: int = 20, order: Order = "desc"
    ) -> Page[Item] | None:
        """A page of what was new in its input; None for an unknown response.

        Raises UnknownCursor.
        """

        async def work(connection: Connection) -> Page[Item] | None:
            query = select(responses.c.id).where(self._visible(owner, name)).limit(1)
            key = (await connection.execute(query)).scalar_one_or_none()
            if key is None:
                return None
            listed = and_(items.c.response_id == key, items.c.step == 0)
            return await pieces.item_page(connection, listed, items.c.seq, owner, after=after, limit=limit, order=order)

        return await self._database.read(work)

    # cancelling -------------------------------------------------------------------------------------------------------

    async def cancel(self, owner: str, name: str) -> StoredResponse | None:
        """Ask whoever runs it to stop; returns the response as it is now, or None for an unknown one.

        Asking again, or asking for one that has ended, changes nothing. `Store.frames.follow` tells when it has ended.
        """

        async def work(connection: Connection) -> None:
            row = await _locked(connection, self._visible(owner, name))
            if row is not None:
                await self._ask_to_stop(connection, row)

        await self._database.write(work)
        self._watch.touched(())
        return await self.response(owner, name)

    async def cancelled(self, key: str) -> None:
        """Wait until somebody, in any process, cancels or deletes the response."""
        async with self._signals.listen(type="cancel", subject=key) as listener:
            asked = select(responses.c.cancel).where(responses.c.id == key)
            found = await self._database.rows(asked)
            if found and found[0].cancel is None:
                await listener.next()

    async def _ask_to_stop(self, connection: Connection, row: Any) -> None:
        if row.completed is not None or row.cancel is not None:
            return
        now = self._shared.now()
        await connection.execute(update(responses).where(responses.c.id == row.id).values(cancel=now))
        await put(connection, self._shared, owner=row.owner, type="cancel", subject=row.id, body={})

    # the parts --------------------------------------------------------------------------------------------------------

    def _visible(self, owner: str, name: str) -> ColumnElement[bool]:
        return and_(named(responses, "response", owner, name), _shown(self._shared.now()))

    def _ours(self, key: str) -> ColumnElement[bool]:
        return and_(responses.c.id == key, responses.c.completed.is_(None), responses.c.holder == self._shared.holder)

    async def _change(self, condition: ColumnElement[bool], changes: Json) -> bool:
        async def work(connection: Connection) -> bool:
            return (await connection.execute(update(responses).where(condition).values(changes))).rowcount > 0

        return await self._database.write(work)


async def _one(query: Select[Any], parameters: Json | None, connection: Connection) -> StoredResponse | None:
    row = (await connection.execute(query, parameters)).first()
    return None if row is None else (await assembled(connection, [row]))[0]


async def _locked(connection: Connection, condition: ColumnElement[bool]) -> Any:
    query = select(responses).where(condition).limit(1).with_for_update()
    return (await connection.execute(query)).first()
