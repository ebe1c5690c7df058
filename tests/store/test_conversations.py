"""Conversations, on both databases."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from gateway.errors import ConversationLocked, InvalidRequest, UnknownCursor
from gateway.store import Store
from gateway.store.leases import Leases
from gateway.store.rows import Item, Page
from gateway.store.schema import responses
from tests.store.home import OWNER, Home, answer, call, ending, message, output, response, running
from tests.store.test_responses import statements, texts


async def listed(store: Store, name: str) -> list[str]:
    found = await store.conversations.items(OWNER, name)
    assert found is not None
    return [str(item.body().get("id") or item.body().get("call_id")) for item in found]


@pytest.mark.proves("STORE-conversations")
async def test_a_conversation_is_created_read_changed_and_deleted(home: Home, store: Store) -> None:
    made = await store.conversations.create(OWNER, [message("hi")], metadata={"a": "1"}, title="T", state={"todos": []})
    home.clock.forward(seconds=5)
    changed = await store.conversations.update(OWNER, f"conv_{made.key}", metadata={}, title_state="user")
    assert changed is not None
    assert (changed.metadata, changed.title, changed.title_state, changed.state) == ({}, "T", "user", {"todos": []})
    assert changed.updated == made.updated + 5000
    assert await store.conversations.get(OWNER, f"thread_{made.key}") == changed
    assert await store.conversations.delete(OWNER, f"ses_{made.key}")
    assert await store.conversations.get(OWNER, made.key) is None


@pytest.mark.proves("STORE-conversations")
async def test_an_id_that_a_client_chose_is_taken_until_it_is_deleted(store: Store) -> None:
    await store.conversations.create(OWNER, id="my-own_id")
    with pytest.raises(InvalidRequest, match="already"):
        await store.conversations.create(OWNER, id="my-own_id")
    await store.conversations.create("visitor", id="my-own_id")
    assert await store.conversations.delete(OWNER, "my-own_id")
    assert await store.conversations.get(OWNER, "my-own_id") is None
    await store.conversations.create(OWNER, id="my-own_id")
    assert await store.conversations.get(OWNER, "my-own_id") is not None


@pytest.mark.proves("STORE-unknown")
async def test_unknown_foreign_and_deleted_conversations_answer_alike(store: Store) -> None:
    mine = await store.conversations.create(OWNER, [message("hi", id="msg_1")], id="conv_mine")
    gone = await store.conversations.create(OWNER, [message("hi", id="msg_2")])
    assert await store.conversations.delete(OWNER, gone.key)
    for owner, name in [("visitor", "conv_mine"), ("visitor", mine.key), (OWNER, gone.key), (OWNER, "resp_mine")]:
        assert await store.conversations.get(owner, name) is None
        assert await store.conversations.update(owner, name, title="x") is None
        assert await store.conversations.add(owner, name, [message("x")]) is None
        assert await store.conversations.items(owner, name) is None
        assert await store.conversations.item_page(owner, name) is None
        assert await store.conversations.item(owner, name, "msg_1") is None
        assert not await store.conversations.remove(owner, name, "msg_1")
        assert not await store.conversations.delete(owner, name)
        async with store.conversations.lock(owner, name) as key:
            assert key is None
    assert await store.conversations.page("visitor") == Page([], False)


@pytest.mark.proves("STORE-conversations")
async def test_items_that_were_added_and_those_of_responses_are_one_list(store: Store) -> None:
    made = await store.conversations.create(OWNER, [message("rules", "system", id="msg_0")])
    name = f"conv_{made.key}"
    await store.conversations.add(OWNER, name, [message("context", id="msg_1")])
    turn = [message("q", id="msg_2"), answer("a", id="msg_3")]
    await store.responses.save(response("resp_a", conversation=name), turn)
    key = await store.responses.begin(running("resp_b", conversation=name), [message("q2", id="msg_4")])
    assert await listed(store, name) == ["msg_0", "msg_1", "msg_2", "msg_3"]
    await store.responses.finish(key, ending("incomplete", answer("a2", id="msg_5")))
    assert await listed(store, name) == [f"msg_{n}" for n in range(6)]
    assert len(await statements(store, store.conversations.items(OWNER, name))) == 1


@pytest.mark.proves("STORE-conversations")
@pytest.mark.parametrize("status", ["failed", "cancelled"])
async def test_a_response_that_failed_adds_nothing_to_its_conversation(store: Store, status: str) -> None:
    made = await store.conversations.create(OWNER)
    await store.responses.save(
        response(conversation=made.key, status=status),  # type: ignore[arg-type]
        [message("q"), answer("a")],
    )
    key = await store.responses.begin(running("resp_b", conversation=made.key), [message("q")])
    await store.responses.finish(key, ending(status, answer("half")))  # type: ignore[arg-type]
    assert await store.conversations.items(OWNER, made.key) == []
    found = await store.responses.response(OWNER, "resp_b")
    assert found is not None
    assert len(found.result["output"]) == 1


@pytest.mark.proves("STORE-conversations")
async def test_a_conversation_that_is_deleted_while_a_response_runs_gets_nothing(store: Store) -> None:
    made = await store.conversations.create(OWNER)
    key = await store.responses.begin(running("resp_b", conversation=made.key), [message("q")])
    assert await store.conversations.delete(OWNER, made.key)
    assert await store.responses.finish(key, ending("completed", answer("a")))
    history = await store.responses.history(OWNER, "resp_b")
    assert history is not None
    assert texts(list(history.items)) == ["q", "a"]


@pytest.mark.proves("STORE-conversations")
async def test_of_a_call_and_its_result_both_halves_are_removed(store: Store) -> None:
    made = await store.conversations.create(OWNER, [message("q", id="msg_1")])
    await store.responses.save(response("resp_a", conversation=made.key), [call("call_1"), call("call_2")])
    await store.conversations.add(OWNER, made.key, [output("call_1"), output("call_2")])
    page = await store.conversations.item_page(OWNER, made.key, order="asc")
    assert page is not None
    result = next(item for item in page.rows if item.type == "function_call_output")
    assert await store.conversations.remove(OWNER, made.key, result.shown()["id"])
    assert await listed(store, made.key) == ["msg_1", "call_2", "call_2"]
    assert not await store.conversations.remove(OWNER, made.key, result.shown()["id"])
    assert await store.conversations.remove(OWNER, made.key, "msg_1")
    # The response that made the call still has it.
    found = await store.responses.response(OWNER, "resp_a")
    assert found is not None
    assert [item["call_id"] for item in found.result["output"]] == ["call_1", "call_2"]


@pytest.mark.proves("STORE-conversations")
async def test_one_item_is_found_by_any_of_its_ids_in_its_conversation_only(store: Store) -> None:
    made = await store.conversations.create(OWNER, [message("q", id="msg_1"), call("call_1", step=0)])
    empty = await store.conversations.create(OWNER)
    found = await store.conversations.item(OWNER, made.key, "prt_1")
    assert found is not None
    assert found.shown() == message("q", id="msg_1").body
    assert await store.conversations.item(OWNER, made.key, f"msg_{found.key}") == found
    assert await store.conversations.item(OWNER, empty.key, "msg_1") is None
    page = await store.conversations.item_page(OWNER, made.key, order="desc", limit=1)
    assert page is not None
    shown = page.rows[0].shown()
    assert (shown["type"], shown["call_id"], shown["id"][:3], page.more) == ("function_call", "call_1", "fc_", True)


@pytest.mark.proves("STORE-pages")
async def test_a_walk_over_pages_is_complete_while_items_are_added(store: Store) -> None:
    made = await store.conversations.create(OWNER, [message(f"{n}", id=f"msg_{n}") for n in range(7)])
    seen: list[Item] = []
    more = True
    added = 7
    while more:
        if added < 10:
            await store.conversations.add(OWNER, made.key, [message(f"{added}", id=f"msg_{added}")])
            added += 1
        after = seen[-1].shown()["id"] if seen else None
        page = await store.conversations.item_page(OWNER, made.key, after=after, limit=3, order="asc")
        assert page is not None
        seen += page.rows
        more = page.more
    assert texts(seen) == [str(n) for n in range(10)]
    with pytest.raises(UnknownCursor):
        await store.conversations.item_page(OWNER, made.key, after="msg_77")


@pytest.mark.proves("STORE-pages")
async def test_conversations_are_listed_newest_first(store: Store) -> None:
    made = [(await store.conversations.create(OWNER)).key for _ in range(3)]
    first = await store.conversations.page(OWNER, limit=2)
    assert ([row.key for row in first.rows], first.more) == (made[:0:-1], True)
    second = await store.conversations.page(OWNER, limit=2, after=f"thread_{made[1]}")
    assert ([row.key for row in second.rows], second.more) == (made[:1], False)
    with pytest.raises(UnknownCursor):
        await store.conversations.page(OWNER, after="conv_nothing")


@pytest.mark.proves("STORE-conversations")
async def test_items_that_two_processes_add_at_once_all_get_a_place(store: Store, other: Store) -> None:
    made = await store.conversations.create(OWNER)
    adding = [
        process.conversations.add(OWNER, made.key, [message(f"{n}.{m}") for m in range(3)])
        for n, process in enumerate((store, other) * 10)
    ]
    await asyncio.gather(*adding)
    found = await store.conversations.items(OWNER, made.key)
    assert found is not None
    told = texts(found)
    assert sorted(told) == sorted(f"{n}.{m}" for n in range(20) for m in range(3))
    # What was added together stays together.
    assert all(told[n : n + 3] == [f"{told[n][:-2]}.{m}" for m in range(3)] for n in range(0, 60, 3))


@pytest.mark.proves("STORE-lock")
async def test_one_response_at_a_time_runs_on_a_conversation_in_all_processes(store: Store, other: Store) -> None:
    made = await store.conversations.create(OWNER)
    async with store.conversations.lock(OWNER, f"conv_{made.key}") as key:
        assert key == made.key
        for process in (store, other):
            with pytest.raises(ConversationLocked) as refused:
                async with process.conversations.lock(OWNER, f"thread_{made.key}"):
                    pass
            assert (refused.value.status, refused.value.param) == (400, "conversation")
    async with other.conversations.lock(OWNER, made.key) as key:
        assert key == made.key


@pytest.mark.proves("STORE-lock")
async def test_a_lock_is_kept_by_renewal_and_lost_by_silence(home: Home, store: Store, other: Store) -> None:
    made = await store.conversations.create(OWNER)
    async with store.conversations.lock(OWNER, made.key):
        home.clock.forward(seconds=14)
        await store._leases.renew()
        home.clock.forward(seconds=14)
        with pytest.raises(ConversationLocked):
            async with other.conversations.lock(OWNER, made.key):
                pass
        home.clock.forward(seconds=2)  # no renewal: as if the process had died
        async with other.conversations.lock(OWNER, made.key) as key:
            assert key == made.key
            # Leaving the first lock does not open the second: see below.
            await store._leases.renew()
    async with store.conversations.lock(OWNER, made.key) as key:
        assert key == made.key


@pytest.mark.proves("STORE-lock", "STORE-lease")
async def test_what_is_held_is_renewed_by_itself_and_what_was_dropped_is_not(home: Home, store: Store) -> None:
    leases = Leases(store._shared, every=0.01)
    kept = await store.responses.begin(running("resp_kept"))
    dropped = await store.responses.begin(running("resp_dropped"))
    leases.hold(kept)
    home.clock.forward(seconds=10)

    async def until(key: str) -> int:
        return int((await store.database.rows(select(responses.c.lease).where(responses.c.id == key)))[0][0])

    before = await until(dropped)
    async with asyncio.timeout(20):
        while await until(kept) == before:  # noqa: ASYNC110 - only the row tells
            await asyncio.sleep(0.01)
    assert (await until(kept), await until(dropped)) == (before + 10_000, before)
    leases.drop(kept)
    async with asyncio.timeout(20):
        assert leases._task is not None
        await leases._task  # nothing is held, nothing is renewed


@pytest.mark.proves("STORE-lock")
async def test_a_lock_that_was_lost_does_not_free_its_successor(home: Home, store: Store, other: Store) -> None:
    made = await store.conversations.create(OWNER)
    late = store.conversations.lock(OWNER, made.key)
    await late.__aenter__()
    home.clock.forward(seconds=16)
    async with other.conversations.lock(OWNER, made.key):
        await late.__aexit__(None, None, None)
        with pytest.raises(ConversationLocked):
            async with store.conversations.lock(OWNER, made.key):
                pass


@pytest.mark.proves("STORE-lock")
async def test_a_store_that_closes_gives_its_locks_back(home: Home, store: Store) -> None:
    made = await store.conversations.create(OWNER)
    async with home.store() as leaving:
        await leaving.conversations.lock(OWNER, made.key).__aenter__()
    home.clock.forward(seconds=1)
    async with store.conversations.lock(OWNER, made.key) as key:
        assert key == made.key
