"""Compacted histories of the gateway's own making, for upstreams that have no compaction.

A `compaction` item carries what came before it in `encrypted_content` (see `core.seal`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.core import seal

Json = dict[str, Any]

_LEAD = "Summary of the conversation so far, whose earlier messages were left out:\n\n"


def sealed(summary: str) -> str:
    """The `encrypted_content` of an item that stands for this summary."""
    return seal.sealed(seal.SUMMARY, summary)


def opened(item: object) -> str | None:
    """The summary in an item of ours; None for every other item, and for one that somebody has damaged."""
    if not isinstance(item, dict) or item.get("type") not in ("compaction", "compaction_summary"):
        return None
    return seal.opened(seal.SUMMARY, item.get("encrypted_content"))


def expanded(items: Sequence[Any]) -> list[Any] | None:
    """The items with our summaries as developer messages, which every upstream can read; None when there is none."""
    if not any(opened(item) is not None for item in items):
        return None
    return [item if (summary := opened(item)) is None else _message(summary) for item in items]


def _message(summary: str) -> Json:
    return {
        "type": "message",
        "role": "developer",
        "content": [{"type": "input_text", "text": _LEAD + summary}],
    }
