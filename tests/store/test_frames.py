"""The log of frames, cancelling and recovery, on both databases; two stores are two processes."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from gateway.errors import StoreUnavailable
from gateway.store import Store
from gateway.store.recovery import Finisher
from gateway.store.rows import Ending, Frame, Interrupted, LeaseLost, StoredResponse
from tests.store.home import OWNER, Home, answer, ending, frames, message, response, running
from tests.store.test_responses import statements

PATIENCE_SECONDS = 20


async def followed(store: Store, key: str, after: int = -1) -> list[int]:
    return [frame.seq async for frame in store.frames.follow(key, after)]


@pytest.mark.proves("STORE-frames")
async def test_a_log_is_read_from_any_number_on_by_any_process(store: Store, other: Store) -> None:
    key = await store.responses.begin(running("resp_a"))
    await store.frames.append(key, frames(0, 1, 2))
    await store.frames.append(key, frames(3, 4))
    await store.frames.append(key, [])
    assert await other.frames.read(key, after=2) == frames(3, 4)
    await store.responses.finish(key, ending(frames=tuple(frames(5))))
    for process in (store, other):
        assert await followed(process, key) == [0, 1, 2, 3, 4, 5]
        assert await followed(process, key, after=4) == [5]
        assert await followed(process, key, after=5) == []
    assert await followed(store, "nothing") == []


@pytest.mark.proves("STORE-frames")
async def test_followers_in_every_process_get_frames_as_they_are_written(store: Store, other: Store) -> None:
    key = await store.responses.begin(running("resp_a"))
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        aclosing(store.frames.follow(key)) as here,
        aclosing(other.frames.follow(key)) as there,
    ):
        for number in range(3):
            await store.frames.append(key, frames(number))
            assert (await anext(here), await anext(there)) == (frames(number)[0], frames(number)[0])
        ends = [asyncio.ensure_future(anext(follower, None)) for follower in (here, there)]
        await store.responses.finish(key, ending())
        assert await asyncio.gather(*ends) == [None, None]


@pytest.mark.proves("STORE-frames")
async def test_a_long_log_is_read_to_its_end(store: Store) -> None:
    key = await store.responses.begin(running("resp_a"))
    await store.frames.append(key, frames(*range(1200)))
    await store.responses.finish(key, ending(frames=tuple(frames(1200))))
    assert await followed(store, key) == list(range(1201))


@pytest.mark.proves("STORE-group-commit")
async def test_what_many_responses_say_at_once_is_one_transaction(store: Store) -> None:
    keys = [await store.responses.begin(running(f"resp_{n}")) for n in range(10)]
    sent = await statements(store, asyncio.gather(*(store.frames.append(key, frames(0)) for key in keys)))
    assert len([statement for statement in sent if "INSERT INTO stream_frames" in statement]) == 1
    for key in keys:
        assert await store.frames.read(key) == frames(0)


@pytest.mark.proves("STORE-group-commit")
async def test_a_number_given_twice_fails_one_response_and_not_the_others(store: Store) -> None:
    good, bad = [await store.responses.begin(running(name)) for name in ("resp_good", "resp_bad")]
    await store.frames.append(bad, frames(0))
    told = await asyncio.gather(
        store.frames.append(bad, frames(0)), store.frames.append(good, frames(0)), return_exceptions=True
    )
    assert isinstance(told[0], IntegrityError)
    assert told[1] is None
    assert await store.frames.read(good) == frames(0)


@pytest.mark.proves("STORE-group-commit")
async def test_frames_of_an_appender_who_left_are_written_all_the_same(store: Store) -> None:
    key = await store.responses.begin(running("resp_a"))
    leaving = asyncio.ensure_future(store.frames.append(key, frames(0)))
    await asyncio.sleep(0)
    leaving.cancel()
    await store.frames.append(key, frames(1))
    assert await store.frames.read(key) == frames(0, 1)


@pytest.mark.proves("STORE-lease")
async def test_nobody_writes_to_a_response_that_is_not_his(home: Home, store: Store, other: Store) -> None:
    key = await store.responses.begin(running("resp_a"))
    for process, mine in ((other, False), (store, True)):
        if mine:
            await process.frames.append(key, frames(0))
        else:
            with pytest.raises(LeaseLost):
                await process.frames.append(key, frames(0))
            assert not await process.responses.finish(key, ending())
            assert not await process.responses.start(key)
    await store.responses.finish(key, ending())
    with pytest.raises(LeaseLost):
        await store.frames.append(key, frames(1))


@pytest.mark.proves("STORE-cancel")
async def test_a_cancel_in_one_process_reaches_the_one_that_runs_it(store: Store, other: Store) -> None:
    key = await store.responses.begin(running("resp_a"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        waiting = asyncio.ensure_future(store.responses.cancelled(key))
        for _ in range(2):
            asked = await other.responses.cancel(OWNER, "resp_a")
            assert asked is not None
            assert (asked.cancel_asked, asked.ended) == (True, False)
        await waiting
        await store.responses.cancelled(key)  # it was asked before: nothing to wait for
    await store.responses.finish(key, ending("cancelled", answer("half")))
    for _ in range(2):
        ended = await other.responses.cancel(OWNER, "resp_a")
        assert ended is not None
        assert (ended.status, len(ended.result["output"])) == ("cancelled", 1)


@pytest.mark.proves("STORE-cancel")
async def test_cancelling_what_has_ended_changes_nothing(store: Store) -> None:
    await store.responses.save(response("resp_a"), [])
    found = await store.responses.cancel(OWNER, "resp_a")
    assert found is not None
    assert (found.status, found.cancel_asked) == ("completed", False)


def restarted(seen: list[Interrupted]) -> Finisher:
    async def finisher(interrupted: Interrupted) -> Ending:
        seen.append(interrupted)
        await asyncio.sleep(0)  # others may try meanwhile
        result = {**interrupted.response.result, "error": {"code": "gateway_restarted"}}
        last = Frame(interrupted.last + 1, b"event: response.failed\n\n")
        return Ending(status="failed", result=result, error={"code": "gateway_restarted"}, frames=[last])

    return finisher


@pytest.mark.proves("STORE-recovery")
async def test_what_a_dead_process_ran_is_ended_once(home: Home, store: Store, other: Store) -> None:
    key = await store.responses.begin(running("resp_a"), [message("q")])
    await store.frames.append(key, frames(0, 1))
    seen: list[Interrupted] = []
    assert await other.recovery.end_interrupted(restarted(seen)) == []
    home.clock.forward(seconds=16)
    async with home.store() as third, asyncio.timeout(PATIENCE_SECONDS):
        tail = asyncio.ensure_future(followed(third, key))
        told = await asyncio.gather(*(process.recovery.end_interrupted(restarted(seen)) for process in (other, third)))
        assert sorted(told) == [[], [key]]
        assert [found.last for found in seen] == [1]
        assert await tail == [0, 1, 2]
    found = await other.responses.response(OWNER, "resp_a")
    assert found is not None
    assert (found.status, found.error) == ("failed", {"code": "gateway_restarted"})
    with pytest.raises(LeaseLost):
        await store.frames.append(key, frames(2))


@pytest.mark.proves("STORE-recovery")
async def test_what_a_dead_process_had_queued_is_handed_out_once_and_in_order(
    home: Home, store: Store, other: Store
) -> None:
    keys = [await store.responses.begin(running(f"resp_{n}", status="queued")) for n in range(3)]
    assert await other.recovery.claim_queued() == []
    home.clock.forward(seconds=16)
    async with home.store() as third:
        claims = await asyncio.gather(*(process.recovery.claim_queued() for process in (other, third)))
        claimed = [[row.key for row in rows] for rows in claims]
        assert sorted(claimed[0] + claimed[1]) == keys
        assert claimed == [sorted(rows) for rows in claimed]
        for process, rows in zip((other, third), claimed, strict=True):
            for key in rows:
                assert await process.responses.start(key)
                await process.frames.append(key, frames(0))
    assert not await store.responses.start(keys[0])


@pytest.mark.proves("STORE-recovery")
async def test_the_keeper_ends_and_starts_what_was_left(home: Home, store: Store) -> None:
    async with home.store() as leaving:
        ran = await leaving.responses.begin(running("resp_ran"))
        await leaving.responses.begin(running("resp_queued", status="queued"))
    home.clock.forward(seconds=1)  # a store that closes gives back what it held
    started: asyncio.Queue[StoredResponse] = asyncio.Queue()
    keeper = asyncio.ensure_future(store.recovery.keep(finisher=restarted([]), starter=started.put_nowait))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await started.get()).wire_id == "queued"
        assert await followed(store, ran) == [0]
    keeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeper


@pytest.mark.proves("STORE-recovery")
async def test_an_ending_that_cannot_be_made_is_tried_again_and_holds_up_no_other(home: Home, store: Store) -> None:
    async with home.store() as leaving:
        bad = await leaving.responses.begin(running("resp_bad"))
        good = await leaving.responses.begin(running("resp_good"))
    home.clock.forward(seconds=1)
    finish = restarted([])

    async def finisher(interrupted: Interrupted) -> Ending:
        if interrupted.response.wire_id == "bad":
            raise RuntimeError("no words for it")
        return await finish(interrupted)

    with capture_logs() as lines:
        assert await store.recovery.end_interrupted(finisher) == [good]
    assert [line["response"] for line in lines] == [bad]
    home.clock.forward(seconds=16)
    assert await store.recovery.end_interrupted(finish) == [bad]


@pytest.mark.proves("STORE-frames", "STORE-unavailable")
async def test_who_waits_for_a_store_that_closes_is_let_go(home: Home, store: Store) -> None:
    key = await store.responses.begin(running("resp_a"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with home.store() as closing:
            following = asyncio.ensure_future(followed(closing, key))
            while not closing._watch._followers:  # noqa: ASYNC110 - nothing tells that he has begun to wait
                await asyncio.sleep(0.01)
        with pytest.raises(StoreUnavailable):
            await following


@pytest.mark.proves("STORE-atomic")
async def test_a_write_goes_on_when_its_caller_is_cancelled(store: Store) -> None:
    saving = asyncio.ensure_future(store.responses.save(response("resp_a"), [message("q"), answer("a")]))
    while not store.database._writing:  # noqa: ASYNC110 - nothing tells that the write has begun
        await asyncio.sleep(0)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    while store.database._writing:
        await asyncio.wait(store.database._writing)
    found = await store.responses.response(OWNER, "resp_a")
    assert found is not None
    assert len(found.result["output"]) == 1


@pytest.mark.proves("STORE-signals")
async def test_signals_reach_every_listener_that_wants_them_in_order(store: Store, other: Store) -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        store.signals.listen(type="x") as here,
        other.signals.listen(owner=OWNER, type="x", subject="1") as there,
        other.signals.listen() as everything,
    ):
        for number in range(3):
            for process in (store, other):
                await process.signals.send(OWNER, "x", str(number), {"n": number})
        await store.signals.send("visitor", "x", "1")
        assert [(await here.next()).subject for _ in range(7)] == ["0", "0", "1", "1", "2", "2", "1"]
        assert [(await there.next()).body for _ in range(2)] == [{"n": 1}, {"n": 1}]
        assert (await everything.next()).subject == "0"


@pytest.mark.proves("STORE-signals")
async def test_signals_from_before_are_not_heard(store: Store, other: Store) -> None:
    await store.signals.send(OWNER, "x", "before")
    async with asyncio.timeout(PATIENCE_SECONDS), other.signals.listen(type="x") as listener:
        await store.signals.send(OWNER, "x", "after")
        assert (await listener.next()).subject == "after"


@pytest.mark.proves("STORE-signals")
async def test_numbers_of_signals_that_many_send_at_once_are_all_seen(store: Store, other: Store) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), store.signals.listen(type="x") as listener:
        await asyncio.gather(
            *(process.signals.send(OWNER, "x", str(n)) for n, process in enumerate((store, other) * 20))
        )
        heard = [await listener.next() for _ in range(40)]
    assert {int(signal.subject) for signal in heard} == set(range(40))
    assert [signal.seq for signal in heard] == sorted(signal.seq for signal in heard)
