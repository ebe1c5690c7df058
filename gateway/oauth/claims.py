"""What the tokens of a login say. Signatures are not checked: the tokens come from the issuer itself over TLS, and
nothing is decided by a claim that the issuer would not check again (codex-upstream §1.4)."""

from __future__ import annotations

import binascii
import math
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Any

from gateway.core import json

_AUTH = "https://api.openai.com/auth"
_PROFILE = "https://api.openai.com/profile"
_LATEST = 253402300799.0  # the year 9999: later dates cannot be written


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims of one token; "" and None where it has none. Times are Unix seconds."""

    account_id: str = ""
    email: str = ""
    plan: str = ""
    fedramp: bool = False
    expires_at: float | None = None
    issued_at: float | None = None


def read_claims(token: str) -> Claims:
    """The claims of a JWT. Never raises: an opaque or damaged token has no claims."""
    body = _payload(token)
    auth, profile = _object(body.get(_AUTH)), _object(body.get(_PROFILE))
    organizations = body.get("organizations")
    first = _object(organizations[0]) if isinstance(organizations, list) and organizations else {}
    return Claims(
        account_id=_first(auth.get("chatgpt_account_id"), body.get("chatgpt_account_id"), first.get("id")),
        email=_first(body.get("email"), profile.get("email")),
        plan=_first(auth.get("chatgpt_plan_type")),
        fedramp=auth.get("chatgpt_account_is_fedramp") is True,
        expires_at=seconds(body.get("exp")),
        issued_at=seconds(body.get("iat")),
    )


def seconds(value: object) -> float | None:
    """A positive number of seconds that a calendar can show, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 < value <= _LATEST else None


def _payload(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        raw = urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return _object(json.loads(raw))
    except (ValueError, binascii.Error):
        return {}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(*values: object) -> str:
    """The first value that is text with something in it. Control characters never reach a header or a terminal."""
    for value in values:
        if isinstance(value, str) and value.strip():
            return "".join(letter for letter in value.strip() if letter.isprintable())
    return ""
