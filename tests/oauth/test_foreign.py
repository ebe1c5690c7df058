"""Logins of other programs, and what is refused with which advice."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gateway.oauth.endpoint import LoginFailed
from gateway.oauth.foreign import read_foreign
from gateway.oauth.token import Token, write_time

from .issuer import NOW, jwt

ACCESS = jwt(NOW + 3600, iat=NOW - 9)
ID = jwt(NOW + 3600, name="id", email="ada@example.com")
TOKENS = {"id_token": ID, "access_token": ACCESS, "refresh_token": "refresh-0", "account_id": "acct-1"}
LAST = write_time(NOW - 100)
CODEX = Token(ACCESS, "refresh-0", ID, expires_at=NOW + 3600, account_id="acct-1", last_refresh=NOW - 100)
ENDLESS = jwt(None)
PLAIN = Token(ENDLESS, "refresh-0", expires_at=NOW + 60, account_id="acct-1")
OPAQUE = Token("opaque", "refresh-0", expires_at=NOW + 60, account_id="acct-7")

SHAPES: dict[str, tuple[dict[str, object], Token]] = {
    "codex": (
        {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": TOKENS, "last_refresh": LAST},
        CODEX,
    ),
    "codex without a mode": ({"OPENAI_API_KEY": None, "tokens": TOKENS, "last_refresh": LAST}, CODEX),
    "codex with a key beside": (
        {"auth_mode": "chatgpt", "OPENAI_API_KEY": "sk-x", "tokens": TOKENS, "last_refresh": LAST, "new": {}},
        CODEX,
    ),
    "codex without an account": (
        {"auth_mode": "chatgpt", "tokens": {**TOKENS, "account_id": None}, "last_refresh": LAST},
        CODEX,
    ),
    "only tokens": (
        {"tokens": {"access_token": ACCESS, "refresh_token": "refresh-0"}},
        Token(ACCESS, "refresh-0", expires_at=NOW + 3600, account_id="acct-1", last_refresh=NOW - 9),
    ),
    "the original codex-gateway": (
        {"access_token": ENDLESS, "refresh_token": "refresh-0", "expires_at": write_time(NOW + 60)},
        PLAIN,
    ),
    "codex, opaque": (
        {"tokens": {"access_token": "opaque", "refresh_token": "refresh-0", "account_id": "acct-7"}},
        replace(OPAQUE, expires_at=None),
    ),
    "codex, opaque, the account in the id token": (
        {"tokens": {"access_token": "opaque", "refresh_token": "refresh-0", "id_token": ID}},
        Token("opaque", "refresh-0", ID),
    ),
    "CLIProxyAPI": (
        {**TOKENS, "email": "a@b.c", "type": "codex", "expired": write_time(NOW + 3600), "last_refresh": LAST},
        CODEX,
    ),
    "CLIProxyAPI, opaque": (
        {
            "access_token": "opaque",
            "refresh_token": "refresh-0",
            "account_id": "acct-7",
            "type": "codex",
            "expired": write_time(NOW + 60),
        },
        OPAQUE,
    ),
    "our own": (CODEX.document(), CODEX),
    "our own, refreshed where it comes from": (replace(CODEX, refreshed=True).document(), CODEX),
    "a refresh token of spaces": (
        {**TOKENS, "refresh_token": " \n", "last_refresh": LAST},
        replace(CODEX, refresh_token=""),
    ),
}  # fmt: skip


@pytest.mark.proves("OAUTH-import")
@pytest.mark.parametrize(("document", "token"), SHAPES.values(), ids=SHAPES)
def test_logins_that_are_taken_over(document: dict[str, object], token: Token) -> None:
    assert read_foreign(json.dumps(document).encode(), access_only=False, now=NOW) == token


REFUSED: dict[str, tuple[object, str]] = {
    "API key": ({"auth_mode": "apikey", "OPENAI_API_KEY": "SECRET"}, "upstream.api_key"),
    "API key without a mode": ({"OPENAI_API_KEY": "SECRET", "tokens": TOKENS}, "upstream.api_key"),
    "lent tokens": ({"auth_mode": "chatgptAuthTokens", "tokens": TOKENS}, "lends to Codex"),
    "headers": ({"auth_mode": "headers"}, "headers"),
    "agent identity": ({"auth_mode": "agentIdentity", "agent_identity": "SECRET"}, "agent identity"),
    "personal access token": ({"personal_access_token": "at-SECRET"}, "personal access token"),
    "bedrock": ({"bedrock_api_key": {"key": "SECRET"}, "OPENAI_API_KEY": None}, "Bedrock"),
    "unknown mode": ({"auth_mode": "SECRET"}, "auth_mode"),
    "mode of another type": ({"auth_mode": ["SECRET"]}, "auth_mode"),
    "no tokens": ({"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": None}, "no login"),
    "no access token": ({"refresh_token": "SECRET"}, "no login"),
    "garbage": ({"access_token": "SECRET", "refresh_token": "SECRET"}, "names no ChatGPT account"),
    "garbage in auth.json": ({"tokens": {"access_token": "SECRET"}}, "names no ChatGPT account"),
    "a JWT that names no account": ({"access_token": jwt(NOW, account="")}, "names no ChatGPT account"),
    "a blank account": ({"access_token": "SECRET", "account_id": " "}, "names no ChatGPT account"),
    "another service": ({"type": "claude", "access_token": "SECRET"}, "another service"),
    "a list": (["SECRET"], "not a JSON object"),
}


@pytest.mark.proves("OAUTH-import")
@pytest.mark.parametrize(("document", "text"), REFUSED.values(), ids=REFUSED)
def test_files_that_are_refused_with_the_way_on(document: object, text: str) -> None:
    with pytest.raises(LoginFailed) as refused:
        read_foreign(json.dumps(document).encode(), access_only=False, now=NOW)
    assert text in refused.value.message
    assert "auth login" in refused.value.message
    assert "SECRET" not in refused.value.message


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(LoginFailed, match="JSON"):
        read_foreign(b"SECRET", access_only=False, now=NOW)


@pytest.mark.proves("OAUTH-access-only")
def test_the_refresh_token_can_stay_with_its_owner() -> None:
    token = read_foreign(json.dumps({"tokens": TOKENS}).encode(), access_only=True, now=NOW)
    assert (token.access_token, token.refresh_token) == (ACCESS, "")


@pytest.mark.proves("OAUTH-access-only")
def test_an_ended_access_token_alone_is_refused() -> None:
    with pytest.raises(LoginFailed, match="expired"):
        read_foreign(json.dumps({"tokens": TOKENS}).encode(), access_only=True, now=NOW + 3600)
