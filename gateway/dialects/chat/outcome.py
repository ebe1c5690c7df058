"""How an answer ends: the finish reason, or the error (translation §2.6, §3.6)."""

from __future__ import annotations

from typing import Any

from gateway.core.failures import error_of, failure
from gateway.dialects.chat.wishes import Wishes

Json = dict[str, Any]

_CUT = {"content_filter": "content_filter", "steered": "stop"}
_CUT_OFF = {"stream_incomplete": "upstream_stream_truncated"}
"""A stream without its end: the Responses word for it, and the one that chat clients are told."""
_CANCELLED = {"code": "response_cancelled", "message": "The response was cancelled."}


def finish_reason(response: Json, wishes: Wishes, *, calls: bool, stopped: bool) -> str:
    """The reason for a response that is completed or incomplete. `stopped`: a stop string was met.

    A cut answer is `length` even when it holds whole calls: nobody can tell whether the last one is whole.
    """
    if not stopped and response.get("status") == "incomplete":
        details = response.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return _CUT.get(str(reason), "length")
    if not calls:
        return "stop"
    return "function_call" if wishes.legacy_functions else "tool_calls"


def error_object(event: Json) -> Json:
    """The error for a failed response (`{status, error}`) or an `error` event, nested or flat.

    `param` names a field of the inner request, which the client never sent: it is left out.
    """
    told = error_of(event)
    if told is None and event.get("status") == "cancelled":
        told = _CANCELLED
    error = failure(told).error_object()
    return {**error, "code": _CUT_OFF.get(error["code"], error["code"]), "param": None}
