"""How a chat answer ends: the finish reason (translation §2.6)."""

from __future__ import annotations

from typing import Any

from gateway.core.outcome import ending
from gateway.dialects.chat.wishes import Wishes

Json = dict[str, Any]


def finish_reason(response: Json, wishes: Wishes, *, calls: bool, stopped: bool) -> str:
    """The reason for a response that is completed or incomplete. `stopped`: a stop string was met.

    A cut answer is `length` even when it holds whole calls: nobody can tell whether the last one is whole.
    """
    if not stopped and response.get("status") == "incomplete":
        return ending(response)
    if not calls:
        return "stop"
    return "function_call" if wishes.legacy_functions else "tool_calls"
