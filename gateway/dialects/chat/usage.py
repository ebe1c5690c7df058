"""Token counts in the words of chat completions (translation §2.5)."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def chat_usage(usage: Any) -> Json | None:
    """The `usage` object for an inner one; None when the upstream told nothing, because a zero looks like free use.

    Reasoning tokens are part of the completion tokens already.
    """
    if not isinstance(usage, dict):
        return None
    prompt, completion = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    read, written = usage.get("input_tokens_details"), usage.get("output_tokens_details")
    prompt_details = {"cached_tokens": _count(read, "cached_tokens"), "audio_tokens": 0}
    if isinstance(read, dict) and read.get("cache_write_tokens") is not None:
        prompt_details["cache_write_tokens"] = _count(read, "cache_write_tokens")
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": _count(usage, "total_tokens") or prompt + completion,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": {
            "reasoning_tokens": _count(written, "reasoning_tokens"),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _count(holder: Any, key: str) -> int:
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, int) else 0
