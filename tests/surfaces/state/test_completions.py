"""`/v1/chat/completions` of before, with the openai package."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletionDeleted

from gateway.core import usage
from gateway.store.rows import NewItem
from gateway.surfaces.router import Router
from gateway.surfaces.state import routes
from tests.sdk_types import check_chat
from tests.store.home import answer, call, message, output, response, running
from tests.surfaces.stack import Stack, hello
from tests.surfaces.state.conftest import LIMITS, World, problem
from tests.surfaces.state.test_conversations import body, checked

Json = dict[str, Any]


async def saved(world: World, name: str, *drafts: NewItem, owner: str = "operator", **fields: Any) -> None:
    """A completion of this name, which said its name."""
    counted = usage.complete({"input_tokens": 3, "output_tokens": 2})
    told = {"id": f"resp_{name}", "object": "response", "created_at": 5, "model": "m", "usage": counted}
    request = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "store": True}
    new = response(
        f"chatcmpl-{name}", owner=owner, surface="chat", result=told, **{"request": request, "model": "m"} | fields
    )
    await world.store.responses.save(new, drafts or [message("hi"), answer(f"I am {name}")])


@pytest.mark.proves("STATE-completions")
async def test_a_stored_completion_is_read_whole(world: World) -> None:
    await saved(world, "a", metadata={"k": "v"})
    document = await body(world, "GET", "/v1/chat/completions/chatcmpl-a")
    found = check_chat(document)
    assert (found.id, found.object, found.created, found.model) == ("chatcmpl-a", "chat.completion", 5, "m")
    assert (found.choices[0].message.content, found.choices[0].finish_reason) == ("I am a", "stop")
    assert found.metadata == {"k": "v"}
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (3, 2)
    assert await world.client.chat.completions.retrieve("chatcmpl-a") == found
    assert (await world.client.chat.completions.retrieve("resp_a")).id == "chatcmpl-a"
    assert (await world.client.responses.retrieve("chatcmpl-a")).output_text == "I am a"


@pytest.mark.proves("STATE-completions", "CASE-136")
async def test_completions_are_listed_in_pages_oldest_first(world: World) -> None:
    for name in "abc":
        await saved(world, name)
    first = await world.client.chat.completions.list(limit=1)
    pages = [([found.id for found in page.data], page.has_more) async for page in first.iter_pages()]
    assert pages == [(["chatcmpl-a"], True), (["chatcmpl-b"], True), (["chatcmpl-c"], False)]
    newest = [found.id async for found in world.client.chat.completions.list(order="desc")]
    assert newest == ["chatcmpl-c", "chatcmpl-b", "chatcmpl-a"]
    assert (await body(world, "GET", "/v1/chat/completions?limit=2"))["last_id"] == "chatcmpl-b"


@pytest.mark.proves("STATE-completions")
async def test_completions_are_found_by_model_and_metadata(world: World) -> None:
    await saved(world, "a", metadata={"topic": "tea", "odd [key]": "1&2"})
    await saved(world, "b", metadata={"topic": "rice"})
    await saved(world, "c", metadata={"topic": "tea"}, model="n")
    await world.store.responses.begin(running("chatcmpl-d", surface="chat", metadata={"topic": "tea"}))
    await world.store.responses.save(response("resp_e", metadata={"topic": "tea"}), [])

    async def ids(**wanted: Any) -> list[str]:
        return [found.id[-1] async for found in world.client.chat.completions.list(**wanted)]

    assert await ids(metadata={"topic": "tea"}) == ["a", "c"]
    assert await ids(metadata={"topic": "tea"}, model="m") == ["a"]
    assert await ids(metadata={"odd [key]": "1&2", "topic": "tea"}) == ["a"]
    assert await ids(model="M") == []
    assert await ids() == ["a", "b", "c"]


@pytest.mark.proves("CASE-137")
async def test_no_completions_are_an_empty_list(world: World) -> None:
    listed = await body(world, "GET", "/v1/chat/completions")
    assert listed == {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}


@pytest.mark.proves("STATE-completions", "STATE-metadata")
async def test_the_metadata_of_a_completion_is_replaced(world: World) -> None:
    await saved(world, "a", metadata={"k": "v"})
    completions = world.client.chat.completions
    assert (await completions.update("chatcmpl-a", metadata={"now": "this"})).metadata == {"now": "this"}
    assert (await completions.retrieve("chatcmpl-a")).metadata == {"now": "this"}
    assert (await world.client.responses.retrieve("chatcmpl-a")).metadata == {"now": "this"}
    assert (await completions.update("chatcmpl-a", metadata=None)).metadata == {}
    path = "/v1/chat/completions/chatcmpl-a"
    assert problem(await world.refused("POST", path, json={})) == (400, "invalid_request", "metadata")
    too_many = {"metadata": {str(number): "" for number in range(17)}}
    assert problem(await world.refused("POST", path, json=too_many))[1] == "object_above_max_properties"
    pairs = "&".join(f"metadata[{number}]=x" for number in range(17))
    assert problem(await world.refused("GET", f"/v1/chat/completions?{pairs}"))[1] == "object_above_max_properties"


@pytest.mark.proves("STATE-completions", "STATE-not-found")
async def test_a_deleted_completion_is_as_unknown_as_any(world: World) -> None:
    await saved(world, "a")
    await saved(world, "b")
    await world.store.responses.save(response("resp_e"), [])
    await world.store.responses.begin(running("chatcmpl-f", surface="chat"))
    gone = await body(world, "DELETE", "/v1/chat/completions/chatcmpl-b")
    assert checked(ChatCompletionDeleted, gone).deleted
    assert gone["id"] == "chatcmpl-b"
    for name in ("chatcmpl-b", "chatcmpl-z", "resp_e", "chatcmpl-f", "conv_1"):
        for method, rest in (("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/messages")):
            sent: Json | None = {"metadata": {}} if method == "POST" else None
            status, error = await world.refused(method, f"/v1/chat/completions/{name}{rest}", json=sent)
            assert (status, error["code"], error["param"]) == (404, None, None)
            assert error["message"] == f"Chat completion with id '{name}' not found."
    assert [found.id async for found in world.client.chat.completions.list()] == ["chatcmpl-a"]


@pytest.mark.proves("STATE-messages", "CASE-136")
async def test_the_messages_are_those_it_was_asked_with(world: World) -> None:
    picture = {"type": "input_image", "image_url": "data:,"}
    asked = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "look"}, picture]}
    drafts = [message("be short", "system"), NewItem(asked, step=0), call("c1", step=0), call("c2", step=0)]
    await saved(world, "a", *drafts, output("c1"), output("c2"), answer("done"))
    listed = [
        found.model_dump(exclude_unset=True)
        async for found in world.client.chat.completions.messages.list("chatcmpl-a", limit=2)
    ]
    assert [entry["id"] for entry in listed] == [f"chatcmpl-a-{number}" for number in range(5)]
    assert [entry["role"] for entry in listed] == ["system", "user", "assistant", "tool", "tool"]
    assert [entry["content"] for entry in listed] == ["be short", "look", None, "1", "1"]
    assert listed[1]["content_parts"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:,", "detail": "auto"}},
    ]
    assert [made["id"] for made in listed[2]["tool_calls"]] == ["c1", "c2"]
    assert [entry["tool_call_id"] for entry in listed[3:]] == ["c1", "c2"]
    newest = (await world.client.chat.completions.messages.list("chatcmpl-a", order="desc", limit=1)).data[0]
    assert newest.id == "chatcmpl-a-4"
    path = "/v1/chat/completions/chatcmpl-a/messages?after=chatcmpl-a-9"
    assert problem(await world.refused("GET", path)) == (400, "invalid_value", "after")


@pytest.mark.proves("STATE-messages")
async def test_a_long_conversation_is_listed_to_its_end(world: World) -> None:
    await saved(world, "a", *[message(str(number)) for number in range(1_001)])
    last = (await world.client.chat.completions.messages.list("chatcmpl-a", order="desc", limit=1)).data[0]
    assert (last.id, last.content) == ("chatcmpl-a-1000", "1000")
    pages = world.client.chat.completions.messages.list("chatcmpl-a", limit=100)
    assert [int(found.content or "") async for found in pages] == list(range(1_001))


@pytest.mark.proves("STATE-owners", "CASE-143")
async def test_a_completion_of_another_owner_is_unknown(world: World) -> None:
    await saved(world, "a", metadata={"k": "v"})
    headers = {"x-owner": "visitor"}
    assert [found async for found in world.visitor.chat.completions.list(metadata={"k": "v"})] == []
    for method, rest in (("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/messages")):
        sent: Json | None = {"metadata": {}} if method == "POST" else None
        path = f"/v1/chat/completions/chatcmpl-a{rest}"
        status, error = await world.refused(method, path, json=sent, headers=headers)
        assert (status, error["message"]) == (404, "Chat completion with id 'chatcmpl-a' not found.")
    after = await world.refused("GET", "/v1/chat/completions?after=chatcmpl-a", headers=headers)
    assert problem(after) == (400, "invalid_value", "after")
    assert (await world.client.chat.completions.retrieve("chatcmpl-a")).metadata == {"k": "v"}


@pytest.mark.proves("STATE-completions")
async def test_what_was_cut_off_is_no_completion(world: World) -> None:
    await saved(world, "a", status="failed", error={"code": "server_error", "message": "broken"})
    assert (await world.http.get("/v1/chat/completions/chatcmpl-a")).status_code == 404
    assert (await body(world, "GET", "/v1/chat/completions"))["data"] == []


@pytest.mark.proves("STATE-paths")
async def test_turns_are_still_posted_to_the_path_of_the_list(world: World) -> None:
    class Turns:
        methods = ("POST",)

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await hello(scope, receive, send)

    stack = Stack(Router({"/v1/chat/completions": Turns()}, {}, [], templates=routes(world.store, LIMITS)))
    assert (await stack.request("POST", "/v1/chat/completions")).text == "hello"
    assert (await stack.get("/v1/chat/completions")).json()["data"] == []
    refused = await stack.request("DELETE", "/v1/chat/completions")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST, GET")
