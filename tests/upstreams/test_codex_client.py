"""Whole requests of the Codex client: its namespaces, custom tools, searches and replayed items reach the backend."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from gateway.core import json
from gateway.dialects import Choices
from gateway.dialects.responses import DIALECT
from gateway.upstreams import Hints, Model, Shaped
from gateway.upstreams.profile import CODEX, Rules, shape

Json = dict[str, Any]

MODELS = [
    Model("gpt-5.5", efforts=("low", "medium", "high", "xhigh"), tiers=("priority",)),
    Model("gpt-6-astra", efforts=("low", "medium", "high", "xhigh", "max", "ultra")),
]
RULES = Rules(CODEX, "strict", "You are a helpful assistant.", {})
"""Strict: the least thing left out would be a refusal."""

EXEC_COMMAND: Json = {
    "type": "function",
    "name": "exec_command",
    "description": "Runs a command in a terminal.",
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {"cmd": {"type": "string"}, "timeout_ms": {"type": "number"}},
        "required": ["cmd"],
        "additionalProperties": False,
    },
    "defer_loading": True,
}
FILES: Json = {
    "type": "namespace",
    "name": "mcp__files",
    "description": "Files of the project",
    "tools": [{**EXEC_COMMAND, "name": "read_file"}],
}
EXEC: Json = {
    "type": "custom",
    "name": "exec",
    "description": "Runs JavaScript.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /(.|\\n)+/"},
}
LATE: Json = {"type": "namespace", "name": "mcp__late", "description": "", "tools": [EXEC_COMMAND]}

HISTORY: list[Json] = [
    {
        "type": "message",
        "role": "developer",
        "content": [
            {"type": "input_text", "text": "You are a coding agent."},
            {"type": "input_text", "text": "Sandbox."},
        ],
    },
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "What is in this picture?"},
            {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "high"},
        ],
    },
    {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "gAAAAABm"},
    {"type": "function_call", "call_id": "call_1", "name": "read_file", "namespace": "mcp__files", "arguments": "{}"},
    {
        "type": "function_call_output",
        "call_id": "call_1",
        "output": [
            {"type": "input_text", "text": "ok"},
            {"type": "input_image", "image_url": "data:image/png;base64,i"},
        ],
    },
    {"type": "custom_tool_call", "call_id": "call_2", "name": "exec", "input": "await tools.exec_command('ls')"},
    {"type": "custom_tool_call_output", "call_id": "call_2", "name": "exec", "output": "README.md\n"},
    {
        "type": "tool_search_call",
        "call_id": "call_3",
        "execution": "client",
        "arguments": {"query": "late", "limit": 8},
    },
    {"type": "tool_search_output", "call_id": "call_3", "execution": "client", "tools": [LATE]},
    {"type": "function_call", "call_id": "call_4", "name": "exec_command", "namespace": "mcp__late", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_4", "output": "done"},
    {"type": "web_search_call", "action": {"type": "search", "query": "q", "queries": ["q"]}},
    {"type": "image_generation_call", "result": "iVBOR", "revised_prompt": "a cat"},
    {
        "type": "message",
        "role": "assistant",
        "phase": "commentary",
        "content": [{"type": "output_text", "text": "I looked."}],
    },
    {"type": "compaction", "encrypted_content": "gAAAAABn"},
    {"type": "agent_message", "author": "a", "recipient": "b", "content": [{"type": "input_text", "text": "go on"}]},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go on."}]},
]

BODY: Json = {
    "model": "gpt-5.5",
    "input": HISTORY,
    "tools": [
        EXEC_COMMAND,
        FILES,
        {
            "type": "custom",
            "name": "apply_patch",
            "description": "Edits files.",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: begin_patch"},
        },
        {"type": "tool_search", "execution": "client", "description": "Finds tools", "parameters": {"type": "object"}},
        {"type": "web_search", "external_web_access": True},
        {"type": "image_generation", "output_format": "png"},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "xhigh", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "service_tier": "priority",
    "prompt_cache_key": "019a0000-0000-7000-8000-000000000000",
    "text": {"verbosity": "low"},
    "stream_options": {"reasoning_summary_delivery": "sequential_cutoff"},
    "client_metadata": {
        "x-codex-installation-id": "i",
        "session_id": "s",
        "thread_id": "t",
        "turn_id": "1",
        "more": "x",
    },
}

LITE: Json = {
    **{name: value for name, value in BODY.items() if name not in ("tools", "service_tier")},
    "model": "gpt-6-astra",
    "input": [
        {
            "type": "additional_tools",
            "role": "developer",
            "tools": [
                {"type": "namespace", "name": "functions", "description": "", "tools": [EXEC, EXEC_COMMAND]},
                FILES,
            ],
        },
        *HISTORY,
        {"type": "custom_tool_call", "call_id": "call_5", "name": "exec", "namespace": "functions", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "call_5", "output": "y"},
    ],
    "parallel_tool_calls": False,
    "reasoning": {"effort": "max", "summary": "auto", "context": "all_turns"},
}

bodies = pytest.mark.parametrize("body", [BODY, LITE], ids=["tools at the top", "tools in the input"])


def shaped(body: Json) -> Shaped:
    document = copy.deepcopy(body)
    exchange = DIALECT.decode(document, Choices("strict"))
    made = shape(exchange.request, Hints(session_id="from-a-header"), RULES, MODELS)
    assert document == body
    return made


@bodies
@pytest.mark.proves("UPSTREAM-codex-client")
def test_a_request_of_the_codex_client_reaches_the_backend_as_it_is(body: Json) -> None:
    made = shaped(body)
    assert made.body == {**body, "instructions": ""}
    assert (made.session_id, made.dropped) == (body["prompt_cache_key"], ())


@pytest.mark.proves("UPSTREAM-codex-lite")
def test_the_reduced_form_is_announced_and_no_other() -> None:
    assert shaped(LITE).lite
    for other in (BODY, {**LITE, "tools": BODY["tools"]}, {**LITE, "input": LITE["input"][1:]}):
        assert not shaped(other).lite


@bodies
@pytest.mark.proves("UPSTREAM-codex-client")
def test_its_order_is_kept_to_the_byte_so_that_the_prompt_is_found_in_the_cache(body: Json) -> None:
    made = shaped(body).body
    for name in ("input", "tools", "text", "reasoning"):
        assert json.dumps(made.get(name)) == json.dumps(body.get(name))


@pytest.mark.proves("UPSTREAM-codex-client")
def test_of_replayed_items_only_ids_and_states_are_left_out() -> None:
    marked = [{**item, "id": f"x_{place}", "status": "completed"} for place, item in enumerate(HISTORY)]
    assert shaped({**BODY, "input": marked}).body["input"] == HISTORY


@pytest.mark.proves("UPSTREAM-codex-client")
def test_a_namespace_that_nobody_declares_any_more_is_taken_from_its_call() -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "read_file", "arguments": "{}"}
    items = [
        {**call, "namespace": "mcp__gone"},
        {**call, "namespace": ["mcp__files"]},
        {**call, "namespace": "mcp__files"},
    ]
    assert shaped({**BODY, "input": items}).body["input"] == [call, call, items[2]]
