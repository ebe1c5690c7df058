"""`truncation: "auto"` for servers that do not have it: a history without its oldest turns (translation §7.4).

The forms of both dialects that are sent upstream are read here, Responses items and chat messages: what is too long is
known only once the server has refused it, and then the body is there in the server's own form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from gateway.core import json
from gateway.core.prose import objects
from gateway.errors import GatewayError

Json = dict[str, Any]

TOO_LONG = "context_length_exceeded"
"""The code of OpenAI and of the servers that go by it."""

_PHRASES = (
    TOO_LONG,
    "exceeds the context window",  # OpenAI, Codex
    "maximum context length",  # vLLM, DeepSeek, Mistral, OpenRouter
    "exceeds the available context size",  # llama.cpp
    "greater than the context length",  # LM Studio
    "prompt is too long",  # Anthropic
    "exceeds the maximum number of tokens",  # Gemini
)
"""What the others say in a refusal whose code says no more than that the request was wrong."""

_OUTPUT = "_output"
_GUIDES = ("system", "developer")


def is_too_long(error: GatewayError) -> bool:
    """Whether an upstream refused a history for its length."""
    text = error.message.lower()
    return error.code == TOO_LONG or any(phrase in text for phrase in _PHRASES)


def shortened(items: Sequence[Any]) -> list[Any] | None:
    """The items without the oldest turns: about half of what can be left out, by JSON size, and one turn at least.

    A turn begins with a message of the user. What comes before the first one stays, and so does every system and
    developer message. Calls and their outputs never part, and reasoning goes with what it led to. The items that are
    left are the same objects in the same order. None when only the last turn is left.
    """
    starts = _turns(items)
    if len(starts) < 2:
        return None
    first, last = starts[0], starts[-1]
    sizes = [0 if _stays(item) else len(json.dumps(item)) for item in items[first:last]]
    weights = list(accumulate(sizes, initial=0))
    end = next(start for start in starts[1:] if 2 * weights[start - first] >= weights[-1])
    kept = [item for item in items[first:end] if _stays(item)]
    return [*_settled(items[:first]), *kept, *items[end:]]


def _turns(items: Sequence[Any]) -> list[int]:
    """Where the turns begin, save those that would part a call from its output."""
    depth = [0] * (len(items) + 1)
    for low, high in _pairs(items):
        depth[low + 1] += 1
        depth[high + 1] -= 1
    open_pairs = list(accumulate(depth))
    return [index for index, item in enumerate(items) if not open_pairs[index] and _begins(item)]


def _begins(item: Any) -> bool:
    if not isinstance(item, dict) or item.get("role") != "user":
        return False
    content = item.get("content")
    # Pictures alone belong to what came before: chat servers get those that a tool gave back as a user's message.
    return not isinstance(content, list) or any(isinstance(part, dict) and part.get("text") for part in content)


def _pairs(items: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """The places of each call and its output, the lower one first.

    Some servers give the same ids in every turn: the first output of an id is that of its first call, and so on. What
    is left over belongs to the last of the others.
    """
    calls: dict[str, list[int]] = {}
    outputs: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        for call_id, answers in _ends(item):
            (outputs if answers else calls).setdefault(call_id, []).append(index)
    for call_id in calls.keys() & outputs.keys():
        asked, answered = calls[call_id], outputs[call_id]
        for number in range(max(len(asked), len(answered))):
            pair = asked[min(number, len(asked) - 1)], answered[min(number, len(answered) - 1)]
            yield min(pair), max(pair)


def _ends(item: Any) -> Iterator[tuple[str, bool]]:
    """The call ids in an item, and whether it answers them."""
    if not isinstance(item, dict):
        return
    if isinstance(call_id := item.get("call_id"), str):
        yield call_id, str(item.get("type")).endswith(_OUTPUT)
    elif isinstance(call_id := item.get("tool_call_id"), str):
        yield call_id, True
    for _, call in objects(item.get("tool_calls")):
        yield str(call.get("id")), False


def _stays(item: Any) -> bool:
    """Guidance, and the tools that a model of Codex's reduced form gets as an item."""
    return isinstance(item, dict) and (item.get("role") in _GUIDES or item.get("type") == "additional_tools")


def _settled(items: Sequence[Any]) -> Sequence[Any]:
    """The items without reasoning at their end: what it led to is gone."""
    end = len(items)
    while end and isinstance(items[end - 1], dict) and items[end - 1].get("type") == "reasoning":
        end -= 1
    return items[:end]
