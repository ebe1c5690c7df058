"""The openai SDK for Node on stored chat completions, wherever the gateway keeps them."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletionDeleted, ChatCompletionStoreMessage

from tests.clients.judging import judged
from tests.clients.served import Json, Served
from tests.clients.test_openai_state import called, pages, unknown
from tests.live.chat import WEATHER, exactly
from tests.live.stack import MODEL
from tests.sdk_types import check_chat

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.proves("CLIENTS-openai-completions-stored"),
]

CREATE = "chat.completions.create"


async def completed(keeper: Served, messages: list[Json], **more: Any) -> Json:
    completion: Json = await called(keeper, CREATE, {"model": MODEL, "messages": messages, "store": True, **more})
    check_chat(completion)
    return completion


async def test_a_completion_is_retrieved_changed_and_deleted(keeper: Served) -> None:
    made = await completed(keeper, exactly("kept"), metadata={"topic": "tea"})
    found = await called(keeper, "chat.completions.retrieve", made["id"])
    check_chat(found)
    for name in ("id", "choices", "model"):
        assert found[name] == made[name]
    for count in ("prompt_tokens", "completion_tokens", "total_tokens"):  # the details are in our own words
        assert found["usage"][count] == made["usage"][count]
    assert found["metadata"] == {"topic": "tea"}
    changed = await called(keeper, "chat.completions.update", made["id"], {"metadata": {"topic": "rice"}})
    assert changed == {**found, "metadata": {"topic": "rice"}}
    gone = await called(keeper, "chat.completions.delete", made["id"])
    assert judged(ChatCompletionDeleted, gone).id == made["id"]
    await unknown(keeper, "chat.completions.retrieve", made["id"])
    await unknown(keeper, "chat.completions.messages.list", made["id"])


async def test_completions_are_listed_by_model_and_metadata(keeper: Served) -> None:
    words = ["one", "two", "three"]
    made = [await completed(keeper, exactly(word), metadata={"list": "mine", "word": word}) for word in words]
    query = {"metadata": {"list": "mine"}, "model": MODEL}
    for order in ("asc", "desc"):
        listed = await pages(keeper, "chat.completions.list", {**query, "limit": 1, "order": order})
        for completion in listed:
            check_chat(completion)
        ids = [completion["id"] for completion in made]
        assert [completion["id"] for completion in listed] == (ids if order == "asc" else ids[::-1])
    two = await pages(keeper, "chat.completions.list", {"metadata": {"list": "mine", "word": "two"}})
    assert [completion["id"] for completion in two] == [made[1]["id"]]
    assert await pages(keeper, "chat.completions.list", {**query, "model": "gpt-none"}) == []
    for completion in made:
        await called(keeper, "chat.completions.delete", completion["id"])
    assert await pages(keeper, "chat.completions.list", query) == []


async def test_the_messages_are_those_it_was_asked_with(keeper: Served) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}, *exactly("pong")]
    made = await completed(keeper, messages)
    listed = await pages(keeper, "chat.completions.messages.list", made["id"], {"limit": 1})
    for place, message in enumerate(listed):
        judged(ChatCompletionStoreMessage, {**message, "role": "assistant"})  # the type knows no other role
        assert message["id"] == f"{made['id']}-{place}"
    assert [{"role": message["role"], "content": message["content"]} for message in listed] == messages


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_call_is_stored_as_it_was_told(keeper: Served, stream: bool) -> None:
    params: Json = {"model": MODEL, "messages": [{"role": "user", "content": "What is the weather in Paris?"}]}
    params |= {"tools": [WEATHER], "store": True, "stream": stream}
    if stream:
        answer = await keeper.run("openai.helped", method="chat.completions.stream", params=params)
        made = answer["final"]
    else:
        made = await called(keeper, CREATE, params)
    found = await called(keeper, "chat.completions.retrieve", made["id"])
    check_chat(found)
    (call,) = found["choices"][0]["message"]["tool_calls"]
    (told,) = made["choices"][0]["message"]["tool_calls"]
    assert (call["id"], call["function"]["name"]) == (told["id"], "get_weather")
    assert call["function"]["arguments"] == told["function"]["arguments"] == '{"location":"Paris"}'
    assert found["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("more", [{}, {"store": False}], ids=["omitted", "false"])
async def test_a_completion_is_stored_only_when_that_was_asked_for(keeper: Served, more: Json) -> None:
    params = {"model": MODEL, "messages": exactly("gone"), **more}
    made = await called(keeper, CREATE, params)
    await unknown(keeper, "chat.completions.retrieve", made["id"])


async def test_a_stored_completion_is_a_response_too(keeper: Served) -> None:
    """Whoever made a conversation through one API can go on with it through another."""
    made = await completed(keeper, exactly("one"))
    name = made["id"].replace("chatcmpl-", "resp_")
    params = {"model": MODEL, "input": "Reply with exactly: two", "previous_response_id": name}
    after = await called(keeper, "responses.create", params)
    assert after["output_text"] == "two"
    assert keeper.asked("responses")[-1].said == ["one"]
