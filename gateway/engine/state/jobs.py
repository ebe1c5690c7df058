"""Turns that run on without their client: started, stopped and ended here, each with one row of the store.

A job holds its row (`Store.responses.begin`), so if this process dies another one ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.core.frames import Frame
from gateway.core.repair import Repair
from gateway.core.response import complete_response
from gateway.engine.state.keeping import Outcome
from gateway.engine.state.log import LogSink
from gateway.errors import GatewayError, Restarted, StoreUnavailable
from gateway.store.rows import Ending, LeaseLost

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from gateway.store import Store

Json = dict[str, Any]
Result = TypeVar("Result")

Release = Callable[["Job"], Awaitable[None]]
"""Forgets a job that never came to anything."""

STOPPED = "The gateway was stopped before the response was complete."

PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Seconds between the tries to write an end. Its answer has been paid for, and nobody else has it."""

LISTEN_AGAIN_SECONDS = 1.0


@dataclass(slots=True, eq=False)
class Job:
    """One turn. `result`: the response object as it was when the job began; {} when nothing is kept but the answer.

    `queued`: a background response, which waits for a free place before it runs, and whose log tells all of it.
    `lasting`: whether a failure before the answer is to be kept; one that is not is forgotten together with the row
    (`release`). `failure`: what that was.
    """

    key: str
    sink: LogSink
    run: Callable[[LogSink], Awaitable[None]]
    release: Release
    result: Json = field(default_factory=dict)
    outcome: Outcome | None = None
    queued: bool = False
    lasting: Callable[[GatewayError], bool] = lambda error: True
    failure: GatewayError | None = None
    held: AsyncExitStack = field(default_factory=AsyncExitStack)
    """What it holds until its end: the lock of its conversation."""
    task: asyncio.Task[None] | None = None
    ending: bool = False
    """It has come to its end, whatever that is, and only has to be written."""


class Jobs:
    """The jobs of this process."""

    def __init__(
        self, store: Store, *, places: int, log: FilteringBoundLogger, pauses: Sequence[float] = PAUSES
    ) -> None:
        """`places`: how many of the queued ones run at the same time."""
        self._store = store
        self._places = asyncio.Semaphore(places)
        self._log = log
        self._pauses = pauses
        self._running: set[Job] = set()
        self._unbroken: set[asyncio.Task[Any]] = set()
        self._closing = asyncio.Event()

    def start(self, job: Job) -> None:
        job.task = asyncio.get_running_loop().create_task(self._execute(job))
        self._running.add(job)
        job.task.add_done_callback(lambda _: self._running.discard(job))

    async def unbroken(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Let this come to its end even if who waits for it leaves: a row without its job would be worse than both."""
        task = asyncio.get_running_loop().create_task(work)
        self._unbroken.add(task)
        task.add_done_callback(self._unbroken.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_heard)
            raise

    async def aclose(self) -> None:
        """End what runs: as failed, since this process goes. What is queued is left for others to start."""
        self._closing.set()
        while self._unbroken:
            for task in self._unbroken:
                task.cancel()
            await asyncio.wait(self._unbroken)
        tasks = {job.task for job in self._running if job.task is not None}
        for job in self._running:
            if job.task is not None and not job.ending:
                job.task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # one job ----------------------------------------------------------------------------------------------------------

    async def _execute(self, job: Job) -> None:
        async with job.held:
            stopping = asyncio.get_running_loop().create_task(self._asked_to_stop(job.key))
            try:
                await self._executed(job, stopping)
            finally:
                await _ended(stopping)

    async def _executed(self, job: Job, stopping: asyncio.Task[None]) -> None:
        """What cannot be ended is left: its lease runs out, and whoever finds it then ends it."""
        try:
            if job.queued:
                await self._in_turn(job, stopping)
            else:
                await self._until_end(job, stopping)
        except LeaseLost:
            self._store.responses.leave(job.key)  # another process has ended it
        except StoreUnavailable as error:
            self._store.responses.leave(job.key)
            self._log.error("a response could not be ended", response=job.key, reason=error.message)
        except Exception:
            self._store.responses.leave(job.key)
            self._log.exception("a response could not be ended", response=job.key)

    async def _asked_to_stop(self, key: str) -> None:
        """Wait until it is cancelled or deleted. A store that cannot say so has not said so."""
        while True:
            with suppress(StoreUnavailable):
                await self._store.responses.cancelled(key)
                return
            await asyncio.sleep(LISTEN_AGAIN_SECONDS)

    async def _in_turn(self, job: Job, stopping: asyncio.Task[None]) -> None:
        place = asyncio.get_running_loop().create_task(self._places.acquire())
        try:
            await asyncio.wait({stopping, place}, return_when=asyncio.FIRST_COMPLETED)
            if not await self._store.responses.start(job.key):
                raise LeaseLost("Another process has this response.")
            if stopping.done():
                job.ending = True
                await self._end(job, self._cancelled(job))
            else:
                await self._until_end(job, stopping)
        finally:
            await _ended(place)
            if not place.cancelled():
                self._places.release()

    async def _until_end(self, job: Job, stopping: asyncio.Task[None]) -> None:
        running = asyncio.ensure_future(job.run(job.sink))
        complete = asyncio.get_running_loop().create_task(job.sink.complete.wait())
        closed = False
        try:
            await asyncio.wait({running, stopping, complete}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:  # by `aclose`, once; what follows is not cancelled again
            closed = not running.done()
            if job.task is not None:
                job.task.uncancel()
        job.ending = True
        try:
            if job.sink.complete.is_set():
                await self._end(job, self._told(job))
            else:
                await self._cut(job, running, closed=closed)
        finally:
            await _ended(complete)
            await asyncio.wait([running])  # it has a connection to give back
            _heard(running)

    async def _cut(self, job: Job, running: asyncio.Future[None], *, closed: bool) -> None:
        """End it without a whole answer. `closed`: because this process ends."""
        failure = await _ended(running)
        if isinstance(failure, LeaseLost):
            raise failure
        if failure is not None and not isinstance(failure, GatewayError):
            self._log.error("a response failed", response=job.key, exc_info=failure)
            failure = GatewayError("The gateway itself failed.")
        if job.outcome is not None and job.outcome.ending is not None:
            await self._end(job, job.outcome.ending)
        elif closed:
            await self._end(job, self._failed(job, Restarted(STOPPED)))
        elif failure is not None:
            await self._fail(job, failure)
        else:
            await self._end(job, self._cancelled(job) if running.cancelled() else self._told(job))

    @staticmethod
    def _told(job: Job) -> Ending:
        """The end that its client is told."""
        kept = None if job.outcome is None else job.outcome.ending
        return kept or Ending(status="completed", result={})

    async def _fail(self, job: Job, failure: GatewayError) -> None:
        """End it as failed; one that nobody has heard of may be forgotten."""
        if not job.sink.committed:
            job.failure = failure
            if not job.lasting(failure):
                await job.release(job)
                return
        await self._end(job, self._failed(job, failure))

    async def _end(self, job: Job, ending: Ending) -> None:
        """Write how it ended, in several tries while the store cannot be used."""
        frames = [*job.sink.last, *ending.frames]
        whole = Ending(
            status=ending.status, result=ending.result, error=ending.error, drafts=ending.drafts, frames=frames
        )
        pauses = iter(self._pauses)
        while True:
            try:
                await job.sink.flush()
                await self._store.responses.finish(job.key, whole, unlock=True)
            except StoreUnavailable:
                pause = next(pauses, None)
                if pause is None or self._closing.is_set():
                    raise
            else:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)

    # the ends that no upstream has told -------------------------------------------------------------------------------

    def _cancelled(self, job: Job) -> Ending:
        return self._closed(job, lambda repair: repair.cancel(), None)

    def _failed(self, job: Job, error: GatewayError) -> Ending:
        if job.outcome is None:
            return Ending(status="failed", result={}, error=remembered(error), frames=job.sink.fail(error))
        return self._closed(job, lambda repair: repair.abort(error), remembered(error))

    def _closed(self, job: Job, close: Callable[[Repair], list[Frame]], error: Json | None) -> Ending:
        """The end of a kept response. Its log tells it if it has told anything, or must."""
        outcome = job.outcome
        assert outcome is not None
        repair, encode = outcome.repair, outcome.encode
        begun = b""
        if repair is None or encode is None or not job.sink.committed:
            encode = _raw
            repair, begun = opened(job.result)
        closing = close(repair)
        assert repair.terminal is not None
        response = complete_response(repair.terminal.data["response"], _echo(job.result))
        ending = outcome.of(response, error)
        if not (job.queued or job.sink.committed):
            return ending
        frames = job.sink.cut(begun + encode(closing))
        return Ending(status=ending.status, result=ending.result, error=error, drafts=ending.drafts, frames=frames)


def opened(result: Json, *, open_item_bytes: int = 0) -> tuple[Repair, bytes]:
    """A stream of a response that has said nothing yet, and the bytes of its beginning."""
    name = str(result.get("id") or "")
    repair = Repair(name, created=0, model="", trusted=False, open_item_bytes=open_item_bytes, response_id=name)
    begin = {"type": "response.created", "sequence_number": 0, "response": {**result, "status": "in_progress"}}
    return repair, _raw(repair.feed([Frame.of(begin)]))


def remembered(error: GatewayError) -> Json:
    """A failure as it is kept with its row, so that it can be told again."""
    return {**error.error_object(), "status": error.status}


def _echo(result: Json) -> Json:
    return {name: value for name, value in result.items() if name not in _OF_THE_END}


_OF_THE_END = frozenset({"status", "output", "error", "usage", "completed_at", "incomplete_details"})


def _raw(frames: Sequence[Frame]) -> bytes:
    return b"".join(frame.raw for frame in frames)


async def _ended(task: asyncio.Future[Any]) -> BaseException | None:
    """Cancel a task, if it still runs, and wait for its end; what it failed with, if it did."""
    task.cancel()
    await asyncio.wait([task])
    return None if task.cancelled() else task.exception()


def _heard(task: asyncio.Future[Any]) -> None:
    """Nobody waits for it any more, nor asks how it ended."""
    if not task.cancelled():
        task.exception()
