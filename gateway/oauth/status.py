"""What is known of the login, without its tokens and without asking anybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from gateway.errors import OAuthUnavailable
from gateway.oauth.file import TokenFile, told
from gateway.oauth.token import fingerprint, write_time

Refresh = Literal["works", "untried", "failing", "dead", "none"]
_LOGIN = "Run `codex-gateway auth login`."
_NO_EXPIRY = (
    "Expiry unknown: neither the access token nor the file says when the token ends, so it may have ended already. If "
    f"requests are refused, log in again. {_LOGIN}"
)


@dataclass(frozen=True, slots=True)
class LoginStatus:
    """`refresh`: works (the last one did) · untried (none was needed yet) · failing (tried again later) · dead (needs a
    login) · none (no refresh token). `logged_in`: requests can be served now or after a refresh. `advice`: what to do,
    "" when all is well. `mode`: the file's permission bits. Times are Unix seconds."""

    logged_in: bool
    refresh: Refresh
    path: str
    mode: int | None
    advice: str = ""
    account_id: str = ""
    email: str = ""
    plan: str = ""
    expires_at: float | None = None
    last_refresh: float | None = None

    def document(self) -> dict[str, Any]:
        """As JSON: times as RFC 3339, the mode in octal."""
        return {
            "logged_in": self.logged_in,
            "account_id": self.account_id or None,
            "email": self.email or None,
            "plan": self.plan or None,
            "expires_at": write_time(self.expires_at),
            "last_refresh": write_time(self.last_refresh),
            "refresh": self.refresh,
            "file": self.path,
            "mode": None if self.mode is None else f"{self.mode:04o}",
            "advice": self.advice or None,
        }


def login_status(file: TokenFile, now: float) -> LoginStatus:
    """The state of the login in `file`. Never raises: a file that cannot be read is a login that does not work."""
    path, mode = str(file.path), file.mode()
    try:
        token = file.read()
    except OAuthUnavailable as error:
        return LoginStatus(False, "none", path, mode, told(error))
    if token is None:
        return LoginStatus(False, "none", path, mode, f"Nobody is logged in. {_LOGIN}")
    refresh: Refresh = "none"
    if token.refresh_token:
        refresh = "works" if token.refreshed else "untried"
    reason = _NO_EXPIRY if token.expires_at is None else ""
    mark = file.read_mark()
    if mark and token.refresh_token and mark.refresh_print == fingerprint(token.refresh_token):
        refresh = "dead" if mark.kind == "permanent" else "failing"
        if refresh == "dead":
            reason = f"The login cannot be refreshed: {mark.meaning()} ({mark.code}). {_LOGIN}"
        else:
            reason = f"The last refresh failed ({mark.code}); it is tried again by itself."
    valid = token.expires_at is None or token.expires_at > now
    logged_in = valid or refresh in ("works", "untried", "failing")
    if not logged_in and not reason:
        reason = f"The access token has expired and there is no refresh token. {_LOGIN}"
    about = token.about()
    return LoginStatus(
        logged_in,
        refresh,
        path,
        mode,
        " ".join(text for text in (reason, file.warning()) if text),
        about.account_id,
        about.email,
        about.plan,
        token.expires_at,
        token.last_refresh,
    )
