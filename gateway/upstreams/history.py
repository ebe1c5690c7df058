"""Input items as a stateless backend takes them, and the mends that its refusals ask for. Pure.

The backend keeps nothing, so ids of its own items mean nothing to it: it refuses them when they come back
(codex-upstream §5.10). What ties items together is the `call_id`, and reasoning lives on as encrypted content only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.core.ids import wire_call_id
from gateway.core.seal import REASONING, is_ours
from gateway.errors import InvalidRequest, UnsupportedValue

Json = dict[str, Any]

_OUTPUT = "_output"
_BREAKPOINT = "prompt_cache_breakpoint"


def clean_history(items: Sequence[Any], namespaces: frozenset[str]) -> tuple[list[Any], tuple[int, ...]]:
    """New items for the ones that must change; the others are the same objects. And which ones were kept.

    The places of the kept ones are () when none was left out.
    Raises InvalidRequest for a reference to an item that only a store could resolve, UnsupportedValue for content that
    the backend cannot read.
    """
    cleaned = [
        _clean(item, f"input[{index}]", namespaces) if isinstance(item, dict) else item
        for index, item in enumerate(items)
    ]
    kept = []
    left_out = False  # whether the item after this one, reasoning aside, was
    for index in reversed(range(len(items))):
        if not _is_reasoning(items[index]):
            left_out = cleaned[index] is None
        elif left_out:
            continue  # reasoning that leads to nothing
        if cleaned[index] is not None:
            kept.append(index)
    kept.reverse()
    return [cleaned[index] for index in kept], tuple(kept) if len(kept) < len(items) else ()


def _is_reasoning(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") == "reasoning"


def _clean(item: Json, where: str, namespaces: frozenset[str]) -> Json | None:
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    if kind == "item_reference":
        _check_reference(item, where)
        return None
    if kind == "reasoning" and (not item.get("encrypted_content") or is_ours(REASONING, item["encrypted_content"])):
        return None  # nothing that the backend could read
    changed = {name: value for name, value in item.items() if name not in ("id", "status", _BREAKPOINT)}
    if changed.get("role") == "system":
        changed["role"] = "developer"
    if "call_id" in changed:
        changed["call_id"] = _short(changed["call_id"])
    namespace = changed.get("namespace")
    if "namespace" in changed and not (isinstance(namespace, str) and namespace in namespaces):
        del changed["namespace"]
    for name in ("content", "output"):
        if isinstance(changed.get(name), list):
            changed[name] = _clean_parts(changed[name], f"{where}.{name}")
    return item if changed == item else changed


def _check_reference(item: Json, where: str) -> None:
    name = str(item.get("id", ""))
    if name.startswith("rs_"):
        return  # Reasoning is of no use without its content, and the talk goes on without it.
    raise InvalidRequest(
        f"Item with id '{name}' not found. This upstream keeps no items: send the items themselves, "
        "as SDKs do with `store: false`.",
        param=where,
    )


def _clean_parts(parts: list[Any], where: str) -> list[Any]:
    return [
        _clean_part(part, f"{where}[{index}]") if isinstance(part, dict) else part for index, part in enumerate(parts)
    ]


def _clean_part(part: Json, where: str) -> Json:
    kind = part.get("type")
    if kind == "input_audio":
        raise UnsupportedValue("This upstream takes no audio.", param=where)
    if kind in ("input_image", "input_file") and part.get("file_id"):
        raise UnsupportedValue(
            "This upstream has no uploaded files: send a data URL or a public URL.", param=f"{where}.file_id"
        )
    return _without_breakpoints(part)  # type: ignore[no-any-return]  # a dictionary stays one


def _without_breakpoints(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_breakpoints(entry) for entry in value]
    if isinstance(value, dict):
        return {name: _without_breakpoints(entry) for name, entry in value.items() if name != _BREAKPOINT}
    return value


def _short(call_id: Any) -> Any:
    """An id the backend accepts wherever it occurs; what is no text is the backend's to judge."""
    return wire_call_id(call_id) if isinstance(call_id, str) else call_id


def without_reasoning(items: Sequence[Any]) -> list[Any]:
    return [item for item in items if not _is_reasoning(item)]


def without_ids(items: Sequence[Any]) -> list[Any]:
    return [
        {name: value for name, value in item.items() if name != "id"}
        if isinstance(item, dict) and "id" in item
        else item
        for item in items
    ]


def without_orphans(items: Sequence[Any]) -> list[Any]:
    """The items, less calls that were never answered and answers that nobody asked for."""
    calls = {_end_of_call(item) for item in items if _end_of_call(item) and not _answers(item)}
    answered = {_end_of_call(item) for item in items if _end_of_call(item) and _answers(item)}
    paired = calls & answered
    return [item for item in items if not _end_of_call(item) or _end_of_call(item) in paired]


def _end_of_call(item: Any) -> str:
    """The `call_id` of a call or of its output; "" for any other item."""
    if not isinstance(item, dict) or not isinstance(item.get("call_id"), str):
        return ""
    call_id: str = item["call_id"]
    return call_id


def _answers(item: Json) -> bool:
    return str(item.get("type", "")).endswith(_OUTPUT)
