"""Token counts in the words of chat completions (translation §2.5)."""

from __future__ import annotations

from typing import Any

from gateway.core.usage import complete

Json = dict[str, Any]


def chat_usage(usage: object) -> Json | None:
    """The `usage` object for an inner one; None when the upstream told nothing, because a zero looks like free use.

    Reasoning tokens are part of the completion tokens already.
    """
    known = complete(usage)
    if known is None:
        return None
    read, written = known["input_tokens_details"], known["output_tokens_details"]
    return {
        "prompt_tokens": known["input_tokens"],
        "completion_tokens": known["output_tokens"],
        "total_tokens": known["total_tokens"],
        "prompt_tokens_details": {
            "cached_tokens": read["cached_tokens"],
            "cache_write_tokens": read["cache_write_tokens"],
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": written["reasoning_tokens"],
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
