"""How an answer ends, in words that chat and legacy completions share (translation §2.6, §3.6)."""

from __future__ import annotations

from typing import Any, Literal

from gateway.core.failures import error_of, failure

Json = dict[str, Any]
Ending = Literal["stop", "length", "content_filter"]

_CUT: dict[str, Ending] = {"content_filter": "content_filter", "steered": "stop"}
_CUT_OFF = {"stream_incomplete": "upstream_stream_truncated"}
"""A stream without its end: the Responses word for it, and the one that other clients are told."""
_CANCELLED = {"code": "response_cancelled", "message": "The response was cancelled."}


def ending(response: Json) -> Ending:
    """Why the text of a response that is completed or incomplete ends where it does."""
    if response.get("status") != "incomplete":
        return "stop"
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return _CUT.get(str(reason), "length")


def error_object(event: Json) -> Json:
    """The error for a failed response (`{status, error}`) or an `error` event, nested or flat.

    `param` names a field of the inner request, which the client never sent: it is left out.
    """
    told = error_of(event)
    if told is None and event.get("status") == "cancelled":
        told = _CANCELLED
    error = failure(told).error_object()
    return {**error, "code": _CUT_OFF.get(error["code"], error["code"]), "param": None}
