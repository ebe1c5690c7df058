"""Responses clients in front of a server that speaks chat completions only, on real sockets.

What holds for every upstream is shown in the other modules, which run in this mode too. Here is what such a server is
sent, and what only it brings about.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest

from gateway.upstreams.servers import SERVERS
from tests.live.sdk import AsyncSdk, Sdk, broken, events, helped
from tests.live.sockets import connected
from tests.live.stack import CHAT_ONLY, KEY, MODEL, Mode, Stack, only, running
from tests.live.test_responses import CODEX_HEADERS, CREATE, HELPER, NAMESPACE, WEATHER, codex_body, judged, user
from tests.sdk_types import check_failed_response_stream, check_response_stream

pytestmark = pytest.mark.asyncio(loop_scope="session")
chat_only = only(CHAT_ONLY)

Json = dict[str, Any]

OPENED = {"path": "a.txt"}
CALLING: Json = {"reasoning_content": True, "steps": [{"reasoning": ["I ", "look."]}, {"call": "get_weather"}]}


@pytest.mark.proves("CHAT-SERVER-live")
@chat_only
async def test_a_turn_is_a_chat_request_and_its_answer_a_response(sdk: Sdk, stack: Stack) -> None:
    response = judged(
        await sdk.call(
            CREATE,
            model=MODEL,
            instructions="Be brief.",
            input="Reply with exactly: ok",
            max_output_tokens=300,
            metadata={"a": "b"},
        )
    )
    assert (response.output_text, response.status, response.model) == ("ok", "completed", MODEL)
    assert response.usage is not None and response.usage.total_tokens > 0
    assert (response.instructions, response.metadata, response.max_output_tokens) == ("Be brief.", {"a": "b"}, 300)
    assert stack.sent("responses") == [
        {
            "model": MODEL,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Reply with exactly: ok"},
            ],
            "max_tokens": 300,
            "stream": False,
        }
    ]


@pytest.mark.proves("CHAT-SERVER-usage")
@chat_only
async def test_a_stream_tells_what_it_cost_although_the_client_cannot_ask(sdk: Sdk, stack: Stack) -> None:
    _, final = await helped(sdk, HELPER, model=MODEL, input="Reply with exactly: ok")
    assert final.usage.output_tokens > 0
    assert stack.sent("responses")[0]["stream_options"] == {"include_usage": True}


@pytest.mark.proves("CHAT-SERVER-live")
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@chat_only
async def test_tools_and_thoughts_go_round(sdk: Sdk, stack: Stack, stream: bool) -> None:
    stack.play("responses", CALLING)
    arguments: Json = {"model": MODEL, "tools": [WEATHER], "store": False, "reasoning": {"effort": "low"}}
    history: list[Any] = [user("What is the weather in Paris?")]
    if stream:
        _, first = await helped(sdk, HELPER, input=history, **arguments)
    else:
        first = judged(await sdk.call(CREATE, input=history, **arguments))
    reasoning, call = first.output
    assert [part.text for part in reasoning.content] == ["I look."]
    assert (call.type, call.name) == ("function_call", "get_weather")
    history += [item.model_dump(mode="json", exclude_unset=True) for item in first.output]
    history.append({"type": "function_call_output", "call_id": call.call_id, "output": "18C-SUNNY"})
    second = judged(await sdk.call(CREATE, input=history, **arguments))
    assert "18C-SUNNY" in second.output_text
    messages = stack.sent("responses")[1]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"] == call.call_id
    assert stack.sent("responses")[1]["reasoning_effort"] == "low"


@pytest.mark.proves("CHAT-SERVER-namespaces", "CHAT-SERVER-hosted")
@chat_only
async def test_a_codex_turn_goes_round_on_a_chat_server(stack: Stack) -> None:
    stack.play("responses", {"call": "mcp__files__open_file", "arguments": OPENED})
    body = codex_body()
    answer = await stack.http.post("/v1/responses", json=body, headers=CODEX_HEADERS)
    assert answer.headers["x-gateway-dropped"] == "text.verbosity,tools.web_search"
    [call] = check_response_stream(answer.content).output
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("open_file", OPENED)
    assert call.model_dump()["namespace"] == "mcp__files"
    [sent] = stack.sent("responses")
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["mcp__files__open_file", "apply_patch"]
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    history = [
        *body["input"],
        call.model_dump(mode="json", exclude_unset=True),
        {"type": "function_call_output", "id": "fc_9", "call_id": call.call_id, "output": "CONTENT-7"},
    ]
    answer = await stack.http.post("/v1/responses", json=codex_body(input=history), headers=CODEX_HEADERS)
    assert "CONTENT-7" in check_response_stream(answer.content).output_text
    assert stack.sent("responses")[1]["messages"][2]["tool_calls"][0]["function"]["name"] == "mcp__files__open_file"


@pytest.mark.proves("CHAT-SERVER-declared-in-input")
@chat_only
async def test_tools_in_the_input_of_a_codex_turn_are_functions(stack: Stack) -> None:
    stack.play("responses", {"call": "exec", "arguments": {"input": "text('hi')"}})
    body = codex_body()
    del body["tools"]
    carried = {
        "type": "additional_tools",
        "role": "developer",
        "tools": [NAMESPACE, {"type": "custom", "name": "exec"}],
    }
    body["input"].insert(0, carried)
    answer = await stack.http.post("/v1/responses", json=body, headers=CODEX_HEADERS)
    [call] = check_response_stream(answer.content).output
    assert call.type == "custom_tool_call"
    assert (call.name, call.input) == ("exec", "text('hi')")
    [sent] = stack.sent("responses")
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["mcp__files__open_file", "exec"]


@chat_only
async def test_a_continuation_over_a_websocket_sends_the_whole_chain_as_messages(stack: Stack) -> None:
    stack.play("responses", CALLING)
    async with connected(stack) as socket:
        first = await socket.answer(
            input="What is the weather?", tools=[WEATHER], store=False, instructions="Be terse."
        )
        call = first["output"][-1]
        given = {"type": "function_call_output", "call_id": call["call_id"], "output": "18C-SUNNY"}
        second = await socket.answer(previous_response_id=first["id"], input=[given], store=False)
    assert second["previous_response_id"] == first["id"]
    body = stack.sent("responses")[-1]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool"]
    assert body["messages"][1]["tool_calls"][0]["id"] == body["messages"][2]["tool_call_id"] == call["call_id"]
    assert "tools" not in body


@pytest.mark.proves("CHAT-SERVER-params")
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("max_tokens", "max_output_tokens"),
        ("messages[0].content", "input"),
        ("response_format.json_schema", "text.format"),
        ("tools[0].function.name", "tools"),
        ("temperature", "temperature"),
        ("stream_options.include_usage", None),
        (None, None),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@chat_only
async def test_the_field_that_a_chat_server_refuses_is_named_as_the_client_knows_it(
    sdk: Sdk, stack: Stack, theirs: str | None, ours: str | None, stream: bool
) -> None:
    said = {"message": f"Invalid '{theirs}'.", "type": "invalid_request_error", "param": theirs, "code": "bad"}
    stack.play("responses", {"status": 400, "body": {"error": said}})
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.call(CREATE, model=MODEL, input="x", stream=stream)
    assert (caught.value.param, caught.value.code) == (ours, "bad")


@chat_only
async def test_the_chat_client_of_a_chat_server_reads_its_own_names(sdk: Sdk, stack: Stack) -> None:
    said = {"message": "Invalid 'max_tokens'.", "type": "invalid_request_error", "param": "max_tokens", "code": "bad"}
    stack.play("chat", {"status": 400, "body": {"error": said}})
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.call("chat.completions.create", model=MODEL, messages=[user("x")], max_tokens=5)
    assert caught.value.param == "max_tokens"


@pytest.mark.proves("CHAT-SERVER-live")
@chat_only
async def test_a_cut_chat_stream_is_told_as_a_failed_response(sdk: Sdk, stack: Stack) -> None:
    stack.play("responses", "cut", "end")
    answer = await stack.http.post("/v1/responses", json={"model": MODEL, "input": "x", "stream": True})
    check_failed_response_stream(answer.content)
    seen, error = await broken(sdk, CREATE, model=MODEL, input="x", stream=True)
    assert any(event.type == "response.output_text.delta" for event in seen)
    assert error is not None
    assert seen[-1].type != "response.completed"


async def test_a_strict_operator_refuses_what_a_chat_server_does_not_know(tmp_path: Path) -> None:
    async with running(CHAT_ONLY, tmp_path, upstream={"unsupported": "strict"}) as stack:
        with pytest.raises(openai.BadRequestError) as caught:
            await stack.sdks["AsyncSdk"].call(CREATE, model=MODEL, input="x", service_tier="priority")
        assert caught.value.param == "service_tier"


@pytest.mark.proves("CHAT-SERVER-known")
async def test_the_setting_decides_what_the_server_is_sent(tmp_path: Path) -> None:
    mode = Mode("deepseek", {**CHAT_ONLY.upstream, "server": "deepseek"}, CHAT_ONLY.native)
    assert SERVERS["deepseek"].quirks.switch == "thinking"
    async with running(mode, tmp_path) as stack:
        sdk = AsyncSdk(f"{stack.url}/v1", KEY)
        try:
            await events(sdk, CREATE, model=MODEL, input="x", reasoning={"effort": "none"}, stream=True)
        finally:
            await sdk.aclose()
        assert stack.sent("responses")[0]["thinking"] == {"type": "disabled"}
