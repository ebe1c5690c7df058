"""The frames of running responses: committed before they are sent, so that every process can replay them.

Commits are shared: whatever the responses of this process have to say within 20 ms is one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from functools import partial

from sqlalchemy import Text, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.errors import NotFound
from gateway.store.connection import Connection
from gateway.store.rows import Frame, LeaseLost
from gateway.store.schema import responses, stream_frames
from gateway.store.shared import Shared
from gateway.store.watch import Watch, ring

GROUP_SECONDS = 0.02
"""Between the beginnings of two commits of this process."""
READ_AT_ONCE = 500

_INSERT = insert(stream_frames)
_READ = (
    select(stream_frames.c.seq, stream_frames.c.frame)
    .where(stream_frames.c.response_id == bindparam("the_key"), stream_frames.c.seq > bindparam("after"))
    .order_by(stream_frames.c.seq)
    .limit(bindparam("at_most"))
)
_ENDED = select(responses.c.completed, responses.c.deleted).where(responses.c.id == bindparam("the_key"))
_OURS = (
    select(responses.c.id)
    .where(
        responses.c.id.in_(bindparam("the_keys", type_=Text, expanding=True)),
        responses.c.completed.is_(None),
        responses.c.holder == bindparam("the_holder"),
    )
    .with_for_update(read=True)
)

Batch = tuple[str, Sequence[Frame], "asyncio.Future[None]"]


class FrameLog:
    """The log of the responses that this process runs, and the way to read every log."""

    def __init__(self, shared: Shared, watch: Watch) -> None:
        self._shared = shared
        self._watch = watch
        self._pending: list[Batch] = []
        self._task: asyncio.Task[None] | None = None
        self._begun = -GROUP_SECONDS

    async def append(self, response: str, frames: Sequence[Frame]) -> None:
        """Keep frames of a response that this process runs; returns once they are committed.

        `response`: its key. One call at a time for each response, with ascending numbers. Raises LeaseLost when the
        response has ended or belongs to another process, StoreUnavailable when it cannot be kept.
        """
        if not frames:
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._pending.append((response, frames, future))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._flush())
        await future

    async def read(self, response: str, after: int = -1, limit: int = READ_AT_ONCE) -> list[Frame]:
        """The frames beyond number `after` that are there now, oldest first."""
        asked = {"the_key": response, "after": after, "at_most": limit}
        return [Frame(row.seq, bytes(row.frame)) for row in await self._shared.database.rows(_READ, asked)]

    async def follow(self, response: str, after: int = -1) -> AsyncGenerator[Frame]:
        """The frames beyond number `after`, and those to come, until the response has ended.

        Raises NotFound when it has been deleted meanwhile: its end is not to be had.
        """
        while True:
            # In this order: what ends a response also writes its last frames.
            ended = await self._ended(response)
            frames = await self.read(response, after)
            for frame in frames:
                yield frame
                after = frame.seq
            if ended and len(frames) < READ_AT_ONCE:
                return
            if not frames:
                await self._watch.changed(response, after)

    async def aclose(self) -> None:
        """Commit what waits."""
        if self._task is not None:
            await self._task

    async def _ended(self, response: str) -> bool:
        found = await self._shared.database.rows(_ENDED, {"the_key": response})
        if found and found[0].deleted is not None:
            raise NotFound("The response has been deleted.")
        return not found or found[0].completed is not None

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending:
            await asyncio.sleep(self._begun + GROUP_SECONDS - loop.time())
            self._begun = loop.time()
            batches, self._pending = self._pending, []
            try:
                await self._commit(batches)
            except IntegrityError:
                # A number given twice is one response's mistake, and must not end the others.
                for batch in batches:
                    await self._commit_alone(batch)
            except Exception as error:
                _settle(batches, error)

    async def _commit_alone(self, batch: Batch) -> None:
        try:
            await self._commit([batch])
        except Exception as error:
            _settle([batch], error)

    async def _commit(self, batches: Sequence[Batch]) -> None:
        ours = await self._shared.database.write(partial(self._write, batches))
        _settle((batch for batch in batches if batch[0] in ours), None)
        _settle((batch for batch in batches if batch[0] not in ours), LeaseLost("Another process has this response."))
        self._watch.touched(ours)

    async def _write(self, batches: Sequence[Batch], connection: Connection) -> set[str]:
        """Write the frames of the responses that are still ours; returns which these are."""
        asked = {"the_keys": [response for response, _, _ in batches], "the_holder": self._shared.holder}
        ours = set((await connection.execute(_OURS, asked)).scalars())
        await write_frames(connection, ((key, frame) for key, frames, _ in batches if key in ours for frame in frames))
        return ours


async def write_frames(connection: Connection, frames: Iterable[tuple[str, Frame]]) -> None:
    """Write frames of responses, by their keys, as a part of this transaction."""
    rows = [{"response_id": key, "seq": frame.seq, "frame": frame.data} for key, frame in frames]
    if rows:
        await connection.execute(_INSERT, rows)
        await ring(connection)


def _settle(batches: Iterable[Batch], error: Exception | None) -> None:
    for _, _, future in batches:
        if future.done():  # whoever appended has left
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
