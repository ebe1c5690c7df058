"""Kept responses and items, in the words of chat."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core import usage
from gateway.dialects import Choices
from gateway.dialects.chat import DIALECT
from gateway.dialects.chat.stored import shown_id, stored_completion, stored_messages
from tests.sdk_types import check_chat

Json = dict[str, Any]

ID = "chatcmpl-1"
TOOL_NAME = "a name that servers refuse"
REQUEST: Json = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "tools": [{"type": "function", "function": {"name": TOOL_NAME, "parameters": {}}}],
}


def response(*output: Json, **fields: Any) -> Json:
    counted = usage.complete({"input_tokens": 1, "output_tokens": 2})
    return {
        "id": "resp_9",
        "status": "completed",
        "created_at": 5,
        "model": "m",
        "usage": counted,
        "output": list(output),
    } | fields


def said(text: str) -> Json:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def stored(request: Json, made: Json, **changes: Any) -> Json:
    return stored_completion(ID, request, made, {"k": "v"}, Choices(**changes))


@pytest.mark.proves("STATE-completions")
def test_a_completion_is_told_as_the_client_wished_it() -> None:
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "thought"}]}
    document = stored({**REQUEST, "stop": "STOP"}, response(thought, said("one STOP two")))
    found = check_chat(document)
    assert (found.id, found.metadata, found.choices[0].message.content) == (shown_id("1"), {"k": "v"}, "one ")
    assert document["choices"][0]["message"]["reasoning_content"] == "thought"
    hidden = stored(REQUEST, response(thought, said("x")), reasoning="hide")
    assert "reasoning_content" not in hidden["choices"][0]["message"]


@pytest.mark.proves("STATE-completions")
def test_tools_have_the_names_that_the_client_gave_them() -> None:
    exchange = DIALECT.decode(REQUEST, Choices())
    (tool,) = exchange.request.body["tools"]
    assert tool["name"] != TOOL_NAME
    call = {"type": "function_call", "call_id": "c", "name": tool["name"], "arguments": "{}"}
    found = check_chat(stored(REQUEST, response(call)))
    assert found.choices[0].finish_reason == "tool_calls"
    (asked,) = stored_messages(ID, REQUEST, [call], Choices())
    assert asked["tool_calls"][0]["function"]["name"] == TOOL_NAME


@pytest.mark.proves("STATE-completions")
@pytest.mark.parametrize(
    "request_",
    [{}, {"model": 5}, {"model": "m", "temperature": "warm"}, {"model": "m", "n": 3}, {"model": "m", "input": "hi"}],
)
def test_a_request_that_another_server_judged_does_no_harm(request_: Json) -> None:
    found = check_chat(stored(request_, response(said("hello"))))
    assert (found.model, found.choices[0].message.content) == ("m", "hello")


@pytest.mark.proves("STATE-completions")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
    ],
)
def test_the_end_is_told_in_the_words_of_chat(fields: Json, reason: str) -> None:
    assert check_chat(stored(REQUEST, response(said("a"), **fields))).choices[0].finish_reason == reason


@pytest.mark.proves("STATE-messages")
def test_calls_belong_to_the_message_before_them() -> None:
    items = [
        {"role": "user", "content": "hi"},
        said("let me look"),
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "b", "name": "g", "input": "x"},
        {"type": "reasoning", "summary": []},
        {"type": "function_call_output", "call_id": "a", "output": [{"type": "input_text", "text": "1"}]},
        {"type": "custom_tool_call_output", "call_id": "b", "output": "2"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""},
    ]
    messages = stored_messages(ID, REQUEST, items, Choices())
    assert [message["id"] for message in messages] == [f"{ID}-{number}" for number in range(5)]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "assistant"]
    assert messages[1]["content"] == "let me look"
    assert messages[1]["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "b", "type": "custom", "custom": {"name": "g", "input": "x"}},
    ]
    assert [(message["tool_call_id"], message["content"]) for message in messages[2:4]] == [("a", "1"), ("b", "2")]
    assert messages[4]["content"] is None
    assert all(message["refusal"] is message["content_parts"] is None for message in messages)


@pytest.mark.proves("STATE-messages")
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text", {"content": "text"}),
        ([{"type": "input_text", "text": "text"}], {"content": "text"}),
        ([], {"content": ""}),
        (None, {"content": ""}),
        ([{"type": "output_text", "text": None}], {"content": ""}),
        ([{"type": "refusal", "refusal": "no"}], {"content": None, "refusal": "no"}),
        (
            [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": None}],
            {"content": "a"},
        ),
        (
            [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}],
            {"content": "ab", "content_parts": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        ),
        (
            [{"type": "input_image", "image_url": "u", "detail": "low"}],
            {
                "content": None,
                "content_parts": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}],
            },
        ),
        (
            [{"type": "input_image", "file_id": "file-1"}],
            {"content": None, "content_parts": [{"type": "input_image", "file_id": "file-1"}]},
        ),
        (
            [{"type": "input_file", "file_data": "d", "filename": "f", "detail": "auto"}],
            {"content": None, "content_parts": [{"type": "file", "file": {"file_data": "d", "filename": "f"}}]},
        ),
        (
            [{"type": "input_audio", "input_audio": {"data": "d", "format": "wav"}}],
            {
                "content": None,
                "content_parts": [{"type": "input_audio", "input_audio": {"data": "d", "format": "wav"}}],
            },
        ),
    ],
)
def test_content_is_text_and_parts_where_text_does_not_say_it(content: Any, expected: Json) -> None:
    (found,) = stored_messages(ID, REQUEST, [{"type": "message", "role": "user", "content": content}], Choices())
    assert found == {"id": f"{ID}-0", "role": "user", "refusal": None, "content_parts": None, **expected}
