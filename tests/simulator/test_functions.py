"""Chat requests in the old form: `functions` and `function_call`, answered in that form."""

from __future__ import annotations

from typing import Any

import httpx2
import orjson
import pytest

from tests.sdk_types import check_chat, check_chat_stream
from tests.simulator.asking import CLOCK, KEY, WEATHER

FUNCTIONS = [{key: tool[key] for key in ("name", "parameters")} for tool in (WEATHER, CLOCK)]
CALL = {"name": "get_weather", "arguments": '{"city":"Paris"}'}
BOTH = "Tell me about weather and time in Paris"


async def ask(client: httpx2.AsyncClient, text: str = BOTH, headers: Any = KEY, **changes: Any) -> bytes:
    body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": text}], "functions": FUNCTIONS, **changes}
    answer = await client.post("/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.mark.proves("SIM-functions")
async def test_a_function_is_called_in_the_old_form_and_one_at_a_time(client: httpx2.AsyncClient) -> None:
    (choice,) = orjson.loads(await ask(client))["choices"]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "function_call": CALL,
    }
    assert choice == {"index": 0, "message": message, "logprobs": None, "finish_reason": "function_call"}


@pytest.mark.proves("SIM-functions")
async def test_a_streamed_call_of_a_function_comes_in_pieces(client: httpx2.AsyncClient) -> None:
    chunks = check_chat_stream(await ask(client, stream=True), False)
    choices = [choice for chunk in chunks for choice in chunk.choices]
    calls = [choice.delta.function_call for choice in choices if choice.delta.function_call]
    assert [call.name for call in calls] == ["get_weather", None, None]
    assert "".join(call.arguments or "" for call in calls) == CALL["arguments"]
    assert choices[-1].finish_reason == "function_call"
    assert [choice.delta.tool_calls for choice in choices if choice.delta.tool_calls] == []


@pytest.mark.parametrize(
    ("text", "choice", "called"),
    [
        ("Hello", "auto", None),
        ("Hello", {"name": "get_time"}, "get_time"),
        (BOTH, {"name": "get_time"}, "get_time"),
        (BOTH, "none", None),
        ("What time is it?", None, "get_time"),
    ],
    ids=str,
)
async def test_function_call_says_what_is_called(
    client: httpx2.AsyncClient, text: str, choice: Any, called: str | None
) -> None:
    found = check_chat(await ask(client, text, function_call=choice)).choices[0]
    assert (found.message.function_call and found.message.function_call.name) == called
    assert found.finish_reason == ("function_call" if called else "stop")


async def test_the_result_of_a_function_is_answered_with_a_text(client: httpx2.AsyncClient) -> None:
    messages = [
        {"role": "user", "content": BOTH},
        {"role": "assistant", "content": None, "function_call": CALL},
        {"role": "function", "name": "get_weather", "content": "sunny"},
    ]
    found = check_chat(await ask(client, messages=messages)).choices[0]
    assert (found.message.content, found.finish_reason) == ("(simulated) The tools returned: sunny", "stop")


async def test_tools_go_before_functions(client: httpx2.AsyncClient) -> None:
    found = check_chat(await ask(client, tools=[{"type": "function", "function": FUNCTIONS[1]}])).choices[0]
    assert found.finish_reason == "tool_calls"
    assert [call.type for call in found.message.tool_calls or ()] == ["function"]


@pytest.mark.proves("SIM-functions")
async def test_a_scripted_call_is_in_the_form_of_the_request(client: httpx2.AsyncClient) -> None:
    script = [{"call": "get_weather", "arguments": {"city": "Paris"}}, {"call": "get_time"}]
    headers = {**KEY, "x-simulate": orjson.dumps(script).decode()}
    found = check_chat(await ask(client, headers=headers)).choices[0]
    assert found.message.function_call is not None
    assert found.message.function_call.model_dump() == CALL
    assert (found.message.tool_calls, found.finish_reason) == (None, "function_call")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"functions": 5}, "functions"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"function_call": 5}, "function_call"),
        ({"function_call": {}}, "function_call.name"),
        ({"function_call": "always"}, "function_call"),
    ],
    ids=str,
)
async def test_a_wrong_function_is_refused_by_its_place(client: httpx2.AsyncClient, change: Any, param: str) -> None:
    body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "x"}], **change}
    answer = await client.post("/v1/chat/completions", json=body, headers=KEY)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
