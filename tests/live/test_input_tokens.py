"""`/v1/responses/input_tokens`: by the upstream where it counts, by the gateway's own estimate where it does not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
from openai.types.responses import InputTokenCountResponse

from tests.live.sdk import Sdk
from tests.live.stack import CHAT_ONLY, CODEX, MODEL, NATIVE, TRANSLATED, Stack, only, running
from tests.sdk_shapes import typed
from tests.sdk_types import check_error

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

PATH = "/v1/responses/input_tokens"
ROUTE = "openai.input_tokens"
counting = only(NATIVE, TRANSLATED)
estimating = only(CODEX, CHAT_ONLY)


TOOL: Json = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
EVERY: Json = {
    "model": MODEL,
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "What is the weather in Oslo?"}]},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Oslo"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
    ],
    "instructions": "Be terse.",
    "tools": [TOOL],
    "tool_choice": "auto",
    "text": {"format": {"type": "json_schema", "name": "weather", "schema": {"type": "object"}}, "verbosity": "low"},
    "reasoning": {"effort": "low"},
    "truncation": "disabled",
    "conversation": None,
    "previous_response_id": None,
    "parallel_tool_calls": True,
    "personality": "friendly",
}
"""A body with each documented field."""

WORDS = "word " * 500


def check_count(answer: httpx2.Response) -> int:
    """The count in a sound answer."""
    assert answer.status_code == 200, answer.text
    found: list[str] = []
    typed(InputTokenCountResponse, answer.json(), "$", found)
    assert found == []
    count = answer.json()["input_tokens"]
    assert isinstance(count, int)
    return count


def is_estimate(answer: httpx2.Response) -> bool:
    return answer.headers.get("x-gateway-estimate") == "1"


@pytest.mark.proves("TOKENS-native")
@counting
async def test_a_server_that_counts_is_asked_with_the_clients_own_bytes(stack: Stack) -> None:
    body = b'{ "model":"gpt-5.5",  "input":"Hi there", "personality": "friendly", "new_field": [1.0] }'
    stack.sim.queue(ROUTE, {"body": {"object": "response.input_tokens", "input_tokens": 4711}})
    answer = await stack.http.post(PATH, content=body, headers={"content-type": "application/json"})
    assert check_count(answer) == 4711
    assert not is_estimate(answer)
    [call] = stack.sim.calls(ROUTE)
    assert call.raw == body
    assert call.headers["accept"] == "application/json"


@pytest.mark.proves("TOKENS-native", "TOKENS-estimate")
async def test_the_sdk_counts(sdk: Sdk, stack: Stack) -> None:
    whole = await sdk.call("responses.input_tokens.count", **EVERY)
    little = await sdk.call("responses.input_tokens.count", input="What?")
    assert whole.object == little.object == "response.input_tokens"
    assert whole.input_tokens > little.input_tokens > 0


@pytest.mark.proves("TOKENS-native", "TOKENS-estimate")
async def test_every_field_may_be_left_out(stack: Stack) -> None:
    for content in (b"", b"{}", b'{"model":null,"input":null,"instructions":null,"tools":null,"text":null}'):
        check_count(await stack.http.post(PATH, content=content))
    every = await stack.http.post(PATH, json=EVERY)
    assert check_count(every) > 50
    assert is_estimate(every) == (stack.mode in (CODEX, CHAT_ONLY))


@pytest.mark.proves("TOKENS-estimate")
@estimating
async def test_an_estimate_is_marked_as_one_and_calls_nobody(stack: Stack) -> None:
    short = await stack.http.post(PATH, json={"input": "Tell me a joke."})
    assert (check_count(short), is_estimate(short)) == (11, True)
    long = await stack.http.post(PATH, json={"model": MODEL, "input": [{"role": "user", "content": "word " * 1000}]})
    assert 950 < check_count(long) < 1050
    assert stack.sim.log == []


@pytest.mark.proves("TOKENS-estimate")
async def test_an_estimate_needs_no_login_and_no_network(tmp_path: Path) -> None:
    async with running(CODEX, tmp_path, login=False, upstream_url="http://127.0.0.1:9") as stack:
        answer = await stack.http.post(PATH, json={"model": MODEL, "input": "Tell me a joke."})
        assert (check_count(answer), is_estimate(answer)) == (11, True)


NO_ROUTE: list[Any] = [
    pytest.param({"status": 404, "body": {"detail": "Not Found"}}, id="404"),
    pytest.param({"status": 405, "body": {"detail": "Method Not Allowed"}}, id="405"),
    pytest.param({"status": 501, "body": {"error": {"message": "Not implemented."}}}, id="501"),
    pytest.param({"status": 200, "body": {"error": "Unexpected endpoint or method."}}, id="an error with status 200"),
]


@pytest.mark.proves("TOKENS-no-route")
@counting
@pytest.mark.parametrize("told", NO_ROUTE)
async def test_where_the_server_has_no_such_route_the_gateway_estimates(stack: Stack, told: Json) -> None:
    stack.sim.queue(ROUTE, told)
    answer = await stack.http.post(PATH, json={"model": MODEL, "input": "Tell me a joke."})
    assert (check_count(answer), is_estimate(answer)) == (11, True)
    assert len(stack.sim.calls(ROUTE)) == 1


@pytest.mark.proves("TOKENS-errors")
@counting
async def test_an_unknown_model_is_no_reason_to_estimate(stack: Stack) -> None:
    answer = await stack.http.post(PATH, json={"model": "no-such-model", "input": "Hi"})
    error = check_error(answer.json())
    assert (answer.status_code, error.code, error.param) == (404, "model_not_found", "model")


@pytest.mark.proves("TOKENS-errors")
@counting
async def test_a_server_that_fails_is_told_of_and_not_guessed_for(stack: Stack) -> None:
    stack.sim.queue(ROUTE, "server_error", "burst")
    failed = await stack.http.post(PATH, json={"input": "Hi"})
    limited = await stack.http.post(PATH, json={"input": "Hi"})
    assert (failed.status_code, failed.json()["error"]["code"], limited.status_code) == (502, "upstream_error", 429)


WRONG: list[Any] = [
    ({"model": 7}, "model"),
    ({"input": 7}, "input"),
    ({"input": [7]}, "input[0]"),
    ({"instructions": {}}, "instructions"),
    ({"tools": {}}, "tools"),
    ({"tools": [{"name": "x"}]}, "tools[0]"),
    ({"text": "json"}, "text"),
    ({"reasoning": "high"}, "reasoning"),
    ({"truncation": "always"}, "truncation"),
    ({"parallel_tool_calls": "yes"}, "parallel_tool_calls"),
    ({"personality": 7}, "personality"),
    ({"conversation": 7}, "conversation"),
    ({"previous_response_id": 7}, "previous_response_id"),
]


@pytest.mark.proves("TOKENS-errors")
@pytest.mark.parametrize(("wrong", "param"), WRONG, ids=[json.dumps(wrong) for wrong, _ in WRONG])
async def test_bad_input_is_a_400_that_names_the_field(stack: Stack, wrong: Json, param: str) -> None:
    answer = await stack.http.post(PATH, json={"model": MODEL, "input": "Hi", **wrong})
    error = check_error(answer.json())
    assert answer.status_code == 400, answer.text
    assert error.param is not None and error.param.startswith(param)


@pytest.mark.proves("TOKENS-errors")
async def test_what_is_no_json_object_is_refused(stack: Stack) -> None:
    for content in (b"{", b"[]", b'"text"'):
        answer = await stack.http.post(PATH, content=content)
        assert (answer.status_code, check_error(answer.json()).code) == (400, "invalid_request")
    assert (await stack.http.get(PATH)).status_code == 405


@pytest.mark.proves("TOKENS-errors")
@estimating
async def test_a_template_that_only_its_server_can_read_is_not_counted(stack: Stack) -> None:
    answer = await stack.http.post(PATH, json={"prompt": {"id": "pmpt_1"}})
    error = check_error(answer.json())
    assert (answer.status_code, error.code, error.param) == (400, "unsupported_parameter", "prompt")


@pytest.mark.proves("TOKENS-history")
@pytest.mark.parametrize("conversation", ["conv_none", {"id": "conv_none"}], ids=["text", "object"])
async def test_an_unknown_history_is_not_found(stack: Stack, conversation: Any) -> None:
    body: Json = {"model": MODEL, "input": "Hi"}
    previous = await stack.http.post(PATH, json={**body, "previous_response_id": "resp_none"})
    error = check_error(previous.json())
    assert (previous.status_code, error.code) == (400, "previous_response_not_found")
    assert error.param == "previous_response_id"
    talk = await stack.http.post(PATH, json={**body, "conversation": conversation})
    error = check_error(talk.json())
    assert (talk.status_code, error.message) == (404, "Conversation with id 'conv_none' not found.")
    assert error.param == "conversation"


@pytest.mark.proves("TOKENS-estimate")
async def test_counts_that_run_at_once_do_not_mix(tmp_path: Path) -> None:
    async with running(CHAT_ONLY, tmp_path) as stack:
        bodies = [{"input": "word " * length} for length in range(10, 200, 10)]
        answers = await asyncio.gather(*(stack.http.post(PATH, json=body) for body in bodies))
        counts = [check_count(answer) for answer in answers]
        assert counts == sorted(set(counts))


@pytest.mark.proves("TOKENS-no-route")
async def test_the_log_line_of_an_estimate_tells_of_no_error(tmp_path: Path) -> None:
    async with running(NATIVE, tmp_path) as stack:
        stack.sim.queue(ROUTE, {"status": 404, "body": {"detail": "Not Found"}})
        with structlog.testing.capture_logs() as lines:
            check_count(await stack.http.post(PATH, json={"input": "Hi"}))
    [line] = [line for line in lines if line["event"] == "request"]
    assert (line["surface"], line["status"], line["outcome"]) == ("responses", 200, "completed")
    assert not {"error", "attempt_failed", "tokens"} & line.keys()


@pytest.mark.proves("TOKENS-native")
async def test_a_server_is_asked_under_its_own_name_of_the_model(tmp_path: Path) -> None:
    async with running(NATIVE, tmp_path, upstream={"aliases": {"fast": MODEL}}) as stack:
        check_count(await stack.http.post(PATH, json={"model": "fast", "input": "Hi", "stream": True}))
        [call] = stack.sim.calls(ROUTE)
        assert call.body == {"model": MODEL, "input": "Hi", "stream": True}


@pytest.mark.proves("TOKENS-history")
async def test_the_response_that_a_request_goes_on_from_is_counted(stack: Stack) -> None:
    body: Json = {"model": MODEL, "input": "Hi"}
    alone = check_count(await stack.http.post(PATH, json=body))
    first = (await stack.http.post("/v1/responses", json={"model": MODEL, "input": WORDS})).json()
    answer = await stack.http.post(PATH, json={**body, "previous_response_id": first["id"]})
    assert check_count(answer) > alone + 500
    assert is_estimate(answer) == (stack.mode in (CODEX, CHAT_ONLY))


@pytest.mark.proves("TOKENS-history")
@estimating
async def test_the_conversation_that_a_request_goes_on_from_is_counted(stack: Stack) -> None:
    body: Json = {"model": MODEL, "input": "Hi"}
    alone = check_count(await stack.http.post(PATH, json=body))
    made = await stack.http.post("/v1/conversations", json={"items": [{"role": "user", "content": WORDS}]})
    answer = await stack.http.post(PATH, json={**body, "conversation": made.json()["id"]})
    assert check_count(answer) > alone + 500
