"""Errors as HTTP answers in the OpenAI envelope."""

from __future__ import annotations

import math

from starlette.types import Send

from gateway.core import json
from gateway.errors import GatewayError, UpstreamRefusal

RawHeaders = list[tuple[bytes, bytes]]

_PATIENCE_SECONDS = 60
"""SDKs wait out a Retry-After of up to a minute (node) or two (python); beyond it a retry only burns attempts."""

_HOPELESS = frozenset({"insufficient_quota", "oauth_unavailable"})
"""Codes that a retry cannot cure: somebody has to pay, or to log in."""


def render_error(error: GatewayError) -> tuple[int, RawHeaders, bytes]:
    """Status, headers and body of an error.

    The body is `{"error": {message, type, code, param}}`, or the upstream's own bytes when it may be relayed as it is.
    429 and 503 also tell SDKs when, and whether, to come back (translation §8.3).
    """
    relayed = error.body if isinstance(error, UpstreamRefusal) else None
    body = json.dumps({"error": error.error_object()}) if relayed is None else relayed
    headers = {"content-type": "application/json"}
    headers.update((name.lower(), value) for name, value in error.headers.items())
    if error.status in (429, 503):
        _add_retry_advice(headers, error.code)
    headers["content-length"] = str(len(body))
    return error.status, [(name.encode("latin-1"), _header_value(value)) for name, value in headers.items()], body


async def send_error(send: Send, error: GatewayError) -> None:
    """Send a whole error answer. Nothing may have been sent before."""
    status, headers, body = render_error(error)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _add_retry_advice(headers: dict[str, str], code: str | None) -> None:
    """Give both spellings of the delay, and say when a retry is pointless. What the upstream said wins."""
    seconds = _number(headers.get("retry-after"))
    milliseconds = _number(headers.get("retry-after-ms"))
    if seconds is None and milliseconds is not None:
        seconds = milliseconds / 1000
        headers.setdefault("retry-after", str(math.ceil(seconds)))  # an HTTP date stays as it is
    elif seconds is not None:
        headers["retry-after"] = str(math.ceil(seconds))
        headers.setdefault("retry-after-ms", f"{seconds * 1000:.0f}")
    if code in _HOPELESS or (seconds is not None and seconds > _PATIENCE_SECONDS):
        headers.setdefault("x-should-retry", "false")


def _number(text: str | None) -> float | None:
    """A delay of zero or more; None for anything else, HTTP dates included."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _header_value(value: str) -> bytes:
    """One line of Latin-1, whatever a message or an upstream put into it."""
    return " ".join(value.splitlines()).encode("latin-1", "replace")
