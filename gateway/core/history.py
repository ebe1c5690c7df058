"""A conversation that somebody kept, on its way back to a server: what goes with it, and what is said already. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.core.items import CALLS, kind_of

Json = dict[str, Any]

_NAMELESS = CALLS | {"message", "reasoning"}
"""Items that servers take without an id, and refuse with one that they did not store."""


def replayable(output: Sequence[Any]) -> list[Any]:
    """Output items as a server takes them back that has not stored them.

    Their ids mean nothing to it, and reasoning is of use only with its encrypted content.
    """
    return [nameless(item) for item in output if not is_empty_reasoning(item)]


def is_empty_reasoning(item: Json) -> bool:
    """Reasoning that no server could read again."""
    return kind_of(item) == "reasoning" and not item.get("encrypted_content")


def nameless(item: Json) -> Json:
    """The item without the id that its server gave it; the same object when it has none, or needs it."""
    if "id" not in item or (kind_of(item) or "message") not in _NAMELESS:
        return item
    return {name: value for name, value in item.items() if name != "id"}


def is_reference(item: Json) -> bool:
    """Whether an item only names another one."""
    kind = item.get("type")
    return kind == "item_reference" or (not kind and "role" not in item and "id" in item)


def is_tool_output(item: Json) -> bool:
    """Whether an item answers a call by its `call_id`."""
    return "call_id" in item and kind_of(item).endswith("_output")


def call_of(item: Json) -> tuple[str, str] | None:
    """The type and the `call_id` of a call or of an output; None for any other item."""
    call_id = item.get("call_id")
    return (kind_of(item), call_id) if isinstance(call_id, str) else None


def orphan(added: Sequence[Json], before: Sequence[Json]) -> int | None:
    """The place of the first new output whose call is neither in the history nor among the new items; None for none."""
    calls = {call[1] for item in (*before, *added) if not is_tool_output(item) and (call := call_of(item))}
    for place, item in enumerate(added):
        call = call_of(item)
        if is_tool_output(item) and (call is None or call[1] not in calls):
            return place
    return None
