"""The threads of SQLite: what waits shares a transaction, nobody fails with another, nothing is left over."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select

from gateway.errors import PreviousResponseNotFound, StoreUnavailable
from gateway.store import Store
from gateway.store.connection import Connection
from gateway.store.ids import Ulids
from gateway.store.schema import counters, responses
from gateway.store.threads import Hand, Job, Outcome, Threads
from tests.store.home import OWNER, Home, answer, message, response
from tests.store.test_responses import statements

PATIENCE_SECONDS = 20


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Home("", tmp_path).store() as opened:
        yield opened


@asynccontextmanager
async def busy(store: Store, *, reading: bool = False) -> AsyncIterator[None]:
    """The thread that writes, or one that reads, has its hands full until the end."""
    begun, go_on = threading.Event(), threading.Event()

    async def work(connection: Connection) -> None:
        begun.set()
        go_on.wait(PATIENCE_SECONDS)

    working = asyncio.ensure_future((store.database.read if reading else store.database.write)(work))
    await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
    try:
        yield
    finally:
        go_on.set()
        await working


async def begun(work: Sequence[asyncio.Future[Any]]) -> None:
    """Wait until all of it has been asked for."""
    for _ in work:
        await asyncio.sleep(0)


async def count(store: Store) -> int:
    return int((await store.database.rows(select(func.count()).select_from(responses)))[0][0])


@pytest.mark.proves("STORE-together")
async def test_writes_that_wait_share_a_transaction(store: Store) -> None:
    async def save() -> None:
        async with busy(store):
            saving = [asyncio.ensure_future(store.responses.save(response(), [answer("a")])) for _ in range(20)]
            await begun(saving)
        await asyncio.gather(*saving)

    sent = await statements(store, save())
    assert sent.count("BEGIN IMMEDIATE") == 2
    assert await count(store) == 20


@pytest.mark.proves("STORE-together", "STORE-atomic")
async def test_of_writes_that_share_a_transaction_only_those_that_fail_are_lost(store: Store) -> None:
    async def fail(connection: Connection) -> None:
        await connection.execute(insert(counters).values(subject="s", window="w"))
        raise LookupError("in the middle")

    async with busy(store):
        asked = [
            asyncio.ensure_future(store.responses.save(response("resp_a"), [message("q"), answer("a")])),
            asyncio.ensure_future(store.responses.save(response("resp_b", previous="resp_nobody"), [])),
            asyncio.ensure_future(store.database.write(fail)),
            asyncio.ensure_future(store.responses.save(response("resp_c", previous="resp_a"), [answer("c")])),
        ]
        await begun(asked)
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(told[1], PreviousResponseNotFound)
    assert isinstance(told[2], LookupError)
    history = await store.responses.history(OWNER, "resp_c")
    assert history is not None
    assert (history.key, len(history.items)) == (told[3], 3)
    assert await count(store) == 2
    assert await store.database.rows(select(counters)) == []


@pytest.mark.proves("STORE-together", "STORE-unavailable")
async def test_all_that_wait_for_a_lock_in_vain_are_told_at_once(tmp_path: Path) -> None:
    async with Home("", tmp_path).store(busy_seconds=0.2) as store:
        blocker = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        told: list[Any] = []

        async def save() -> None:
            saving = (store.responses.save(response(), []) for _ in range(20))
            told.extend(await asyncio.gather(*saving, return_exceptions=True))

        sent = await statements(store, save())
        blocker.close()
        assert 1 <= len(sent) <= 2  # twenty that wait one after the other would be four seconds
        assert set(sent) == {"BEGIN IMMEDIATE"}
        assert {type(error) for error in told} == {StoreUnavailable}
        assert len({id(error) for error in told}) == 20  # who is told may write on it
        await store.responses.save(response(), [])
        assert await count(store) == 1


@pytest.mark.proves("STORE-together")
async def test_work_that_awaits_something_else_is_refused_and_harms_nobody(store: Store) -> None:
    async def wait(connection: Connection) -> None:
        await connection.execute(insert(counters).values(subject="s", window="w"))
        await asyncio.sleep(0)

    for use in (store.database.write, store.database.read):
        with pytest.raises(RuntimeError, match="other than its connection"):
            await use(wait)
    await store.responses.save(response("resp_a"), [])
    assert await count(store) == 1
    assert len(await store.database.rows(select(counters))) == 1  # what reads has no transaction


@pytest.mark.proves("STORE-together")
async def test_whoever_stops_waiting_for_a_read_leaves_the_thread_to_others(store: Store) -> None:
    await store.responses.save(response("resp_a"), [])
    async with busy(store, reading=True):
        reading = [asyncio.ensure_future(store.responses.response(OWNER, "resp_a")) for _ in range(8)]
        await begun(reading)
        for one in reading:
            one.cancel()
    assert await store.responses.response(OWNER, "resp_a") is not None


@pytest.mark.proves("STORE-atomic")
async def test_a_store_that_closes_writes_what_waits_and_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    home = Home("", tmp_path)
    async with home.store() as store:
        await asyncio.gather(*(store.responses.response(OWNER, "resp_a") for _ in range(8)))
        assert len(set(threading.enumerate()) - before) > 1
        saving = [asyncio.ensure_future(store.responses.save(response(), [])) for _ in range(40)]
        await begun(saving)
    await asyncio.gather(*saving)
    assert {thread for thread in set(threading.enumerate()) - before if thread.name.startswith("store")} == set()
    async with home.store() as store:
        assert await count(store) == 40


@pytest.mark.proves("STORE-together")
async def test_no_statement_of_a_turn_reads_all_that_its_owner_has(store: Store) -> None:
    """An index that is used by its first column, the owner, is as good as none: turns would cost more and more."""
    sent: list[tuple[str, Any]] = []

    def note(connection: object, cursor: object, statement: str, parameters: Any, *_: object) -> None:
        sent.append((statement, parameters))

    assert store.database._driver is not None
    engine = store.database._driver.engine
    event.listen(engine, "before_cursor_execute", note)
    made = await store.conversations.create(OWNER, [message("q", id="msg_1"), message("r", id="msg_2")])
    async with store.conversations.lock(OWNER, made.key):
        await store.conversations.get(OWNER, made.key)
        await store.conversations.items(OWNER, made.key)
        drafts = [answer(str(number), id=f"msg_a{number}") for number in range(7)]
        await store.responses.save(response("resp_a", conversation=made.key), drafts)
    await store.responses.save(response("resp_b", previous="resp_a"), [answer("a", id="msg_a1")])
    await store.responses.save(response("resp_b", previous="resp_a"), [answer("a", id="msg_b2")])
    await store.responses.history(OWNER, "resp_b")
    await store.responses.response(OWNER, "resp_b")
    event.remove(engine, "before_cursor_execute", note)
    plans = 0
    with sqlite3.connect(store.database.place.file or "") as connection:
        for statement, parameters in sent:
            if statement.startswith(("SELECT", "UPDATE", "WITH", "INSERT")):
                one = parameters[0] if isinstance(parameters, list) else parameters
                for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", one):
                    assert not row[3].endswith("(owner=?)"), statement
                    assert row[3] not in {f"SCAN {name}" for name in ("responses", "items", "conversations")}, statement
                    plans += 1
    connection.close()
    assert plans > 20


class Waiting(Hand):
    """Does nothing until it is told to."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def work(self, jobs: Any, /) -> list[Outcome]:
        self.begun.set()
        self.go_on.wait(PATIENCE_SECONDS)
        return [(None, None) for _ in jobs]

    def close(self) -> None:
        raise OSError("the disk is gone")


async def _nothing(connection: Connection) -> None:
    """A job."""


JOB: Job = _nothing


@pytest.mark.proves("STORE-together")
def test_a_thread_whose_loop_has_ended_does_its_work_and_says_nothing() -> None:
    hand = Waiting()

    async def leave() -> Threads:
        threads = Threads("store-test", lambda: hand, size=1)
        threads.submit(JOB)
        await asyncio.to_thread(hand.begun.wait, PATIENCE_SECONDS)
        return threads

    threads = asyncio.run(leave())
    hand.go_on.set()

    async def close() -> None:
        await threads.aclose()  # also when what it works with cannot be closed

    asyncio.run(close())
    assert not any(thread.name == "store-test" for thread in threading.enumerate())


class Failing(Hand):
    def work(self, jobs: Any, /) -> list[Outcome]:
        raise MemoryError

    def close(self) -> None:
        """Nothing to do."""


@pytest.mark.proves("STORE-together")
async def test_nobody_waits_for_a_thread_that_failed() -> None:
    threads = Threads("store-test", Failing, size=1, together=3)
    for _ in range(2):
        told = await asyncio.gather(*(threads.submit(JOB) for _ in range(5)), return_exceptions=True)
        assert [type(error) for error in told] == [MemoryError] * 5
    await threads.aclose()


@pytest.mark.proves("STORE-ids")
def test_ids_of_several_threads_are_different() -> None:
    ticks = itertools.count()

    def same_bytes(count: int) -> bytes:
        time.sleep(0)  # here, at the latest, another thread goes on
        return bytes(10)

    make = Ulids(lambda: next(ticks) // 50, same_bytes)
    made: list[list[str]] = [[] for _ in range(4)]

    def fill(mine: list[str]) -> None:
        mine.extend(make() for _ in range(5_000))

    threads = [threading.Thread(target=fill, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({name for mine in made for name in mine}) == 20_000
    assert all(mine == sorted(mine) for mine in made)
