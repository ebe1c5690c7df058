"""Arithmetic on the usage object of a response: `input_tokens`, `output_tokens`, `total_tokens` and their details.

A missing usage stays missing everywhere: a zero would look like free use.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_DETAILS = {
    "input_tokens_details": ("cached_tokens", "cache_write_tokens"),
    "output_tokens_details": ("reasoning_tokens",),
}

Counts = tuple[int | None, int | None, int | None, int | None, int | None]
"""Tokens of the input, of it from a cache and into it, of the output, and of it for reasoning; None for those that
nobody told."""

UNTOLD: Counts = (None, None, None, None, None)

_MOST = 2**63 - 1
"""Beyond this no database counts."""


def sound(usage: object) -> bool:
    """Whether SDKs can read this usage object as it is; None, for unknown, is sound."""
    if usage is None:
        return True
    if not isinstance(usage, dict):
        return False
    if not all(_is_count(usage.get(name)) for name in ("input_tokens", "output_tokens", "total_tokens")):
        return False
    details = [usage.get(name) for name in _DETAILS]
    return all(isinstance(detail, dict) for detail in details) and all(
        _is_count(detail[name])
        for detail, names in zip(details, _DETAILS.values(), strict=True)
        if detail
        for name in names
        if name in detail
    )


def complete(usage: object) -> Json | None:
    """The same usage with every count an integer and every detail present; None when there is none to tell.

    Unknown fields are kept. A missing total is the sum.
    """
    if not isinstance(usage, dict):
        return None
    counts = {name: _count(usage.get(name)) for name in ("input_tokens", "output_tokens")}
    total = usage.get("total_tokens")
    details = {name: _complete_details(usage.get(name), fields) for name, fields in _DETAILS.items()}
    return {**usage, **counts, "total_tokens": _count(total) if total is not None else sum(counts.values()), **details}


def add(left: Json | None, right: Json | None) -> Json | None:
    """The usage of two steps together; None plus something is that something."""
    if left is None or right is None:
        return left if right is None else right
    one, two = complete(left) or {}, complete(right) or {}
    names = ("input_tokens", "output_tokens", "total_tokens")
    details = {name: {f: one[name][f] + two[name][f] for f in fields} for name, fields in _DETAILS.items()}
    return {**{name: one[name] + two[name] for name in names}, **details}


def counts(usage: object) -> Counts:
    """What the ledger writes down of a usage object, in Responses or chat form."""
    if not isinstance(usage, dict):
        return UNTOLD
    get = usage.get
    read = get("input_tokens_details", get("prompt_tokens_details"))
    written = get("output_tokens_details", get("completion_tokens_details"))
    return (
        _told(get("input_tokens", get("prompt_tokens"))),
        _told(read.get("cached_tokens")) if isinstance(read, dict) else None,
        _told(read.get("cache_write_tokens")) if isinstance(read, dict) else None,
        _told(get("output_tokens", get("completion_tokens"))),
        _told(written.get("reasoning_tokens")) if isinstance(written, dict) else None,
    )


def chat_usage(usage: object) -> Json | None:
    """The same in the words of chat and legacy completions; None when there is none to tell.

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


def _complete_details(details: object, fields: tuple[str, ...]) -> Json:
    known = details if isinstance(details, dict) else {}
    return {**known, **{name: _count(known.get(name)) for name in fields}}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _told(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= _MOST else None


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value)
