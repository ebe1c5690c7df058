"""How a chat server's answer ends: by a finish reason, or by an error in one of many forms (translation §5.6, §5.7)."""

from __future__ import annotations

from typing import Any, NamedTuple

from gateway.core.failures import UNKNOWN_CODE, error_of, merge_errors
from gateway.core.frames import Frame

Json = dict[str, Any]


class Outcome(NamedTuple):
    """The status of a response, and for an incomplete one the reason."""

    status: str
    reason: str | None = None


COMPLETED = Outcome("completed")
CUT = Outcome("incomplete", "max_output_tokens")
FILTERED = Outcome("incomplete", "content_filter")
FAILED = Outcome("failed")

_OUTCOMES = {
    "length": CUT,
    "max_tokens": CUT,
    "model_length": CUT,  # Mistral: the context window is full
    "content_filter": FILTERED,
    "safety": FILTERED,
    "recitation": FILTERED,
    "blocklist": FILTERED,
    "prohibited_content": FILTERED,
    "sensitive": FILTERED,  # GLM
    "error": FAILED,
    "abort": FAILED,  # vLLM, SGLang: the engine gave the request up
    "network_error": FAILED,  # GLM
    "insufficient_system_resource": FAILED,  # DeepSeek
}


def outcome_of(reason: str) -> Outcome:
    """What a finish reason means. A word nobody has told us about is one more way to say *stop*."""
    known = _OUTCOMES.get(reason.lower())
    if known is None:
        return FAILED if "malformed" in reason.lower() else COMPLETED  # Gemini: a call that it could not write down
    return known


_CODES = {
    401: "invalid_api_key",
    402: "insufficient_quota",
    403: "permission_denied",
    404: "not_found",
    408: "timeout",
    429: "rate_limit_exceeded",
    503: "service_unavailable",
    504: "timeout",
    529: "overloaded",
}
"""Servers that give an HTTP status for a code → the word for it that `core.failures` reads."""


_OVERFLOW = ("context length", "context size", "context window")


def error_in(frame: Frame, chunk: Json) -> Json | None:
    """The error that a chunk tells; None for any other chunk.

    It stands under `error`, or is the chunk itself: by its event name (LM Studio) or its `object` (vLLM).
    """
    told = chunk.get("error")
    if told:
        return told if isinstance(told, dict) else {"message": str(told)}
    if frame.type == "error" or chunk.get("object") == "error":
        return error_of({name: value for name, value in chunk.items() if name != "error"}) or {}
    return None


def failure_object(told: Json) -> Json:
    """The error for the events of a failed response: type, code, message, param.

    `param` would name a field of the chat request, which the client never sent.
    """
    error = merge_errors({**told, "code": _word(told.get("code"))}, None)
    code, kind, message = error["code"], error["type"], error["message"]
    if code == UNKNOWN_CODE:
        kind = UNKNOWN_CODE
    elif code == "invalid_request" and any(words in message.lower() for words in _OVERFLOW):
        code = "context_length_exceeded"  # clients that see this word make their history shorter
    return {"type": kind, "code": code, "message": message, "param": None}


def _word(code: object) -> object:
    """A code in a word, where it is an HTTP status."""
    text = str(code)
    if not (text.isascii() and text.isdigit() and len(text) == 3):
        return code
    return _CODES.get(int(text)) or ("invalid_request" if text.startswith("4") else UNKNOWN_CODE)
