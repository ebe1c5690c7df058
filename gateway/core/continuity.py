"""Reasoning of earlier steps for clients whose dialect has no word for it (translation §1.9).

A chat client sends its calls and their outputs back, and nothing of what the model thought before it made them. What
stood before a call in the answer can stand there again when the call comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.core import json
from gateway.core.history import nameless
from gateway.core.ids import wire_call_id
from gateway.core.items import NAMED_CALLS

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lead:
    """A call of an answer, and the reasoning that led to it.

    `before_call` stood right before the call. `before_message` stood before the one message that stood right before
    these: what a model says of a call before it makes it.
    """

    name: str
    text: str
    before_call: Sequence[Json]
    before_message: Sequence[Json] = ()

    def is_call(self, item: Json) -> bool:
        """Whether an item is this call, however the client wrote its arguments. Not all servers' ids are unique."""
        return item.get("name") == self.name and _same(_text(item), self.text)


def leads(output: Sequence[Any]) -> dict[str, Lead]:
    """The calls of an answer that reasoning led to, by the call id that comes back in the inner form.

    Of several calls only the first has it. Reasoning without content of any kind is nothing that could be sent back; of
    the rest the server has kept nothing that its id could name.
    """
    found: dict[str, Lead] = {}
    thoughts: list[Json] = []
    earlier: list[Json] = []
    for item in output:
        kind = item.get("type") if isinstance(item, dict) else None
        if kind == "reasoning":
            if item.get("encrypted_content") or item.get("content"):
                thoughts.append(nameless(item))
        elif kind == "message":
            earlier, thoughts = thoughts, []
        else:
            if _is_call(item) and (thoughts or earlier):
                lead = Lead(str(item.get("name")), _text(item), thoughts, earlier)
                found[wire_call_id(item["call_id"])] = lead
            earlier, thoughts = [], []
    return found


def calls(items: Sequence[Any]) -> list[str]:
    """The ids of calls that reasoning may be put before.

    None when the history has reasoning already: then its client keeps it itself. No id that two calls share.
    """
    counts: dict[str, int] = {}
    for item in items:
        if isinstance(item, dict) and item.get("type") == "reasoning":
            return []
        if _is_call(item):
            counts[item["call_id"]] = counts.get(item["call_id"], 0) + 1
    return [call_id for call_id, count in counts.items() if count == 1]


def restored(items: Sequence[Any], lead_of: Callable[[str], Lead | None]) -> list[Any]:
    """A new list with the reasoning before the calls it led to; the items themselves are the same objects.

    `lead_of` is asked for each of these ids.
    """
    made: list[Any] = []
    for item in items:
        lead = lead_of(item["call_id"]) if _is_call(item) else None
        if lead is not None and lead.is_call(item):
            if made and _is_answer(made[-1]):
                made[-1:] = [*lead.before_message, made[-1]]
            made += lead.before_call
        made.append(item)
    return made


def places(before: Sequence[Any], after: Sequence[Any]) -> tuple[int, ...]:
    """Where each item of `after` stood in `before`; what was put in counts as part of what it stands before."""
    following = 0
    found = []
    for item in after:
        found.append(following)
        following += item is before[following]
    return tuple(found)


def _is_call(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") in NAMED_CALLS and isinstance(item.get("call_id"), str)


def _is_answer(item: Any) -> bool:
    return isinstance(item, dict) and item.get("role") == "assistant"


def _text(item: Json) -> str:
    text = item.get("arguments" if item["type"] == "function_call" else "input")
    return text if isinstance(text, str) else ""


def _same(text: str, other: str) -> bool:
    """Whether two texts of arguments say the same: programs read them and write them anew."""
    if text == other:
        return True
    try:
        return bool(json.loads(text.encode()) == json.loads(other.encode()))
    except (ValueError, RecursionError):
        return False
