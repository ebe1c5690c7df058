"""`include`: which values of an item are shown. They are kept with the item and shown to who asks for them (§7.7)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

Json = dict[str, Any]
Hide = Callable[[Json], Json]


def project(item: Json, wanted: Collection[str]) -> Json:
    """The item without what is shown on request only; the same object when there is nothing of the kind.

    `wanted`: members of `INCLUDABLE`.
    """
    for name, hide in _HIDDEN.get(str(item.get("type") or "message"), ()):
        if name not in wanted:
            item = hide(item)
    return item


def project_response(response: Json, wanted: Collection[str]) -> Json:
    """The response object with every item of its output projected."""
    return {**response, "output": [project(item, wanted) for item in response.get("output") or ()]}


def _without(field: str) -> Hide:
    def hide(holder: Json) -> Json:
        return {name: value for name, value in holder.items() if name != field} if field in holder else holder

    return hide


def _set(field: str, value: Any) -> Hide:
    """In place of leaving it out, where clients index into it or expect a null."""

    def hide(holder: Json) -> Json:
        return {**holder, field: value} if holder.get(field) else holder

    return hide


def _inside(field: str, hide: Hide) -> Hide:
    def look(holder: Json) -> Json:
        inner = holder.get(field)
        return {**holder, field: hide(inner)} if isinstance(inner, dict) else holder

    return look


def _parts(kind: str, hide: Hide) -> Hide:
    def look(item: Json) -> Json:
        parts = item.get("content")
        if not isinstance(parts, list):
            return item
        shown = [hide(part) if isinstance(part, dict) and part.get("type") == kind else part for part in parts]
        return {**item, "content": shown}

    return look


_HIDDEN: dict[str, tuple[tuple[str, Hide], ...]] = {
    "reasoning": (("reasoning.encrypted_content", _without("encrypted_content")),),
    "message": (
        ("message.output_text.logprobs", _parts("output_text", _set("logprobs", []))),
        ("message.input_image.image_url", _parts("input_image", _set("image_url", None))),
    ),
    "file_search_call": (("file_search_call.results", _set("results", None)),),
    "web_search_call": (
        ("web_search_call.action.sources", _inside("action", _without("sources"))),
        ("web_search_call.results", _set("results", None)),
    ),
    "code_interpreter_call": (("code_interpreter_call.outputs", _set("outputs", None)),),
    "computer_call_output": (("computer_call_output.output.image_url", _inside("output", _without("image_url"))),),
}

INCLUDABLE = tuple(name for hidden in _HIDDEN.values() for name, _ in hidden)
"""What `include` may name."""
