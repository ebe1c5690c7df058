"""What dead processes left: running responses end as failed, with all that came of them; queued ones start again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from gateway.core.repair import Repair
from gateway.dialects.responses import DIALECT
from gateway.engine.state.jobs import opened, remembered
from gateway.engine.state.keeping import UNKEPT, status_of
from gateway.engine.state.log import error_event
from gateway.engine.state.state import State
from gateway.engine.turn import Hints, Turn
from gateway.errors import ConversationLocked, GatewayError, Restarted, StoreUnavailable
from gateway.store.rows import REPLAY, Ending, Interrupted, NewItem, StoredResponse
from gateway.store.rows import Frame as Logged
from gateway.upstreams.providers import Providers
from gateway.wire.sse import SSEReader

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

Json = dict[str, Any]

_AT_ONCE = 500
_EVENT_BYTES = 1 << 30
"""What was logged was within the bounds when it came."""

NO_CREDENTIALS = "The gateway was restarted, and the credentials of the response's tools are not kept. Send it again."
MESSAGE = "The gateway was restarted before the response was complete."


class Restart:
    """Ends and starts. `keep` runs as long as the gateway does."""

    def __init__(self, state: State, providers: Providers, *, open_item_bytes: int, log: FilteringBoundLogger) -> None:
        self._state = state
        self._providers = providers
        self._open_item_bytes = open_item_bytes
        self._log = log
        self._starting: set[asyncio.Task[None]] = set()

    async def keep(self) -> None:
        """For ever: look for what was left, by other processes too."""
        try:
            await self._state.store.recovery.keep(finisher=self.end, starter=self.start)
        finally:
            for task in self._starting:
                task.cancel()
            if self._starting:
                await asyncio.wait(self._starting)

    # running ones end -------------------------------------------------------------------------------------------------

    async def end(self, interrupted: Interrupted) -> Ending:
        """How an interrupted response ends: with what its log says, and an error."""
        row, first, error = interrupted.response, interrupted.last + 1, Restarted(MESSAGE)
        replay = row.surface == REPLAY
        if replay and (not first or row.request.get("dialect") != "responses"):
            # Of an answer that never began there is nothing to say but the error, with a status of its own.
            words = error_event(str(row.request.get("dialect")), first, error) if first else b""
            return Ending(status="failed", result={}, error=remembered(error), frames=_numbered(words, first))
        if first:
            repair, begin = await self._read(row), b""
        else:
            repair, begin = opened(row.result, open_item_bytes=self._open_item_bytes)
        frames = repair.cancel() if row.cancel_asked else repair.abort(error)
        assert repair.terminal is not None
        response = repair.terminal.data["response"]
        status = status_of(response)
        return Ending(
            status=status,
            result={} if replay else response,
            error=remembered(error) if status == "failed" else None,
            drafts=[] if replay else [NewItem(item) for item in response.get("output") or ()],
            frames=_numbered(begin + b"".join(frame.raw for frame in frames), first) if first or row.background else (),
        )

    async def _read(self, row: StoredResponse) -> Repair:
        """The stream as far as it was logged."""
        repair = Repair(
            row.key,
            created=row.created // 1000,
            model=row.model,
            trusted=False,
            open_item_bytes=self._open_item_bytes,
            response_id=str(row.result.get("id") or ""),  # of one that is not kept, its upstream's
        )
        reader = SSEReader(_EVENT_BYTES)
        after = -1
        while frames := await self._state.store.frames.read(row.key, after, limit=_AT_ONCE):
            repair.feed(reader.feed(b"".join(frame.data for frame in frames)))
            after = frames[-1].seq
        return repair

    # queued ones start ------------------------------------------------------------------------------------------------

    def start(self, row: StoredResponse) -> None:
        """Run a queued response that this process holds now."""
        task = asyncio.get_running_loop().create_task(self._start(row))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _start(self, row: StoredResponse) -> None:
        try:
            if row.cancel_asked:  # deleted ones too
                await self._end_unrun(row, None)
                return
            if UNKEPT in row.request:
                await self._end_unrun(row, Restarted(NO_CREDENTIALS))
                return
            try:
                turn = await self._turn(row)
                await self._state.restarted(row, turn, await self._providers.choose(turn.model))
            except (StoreUnavailable, ConversationLocked):
                raise
            except GatewayError as error:  # what it went on from is gone, or its model
                await self._end_unrun(row, error)
        except (StoreUnavailable, ConversationLocked):
            self._state.store.responses.leave(row.key)  # to be found again when its lease is over
        except Exception:
            self._state.store.responses.leave(row.key)
            self._log.exception("a queued response could not be started", response=row.key)

    async def _turn(self, row: StoredResponse) -> Turn:
        return Turn(
            dialect=DIALECT,
            body=b"",
            document={**row.request, "input": await self._input(row)},
            request_id=row.key,
            hints=Hints(owner=row.owner),
            facts={"surface": row.surface},
        )

    async def _end_unrun(self, row: StoredResponse, error: GatewayError | None) -> None:
        """End it as failed; as cancelled without an error."""
        repair, begin = opened(row.result, open_item_bytes=self._open_item_bytes)
        frames = repair.cancel() if error is None else repair.abort(error)
        assert repair.terminal is not None
        response = repair.terminal.data["response"]
        ending = Ending(
            status=status_of(response),
            result=response,
            error=None if error is None else remembered(error),
            frames=_numbered(begin + b"".join(frame.raw for frame in frames), 0),
        )
        await self._state.store.responses.finish(row.key, ending)

    async def _input(self, row: StoredResponse) -> list[Json]:
        found: list[Json] = []
        after: str | None = None
        while True:
            page = await self._state.store.responses.input_items(
                row.owner, row.key, after=after, limit=_AT_ONCE, order="asc"
            )
            if page is None:
                return found
            found += (item.body() for item in page.rows)
            if not page.more:
                return found
            after = page.rows[-1].key


def _numbered(data: bytes, first: int) -> list[Logged]:
    events = [event + b"\n\n" for event in data.split(b"\n\n") if event]
    return [Logged(first + place, event) for place, event in enumerate(events)]
