"""One login: the tokens, when they end, and their form on disk.

The file keeps the layout of the original codex-gateway (`access_token`, `refresh_token`, `token_type`, `scope`,
`expires_at` as RFC 3339) and adds `id_token`, `account_id`, `last_refresh` and `refreshed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from gateway.oauth.claims import Claims, read_claims, seconds

_GO_ZERO = "0001-01-01T00:00:00Z"
"""How the original writes "unknown"."""
_MILLISECONDS = 1e11
"""A larger number of seconds lies beyond the year 5000."""


@dataclass(frozen=True, slots=True)
class Token:
    """Tokens that were issued together. Times are Unix seconds; None is unknown. `refresh_token` may be ""."""

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    id_token: str = field(default="", repr=False)
    token_type: str = "Bearer"  # noqa: S105 - not a secret
    scope: str = ""
    expires_at: float | None = None
    account_id: str = ""
    last_refresh: float | None = None
    refreshed: bool = False
    """These tokens came from a refresh here, so refreshing is known to work."""

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Token:
        """From the file's JSON object. Raises ValueError, without any value in its text, when it holds no login."""
        access = _text(document, "access_token")
        if not access:
            raise ValueError("it has no access_token")
        claims = read_claims(access)
        return cls(
            access_token=access,
            refresh_token=_text(document, "refresh_token"),
            id_token=_text(document, "id_token"),
            token_type=_text(document, "token_type") or "Bearer",
            scope=_text(document, "scope"),
            expires_at=claims.expires_at or read_time(document.get("expires_at")),
            account_id=claims.account_id or _text(document, "account_id"),
            last_refresh=read_time(document.get("last_refresh")) or claims.issued_at,
            refreshed=document.get("refreshed") is True,
        )

    def document(self) -> dict[str, Any]:
        """The file's JSON object; `read` takes it back."""
        return {
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "token_type": self.token_type,
            "scope": self.scope,
            "expires_at": write_time(self.expires_at) or _GO_ZERO,
            "id_token": self.id_token,
            "account_id": self.account_id,
            "last_refresh": write_time(self.last_refresh),
            "refreshed": self.refreshed,
        }

    def renewed(self, reply: Mapping[str, Any], now: float) -> Token:
        """This login after a token endpoint's 2xx reply: what the reply leaves out keeps its old value (§4.1)."""
        access = _text(reply, "access_token")
        if not access:
            expires_at = self.expires_at
        else:
            lifetime = _lifetime(reply.get("expires_in"))
            expires_at = read_claims(access).expires_at or (now + lifetime if lifetime else None)
        token = replace(
            self,
            access_token=access or self.access_token,
            refresh_token=_text(reply, "refresh_token") or self.refresh_token,
            id_token=_text(reply, "id_token") or self.id_token,
            token_type=_text(reply, "token_type") or self.token_type,
            scope=_text(reply, "scope") or self.scope,
            expires_at=expires_at,
            last_refresh=now,
            refreshed=self.refreshed or bool(access and self.refresh_token),
        )
        return replace(token, account_id=read_claims(token.access_token).account_id or self.account_id)

    def about(self) -> Claims:
        """What both tokens say together; the access token, which is the one that is sent, goes first."""
        access, identity = read_claims(self.access_token), read_claims(self.id_token)
        return Claims(
            account_id=access.account_id or self.account_id or identity.account_id,
            email=access.email or identity.email,
            plan=access.plan or identity.plan,
            fedramp=access.fedramp or identity.fedramp,
            expires_at=self.expires_at,
            issued_at=access.issued_at,
        )


def fingerprint(secret: str) -> str:
    """A name for a secret that does not give it away."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def read_time(value: object) -> float | None:
    """RFC 3339 text, or Unix seconds or milliseconds, as Unix seconds; None for zero and for anything else."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            return seconds(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
        except (ValueError, OverflowError):
            return None
    if isinstance(value, int | float) and value > _MILLISECONDS:
        return seconds(value / 1000)
    return seconds(value)


def write_time(value: float | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC."""
    return None if value is None else datetime.fromtimestamp(value, UTC).isoformat().replace("+00:00", "Z")


def _text(document: Mapping[str, Any], key: str) -> str:
    """Text that can travel in a header; "" for anything else."""
    value = document.get(key)
    text = value.strip() if isinstance(value, str) else ""
    return text if text.isascii() and text.isprintable() else ""


def _lifetime(value: object) -> float | None:
    """`expires_in`, which some servers send as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        return seconds(int(value))
    return seconds(value)
