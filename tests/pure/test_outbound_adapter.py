"""A request out and its answer back: names, fields and errors return in the client's words."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core import json
from gateway.core.frames import Frame
from gateway.dialects.chat.outbound import GENERIC, ChatOutbound, encode
from gateway.dialects.chat.outbound.params import inner_param
from tests.pure.outbound_requests import HELLO

Json = dict[str, Any]

BODY: Json = {
    "model": "m",
    "input": [HELLO],
    "metadata": {"a": "b"},
    "service_tier": "priority",
    "tools": [
        {"type": "custom", "name": "exec"},
        {"type": "namespace", "name": "mcp__files", "tools": [{"type": "function", "name": "read"}]},
    ],
}
CALLS: list[Json] = [
    {"id": "c1", "type": "function", "function": {"name": "exec", "arguments": '{"input":"ls"}'}},
    {"id": "c2", "type": "function", "function": {"name": "mcp__files__read", "arguments": "{}"}},
]


def outbound() -> ChatOutbound:
    return ChatOutbound(encode(BODY, GENERIC, stream=True), GENERIC, BODY)


def check(response: Json) -> None:
    shown = [(item["type"], item["name"], item.get("namespace"), item["call_id"]) for item in response["output"]]
    assert shown == [
        ("custom_tool_call", "exec", None, "c1"),
        ("function_call", "read", "mcp__files", "c2"),
    ]
    assert response["output"][0]["input"] == "ls"
    assert response["metadata"] == {"a": "b"}


def test_the_request_is_there_to_be_sent_and_reported() -> None:
    made = outbound()
    assert [tool["function"]["name"] for tool in made.body["tools"]] == ["exec", "mcp__files__read"]
    assert made.dropped == ("service_tier",)


@pytest.mark.proves("CASE-123", "CHAT-SERVER-namespaces")
def test_a_json_answer_has_the_client_s_names() -> None:
    message = {"role": "assistant", "content": None, "tool_calls": CALLS}
    document: Json = {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    check(outbound().response(document, seed="s", created=1))


@pytest.mark.proves("CASE-123", "CHAT-SERVER-namespaces")
def test_a_streamed_answer_has_the_client_s_names() -> None:
    calls = [{**call, "index": index} for index, call in enumerate(CALLS)]
    chunk: Json = {"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}
    inlet = outbound().inlet(seed="s", created=1, open_bytes=1000)
    frames = [*inlet.feed([Frame(b"", json.dumps(chunk), "")]), *inlet.finish()]
    assert frames[-1].type == "response.completed"
    check(frames[-1].data["response"])


@pytest.mark.proves("CHAT-SERVER-params")
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("messages[3].content", "input"),
        ("max_tokens", "max_output_tokens"),
        ("max_completion_tokens", "max_output_tokens"),
        ("response_format.json_schema.schema", "text.format"),
        ("verbosity", "text.verbosity"),
        ("reasoning_effort", "reasoning.effort"),
        ("chat_template_kwargs.enable_thinking", "reasoning.effort"),
        ("logprobs", "include"),
        ("top_logprobs", "top_logprobs"),
        ("tools[2].function.parameters", "tools"),
        ("tool_choice.function.name", "tool_choice"),
        ("temperature", "temperature"),
        ("metadata.a", "metadata.a"),
        ("stream_options.include_usage", None),
        ("[0]", None),
        ("", None),
        (None, None),
    ],
)
def test_a_field_that_the_server_refuses_is_named_in_the_inner_language(theirs: str | None, ours: str | None) -> None:
    assert outbound().inner_param(theirs) == inner_param(theirs) == ours
