"""Who holds a response: until its end is written, until he lets go, or until somebody else has taken it."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from gateway.errors import StoreUnavailable
from gateway.store import Store
from gateway.store.rows import Ending, Interrupted, StoredResponse
from tests.store.home import OWNER, Home, answer, ending, frames, message, response, running

HOUR_DAYS = 1 / 24


async def finisher(interrupted: Interrupted) -> Ending:
    return Ending(status="failed", result={}, error={"code": "gateway_restarted"})


@pytest.mark.proves("JOBS-store")
async def test_an_end_that_could_not_be_written_can_be_tried_again(tmp_path: Path) -> None:
    home = Home("", tmp_path)
    async with home.store(busy_seconds=0.05) as store, home.store() as other:
        key = await store.responses.begin(running(status="in_progress"))
        lock = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await store.responses.finish(key, ending())
        lock.execute("ROLLBACK")
        lock.close()
        home.clock.forward(seconds=10)
        await store._leases.renew()  # as it does by itself: it holds it still
        home.clock.forward(seconds=10)
        assert await other.recovery.end_interrupted(finisher) == []
        assert await store.responses.finish(key, ending())


@pytest.mark.proves("JOBS-store", "JOBS-lease")
async def test_who_lets_go_of_a_response_leaves_it_to_others(home: Home, store: Store, other: Store) -> None:
    key = await store.responses.begin(running(status="in_progress"))
    store.responses.leave(key)
    await store._leases.renew()
    home.clock.forward(seconds=20)
    assert await other.recovery.end_interrupted(finisher) == [key]


@pytest.mark.proves("JOBS-lease")
async def test_what_somebody_else_has_ended_is_not_forgotten(home: Home, store: Store, other: Store) -> None:
    key = await store.responses.begin(running("resp_a", status="in_progress"), [message("q")])
    await store.frames.append(key, frames(0))
    home.clock.forward(seconds=20)
    assert await other.recovery.end_interrupted(finisher) == [key]
    await store.responses.forget(key)
    found = await other.responses.response(OWNER, "resp_a")
    assert found is not None
    assert found.status == "failed"
    page = await other.responses.input_items(OWNER, "resp_a")
    assert page is not None
    assert len(page.rows) == len(await other.frames.read(key)) == 1


@pytest.mark.proves("PROCESSES-lock")
async def test_a_conversation_is_free_with_the_end_of_the_response_that_held_it(store: Store, other: Store) -> None:
    await store.conversations.create(OWNER, id="conv_a")
    async with store.conversations.lock(OWNER, "conv_a"):
        key = await store.responses.begin(running(status="in_progress", conversation="conv_a"), [message("q")])
        await store.responses.finish(key, ending("completed", answer("a")), unlock=True)
        async with other.conversations.lock(OWNER, "conv_a") as taken:
            assert taken is not None
    # Nor has the first one given back what was not his any more.
    async with other.conversations.lock(OWNER, "conv_a"):
        pass


@pytest.mark.proves("PROCESSES-lock")
async def test_who_ends_the_response_of_another_does_not_unlock_what_he_runs_himself(
    home: Home, store: Store, other: Store
) -> None:
    await store.conversations.create(OWNER, id="conv_a")
    async with store.conversations.lock(OWNER, "conv_a"):
        key = await store.responses.begin(running(status="in_progress", conversation="conv_a"), [message("q")])
        home.clock.forward(seconds=20)
        async with other.conversations.lock(OWNER, "conv_a"):
            assert await other.recovery.end_interrupted(finisher) == [key]
            locks = [row["lock_holder"] async for row in other.export("conversations")]
            assert locks != [None]


@pytest.mark.proves("ONCE-kept")
async def test_a_key_whose_answer_has_expired_is_new(home: Home) -> None:
    async with home.store(idempotency_hours=48, responses_days=1) as store:
        assert (await store.idempotency.claim(OWNER, "k", "h", "resp_a")).state == "new"
        await store.responses.save(response("resp_a"), [])
        home.clock.forward(days=1 - HOUR_DAYS)
        assert (await store.idempotency.claim(OWNER, "k", "h", "resp_b")).state == "same"
        home.clock.forward(days=2 * HOUR_DAYS)
        assert (await store.idempotency.claim(OWNER, "k", "h", "resp_b")).state == "new"


@pytest.mark.proves("RESTART-queued")
async def test_one_row_that_nobody_foresaw_does_not_end_the_care_for_others(
    home: Home, store: Store, other: Store
) -> None:
    left = [await store.responses.begin(running(status="queued")) for _ in range(2)]
    store.responses.leave(left[0])
    store.responses.leave(left[1])
    home.clock.forward(seconds=20)
    failed = asyncio.Event()

    def starter(row: StoredResponse) -> None:
        failed.set()
        raise ZeroDivisionError

    caring = asyncio.create_task(other.recovery.keep(finisher=finisher, starter=starter))
    await failed.wait()
    await asyncio.sleep(0)
    assert not caring.done()
    caring.cancel()
    await asyncio.wait([caring])
