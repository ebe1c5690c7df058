"""`/v1/conversations` with the openai package."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.conversations import Conversation, ConversationDeletedResource, ConversationItemList

from tests.sdk_shapes import typed
from tests.store.home import call, message, response
from tests.surfaces.state.conftest import World, problem

Json = dict[str, Any]


async def body(world: World, method: str, path: str, **arguments: Any) -> Json:
    answer = await world.http.request(method, path, **arguments)
    assert answer.status_code == 200, answer.text
    document: Json = answer.json()
    return document


def checked(kind: Any, document: Json) -> Any:
    """The document as the SDK types it, strictly."""
    found: list[str] = []
    value = typed(kind, document, "$", found)
    assert found == []
    return value


def user(text: str, **fields: Any) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}], **fields}


@pytest.mark.proves("STATE-conversations")
async def test_a_conversation_is_made_read_changed_and_deleted(world: World) -> None:
    conversations = world.client.conversations
    made = await conversations.create(metadata={"topic": "tea"})
    assert made.id.startswith("conv_")
    assert (made.object, made.metadata, made.created_at) == ("conversation", {"topic": "tea"}, 1_800_000_000)
    assert await conversations.retrieve(made.id) == made
    assert (await conversations.update(made.id, metadata={"topic": "rice"})).metadata == {"topic": "rice"}
    assert (await conversations.update(made.id, metadata=None)).metadata == {}
    gone = await conversations.delete(made.id)
    assert (gone.id, gone.object, gone.deleted) == (made.id, "conversation.deleted", True)
    assert problem(await world.refused("GET", f"/v1/conversations/{made.id}")) == (404, None, None)


@pytest.mark.proves("STATE-conversations")
@pytest.mark.parametrize("sent", [b"", b" \n", b"{}", b'{"items":null,"metadata":null}', b'{"other":1}'])
async def test_a_conversation_can_be_made_from_nothing(world: World, sent: bytes) -> None:
    made = await body(world, "POST", "/v1/conversations?beta=true", content=sent)
    assert checked(Conversation, made).metadata == {}
    gone = await body(world, "DELETE", f"/v1/conversations/{made['id']}")
    checked(ConversationDeletedResource, gone)


@pytest.mark.proves("STATE-conversations", "CASE-159")
async def test_items_given_at_the_start_are_in_it_in_their_order(world: World) -> None:
    roles = ("system", "developer", "user", "assistant")
    items: Any = [{"role": role, "content": role} for role in roles]
    made = await world.client.conversations.create(items=items)
    listed = [item async for item in world.client.conversations.items.list(made.id, order="asc")]
    assert [getattr(item, "role", None) for item in listed] == list(roles)


@pytest.mark.proves("STATE-items")
async def test_items_are_added_listed_and_read(world: World) -> None:
    made = await world.client.conversations.create()
    added = await world.client.conversations.items.create(made.id, items=[user("one"), user("two")])  # type: ignore[list-item]
    assert (added.object, added.has_more) == ("list", False)
    assert [added.first_id, added.last_id] == [item.id for item in added.data]
    more = await world.client.conversations.items.create(made.id, items=[user("three")])  # type: ignore[list-item]
    newest_first = [item async for item in world.client.conversations.items.list(made.id)]
    assert newest_first == [*more.data, *reversed(added.data)]
    for item in newest_first:
        assert await world.client.conversations.items.retrieve(item.id or "", conversation_id=made.id) == item


@pytest.mark.proves("CASE-136", "STATE-items")
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_of_one_come_to_an_end_without_repeats(world: World, order: Any) -> None:
    made = await world.client.conversations.create(items=[user(text) for text in "abc"])  # type: ignore[misc]
    pages = []
    page = await world.client.conversations.items.list(made.id, limit=1, order=order)
    async for part in page.iter_pages():
        assert len(part.data) == 1
        pages.append((part.data[0].content[0].text, part.has_more))  # type: ignore[index, union-attr]
    texts = "abc" if order == "asc" else "cba"
    assert pages == list(zip(texts, (True, True, False), strict=True))


@pytest.mark.proves("CASE-137")
async def test_an_empty_list_has_empty_ids(world: World) -> None:
    made = await world.client.conversations.create()
    listed = await body(world, "GET", f"/v1/conversations/{made.id}/items")
    assert listed == {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}
    checked(ConversationItemList, listed)
    assert [item async for item in world.client.conversations.items.list(made.id)] == []


@pytest.mark.proves("CASE-138", "STATE-items")
async def test_deleting_an_item_answers_with_the_conversation(world: World) -> None:
    made = await world.client.conversations.create(items=[user("one"), user("two")])  # type: ignore[list-item]
    first = (await world.client.conversations.items.list(made.id, order="asc")).data[0]
    left = await world.client.conversations.items.delete(first.id or "", conversation_id=made.id)
    assert left == made
    assert len((await world.client.conversations.items.list(made.id)).data) == 1
    path = f"/v1/conversations/{made.id}/items/{first.id}"
    for method in ("GET", "DELETE"):
        status, error = await world.refused(method, path)
        assert (status, error["message"]) == (404, f"Item with id '{first.id}' not found.")


@pytest.mark.proves("STATE-items")
async def test_of_a_call_and_its_result_neither_stays_alone(world: World) -> None:
    items: Any = [
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        user("and now?"),
    ]
    made = await world.client.conversations.create(items=items)
    call = (await world.client.conversations.items.list(made.id, order="asc")).data[0]
    await world.client.conversations.items.delete(call.id or "", conversation_id=made.id)
    assert [item.type async for item in world.client.conversations.items.list(made.id)] == ["message"]


@pytest.mark.proves("CASE-157")
async def test_a_call_that_a_response_made_is_listed_as_a_call(world: World) -> None:
    made = await world.client.conversations.create()
    await world.store.responses.save(response("resp_1", conversation=made.id), [message("hi"), call("c1")])
    newest = (await world.client.conversations.items.list(made.id)).data[0]
    assert newest.type == "function_call"
    assert (newest.call_id, newest.name, newest.arguments, newest.status) == ("c1", "f", "{}", "completed")
    listed = await body(world, "GET", f"/v1/conversations/{made.id}/items")
    assert len(checked(ConversationItemList, listed).data) == 2


@pytest.mark.proves("STATE-item-ids")
async def test_an_id_is_kept_when_it_is_valid_and_unused(world: World) -> None:
    items: Any = [
        user("a", id="msg_mine"),
        user("b", id="msg_mine"),
        user("c", id="not a legal id"),
        {"type": "reasoning", "id": "msg_other", "summary": []},
        {"type": "function_call_output", "call_id": "c", "output": "", "id": "whatever-1"},
        user("d", id=None),
    ]
    made = await world.client.conversations.create(items=items)
    ids = [item.id or "" async for item in world.client.conversations.items.list(made.id, order="asc")]
    assert len(set(ids)) == 6
    assert (ids[0], ids[4]) == ("msg_mine", "whatever-1")
    assert [name.split("_")[0] for name in ids] == ["msg", "msg", "msg", "rs", "whatever-1", "msg"]
    for name in ids:
        found = await world.client.conversations.items.retrieve(name, conversation_id=made.id)
        assert found.id == name


@pytest.mark.proves("STATE-not-found")
async def test_every_id_that_names_nothing_is_answered_alike(world: World) -> None:
    gone = (await world.client.conversations.create()).id
    await world.client.conversations.delete(gone)
    for name in (gone, "conv_unknown", "msg_x", "resp_x", "asst_x", "x" * 600, "…"):
        for method, rest, sent in (
            ("GET", "", None),
            ("POST", "", {"metadata": {}}),
            ("DELETE", "", None),
            ("GET", "/items", None),
            ("POST", "/items", {"items": []}),
            ("GET", "/items/msg_1", None),
            ("DELETE", "/items/msg_1", None),
        ):
            status, error = await world.refused(method, f"/v1/conversations/{name}{rest}", json=sent)
            assert (status, error["code"], error["param"]) == (404, None, None)
            assert error["message"] == f"Conversation with id '{name[:80]}' not found."


@pytest.mark.proves("STATE-not-found")
async def test_an_item_of_another_conversation_is_unknown(world: World) -> None:
    one = await world.client.conversations.create(items=[user("one", id="msg_1")])  # type: ignore[list-item]
    other = await world.client.conversations.create()
    for method in ("GET", "DELETE"):
        path = f"/v1/conversations/{other.id}/items/msg_1"
        assert problem(await world.refused(method, path)) == (404, None, None)
    assert await world.client.conversations.items.retrieve("msg_1", conversation_id=one.id)


@pytest.mark.proves("STATE-conversations")
async def test_every_prefix_of_the_kind_names_the_conversation(world: World) -> None:
    made = await world.client.conversations.create()
    bare = made.id.removeprefix("conv_")
    for name in (bare, f"thread_{bare}", f"ses_{bare}", f"CONV_{bare.upper()}"):
        assert (await world.client.conversations.retrieve(name)).id == made.id


@pytest.mark.proves("STATE-owners", "CASE-143")
async def test_a_conversation_of_another_owner_is_unknown(world: World) -> None:
    made = await world.client.conversations.create(items=[user("secret", id="msg_1")])  # type: ignore[list-item]
    headers = {"x-owner": "visitor"}
    asked: list[tuple[str, str, Json | None]] = [
        ("GET", "", None),
        ("POST", "", {"metadata": {"a": "b"}}),
        ("DELETE", "", None),
        ("GET", "/items", None),
        ("POST", "/items", {"items": [user("x")]}),
        ("GET", "/items/msg_1", None),
        ("DELETE", "/items/msg_1", None),
    ]
    for method, rest, sent in asked:
        foreign = await world.refused(method, f"/v1/conversations/{made.id}{rest}", json=sent, headers=headers)
        unknown = await world.refused(method, f"/v1/conversations/conv_0{rest}", json=sent, headers=headers)
        assert foreign[0] == unknown[0] == 404
        assert foreign[1]["message"].replace(made.id, "conv_0") == unknown[1]["message"]
    assert await world.client.conversations.retrieve(made.id) == made
    assert len((await world.client.conversations.items.list(made.id)).data) == 1


@pytest.mark.proves("STATE-owners")
async def test_two_owners_may_use_the_same_item_id(world: World) -> None:
    for client in (world.client, world.visitor):
        made = await client.conversations.create(items=[user("mine", id="msg_same")])  # type: ignore[list-item]
        assert (await client.conversations.items.list(made.id)).data[0].id == "msg_same"
