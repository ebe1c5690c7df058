"""Jobs whose store fails, whose row is taken away, or whose process ends, in the middle of them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core import json
from gateway.core.frames import Frame
from gateway.engine.state.keeping import Outcome
from gateway.engine.state.log import WAITING_BYTES, LogSink, LogVoice
from gateway.errors import NotFound, StoreUnavailable, UpstreamError
from gateway.store.rows import Ending, Interrupted, LeaseLost
from gateway.wire.sse import END
from tests.engine.state.working import Desk, Lock, Tries, at_work, opened
from tests.store.home import OWNER, Home

Json = dict[str, Any]


def event(text: object) -> bytes:
    return b"data: %b\n\n" % json.dumps({"say": text})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home("", tmp_path)


@pytest.fixture
async def desk(home: Home) -> AsyncIterator[Desk]:
    async with at_work(home) as found:
        yield found


@pytest.fixture
def lock(desk: Desk, home: Home) -> Iterator[Lock]:
    found = Lock(home.workdir)
    yield found
    found.close()


async def forever(sink: LogSink) -> None:
    sink.stream({}, LogVoice(-1, "chat"))
    await sink.write(event("begun"))
    await asyncio.Event().wait()


async def seen(desk: Desk, job: Any) -> None:
    """Wait until its log has something."""
    async for _ in desk.store.frames.follow(job.key):
        return


# a store that fails ---------------------------------------------------------------------------------------------------


@pytest.mark.proves("JOBS-store")
async def test_what_a_busy_store_would_not_take_at_first_is_in_the_log_in_order(desk: Desk, lock: Lock) -> None:
    async def run(sink: LogSink) -> None:
        await sink.write(event(1))
        await sink.flush()
        lock.take()
        await sink.write(event(2))
        await sink.write(event(3))
        await sink.flush()
        await sink.write(event(4) + END)

    job = await desk.job(run, pauses=Tries(3, lock.give_back))
    await desk.done(job)
    assert await desk.log(job) == [event(number) for number in (1, 2, 3, 4)]
    assert await desk.status(job) == "completed"


@pytest.mark.proves("JOBS-store")
async def test_a_store_that_stays_away_ends_the_run_and_the_end_is_written_when_it_is_back(
    home: Home, tmp_path: Path
) -> None:
    raised: list[int] = []
    async with at_work(home) as first:  # makes the file
        del first
    lock = Lock(tmp_path)
    async with at_work(home, pauses=Tries(2, lock.give_back)) as desk:

        async def run(sink: LogSink) -> None:
            await sink.write(event(1))
            await sink.flush()
            lock.take()
            for number in range(2, 1000):
                try:
                    await sink.write(event(number))
                except StoreUnavailable:
                    raised.append(number)
                    break
                await asyncio.sleep(0.001)
            await sink.write(event("last words"))
            await sink.write(event("the end") + END)

        job = await desk.job(run)
        await desk.done(job)
        assert len(raised) == 1
        told = [event(number) for number in range(1, raised[0] + 1)]
        assert await desk.log(job) == [*told, event("last words"), event("the end")]
        assert await desk.status(job) == "completed"
    lock.close()


@pytest.mark.proves("JOBS-store")
async def test_what_cannot_be_ended_is_left_to_others(home: Home, desk: Desk, lock: Lock) -> None:
    async def run(sink: LogSink) -> None:
        await sink.write(event(1))
        await sink.flush()
        lock.take()
        await sink.write(event(2) + END)

    job = await desk.job(run)
    await desk.done(job)
    lock.give_back()
    assert await desk.status(job) == "in_progress"
    home.clock.forward(seconds=60)

    async def finisher(interrupted: Interrupted) -> Ending:
        return Ending(status="failed", result={})

    assert await desk.store.recovery.end_interrupted(finisher) == [job.key]


@pytest.mark.proves("JOBS-bounded")
async def test_an_upstream_that_is_faster_than_the_store_waits(home: Home, desk: Desk, lock: Lock) -> None:
    written, most = 0, []
    piece = event("x" * 64_000)

    def give_back() -> None:
        most.append(written)
        lock.give_back()

    async def run(sink: LogSink) -> None:
        nonlocal written
        lock.take()
        for _ in range(100):
            await sink.write(piece)
            written += len(piece)
            await asyncio.sleep(0)

    job = await desk.job(run, pauses=Tries(3, give_back))
    await desk.done(job)
    assert most[0] <= 3 * WAITING_BYTES
    assert await desk.log(job) == [piece] * 100


@pytest.mark.proves("JOBS-store")
async def test_a_job_that_is_stopped_while_the_log_makes_it_wait_loses_nothing(desk: Desk, lock: Lock) -> None:
    busy = asyncio.Event()

    async def run(sink: LogSink) -> None:
        sink.stream({}, LogVoice(-1, "chat"))
        lock.take()
        for number in range(100):
            await sink.write(event([number, "x" * 64_000]))

    job = await desk.job(run, pauses=Tries(3, busy.set))
    desk.jobs.start(job)
    await busy.wait()  # its bytes have been refused three times, and more of them wait behind it
    assert job.task is not None
    job.task.cancel()
    lock.give_back()
    await desk.ended(job)
    told = [json.loads(data.partition(b"data: ")[2]) for data in await desk.log(job)]
    assert [one["say"][0] for one in told[:-1]] == list(range(len(told) - 1))
    assert len(told) > 10
    assert told[-1]["error"]["code"] == "gateway_restarted"
    assert await desk.status(job) == "failed"


# a row that is taken away ---------------------------------------------------------------------------------------------


@pytest.mark.proves("JOBS-lease")
async def test_a_pause_of_the_whole_machine_does_not_end_what_runs_here(home: Home, desk: Desk) -> None:
    job = await desk.job(forever)
    desk.jobs.start(job)
    await seen(desk, job)
    home.clock.forward(seconds=60)

    async def finisher(interrupted: Interrupted) -> Ending:
        return Ending(status="failed", result={})

    assert await desk.store.recovery.end_interrupted(finisher) == []
    assert await desk.status(job) == "in_progress"


@pytest.mark.proves("JOBS-lease")
async def test_who_lost_its_row_stops_and_changes_nothing_more(home: Home, desk: Desk) -> None:
    taken = asyncio.Event()
    raised: list[BaseException] = []

    async def run(sink: LogSink) -> None:
        await sink.write(event(1))
        await taken.wait()
        try:
            while True:
                await sink.write(event("too late"))
                await asyncio.sleep(0)
        except LeaseLost as error:
            raised.append(error)
            raise

    async def finisher(interrupted: Interrupted) -> Ending:
        return Ending(status="failed", result={}, error={"code": "taken"})

    job = await desk.job(run)
    desk.jobs.start(job)
    await seen(desk, job)
    home.clock.forward(seconds=60)
    async with home.store() as elsewhere:
        assert await elsewhere.recovery.end_interrupted(finisher) == [job.key]
    taken.set()
    await desk.ended(job)
    assert len(raised) == 1
    row = await desk.store.responses.by_key(job.key)
    assert row is not None
    assert (row.status, row.error) == ("failed", {"code": "taken"})
    assert await desk.log(job) == [event(1)]


@pytest.mark.proves("JOBS-deleted")
async def test_what_is_deleted_while_it_runs_is_stopped_and_who_follows_is_told(desk: Desk) -> None:
    stopped = asyncio.Event()

    async def run(sink: LogSink, outcome: Outcome) -> None:
        repair = opened(outcome, str(job.result["id"]))
        try:
            begin = Frame.of({"type": "response.created", "response": {**job.result, "status": "in_progress"}})
            await sink.write(b"".join(frame.raw for frame in repair.feed([begin])))
            await asyncio.Event().wait()
        finally:
            stopped.set()

    job = await desk.background(run)
    desk.jobs.start(job)
    await seen(desk, job)
    frames = desk.store.frames.follow(job.key)
    await anext(frames)
    assert await desk.store.responses.delete(OWNER, job.key)
    with pytest.raises(NotFound):
        async for _ in frames:
            pass
    await desk.ended(job)
    assert stopped.is_set()
    assert await desk.log(job) == []


# waiting for a place --------------------------------------------------------------------------------------------------


async def at_once(sink: LogSink, outcome: Outcome) -> None:
    repair = opened(outcome, "resp_1")
    whole = {"id": "resp_1", "object": "response", "status": "completed", "output": []}
    frames = repair.feed([Frame.of({"type": "response.completed", "response": whole})])
    outcome.ending = outcome.of(whole)
    sink.hold()
    await sink.write(b"".join(frame.raw for frame in frames))


@pytest.mark.proves("JOBS-places")
async def test_one_that_is_cancelled_while_it_waits_never_runs_and_takes_no_place(home: Home) -> None:
    ran: list[str] = []
    go = asyncio.Event()
    async with at_work(home, places=1) as desk:

        async def first(sink: LogSink, outcome: Outcome) -> None:
            await go.wait()
            await at_once(sink, outcome)

        async def second(sink: LogSink, outcome: Outcome) -> None:
            ran.append("second")

        jobs = [await desk.background(run) for run in (first, second, at_once)]
        for job in jobs:
            desk.jobs.start(job)
        await desk.store.responses.cancel(OWNER, jobs[1].key)
        await desk.ended(jobs[1])
        kinds = [json.loads(data.partition(b"data: ")[2])["type"] for data in await desk.log(jobs[1])]
        assert kinds == ["response.created", "response.failed"]
        go.set()
        for job in jobs:
            await desk.ended(job)
        assert [await desk.status(job) for job in jobs] == ["completed", "cancelled", "completed"]
    assert ran == []


# the end of the process -----------------------------------------------------------------------------------------------


@pytest.mark.proves("STOP-ends")
async def test_a_process_that_ends_fails_what_runs_and_gives_back_what_waits(home: Home) -> None:
    async with at_work(home, places=1) as desk:
        begun = asyncio.Event()

        async def endless(sink: LogSink, outcome: Outcome) -> None:
            begun.set()
            await asyncio.Event().wait()

        hidden = await desk.job(forever)
        jobs = [await desk.background(endless) for _ in range(2)]
        for job in (hidden, *jobs):
            desk.jobs.start(job)
        await seen(desk, hidden)
        await begun.wait()
        await desk.jobs.aclose()
        assert [await desk.status(job) for job in (hidden, *jobs)] == ["failed", "failed", "queued"]
        [first, last] = await desk.log(hidden)
        assert first == event("begun")
        assert b"gateway_restarted" in last
        row = await desk.store.responses.by_key(jobs[0].key)
        assert row is not None
        assert row.result["error"]["code"] == "gateway_restarted"
    async with home.store() as elsewhere:  # no lease has to end first
        home.clock.forward(seconds=0.01)
        assert [row.key for row in await elsewhere.recovery.claim_queued()] == [jobs[1].key]


@pytest.mark.proves("STOP-ends")
async def test_an_end_that_is_being_written_is_written(home: Home, lock: Lock) -> None:
    ending = asyncio.Event()

    async def run(sink: LogSink) -> None:
        await sink.write(event("all of it") + END)
        lock.take()

    async with at_work(home, pauses=Tries(1, ending.set)) as desk:
        job = await desk.job(run)
        desk.jobs.start(job)
        await ending.wait()  # it could not be written at once
        lock.give_back()
        await desk.jobs.aclose()
        assert await desk.status(job) == "completed"
        assert await desk.log(job) == [event("all of it")]


@pytest.mark.proves("JOBS-complete")
async def test_nobody_waits_for_what_a_run_does_after_its_answer(desk: Desk) -> None:
    lingering = asyncio.Event()

    async def stream(sink: LogSink) -> None:
        await sink.write(event("all of it") + END)
        await sink.finish()
        await lingering.wait()

    async def document(sink: LogSink) -> None:
        await sink.document(b"{}", {})
        await lingering.wait()

    jobs = [await desk.job(run) for run in (stream, document)]
    for job, whole in zip(jobs, (event("all of it"), b"{}"), strict=True):
        desk.jobs.start(job)
        async with asyncio.timeout(5):
            assert [frame.data async for frame in desk.store.frames.follow(job.key)] == [whole]
        assert await desk.status(job) == "completed"
    lingering.set()
    for job in jobs:
        await desk.ended(job)


# what they leave ------------------------------------------------------------------------------------------------------


@pytest.mark.proves("JOBS-forgotten")
@pytest.mark.parametrize("lasting", [True, False])
async def test_a_failure_before_any_answer_is_kept_or_forgotten(desk: Desk, lasting: bool) -> None:
    async def run(sink: LogSink) -> None:
        raise UpstreamError("no")

    job = await desk.job(run, lasting=lambda error: lasting)
    await desk.done(job)
    assert isinstance(job.failure, UpstreamError)
    assert await desk.status(job) == ("failed" if lasting else "")
    assert desk.released == ([] if lasting else [job.key])


@pytest.mark.proves("JOBS-store")
async def test_a_bug_in_a_run_is_a_failed_response(desk: Desk) -> None:
    async def run(sink: LogSink, outcome: Outcome) -> None:
        raise ZeroDivisionError

    job = await desk.background(run)
    await desk.done(job)
    row = await desk.store.responses.by_key(job.key)
    assert row is not None
    assert (row.status, row.error["code"]) == ("failed", "internal_error")  # type: ignore[index]


@pytest.mark.proves("JOBS-unbroken")
async def test_what_must_not_be_left_half_done_comes_to_its_end(desk: Desk) -> None:
    done = asyncio.Event()
    go = asyncio.Event()

    async def work(error: Exception | None) -> None:
        await go.wait()
        done.set()
        if error is not None:
            raise error

    for error in (None, UpstreamError("nobody hears of it")):
        waiting = asyncio.create_task(desk.jobs.unbroken(work(error)))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        go.set()
        await done.wait()
        done.clear()
        go.clear()
    await desk.jobs.aclose()
    gc.collect()  # a failure that nobody has looked at would be a warning now
