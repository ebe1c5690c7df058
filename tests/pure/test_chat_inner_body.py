"""Responses bodies that programs post to the chat route (translation §1.0)."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects import Choices
from gateway.dialects.chat import DIALECT
from gateway.errors import InvalidRequest

INPUT = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}]
PLAIN = {"model": "m", "input": INPUT, "stream": False, "store": False}


@pytest.mark.proves("CASE-33", "CHAT-inner-body")
def test_a_responses_body_on_the_chat_route_is_an_inner_request() -> None:
    flat = {"type": "function", "name": "get", "parameters": {"type": "object"}, "extra": 1}
    document = {
        "model": "m",
        "input": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "x", "summary": []},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "phase": "commentary",
             "content": [{"type": "output_text", "text": "hm", "annotations": []}]},
            {"type": "function_call", "id": "chatcmpl-tool-1", "call_id": "c" * 70, "name": "get", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c" * 70, "output": "ok"},
            {"type": "item_reference", "id": "msg_9"},
        ],
        "instructions": "Obey.",
        "tools": [flat],
        "reasoning": {"effort": "low", "context": "all_turns"},
        "max_output_tokens": 50,
        "truncation": "auto",
        "stream": True,
        "stream_options": {"include_usage": True},
        "vendor": 1,
    }  # fmt: skip
    asked = DIALECT.decode(document, Choices())
    body = asked.request.body
    call_id = body["input"][4]["call_id"]
    assert len(call_id) <= 64
    assert body == {
        "model": "m",
        "input": [
            {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be brief."}]},
            *INPUT,
            {"type": "reasoning", "encrypted_content": "x", "summary": []},
            {
                "type": "message",
                "role": "assistant",
                "phase": "commentary",
                "content": [{"type": "output_text", "text": "hm"}],
            },
            {"type": "function_call", "call_id": call_id, "name": "get", "arguments": "{}"},
            {"type": "function_call_output", "call_id": call_id, "output": "ok"},
            {"type": "item_reference", "id": "msg_9"},
        ],
        "stream": True,
        "store": False,
        "max_output_tokens": 50,
        "truncation": "auto",
        "instructions": "Obey.",
        "reasoning": {"effort": "low", "context": "all_turns"},
        "tools": [{**flat, "strict": False}],
        "stream_options": {"include_obfuscation": False},
    }
    assert asked.wishes.include_usage


@pytest.mark.proves("CHAT-inner-body")
def test_a_text_as_input_becomes_a_list() -> None:
    assert DIALECT.decode({"model": "m", "input": "hi"}, Choices()).request.body == PLAIN


@pytest.mark.proves("CHAT-inner-body")
def test_a_chained_inner_body_may_answer_a_call_that_is_not_here() -> None:
    output = {"type": "function_call_output", "call_id": "call_1", "output": "ok"}
    document = {"model": "m", "previous_response_id": "resp_1", "input": [output]}
    assert DIALECT.decode(document, Choices()).request.body["input"] == [output]


@pytest.mark.proves("CHAT-inner-body")
@pytest.mark.parametrize(
    ("value", "param"),
    [
        ([], "input"),
        (5, "input"),
        ([5], "input[0]"),
        ([{"type": "function_call_output", "call_id": "x", "output": ""}], "input[0].call_id"),
        ([{"type": "function_call", "call_id": "x"}], "input[0].name"),
        ([{"type": "function_call", "name": "x"}], "input[0].call_id"),
        ([{"content": "x"}], "input[0].role"),
    ],
    ids=str,
)
def test_a_malformed_inner_input_is_refused_by_name(value: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.decode({"model": "m", "input": value}, Choices())
    assert caught.value.param == param


@pytest.mark.proves("CHAT-inner-body")
def test_a_type_of_null_is_no_type() -> None:
    document = {"model": "m", "input": [{"type": None, "role": "user", "content": "hi"}]}
    assert DIALECT.decode(document, Choices()).request.body == PLAIN
