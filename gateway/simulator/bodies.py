"""The shapes of the request bodies that the simulator reads: what kind of value each known field takes.

Fields that it only echoes or leaves alone are listed where the real service checks them; unknown ones are free.
"""

from __future__ import annotations

from gateway.simulator.shapes import By, Most, Needed, Shape, Span


def _optional(fields: dict[str, Shape]) -> dict[str, Shape]:
    """Fields that may also be null, as the optional ones of the real services may."""
    return {key: (*shape, None) if isinstance(shape, tuple) else (shape, None) for key, shape in fields.items()}


_COUNT = Span(float, 0)  # 2.0 is a count too

# A JSON schema: the keywords that samples are made from.
SCHEMA: dict[str, Shape] = {
    "type": (str, [str]), "enum": [object], "examples": [object], "required": [str], "format": str, "pattern": str,
    "minItems": _COUNT, "maxItems": _COUNT, "minLength": _COUNT, "maxLength": _COUNT, "minimum": float,
    "maximum": float, "exclusiveMinimum": float, "exclusiveMaximum": float, "multipleOf": Span(float, 1e-9),
    "$ref": str,
}  # fmt: skip
_SCHEMA: Shape = (bool, SCHEMA)
SCHEMA |= dict.fromkeys(("items", "additionalProperties", "not"), _SCHEMA)
SCHEMA |= {key: {"*": _SCHEMA} for key in ("properties", "$defs", "definitions")}
SCHEMA |= {key: [_SCHEMA] for key in ("anyOf", "oneOf", "allOf", "prefixItems")}

_NAMED: dict[str, Shape] = {"name": str, **_optional({"parameters": SCHEMA, "strict": bool, "description": str})}
# Chat nests a tool in the key of its type, Responses does not.
_TOOL: dict[str, Shape] = {"type": str, "function": _NAMED, "custom": _NAMED, **_NAMED}
_TOOL["tools"] = [_TOOL]  # of a namespace
_TOOLS: Shape = [{**_TOOL, "type": Needed(str)}]
_CHOSEN: dict[str, Shape] = {"type": str, "name": str, "function": {"name": str}, "custom": {"name": str}}
_ALLOWED: dict[str, Shape] = {"mode": frozenset({"auto", "required"}), "tools": [_CHOSEN]}
_CHOICE: Shape = (
    frozenset({"none", "auto", "required"}),
    {**_CHOSEN, **_ALLOWED, "type": Needed(str), "allowed_tools": _ALLOWED},
)
_FORMAT: Shape = {
    "type": Needed(frozenset({"text", "json_object", "json_schema"})),
    "name": str,
    **_optional({"schema": SCHEMA, "strict": bool, "json_schema": {"name": str, **_optional({"schema": SCHEMA})}}),
}
# The Agents SDK for JavaScript echoes text parts with a null refusal.
_PART: dict[str, Shape] = {"type": Needed(str), "text": str, "refusal": (str, None), "file": dict}
_CONTENT: tuple[Shape, ...] = (str, [_PART])

_SHARED = _optional(
    {
        "metadata": {"*": str}, "parallel_tool_calls": bool, "prompt_cache_key": str, "safety_identifier": str,
        "service_tier": str, "store": bool, "stream": bool, "temperature": Span(float, 0, 2), "tools": _TOOLS,
        "tool_choice": _CHOICE, "top_logprobs": Span(int, 0, 20), "top_p": Span(float, 0, 1), "user": str,
    }
)  # fmt: skip

# Chat completions.
CHAT: dict[str, Shape] = {
    "messages": Needed(
        [
            {
                "role": Needed(frozenset({"system", "developer", "user", "assistant", "tool", "function"})),
                **_optional({"content": _CONTENT, "name": str, "tool_call_id": str, "refusal": str}),
                "tool_calls": ([{"id": str, "type": str, "function": {"name": str, "arguments": str}}], None),
                "function_call": ({"name": str, "arguments": str}, None),
            }
        ]
    ),
    **_SHARED,
    **_optional(
        {
            "frequency_penalty": Span(float, -2, 2), "presence_penalty": Span(float, -2, 2), "logprobs": bool,
            "logit_bias": {"*": float}, "max_completion_tokens": Span(int, 1), "max_tokens": Span(int, 1),
            "modalities": [str], "n": Span(int, 1, 128), "reasoning_effort": str, "response_format": _FORMAT,
            "functions": [{**_NAMED, "name": Needed(str)}],
            "function_call": (frozenset({"none", "auto"}), {"name": Needed(str)}),
            "seed": int, "stop": (str, Most(str, 4)), "verbosity": str,
            "stream_options": {"include_usage": (bool, None)},
        }
    ),
}  # fmt: skip

# Legacy completions. A prompt is a text or token ids; several come as a list.
COMPLETIONS: dict[str, Shape] = _optional(
    {
        "prompt": (str, [(str, Span(int, 0), [Span(int, 0)])]), "suffix": str, "echo": bool, "n": Span(int, 1, 128),
        "best_of": Span(int, 0, 20), "logprobs": Span(int, 0, 5), "max_tokens": Span(int, 0), "seed": int,
        "stop": (str, Most(str, 4)), "frequency_penalty": Span(float, -2, 2), "presence_penalty": Span(float, -2, 2),
        "logit_bias": {"*": float}, "stream_options": {"include_usage": (bool, None)},
        **{key: _SHARED[key] for key in ("stream", "temperature", "top_p", "user")},
    }
)  # fmt: skip

# Responses. An item is a message when it has no type.
_FIELDS: dict[str, Shape] = {
    "type": str, "role": str, "call_id": str, "name": str, "arguments": str, "tools": [_TOOL],
    **_optional({"content": _CONTENT, "output": (str, [dict], dict), "id": str, "status": str}),
    **_optional({"encrypted_content": str, "summary": [dict]}),
}  # fmt: skip
# A search for tools names what it looks for in an object, all other calls have their arguments as a text.
_ITEM: Shape = By("type", {"tool_search_call": {**_FIELDS, "arguments": (dict, str)}}, _FIELDS)
_RESPONSES: dict[str, Shape] = _optional(
    {
        "include": [str], "instructions": str, "reasoning": _optional({"effort": str, "summary": str}),
        "text": _optional({"format": _FORMAT, "verbosity": str}),
    }
)  # fmt: skip
COMPACT: dict[str, Shape] = _optional(
    {"input": (str, [_ITEM]), "instructions": str, "previous_response_id": str, "prompt_cache_key": str}
)
INPUT_TOKENS: dict[str, Shape] = {
    **_RESPONSES,
    **_optional(
        {
            "model": str, "input": (str, [_ITEM]), "previous_response_id": str, "personality": str,
            "conversation": (str, {"id": Needed(str)}), "truncation": frozenset({"auto", "disabled"}),
            **{key: _SHARED[key] for key in ("parallel_tool_calls", "tool_choice", "tools")},
        }
    ),
}  # fmt: skip
RESPONSES: dict[str, Shape] = {
    "input": Needed((str, [_ITEM])),
    **_SHARED,
    **_RESPONSES,
    **_optional(
        {
            "background": bool, "max_output_tokens": Span(int, 1), "max_tool_calls": Span(int, 1),
            "previous_response_id": str, "truncation": str, "stream_options": dict,
        }
    ),
}  # fmt: skip

# The Codex backend: what its own refusals (`checks.py`) do not cover.
CODEX: dict[str, Shape] = {
    "input": [_ITEM], "stream_options": (dict, None), "client_metadata": ({"*": str}, None),
    **{key: _SHARED[key] for key in ("parallel_tool_calls", "prompt_cache_key", "service_tier", "tool_choice")},
    **_RESPONSES, "tools": ([_TOOL], None),
}  # fmt: skip
