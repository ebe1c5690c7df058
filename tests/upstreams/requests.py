"""Requests that use every field a dialect knows, and the ways to spoil them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
Path = tuple[str | int, ...]

_IMAGE: Json = {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}}
_FUNCTION: Json = {"name": "get", "description": "d", "parameters": {"type": "object"}, "strict": True}

CHAT: Json = {
    "model": "gpt-6-sol",
    "messages": [
        {"role": "system", "content": "Be brief.", "name": "n"},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hi", "prompt_cache_breakpoint": {"type": "ephemeral"}},
                _IMAGE,
                {"type": "file", "file": {"file_data": "JVBERi", "filename": "a.pdf"}},
                {"type": "input_image", "image_url": "https://x.test/b.png", "detail": "low"},
                {"type": "input_file", "file_url": "https://x.test/c.pdf", "filename": "c.pdf"},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "x"}, {"type": "refusal", "refusal": "no"}, {"type": "thinking"}],
            "refusal": "no",
            "audio": {"id": "audio_1"},
            "phase": "commentary",
            "annotations": [],
            "reasoning_content": "hm",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "get", "arguments": "{}"}},
                {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": "x"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "r"}, _IMAGE]},
        {"role": "tool", "tool_call_id": "call_2", "content": "done"},
        {"role": "assistant", "function_call": {"name": "get", "arguments": "{}"}},
        {"role": "function", "name": "get", "content": "1"},
    ],
    "tools": [
        {"type": "function", "function": _FUNCTION},
        {
            "type": "custom",
            "custom": {
                "name": "patch",
                "description": "d",
                "format": {"type": "grammar", "grammar": {"definition": "start: /x/", "syntax": "lark"}},
            },
        },
        {"type": "function", "name": "flat", "parameters": {}},
        {"type": "namespace", "name": "mcp", "tools": [{"type": "function", "name": "far"}]},
        {"type": "web_search", "search_context_size": "low"},
    ],
    "functions": [{"name": "old", "parameters": {}}],
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "auto",
            "tools": [{"type": "function", "function": {"name": "get"}}, {"type": "web_search"}],
        },
    },
    "function_call": {"name": "old"},
    "parallel_tool_calls": True,
    "web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "Paris"}}},
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True, "description": "d"},
    },
    "text": {"format": {"type": "text"}, "verbosity": "low"},
    "verbosity": "low",
    "stream": True,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "stop": [],
    "n": 1,
    "max_tokens": 5,
    "max_completion_tokens": 40,
    "temperature": 1,
    "top_p": 0.5,
    "store": False,
    "metadata": {"a": "b"},
    "user": "u",
    "safety_identifier": "s",
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"a": 1},
    "service_tier": "fast",
    "moderation": {"model": "m"},
    "include": ["reasoning.encrypted_content"],
    "logprobs": False,
    "top_logprobs": 0,
    "logit_bias": {},
    "modalities": ["text"],
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "reasoning_effort": "high",
    "reasoning": {"effort": "low", "summary": "auto", "exclude": False, "enabled": True, "max_tokens": 3},
    "reasoning_summary": "auto",
    "include_reasoning": True,
    "enable_thinking": True,
    "thinking": {"type": "enabled", "budget_tokens": 3},
    "instructions": "Be exact.",
    "background": False,
    "truncation": "disabled",
    "seed": 1,
    "audio": {"voice": "x"},
    "prediction": {"type": "content", "content": "x"},
    "top_k": 4,
}
"""A chat body that is sound on every upstream."""

RESPONSES: Json = {
    "model": "gpt-6-sol",
    "instructions": "Be brief.",
    "input": [
        {
            "type": "additional_tools",
            "role": "developer",
            "tools": [{"type": "namespace", "name": "functions", "tools": [{"type": "custom", "name": "exec"}]}],
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "developer",
            "status": "completed",
            "content": [{"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"type": "ephemeral"}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "input_image", "image_url": "https://x.test/a.png", "detail": "low", "file_id": None},
                {"type": "input_file", "file_url": "https://x.test/c.pdf"},
            ],
        },
        {"role": "user", "content": "hi"},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "x"}],
            "content": None,
            "encrypted_content": "gAAA",
        },
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "get",
            "namespace": "functions",
            "arguments": "{}",
            "status": "completed",
        },
        {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "r"}]},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "exec", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "r"},
        {"type": "item_reference", "id": "rs_2"},
        {"type": "tool_search_call", "call_id": None, "execution": "client", "arguments": {}},
        {"type": "tool_search_output", "tools": [{"type": "namespace", "name": "late", "tools": []}]},
        {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "q"}},
        {"type": "compaction", "encrypted_content": "gAAA"},
    ],
    "tools": [
        {"type": "function", "name": "get", "description": "d", "parameters": {}, "strict": None},
        {"type": "namespace", "name": "mcp", "description": "", "tools": [{"type": "function", "name": "far"}]},
        {"type": "web_search_preview", "search_context_size": "low"},
        {"type": "tool_search"},
        {"type": "custom", "name": "patch", "format": {"type": "text"}},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "get"}]},
    "parallel_tool_calls": True,
    "reasoning": {"effort": "high", "summary": "auto", "generate_summary": "auto", "context": "all_turns"},
    "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": {}}},
    "include": ["reasoning.encrypted_content"],
    "stream": True,
    "stream_options": {"reasoning_summary_delivery": "sequential_cutoff"},
    "store": False,
    "prompt_cache_key": "k",
    "client_metadata": {"a": "b", "session_id": "x"},
    "service_tier": "priority",
    "max_output_tokens": 16,
    "max_tool_calls": 1,
    "temperature": 1,
    "top_p": 1,
    "top_logprobs": 0,
    "truncation": "auto",
    "metadata": {"a": "b"},
    "user": "u",
    "safety_identifier": "s",
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"a": 1},
    "background": False,
    "conversation": None,
    "prompt": None,
    "previous_response_id": None,
    "moderation": {"model": "m"},
    "context_management": [{"type": "compaction"}],
    "vendor": {"a": 1},
}
"""A Responses body that is sound on every upstream."""

WRONG: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1 << 70, "", "x", "a/b c", "two\r\nlines", "function", "message"),
    *([], [1], [None], [[]], [{"type": []}], [{"type": "x", "name": {}}]),
    *({}, {"a": 1}, {"type": "x"}, {"type": None}, {"name": []}, {"effort": {}}),
)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where something stands in a document, the document itself left out."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from paths(child, (*path, key))


def with_value(value: Any, path: Path, new: Any) -> Any:
    """A copy of a document with another value at a place; only what lies on the way is copied."""
    if not path:
        return new
    copied: Any = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = with_value(value[path[0]], path[1:], new)
    return copied
