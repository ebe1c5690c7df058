"""Logins of other programs: Codex `auth.json`, the original codex-gateway, CLIProxyAPI (codex-upstream §3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.core import json
from gateway.oauth.endpoint import LoginFailed
from gateway.oauth.token import Token, read_time

_AN_API_KEY = (
    "holds an API key, not a ChatGPT login. Set upstream.mode to openai_api and upstream.api_key to the key, "
    "or log in with `codex-gateway auth login`."
)
_USE_LOGIN = "Log in with `codex-gateway auth login`."
_REFUSED = {
    "apikey": _AN_API_KEY,
    "chatgptAuthTokens": f"holds tokens that another program lends to Codex and that cannot be refreshed. {_USE_LOGIN}",
    "headers": f"holds ready-made headers, not a ChatGPT login. {_USE_LOGIN}",
    "agentIdentity": f"holds an agent identity, which is bound to Codex. {_USE_LOGIN}",
    "personalAccessToken": f"holds a personal access token, not a ChatGPT login. {_USE_LOGIN}",
    "bedrockApiKey": f"holds a Bedrock key, not a ChatGPT login. {_USE_LOGIN}",
}
_NOT_A_LOGIN = (
    "is no login this command knows: it reads Codex auth.json, oauth-token.json of codex-gateway and Codex files of "
    f"CLIProxyAPI. {_USE_LOGIN}"
)
_NO_ACCOUNT = (
    "names no ChatGPT account: its access_token is not one that ChatGPT issues (no account id can be read from it), "
    f"and there is no account_id beside it. Check that it is the whole, unchanged file. {_USE_LOGIN}"
)
MOVED = (
    "A refresh token has ONE owner: the first program that uses it makes it worthless for all others. It belongs to "
    "this gateway now; delete it in the other program (or log in there anew), or import again with --access-only."
)


def read_foreign(raw: bytes, *, access_only: bool, now: float) -> Token:
    """The login in another program's file.

    `access_only` leaves the refresh token to its owner: the login works until the access token ends.
    Raises LoginFailed; its message continues a sentence that begins with the file's name, and repeats no value.
    """
    try:
        document = json.loads(raw)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise LoginFailed(f"is not a JSON object. {_USE_LOGIN}", code="import_refused")
    mode = _mode(document)
    if mode not in (None, "chatgpt"):
        raise LoginFailed(
            _REFUSED.get(mode, f"has an auth_mode this command does not know. {_USE_LOGIN}"), code="import_refused"
        )
    token = _read(document, codex=mode is not None)
    if not access_only:
        return token
    if token.expires_at is not None and token.expires_at <= now:
        raise LoginFailed(
            f"has an access token that has expired, so importing it alone is of no use. {_USE_LOGIN}",
            code="import_refused",
        )
    return replace(token, refresh_token="")


def _mode(document: Mapping[str, Any]) -> str | None:
    """Codex's mode of an `auth.json`, worked out as Codex does; None for a flat file."""
    if not {"auth_mode", "tokens", "OPENAI_API_KEY", "personal_access_token", "bedrock_api_key"} & document.keys():
        return None
    if document.get("auth_mode") is not None:
        return str(document["auth_mode"])
    implied = {
        "personal_access_token": "personalAccessToken",
        "bedrock_api_key": "bedrockApiKey",
        "OPENAI_API_KEY": "apikey",
    }
    return next((mode for key, mode in implied.items() if document.get(key) is not None), "chatgpt")


def _read(document: Mapping[str, Any], *, codex: bool) -> Token:
    if codex:
        inner = document.get("tokens")
        flat: Mapping[str, Any] = inner if isinstance(inner, dict) else {}
    else:
        flat = document
        if document.get("type", "codex") != "codex":
            raise LoginFailed(f"is a login for another service. {_USE_LOGIN}", code="import_refused")
    try:
        token = Token.read(flat)
    except ValueError:
        raise LoginFailed(_NOT_A_LOGIN, code="import_refused") from None
    if not token.about().account_id:
        raise LoginFailed(_NO_ACCOUNT, code="import_refused")
    return replace(
        token,
        refreshed=False,
        expires_at=token.expires_at or read_time(document.get("expired")),
        last_refresh=read_time(document.get("last_refresh")) or token.last_refresh,
    )
