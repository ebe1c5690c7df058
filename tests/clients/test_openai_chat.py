"""The openai SDK for Node on /v1/chat/completions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.served import Json, Served
from tests.live.chat import ASK_WEATHER, PIXEL, TIME, WEATHER, exactly, user
from tests.live.stack import CODEX, MODEL, NATIVE, TRANSLATED, only

pytestmark = pytest.mark.asyncio(loop_scope="session")

CREATE = "chat.completions.create"
HELPER = "chat.completions.stream"
PARIS = {"name": "Paris", "population": 2100000}
BOTH = [*ASK_WEATHER[:-1], user("What is the weather and the time in Paris?")]


def body(messages: Any, **more: Any) -> Json:
    return {"model": MODEL, "messages": messages, **more}


@pytest.mark.proves("CLIENTS-openai-chat")
async def test_an_answer_has_text_usage_and_a_request_id(gateway: Served) -> None:
    answer = await gateway.run("openai.create", method=CREATE, params=body(exactly("pong")))
    [choice] = answer["data"]["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("pong", "stop")
    assert answer["data"]["usage"]["total_tokens"] > 0
    assert answer["request_id"] == answer["headers"]["x-request-id"] != ""


@pytest.mark.proves("CLIENTS-openai-chat")
@pytest.mark.parametrize("include_usage", [False, True], ids=["", "usage"])
async def test_a_stream_brings_the_text_in_pieces(gateway: Served, include_usage: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if include_usage else {}
    params = body(exactly("one two three four"), stream=True, **options)
    answer = await gateway.run("openai.events", method=CREATE, params=params)
    assert answer["error"] is None
    chunks = answer["events"]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    pieces = [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"]]
    assert "".join(pieces) == "one two three four" and len([piece for piece in pieces if piece]) > 1
    counted = [bool(chunk.get("usage")) for chunk in chunks]
    assert counted == [False] * (len(chunks) - 1) + [include_usage]
    assert (chunks[-1]["choices"] == []) is include_usage


@pytest.mark.proves("CLIENTS-openai-chat")
async def test_the_stream_helper_makes_the_whole_completion(gateway: Served) -> None:
    params = body(exactly("one two three"), stream_options={"include_usage": True})
    answer = await gateway.run("openai.helped", method=HELPER, params=params)
    assert "".join(event["delta"] for event in answer["heard"]["content.delta"]) == "one two three"
    assert [event["content"] for event in answer["heard"]["content.done"]] == ["one two three"]
    [choice] = answer["final"]["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one two three", "stop")
    assert answer["final"]["usage"]["total_tokens"] > 0


@pytest.mark.proves("CLIENTS-openai-chat")
async def test_a_tool_is_called_and_its_result_read(gateway: Served) -> None:
    first = await gateway.run("openai.create", method=CREATE, params=body(ASK_WEATHER, tools=[WEATHER]))
    message = first["data"]["choices"][0]["message"]
    [call] = message["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"location": "Paris"}
    # The SDK's message as it came, fields that no server asked for included.
    history = [*ASK_WEATHER, message, {"role": "tool", "tool_call_id": call["id"], "content": "18C-SUNNY"}]
    second = await gateway.run("openai.create", method=CREATE, params=body(history, tools=[WEATHER]))
    assert "18C-SUNNY" in second["data"]["choices"][0]["message"]["content"]


@pytest.mark.proves("CLIENTS-openai-chat")
async def test_the_helper_puts_parallel_calls_together(gateway: Served) -> None:
    answer = await gateway.run("openai.helped", method=HELPER, params=body(BOTH, tools=[WEATHER, TIME]))
    done = answer["heard"]["tool_calls.function.arguments.done"]
    assert [(call["index"], call["name"]) for call in done] == [(0, "get_weather"), (1, "get_time")]
    choice = answer["final"]["choices"][0]
    assert [call["function"]["name"] for call in choice["message"]["tool_calls"]] == ["get_weather", "get_time"]
    assert choice["finish_reason"] == "tool_calls"


@pytest.mark.proves("CLIENTS-openai-tools")
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_run_tools_calls_a_function_and_goes_on(gateway: Served, stream: bool) -> None:
    answer = await gateway.run("openai.runTools", params=body(ASK_WEATHER, stream=stream))
    assert answer["called"] == ["Paris"]
    assert "sunny in Paris" in answer["content"]
    assert [message["role"] for message in answer["messages"]] == ["user", "assistant", "tool", "assistant"]
    [output] = gateway.asked("chat")[1].outputs
    assert output.content == "sunny in Paris"


@pytest.mark.proves("CLIENTS-openai-parse")
@pytest.mark.parametrize("program", ["parsed", "parsedStream"])
async def test_parse_fills_a_schema(gateway: Served, program: str) -> None:
    method = HELPER if program == "parsedStream" else "chat.completions.parse"
    answer = await gateway.run(f"openai.{program}", method=method, params=body(exactly(json.dumps(PARIS))))
    completion = answer["final"] if program == "parsedStream" else answer["data"]
    assert completion["choices"][0]["message"]["parsed"] == PARIS
    [asked] = gateway.asked("chat")
    assert (asked.schema["name"], asked.schema["strict"]) == ("city", True)
    assert asked.schema["schema"]["required"] == ["name", "population"]


@pytest.mark.parametrize("url", [PIXEL, "https://example.com/cat.png"], ids=["data", "http"])
async def test_images_reach_the_model(gateway: Served, url: str) -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    answer = await gateway.run("openai.create", method=CREATE, params=body([{"role": "user", "content": parts}]))
    assert "an image" in answer["data"]["choices"][0]["message"]["content"]
    assert url in json.dumps(gateway.sent("chat"))


async def test_a_refusal_is_a_refusal(gateway: Served) -> None:
    gateway.play("chat", "refusal", "refusal")
    answer = await gateway.run("openai.create", method=CREATE, params=body(exactly("x")))
    said = "I cannot help with that. (simulated)"
    message = answer["data"]["choices"][0]["message"]
    assert (message["refusal"], message["content"]) == (said, None)
    helped = await gateway.run("openai.helped", method=HELPER, params=body(exactly("x")))
    assert [event["refusal"] for event in helped["heard"]["refusal.done"]] == [said]


@only(CODEX, TRANSLATED)
async def test_reasoning_is_read_beside_the_text(gateway: Served) -> None:
    gateway.play("chat", "reasoning", "reasoning")
    params = body(exactly("x"), reasoning_effort="low")
    answer = await gateway.run("openai.create", method=CREATE, params=params)
    message = answer["data"]["choices"][0]["message"]
    assert message["reasoning_content"] == "**Weighing it**\n\n(simulated) thought"
    assert answer["data"]["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    streamed = await gateway.run("openai.events", method=CREATE, params={**params, "stream": True})
    deltas = [chunk["choices"][0]["delta"] for chunk in streamed["events"] if chunk["choices"]]
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == message["reasoning_content"]
    assert "".join(delta.get("content") or "" for delta in deltas) == message["content"]


@only(CODEX, TRANSLATED)
async def test_several_choices_are_refused(gateway: Served) -> None:
    error = await gateway.refused("openai.create", method=CREATE, params=body(exactly("x"), n=2))
    assert (error["class"], error["status"], error["param"]) == ("BadRequestError", 400, "n")
    assert gateway.sent("chat") == []


@only(NATIVE)
async def test_a_server_that_knows_them_makes_several_choices(gateway: Served) -> None:
    answer = await gateway.run("openai.create", method=CREATE, params=body(exactly("x"), n=2))
    assert [choice["index"] for choice in answer["data"]["choices"]] == [0, 1]


@pytest.mark.parametrize(
    ("script", "reason"), [("max_output_tokens", "length"), ("filtered", "content_filter")], ids=["length", "filter"]
)
async def test_an_incomplete_answer_says_why(gateway: Served, script: str, reason: str) -> None:
    gateway.play("chat", script, script)
    answer = await gateway.run("openai.create", method=CREATE, params=body(exactly("x")))
    assert answer["data"]["choices"][0]["finish_reason"] == reason
    params = body(exactly("x"), stream=True)
    streamed = await gateway.run("openai.events", method=CREATE, params=params)
    assert [chunk["choices"][0]["finish_reason"] for chunk in streamed["events"]][-1] == reason


async def test_a_cut_document_is_never_parsed_as_a_whole_one(gateway: Served) -> None:
    gateway.play("chat", "max_output_tokens")
    error = await gateway.refused("openai.parsed", method="chat.completions.parse", params=body(exactly("x")))
    assert error["class"] == "LengthFinishReasonError"


@pytest.mark.proves("CLIENTS-abort")
async def test_an_abort_ends_the_upstream_call(gateway: Served) -> None:
    gateway.play("chat", {"steps": [{"text": ["one ", "two "]}], "finish": "stall"})
    answer = await gateway.run("openai.aborted", method=CREATE, params=body(exactly("x"), stream=True), abortAfter=2)
    assert answer == {"seen": 2}
    [call] = gateway.sim.calls(gateway.mode.route("chat"))
    await gateway.ended(call)
    assert call.closed_early


async def test_leaving_the_loop_ends_the_upstream_call(gateway: Served) -> None:
    gateway.play("chat", {"steps": [{"text": ["one ", "two "]}], "finish": "stall"})
    answer = await gateway.run("openai.events", method=CREATE, params=body(exactly("x"), stream=True), leaveAfter=2)
    assert len(answer["events"]) == 2 and answer["error"] is None
    [call] = gateway.sim.calls(gateway.mode.route("chat"))
    await gateway.ended(call)
    assert call.closed_early


@pytest.mark.proves("CLIENTS-errors")
@pytest.mark.parametrize(("finish", "code"), [("cut", "upstream_unavailable"), ("end", "upstream_stream_truncated")])
async def test_a_stream_that_breaks_off_is_an_error(gateway: Served, finish: str, code: str) -> None:
    gateway.play("chat", {"steps": [{"text": ["one ", "two "]}], "finish": finish})
    answer = await gateway.run("openai.events", method=CREATE, params=body(exactly("x"), stream=True))
    assert answer["events"] != []
    assert answer["error"]["class"] == "APIError"
    assert answer["error"]["code"] == code
