"""The ledger, on both databases."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from gateway.config import Store as Settings
from gateway.store import Store
from gateway.store.rows import LedgerRow
from gateway.store.schema import ledger
from tests.store.home import Home
from tests.store.test_responses import statements

ROW = LedgerRow(
    turn_id="t",
    owner="o",
    surface="chat",
    upstream="codex",
    model="m",
    input_tokens=5,
    output_tokens=7,
    usage_source="upstream",
    cost=1_250_000,
    request_id="r",
)


async def count(store: Store) -> int:
    return int((await store.database.rows(select(func.count()).select_from(ledger)))[0][0])


@pytest.mark.proves("STORE-ledger")
async def test_a_row_that_was_put_is_written_with_its_day(store: Store) -> None:
    store.ledger.put(ROW)
    await store.ledger.flush()
    row = (await store.database.rows(select(ledger)))[0]
    assert (row.input_tokens, row.cost, row.cached_tokens, row.usage_source) == (5, 1_250_000, None, "upstream")
    assert (row.day, row.created) == ("2027-01-15", 1_800_000_000_000)


@pytest.mark.proves("STORE-ledger")
async def test_putting_does_not_touch_the_database_and_writing_takes_many_rows_at_once(store: Store) -> None:
    async def put_and_flush() -> None:
        for _ in range(500):
            store.ledger.put(ROW)  # no await: nothing can have been written in between
        await store.ledger.flush()

    sent = await statements(store, put_and_flush())
    assert len([statement for statement in sent if "INSERT INTO ledger" in statement]) <= 2
    assert await count(store) == 500


@pytest.mark.proves("STORE-ledger")
@pytest.mark.parametrize("number", [1, 2, 3, 64, 65, 1_025])
@pytest.mark.parametrize("differing", ["all", "some", "none"])
async def test_rows_are_kept_in_their_order_whatever_they_share(
    home: Home, store: Store, number: int, differing: str
) -> None:
    def row(place: int) -> LedgerRow:
        if differing == "none":
            return ROW
        told: dict[str, Any] = {"turn_id": f"t{place}", "cached_tokens": place if place % 2 else None}
        if differing == "some":
            return ROW._replace(**told)
        words = {name: f"{name} {place}" for name in LedgerRow._fields if isinstance(getattr(ROW, name), str)}
        return ROW._replace(**{**words, **told}, key_id=None if place % 3 else "k", account="a" * (place % 5))

    rows = [row(place) for place in range(number)]
    days: list[str] = []
    for one in rows:
        store.ledger.put(one)
        days.append((date(2027, 1, 15) + timedelta(days=len(days) if differing == "all" else 0)).isoformat())
        home.clock.forward(days=differing == "all")
    await store.ledger.flush()
    found = await store.database.rows(select(ledger).order_by(ledger.c.id))
    assert [LedgerRow(**{name: kept._mapping[name] for name in LedgerRow._fields}) for kept in found] == rows
    assert [kept.day for kept in found] == days


@pytest.mark.proves("STORE-ledger")
async def test_what_no_database_can_keep_is_replaced_in_one_row_as_in_many(store: Store) -> None:
    words = ["plain", "\ud83d", "\ude00", "n\0l", "gr\u00fcn", None]
    for word in words:
        store.ledger.put(ROW._replace(model="m\0", account=word))
    await store.ledger.flush()
    found = await store.database.rows(select(ledger).order_by(ledger.c.id))
    assert [row.account for row in found] == ["plain", "?", "?", "n\ufffdl", "gr\u00fcn", None]
    assert {row.model for row in found} == {"m\ufffd"}


@pytest.mark.proves("STORE-ledger")
async def test_rows_that_differ_are_kept_among_those_that_do_not(store: Store) -> None:
    models = ["m", "m", "n", "m", "m", "m"]
    for model in models:
        store.ledger.put(ROW._replace(model=model))
        if model == "n":
            await store.ledger.flush()
    await store.ledger.flush()
    store.ledger.put(ROW)
    await store.ledger.flush()
    found = await store.database.rows(select(ledger).order_by(ledger.c.id))
    assert [row.model for row in found] == [*models, "m"]


@pytest.mark.proves("STORE-ledger")
async def test_what_waits_is_written_when_the_store_closes(home: Home, store: Store) -> None:
    async with home.store() as closing:
        closing.ledger.put(ROW)
    assert await count(store) == 1


@pytest.mark.proves("STORE-ledger")
async def test_rows_are_written_by_themselves(store: Store) -> None:
    store.ledger.put(ROW)
    async with asyncio.timeout(20):
        assert store.ledger._task is not None
        await store.ledger._task  # it ends when nothing waits
    assert await count(store) == 1


@pytest.mark.proves("STORE-ledger")
async def test_a_full_queue_loses_rows_counts_them_and_says_so_once(home: Home) -> None:
    with capture_logs() as lines:
        async with home.store(ledger_queue=3) as store:
            for _ in range(10):
                store.ledger.put(ROW)
            await store.ledger.flush()
            assert (await count(store), store.ledger.lost) == (3, 7)
    assert len([line for line in lines if "ledger_queue" in line["event"]]) == 1


@pytest.mark.proves("STORE-ledger")
async def test_rows_that_come_while_others_are_written_wait_for_the_next_time(store: Store) -> None:
    """Else a flush under load would write one row after the other, and never end."""

    async def feed() -> None:
        while True:
            store.ledger.put(ROW)
            await asyncio.sleep(0)

    store.ledger.put(ROW)
    feeder = asyncio.create_task(feed())
    async with asyncio.timeout(30):
        await store.ledger.flush()
    assert store.ledger._waiting, "what came meanwhile"
    feeder.cancel()
    await asyncio.wait([feeder])


@pytest.mark.proves("STORE-ledger")
async def test_a_row_that_no_database_takes_does_not_hold_up_others(store: Store) -> None:
    with capture_logs() as lines:
        store.ledger.put(ROW._replace(cost=2**80))
        await store.ledger.flush()
        store.ledger.put(ROW)
        await store.ledger.flush()
    assert (await count(store), store.ledger.lost) == (1, 1)
    assert [line["log_level"] for line in lines] == ["error"]


@pytest.mark.proves("STORE-ledger", "STORE-unavailable")
async def test_rows_wait_for_a_store_that_cannot_be_used(tmp_path: Path) -> None:
    store = Store(Settings.model_validate({"url": f"sqlite:///{tmp_path}/missing/x.db"}), tmp_path)
    with capture_logs() as lines:
        store.ledger.put(ROW)
        store.ledger.put(ROW)
        await store.aclose()
    assert [line["event"][:10] for line in lines] == ["usage rows", "usage rows"]
    assert store.ledger.lost == 2


@pytest.mark.proves("STORE-off")
async def test_a_store_that_is_switched_off_takes_rows_and_keeps_none(tmp_path: Path) -> None:
    store = Store(Settings(enabled=False), tmp_path)
    with capture_logs() as lines:
        store.ledger.put(ROW)
        await store.aclose()
    assert lines == []
    assert not store.database.place.file or not store.database.place.file.exists()
