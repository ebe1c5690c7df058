"""Responses: a row for each turn of any surface, its items, and the chain it stands on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import InvalidRequest, PreviousResponseNotFound
from gateway.store import items as pieces
from gateway.store.assembly import alive, assembled, labels_of
from gateway.store.frames import write_frames
from gateway.store.ids import body_of
from gateway.store.leases import Leases
from gateway.store.rows import (
    CONTINUABLE,
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
from gateway.store.schema import conversations, idempotency, items, responses, stream_frames
from gateway.store.shared import DAY, HOUR, LEASE, Shared, dumped, named
from gateway.store.signals import Signals, put
from gateway.store.watch import Watch, ring


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
        return await self._database.write(partial(self._insert, new, drafts, running=False))

    async def begin(self, new: NewResponse, drafts: Sequence[NewItem] = ()) -> str:
        """Keep a response that waits or runs, with its input; returns its key. This process holds it until `finish`.

        Raises what `save` raises.
        """
        assert new.status not in ENDED
        key = await self._database.write(partial(self._insert, new, drafts, running=True))
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
        done = await self._database.write(partial(self._finish, key, ending, unlock=unlock))
        self._leases.drop(key)
        self._watch.touched((key,))
        return done

    def leave(self, key: str) -> None:
        """Hold it no longer: whoever finds it without a holder ends it."""
        self._leases.drop(key)

    async def forget(self, key: str) -> None:
        """Remove a response of this process that never came to anything, as if it had not been begun."""
        self._leases.drop(key)

        async def work(connection: AsyncConnection) -> None:
            if await self._locked(connection, self._ours(key)) is None:
                return  # somebody else has ended it
            await connection.execute(delete(items).where(items.c.response_id == key))
            await _forget_frames(connection, key)
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

        async def work(connection: AsyncConnection) -> bool:
            row = await self._locked(connection, self._visible(owner, name))
            if row is None:
                return False
            await self._ask_to_stop(connection, row)
            claims = and_(idempotency.c.owner == owner, idempotency.c.response_id == row.wire_id)
            await connection.execute(delete(idempotency).where(claims))
            emptied = {"request": "{}", "result": "{}", "error": None, "metadata": "{}", "labels": "", "logged": False}
            gone = update(responses).where(responses.c.id == row.id).values(emptied | {"deleted": self._shared.now()})
            await connection.execute(gone)
            if row.completed is not None:
                await _forget_frames(connection, row.id)
            return True

        return await self._database.write(work)

    # reading ----------------------------------------------------------------------------------------------------------

    async def response(self, owner: str, name: str) -> StoredResponse | None:
        """The response as a client sees it, or None."""
        return await self._one(self._visible(owner, name))

    async def claimed(self, owner: str, name: str) -> StoredResponse | None:
        """The response that an Idempotency-Key was claimed for, also one that answers nothing else; None when there is
        none, or none any more."""
        return await self._one(and_(named(responses, "response", owner, name), alive(self._shared.now())))

    async def by_key(self, key: str) -> StoredResponse | None:
        """The response of a key, whoever's it is and even if it was deleted: for what runs it."""
        return await self._one(responses.c.id == key)

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
        head = select(
            responses.c.id, responses.c.previous_response_id, responses.c.status, literal(0).label("depth")
        ).where(self._visible(owner, name))
        chain = head.limit(1).subquery().select().cte("chain", recursive=True)
        older = select(responses.c.id, responses.c.previous_response_id, responses.c.status, chain.c.depth + 1).where(
            responses.c.id == chain.c.previous_response_id
        )
        chain = chain.union_all(older)
        query = (
            select(chain.c.id.label("response"), chain.c.status, chain.c.depth, *pieces.SHOWN)
            .select_from(chain.outerjoin(items, items.c.response_id == chain.c.id))
            .order_by(chain.c.depth.desc(), items.c.step, items.c.seq)
        )
        rows = await self._database.rows(query)
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
        async with self._database.reading() as connection:
            query = select(responses.c.id).where(self._visible(owner, name)).limit(1)
            key = (await connection.execute(query)).scalar_one_or_none()
            if key is None:
                return None
            listed = and_(items.c.response_id == key, items.c.step == 0)
            return await pieces.item_page(connection, listed, items.c.seq, owner, after=after, limit=limit, order=order)

    # cancelling -------------------------------------------------------------------------------------------------------

    async def cancel(self, owner: str, name: str) -> StoredResponse | None:
        """Ask whoever runs it to stop; returns the response as it is now, or None for an unknown one.

        Asking again, or asking for one that has ended, changes nothing. `Store.frames.follow` tells when it has ended.
        """

        async def work(connection: AsyncConnection) -> None:
            row = await self._locked(connection, self._visible(owner, name))
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

    async def _ask_to_stop(self, connection: AsyncConnection, row: Any) -> None:
        if row.completed is not None or row.cancel is not None:
            return
        now = self._shared.now()
        await connection.execute(update(responses).where(responses.c.id == row.id).values(cancel=now))
        await put(connection, self._shared, owner=row.owner, type="cancel", subject=row.id, body={})

    # the parts --------------------------------------------------------------------------------------------------------

    def _visible(self, owner: str, name: str) -> ColumnElement[bool]:
        shown = and_(alive(self._shared.now()), responses.c.surface != REPLAY)
        return and_(named(responses, "response", owner, name), shown)

    def _ours(self, key: str) -> ColumnElement[bool]:
        return and_(responses.c.id == key, responses.c.completed.is_(None), responses.c.holder == self._shared.holder)

    async def _one(self, condition: ColumnElement[bool]) -> StoredResponse | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(select(responses).where(condition).limit(1))).first()
            return None if row is None else (await assembled(connection, [row]))[0]

    async def _locked(self, connection: AsyncConnection, condition: ColumnElement[bool]) -> Any:
        query = select(responses).where(condition).limit(1).with_for_update()
        return (await connection.execute(query)).first()

    async def _change(self, condition: ColumnElement[bool], changes: Json) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(update(responses).where(condition).values(changes))).rowcount > 0

        return await self._database.write(work)

    async def _insert(
        self, new: NewResponse, drafts: Sequence[NewItem], connection: AsyncConnection, *, running: bool
    ) -> str:
        key = self._shared.ulid()
        now = self._shared.now()
        kept = self._kept_for(new)
        conversation = await self._conversation(connection, new)
        # Before its own id is taken: a server that gives the same id again also continues it under that id.
        previous = await self._previous(connection, new)
        row = {
            "id": key,
            "wire_id": await self._wire_id(connection, new, key),
            "owner": new.owner,
            "surface": new.surface,
            "model": new.model,
            "status": new.status,
            "conversation_id": conversation,
            "previous_response_id": previous,
            "agent_id": new.agent,
            "request": dumped(new.request),
            "result": dumped(_without_output(new.result)),
            "error": None if new.error is None else dumped(new.error),
            "metadata": dumped(dict(new.metadata)),
            "labels": labels_of(new.metadata),
            "background": new.background,
            "logged": new.logged,
            "holder": self._shared.holder if running else None,
            "lease": now + LEASE if running else None,
            "created": now,
            "completed": None if running else now,
            "expires": now + kept if kept else None,
        }
        await connection.execute(insert(responses), row)
        shared = conversation if new.status in CONTINUABLE else None
        await pieces.append(connection, self._shared, new.owner, drafts, response=key, conversation=shared)
        return key

    def _kept_for(self, new: NewResponse) -> int:
        """Milliseconds; 0: for ever."""
        settings = self._shared.settings
        return settings.idempotency_hours * HOUR if new.surface == REPLAY else settings.responses_days * DAY

    async def _wire_id(self, connection: AsyncConnection, new: NewResponse, key: str) -> str:
        """The id as the client knows it. A server that gives the same id again means its newest response."""
        wire = body_of("response", new.id) or key
        same = and_(responses.c.owner == new.owner, responses.c.wire_id == wire)
        await connection.execute(update(responses).where(same).values(wire_id=responses.c.id))
        return wire

    async def _previous(self, connection: AsyncConnection, new: NewResponse) -> str | None:
        if new.previous is None:
            return None
        # Deleted ones count: this response may have been running when it happened.
        query = select(responses.c.id).where(named(responses, "response", new.owner, new.previous)).limit(1)
        key: str | None = (await connection.execute(query)).scalar_one_or_none()
        if key is None:
            message = f"Previous response with id {new.previous!r} not found."
            raise PreviousResponseNotFound(message, param="previous_response_id")
        return key

    async def _conversation(self, connection: AsyncConnection, new: NewResponse) -> str | None:
        if new.conversation is None:
            return None
        query = select(conversations.c.id).where(
            named(conversations, "conversation", new.owner, new.conversation), conversations.c.deleted.is_(None)
        )
        key: str | None = (await connection.execute(query.limit(1))).scalar_one_or_none()
        if key is None:
            raise InvalidRequest(f"Conversation with id {new.conversation!r} not found.", param="conversation")
        return key

    async def _finish(self, key: str, ending: Ending, connection: AsyncConnection, *, unlock: bool) -> bool:
        row = await self._locked(connection, self._ours(key))
        if row is None:
            return False
        changes: Json = {"status": ending.status, "completed": self._shared.now(), "holder": None, "lease": None}
        if row.deleted is None:  # of a deleted one nothing is kept
            changes["result"] = dumped(_without_output(ending.result))
            changes["error"] = None if ending.error is None else dumped(ending.error)
            await self._keep_items(connection, row, ending)
            await write_frames(connection, ((key, frame) for frame in ending.frames))
        else:
            await _forget_frames(connection, key)
        await connection.execute(update(responses).where(responses.c.id == key).values(changes))
        if unlock and row.conversation_id is not None:
            busy = and_(conversations.c.id == row.conversation_id, conversations.c.lock_holder == self._shared.holder)
            freed = {"lock_token": None, "lock_holder": None, "lock_until": None}
            await connection.execute(update(conversations).where(busy).values(freed))
        await ring(connection)
        return True

    async def _keep_items(self, connection: AsyncConnection, row: Any, ending: Ending) -> None:
        """Its output, and with its input the end of its conversation."""
        conversation = row.conversation_id if ending.status in CONTINUABLE else None
        if conversation is not None:
            await pieces.attach(connection, self._shared, row.id, conversation)
        await pieces.append(
            connection, self._shared, row.owner, ending.drafts, response=row.id, conversation=conversation
        )


async def _forget_frames(connection: AsyncConnection, key: str) -> None:
    await connection.execute(delete(stream_frames).where(stream_frames.c.response_id == key))


def _without_output(result: Json) -> Json:
    return {name: value for name, value in result.items() if name != "output"}
