"""Streams in the manner of real chat servers: whole, byte by byte, and cut."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from openai import APIError, AsyncOpenAI
from openai.types.responses import Response

from gateway.dialects import Choices
from gateway.dialects.chat import DIALECT
from gateway.dialects.responses.stream import ResponsesEncoder
from tests.pure.chat_invariants import fold
from tests.pure.inlet_streams import (
    STREAMS,
    final,
    inlet,
    play,
    play_chunks,
    quirks_for,
    repaired,
    summary,
)
from tests.pure.invariants import read
from tests.pure.test_repair_corpus import cuts

Json = dict[str, Any]

EVERY = pytest.mark.parametrize("name", STREAMS)

CALL = "function_call"
WITHHELD: list[tuple[str, ...]] = [
    ("message", "The answer was withheld by the upstream's content filter.", "incomplete")
]
TOLD: dict[str, tuple[str, str | None, list[tuple[str, ...]], int | None]] = {
    "azure-content-filter": ("incomplete", "content_filter", WITHHELD, 30),
    "custom-and-namespaced": (
        "completed",
        None,
        [
            ("message", "Patching."),
            ("custom_tool_call", "call_p", "apply_patch", "*** Begin Patch\n*** End Patch"),
            (CALL, "call_n", "crm", "find", '{"q":"x"}'),
        ],
        None,
    ),
    "cut": ("failed", "stream_incomplete", [("message", "Half"), (CALL, "call_h", "get", '{"k":', "incomplete")], None),
    "deepseek-overloaded": ("failed", "server_error", [("message", "It", "incomplete")], None),
    "deepseek-reasoning": ("completed", None, [("reasoning", "9.11 < 9.8"), ("message", "9.8 is larger.")], 96),
    "emoji-halves": ("completed", None, [("message", "Hi 😀!"), (CALL, "call_e", "get", '{"k":"😀"}')], None),
    "gemini-parallel-calls": (
        "completed",
        None,
        [("message", "Checking."), (CALL, "call_*", "get", '{"k":"a"}'), (CALL, "call_*", "get", '{"k":"b"}')],
        78,
    ),
    "groq-counts": ("completed", None, [("reasoning", "Easy."), ("message", "4")], 24),
    "groq-rate-limit": ("failed", "rate_limit_exceeded", [("message", "4", "incomplete")], None),
    "legacy-function-call": ("completed", None, [(CALL, "call_*", "get", '{"k":1}')], None),
    "llamacpp-no-end-mark": ("completed", None, [("message", "Hei 👋")], None),
    "llamacpp-overflow": ("failed", "context_length_exceeded", [("message", "Well", "incomplete")], None),
    "llamacpp-tools": (
        "completed",
        None,
        [("reasoning", "We should call."), (CALL, "fGq1", "read_file", '{"path":"a.py"}')],
        333,
    ),
    "lmstudio-error": ("failed", "server_error", [("message", "Let", "incomplete")], None),
    "lmstudio-tools": (
        "completed",
        None,
        [("message", "Let me see."), (CALL, "365174485", "list_dir", '{"path":"."}')],
        None,
    ),
    "local-interleaved": (
        "completed",
        None,
        [
            (CALL, "call_1", "get", '{"k":1}'),
            (CALL, "call_2", "get", '{"k":2}'),
            ("message", "Asked both."),
        ],
        None,
    ),
    "local-no-finish": ("completed", None, [("message", "All said.")], None),
    "local-one-index": (
        "completed",
        None,
        [
            (CALL, "call_1", "get", '{"k":1}'),
            (CALL, "call_2", "get", '{"k":2}'),
            (CALL, "call_*", "put", '{"k":3}'),
        ],
        None,
    ),
    "mistral-thinking": ("completed", None, [("reasoning", "Let me count."), ("message", "Three letters.")], 40),
    "mistral-tools": (
        "completed",
        None,
        [
            (CALL, "D681PevKs", "get_weather", '{"city": "Paris"}'),
            (CALL, "a8FkQ2sDe", "get_weather", '{"city": "Lyon"}'),
        ],
        130,
    ),
    "ollama-text": ("completed", None, [("message", "The sky is blue.")], 36),
    "ollama-thinking-tools": (
        "completed",
        None,
        [
            ("reasoning", "I need both."),
            (CALL, "call_x8nk2", "get_time", '{"zone":"UTC"}'),
            (CALL, "call_p0vwq", "get_time", "{}"),
        ],
        201,
    ),
    "openai-refusal-logprobs": ("completed", None, [("message", "Hm.", "I cannot.")], 14),
    "openrouter-error-midway": ("failed", "server_error", [("message", "It is", "incomplete")], None),
    "openrouter-reasoning": ("completed", None, [("reasoning", "Look it up"), ("message", "It is so.")], 34),
    "think-tags": (
        "completed",
        None,
        [("reasoning", "\nIs 7 < 9? Yes."), ("message", "Yes: 7 < 9. <think> is a tag.")],
        None,
    ),
    "tool-search": (
        "completed",
        None,
        [
            ("message", "Looking."),
            ("tool_search_call", "call_s", '{"query":"price of fruit","limit":8}'),
            (CALL, "call_g", "get", '{"k":1}'),
        ],
        None,
    ),
    "vllm-error-midway": ("failed", "server_error", [("message", "Once", "incomplete")], None),
    "vllm-fresh-ids": ("completed", None, [(CALL, "chatcmpl-tool-11", "lookup", '{"key": "x"}')], None),
    "vllm-length": ("incomplete", "max_output_tokens", [("message", "Once upon", "incomplete")], 14),
    "vllm-reasoning-tools": (
        "completed",
        None,
        [
            ("reasoning", "Two cities."),
            (CALL, "chatcmpl-tool-a1", "get_weather", '{"city": "Oslo"}'),
            (CALL, "chatcmpl-tool-b2", "get_weather", '{"city": "Rome"}'),
        ],
        251,
    ),
}
"""What each stream amounts to: status, why not completed, items, all tokens; `call_*` is an id of our own."""


@EVERY
@pytest.mark.proves("CHAT-ANSWER-streams", "CASE-115", "CASE-116", "CASE-118", "CASE-120", "CASE-121", "CASE-123")
@pytest.mark.proves("CASE-119", "CASE-122", "CASE-125")
def test_every_recorded_stream_is_read_for_what_it_says(name: str) -> None:
    response = final(play(STREAMS[name], quirks_for(name)))
    status, reason, items, total = TOLD[name]
    why = response["error"] or response["incomplete_details"] or {}
    assert (response["status"], why.get("code", why.get("reason"))) == (status, reason)
    told = summary(response)
    for expected, item in zip(items, told, strict=True):
        made_up = expected[1] == "call_*" and item[1].startswith("call_")
        assert (item[0], expected[1] if made_up else item[1], *item[2:]) == expected
    assert (response["usage"] or {}).get("total_tokens") == total


@EVERY
@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "checked"])
@pytest.mark.proves("CHAT-ANSWER-clean")
def test_the_repair_has_nothing_to_do(name: str, trusted: bool) -> None:
    frames = play(STREAMS[name], quirks_for(name))
    assert [frame.raw for frame in repaired(frames, trusted=trusted)] == [frame.raw for frame in frames]
    if frames[-1].type != "response.failed":
        assert all(one is other for one, other in zip(repaired(frames, trusted=trusted), frames, strict=True))


@EVERY
@pytest.mark.proves("CHAT-ANSWER-chunking")
def test_byte_by_byte_gives_the_same_stream_as_whole(name: str) -> None:
    source, quirks = STREAMS[name], quirks_for(name)
    whole = play_chunks([source], quirks)
    assert play_chunks((source[at : at + 1] for at in range(len(source))), quirks) == whole
    assert play_chunks((source[at : at + 7] for at in range(0, len(source), 7)), quirks) == whole
    assert whole == b"".join(frame.raw for frame in play(source, quirks))


@EVERY
@pytest.mark.proves("CHAT-ANSWER-cut")
def test_a_cut_stream_never_looks_complete(name: str) -> None:
    """Unless the server had said how its answer ends: what is missing then are counts."""
    source = STREAMS[name]
    ends: dict[int, str] = {}
    for cut in cuts(source):
        frames = read(source[:cut])
        if len(frames) in ends:
            continue
        stream = play(frames, quirks_for(name))
        ends[len(frames)] = stream[-1].type
        settled = any(frame.payload == b"[DONE]" or _finish_reason(frame.data) for frame in frames)
        assert settled or stream[-1].type == "response.failed", f"cut at {cut}"
        sent = [frame.raw for frame in repaired(stream, trusted=True)]
        if final(stream)["usage"] is None or stream[-1].type != "response.failed":
            assert sent == [frame.raw for frame in stream], f"cut at {cut}"


def _finish_reason(chunk: Json) -> object:
    return any(choice.get("finish_reason") for choice in chunk.get("choices", ()))


@EVERY
@pytest.mark.proves("CHAT-ANSWER-early")
def test_what_was_sent_before_a_cut_is_what_the_whole_stream_sends(name: str) -> None:
    """Each read is answered at once, with what later reads cannot change."""
    frames = read(STREAMS[name])
    whole = [frame.raw for frame in play(frames, quirks_for(name))]
    machine, sent = inlet(quirks_for(name)), []
    for frame in frames:
        sent += [made.raw for made in machine.feed([frame])]
        assert sent == whole[: len(sent)]
    assert len(sent) > 2


def test_text_goes_out_with_the_chunk_that_brings_it() -> None:
    machine = inlet()
    read_text = [machine.feed([frame])[-1].data["delta"] for frame in read(STREAMS["ollama-text"])[:3]]
    assert read_text == ["The", " sky", " is blue."]


@EVERY
@pytest.mark.proves("CHAT-ANSWER-chat-clients")
def test_a_chat_client_gets_back_what_the_chat_server_said(name: str) -> None:
    """Into the inner language and out of it again, as for a client whose conversation is kept here."""
    frames = play(STREAMS[name], quirks_for(name))
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    sent = fold(DIALECT.decode(body, Choices()).stream_encoder(1).feed(repaired(frames, trusted=True)).decode())
    items = final(frames)["output"]
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    assert sent.content == "".join(part["text"] for part in parts if "text" in part)
    # A search that the client runs is for clients that declare one, and chat has no word for that.
    calls = [item.get("arguments", item.get("input")) for item in items if "name" in item]
    assert [call["function"]["arguments"] for call in sent.calls] == calls
    assert (sent.error is None) == (TOLD[name][0] != "failed")


# the SDK ----------------------------------------------------------------------------------------------------------


def client(name: str) -> AsyncOpenAI:
    frames = repaired(play(STREAMS[name], quirks_for(name)), trusted=True)
    body = ResponsesEncoder({}, created=1, model="m").feed(frames)

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    return AsyncOpenAI(api_key="k", base_url="http://gateway.test/v1", http_client=http)


@pytest.mark.parametrize("name", [name for name in STREAMS if TOLD[name][0] == "completed"])
@pytest.mark.proves("CHAT-ANSWER-sdk", "CASE-127")
async def test_the_stream_helper_of_the_sdk_builds_the_same_answer(name: str) -> None:
    async with client(name) as openai, openai.responses.stream(model="m", input="Hi") as stream:
        events = [event async for event in stream]
        answer = await stream.get_final_response()
    assert events[-1].type == "response.completed"
    told = final(play(STREAMS[name], quirks_for(name)))
    assert [item.to_dict()["id"] for item in answer.output] == [item["id"] for item in told["output"]]
    assert answer.output_text == "".join(
        part["text"]
        for item in told["output"]
        if item["type"] == "message"
        for part in item["content"]
        if "text" in part
    )
    Response.model_validate(told, strict=True)


@pytest.mark.parametrize("name", [name for name in STREAMS if TOLD[name][0] == "failed"])
@pytest.mark.proves("CHAT-ANSWER-sdk")
async def test_a_failure_inside_a_stream_raises_in_the_sdk(name: str) -> None:
    async with client(name) as openai:
        with pytest.raises(APIError):
            async for _ in await openai.responses.create(model="m", input="Hi", stream=True):
                pass
