"""Stored responses, on both databases."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest
from sqlalchemy import event, func, select

from gateway.errors import InvalidRequest, PreviousResponseNotFound, UnknownCursor
from gateway.store import Store
from gateway.store.rows import Item, NewItem, Page
from gateway.store.schema import items
from tests.store.home import OWNER, Home, answer, call, ending, frames, message, output, response, running


def texts(found: list[Item] | tuple[Item, ...]) -> list[str]:
    return [item.body()["content"][0]["text"] for item in found]


async def statements(store: Store, work: Awaitable[object]) -> list[str]:
    """The SQL that a piece of work sends."""
    sent: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    assert store.database._driver is not None
    engine = store.database._driver.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        await work
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return sent


@pytest.mark.proves("STORE-responses")
async def test_what_was_saved_is_read_with_the_same_items_and_ids(store: Store) -> None:
    drafts = [
        message("hello", id="msg_in"),
        NewItem({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"}),
        answer("hi", id="msg_out"),
    ]
    result = {"id": "resp_a", "object": "response", "usage": {"input_tokens": 3}, "output": ["not kept twice"]}
    await store.responses.save(response("resp_a", result=result, model="m", request={"input": "hello"}), drafts)
    found = await store.responses.response(OWNER, "resp_a")
    assert found is not None
    assert found.result["output"] == [drafts[1].body, drafts[2].body]
    assert found.result["usage"] == {"input_tokens": 3}
    assert (found.status, found.model, found.request, found.wire_id) == ("completed", "m", {"input": "hello"}, "a")


@pytest.mark.proves("STORE-ids")
@pytest.mark.parametrize("prefix", ["resp_", "run_", "chatcmpl-"])
async def test_a_response_is_found_by_either_id_and_any_prefix_of_its_kind(store: Store, prefix: str) -> None:
    key = await store.responses.save(response("resp_Wire"), [])
    for body in ("Wire", key, key.upper()):
        found = await store.responses.response(OWNER, prefix + body)
        assert found is not None
        assert found.key == key


@pytest.mark.proves("STORE-unknown")
async def test_unknown_wrong_foreign_deleted_and_expired_ids_answer_alike(home: Home, store: Store) -> None:
    key = await store.responses.save(response("resp_a"), [message("x")])
    await store.responses.save(response("resp_gone"), [])
    assert await store.responses.delete(OWNER, "resp_gone")
    strange = [(OWNER, "resp_b"), (OWNER, "msg_a"), ("visitor", "resp_a"), ("visitor", key), (OWNER, "resp_gone")]
    for owner, name in strange:
        assert await store.responses.response(owner, name) is None
        assert await store.responses.history(owner, name) is None
        assert await store.responses.input_items(owner, name) is None
        assert await store.responses.cancel(owner, name) is None
        assert not await store.responses.delete(owner, name)
        assert not await store.responses.set_metadata(owner, name, {})
        with pytest.raises(PreviousResponseNotFound):
            await store.responses.save(response(owner="visitor", previous="resp_a"), [])
    home.clock.forward(days=31)
    assert await store.responses.response(OWNER, "resp_a") is None
    assert await store.responses.history(OWNER, "resp_a") is None


@pytest.mark.proves("STORE-chain")
async def test_a_chain_of_two_hundred_turns_is_what_a_client_would_have_sent(store: Store) -> None:
    sent: list[NewItem] = []
    previous = None
    for turn in range(200):
        drafts = [message(f"question {turn}", id=f"msg_q{turn}")]
        if turn % 3 == 1:
            drafts = [output(f"call_{turn - 1}"), *drafts]
        drafts.append(NewItem({"type": "reasoning", "id": f"rs_{turn}", "encrypted_content": "e", "summary": []}))
        drafts.append(call(f"call_{turn}") if turn % 3 == 0 else answer(f"answer {turn}", id=f"msg_a{turn}"))
        new = response(previous=previous)
        await store.responses.save(new, drafts)
        sent += drafts
        previous = new.id
    assert previous is not None
    history = await store.responses.history(OWNER, previous)
    assert history is not None
    assert history.continuable
    assert [item.body() for item in history.items] == [draft.body for draft in sent]


@pytest.mark.proves("STORE-one-query")
async def test_two_thousand_items_are_recalled_with_one_query(store: Store) -> None:
    previous = None
    for turn in range(20):
        drafts = [message(f"{turn}.{n}", id=f"msg_{turn}_{n}") for n in range(100)]
        new = response(previous=previous)
        await store.responses.save(new, drafts)
        previous = new.id
    assert previous is not None
    sent = await statements(store, store.responses.history(OWNER, previous))
    assert len(sent) == 1
    history = await store.responses.history(OWNER, previous)
    assert history is not None
    assert texts(list(history.items)) == [f"{turn}.{n}" for turn in range(20) for n in range(100)]


@pytest.mark.proves("STORE-cost")
async def test_a_turn_costs_what_its_own_items_need_however_long_the_chain_is(store: Store) -> None:
    async def turn(previous: str | None) -> tuple[str, int]:
        new = response(previous=previous)
        return new.id, len(await statements(store, store.responses.save(new, [message("q"), answer("a")])))

    first, cost = await turn(None)
    second, cost = await turn(first)
    last = second
    for _ in range(30):
        last, now = await turn(last)
        assert now == cost
    count = await store.database.rows(select(func.count()).select_from(items))
    assert count[0][0] == 2 * 32


@pytest.mark.proves("STORE-chain")
async def test_several_responses_may_go_on_from_one(store: Store) -> None:
    await store.responses.save(response("resp_root"), [message("root")])
    for name in ("left", "right"):
        await store.responses.save(response(f"resp_{name}", previous="resp_root"), [message(name)])
    for name in ("left", "right"):
        history = await store.responses.history(OWNER, f"resp_{name}")
        assert history is not None
        assert texts(list(history.items)) == ["root", name]


@pytest.mark.proves("STORE-chain")
async def test_a_deleted_or_expired_ancestor_still_carries_its_children(home: Home, store: Store) -> None:
    await store.responses.save(response("resp_1"), [message("one")])
    await store.responses.save(response("resp_2", previous="resp_1"), [message("two")])
    assert await store.responses.delete(OWNER, "resp_1")
    home.clock.forward(days=29)
    await store.responses.save(response("resp_3", previous="resp_2"), [message("three")])
    home.clock.forward(days=2)
    await store.sweep()
    assert await store.responses.response(OWNER, "resp_1") is None
    assert await store.responses.response(OWNER, "resp_2") is None
    history = await store.responses.history(OWNER, "resp_3")
    assert history is not None
    assert texts(list(history.items)) == ["one", "two", "three"]


@pytest.mark.proves("STORE-chain")
@pytest.mark.parametrize(
    ("status", "continuable"), [("completed", True), ("incomplete", True), ("failed", False), ("cancelled", False)]
)
async def test_only_what_was_answered_can_be_continued(store: Store, status: str, continuable: bool) -> None:
    await store.responses.save(response("resp_a", status=status, error={"code": "x"}), [])  # type: ignore[arg-type]
    history = await store.responses.history(OWNER, "resp_a")
    assert history is not None
    assert (history.continuable, list(history.items)) == (continuable, [])


async def walk(store: Store, name: str, limit: int, order: str) -> tuple[list[str], list[bool]]:
    """The ids of all input items, page by page, and what each page says of more."""
    ids: list[str] = []
    more: list[bool] = []
    while not more or more[-1]:
        page: Page[Item] | None = await store.responses.input_items(
            OWNER,
            name,
            after=ids[-1] if ids else None,
            limit=limit,
            order=order,  # type: ignore[arg-type]
        )
        assert page is not None
        ids += [item.shown()["id"] for item in page.rows]
        more.append(page.more)
    return ids, more


@pytest.mark.proves("STORE-pages")
async def test_pages_of_one_over_three_items_are_three_pages(store: Store) -> None:
    await store.responses.save(
        response("resp_a"), [message("1", id="msg_1"), message("2"), message("3", id="msg_3"), answer("out")]
    )
    ids, more = await walk(store, "resp_a", 1, "asc")
    assert (len(set(ids)), ids[0], ids[2], more) == (3, "msg_1", "msg_3", [True, True, False])
    assert (await walk(store, "resp_a", 2, "desc"))[0] == ids[::-1]
    await store.responses.save(response("resp_empty"), [])
    assert await store.responses.input_items(OWNER, "resp_empty") == Page([], False)
    for after in ("msg_nothing", "resp_a", "", "msg_out"):
        with pytest.raises(UnknownCursor) as refused:
            await store.responses.input_items(OWNER, "resp_a", after=after)
        assert (refused.value.param, refused.value.code) == ("after", "invalid_value")


@pytest.mark.proves("STORE-ids")
async def test_an_id_that_is_used_already_is_shown_under_another_and_kept_for_upstreams(store: Store) -> None:
    reasoning = NewItem({"type": "reasoning", "id": "rs_1", "encrypted_content": "e", "summary": []})
    await store.responses.save(response("resp_1"), [message("q"), reasoning])
    # What programs do that keep their own history: they send back what they got.
    again = NewItem(reasoning.body, step=0)
    await store.responses.save(response("resp_2"), [again, again, message("q2")])
    ids, _ = await walk(store, "resp_2", 1, "asc")
    assert len(set(ids)) == 3
    assert "rs_1" not in ids
    assert ids[0].startswith("rs_")
    history = await store.responses.history(OWNER, "resp_2")
    assert history is not None
    assert [item.body().get("id") for item in history.items] == ["rs_1", "rs_1", None]


@pytest.mark.proves("STORE-ids")
async def test_a_response_id_that_a_server_gives_again_means_the_newest(store: Store) -> None:
    first = await store.responses.save(response("resp_1"), [answer("old")])
    await store.responses.save(response("resp_1"), [answer("new")])
    found = await store.responses.response(OWNER, "resp_1")
    older = await store.responses.response(OWNER, f"resp_{first}")
    assert found is not None
    assert older is not None
    assert found.result["output"][0]["content"][0]["text"] == "new"
    assert older.result["output"][0]["content"][0]["text"] == "old"


@pytest.mark.proves("STORE-ids", "STORE-chain")
async def test_a_response_may_go_on_from_an_older_one_of_its_own_id(store: Store) -> None:
    await store.responses.save(response("resp_1"), [message("old")])
    await store.responses.save(response("resp_1", previous="resp_1"), [message("new")])
    history = await store.responses.history(OWNER, "resp_1")
    assert history is not None
    assert texts(list(history.items)) == ["old", "new"]


@pytest.mark.proves("STORE-responses")
async def test_metadata_is_replaced_and_shown_in_the_result(store: Store) -> None:
    await store.responses.save(response("resp_a", metadata={"a": "1"}), [])
    assert await store.responses.set_metadata(OWNER, "resp_a", {"b": "2"})
    found = await store.responses.response(OWNER, "resp_a")
    assert found is not None
    assert found.metadata == found.result["metadata"] == {"b": "2"}


@pytest.mark.proves("STORE-atomic")
async def test_what_cannot_be_saved_whole_is_not_saved_at_all(store: Store) -> None:
    with pytest.raises(InvalidRequest, match="conv_nothing"):
        await store.responses.save(response("resp_a", conversation="conv_nothing"), [message("x")])
    with pytest.raises(PreviousResponseNotFound):
        await store.responses.begin(running("resp_a", previous="resp_nothing"), [message("x")])
    with pytest.raises(TypeError):
        await store.responses.save(response("resp_a"), [message("x"), NewItem({"type": object()})])
    assert await store.responses.response(OWNER, "resp_a") is None
    assert (await store.database.rows(select(func.count()).select_from(items)))[0][0] == 0


@pytest.mark.proves("STORE-text")
@pytest.mark.parametrize("text", ["\ud83d", "a\x00b", "\u2028é😀", "'\";--%"], ids=["half", "nul", "unicode", "quotes"])
async def test_any_text_is_kept(store: Store, text: str) -> None:
    draft = NewItem({"type": text, "role": text, "call_id": text, "id": f"msg_{text}", "text": text})
    new = response("resp_a", model=text, metadata={text: text}, request={text: text})
    await store.responses.save(new, [draft])
    found = await store.responses.response(OWNER, "resp_a")
    assert found is not None
    assert found.result["output"] == [draft.body]
    assert (found.request, found.metadata) == ({text: text}, {text: text})
    assert await store.responses.response(text, text) is None


@pytest.mark.proves("STORE-responses")
async def test_a_response_that_began_is_read_while_it_runs_and_when_it_has_ended(store: Store) -> None:
    key = await store.responses.begin(running("resp_a", status="queued"), [message("q")])
    found = await store.responses.response(OWNER, "resp_a")
    assert found is not None
    assert (found.status, found.result["output"], found.ended) == ("queued", [], False)
    assert await store.responses.start(key)
    assert not await store.responses.start(key)
    history = await store.responses.history(OWNER, "resp_a")
    assert history is not None
    assert (history.status, history.continuable) == ("in_progress", False)
    assert await store.responses.finish(key, ending("completed", answer("a")))
    assert not await store.responses.finish(key, ending("failed"))
    found = await store.responses.response(OWNER, "resp_a")
    assert found is not None
    assert (found.status, len(found.result["output"])) == ("completed", 1)


@pytest.mark.proves("STORE-delete")
async def test_of_a_response_that_is_deleted_while_it_runs_nothing_is_kept(store: Store) -> None:
    key = await store.responses.begin(running("resp_a"), [message("q")])
    await store.frames.append(key, frames(0))
    assert await store.responses.delete(OWNER, "resp_a")
    await store.responses.cancelled(key)
    assert await store.responses.finish(key, ending("completed", answer("secret"), frames=tuple(frames(1))))
    assert await store.frames.read(key) == []
    assert await store.responses.response(OWNER, "resp_a") is None
    kept = await store.responses.by_key(key)
    assert kept is not None
    assert kept.result["output"] == []


@pytest.mark.proves("STORE-delete")
async def test_a_response_that_is_deleted_loses_its_log(store: Store) -> None:
    key = await store.responses.begin(running("resp_a"))
    await store.frames.append(key, frames(0))
    await store.responses.finish(key, ending())
    assert await store.responses.delete(OWNER, "resp_a")
    assert await store.frames.read(key) == []
