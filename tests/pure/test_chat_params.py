"""Inner field names → the client's names (translation §8.4)."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects import Choices
from gateway.dialects.chat import DIALECT
from tests.pure.chat_frames import exchange

Json = dict[str, Any]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x"}}
HISTORY: list[Json] = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "a"}]},
    {
        "role": "assistant",
        "content": [{"type": "thinking"}, {"type": "text", "text": "b"}],
        "refusal": "no",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "get", "arguments": "{}"}},
            {"id": "c2", "type": "custom", "custom": {"name": "run", "input": "x"}},
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "ok"},
    {"role": "assistant", "function_call": {"name": "old", "arguments": "{}"}},
    {"role": "function", "name": "old", "content": "ok"},
]
TOOLS: list[Json] = [
    {"type": "function", "function": {"name": "get"}},
    {"type": "custom", "custom": {"name": "run"}},
    {"type": "function", "name": "flat"},
]


@pytest.mark.proves("CASE-149")
@pytest.mark.parametrize(
    ("sent", "inner", "client"),
    [
        ({}, None, None),
        ({}, "", None),
        ({}, "model", "model"),
        ({"max_tokens": 5}, "max_output_tokens", "max_tokens"),
        ({"max_completion_tokens": 5, "max_tokens": 6}, "max_output_tokens", "max_completion_tokens"),
        ({}, "max_output_tokens", None),
        ({"temperature": 1}, "temperature", "temperature"),
        ({}, "temperature", None),
        ({}, "store", None),
        ({"metadata": {"a": "b"}}, "metadata.a", "metadata.a"),
        ({"response_format": SCHEMA}, "text.format", "response_format"),
        ({"response_format": SCHEMA}, "text.format.type", "response_format.type"),
        ({"response_format": SCHEMA}, "text.format.schema", "response_format.json_schema.schema"),
        ({"response_format": SCHEMA}, "text", "response_format"),
        ({"verbosity": "low"}, "text.verbosity", "verbosity"),
        ({"verbosity": "low"}, "text", "verbosity"),
        ({"text": {"verbosity": "low"}}, "text.verbosity", "text.verbosity"),
        ({"text": {"x": 1}}, "text.x", "text.x"),
        ({}, "text.format", None),
        ({"reasoning_effort": "low"}, "reasoning.effort", "reasoning_effort"),
        ({"reasoning": {"effort": "low"}}, "reasoning.effort", "reasoning.effort"),
        ({"enable_thinking": True}, "reasoning.effort", "enable_thinking"),
        ({"reasoning_summary": "auto"}, "reasoning.summary", "reasoning_summary"),
        ({"reasoning_effort": "low"}, "reasoning", "reasoning_effort"),
        ({}, "reasoning.effort", None),
        ({"logprobs": True}, "include[0]", "logprobs"),
        ({"include": ["x"]}, "include", "include"),
        ({"stream": True}, "stream_options.include_obfuscation", None),
        ({"tools": TOOLS}, "tools", "tools"),
        ({"tools": TOOLS}, "tools[0]", "tools[0]"),
        ({"tools": TOOLS}, "tools[0].name", "tools[0].function.name"),
        ({"tools": TOOLS}, "tools[0].type", "tools[0].type"),
        ({"tools": TOOLS}, "tools[0].function.name", "tools[0].function.name"),
        ({"tools": TOOLS}, "tools[1].format", "tools[1].custom.format"),
        ({"tools": TOOLS}, "tools[2].parameters.type", "tools[2].parameters.type"),
        ({"tools": TOOLS}, "tools[9].name", "tools"),
        ({"functions": [{"name": "a"}]}, "tools[0].name", "functions[0].name"),
        ({"functions": [{"name": "a"}]}, "parallel_tool_calls", "functions"),
        ({"web_search_options": {}}, "tools[0].search_context_size", "web_search_options.search_context_size"),
        ({"web_search_options": {}}, "tools", "web_search_options"),
        ({}, "tools[0].name", None),
        ({"tools": TOOLS, "tool_choice": "auto"}, "tool_choice.name", "tool_choice.name"),
        ({"functions": [{"name": "a"}], "function_call": "auto"}, "tool_choice", "function_call"),
        ({"messages": HISTORY}, "input", "messages"),
        ({"messages": HISTORY}, "messages[0].content", "messages[0].content"),
        ({"messages": HISTORY}, "input[0]", "messages[0]"),
        ({"messages": HISTORY}, "input[0].content[0].text", "messages[0].content"),
        ({"messages": HISTORY}, "input[1].content[0]", "messages[1].content[1]"),
        ({"messages": HISTORY}, "input[1].content[7]", "messages[1].content"),
        ({"messages": HISTORY}, "input[2].content[0]", "messages[2].content[1]"),
        ({"messages": HISTORY}, "input[2].role", "messages[2].role"),
        ({"messages": HISTORY}, "input[3].call_id", "messages[2].tool_calls[0].id"),
        ({"messages": HISTORY}, "input[3].arguments", "messages[2].tool_calls[0].function.arguments"),
        ({"messages": HISTORY}, "input[4].input", "messages[2].tool_calls[1].custom.input"),
        ({"messages": HISTORY}, "input[5].output", "messages[3].content"),
        ({"messages": HISTORY}, "input[5].call_id", "messages[3].tool_call_id"),
        ({"messages": HISTORY}, "input[6].name", "messages[4].function_call.name"),
        ({"messages": HISTORY}, "input[6].id", "messages[4].function_call"),
        ({"messages": HISTORY}, "input[7].output", "messages[5].content"),
        ({"messages": HISTORY}, "input[99].output", "messages"),
        ({"messages": HISTORY, "instructions": "x"}, "input[0].content", "instructions"),
    ],
    ids=str,
)  # fmt: skip
def test_an_inner_field_has_the_client_s_name(sent: Json, inner: str | None, client: str | None) -> None:
    assert exchange(**sent).client_param(inner) == client


@pytest.mark.proves("CASE-149")
def test_a_refusal_in_the_history_counts_after_its_parts() -> None:
    assert exchange(messages=HISTORY).client_param("input[2].content[1]") == "messages[2].refusal"
    lone = [HISTORY[0], {"role": "assistant", "content": "a", "refusal": "no"}]
    assert exchange(messages=lone).client_param("input[1].content[1]") == "messages[1].refusal"
    assert exchange(messages=lone).client_param("input[1].content[0]") == "messages[1].content"


def test_an_inner_body_keeps_its_own_names() -> None:
    asked = DIALECT.decode({"model": "m", "input": [{"role": "user", "content": "x"}]}, Choices())
    assert asked.client_param("input[0].content") == "input[0].content"
    assert asked.client_param("input") == "input"
