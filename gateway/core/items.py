"""Output items: how one looks when it starts and when it is done."""

from __future__ import annotations

from typing import Any

from gateway.core.events import FIELDS, PARTS, Channel

Json = dict[str, Any]

CALLS = frozenset(
    {
        "function_call",
        "custom_tool_call",
        "local_shell_call",
        "shell_call",
        "apply_patch_call",
        "computer_call",
        "tool_search_call",
    }
)
"""Items whose `call_id` names a call. Their outputs repeat it, so only calls must differ from each other."""

NAMED_CALLS = frozenset({"function_call", "custom_tool_call"})
"""Calls that no client can start to show before their name and call id are known."""

_WITH_STATUS = frozenset({"message", "function_call"})
_SETTLED = frozenset({"completed", "incomplete", "failed"})


def kind_of(item: Json) -> str:
    """The type of an item; "" when it says none."""
    kind = item.get("type")
    return kind if isinstance(kind, str) else ""


def started(item: Json) -> Json:
    """The item as its `added` event shows it: nothing said yet, so that what follows is not said twice."""
    kind = kind_of(item)
    field = FIELDS.get(kind)
    changes: Json = {}
    if kind == "message":
        changes = {"role": item.get("role") or "assistant", "content": []}
    elif kind == "reasoning":
        changes = {"summary": []}
        if item.get("content"):
            changes["content"] = []
    elif field is not None and field.item != "code_interpreter_call":
        changes = {field.field: ""}
    if kind in _WITH_STATUS:
        changes["status"] = "in_progress"
    return changed(item, changes)


def finished(item: Json, status: str = "completed") -> Json:
    """The item with what every client reads: a settled status, lists where lists belong, complete parts.

    `status` is for an item that has none. Returns the same object when nothing was missing.
    """
    kind = kind_of(item)
    field = FIELDS.get(kind)
    changes: Json = {}
    if kind == "message":
        changes = {"role": item.get("role") or "assistant", "content": _complete_parts(item.get("content"))}
    elif kind == "reasoning":
        changes = {"summary": _complete_parts(item.get("summary"))}
        if isinstance(item.get("content"), list):
            changes["content"] = _complete_parts(item["content"])
    elif kind in NAMED_CALLS and field is not None:
        changes = {name: item.get(name) if isinstance(item.get(name), str) else "" for name in ("name", field.field)}
    told = item.get("status")
    settled = isinstance(told, str) and told in _SETTLED
    if not settled and (kind in _WITH_STATUS or "status" in item):
        changes["status"] = status
    return changed(item, changes)


def changed(document: Json, changes: Json) -> Json:
    """A copy with these changes; the same object when they change nothing."""
    for name, value in changes.items():
        if name not in document or document[name] != value:
            return {**document, **changes}
    return document


def empty_part(channel: Channel) -> Json:
    """A part at its `added` event."""
    return complete_part({"type": channel.part, channel.field: ""})


def complete_part(part: Json) -> Json:
    """The part with its text, and the lists that SDKs index into."""
    channel = PARTS.get(str(part.get("type")))
    if channel is None:
        return part
    changes: Json = {}
    if not isinstance(part.get(channel.field), str):
        changes[channel.field] = ""
    if channel.part == "output_text":
        changes |= {name: [] for name in ("annotations", "logprobs") if not isinstance(part.get(name), list)}
    return changed(part, changes)


def _complete_parts(parts: object) -> list[Any]:
    if not isinstance(parts, list):
        return []
    return [complete_part(part) if isinstance(part, dict) else part for part in parts]
