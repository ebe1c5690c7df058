"""How an answer ends: the finish reason, or the error (translation §2.6, §2.7, §3.6)."""

from __future__ import annotations

from typing import Any

from gateway.dialects.chat.wishes import Wishes

Json = dict[str, Any]

_CUT = {"content_filter": "content_filter", "steered": "stop"}
# Words of an error code, and the error type that SDKs know for it; the first that fits.
_TYPES = (
    (("insufficient_quota",), "insufficient_quota"),
    (("rate_limit", "usage_limit", "too_many_requests", "quota"), "rate_limit_error"),
    (("permission", "not_authorized", "unsupported_country"), "permission_error"),
    (
        ("overloaded", "slow_down", "timeout", "server_error", "authentication", "api_key", "token_expired"),
        "server_error",
    ),
    (("invalid", "unsupported", "context_length", "policy", "image", "not_found", "mismatch"), "invalid_request_error"),
)


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


def failure(event: Json) -> Json:
    """The error object for a failed response (`{status, error}`) or an `error` event, nested or flat."""
    nested = event.get("error")
    error = {**event, **nested} if isinstance(nested, dict) else event
    code = error.get("code")
    code = str(code) if code is not None else "response_cancelled" if event.get("status") == "cancelled" else None
    message = error.get("message") or (nested if isinstance(nested, str) else None)
    kind = nested.get("type") if isinstance(nested, dict) else None
    return {
        "message": str(message or "The upstream reported a failure without saying which."),
        "type": kind if isinstance(kind, str) else _type_for(code or ""),
        "param": None,
        "code": code or "server_error",
    }


def _type_for(code: str) -> str:
    for words, kind in _TYPES:
        if any(word in code for word in words):
            return kind
    return "invalid_request_error" if code == "response_cancelled" else "server_error"
