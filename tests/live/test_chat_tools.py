"""Tools in chat completions: called, answered, streamed, forced, and in the old form of functions."""

from __future__ import annotations

import json

import openai
import pytest

from tests.live.chat import (
    ASK_WEATHER,
    CREATE,
    HELPER,
    PIXEL,
    TIME,
    WEATHER,
    City,
    Json,
    exactly,
    function,
    judged,
    user,
)
from tests.live.sdk import Sdk, events, helped
from tests.live.stack import CODEX, MODEL, TRANSLATED, Stack, only
from tests.sdk_types import check_chat_stream

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_tool_call_and_its_result_lead_to_a_text(sdk: Sdk) -> None:
    first = judged(await sdk.call(CREATE, model=MODEL, messages=ASK_WEATHER, tools=[WEATHER]))
    assert first.choices[0].finish_reason == "tool_calls"
    message = first.choices[0].message
    assert message.content is None and message.tool_calls is not None
    [call] = message.tool_calls
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"location": "Paris"})
    history = [
        *ASK_WEATHER,
        message.model_dump(mode="json"),
        {"role": "tool", "tool_call_id": call.id, "content": "18C-SUNNY"},
    ]
    second = judged(await sdk.call(CREATE, model=MODEL, messages=history, tools=[WEATHER]))
    assert "18C-SUNNY" in (second.choices[0].message.content or "")
    assert second.choices[0].finish_reason == "stop"


async def test_parallel_tool_calls_keep_their_order(sdk: Sdk) -> None:
    messages = [user("What is the weather and the time in Paris?")]
    answer = judged(await sdk.call(CREATE, model=MODEL, messages=messages, tools=[WEATHER, TIME]))
    calls = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == ["get_weather", "get_time"]
    assert len({call.id for call in calls}) == 2


async def test_streamed_tool_calls_are_put_together_by_the_helper(sdk: Sdk) -> None:
    messages = [user("What is the weather and the time in Paris?")]
    shown, final = await helped(sdk, HELPER, model=MODEL, messages=messages, tools=[WEATHER, TIME])
    calls = final.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "get_time"]
    assert calls[0].function.parsed_arguments == {"location": "Paris"}
    assert final.choices[0].finish_reason == "tool_calls"
    assert [event.name for event in shown if event.type == "tool_calls.function.arguments.done"] == [
        "get_weather",
        "get_time",
    ]


@pytest.mark.proves("FAIL-8", "FAIL-9")
async def test_streamed_tool_calls_are_sound_on_the_wire(stack: Stack) -> None:
    body = {
        "model": MODEL,
        "messages": [user("What is the weather and the time in Paris?")],
        "tools": [WEATHER, TIME],
        "stream": True,
    }
    answer = await stack.http.post("/v1/chat/completions", json=body)
    chunks = check_chat_stream(answer.content, expect_usage=False)
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_a_forced_tool_is_called_and_none_is_not(sdk: Sdk) -> None:
    forced = {"type": "function", "function": {"name": "get_time"}}
    tools = [WEATHER, TIME]
    answer = judged(await sdk.call(CREATE, model=MODEL, messages=exactly("x"), tools=tools, tool_choice=forced))
    calls = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == ["get_time"]
    answer = judged(await sdk.call(CREATE, model=MODEL, messages=ASK_WEATHER, tools=tools, tool_choice="none"))
    assert answer.choices[0].message.tool_calls is None and answer.choices[0].message.content


@only(CODEX, TRANSLATED)
async def test_legacy_functions_are_answered_in_kind(sdk: Sdk, stack: Stack) -> None:
    functions = [WEATHER["function"] | {"strict": None}]
    arguments: Json = {"model": MODEL, "messages": ASK_WEATHER, "functions": functions}
    answer = judged(await sdk.call(CREATE, **arguments))
    called = answer.choices[0].message.function_call
    assert called is not None and (called.name, json.loads(called.arguments)) == ("get_weather", {"location": "Paris"})
    assert answer.choices[0].finish_reason == "function_call"
    chunks = await events(sdk, CREATE, **arguments, stream=True)
    pieces = [chunk.choices[0].delta.function_call for chunk in chunks if chunk.choices]
    assert "".join(piece.arguments or "" for piece in pieces if piece) == called.arguments
    history = [*ASK_WEATHER, {"role": "assistant", "content": None, "function_call": called.model_dump()}]
    history.append({"role": "function", "name": "get_weather", "content": "18C-SUNNY"})
    answer = judged(await sdk.call(CREATE, model=MODEL, messages=history, functions=functions))
    assert "18C-SUNNY" in (answer.choices[0].message.content or "")


async def test_parse_gives_typed_tool_arguments(sdk: Sdk) -> None:
    tool = openai.pydantic_function_tool(City, name="save_city")
    answer = await sdk.call(
        "chat.completions.parse", model=MODEL, messages=exactly("x"), tools=[tool], tool_choice="required"
    )
    assert isinstance(answer.choices[0].message.tool_calls[0].function.parsed_arguments, City)


@pytest.mark.proves("FAIL-32")
@only(CODEX, TRANSLATED)
async def test_a_long_tool_name_is_shortened_for_the_upstream_only(sdk: Sdk, stack: Stack) -> None:
    name = "mcp__files__" + "x" * 60 + "__weather"
    tool = function(name, "location")
    answer = judged(await sdk.call(CREATE, model=MODEL, messages=ASK_WEATHER, tools=[tool], tool_choice="required"))
    calls = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == [name]
    [sent] = stack.sent("chat")
    assert len(sent["tools"][0]["name"]) <= 64


@pytest.mark.proves("FAIL-33")
@only(CODEX, TRANSLATED)
async def test_an_image_in_a_tool_result_reaches_the_model(sdk: Sdk, stack: Stack) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    parts = [{"type": "text", "text": "SHOWN"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    history = [
        *ASK_WEATHER,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": parts},
    ]
    answer = judged(await sdk.call(CREATE, model=MODEL, messages=history, tools=[WEATHER]))
    assert "SHOWN" in (answer.choices[0].message.content or "")
    [sent] = stack.sent("chat")
    output = next(item["output"] for item in sent["input"] if item["type"] == "function_call_output")
    assert [part["type"] for part in output] == ["input_text", "input_image"] and output[1]["image_url"] == PIXEL
