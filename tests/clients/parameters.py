"""What becomes of each parameter that the openai SDK for Node offers, where it is not relayed.

Verdicts: `Arrives`, the upstream's body holds this value at this path; DROPPED, the answer's `x-gateway-dropped` names
it; REFUSED, a 400 that names it; UNKNOWN, a 404 that names it, for an id of something that the gateway keeps; SILENT,
neither: it changes nothing, or the gateway does it. A server of the client's own dialect gets every value as it is,
except of what the gateway does for it: `done_here`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tests.live.chat import WEATHER
from tests.live.stack import DialectName, Mode

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Arrives:
    """`path`: keys and indexes, with points between them."""

    path: str
    value: Any


Verdict: TypeAlias = Arrives | Literal["dropped", "refused", "unknown", "silent"]
DROPPED: Verdict = "dropped"
REFUSED: Verdict = "refused"
UNKNOWN: Verdict = "unknown"
SILENT: Verdict = "silent"


@dataclass(frozen=True)
class Parameter:
    """A value that is not the default, and its verdicts: for a plan, and for a server of only the other dialect.

    `beside`: what a request needs for the parameter to mean something.
    """

    value: Any
    codex: Verdict
    other: Verdict
    beside: Json = field(default_factory=dict)


def _both(value: Any, verdict: Verdict, **beside: Any) -> Parameter:
    return Parameter(value, verdict, verdict, beside)


_LEGACY = {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}

CHAT: dict[str, Parameter] = {
    "audio": _both({"voice": "alloy", "format": "wav"}, SILENT),
    "frequency_penalty": _both(0.5, DROPPED),
    "function_call": _both({"name": "get_weather"}, Arrives("tool_choice.name", "get_weather"), functions=[_LEGACY]),
    "functions": _both([_LEGACY], Arrives("tools.0.name", "get_weather")),
    "logit_bias": _both({"50256": -100}, REFUSED),
    "logprobs": Parameter(True, REFUSED, Arrives("include", ["message.output_text.logprobs"])),
    "max_completion_tokens": Parameter(100, DROPPED, Arrives("max_output_tokens", 100)),
    "max_tokens": Parameter(100, DROPPED, Arrives("max_output_tokens", 100)),
    "metadata": Parameter({"a": "b"}, SILENT, Arrives("metadata", {"a": "b"})),
    "modalities": _both(["text", "audio"], REFUSED, audio={"voice": "alloy", "format": "wav"}),
    "moderation": Parameter({"model": "auto"}, DROPPED, Arrives("moderation", {"model": "auto"})),
    "n": _both(2, REFUSED),
    "parallel_tool_calls": _both(False, Arrives("parallel_tool_calls", False), tools=[WEATHER]),
    "prediction": _both({"type": "content", "content": "x"}, SILENT),
    "presence_penalty": _both(0.5, DROPPED),
    "prompt_cache_key": _both("talk-1", Arrives("prompt_cache_key", "talk-1")),
    "prompt_cache_options": Parameter({"mode": "explicit"}, SILENT, Arrives("prompt_cache_options.mode", "explicit")),
    "prompt_cache_retention": Parameter("24h", SILENT, Arrives("prompt_cache_retention", "24h")),
    "reasoning_effort": _both("high", Arrives("reasoning.effort", "high")),
    "response_format": _both({"type": "json_object"}, Arrives("text.format.type", "json_object")),
    "safety_identifier": Parameter("somebody", SILENT, Arrives("safety_identifier", "somebody")),
    "seed": _both(7, SILENT),
    "service_tier": _both("priority", Arrives("service_tier", "priority")),
    "stop": _both(["@@"], SILENT),
    "store": Parameter(True, SILENT, Arrives("store", True)),
    "stream_options": _both({"include_usage": True}, SILENT, stream=True),
    "temperature": Parameter(0.2, DROPPED, Arrives("temperature", 0.2)),
    "tool_choice": _both("required", Arrives("tool_choice", "required"), tools=[WEATHER]),
    "tools": _both([WEATHER], Arrives("tools.0.name", "get_weather")),
    "top_logprobs": Parameter(3, REFUSED, Arrives("top_logprobs", 3), {"logprobs": True}),
    "top_p": Parameter(0.2, DROPPED, Arrives("top_p", 0.2)),
    "user": Parameter("somebody", SILENT, Arrives("user", "somebody")),
    "verbosity": _both("low", Arrives("text.verbosity", "low")),
    "web_search_options": _both({}, Arrives("tools.0.type", "web_search")),
}

_FLAT = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}, "strict": False}

RESPONSES: dict[str, Parameter] = {
    "access_programs": Parameter({"x": 1}, DROPPED, REFUSED),
    "background": _both(True, SILENT),
    "context_management": Parameter([{"type": "compaction", "compact_threshold": 1000}], DROPPED, REFUSED),
    "conversation": _both("conv_1", UNKNOWN),
    "image": Parameter({"x": 1}, DROPPED, REFUSED),
    "include": Parameter(["file_search_call.results"], DROPPED, SILENT),
    "instructions": Parameter(
        "Be brief.", Arrives("instructions", "Be brief."), Arrives("messages.0.content", "Be brief.")
    ),
    "max_output_tokens": Parameter(100, DROPPED, Arrives("max_tokens", 100)),
    "max_tool_calls": Parameter(3, DROPPED, SILENT),
    "metadata": _both({"a": "b"}, SILENT),
    "moderation": Parameter({"model": "auto"}, DROPPED, REFUSED),
    "parallel_tool_calls": Parameter(False, Arrives("parallel_tool_calls", False), DROPPED, {"tools": [_FLAT]}),
    "previous_response_id": _both("resp_1", REFUSED),
    "prompt": _both({"id": "pmpt_1"}, REFUSED),
    "prompt_cache_key": Parameter("talk-1", Arrives("prompt_cache_key", "talk-1"), SILENT),
    "prompt_cache_options": _both({"mode": "explicit"}, SILENT),
    "prompt_cache_retention": _both("24h", SILENT),
    "reasoning": Parameter(
        {"effort": "high", "summary": "auto"}, Arrives("reasoning.effort", "high"), Arrives("reasoning_effort", "high")
    ),
    "safety_identifier": _both("somebody", SILENT),
    "service_tier": Parameter("priority", Arrives("service_tier", "priority"), DROPPED),
    "store": _both(True, SILENT),
    "stream": _both(True, Arrives("stream", True)),
    "stream_options": _both({"include_obfuscation": False}, SILENT, stream=True),
    "temperature": Parameter(0.2, DROPPED, Arrives("temperature", 0.2)),
    "text": Parameter(
        {"format": {"type": "json_object"}},
        Arrives("text.format.type", "json_object"),
        Arrives("response_format.type", "json_object"),
    ),
    "tool_choice": _both("required", Arrives("tool_choice", "required"), tools=[_FLAT]),
    "tools": Parameter(
        [_FLAT], Arrives("tools.0.name", "get_weather"), Arrives("tools.0.function.name", "get_weather")
    ),
    "top_logprobs": Parameter(3, REFUSED, Arrives("top_logprobs", 3)),
    "top_p": Parameter(0.2, DROPPED, Arrives("top_p", 0.2)),
    "truncation": _both("auto", SILENT),
    "user": _both("somebody", SILENT),
}


# A server of Responses is meant by "the other dialect".
COMPLETIONS: dict[str, Parameter] = {
    "best_of": _both(2, REFUSED),
    "echo": _both(True, SILENT),
    "frequency_penalty": _both(0.5, DROPPED),
    "logit_bias": _both({"50256": -100}, REFUSED),
    "logprobs": Parameter(3, REFUSED, Arrives("top_logprobs", 3)),
    "max_tokens": Parameter(100, DROPPED, Arrives("max_output_tokens", 100)),
    "n": _both(2, REFUSED),
    "presence_penalty": _both(0.5, DROPPED),
    "seed": _both(7, SILENT),
    "stop": _both(["@@"], SILENT),
    "stream_options": _both({"include_usage": True}, SILENT, stream=True),
    "suffix": _both("the end", REFUSED),
    "temperature": Parameter(0.2, DROPPED, Arrives("temperature", 0.2)),
    "top_p": Parameter(0.2, DROPPED, Arrives("top_p", 0.2)),
    "user": Parameter("somebody", SILENT, Arrives("user", "somebody")),
}


def done_here(mode: Mode, dialect: DialectName) -> frozenset[str]:
    """What a server of the client's own dialect is not told, since the gateway does it."""
    keeps = "responses" not in mode.native  # those are left to a server that can keep them
    return frozenset({"background"} | ({"store"} if keeps and dialect == "chat" else set()))


def at(body: Any, path: str) -> Any:
    """What stands at a path of a document; None when nothing does."""
    for key in path.split("."):
        if isinstance(body, list):
            body = body[int(key)] if int(key) < len(body) else None
        else:
            body = body.get(key) if isinstance(body, dict) else None
    return body
