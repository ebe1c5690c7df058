"""Sound bodies of every POST route that takes one, each with as many documented fields as can stand together.

Every one of them is answered with 200 in the modes it names; the cases of `mutations` are these with one thing wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.live.stack import MODEL

Json = dict[str, Any]

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
COMPLETIONS = "/v1/completions"
COMPACT = "/v1/responses/compact"
TOKENS = "/v1/responses/input_tokens"
CONVERSATIONS = "/v1/conversations"
CONVERSATION = "/v1/conversations/{conversation_id}"
CONVERSATION_ITEMS = "/v1/conversations/{conversation_id}/items"
COMPLETION = "/v1/chat/completions/{completion_id}"

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
PDF = "data:application/pdf;base64,JVBERi0xLjQK"

SCHEMA: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
NESTED_TOOLS: list[Json] = [
    {
        "type": "function",
        "function": {"name": "get_weather", "description": "The weather.", "parameters": SCHEMA, "strict": True},
    },
    {
        "type": "custom",
        "custom": {
            "name": "run_code",
            "description": "Runs code.",
            "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /.+/"}},
        },
    },
    {"type": "web_search", "search_context_size": "low"},
]
FLAT_TOOLS: list[Json] = [
    {"type": "function", "name": "get_weather", "description": "The weather.", "parameters": SCHEMA, "strict": True},
    {
        "type": "custom",
        "name": "run_code",
        "description": "Runs code.",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
    },
    {
        "type": "namespace",
        "name": "files",
        "description": "Files.",
        "tools": [{"type": "function", "name": "read_file", "parameters": SCHEMA, "strict": False}],
    },
    {"type": "web_search", "search_context_size": "low"},
]


@dataclass(frozen=True, eq=False)
class Base:
    """A sound body. `modes`: where it is one, () for everywhere. `follows`: where else the fault of a field shows.

    A field that is only wrong together with another one may be told by that other one's name: a call whose id was
    changed makes its result an orphan. `follows` lists such pairs: how the place of the mutation begins (a regular
    expression) → the fields that may be named instead.
    """

    name: str
    route: str
    body: Json
    modes: tuple[str, ...] = ()
    follows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


OPENAI_MODES = ("openai_api", "openai_api-responses")
INNER_MODES = ("codex_oauth", *OPENAI_MODES)
CHAT_MODES = ("openai_api-chat",)
KEPT_MODES = ("codex_oauth", "openai_api-chat")
"""Where the gateway keeps conversations and completions, and judges what is written into them."""

_AGENT: Json = {
    "model": MODEL,
    "messages": [
        {"role": "system", "content": "You are terse.", "name": "rules"},
        {"role": "developer", "content": [{"type": "text", "text": "Answer in English."}]},
        {
            "role": "user",
            "name": "anna",
            "content": [
                {"type": "text", "text": "What is this?", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                {"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "Let me look."}, {"type": "refusal", "refusal": "Not that."}],
            "refusal": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}},
                {"id": "call_2", "type": "custom", "custom": {"name": "run_code", "input": "1 + 1"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "2"}]},
        {"role": "assistant", "content": "It is sunny.", "reasoning_content": "Hm."},
        {"role": "user", "content": "Thank you."},
    ],
    "tools": NESTED_TOOLS,
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning_effort": "low",
    "verbosity": "low",
    "metadata": {"team": "blue"},
    "user": "anna",
    "safety_identifier": "anna",
    "service_tier": "auto",
    "store": False,
    "temperature": 0.5,
    "top_p": 0.9,
    "max_completion_tokens": 500,
    "seed": 7,
    "prompt_cache_key": "talk-1",
    "stream": False,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
}
_CALLS = {
    # A call and its result belong together by id, and both to a tool by name.
    r"messages$|messages\[3\]": ("messages[4].tool_call_id", "messages[5].tool_call_id"),
    r"tools": ("tool_choice",),
}

_FORCED: Json = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "The weather in Oslo?"}],
    "tools": NESTED_TOOLS[:1],
    "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
    "n": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0.1,
    "logit_bias": {},
    "modalities": ["text"],
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Oslo", "country": "NO"}},
    },
    "max_tokens": 300,
    "prediction": {"type": "content", "content": "sunny"},
    "stream": False,
}
_ALLOWED: Json = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Think about Oslo."}],
    "tools": NESTED_TOOLS,
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [{"type": "custom", "custom": {"name": "run_code"}}]},
    },
    "reasoning": {"effort": "low", "summary": "auto", "exclude": False, "enabled": True, "max_tokens": 100},
    "reasoning_summary": "auto",
    "include_reasoning": True,
    "enable_thinking": True,
    "thinking": {"type": "enabled", "budget_tokens": 100},
    "top_k": 5,
    "stop": ["##", "@@"],
    "stream": False,
}
_FORMATTED: Json = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Oslo as JSON."}],
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "place", "description": "A place.", "schema": SCHEMA, "strict": True},
    },
    "stop": None,
    "stream": False,
}
_LEGACY: Json = {
    "model": MODEL,
    "messages": [
        {"role": "user", "content": "The weather?"},
        {"role": "assistant", "content": None, "function_call": {"name": "get_weather", "arguments": "{}"}},
        {"role": "function", "name": "get_weather", "content": "sunny"},
    ],
    "functions": [{"name": "get_weather", "description": "The weather.", "parameters": SCHEMA}],
    "function_call": {"name": "get_weather"},
    "stream": False,
}
_OPENAI_ONLY: Json = {
    "model": MODEL,
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "file", "file": {"file_id": "file-1"}},
            ],
        }
    ],
    "logprobs": True,
    "top_logprobs": 2,
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"mode": "explicit"},
    "moderation": {"model": "omni-moderation-latest"},
    "stream": False,
}

_ITEMS: list[Json] = [
    {"type": "reasoning", "id": "rs_0", "summary": [], "encrypted_content": None},
    {"role": "system", "content": "You are terse."},
    {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Answer in English."}]},
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": PIXEL, "detail": "low"},
            {"type": "input_file", "file_data": PDF, "filename": "a.pdf"},
        ],
    },
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "sealed",
    },
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [
            {"type": "output_text", "text": "Let me look.", "annotations": []},
            {"type": "refusal", "refusal": "Not that."},
        ],
    },
    {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "get_weather",
        "arguments": "{}",
        "status": "completed",
    },
    {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
    {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "run_code", "input": "1 + 1"},
    {"type": "custom_tool_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "2"}]},
    {"role": "user", "content": "Thank you."},
]
_INNER: Json = {
    "model": MODEL,
    "instructions": "Be kind.",
    "input": _ITEMS,
    "tools": FLAT_TOOLS,
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "low", "summary": "auto"},
    "text": {"verbosity": "low", "format": {"type": "text"}},
    "include": ["reasoning.encrypted_content"],
    "metadata": {"team": "blue"},
    "client_metadata": {"turn_id": "turn-1"},
    "user": "anna",
    "safety_identifier": "anna",
    "service_tier": "auto",
    "store": False,
    "temperature": 0.5,
    "top_p": 0.9,
    "max_output_tokens": 500,
    "max_tool_calls": 3,
    "truncation": "disabled",
    "background": False,
    "top_logprobs": 0,
    "prompt_cache_key": "talk-1",
    "stream": False,
    "stream_options": {"include_obfuscation": False},
}
_ITEM_CALLS = {
    r"input$|input\[6\]": ("input[7].call_id",),
    r"input\[8\]": ("input[9].call_id",),
    r"input$": ("messages",),
    r"tools": ("tool_choice",),
}
_TEXT: Json = {
    "model": MODEL,
    "input": "Oslo as JSON.",
    "text": {
        "format": {
            "type": "json_schema",
            "name": "place",
            "description": "A place.",
            "schema": SCHEMA,
            "strict": True,
        }
    },
    "tools": FLAT_TOOLS[:2],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "run_code"}]},
    "previous_response_id": None,
    "stream": False,
}
_FORCED_INNER: Json = {
    "model": MODEL,
    "input": [{"role": "user", "content": "The weather in Oslo?"}],
    "tools": FLAT_TOOLS[:1],
    "tool_choice": {"type": "function", "name": "get_weather"},
    "stream": False,
}
_INNER_ON_CHAT = {
    name: value
    for name, value in _INNER.items()
    if name not in ("background", "max_tool_calls", "truncation", "client_metadata")
}

_PLAIN_ITEMS: list[Json] = [
    {**item, "content": item["content"][:2]} if item.get("role") == "user" else item for item in _ITEMS
]
"""The items less the file, which servers of chat completions do not read."""

_PROMPT: Json = {
    "model": MODEL,
    "prompt": "Name a river.",
    "max_tokens": 50,
    "temperature": 0.5,
    "top_p": 0.9,
    "n": 1,
    "best_of": 1,
    "echo": False,
    "logprobs": None,
    "stop": ["##", "@@"],
    "suffix": None,
    "seed": 7,
    "user": "anna",
    "presence_penalty": 0,
    "frequency_penalty": 0.1,
    "logit_bias": {},
    "stream": False,
    "stream_options": {"include_usage": True},
}
_PROMPTS: Json = {"model": MODEL, "prompt": ["Name a river.", "Name a mountain."], "echo": True, "stream": False}

_COMPACTED: Json = {
    "model": MODEL,
    "instructions": "Be kind.",
    "input": [
        {"role": "user", "content": "We ship on Monday."},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Noted."}]},
    ],
}

_COUNTED_FIELDS = ("model", "input", "instructions", "tools", "tool_choice", "text", "reasoning", "truncation")
_COUNTED: Json = {
    **{name: _INNER[name] for name in _COUNTED_FIELDS},
    "parallel_tool_calls": True,
    "personality": "friendly",
}

_BEGUN: Json = {"items": _ITEMS, "metadata": {"team": "blue", "": "", "topic": "Oslo"}}
_ADDED: Json = {"items": [_ITEMS[3], _ITEMS[4], _ITEMS[7]]}
_RENAMED: Json = {"metadata": {"team": "blue", "topic": "Oslo"}}

BASES = (
    Base("agent", CHAT, _AGENT, follows=_CALLS),
    Base("forced", CHAT, _FORCED, follows=_CALLS),
    Base("allowed", CHAT, _ALLOWED, follows=_CALLS),
    Base("formatted", CHAT, _FORMATTED),
    Base(
        "legacy",
        CHAT,
        _LEGACY,
        follows={r"functions": ("function_call",), r"messages$|messages\[1\]": ("messages[2].name",)},
    ),
    Base("openai", CHAT, _OPENAI_ONLY, OPENAI_MODES, follows={"logprobs": ("top_logprobs",)}),
    Base("inner-on-chat", CHAT, _INNER_ON_CHAT, INNER_MODES, follows=_ITEM_CALLS),
    Base("plain-on-chat", CHAT, {**_INNER_ON_CHAT, "input": _PLAIN_ITEMS}, CHAT_MODES, follows=_ITEM_CALLS),
    Base("inner", RESPONSES, _INNER, INNER_MODES, follows=_ITEM_CALLS),
    Base("plain", RESPONSES, {**_INNER, "input": _PLAIN_ITEMS}, CHAT_MODES, follows=_ITEM_CALLS),
    Base("text", RESPONSES, _TEXT, follows=_ITEM_CALLS),
    Base("forced", RESPONSES, _FORCED_INNER, follows=_ITEM_CALLS),
    Base("one", COMPLETIONS, _PROMPT),
    Base("several", COMPLETIONS, _PROMPTS),
    Base("history", COMPACT, _COMPACTED),
    Base("counted", TOKENS, _COUNTED, follows=_ITEM_CALLS),
    Base("begun", CONVERSATIONS, _BEGUN, KEPT_MODES),
    Base("renamed", CONVERSATION, _RENAMED, KEPT_MODES),
    Base("added", CONVERSATION_ITEMS, _ADDED, KEPT_MODES),
    Base("renamed", COMPLETION, _RENAMED, KEPT_MODES),
)
