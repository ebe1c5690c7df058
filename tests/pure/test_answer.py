"""JSON answers of chat servers → Response objects."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import Response

from gateway.core.response import complete_response, request_echo
from gateway.dialects.chat.outbound.answer import read_response
from gateway.dialects.chat.outbound.quirks import Quirks
from tests.pure.inlet_streams import ECHO, fragment, summary, tools

Json = dict[str, Any]


def answer(message: Any, reason: Any = "stop", *, quirks: Quirks | None = None, **top: Any) -> Json:
    """The response for a completion with this message."""
    document = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1795000000,
        "model": "served",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        **top,
    }
    return read(document, quirks)


def read(document: Json, quirks: Quirks | None = None, **echo: Any) -> Json:
    response = read_response(
        document,
        tools=tools(),
        quirks=quirks or Quirks(),
        echo_body={**ECHO, **echo},
        seed="seed",
        created=1790000000,
    )
    assert response["status"] in ("completed", "incomplete", "failed")
    assert complete_response(response, request_echo({**ECHO, **echo})) in (response, {**response, "completed_at": None})
    return response


@pytest.mark.proves("CHAT-ANSWER-json", "CASE-127")
def test_thoughts_text_and_calls_are_items_in_this_order() -> None:
    call = {"id": "call_a", "type": "function", "function": {"name": "crm__find", "arguments": '{"q":"x"}'}}
    patch = {"id": "call_b", "type": "function", "function": {"name": "apply_patch", "arguments": '{"input":"***"}'}}
    response = answer(
        {"role": "assistant", "content": "Hi", "reasoning_content": "hm", "tool_calls": [call, patch]},
        "tool_calls",
        usage={"prompt_tokens": 9, "completion_tokens": 20, "total_tokens": 29},
        service_tier="default",
    )
    assert summary(response) == [
        ("reasoning", "hm"),
        ("message", "Hi"),
        ("function_call", "call_a", "crm", "find", '{"q":"x"}'),
        ("custom_tool_call", "call_b", "apply_patch", "***"),
    ]
    assert response["id"].startswith("resp_")
    assert (response["created_at"], response["model"], response["status"]) == (1795000000, "served", "completed")
    assert response["usage"]["total_tokens"] == 29
    assert response["usage"]["output_tokens_details"] == {"reasoning_tokens": 0}
    Response.model_validate(response, strict=True)


@pytest.mark.proves("CHAT-ANSWER-json")
def test_each_entry_is_a_call_whatever_its_index() -> None:
    calls = [fragment(0, "get", "{}", id="x"), fragment(0, "get", "{}", id="x"), fragment(None, "get", "{}")]
    told = summary(answer({"content": None, "tool_calls": [*calls, "x"]}, "tool_calls"))
    assert [item[2:] for item in told] == [("get", "{}")] * 3
    assert len({item[1] for item in told}) == 3


@pytest.mark.proves("CHAT-ANSWER-json", "CASE-120", "CASE-125")
def test_the_finish_reason_decides_the_status() -> None:
    assert answer({"content": "Hi"}, "length")["incomplete_details"] == {"reason": "max_output_tokens"}
    assert summary(answer({"content": "Hi"}, "length")) == [("message", "Hi", "incomplete")]
    assert answer({"content": ""}, "content_filter")["output"][0]["content"][0]["type"] == "refusal"
    assert answer({"content": "Hi"}, "error")["error"]["code"] == "server_error"


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ({"content": "Hi"}, "completed"),
        ({"content": None, "tool_calls": [fragment(0, "get", "{}", id="x")]}, "completed"),
        ({"content": ""}, "failed"),
        (None, "failed"),
        ("Hi", "failed"),
    ],
)
@pytest.mark.proves("CHAT-ANSWER-json")
def test_an_answer_without_a_finish_reason_needs_something_in_it(message: Any, status: str) -> None:
    assert answer(message, None)["status"] == status


@pytest.mark.proves("CHAT-ANSWER-json")
def test_an_answer_of_nothing_is_an_empty_message() -> None:
    assert summary(answer({"role": "assistant", "content": None})) == [("message", "")]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"error": {"message": "no", "code": 429}}, "rate_limit_exceeded"),
        ({"error": "no"}, "server_error"),
        ({"object": "error", "message": "no", "code": 400}, "invalid_request"),
        ({"error": {"message": "no", "code": "x"}, "choices": [{"message": {"content": "Hi"}}]}, "x"),
        ({"choices": []}, "server_error"),
        ({"choices": [None]}, "server_error"),
        ({"choices": None, "error": None}, "server_error"),
        ({}, "server_error"),
        ({"object": "list", "data": []}, "server_error"),
    ],
)
@pytest.mark.proves("CHAT-ANSWER-json", "CHAT-ANSWER-errors")
def test_a_document_that_is_no_answer_is_a_failure(document: Json, code: str) -> None:
    response = read(document)
    assert (response["status"], response["error"]["code"], response["output"]) == ("failed", code, [])


@pytest.mark.proves("CHAT-ANSWER-json")
def test_other_choices_are_not_looked_at() -> None:
    choices = [
        {"index": 2, "message": {"content": "Hi"}, "finish_reason": "stop"},
        {"index": 1, "message": {"content": "no"}, "finish_reason": "length"},
    ]
    assert summary(read({"choices": choices})) == [("message", "Hi")]


@pytest.mark.proves("CHAT-ANSWER-json", "CHAT-ANSWER-think-tags", "CHAT-ANSWER-logprobs")
def test_quirks_and_wishes_count_for_documents_too() -> None:
    tagged = answer({"content": "<think>hm</think>\n\nHi"}, quirks=Quirks(think_tags=True, reasoning_as="summary"))
    assert summary(tagged) == [("reasoning", "hm"), ("message", "Hi")]
    assert tagged["output"][0]["summary"] == [{"type": "summary_text", "text": "hm"}]
    tokens = {"content": [{"token": "Hi", "logprob": -1, "bytes": None, "top_logprobs": []}]}
    choice = {"message": {"content": "Hi"}, "finish_reason": "stop", "logprobs": tokens}
    asked = read({"choices": [choice]}, include=["message.output_text.logprobs"])
    token = {"token": "Hi", "bytes": [72, 105], "logprob": -1, "top_logprobs": []}
    assert asked["output"][0]["content"][0]["logprobs"] == [token]


def test_a_long_answer_is_no_failure() -> None:
    """It was bounded when it was read."""
    assert answer({"content": "x" * (9 << 20)})["status"] == "completed"


@pytest.mark.proves("CHAT-ANSWER-any")
def test_arguments_nested_beyond_writing_are_a_failure() -> None:
    deep: Json = {}
    for _ in range(100_000):
        deep = {"a": deep}
    response = answer({"content": "Hi", "tool_calls": [fragment(0, "get", deep, id="x")]}, "tool_calls")
    assert (response["status"], response["error"]["code"]) == ("failed", "upstream_error")
    assert summary(response) == [("message", "Hi", "incomplete")]
