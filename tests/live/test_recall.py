"""Responses that the gateway keeps, and turns that go on from them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.live.sdk import Sdk, events, helped
from tests.live.stack import CODEX, MODEL, NATIVE, TRANSLATED, Stack, only
from tests.live.talk import (
    CREATE,
    HELPER,
    KEPT,
    KEPT_TRANSLATED,
    RETRIEVE,
    SEALED,
    STATELESS,
    WEATHER,
    calling,
    check_items,
    check_kept,
    dumped,
    exactly,
    guidance,
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
from tests.sdk_types import check_error, check_failed_response_stream, sse_events

pytestmark = [pytest.mark.asyncio(loop_scope="session"), not_twice]

Json = dict[str, Any]
NOT_FOUND = (400, "previous_response_not_found", "previous_response_id")
SEALS = "reasoning.encrypted_content"


def output(response: Any) -> list[Json]:
    return [dumped(item) for item in response.output]


def unsealed(response: Any) -> Json:
    """Without encrypted reasoning, which streams show as it comes and reads when they are asked to."""
    document = dumped(response)
    for item in document["output"]:
        item.pop("encrypted_content", None)
    return document


# kept and read --------------------------------------------------------------------------------------------------------


@pytest.mark.proves("RECALL-read", "CASE-131")
@only(*KEPT)
async def test_a_streamed_response_is_read_as_it_was_streamed_as_soon_as_its_end_is_told(
    sdk: Sdk, stack: Stack
) -> None:
    stack.play("responses", calling("call_w", SEALED, {"text": "I look it up."}))
    arguments: Json = {"input": "Weather?", "tools": [WEATHER], "metadata": {"trip": "1"}, "instructions": "Be short."}
    async with sdk.stream(CREATE, model=MODEL, stream=True, **arguments) as stream:
        async for event in stream:
            if event.type == "response.completed":  # its connection is still open
                found = await sdk.call(RETRIEVE, response_id=event.response.id)
    streamed = judged(event.response)
    assert unsealed(judged(found)) == unsealed(streamed)
    assert [item.id for item in found.output] == [item.id for item in streamed.output]
    assert "function_call" in [item.type for item in found.output]
    assert (found.metadata, found.instructions, found.tools[0].name) == ({"trip": "1"}, "Be short.", "get_weather")
    assert dumped(found)["store"] is True


@pytest.mark.proves("RECALL-read")
@only(*KEPT)
async def test_a_whole_answer_is_read_as_it_was_answered(sdk: Sdk, stack: Stack) -> None:
    answered = await say(sdk, exactly("tea"))
    assert judged(await sdk.call(RETRIEVE, response_id=answered.id)) == answered
    assert (answered.output_text, answered.id[:5]) == ("tea", "resp_")
    assert [body.get("store") for body in stack.sent("responses")] in ([False], [None])


@pytest.mark.proves("RECALL-read")
@only(CODEX, KEPT_TRANSLATED)
async def test_encrypted_reasoning_is_shown_to_who_asks_for_it(sdk: Sdk, stack: Stack) -> None:
    stack.play("responses", {"steps": [SEALED, {"text": "done"}]})
    answered = await say(sdk, "Think", include=[SEALS])
    plain = await sdk.call(RETRIEVE, response_id=answered.id)
    full = await sdk.call(RETRIEVE, response_id=answered.id, include=[SEALS])
    assert "encrypted_content" not in output(plain)[0]
    assert output(full)[0]["encrypted_content"] == output(answered)[0]["encrypted_content"]


@pytest.mark.proves("RECALL-input-items")
@only(*KEPT)
async def test_the_input_is_listed_in_pages(sdk: Sdk, stack: Stack) -> None:
    given = [user("one"), {"role": "developer", "content": "two"}, user("three")]
    answered = await say(sdk, given)
    listed = await paged(sdk, "responses.input_items.list", response_id=answered.id, limit=1, order="asc")
    assert [(item.role, item.content[0].text) for item in listed] == [
        ("user", "one"),
        ("developer", "two"),
        ("user", "three"),
    ]
    latest = await paged(sdk, "responses.input_items.list", response_id=answered.id)
    assert [item.id for item in latest] == [item.id for item in listed][::-1]
    raw = await stack.http.get(f"/v1/responses/{answered.id}/input_items", params={"limit": 2})
    assert raw.json()["has_more"] is True
    check_items(raw.content)


@pytest.mark.proves("RECALL-input-items")
@only(*KEPT)
async def test_the_input_of_a_turn_that_goes_on_is_what_was_new_in_it(sdk: Sdk, stack: Stack) -> None:
    first = await say(sdk, "one")
    second = await say(sdk, "two", previous_response_id=first.id)
    [item] = await paged(sdk, "responses.input_items.list", response_id=second.id)
    assert item.content[0].text == "two"
    assert (second.previous_response_id, first.previous_response_id) == (first.id, None)


@pytest.mark.proves("RECALL-delete")
@only(*KEPT)
async def test_a_deleted_response_is_gone_and_its_children_still_work(sdk: Sdk, stack: Stack) -> None:
    first = await say(sdk, exactly("one"))
    second = await say(sdk, exactly("two"), previous_response_id=first.id)
    await sdk.call("responses.delete", response_id=first.id)
    assert await refused(sdk, RETRIEVE, response_id=first.id) == (404, None, None)
    assert await refused(sdk, CREATE, model=MODEL, input="x", previous_response_id=first.id) == NOT_FOUND
    await say(sdk, exactly("three"), previous_response_id=second.id)
    assert last_heard(stack) == [
        f"user: {exactly('one')}",
        "assistant: one",
        f"user: {exactly('two')}",
        "assistant: two",
        f"user: {exactly('three')}",
    ]


# going on -------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("RECALL-chain", "CASE-129")
@only(*KEPT)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_chain_goes_up_as_one_input_without_the_id(sdk: Sdk, stack: Stack, stream: bool) -> None:
    async def turn(given: Any, **more: Any) -> Any:
        if not stream:
            return await say(sdk, given, **more)
        _, final = await helped(sdk, HELPER, model=MODEL, input=given, **more)
        return final

    first = await turn(exactly("one"))
    second = await turn([user(exactly("two"))], previous_response_id=first.id)
    third = await turn(exactly("three"), previous_response_id=second.id)
    assert (third.output_text, third.previous_response_id) == ("three", second.id)
    body = stack.sent("responses")[-1]
    assert not {"previous_response_id", "conversation", "background"} & body.keys()
    assert not any("id" in item for item in body.get("input", ()))
    assert last_heard(stack) == [
        f"user: {exactly('one')}",
        "assistant: one",
        f"user: {exactly('two')}",
        "assistant: two",
        f"user: {exactly('three')}",
    ]


@pytest.mark.proves("RECALL-chain")
@only(*KEPT)
async def test_tools_and_what_was_thought_before_them_come_back_in_their_places(sdk: Sdk, stack: Stack) -> None:
    stack.play("responses", calling("call_w", SEALED), None)
    first = await say(sdk, "Weather in Paris?", tools=[WEATHER])
    await say(sdk, [result("call_w")], previous_response_id=first.id, tools=[WEATHER])
    # The simulator's chat has no sealed reasoning.
    thought = [] if "messages" in stack.sent("responses")[-1] else ["reasoning sealed"]
    assert last_heard(stack) == [
        "user: Weather in Paris?",
        *thought,
        "call call_w: get_weather",
        "output call_w: 18C",
    ]


@pytest.mark.proves("RECALL-fork")
@only(*KEPT)
async def test_several_turns_may_go_on_from_one(sdk: Sdk, stack: Stack) -> None:
    first = await say(sdk, exactly("root"))
    for branch in ("left", "right"):
        child = await say(sdk, exactly(branch), previous_response_id=first.id)
        assert child.output_text == branch
        assert last_heard(stack) == [f"user: {exactly('root')}", "assistant: root", f"user: {exactly(branch)}"]


@pytest.mark.proves("RECALL-not-inherited", "CASE-132", "CASE-133")
@only(*KEPT)
async def test_instructions_tools_and_settings_of_the_parent_are_not_those_of_the_child(sdk: Sdk, stack: Stack) -> None:
    first = await say(
        sdk, "one", instructions="Speak like a pirate.", tools=[WEATHER], temperature=0.5, metadata={"a": "b"}
    )
    child = await say(sdk, "two", previous_response_id=first.id)
    assert (child.instructions, child.tools, child.metadata, child.temperature) == (None, [], {}, 1)
    body = stack.sent("responses")[-1]
    assert "Speak like a pirate." not in guidance(stack)
    assert not body.get("tools")
    assert "temperature" not in body


@pytest.mark.proves("RECALL-not-inherited", "CASE-156")
@only(*KEPT)
async def test_new_instructions_are_used_beside_a_system_message_of_the_chain(sdk: Sdk, stack: Stack) -> None:
    system = {"role": "system", "content": "You are a cook."}
    first = await say(sdk, [system, user("one")], instructions="Answer in French.")
    child = await say(sdk, "two", previous_response_id=first.id, instructions="Answer in German.")
    assert child.instructions == "Answer in German."
    assert sorted(line for told in guidance(stack) for line in told.split("\n") if line) == [
        "Answer in German.",
        "You are a cook.",
    ]


@pytest.mark.proves("RECALL-dedupe")
@only(*KEPT)
async def test_a_client_that_sends_the_whole_history_as_well_says_nothing_twice(sdk: Sdk, stack: Stack) -> None:
    stack.play("responses", calling("call_w", {"text": "I look it up."}), None)
    first = await say(sdk, [{"id": "msg_asked1", **user("Weather?")}], tools=[WEATHER])
    asked = await paged(sdk, "responses.input_items.list", response_id=first.id)
    again = [dumped(asked[0]), *output(first), result("call_w")]
    await say(sdk, again, previous_response_id=first.id, tools=[WEATHER])
    told = ["user: Weather?", "assistant: I look it up.", "call call_w: get_weather", "output call_w: 18C"]
    assert last_heard(stack) == told
    third = await say(sdk, [*again, user("Thanks")], previous_response_id=first.id, tools=[WEATHER])
    assert last_heard(stack) == [*told, "user: Thanks"]
    listed = await paged(sdk, "responses.input_items.list", response_id=third.id, order="asc")
    assert [item.type for item in listed] == ["function_call_output", "message"]


@pytest.mark.proves("RECALL-dedupe")
@only(*KEPT)
@pytest.mark.parametrize("whole", [False, True], ids=["new items", "whole history"])
async def test_a_server_that_gives_the_same_call_id_again_gets_the_output_of_each_call(
    sdk: Sdk, stack: Stack, whole: bool
) -> None:
    stack.play("responses", calling("call_0"), {"text": "Cold."}, calling("call_0"), None)
    said: list[Json] = []
    previous: Json = {}
    asked = [{"id": f"msg_asked{n}", **user(text)} for n, text in enumerate(("Paris?", "And now?"))]
    for given in (asked[0], result("call_0", "18C"), asked[1], result("call_0", "20C")):
        said.append(given)
        response = await say(sdk, said if whole else [given], tools=[WEATHER], **previous)
        said += output(response)
        previous = {"previous_response_id": response.id}
    told = ["user: Paris?", "call call_0: get_weather", "output call_0: 18C", "assistant: Cold.", "user: And now?"]
    assert last_heard(stack) == [*told, "call call_0: get_weather", "output call_0: 20C"]


@pytest.mark.proves("RECALL-references")
@only(*KEPT)
async def test_references_to_kept_items_are_the_items_themselves(sdk: Sdk, stack: Stack) -> None:
    stack.play("responses", calling("call_w", SEALED), None)
    first = await say(sdk, "Weather?", tools=[WEATHER])
    references = [{"type": "item_reference", "id": item.id} for item in first.output]
    second = await say(sdk, [user("Weather?"), *references, result("call_w")], tools=[WEATHER])
    thought = [] if "messages" in stack.sent("responses")[-1] else ["reasoning sealed"]
    assert last_heard(stack) == ["user: Weather?", *thought, "call call_w: get_weather", "output call_w: 18C"]
    assert second.previous_response_id is None


@pytest.mark.proves("RECALL-references")
@only(*STATELESS)
async def test_a_reference_to_nothing_is_refused_and_says_what_it_names(sdk: Sdk, stack: Stack) -> None:
    given = [{"type": "item_reference", "id": "msg_nowhere"}, user("hi")]
    status, _, param = await refused(sdk, CREATE, model=MODEL, input=given)
    assert (status, (param or "").partition("[")[0]) == (400, "input")
    assert "msg_nowhere" in await message_of(sdk, CREATE, model=MODEL, input=given)
    assert stack.sent("responses") == []


# what cannot go on ----------------------------------------------------------------------------------------------------


@pytest.mark.proves("RECALL-store-false", "CASE-130")
@only(*STATELESS)
async def test_what_was_not_to_be_kept_is_nowhere(sdk: Sdk, stack: Stack) -> None:
    answered = await say(sdk, "hi", store=False)
    assert dumped(answered)["store"] is False
    assert await refused(sdk, RETRIEVE, response_id=answered.id) == (404, None, None)
    assert await refused(sdk, CREATE, model=MODEL, input="x", previous_response_id=answered.id) == NOT_FOUND
    *_, last = await events(sdk, CREATE, model=MODEL, input="hi", store=False, stream=True)
    assert await refused(sdk, RETRIEVE, response_id=last.response.id) == (404, None, None)


@pytest.mark.proves("RECALL-ends")
@only(*KEPT)
async def test_a_failed_response_is_read_and_not_continued(sdk: Sdk, stack: Stack) -> None:
    stack.play("responses", {"steps": [{"text": ["half ", "an answer"]}], "finish": {"failed": "server_error"}})
    answer = await stack.http.post("/v1/responses", json={"model": MODEL, "input": "hi", "stream": True})
    assert check_failed_response_stream(answer.content) == "server_error"
    ended = json.loads(sse_events(answer.content)[-2][1])["response"]
    found = check_kept(await sdk.call(RETRIEVE, response_id=ended["id"]))
    assert (found.status, found.output_text) == ("failed", "half an answer")
    assert dumped(found)["error"] == ended["error"]
    said = await message_of(sdk, CREATE, model=MODEL, input="x", previous_response_id=ended["id"])
    assert ended["id"] in said
    assert "failed" in said
    assert await refused(sdk, CREATE, model=MODEL, input="x", previous_response_id=ended["id"]) == NOT_FOUND


@pytest.mark.proves("RECALL-ends")
@only(*KEPT)
async def test_an_incomplete_response_is_continued(sdk: Sdk, stack: Stack) -> None:
    stack.play("responses", {"steps": [{"text": "to be"}], "finish": {"incomplete": "max_output_tokens"}}, None)
    first = await say(sdk, "Say it")
    assert first.status == "incomplete"
    assert judged(await sdk.call(RETRIEVE, response_id=first.id)) == first
    await say(sdk, "Go on", previous_response_id=first.id)
    assert last_heard(stack) == ["user: Say it", "assistant: to be", "user: Go on"]


@pytest.mark.proves("RECALL-refused", "CASE-128", "CASE-134")
@only(*STATELESS)
@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"previous_response_id": "resp_unknown"}, NOT_FOUND),
        ({"previous_response_id": "msg_1"}, (400, "invalid_value", "previous_response_id")),
        (
            {"previous_response_id": "resp_1", "conversation": "conv_1"},
            (400, "mutually_exclusive_parameters", "previous_response_id"),
        ),
        ({"conversation": "conv_unknown"}, (404, None, "conversation")),
        ({"conversation": {"id": "conv_unknown"}}, (404, None, "conversation")),
        ({"conversation": "resp_1"}, (400, "invalid_value", "conversation")),
    ],
    ids=["unknown", "prefix", "both", "conversation", "conversation object", "no conversation"],
)
async def test_what_nobody_can_go_on_from_is_refused(sdk: Sdk, stack: Stack, wrong: Json, problem: Any) -> None:
    assert await refused(sdk, CREATE, model=MODEL, input="hi", **wrong) == problem
    assert await refused(sdk, CREATE, model=MODEL, input="hi", stream=True, **wrong) == problem
    assert stack.sent("responses") == []


@pytest.mark.proves("RECALL-refused")
@only(*KEPT)
@pytest.mark.parametrize("empty", [{"input": []}, {"input": ""}, {}], ids=["list", "text", "absent"])
async def test_a_turn_that_says_nothing_new_is_refused(stack: Stack, empty: Json) -> None:
    first = await say(stack.sdks["AsyncSdk"], "hi")
    body = {"model": MODEL, "previous_response_id": first.id, **empty}
    answer = await stack.http.post("/v1/responses", json=body)
    error = check_error(answer.content)
    assert (answer.status_code, error.param) == (400, "input")
    assert len(stack.sent("responses")) == 1


@pytest.mark.proves("RECALL-call-ids")
@only(*KEPT)
async def test_the_output_of_a_call_that_nobody_made_is_refused_by_its_place(sdk: Sdk, stack: Stack) -> None:
    stack.play("responses", calling("call_w"))
    first = await say(sdk, "Weather?", tools=[WEATHER])
    given = [user("look"), result("call_w"), result("call_x")]
    asked: Json = {"model": MODEL, "input": given, "previous_response_id": first.id, "tools": [WEATHER]}
    status, _, param = await refused(sdk, CREATE, **asked)
    assert (status, param) == (400, "input[2].call_id")
    assert "call_x" in await message_of(sdk, CREATE, **asked)
    assert len(stack.sent("responses")) == 1


@pytest.mark.proves("RECALL-upstream")
@only(NATIVE, TRANSLATED)
async def test_a_server_that_keeps_responses_is_asked_for_what_is_not_ours(stack: Stack) -> None:
    sdk = stack.sdks["AsyncSdk"]
    first = await say(sdk, exactly("one"))
    second = await say(sdk, exactly("two"), previous_response_id=first.id)
    assert second.output_text == "two"
    assert stack.sent("responses")[-1]["previous_response_id"] == first.id


@pytest.mark.proves("RECALL-places")
@only(*KEPT)
@pytest.mark.parametrize(
    ("place", "told"), [(0, "input"), (1, "input"), (2, "input[0].x"), (3, "input[2].x"), (9, "input")]
)
async def test_a_refusal_names_an_item_by_its_place_in_what_was_sent(stack: Stack, place: int, told: str) -> None:
    """What was said already is left out of what was sent, and the history stands before it."""
    first = await say(stack.sdks["AsyncSdk"], "hi")
    answer = first.output[0].to_dict()
    named = f"input[{place}].x"
    error = {"message": f"Bad '{named}'.", "type": "invalid_request_error", "code": "c", "param": named}
    stack.play("responses", {"status": 400, "body": {"error": error}})
    given = [user("a"), answer, user("b")]
    body = {"model": MODEL, "previous_response_id": first.id, "input": given}
    refused = check_error((await stack.http.post("/v1/responses", json=body)).content)
    assert (refused.param, refused.message) == (told, f"Bad '{told}'.")
