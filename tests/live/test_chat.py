"""Chat completions as the openai SDK sees them, in front of every kind of upstream."""

from __future__ import annotations

import base64
import json
from typing import Any

import openai
import pytest

from tests.live.chat import (
    CREATE,
    HELPER,
    PIXEL,
    City,
    Json,
    exactly,
    judged,
    text_of,
    user,
)
from tests.live.sdk import Sdk, events, helped
from tests.live.stack import CODEX, MODEL, NATIVE, TRANSLATED, Stack, only
from tests.sdk_types import check_chat, check_chat_stream

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.proves("ENGINE-sdk-chat")
async def test_create_answers_with_the_text(sdk: Sdk, stack: Stack) -> None:
    answer = judged(await sdk.call(CREATE, model=MODEL, messages=exactly("PONG-42")))
    assert answer.choices[0].message.content == "PONG-42"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == MODEL
    assert answer.usage is not None and answer.usage.prompt_tokens > 0


async def test_a_raw_stream_brings_the_text_in_pieces(sdk: Sdk) -> None:
    chunks = await events(sdk, CREATE, model=MODEL, messages=exactly("one two three four five"), stream=True)
    assert text_of(chunks) == "one two three four five"
    assert sum(bool(chunk.choices and chunk.choices[0].delta.content) for chunk in chunks) > 1
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert all(chunk.usage is None for chunk in chunks)


async def test_usage_comes_in_the_last_chunk_when_asked_for(sdk: Sdk) -> None:
    chunks = await events(
        sdk, CREATE, model=MODEL, messages=exactly("hi"), stream=True, stream_options={"include_usage": True}
    )
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens > 0


@pytest.mark.proves("ENGINE-sdk-chat")
async def test_the_stream_helper_makes_the_same_completion(sdk: Sdk) -> None:
    shown, final = await helped(sdk, HELPER, model=MODEL, messages=exactly("one two three"))
    assert "".join(event.delta for event in shown if event.type == "content.delta") == "one two three"
    assert final.choices[0].message.content == "one two three"
    assert final.choices[0].finish_reason == "stop"


@pytest.mark.proves("ENGINE-sdk-chat", "FAIL-7")
@pytest.mark.parametrize("include_usage", [False, True])
async def test_the_bytes_of_a_stream_are_a_sound_transcript(stack: Stack, include_usage: bool) -> None:
    body: Json = {"model": MODEL, "messages": exactly("grüße, 世界, 🌍!"), "stream": True}
    if include_usage:
        body["stream_options"] = {"include_usage": True}
    answer = await stack.http.post("/v1/chat/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert text_of(check_chat_stream(answer.content, include_usage)) == "grüße, 世界, 🌍!"


@pytest.mark.parametrize(
    "script",
    [
        "reasoning",
        "commentary",
        "noisy",
        "no_ids",
        "long_ids",
        "crlf",
        "byte_by_byte",
        "split_utf8",
        "late_arguments",
        "web_search",
        "image",
    ],
)
@pytest.mark.applies.with_args(
    lambda cell: cell["mode"].codex or cell["script"] != "noisy"
)  # limits are Codex's own events
async def test_odd_streams_of_the_upstream_are_sound_in_chat(stack: Stack, script: str) -> None:
    stack.play("chat", script, script)
    body = {"model": MODEL, "messages": [user("Say something")]}
    answer = await stack.http.post("/v1/chat/completions", json={**body, "stream": True})
    chunks = check_chat_stream(answer.content, expect_usage=False)
    message = check_chat((await stack.http.post("/v1/chat/completions", json=body)).content).choices[0].message
    assert text_of(chunks) == (message.content or "")
    assert message.content or message.tool_calls


@pytest.mark.proves("ENGINE-sdk-chat")
async def test_parse_fills_a_pydantic_model(sdk: Sdk) -> None:
    messages = exactly('{"name":"Paris","population":2100000}')
    answer = await sdk.call("chat.completions.parse", model=MODEL, messages=messages, response_format=City)
    assert answer.choices[0].message.parsed == City(name="Paris", population=2100000)


async def test_parse_works_on_a_stream(sdk: Sdk) -> None:
    messages = exactly('{"name":"Paris","population":2100000}')
    _, final = await helped(sdk, HELPER, model=MODEL, messages=messages, response_format=City)
    assert final.choices[0].message.parsed == City(name="Paris", population=2100000)


async def test_json_object_gives_an_object(sdk: Sdk) -> None:
    answer = judged(
        await sdk.call(
            CREATE, model=MODEL, messages=[user("Some json, please")], response_format={"type": "json_object"}
        )
    )
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


@pytest.mark.parametrize("url", [PIXEL, "https://example.com/cat.png"], ids=["data", "http"])
async def test_images_reach_the_model(sdk: Sdk, stack: Stack, url: str) -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    answer = judged(await sdk.call(CREATE, model=MODEL, messages=[{"role": "user", "content": parts}]))
    assert "an image" in (answer.choices[0].message.content or "")
    assert url in json.dumps(stack.sent("chat"))


async def test_files_reach_the_model(sdk: Sdk, stack: Stack) -> None:
    data = "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.4 x").decode()
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}
    parts = [{"type": "text", "text": "Read this"}, file]
    answer = judged(await sdk.call(CREATE, model=MODEL, messages=[{"role": "user", "content": parts}]))
    assert "a file (a.pdf)" in (answer.choices[0].message.content or "")
    assert data in json.dumps(stack.sent("chat"))


@pytest.mark.proves("FAIL-34")
@pytest.mark.parametrize("role", ["system", "developer"])
async def test_instructions_in_messages_keep_their_place(sdk: Sdk, stack: Stack, role: str) -> None:
    messages = [{"role": role, "content": "Be brief."}, *exactly("ok")]
    answer = judged(await sdk.call(CREATE, model=MODEL, messages=messages))
    assert answer.choices[0].message.content == "ok"
    [sent] = stack.sent("chat")
    assert sent.get("instructions") in (None, "")
    first = (sent.get("messages") or sent["input"])[0]
    assert first["role"] == ("developer" if stack.mode.codex else role)
    assert "Be brief." in json.dumps(first["content"])


@pytest.mark.proves("ENGINE-instructions")
@only(CODEX)
async def test_without_any_instructions_the_default_ones_are_sent(sdk: Sdk, stack: Stack) -> None:
    await sdk.call(CREATE, model=MODEL, messages=exactly("ok"))
    assert [body["instructions"] for body in stack.sent("chat")] == ["You are a helpful assistant."]


@pytest.mark.proves("FAIL-35")
@only(CODEX, TRANSLATED)
async def test_reasoning_is_shown_as_reasoning_content(sdk: Sdk, stack: Stack) -> None:
    stack.play("chat", "reasoning", "reasoning")
    arguments: Json = {"model": MODEL, "messages": exactly("x"), "reasoning_effort": "low"}
    answer = judged(await sdk.call(CREATE, **arguments))
    message: Any = answer.choices[0].message
    assert message.reasoning_content == "**Weighing it**\n\n(simulated) thought"
    assert message.content == "(simulated) Done thinking."
    chunks = await events(sdk, CREATE, **arguments, stream=True)
    thoughts = [getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in chunks if chunk.choices]
    assert "".join(thoughts) == message.reasoning_content
    assert text_of(chunks) == message.content
    assert [body["reasoning"]["effort"] for body in stack.sent("chat")] == ["low", "low"]
    usage = answer.usage
    assert usage is not None and usage.completion_tokens_details is not None
    assert (usage.completion_tokens_details.reasoning_tokens or 0) > 0


@only(NATIVE)
async def test_a_servers_own_reasoning_content_passes(sdk: Sdk, stack: Stack) -> None:
    script = {"steps": [{"reasoning": ["thought"]}, {"text": "done"}], "reasoning_content": True}
    stack.play("chat", script, script)
    answer = await sdk.call(CREATE, model=MODEL, messages=exactly("x"))
    assert answer.choices[0].message.reasoning_content == "thought"
    chunks = await events(sdk, CREATE, model=MODEL, messages=exactly("x"), stream=True)
    assert "".join(getattr(c.choices[0].delta, "reasoning_content", None) or "" for c in chunks) == "thought"


async def test_a_refusal_is_a_refusal(sdk: Sdk, stack: Stack) -> None:
    stack.play("chat", "refusal", "refusal")
    answer = judged(await sdk.call(CREATE, model=MODEL, messages=exactly("x")))
    said = "I cannot help with that. (simulated)"
    assert (answer.choices[0].message.refusal, answer.choices[0].message.content) == (said, None)
    _, final = await helped(sdk, HELPER, model=MODEL, messages=exactly("x"))
    assert final.choices[0].message.refusal == said


@pytest.mark.parametrize(
    ("script", "reason"), [("max_output_tokens", "length"), ("filtered", "content_filter")], ids=["length", "filter"]
)
async def test_an_incomplete_answer_says_why(sdk: Sdk, stack: Stack, script: str, reason: str) -> None:
    stack.play("chat", script, script)
    answer = judged(await sdk.call(CREATE, model=MODEL, messages=exactly("x")))
    assert answer.choices[0].finish_reason == reason
    assert (answer.choices[0].message.content or "").startswith("(simulated) This answer")
    chunks = await events(sdk, CREATE, model=MODEL, messages=exactly("x"), stream=True)
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == reason


async def test_a_cut_document_is_never_parsed_as_a_whole_one(sdk: Sdk, stack: Stack) -> None:
    stack.play("chat", "max_output_tokens")
    with pytest.raises(openai.LengthFinishReasonError):
        await sdk.call("chat.completions.parse", model=MODEL, messages=exactly("x"), response_format=City)


async def test_a_stop_sequence_ends_the_text(sdk: Sdk) -> None:
    arguments: Json = {"model": MODEL, "messages": exactly("alpha beta @@ gamma delta"), "stop": ["@@"]}
    answer = judged(await sdk.call(CREATE, **arguments))
    assert answer.choices[0].message.content == "alpha beta "
    assert answer.choices[0].finish_reason == "stop"
    chunks = await events(sdk, CREATE, **arguments, stream=True)
    assert text_of(chunks) == "alpha beta "


@pytest.mark.proves("ENGINE-dropped")
@only(CODEX)
async def test_what_the_backend_does_not_take_is_left_out_and_named(sdk: Sdk, stack: Stack) -> None:
    raw = await sdk.call(
        "chat.completions.with_raw_response.create",
        model=MODEL,
        messages=exactly("ok"),
        temperature=0.2,
        top_p=0.9,
        max_completion_tokens=200,
        seed=7,
        user="u1",
        metadata={"a": "b"},
    )
    dropped = set(raw.headers["x-gateway-dropped"].split(","))
    assert {"temperature", "top_p", "max_completion_tokens"} <= dropped
    assert judged(raw.parse()).choices[0].message.content == "ok"


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_responses_body_on_the_chat_path_is_answered_in_chat(stack: Stack, stream: bool) -> None:
    """Cursor posts them."""
    body = {"model": MODEL, "input": exactly("ok"), "stream": stream}
    if "chat" in stack.mode.native:
        answer = await stack.http.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
    else:
        answer = await stack.http.post("/v1/chat/completions", json=body)
    if stream:
        assert text_of(check_chat_stream(answer.content, expect_usage=False)) == "ok"
    else:
        assert check_chat(answer.content).choices[0].message.content == "ok"


@pytest.mark.proves("FAIL-39")
@only(CODEX)
async def test_commentary_is_no_part_of_a_parsed_answer(sdk: Sdk, stack: Stack) -> None:
    steps = [
        {"text": "I will look at it first.", "phase": "commentary"},
        {"text": '{"name":"Paris","population":2100000}', "phase": "final_answer"},
    ]
    stack.play("chat", {"steps": steps}, {"steps": steps})
    answer = await sdk.call("chat.completions.parse", model=MODEL, messages=exactly("x"), response_format=City)
    assert answer.choices[0].message.parsed == City(name="Paris", population=2100000)
    _, final = await helped(sdk, HELPER, model=MODEL, messages=exactly("x"), response_format=City)
    assert final.choices[0].message.parsed == City(name="Paris", population=2100000)
