"""Token counts of chat servers in the words of the inner language (translation §2.5, backwards)."""

from __future__ import annotations

from typing import Any

from gateway.core.usage import complete

Json = dict[str, Any]

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


def usage_in(chunk: Json, choices: list[Json]) -> Json | None:
    """The usage object of a chunk, where servers put it: on top, under Groq's own key, in the choice (Moonshot)."""
    told = chunk.get("usage") or (choices and choices[0].get("usage"))
    if not told and isinstance(groq := chunk.get("x_groq"), dict):
        told = groq.get("usage")
    return told if isinstance(told, dict) else None


def inner_usage(told: Json | None) -> Json | None:
    """The inner usage object; None when the server counted nothing, because a zero looks like free use.

    Completion tokens are said to hold the reasoning tokens already: nothing is added to them.
    """
    if told is None or not any(_is_count(told.get(name)) for name in _COUNTS):
        return None
    read, written = _object(told, "prompt_tokens_details"), _object(told, "completion_tokens_details")
    # DeepSeek and Moonshot count what the cache gave on top.
    cached = (read.get("cached_tokens"), told.get("prompt_cache_hit_tokens"), told.get("cached_tokens"))
    return complete(
        {
            "input_tokens": told.get("prompt_tokens"),
            "input_tokens_details": {
                "cached_tokens": next((count for count in cached if _is_count(count)), 0),
                "cache_write_tokens": read.get("cache_write_tokens"),
            },
            "output_tokens": told.get("completion_tokens"),
            "output_tokens_details": {"reasoning_tokens": written.get("reasoning_tokens")},
            "total_tokens": told.get("total_tokens"),
        }
    )


def _object(document: Json, name: str) -> Json:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _is_count(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
