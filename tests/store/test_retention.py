"""What is over is swept, on both databases; also what can be counted and exported."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import insert, select

from gateway.store import Store
from gateway.store.connection import Connection
from gateway.store.export import TABLES
from gateway.store.schema import conversations, events, items, keys, ledger, metadata, responses, secrets
from tests.store.home import OWNER, Home, answer, ending, frames, message, response, running
from tests.store.test_ledger import ROW
from tests.store.test_responses import texts


async def rows_of(store: Store) -> dict[str, int]:
    found = await store.stats()
    return {table.table: table.rows for table in found.tables if table.rows}


@pytest.mark.proves("STORE-retention")
async def test_nothing_is_swept_before_its_time(home: Home, store: Store) -> None:
    key = await store.responses.begin(running("resp_a"), [message("q")])
    await store.frames.append(key, frames(0))
    await store.responses.finish(key, ending())
    await store.conversations.create(OWNER, [message("x")])
    await store.idempotency.claim(OWNER, "k", "h", "resp_a")
    await store.signals.send(OWNER, "x")
    store.ledger.put(ROW)
    await store.ledger.flush()
    before = await rows_of(store)
    home.clock.forward(minutes=59)
    assert set((await store.sweep()).values()) == {0}
    assert await rows_of(store) == before


@pytest.mark.proves("STORE-retention")
async def test_each_kind_of_row_has_its_own_time(home: Home) -> None:
    async with home.store(ledger_days=100, conversations_days=60) as store:
        key = await store.responses.begin(running("resp_a"), [message("q")])
        await store.frames.append(key, frames(0, 1))
        await store.responses.finish(key, ending())
        await store.conversations.create(OWNER, [message("x")])
        await store.idempotency.claim(OWNER, "k", "h", "resp_a")
        await store.signals.send(OWNER, "x")
        store.ledger.put(ROW)
        await store.ledger.flush()
        gone: dict[str, float] = {}
        before = await rows_of(store)
        for day in (0.05, 1.1, 31, 61, 62, 101):
            home.clock.seconds = 1_800_000_000 + day * 86_400
            await store.sweep()
            now = await rows_of(store)
            gone |= dict.fromkeys(before.keys() - now.keys() - gone.keys(), day)
        assert gone == {
            "events": 0.05,
            "idempotency": 1.1,
            "stream_frames": 1.1,  # the answer to whoever sends the key again
            "responses": 31,
            "conversations": 62,
            "items": 62,
            "ledger": 101,
        }


@pytest.mark.proves("STORE-retention")
async def test_a_log_that_was_swept_says_so(home: Home, store: Store) -> None:
    key = await store.responses.begin(running("resp_a"))
    await store.frames.append(key, frames(0))
    still = await store.responses.begin(running("resp_b"))
    await store.frames.append(still, frames(0))
    await store.responses.finish(key, ending())
    home.clock.forward(minutes=61)
    await store.sweep()
    for name, logged in (("resp_a", False), ("resp_b", True)):
        found = await store.responses.response(OWNER, name)
        assert found is not None
        assert found.logged is logged
    assert await store.frames.read(still) == frames(0)


@pytest.mark.proves("STORE-retention")
async def test_a_log_stays_as_long_as_a_key_stands_for_it(home: Home, store: Store) -> None:
    keys = {}
    for name in ("claimed", "unclaimed", "others"):
        keys[name] = await store.responses.begin(running(f"resp_{name}"))
        await store.frames.append(keys[name], frames(0))
        await store.responses.finish(keys[name], ending())
    await store.idempotency.claim(OWNER, "k", "h", "resp_claimed")
    await store.idempotency.claim("somebody else", "k", "h", "resp_others")
    home.clock.forward(minutes=61)
    await store.sweep()
    assert [name for name, key in keys.items() if await store.frames.read(key)] == ["claimed"]
    home.clock.forward(minutes=60 * 24)
    await store.sweep()
    assert await store.frames.read(keys["claimed"]) == []


@pytest.mark.proves("STORE-retention", "STORE-chain")
async def test_a_dead_chain_is_purged_leaf_by_leaf_and_a_living_one_is_not(home: Home, store: Store) -> None:
    previous = None
    for turn in range(12):
        new = response(f"resp_{turn}", previous=previous)
        await store.responses.save(new, [message(str(turn))])
        previous = new.id
    await store.responses.save(response("resp_branch", previous="resp_3"), [message("branch")])
    for turn in range(12):
        assert await store.responses.delete(OWNER, f"resp_{turn}")
    home.clock.forward(minutes=61)
    await store.sweep()
    history = await store.responses.history(OWNER, "resp_branch")
    assert history is not None
    assert texts(list(history.items)) == ["0", "1", "2", "3", "branch"]
    assert await rows_of(store) == {"responses": 5, "items": 5}
    await store.responses.delete(OWNER, "resp_branch")
    home.clock.forward(minutes=61)
    await store.sweep()
    assert await rows_of(store) == {}


@pytest.mark.proves("STORE-retention")
async def test_what_conversations_and_responses_share_goes_when_both_are_gone(home: Home, store: Store) -> None:
    made = await store.conversations.create(OWNER, [message("alone")])
    await store.responses.save(response("resp_a", conversation=made.key), [message("q"), answer("a")])
    await store.conversations.delete(OWNER, made.key)
    home.clock.forward(minutes=61)
    await store.sweep()
    assert await rows_of(store) == {"responses": 1, "items": 2}
    again = await store.conversations.create(OWNER)
    await store.responses.save(response("resp_b", conversation=again.key), [message("q2"), answer("a2")])
    await store.responses.delete(OWNER, "resp_a")
    await store.responses.delete(OWNER, "resp_b")
    home.clock.forward(minutes=61)
    await store.sweep()
    found = await store.conversations.items(OWNER, again.key)
    assert found is not None
    assert texts(found) == ["q2", "a2"]
    assert await rows_of(store) == {"conversations": 1, "items": 2}


@pytest.mark.proves("STORE-retention")
async def test_of_what_was_deleted_no_text_stays_in_its_row(store: Store) -> None:
    made = await store.conversations.create(OWNER, metadata={"a": "secret"}, title="secret", state={"a": "secret"})
    await store.responses.save(response("resp_a", metadata={"a": "secret"}, request={"input": "secret"}), [])
    await store.conversations.delete(OWNER, made.key)
    await store.responses.delete(OWNER, "resp_a")
    for table in (conversations, responses):
        for row in await store.database.rows(select(table)):
            assert "secret" not in repr(row)


@pytest.mark.proves("STORE-export")
async def test_stats_count_every_table_and_tell_place_and_schema(home: Home, store: Store) -> None:
    await store.responses.save(response("resp_a"), [message("q"), answer("a")])
    found = await store.stats()
    assert {table.table for table in found.tables} == set(metadata.tables) - {"secrets"}
    assert [(t.rows, t.oldest, t.newest) for t in found.tables if t.table == "items"] == [(2, *[1_800_000_000_000] * 2)]
    assert (found.schema, found.size > 0) == ("0001", True)
    assert ("postgresql" in found.place) is home.postgresql


@pytest.mark.proves("STORE-export")
async def test_every_row_is_exported_once_and_secrets_are_not(store: Store) -> None:
    made = await store.conversations.create(OWNER, [message(str(n)) for n in range(1203)])
    key = await store.responses.begin(running("resp_a"))
    await store.frames.append(key, frames(*range(700)))

    async def plant(connection: Connection) -> None:
        base = {"label": "l", "owner": OWNER, "created": 1}
        await connection.execute(insert(keys), {"id": "k", "hash": "SECRET", **base})
        await connection.execute(insert(secrets), {"name": "s", "value": b"SECRET", "version": 1})

    await store.database.write(plant)
    told = {name: [row async for row in store.export(name)] for name in TABLES}
    assert "SECRET" not in json.dumps(told)
    assert [row["position"] for row in told["items"]] == list(range(1203))
    assert [row["seq"] for row in told["stream_frames"]] == list(range(700))
    assert told["stream_frames"][0]["frame"] == "data: 0\n\n"
    assert [row["id"] for row in told["conversations"]] == [made.key]
    assert told["keys"] == [{**told["keys"][0], "id": "k"}]
    with pytest.raises(KeyError):
        await anext(store.export("secrets"))


def test_the_tables_of_the_design_are_there() -> None:
    assert {events.name, items.name, ledger.name} < set(metadata.tables)
    assert len(metadata.tables) == 13
