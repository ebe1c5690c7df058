"""The judge of the live tests sees what is wrong; without that, its silence would mean nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.sdk_types import (
    check_chat,
    check_chat_stream,
    check_error,
    check_failed_chat_stream,
    check_failed_response_stream,
    check_models,
    check_response,
    check_response_stream,
)

Json = dict[str, Any]

USAGE = {
    "input_tokens": 1,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 2,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 3,
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}


def chat() -> Json:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hi", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }


def chunk(delta: Json | None, finish: str | None = None, **more: Any) -> Json:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    fixed = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**fixed, "choices": choices, **more}


def chunks() -> list[Any]:
    call = {"index": 0, **CALL, "function": {"name": "look", "arguments": ""}}
    return [
        chunk({"role": "assistant", "content": "", "refusal": None}),
        chunk({"content": "hi"}),
        chunk({"tool_calls": [call]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":1}'}}]}),
        chunk({}, "tool_calls"),
        chunk(None, usage=chat()["usage"]),
        "[DONE]",
    ]


def chat_sse(events: list[Any]) -> bytes:
    return b"".join(f"data: {e if isinstance(e, str) else json.dumps(e)}\n\n".encode() for e in events)


def response(status: str = "completed", output: list[Json] | None = None) -> Json:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": "m",
        "output": output or [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "store": False,
        "usage": USAGE if status == "completed" else None,
        "error": {"code": "server_error", "message": "broken"} if status == "failed" else None,
    }


TEXT = {"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [TEXT]}


def events() -> list[Json]:
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    return [
        {"type": "response.created", "response": response("in_progress")},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**MESSAGE, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **at, "part": {**TEXT, "text": ""}},
        {"type": "response.output_text.delta", **at, "delta": "hi", "logprobs": []},
        {"type": "response.output_text.done", **at, "text": "hi", "logprobs": []},
        {"type": "response.content_part.done", **at, "part": TEXT},
        {"type": "response.output_item.done", "output_index": 0, "item": MESSAGE},
        {"type": "response.completed", "response": response(output=[MESSAGE])},
    ]


def response_sse(frames: list[Json]) -> bytes:
    numbered = [{"sequence_number": number, **frame} for number, frame in enumerate(frames)]
    return b"".join(f"event: {f['type']}\ndata: {json.dumps(f)}\n\n".encode() for f in numbered)


def test_sound_answers_pass() -> None:
    assert check_chat(chat()).choices[0].message.content == "hi"
    assert len(check_chat_stream(chat_sse(chunks()), expect_usage=True)) == 6
    assert check_response(response()).id == "resp_1"
    assert check_response_stream(response_sse(events())).output_text == "hi"
    assert check_error({"error": {"message": "m", "type": "t", "param": None, "code": None}}).message == "m"
    page = {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "o"}]}
    assert [model.id for model in check_models(page)] == ["m"]


def test_streams_that_fail_are_told_from_those_that_end() -> None:
    error = {"error": {"message": "m", "type": "t", "param": None, "code": "c"}}
    assert check_failed_chat_stream(chat_sse([*chunks()[:2], error, "[DONE]"])).code == "c"
    failed = [*events()[:4], {"type": "response.failed", "response": response("failed")}]
    assert check_failed_response_stream(response_sse(failed)) == "server_error"
    for check, stream in (
        (check_failed_chat_stream, chat_sse(chunks())),
        (check_failed_response_stream, response_sse(events())),
        (check_response_stream, response_sse(failed)),
        (check_response_stream, response_sse(events()[:-1])),
        (check_failed_chat_stream, chat_sse([*chunks()[:5], error, "[DONE]"])),
    ):
        with pytest.raises(AssertionError):
            check(stream)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda b: b.pop("model"), "model"),
        (lambda b: b.update(created=1.5), "created"),
        (lambda b: b.update(vendor=1), "vendor"),
        (lambda b: b["choices"][0].update(finish_reason=None), "finish_reason"),
        (lambda b: b["choices"][0].update(finish_reason="tool_calls"), "without a call"),
        (lambda b: b["choices"][0]["message"].update(tool_calls=[CALL]), "stop with a call"),
        (lambda b: b["choices"][0]["message"].update(tool_calls=[]), "empty instead of absent"),
        (lambda b: b["usage"].update(total_tokens=9), "is not 1"),
    ],
)
def test_a_wrong_chat_body_is_told(spoil: Callable[[Json], Any], told: str) -> None:
    body = chat()
    spoil(body)
    with pytest.raises(AssertionError, match=told):
        check_chat(body)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda c: c.pop(), r"no \[DONE\]"),
        (lambda c: c.pop(4), "no finish_reason"),
        (lambda c: c.pop(5), "usage in chunks"),
        (lambda c: c.insert(5, c[4]), "after finish_reason"),
        (lambda c: c.insert(1, c[0]), "first delta only"),
        (lambda c: c.pop(0), "first delta only"),
        (lambda c: c.insert(3, c[2]), "repeated"),
        (lambda c: c.pop(3), "not JSON"),
        (lambda c: c.pop(2), "lacks id"),
        (lambda c: c[1].update(id="other"), "changes"),
        (lambda c: c[4]["choices"][0].update(finish_reason="stop"), "stop with a call"),
        (lambda c: c.insert(1, {"error": {"message": "m", "type": "t", "param": None, "code": None}}), "error"),
    ],
)
def test_a_wrong_chunk_stream_is_told(spoil: Callable[[list[Any]], Any], told: str) -> None:
    stream = chunks()
    spoil(stream)
    with pytest.raises(AssertionError, match=told):
        check_chat_stream(chat_sse(stream), expect_usage=True)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda e: e.pop(0), "first event"),
        (lambda e: e.pop(1), "not open"),
        (lambda e: e.pop(2), "part .* is not open"),
        (lambda e: e.pop(3), "differs from the deltas"),
        (lambda e: e.pop(5), "still open"),
        (lambda e: e.pop(6), "output is not the list"),
        (lambda e: e.append(e[3]), "after the terminal"),
        (lambda e: e[3].update(item_id="msg_2"), "item id"),
        (lambda e: e[3].update(sequence_number=9), "sequence_number 9"),
        (lambda e: e[7]["response"].update(output=[]), "output is not the list"),
        (lambda e: e[7]["response"].update(usage=None), "no usage"),
        (lambda e: e[7]["response"].update(id="resp_2"), "id changes"),
        (lambda e: e[7]["response"].update(status="incomplete"), "status"),
        (lambda e: e[1].update(output_index=1), "output_index 1"),
        (lambda e: e[6].update(item={**MESSAGE, "status": "in_progress"}), "still in_progress"),
        (lambda e: e.insert(1, {"type": "codex.rate_limits"}), "does not know"),
    ],
)
def test_a_wrong_responses_stream_is_told(spoil: Callable[[list[Json]], Any], told: str) -> None:
    frames = events()
    spoil(frames)
    with pytest.raises(AssertionError, match=told):
        check_response_stream(response_sse(frames))


@pytest.mark.parametrize(
    ("stream", "told"),
    [
        (b"data: {}\n", "blank line"),
        (b"data:\n\ndata: [DONE]\n\n", "empty data"),
        (b"datum: 1\n\ndata: [DONE]\n\n", "unknown kind"),
        (b"event: x\ndata: [DONE]\n\n", "event: line"),
    ],
)
def test_a_malformed_transcript_is_told(stream: bytes, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        check_chat_stream(stream, expect_usage=False)
