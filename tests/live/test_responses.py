"""The Responses API as the openai SDK and the Codex client see it, in front of every kind of upstream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from tests.live.sdk import Sdk, events, helped
from tests.live.stack import CHAT_ONLY, CODEX, INNER, MODEL, NATIVE, Mode, Stack, only, running
from tests.sdk_types import check_response, check_response_stream

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

CREATE = "responses.create"
HELPER = "responses.stream"


class City(BaseModel):
    name: str
    population: int


def function(name: str, *fields: str) -> Json:
    properties = {field: {"type": "string"} for field in fields}
    schema = {"type": "object", "properties": properties, "required": list(fields), "additionalProperties": False}
    return {"type": "function", "name": name, "description": name, "parameters": schema, "strict": True}


WEATHER, TIME = function("get_weather", "location"), function("get_time", "zone")


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def judged(response: Response) -> Response:
    """The response again, as the strict judge reads what the SDK has kept of it."""
    return check_response(response.model_dump(mode="json", exclude_unset=True, by_alias=True))


@pytest.mark.proves("ENGINE-sdk-responses")
@pytest.mark.parametrize(
    "given",
    [
        "Reply with exactly: PONG-42",
        [user("Reply with exactly: PONG-42")],
        [{"role": "user", "content": [{"type": "input_text", "text": "Reply with exactly: PONG-42"}]}],
    ],
    ids=["text", "messages", "parts"],
)
async def test_create_answers_with_the_text(sdk: Sdk, given: Any) -> None:
    response = judged(await sdk.call(CREATE, model=MODEL, input=given))
    assert (response.output_text, response.status, response.model) == ("PONG-42", "completed", MODEL)


async def test_a_raw_stream_shows_the_text_and_ends_completed(sdk: Sdk) -> None:
    shown = await events(sdk, CREATE, model=MODEL, input="Reply with exactly: one two three four", stream=True)
    assert "".join(event.delta for event in shown if event.type == "response.output_text.delta") == "one two three four"
    assert shown[0].type == "response.created"
    assert shown[-1].type == "response.completed"
    assert shown[-1].response.output_text == "one two three four"


@pytest.mark.proves("ENGINE-sdk-responses")
async def test_the_stream_helper_makes_the_same_response(sdk: Sdk) -> None:
    shown, final = await helped(sdk, HELPER, model=MODEL, input="Reply with exactly: one two three four")
    assert "".join(event.delta for event in shown if event.type == "response.output_text.delta") == "one two three four"
    assert final.output_text == "one two three four"


@pytest.mark.proves("ENGINE-sdk-responses")
@pytest.mark.parametrize(
    "script",
    [
        "default",
        "reasoning",
        "commentary",
        "refusal",
        "noisy",
        "no_ids",
        "long_ids",
        "crlf",
        "byte_by_byte",
        "split_utf8",
    ],
)
@pytest.mark.applies.with_args(
    lambda cell: cell["mode"].codex or cell["script"] != "noisy"
)  # limits are Codex's own events
async def test_the_bytes_of_a_stream_are_a_sound_transcript(stack: Stack, script: str) -> None:
    stack.play("responses", script)
    answer = await stack.http.post("/v1/responses", json={"model": MODEL, "input": "Say something", "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    response = check_response_stream(answer.content)
    assert response.output_text or script in ("refusal", "late_arguments")


@only(CODEX)
async def test_an_event_of_megabytes_passes(stack: Stack) -> None:
    stack.play("responses", "huge_event")
    answer = await stack.http.post("/v1/responses", json={"model": MODEL, "input": "Draw", "stream": True})
    [item] = check_response_stream(answer.content).output
    assert item.type == "image_generation_call" and len(item.result or "") > 5_000_000


@pytest.mark.proves("CASE-69", "CASE-97", "FAIL-5")
async def test_the_terminal_event_holds_the_output_even_when_the_backend_leaves_it_out(stack: Stack) -> None:
    stack.sim.configure(completed_output="null")
    answer = await stack.http.post("/v1/responses", json={"model": MODEL, "input": "Say something", "stream": True})
    assert check_response_stream(answer.content).output_text == "(simulated) You said: Say something"
    response = judged_body(await stack.http.post("/v1/responses", json={"model": MODEL, "input": "Say something"}))
    assert response.output_text == "(simulated) You said: Say something"


def judged_body(answer: Any) -> Response:
    assert answer.status_code == 200, answer.text
    return check_response(answer.content)


async def test_parse_fills_a_pydantic_model(sdk: Sdk) -> None:
    text = 'Reply with exactly: {"name":"Paris","population":2100000}'
    response = await sdk.call("responses.parse", model=MODEL, input=text, text_format=City)
    assert response.output_parsed == City(name="Paris", population=2100000)


async def test_parse_works_on_a_stream(sdk: Sdk) -> None:
    text = 'Reply with exactly: {"name":"Paris","population":2100000}'
    _, final = await helped(sdk, HELPER, model=MODEL, input=text, text_format=City)
    assert final.output_parsed == City(name="Paris", population=2100000)


@pytest.mark.proves("ENGINE-stateless")
@only(*INNER)
async def test_tools_work_without_state(sdk: Sdk, stack: Stack) -> None:
    """The whole output is echoed as it came, ids and encrypted reasoning included."""
    arguments: Json = {
        "model": MODEL,
        "tools": [WEATHER],
        "store": False,
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
    }
    history: list[Any] = [user("What is the weather in Paris?")]
    first = judged(await sdk.call(CREATE, input=history, **arguments))
    assert [item.type for item in first.output] == ["reasoning", "function_call"]
    reasoning, call = first.output
    assert reasoning.type == "reasoning" and reasoning.encrypted_content
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"location": "Paris"})
    history += [item.model_dump(mode="json", exclude_unset=True) for item in first.output]
    history.append({"type": "function_call_output", "call_id": call.call_id, "output": "18C-SUNNY"})
    second = judged(await sdk.call(CREATE, input=history, **arguments))
    assert "18C-SUNNY" in second.output_text
    assert reasoning.encrypted_content in json.dumps(stack.sent("responses")[1])


async def test_streamed_tool_calls_come_in_order(sdk: Sdk) -> None:
    arguments: Json = {"model": MODEL, "input": "What is the weather and the time in Paris?", "tools": [WEATHER, TIME]}
    shown, final = await helped(sdk, HELPER, **arguments)
    assert [item.name for item in final.output] == ["get_weather", "get_time"]
    done = [event for event in shown if event.type == "response.function_call_arguments.done"]
    assert [event.arguments for event in done] == [item.arguments for item in final.output]


async def test_a_forced_tool_is_called_and_none_is_not(sdk: Sdk) -> None:
    arguments: Json = {"model": MODEL, "input": "What is the weather in Paris?", "tools": [WEATHER, TIME]}
    response = judged(await sdk.call(CREATE, **arguments, tool_choice={"type": "function", "name": "get_time"}))
    assert [item.name for item in response.output if item.type == "function_call"] == ["get_time"]
    response = judged(await sdk.call(CREATE, **arguments, tool_choice="none"))
    assert [item.type for item in response.output] == ["message"]


@only(*INNER)
async def test_reasoning_is_streamed_as_a_summary(sdk: Sdk) -> None:
    shown, final = await helped(
        sdk, HELPER, model=MODEL, input="Say something", reasoning={"effort": "low", "summary": "auto"}
    )
    thought = "".join(event.delta for event in shown if event.type == "response.reasoning_summary_text.delta")
    assert thought and thought == "".join(part.text for part in final.output[0].summary)
    assert final.usage.output_tokens_details.reasoning_tokens > 0


async def test_a_custom_tool_takes_text_and_gives_text(sdk: Sdk) -> None:
    tool = {"type": "custom", "name": "apply_patch", "description": "Patch files"}
    arguments: Json = {"model": MODEL, "tools": [tool]}
    history: list[Any] = [user("Please apply_patch this")]
    first = judged(await sdk.call(CREATE, input=history, **arguments))
    [call] = first.output
    assert call.type == "custom_tool_call" and (call.name, bool(call.input)) == ("apply_patch", True)
    history.append(call.model_dump(mode="json", exclude_unset=True))
    history.append({"type": "custom_tool_call_output", "call_id": call.call_id, "output": "PATCHED"})
    assert "PATCHED" in judged(await sdk.call(CREATE, input=history, **arguments)).output_text


async def test_a_streamed_custom_tool_call_is_sound_on_the_wire(stack: Stack) -> None:
    tool = {"type": "custom", "name": "apply_patch", "description": "Patch files"}
    body = {"model": MODEL, "input": "Please apply_patch this", "tools": [tool], "stream": True}
    answer = await stack.http.post("/v1/responses", json=body)
    assert [item.type for item in check_response_stream(answer.content).output] == ["custom_tool_call"]


@pytest.mark.parametrize("script", ["max_output_tokens", "filtered"])
async def test_an_incomplete_response_says_why(sdk: Sdk, stack: Stack, script: str) -> None:
    reason = {"max_output_tokens": "max_output_tokens", "filtered": "content_filter"}[script]
    stack.play("responses", script, script)
    response = judged(await sdk.call(CREATE, model=MODEL, input="x"))
    assert response.incomplete_details is not None
    assert (response.status, response.incomplete_details.reason) == ("incomplete", reason)
    shown = await events(sdk, CREATE, model=MODEL, input="x", stream=True)
    assert (shown[-1].type, shown[-1].response.incomplete_details.reason) == ("response.incomplete", reason)


async def test_a_refusal_is_a_refusal(sdk: Sdk, stack: Stack) -> None:
    stack.play("responses", "refusal")
    response = judged(await sdk.call(CREATE, model=MODEL, input="x"))
    [message] = response.output
    assert message.type == "message" and [part.type for part in message.content] == ["refusal"]


# what the Codex client sends ------------------------------------------------------------------------------------------

NAMESPACE = {
    "type": "namespace",
    "name": "mcp__files",
    "description": "Files",
    "tools": [function("open_file", "path")],
}


def codex_body(**more: Any) -> Json:
    """A body as the Codex client builds it; its system text is developer messages with ids."""
    return {
        "model": MODEL,
        "input": [
            {
                "type": "message",
                "id": "msg_1",
                "role": "developer",
                "content": [{"type": "input_text", "text": "You are a coding agent."}],
            },
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Please open_file it"}]},
        ],
        "tools": [
            NAMESPACE,
            {"type": "web_search", "external_web_access": True},
            {
                "type": "custom",
                "name": "apply_patch",
                "description": "Patch",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
            },
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "text": {"verbosity": "low"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0190-thread",
        "client_metadata": {"x-codex-installation-id": "0190"},
        **more,
    }


CODEX_HEADERS = {
    "session-id": "0190-session",
    "thread-id": "0190-thread",
    "x-client-request-id": "0190-thread",
    "originator": "codex_exec",
    "x-codex-window-id": "0190:0",
    "x-codex-beta-features": "a,b",
    "x-codex-turn-metadata": json.dumps({"turn_id": "x" * 900}),
}


@pytest.mark.proves("ENGINE-codex-client")
@only(*INNER)
async def test_a_codex_turn_with_namespaces_goes_round(stack: Stack) -> None:
    body = codex_body()
    answer = await stack.http.post("/v1/responses", json=body, headers=CODEX_HEADERS)
    response = check_response_stream(answer.content)
    call = response.output[-1].model_dump(mode="json", exclude_unset=True)
    assert (call["type"], call["name"], call["namespace"]) == ("function_call", "open_file", "mcp__files")
    [sent] = stack.sent("responses")
    assert sent["tools"] == body["tools"]
    history = [
        *body["input"],
        *({**item.model_dump(mode="json", exclude_unset=True), "content": None} for item in response.output[:-1]),
        call,
        {"type": "function_call_output", "id": "fc_9", "call_id": call["call_id"], "output": "CONTENT-7"},
    ]
    answer = await stack.http.post("/v1/responses", json=codex_body(input=history), headers=CODEX_HEADERS)
    assert "CONTENT-7" in check_response_stream(answer.content).output_text


@pytest.mark.proves("ENGINE-codex-client")
@only(*INNER)
async def test_tools_in_the_input_of_a_codex_turn_are_used(stack: Stack) -> None:
    """gpt-6 has no top-level tools: an input item carries them."""
    body = codex_body()
    tools = body.pop("tools")
    body["input"].insert(0, {"type": "additional_tools", "role": "developer", "tools": [NAMESPACE, tools[2]]})
    answer = await stack.http.post("/v1/responses", json=body, headers=CODEX_HEADERS)
    call: Any = check_response_stream(answer.content).output[-1]
    assert (call.type, call.name) == ("function_call", "open_file")
    [sent] = stack.sent("responses")
    assert {"type": "additional_tools", "role": "developer", "tools": [NAMESPACE, tools[2]]} in sent["input"]


@only(CODEX)
async def test_the_clients_cache_key_names_the_session(stack: Stack) -> None:
    await stack.http.post("/v1/responses", json=codex_body(), headers=CODEX_HEADERS)
    [call] = stack.sim.calls("codex.responses")
    assert call.body["prompt_cache_key"] == call.headers["session-id"] == "0190-thread"


@pytest.mark.proves("ENGINE-repair")
async def test_encrypted_reasoning_of_another_account_is_left_out_and_the_turn_runs(stack: Stack) -> None:
    foreign = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAAforeign"}
    body = {"model": MODEL, "input": [user("Hello"), foreign, user("Reply with exactly: ok")], "store": False}
    response = judged_body(await stack.http.post("/v1/responses", json=body))
    assert response.output_text == "ok"


@pytest.mark.proves("ENGINE-repair", "ENGINE-dropped", "FAIL-1")
@only(CODEX)
async def test_a_parameter_that_the_backend_has_come_to_refuse_is_left_out_and_named(stack: Stack) -> None:
    refusal = {"status": 400, "body": {"detail": "Unsupported parameter: parallel_tool_calls"}}
    stack.play("responses", refusal)
    body = {"model": MODEL, "input": "Reply with exactly: ok", "parallel_tool_calls": True}
    answer = await stack.http.post("/v1/responses", json=body)
    assert judged_body(answer).output_text == "ok"
    assert answer.headers["x-gateway-dropped"] == "parallel_tool_calls"
    first, second = stack.sent("responses")
    assert "parallel_tool_calls" in first and "parallel_tool_calls" not in second


# what is kept, and by whom --------------------------------------------------------------------------------------------


@pytest.mark.proves("ENGINE-no-state", "CHAT-SERVER-state")
@pytest.mark.parametrize("mode", [CODEX, CHAT_ONLY], ids=lambda mode: mode.name)
@pytest.mark.parametrize("setting", [{"upstream": {"state": "off"}}, {"store": {"enabled": False}}], ids=list)
async def test_state_that_nobody_keeps_is_a_400_naming_the_field(tmp_path: Path, mode: Mode, setting: Json) -> None:
    async with running(mode, tmp_path, **setting) as stack:
        for sdk in stack.sdks.values():
            for field, value, code in (
                ("previous_response_id", "resp_1", "previous_response_not_found"),
                ("conversation", "conv_1", "unsupported_parameter"),
                ("background", True, "unsupported_parameter"),
                ("prompt", {"id": "pmpt_1"}, "unsupported_parameter"),
            ):
                with pytest.raises(openai.BadRequestError) as caught:
                    await sdk.call(CREATE, model=MODEL, input="x", **{field: value})
                assert (caught.value.code, caught.value.param) == (code, field)
        assert stack.sent("responses") == []


@pytest.mark.proves("ENGINE-no-state")
@only(CODEX, CHAT_ONLY)
@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("previous_response_id", "resp_1", (400, "previous_response_not_found")),
        ("conversation", "conv_1", (404, None)),
        ("prompt", {"id": "pmpt_1"}, (400, "unsupported_parameter")),
    ],
)
async def test_what_is_unknown_here_is_unknown_and_the_refusal_names_the_field(
    sdk: Sdk, stack: Stack, field: str, value: Any, expected: tuple[int, str | None]
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await sdk.call(CREATE, model=MODEL, input="x", **{field: value})
    error = caught.value
    assert (error.status_code, error.code, error.param) == (*expected, field)
    assert stack.sent("responses") == []


@only(NATIVE)
async def test_a_server_that_keeps_responses_is_asked_for_them(sdk: Sdk) -> None:
    first = await sdk.call(CREATE, model=MODEL, input="Remember indigo")
    second = await sdk.call(CREATE, model=MODEL, input="Reply with exactly: ok", previous_response_id=first.id)
    assert second.output_text == "ok"
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.call(CREATE, model=MODEL, input="x", previous_response_id="resp_unknown")
    assert caught.value.code == "previous_response_not_found"


@only(CODEX)
async def test_the_echo_is_what_was_asked_not_what_was_sent_on(sdk: Sdk) -> None:
    response = judged(
        await sdk.call(
            CREATE,
            model=MODEL,
            input="Reply with exactly: ok",
            instructions="Be brief.",
            metadata={"a": "b"},
            temperature=0.3,
            max_output_tokens=300,
        )
    )
    assert response.instructions == "Be brief."
    assert response.metadata == {"a": "b"}
    assert (response.temperature, response.max_output_tokens) == (0.3, 300)
