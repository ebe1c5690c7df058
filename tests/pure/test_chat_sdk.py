"""Answers as the real openai SDK reads them: raw iteration, the stream helper, `parse()` (translation, appendix A)."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI
from openai.lib.streaming.chat import ChatCompletionStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from gateway.core import json as lenient_json
from gateway.dialects import Choices
from gateway.dialects.chat import DIALECT
from tests.pure.chat_frames import (
    call,
    created,
    custom_call,
    events_of,
    frames,
    message,
    reasoning,
    response,
    terminal,
    text_part,
)

Json = dict[str, Any]
HEADERS = {"content-type": "text/event-stream"}
HI: Any = [{"role": "user", "content": "hi"}]


class City(BaseModel):
    name: str


class GetCity(BaseModel):
    k: int


def client(final: Json, choices: Choices | None = None, events: list[Json] | None = None) -> AsyncOpenAI:
    """An SDK whose requests are decoded by the dialect and answered with this response."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked = DIALECT.decode(lenient_json.loads(request.content), choices or Choices())
        if not asked.request.stream:
            return httpx2.Response(
                200, content=asked.encode_response(final), headers={"content-type": "application/json"}
            )
        told = events if events is not None else events_of(final)
        return httpx2.Response(200, content=asked.stream_encoder(5).feed(frames(told)), headers=HEADERS)

    transport = httpx2.MockTransport(answer)
    return AsyncOpenAI(api_key="x", base_url="http://gateway/v1", http_client=httpx2.AsyncClient(transport=transport))


BOTH = response(
    reasoning("hm"),
    message(text_part("Looking.", annotations=[
        {"type": "url_citation", "start_index": 0, "end_index": 1, "url": url, "title": "t"} for url in "uv"
    ])),
    call(arguments='{"k":1}', call_id="call_a"),
    call(arguments='{"k":2}', call_id="call_b"),
)  # fmt: skip


async def test_a_completion_reads_as_the_sdk_s_own_type() -> None:
    async with client(BOTH) as sdk:
        made = await sdk.chat.completions.create(model="m", messages=HI)
    ChatCompletion.model_validate(made.model_dump(), strict=True)
    (choice,) = made.choices
    assert (choice.message.content, choice.finish_reason) == ("Looking.", "tool_calls")
    assert [entry.id for entry in choice.message.tool_calls or []] == ["call_a", "call_b"]
    assert made.usage is not None
    assert made.usage.total_tokens == 29


@pytest.mark.proves("CHAT-sdk", "CASE-79", "CASE-80")
@pytest.mark.parametrize("usage", [False, True], ids=["plain", "usage"])
async def test_raw_iteration_reads_every_chunk(usage: bool) -> None:
    async with client(BOTH) as sdk:
        options: Any = {"include_usage": True} if usage else openai.omit
        stream = await sdk.chat.completions.create(model="m", messages=HI, stream=True, stream_options=options)
        chunks = [chunk async for chunk in stream]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk.model_dump(), strict=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Looking."
    assert (chunks[-1].usage is not None) is usage


@pytest.mark.proves("CHAT-sdk", "CASE-70", "CASE-71", "CASE-72", "CASE-73", "CASE-82")
async def test_the_stream_helper_builds_the_same_answer() -> None:
    async with (
        client(BOTH) as sdk,
        sdk.chat.completions.stream(
            model="m",
            messages=HI,
            tools=[openai.pydantic_function_tool(GetCity, name="get")],
            stream_options={"include_usage": True},
        ) as stream,
    ):
        seen: list[ChatCompletionStreamEvent[None]] = [event async for event in stream]
        final = await stream.get_final_completion()
    (choice,) = final.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == (
        "assistant",
        "Looking.",
        "tool_calls",
    )
    assert [
        (entry.id, entry.function.name, entry.function.parsed_arguments) for entry in choice.message.tool_calls or []
    ] == [
        ("call_a", "get", GetCity(k=1)),
        ("call_b", "get", GetCity(k=2)),
    ]
    assert final.usage is not None
    assert final.usage.total_tokens == 29
    kinds = [event.type for event in seen]
    assert kinds.count("tool_calls.function.arguments.done") == 2
    assert kinds.count("content.done") == 1


@pytest.mark.proves("CASE-73")
async def test_the_stream_helper_reads_calls_that_the_model_made_at_once() -> None:
    first, second = call(call_id="call_a", arguments='{"k":1}'), call(call_id="call_b", arguments='{"k":2}')
    name = "response.function_call_arguments.delta"
    events: list[Json] = [created(response())]
    events += [
        {"type": "response.output_item.added", "output_index": at, "item": {**item, "arguments": ""}}
        for at, item in enumerate((first, second))
    ]
    events += [{"type": name, "output_index": at, "delta": text} for text in ('{"k"', ":5}") for at in (0, 1)]
    events.append(terminal(response()))
    async with client(response(), events=events) as sdk:
        tools = [openai.pydantic_function_tool(GetCity, name="get")]
        async with sdk.chat.completions.stream(model="m", messages=HI, tools=tools) as stream:
            final = await stream.get_final_completion()
    calls = final.choices[0].message.tool_calls or []
    assert [entry.function.parsed_arguments for entry in calls] == [GetCity(k=5), GetCity(k=5)]


@pytest.mark.proves("CASE-92")
async def test_the_stream_helper_reads_custom_calls() -> None:
    sdk = client(response(custom_call(text="ls")))
    async with sdk, sdk.chat.completions.stream(model="m", messages=HI) as stream:
        final = await stream.get_final_completion()
    (entry,) = final.choices[0].message.tool_calls or []
    assert (entry.id, entry.function.name, entry.function.arguments) == ("call_c", "run", "ls")


@pytest.mark.proves("CHAT-sdk", "CASE-20", "CASE-59")
async def test_parse_reads_structured_output_with_a_preamble() -> None:
    final = response(message("On it.", phase="commentary"), message('{"name":"Oslo"}', index=1, phase="final_answer"))
    for choices in (Choices(), Choices(reasoning="think")):
        async with client(final, choices) as sdk:
            made = await sdk.chat.completions.parse(model="m", messages=HI, response_format=City)
            assert made.choices[0].message.parsed == City(name="Oslo")
            async with sdk.chat.completions.stream(model="m", messages=HI, response_format=City) as stream:
                streamed = await stream.get_final_completion()
            assert streamed.choices[0].message.parsed == City(name="Oslo")


@pytest.mark.proves("CASE-52", "CASE-86")
async def test_a_cut_structured_answer_raises_in_parse() -> None:
    final = response(message('{"na'), status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    async with client(final) as sdk:
        with pytest.raises(openai.LengthFinishReasonError):
            await sdk.chat.completions.parse(model="m", messages=HI, response_format=City)


@pytest.mark.proves("CASE-58")
async def test_a_refusal_reads_as_one() -> None:
    async with client(response(message({"type": "refusal", "refusal": "No."}))) as sdk:
        made = await sdk.chat.completions.parse(model="m", messages=HI, response_format=City)
        async with sdk.chat.completions.stream(model="m", messages=HI) as stream:
            streamed = await stream.get_final_completion()
    assert made.choices[0].message.refusal == streamed.choices[0].message.refusal == "No."


@pytest.mark.proves("CASE-83", "CASE-85")
@pytest.mark.parametrize("how", ["failed", "cut"])
async def test_a_broken_stream_raises(how: str) -> None:
    failed = terminal(response(status="failed", error={"code": "server_error", "message": "boom"}))
    events: list[Json] = [created(response()), *events_of(response(message("Hi")))[1:-1]]
    told = {"failed": [*events, failed], "cut": [*events, {"type": "[DONE]"}]}[how]
    async with client(response(), events=told) as sdk:
        stream = await sdk.chat.completions.create(model="m", messages=HI, stream=True)
        with pytest.raises(openai.APIError) as caught:
            [chunk async for chunk in stream]
    assert caught.value.code == {"failed": "upstream_error", "cut": "upstream_stream_truncated"}[how]


@pytest.mark.proves("CHAT-logprobs")
async def test_logprobs_read_as_the_sdk_s_own_type() -> None:
    token = {"token": "Hi", "logprob": -1.5, "top_logprobs": [{"token": "Hi", "logprob": -1.5}]}
    async with client(response(message(text_part("Hi", logprobs=[token])))) as sdk:
        made = await sdk.chat.completions.create(model="m", messages=HI, logprobs=True, top_logprobs=1)
    ChatCompletion.model_validate(made.model_dump(), strict=True)
    assert made.choices[0].logprobs is not None


@pytest.mark.proves("CHAT-round-trip", "CASE-49")
async def test_an_echoed_answer_and_its_results_make_the_next_request() -> None:
    """What a program does in a tool loop: append the SDK's own message object and the results, and ask again."""
    async with client(BOTH) as sdk:
        made = await sdk.chat.completions.create(model="m", messages=HI)
    echoed = made.choices[0].message.model_dump()
    results = [{"role": "tool", "tool_call_id": call_id, "content": call_id} for call_id in ("call_a", "call_b")]
    document = json.loads(json.dumps({"model": "m", "messages": [*HI, echoed, *results]}))
    items = DIALECT.decode(document, Choices()).request.body["input"]
    assert items[1:] == [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Looking."}]},
        {"type": "function_call", "call_id": "call_a", "name": "get", "arguments": '{"k":1}'},
        {"type": "function_call", "call_id": "call_b", "name": "get", "arguments": '{"k":2}'},
        {"type": "function_call_output", "call_id": "call_a", "output": "call_a"},
        {"type": "function_call_output", "call_id": "call_b", "output": "call_b"},
    ]
