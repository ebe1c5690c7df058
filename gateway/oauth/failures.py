"""What a refused or lost refresh means, and what is remembered of it (codex-upstream §4.3). Pure.

permanent   the refresh token is dead: only a new login helps, no further call is made with it
transient   the server or the network has trouble: the tokens are good, try again later
uncertain   the request went out and no readable answer came: the refresh token may be spent
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gateway.core import json

Kind = Literal["permanent", "transient", "uncertain"]

_MEANINGS = {
    "refresh_token_expired": "it has expired",
    "refresh_token_reused": "another program that shares this login has used its refresh token",
    "refresh_token_invalidated": "it was revoked",
    "invalid_grant": "the server no longer accepts its refresh token",
    "token_invalidated": "the server ended the session",
    "token_expired": "it has expired",
    "app_session_terminated": "the server ended the session",
    "account_session_expired": "the session has expired",
    "account_auth_invalidated": "the server ended the session",
    "account_deactivated": "the account is deactivated",
}
"""Codes that only a new login helps against."""

_CODE = re.compile(r"(?=.{1,64}$)(?:[a-z]+(?:_[a-z]+)*|http_\d{3})")
"""Words and underscores: nothing that could be a token, should a server repeat one."""
_FIRST_PAUSE: dict[Kind, float] = {"permanent": 0.0, "transient": 5.0, "uncertain": 30.0}
_LONGEST_PAUSE = 900.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a refresh gave no tokens. `code` is the server's code, or a word of ours; never text from the server."""

    kind: Kind
    code: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A failure as it is kept beside the token file, for all processes. `refresh_print` names the token it is about."""

    refresh_print: str
    kind: Kind
    code: str
    retry_at: float
    tries: int

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Mark:
        """From JSON. Raises ValueError when it is something else."""
        match document:
            case {
                "refresh_token_sha256": str(refresh_print),
                "kind": "permanent" | "transient" | "uncertain" as kind,
                "code": str(code),
                "retry_at": int() | float() as retry_at,
                "tries": int(tries),
            }:
                return cls(refresh_print, kind, clean_code(code), float(retry_at), tries)
        raise ValueError("not a refresh mark")

    def document(self) -> dict[str, Any]:
        return {
            "refresh_token_sha256": self.refresh_print,
            "kind": self.kind,
            "code": self.code,
            "retry_at": self.retry_at,
            "tries": self.tries,
        }

    def blocks(self, refresh_print: str, now: float) -> bool:
        """Whether a refresh with this token must not be tried at `now`."""
        if refresh_print != self.refresh_print:
            return False
        # A retry time beyond the longest pause was written by a clock that has since been set back.
        return self.kind == "permanent" or now < self.retry_at <= now + _LONGEST_PAUSE

    def meaning(self) -> str:
        """Half a sentence for people, without the code."""
        return _MEANINGS.get(self.code, "the server refused its refresh token")


def next_mark(previous: Mark | None, refresh_print: str, failure: Failure, now: float, jitter: float) -> Mark:
    """The mark after one more failure. Pauses double up to 15 minutes; `jitter` in 0..1 takes off up to half."""
    same = previous is not None and previous.refresh_print == refresh_print
    tries = (previous.tries if previous and same else 0) + 1
    pause = min(_FIRST_PAUSE[failure.kind] * 2 ** min(tries - 1, 16), _LONGEST_PAUSE)
    return Mark(refresh_print, failure.kind, failure.code, now + pause * (1 - jitter / 2), tries)


def classify(status: int, body: bytes) -> Failure:
    """The meaning of an answer that is not a 2xx."""
    code = error_code(body)
    if status == 429 or status >= 500:
        return Failure("transient", code or f"http_{status}")
    if 400 <= status < 500 and code in _MEANINGS:
        return Failure("permanent", code)
    if status == 401:
        return Failure("permanent", code or "http_401")
    return Failure("transient", code or f"http_{status}")


def error_code(body: bytes) -> str:
    """`error.code`, else `error` when it is text, else `code`; "" when the body has none that looks like a code."""
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(document, dict):
        return ""
    error = document.get("error")
    inner = error.get("code") if isinstance(error, dict) else error
    return next((clean for value in (inner, document.get("code")) if (clean := clean_code(value))), "")


def clean_code(value: object) -> str:
    """A code as it may be shown and logged; "" for text that is no code, which could repeat a secret."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""
