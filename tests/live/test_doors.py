"""Chat completions that are kept, and one talk through every door: chat, responses, conversations."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai.types.chat import ChatCompletionDeleted, ChatCompletionStoreMessage

from tests.live import chat
from tests.live.drops import lines_of
from tests.live.sdk import Sdk, events
from tests.live.stack import CHAT_ONLY, MODEL, Stack, only, running
from tests.live.talk import (
    CREATE,
    KEPT,
    KEPT_NATIVE,
    KEPT_TRANSLATED,
    RETRIEVE,
    STATELESS,
    WEATHER,
    dumped,
    exactly,
    judged,
    kept_rows,
    last_heard,
    not_twice,
    paged,
    refused,
    result,
    say,
    strictly,
    user,
)

pytestmark = [pytest.mark.asyncio(loop_scope="session"), not_twice]

Json = dict[str, Any]

GET = "chat.completions.retrieve"
LIST = "chat.completions.list"
MESSAGES = "chat.completions.messages.list"


async def completed(sdk: Sdk, text: str, *, stream: bool = False, **more: Any) -> str:
    """A chat completion that is kept; its id."""
    arguments: Json = {"model": MODEL, "messages": chat.exactly(text), "store": True, **more}
    if stream:
        chunks = await events(sdk, chat.CREATE, **arguments, stream=True)
        assert chat.text_of(chunks) == text
        return str(chunks[0].id)
    answer = chat.judged(await sdk.call(chat.CREATE, **arguments))
    assert answer.choices[0].message.content == text
    return answer.id


# kept completions -----------------------------------------------------------------------------------------------------


@pytest.mark.proves("RECALL-chat")
@only(*KEPT)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_completion_is_read_as_it_was_answered(sdk: Sdk, stack: Stack, stream: bool) -> None:
    name = await completed(sdk, "tea", stream=stream, metadata={"topic": "drinks"})
    found = chat.judged(await sdk.call(GET, completion_id=name))
    assert (found.id, found.model, found.choices[0].message.content) == (name, MODEL, "tea")
    assert dumped(found)["metadata"] == {"topic": "drinks"}
    [message] = await paged(sdk, MESSAGES, completion_id=name)
    strictly(ChatCompletionStoreMessage, {**dumped(message), "role": "assistant"})  # the type knows no other
    assert (message.id, message.role, message.content) == (f"{name}-0", "user", exactly("tea"))
    assert stack.sent("responses")[-1].get("store") in (None, False)


@pytest.mark.proves("RECALL-chat")
@only(*KEPT)
async def test_only_what_says_so_is_kept(sdk: Sdk, stack: Stack) -> None:
    answer = await sdk.call(chat.CREATE, model=MODEL, messages=chat.exactly("tea"))
    other = await sdk.call(chat.CREATE, model=MODEL, messages=chat.exactly("tea"), store=False)
    for name in (answer.id, other.id):
        assert await refused(sdk, GET, completion_id=name) == (404, None, None)


@pytest.mark.proves("RECALL-chat")
@only(*KEPT)
async def test_completions_are_listed_by_what_they_are_about(sdk: Sdk, stack: Stack) -> None:
    mark = f"{type(sdk).__name__}-{stack.mode.name}"
    names = [await completed(sdk, str(n), metadata={"mark": mark, "odd": str(n % 2)}) for n in range(5)]
    found = await paged(sdk, LIST, metadata={"mark": mark}, limit=2)
    assert [one.id for one in found] == names
    latest = await paged(sdk, LIST, metadata={"mark": mark}, limit=2, order="desc")
    assert [one.id for one in latest] == names[::-1]
    odd = await paged(sdk, LIST, metadata={"mark": mark, "odd": "1"})
    assert [chat.judged(one).choices[0].message.content for one in odd] == ["1", "3"]
    assert await paged(sdk, LIST, metadata={"mark": mark}, model="another") == []
    assert [one.id for one in await paged(sdk, LIST, metadata={"mark": mark}, model=MODEL)] == names
    # Responses and completions that nobody wanted kept are in no list of completions.
    await say(sdk, "hi", metadata={"mark": mark})
    assert [one.id for one in await paged(sdk, LIST, metadata={"mark": mark})] == names


@pytest.mark.proves("RECALL-chat")
@only(*STATELESS)
async def test_a_completion_is_changed_and_deleted(sdk: Sdk, stack: Stack) -> None:
    name = await completed(sdk, "tea", metadata={"a": "1"})
    changed = await sdk.call("chat.completions.update", completion_id=name, metadata={"b": "2"})
    assert dumped(chat.judged(changed))["metadata"] == {"b": "2"}
    assert dumped(await sdk.call(GET, completion_id=name))["metadata"] == {"b": "2"}
    gone = await sdk.call("chat.completions.delete", completion_id=name)
    strictly(ChatCompletionDeleted, dumped(gone))
    assert (gone.id, gone.deleted) == (name, True)
    assert await refused(sdk, GET, completion_id=name) == (404, None, None)
    assert await refused(sdk, MESSAGES, completion_id=name) == (404, None, None)


@pytest.mark.proves("RECALL-chat")
@only(*KEPT)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_calls_are_kept_with_their_messages(sdk: Sdk, stack: Stack, stream: bool) -> None:
    call = {"call": "get_weather", "arguments": {"location": "Paris"}, "call_id": "call_w"}
    stack.play("responses", {"steps": [call]}, None)
    asked: Json = {"model": MODEL, "tools": [chat.WEATHER], "store": True}
    messages: list[Json] = [{"role": "system", "content": "Be short."}, user("Weather in Paris?")]
    if stream:
        name = (await events(sdk, chat.CREATE, **asked, messages=messages, stream=True))[0].id
    else:
        name = (await sdk.call(chat.CREATE, **asked, messages=messages)).id
    first = chat.judged(await sdk.call(GET, completion_id=name))
    told = first.choices[0].message.model_dump(mode="json", exclude_none=True)
    [made] = told["tool_calls"]
    named = (made["id"], made["function"]["name"])
    assert (first.choices[0].finish_reason, *named) == ("tool_calls", "call_w", "get_weather")
    messages += [{"role": "assistant", "tool_calls": told["tool_calls"]}]
    messages += [{"role": "tool", "tool_call_id": "call_w", "content": "18C"}]
    second = await sdk.call(chat.CREATE, **asked, messages=messages)
    listed = await paged(sdk, MESSAGES, completion_id=second.id, limit=1)
    assert [message.role for message in listed] == ["system", "user", "assistant", "tool"]
    assert [message.id for message in listed] == [f"{second.id}-{n}" for n in range(4)]


@pytest.mark.proves("RECALL-chat", "RECALL-left")
@only(*KEPT)
async def test_a_completion_whose_client_left_is_a_cancelled_response_and_no_completion(stack: Stack) -> None:
    stack.play("responses", {"steps": [{"text": ["so ", {"stall": True}]}]})
    body = {"model": MODEL, "messages": [user("hi")], "store": True, "stream": True}
    async with asyncio.timeout(10):
        async with (
            httpx2.AsyncClient(headers=stack.http.headers, trust_env=False) as leaving,
            leaving.stream("POST", f"{stack.url}/v1/chat/completions", json=body) as answer,
        ):
            async for line in answer.aiter_lines():
                if '"so ' in line:
                    break
        name = json.loads(line.removeprefix("data: "))["id"]
        [call] = stack.sim.calls(stack.upstream_route)
        await call.finished.wait()
        while (found := await stack.http.get(f"/v1/responses/{name}")).status_code == 404:
            pass
    assert call.closed_early
    assert (found.json()["status"], found.json()["output"][0]["content"][0]["text"]) == ("cancelled", "so ")
    items = (await stack.http.get(f"/v1/responses/{name}/input_items")).json()["data"]
    assert [item["content"][0]["text"] for item in items] == ["hi"]
    assert (await stack.http.get(f"/v1/chat/completions/{name}")).status_code == 404
    listed = (await stack.http.get("/v1/chat/completions", params={"order": "desc", "limit": 100})).json()["data"]
    assert name not in [completion["id"] for completion in listed]


@pytest.mark.proves("RECALL-chat")
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_server_that_gives_an_id_again_takes_no_completion_from_another(tmp_path: Path, stream: bool) -> None:
    async with running(CHAT_ONLY, tmp_path) as stack:
        sdk = stack.sdks["AsyncSdk"]
        names = []
        for word in ("one", "two"):
            stack.sim.ids = itertools.count(1)
            names.append(await completed(sdk, word, stream=stream))
        assert len(set(names)) == 2
        for name, word in zip(names, ("one", "two"), strict=True):
            found = (await stack.http.get(f"/v1/chat/completions/{name}")).json()
            assert found["choices"][0]["message"]["content"] == word


# one talk -------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("RECALL-doors")
@only(*KEPT)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_one_talk_goes_from_chat_to_responses_to_a_conversation(sdk: Sdk, stack: Stack, stream: bool) -> None:
    begun = await completed(sdk, "one", stream=stream)
    body = begun.removeprefix("chatcmpl-")
    second = await say(sdk, exactly("two"), previous_response_id=f"resp_{body}")
    assert second.previous_response_id == f"resp_{body}"
    told = [f"user: {exactly('one')}", "assistant: one", f"user: {exactly('two')}"]
    assert last_heard(stack) == told
    # Into a conversation: what was said so far, as lists show it.
    parts: list[Json] = []
    for name in (f"resp_{body}", second.id):
        asked = await paged(sdk, "responses.input_items.list", response_id=name, order="asc")
        parts += [dumped(item) for item in asked]
        parts += [dumped(item) for item in (await sdk.call(RETRIEVE, response_id=name)).output]
    made = await sdk.call("conversations.create", items=parts)
    await say(sdk, exactly("three"), conversation=made.id)
    assert last_heard(stack) == [*told, "assistant: two", f"user: {exactly('three')}"]
    listed = await paged(sdk, "conversations.items.list", conversation_id=made.id, order="asc")
    assert [item.content[0].text for item in listed] == [
        exactly("one"),
        "one",
        exactly("two"),
        "two",
        exactly("three"),
        "three",
    ]
    assert chat.judged(await sdk.call(GET, completion_id=begun)).choices[0].message.content == "one"


@pytest.mark.proves("RECALL-doors")
@only(*KEPT)
async def test_calls_made_in_chat_are_answered_in_responses(sdk: Sdk, stack: Stack) -> None:
    call = {"call": "get_weather", "arguments": {"location": "Paris"}, "call_id": "call_w"}
    stack.play("responses", {"steps": [call]})
    first = await sdk.call(chat.CREATE, model=MODEL, messages=[user("Weather?")], tools=[chat.WEATHER], store=True)
    name = first.id.replace("chatcmpl-", "resp_")
    await say(sdk, [result("call_w")], previous_response_id=name, tools=[WEATHER])
    assert last_heard(stack) == ["user: Weather?", "call call_w: get_weather", "output call_w: 18C"]


@pytest.mark.proves("RECALL-doors")
@only(*STATELESS)
async def test_an_id_is_found_under_every_prefix_of_its_kind(sdk: Sdk, stack: Stack) -> None:
    begun = await completed(sdk, "one")
    body = begun.removeprefix("chatcmpl-")
    for name in (f"chatcmpl-{body}", f"resp_{body}", f"run_{body}"):
        assert (await sdk.call(GET, completion_id=name)).id == begun
        found = judged(await sdk.call(RETRIEVE, response_id=name))
        assert (found.id, found.output_text) == (f"resp_{body}", "one")
        await say(sdk, "two", previous_response_id=name)
        assert last_heard(stack) == [f"user: {exactly('one')}", "assistant: one", "user: two"]
    made = await sdk.call("conversations.create", items=[user("hello")])
    other = made.id.removeprefix("conv_")
    for name in (f"conv_{other}", f"thread_{other}", f"ses_{other}"):
        assert (await sdk.call("conversations.retrieve", conversation_id=name)).id == made.id
        await say(sdk, "x", conversation=name)
    assert len(await paged(sdk, "conversations.items.list", conversation_id=made.id)) == 7
    for name in (f"msg_{body}", f"conv_{body}"):
        assert await refused(sdk, RETRIEVE, response_id=name) == (404, None, None)
    # A response is no completion: only what chat has asked for is shown in its words.
    response = await say(sdk, "hi")
    assert (await refused(sdk, GET, completion_id=response.id.replace("resp_", "chatcmpl-")))[0] == 404


# secrets --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("RECALL-secrets")
@only(KEPT_NATIVE, KEPT_TRANSLATED)
@pytest.mark.parametrize("background", [False, True], ids=["waited for", "background"])
async def test_what_tools_tell_their_servers_is_in_no_row(stack: Stack, background: bool) -> None:
    tool = {
        "type": "mcp",
        "server_label": "shop",
        "server_url": "https://shop.example/mcp",
        "authorization": "secret-token-1",
        "headers": {"x-api-key": "secret-key-2"},
    }
    sdk = stack.sdks["AsyncSdk"]
    told = [{"type": "additional_tools", "role": "developer", "tools": [tool]}, user("hi")]
    made = await stack.http.post(
        "/v1/responses", json={"model": MODEL, "input": told, "api_key": "secret-key-3", "background": background}
    )
    assert made.status_code == 200
    thread = await stack.http.post("/v1/conversations", json={"items": told})
    assert thread.status_code == 200
    assert "secret-" not in (await stack.http.get(f"/v1/conversations/{thread.json()['id']}/items")).text
    answered = await sdk.call(CREATE, model=MODEL, input="hi", tools=[tool], background=background)
    shown = await stack.http.get(f"/v1/responses/{answered.id}", params={"stream": "true"} if background else {})
    assert "secret-" not in shown.text
    if background:
        assert lines_of(shown.content)[-1]["type"] == "response.completed"
        answered = await sdk.call(RETRIEVE, response_id=answered.id)
    assert answered.tools[0].server_label == "shop"
    assert stack.sent("responses")[-1]["tools"][0]["authorization"] == "secret-token-1"
    tables = [name for (name,) in kept_rows(stack, "select name from sqlite_master where type = 'table'")]
    for table in tables:
        assert "secret-" not in repr(kept_rows(stack, f"select * from {table}"))
