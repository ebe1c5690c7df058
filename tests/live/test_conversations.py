"""Conversations: made and filled with the SDK, gone on with by turns, alone and one after the other."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.live.sdk import Sdk, events, helped
from tests.live.stack import MODEL, Stack, only
from tests.live.talk import (
    CREATE,
    HELPER,
    KEPT,
    RETRIEVE,
    STATELESS,
    WEATHER,
    calling,
    check_items,
    dumped,
    exactly,
    judged,
    last_heard,
    message_of,
    not_twice,
    paged,
    refused,
    result,
    say,
    user,
)
from tests.sdk_types import check_error, check_failed_response_stream

pytestmark = [pytest.mark.asyncio(loop_scope="session"), not_twice]

Json = dict[str, Any]

MAKE = "conversations.create"
ITEMS = "conversations.items.list"
LOCKED = (400, "conversation_locked", "conversation")

_gates = itertools.count()


def texts(items: list[Any]) -> list[str]:
    return [item.content[0].text if item.type == "message" else item.type for item in items]


async def held(sdk: Sdk, conversation: str) -> list[Any]:
    return await paged(sdk, ITEMS, conversation_id=conversation, order="asc")


@asynccontextmanager
async def slow(stack: Stack, text: str = "at last") -> AsyncIterator[Any]:
    """The next answer waits for the gate."""
    name = f"slow-{next(_gates)}"
    stack.play("responses", {"steps": [{"text": ["so ", {"gate": name}, text]}]})
    gate = stack.sim.gate(name)
    try:
        yield gate
    finally:
        gate.set()


@pytest.mark.proves("RECALL-conversation")
@only(*STATELESS)
async def test_a_conversation_is_made_with_items_read_changed_and_deleted(sdk: Sdk, stack: Stack) -> None:
    made = await sdk.call(MAKE, items=[user("one"), user("two")], metadata={"topic": "tea"})
    name = {"conversation_id": made.id}
    assert await sdk.call("conversations.retrieve", **name) == made
    assert (await sdk.call("conversations.update", **name, metadata={"topic": "rice"})).metadata == {"topic": "rice"}
    assert texts(await held(sdk, made.id)) == ["one", "two"]
    assert (await sdk.call("conversations.delete", **name)).deleted is True
    assert await refused(sdk, "conversations.retrieve", **name) == (404, None, None)
    assert await refused(sdk, ITEMS, **name) == (404, None, None)
    assert await refused(sdk, CREATE, model=MODEL, input="hi", conversation=made.id) == (404, None, "conversation")


@pytest.mark.proves("RECALL-conversation")
@only(*STATELESS)
async def test_items_are_added_listed_read_and_taken_out(sdk: Sdk, stack: Stack) -> None:
    made = await sdk.call(MAKE)
    name = {"conversation_id": made.id}
    call = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"}
    added = await sdk.call("conversations.items.create", **name, items=[user("one"), call, result("call_1")])
    assert [item.type for item in added.data] == ["message", "function_call", "function_call_output"]
    raw = await stack.http.get(f"/v1/conversations/{made.id}/items")
    assert [item.id for item in check_items(raw.content, conversation=True)] == [item.id for item in added.data][::-1]
    found = await sdk.call("conversations.items.retrieve", **name, item_id=added.data[1].id)
    assert (found.type, found.call_id, found.name) == ("function_call", "call_1", "get_weather")
    gone = await sdk.call("conversations.items.delete", **name, item_id=added.data[1].id)
    assert gone.id == made.id
    assert texts(await held(sdk, made.id)) == ["one"]


@pytest.mark.proves("RECALL-conversation-turns", "CASE-155")
@only(*KEPT)
@pytest.mark.parametrize("form", ["text", "object"])
async def test_turns_go_on_from_all_that_a_conversation_holds(sdk: Sdk, stack: Stack, form: str) -> None:
    made = await sdk.call(MAKE, items=[user("My name is Ann.")])
    await sdk.call("conversations.items.create", conversation_id=made.id, items=[user("I like tea.")])
    named: Any = made.id if form == "text" else {"id": made.id}
    first = await say(sdk, exactly("hello"), conversation=named)
    told = ["user: My name is Ann.", "user: I like tea.", f"user: {exactly('hello')}"]
    assert last_heard(stack) == told
    assert "conversation" not in stack.sent("responses")[-1]
    assert dumped(first)["conversation"] == {"id": made.id}
    _, second = await helped(sdk, HELPER, model=MODEL, input=exactly("bye"), conversation=named)
    assert last_heard(stack) == [*told, "assistant: hello", f"user: {exactly('bye')}"]
    assert dumped(second)["conversation"] == {"id": made.id}
    assert dumped(await sdk.call(RETRIEVE, response_id=second.id))["conversation"] == {"id": made.id}
    assert texts(await held(sdk, made.id)) == [
        "My name is Ann.",
        "I like tea.",
        exactly("hello"),
        "hello",
        exactly("bye"),
        "bye",
    ]


@pytest.mark.proves("RECALL-conversation-turns")
@only(*KEPT)
async def test_tools_work_in_a_conversation(sdk: Sdk, stack: Stack) -> None:
    made = await sdk.call(MAKE)
    stack.play("responses", calling("call_w"), None)
    first = await say(sdk, "Weather?", conversation=made.id, tools=[WEATHER])
    await say(sdk, [result("call_w")], conversation=made.id, tools=[WEATHER])
    assert last_heard(stack) == ["user: Weather?", "call call_w: get_weather", "output call_w: 18C"]
    listed = await held(sdk, made.id)
    assert [item.type for item in listed] == ["message", "function_call", "function_call_output", "message"]
    assert listed[1].id == first.output[0].id


@pytest.mark.proves("RECALL-conversation-turns")
@only(*STATELESS)
async def test_a_conversation_needs_nothing_new_to_go_on(sdk: Sdk, stack: Stack) -> None:
    made = await sdk.call(MAKE, items=[user(exactly("yes"))])
    answered = await say(sdk, [], conversation=made.id)
    assert answered.output_text == "yes"
    assert last_heard(stack) == [f"user: {exactly('yes')}"]
    assert texts(await held(sdk, made.id)) == [exactly("yes"), "yes"]


@pytest.mark.proves("RECALL-conversation-own")
@only(*KEPT)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_turn_that_is_not_kept_goes_into_its_conversation_all_the_same(
    sdk: Sdk, stack: Stack, stream: bool
) -> None:
    made = await sdk.call(MAKE)
    asked: Json = {"model": MODEL, "input": exactly("one"), "conversation": made.id, "store": False}
    if stream:
        answered = (await events(sdk, CREATE, **asked, stream=True))[-1].response
    else:
        answered = judged(await sdk.call(CREATE, **asked))
    assert dumped(answered)["store"] is False
    assert await refused(sdk, RETRIEVE, response_id=answered.id) == (404, None, None)
    assert texts(await held(sdk, made.id)) == [exactly("one"), "one"]


@pytest.mark.proves("RECALL-conversation-own")
@only(*KEPT)
@pytest.mark.parametrize("store", [True, False], ids=["kept", "not kept"])
async def test_a_turn_that_failed_leaves_its_conversation_as_it_was(stack: Stack, store: bool) -> None:
    sdk = stack.sdks["AsyncSdk"]
    made = await sdk.call(MAKE, items=[user("before")])
    stack.play("responses", {"steps": [{"text": ["half ", "an answer"]}], "finish": {"failed": "server_error"}}, None)
    asked = {"model": MODEL, "input": "hi", "conversation": made.id, "stream": True, "store": store}
    answer = await stack.http.post("/v1/responses", json=asked)
    assert check_failed_response_stream(answer.content) == "server_error"
    assert texts(await held(sdk, made.id)) == ["before"]
    await say(sdk, exactly("after"), conversation=made.id)  # and nobody holds it
    assert texts(await held(sdk, made.id)) == ["before", exactly("after"), "after"]


@pytest.mark.proves("RECALL-conversation-own")
@only(*STATELESS)
async def test_an_incomplete_answer_is_part_of_its_conversation(sdk: Sdk, stack: Stack) -> None:
    made = await sdk.call(MAKE)
    stack.play("responses", {"steps": [{"text": "to be"}], "finish": {"incomplete": "max_output_tokens"}})
    answered = await say(sdk, "Say it", conversation=made.id)
    assert answered.status == "incomplete"
    assert texts(await held(sdk, made.id)) == ["Say it", "to be"]


@pytest.mark.proves("RECALL-conversation-own", "CASE-158")
@only(*KEPT)
async def test_no_conversation_is_invented(sdk: Sdk, stack: Stack) -> None:
    first = await say(sdk, "one")
    second = await say(sdk, "two", previous_response_id=first.id)
    for response in (first, second, await sdk.call(RETRIEVE, response_id=second.id)):
        assert response.conversation is None


@pytest.mark.proves("RECALL-locked", "CASE-142")
@only(*KEPT)
@pytest.mark.parametrize("store", [True, False], ids=["kept", "not kept"])
async def test_a_busy_conversation_takes_no_other_turn(sdk: Sdk, stack: Stack, store: bool) -> None:
    made = await sdk.call(MAKE)
    async with asyncio.timeout(10), slow(stack) as gate:
        first = asyncio.create_task(sdk.call(CREATE, model=MODEL, input="a", conversation=made.id, store=store))
        await gate.reached.wait()
        for stream in (False, True):
            asked: Json = {"model": MODEL, "input": "b", "conversation": {"id": made.id}, "stream": stream}
            assert await refused(sdk, CREATE, **asked) == LOCKED
        assert await refused(sdk, CREATE, model=MODEL, input="b", conversation=made.id, background=True) == LOCKED
        assert "wait" in (await message_of(sdk, CREATE, model=MODEL, input="b", conversation=made.id)).lower()
        assert texts(await held(sdk, made.id)) == []
        gate.set()
        assert judged(await first).output_text == "so at last"
    assert (await say(sdk, exactly("c"), conversation=made.id)).output_text == "c"
    assert texts(await held(sdk, made.id)) == ["a", "so at last", exactly("c"), "c"]


@pytest.mark.proves("RECALL-locked")
@only(*STATELESS)
async def test_a_conversation_is_free_again_when_its_client_has_left(sdk: Sdk, stack: Stack) -> None:
    made = await sdk.call(MAKE)
    stack.play("responses", {"steps": [{"text": ["so ", {"stall": True}]}]})
    async with asyncio.timeout(10):
        async with sdk.stream(CREATE, model=MODEL, input="a", conversation=made.id, stream=True) as stream:
            while (await anext(stream)).type != "response.output_text.delta":
                pass
        await stack.sim.until(lambda: stack.sim.open_streams == 0)
        while True:
            answer = await stack.http.post(
                "/v1/responses", json={"model": MODEL, "input": exactly("b"), "conversation": made.id}
            )
            if answer.status_code == 200:
                break
            assert check_error(answer.content).code == "conversation_locked"
    assert texts(await held(sdk, made.id)) == [exactly("b"), "b"]
