"""Error objects of upstreams → our errors: by code, then by type, then by words in the message.

The same objects come in HTTP bodies, in `error` events and in `response.error` (translation §2.7, codex-upstream §10).
Where HTTP itself says more (whole bodies, credentials, the edge), `upstreams.faults` has read it before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from gateway.errors import (
    GatewayError,
    UpstreamAuth,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamRefusal,
    UpstreamTimeout,
)

Json = dict[str, Any]

UNKNOWN_CODE = "server_error"
SHORT_SECONDS = 60
"""SDKs wait about so long by themselves; beyond it they must be told not to try."""
OVERLOAD_SECONDS = 5.0

NO_REASON = "The upstream reported a failure without a reason."

_SPELLINGS = {
    "invalid_request": "invalid_request_error",
    "not_found": "not_found_error",
    "too_many_requests": "rate_limit_error",
    "model_error": "server_error",
}
"""Open Responses' words for types → OpenAI's."""


class Row(NamedTuple):
    """What a family of codes means. `words` are looked for inside codes and types, `phrases` inside messages."""

    name: str
    status: int
    kind: str
    words: tuple[str, ...]
    phrases: tuple[str, ...] = ()


_QUOTA = Row(
    "quota",
    429,
    "insufficient_quota",
    ("insufficient_quota", "usage_limit_reached", "quota_exceeded", "billing_hard_limit"),
    ("usage limit has been reached", "exceeded your current quota"),
)
_PLAN = Row("plan", 403, "permission_error", ("usage_not_included",))
_RATE = Row(
    "rate",
    429,
    "rate_limit_error",
    ("rate_limit", "too_many_requests"),
    ("at capacity", "rate limit reached", "try again in "),
)
_CREDENTIALS = Row(
    "credentials", 502, "server_error", ("authentication", "invalid_api_key", "token_expired", "token_invalidated")
)
_OVERLOADED = Row(
    "overloaded", 503, "server_error", ("overloaded", "slow_down", "service_unavailable"), ("currently overloaded",)
)
_FORBIDDEN = Row("forbidden", 403, "permission_error", ("permission", "not_authorized", "unsupported_country"))
_INVALID = Row(
    "invalid",
    400,
    "invalid_request_error",
    (
        "policy",
        "data_residency_mismatch",
        "previous_response_not_found",
        "context_length_exceeded",
        "string_above_max_length",
        "invalid",
        "unsupported_",
        "image_",
    ),
    ("exceeds the context window", "does not represent a valid image"),
)
_MISSING = Row("missing", 404, "invalid_request_error", ("not_found",))
_TIMEOUT = Row("timeout", 504, "server_error", ("timeout",))
_CANCELLED = Row("cancelled", 400, "invalid_request_error", ("response_cancelled",))
_SERVER = Row("server", 502, "server_error", (UNKNOWN_CODE, "internal_error"))

_ROWS = (
    _QUOTA,
    _PLAN,
    _RATE,
    _CREDENTIALS,
    _OVERLOADED,
    _FORBIDDEN,
    _INVALID,
    _MISSING,
    _TIMEOUT,
    _CANCELLED,
    _SERVER,
)
"""The first row that knows a word counts."""

_BY_STATUS = {401: _CREDENTIALS, 403: _FORBIDDEN, 404: _MISSING, 429: _RATE, 503: _OVERLOADED, 504: _TIMEOUT}
_STRONGER_THAN_5XX = (_QUOTA, _RATE, _CREDENTIALS, _OVERLOADED, _TIMEOUT)
_WEAKER_THAN_4XX = (_OVERLOADED, _TIMEOUT, _SERVER)
_TRANSIENT = frozenset({None, 200, 500, 502, *range(520, 525)})

_DELAY = re.compile(r"try again in (\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|seconds?|m|minutes?)\b", re.IGNORECASE)
_UNITS = {"m": 60.0, "minute": 60.0, "minutes": 60.0, "ms": 0.001, "millisecond": 0.001, "milliseconds": 0.001}


def failure(
    error: Mapping[str, Any] | None,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    now: float = 0.0,
) -> GatewayError:
    """The error of our tree for an upstream's error object; the caller raises it.

    `status` and `headers` are those of the HTTP answer that carried the object, None and none inside a stream. `now` is
    Unix time, for limits that name the moment of their end. What the upstream advises on waiting is in the error's
    headers (`Retry-After`, `retry-after-ms`, `x-should-retry`), and `retryable` says whether waiting can help.
    """
    told = normal(error)
    row = _row(told, status)
    seconds = _delay(told, headers or {}, now)
    message, code, param = told["message"], told["code"], told["param"]
    if row is _CREDENTIALS:
        return UpstreamAuth("The upstream refused the gateway's own credentials.", detail=f"{code}: {message}")
    if row is _OVERLOADED:
        known = code if code and any(word in code for word in row.words) else None
        return UpstreamOverloaded(message, code=known, headers=_wait(seconds or OVERLOAD_SECONDS))
    if row is _TIMEOUT:
        late = UpstreamTimeout(message, code=_own_code(code))
        late.retryable = status == 504
        return late
    if row is _SERVER:
        broken = UpstreamError(message, code=_own_code(code), param=param)
        broken.retryable = status in _TRANSIENT and code in (None, UNKNOWN_CODE, "internal_error")
        return broken
    return UpstreamRefusal(
        message,
        status=status if status is not None and 400 <= status < 500 and row is not _PLAN else row.status,
        kind=told["type"] or row.kind,
        code=code,
        param=param,
        headers=_advice(row, code, seconds),
        retryable=row is _RATE and (seconds is None or seconds <= SHORT_SECONDS),
    )


def normal(error: Mapping[str, Any] | None) -> Json:
    """The object with `code`, `type`, `message` and `param` as OpenAI has them: text or null, a message always.

    A type that is really a code (`usage_limit_reached`) fills a missing code. Other fields stay.
    """
    error = error or {}
    code, kind = _text(error.get("code")), _text(error.get("type"))
    if code is None and kind is not None and _names_a_problem(kind):
        code = kind
    message = error.get("message")
    return {
        **error,
        "code": code,
        "type": _SPELLINGS.get(kind, kind) if kind else None,
        "message": message if isinstance(message, str) and message else NO_REASON,
        "param": _text(error.get("param")),
    }


def merge_errors(first: object, second: object) -> Json:
    """One error from two tellings of it, the more specific code first; its code and type are never null."""
    tellings = [normal(error) for error in (first, second) if isinstance(error, Mapping)] or [normal(None)]
    best = next((error for error in tellings if error["code"] not in (None, UNKNOWN_CODE)), tellings[0])
    return {**best, "code": best["code"] or UNKNOWN_CODE, "type": best["type"] or UNKNOWN_CODE}


def error_of(data: Mapping[str, Any]) -> Json | None:
    """The error object of an `error` event or an error body, nested or flat; None when there is none."""
    nested = data.get("error")
    if isinstance(nested, dict):
        return nested
    if isinstance(nested, str):
        return {"message": nested}
    flat = {name: data[name] for name in ("code", "message", "param") if data.get(name) is not None}
    return flat or None


def _row(told: Json, status: int | None) -> Row:
    row = _named_row(told)
    if status is None or status < 400:
        return row or _SERVER
    if row is None:
        return _BY_STATUS.get(status) or (_SERVER if status >= 500 else _INVALID)
    if status >= 500:
        return row if row in _STRONGER_THAN_5XX else _BY_STATUS.get(status, _SERVER)
    return _BY_STATUS.get(status, _INVALID) if row in _WEAKER_THAN_4XX else row


def _named_row(told: Json) -> Row | None:
    for name in (told["code"], told["type"]):
        row = next((row for row in _ROWS if name and any(word in name for word in row.words)), None)
        if row is not None and not (row is _SERVER and name == told["type"] and told["code"] is None):
            return row
    text = told["message"].lower()
    spoken = next((row for row in _ROWS if any(phrase in text for phrase in row.phrases)), None)
    return spoken or (_SERVER if told["type"] == UNKNOWN_CODE else None)


def _names_a_problem(kind: str) -> bool:
    return not kind.endswith("_error") and kind not in _SPELLINGS and kind != "error"


def _own_code(code: str | None) -> str | None:
    """None, for the class's own code, when the upstream's says no more than that something broke."""
    return None if code in (UNKNOWN_CODE, "internal_error") else code


def _text(value: object) -> str | None:
    """Codes and params as text: some servers send numbers."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value) or None


def _advice(row: Row, code: str | None, seconds: float | None) -> dict[str, str]:
    if row is _RATE:
        return _wait(seconds) if seconds is not None else {}
    if row is _QUOTA:
        short = seconds is not None and code != "insufficient_quota"
        return {**(_wait(seconds) if seconds is not None else {}), **({} if short else {"x-should-retry": "false"})}
    return {"x-should-retry": "false"} if row is _CANCELLED else {}


def _wait(seconds: float) -> dict[str, str]:
    """Whole seconds for HTTP, milliseconds for SDKs, and a clear no where waiting is beyond what SDKs do."""
    headers = {"Retry-After": str(math.ceil(seconds)), "retry-after-ms": str(math.ceil(seconds * 1000))}
    if seconds > SHORT_SECONDS:
        headers["x-should-retry"] = "false"
    return headers


def _delay(told: Json, headers: Mapping[str, str], now: float) -> float | None:
    """Seconds the upstream wants us to wait, from the surest source that names them (codex-upstream §10.2)."""
    lower = {name.lower(): value for name, value in headers.items()}
    sources = (
        _number(lower.get("retry-after-ms"), 0.001),
        _retry_after(lower.get("retry-after"), now),
        _number(told.get("resets_in_seconds")),
        _until(told.get("resets_at"), now),
        _window(lower),
        _spoken(told["message"]),
    )
    return next((seconds for seconds in sources if seconds is not None), None)


def _number(value: object, unit: float = 1.0) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value) * unit
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _until(moment: object, now: float) -> float | None:
    at = _number(moment)
    return max(0.0, at - now) if at is not None and now > 0 else None


def _retry_after(value: str | None, now: float) -> float | None:
    seconds = _number(value)
    if seconds is not None or not value:
        return seconds
    try:
        return _until(parsedate_to_datetime(value).timestamp(), now)
    except ValueError:
        return None


def _window(headers: Mapping[str, str]) -> float | None:
    """The rest of the plan window that is used up."""
    for slot in ("primary", "secondary"):
        used = _number(headers.get(f"x-codex-{slot}-used-percent"))
        if used is not None and used >= 100:
            return _number(headers.get(f"x-codex-{slot}-reset-after-seconds"))
    return None


def _spoken(message: str) -> float | None:
    found = _DELAY.search(message)
    return float(found[1]) * _UNITS.get(found[2].lower(), 1.0) if found else None
