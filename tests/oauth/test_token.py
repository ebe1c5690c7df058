"""Claims and the form of a login on disk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from gateway.oauth.claims import Claims, read_claims
from gateway.oauth.token import Token, read_time, write_time

from .issuer import NOW, jwt


def test_claims_of_an_access_token() -> None:
    token = jwt(NOW, iat=NOW - 1)
    assert read_claims(token) == Claims("acct-1", "ada@example.com", "pro", False, NOW, NOW - 1)


@pytest.mark.parametrize(
    ("claims", "account"),
    [
        ({"chatgpt_account_id": "top"}, "top"),
        ({"organizations": [{"id": "org-1"}]}, "org-1"),
        ({"organizations": []}, ""),
        ({"organizations": "x"}, ""),
        ({"chatgpt_account_id": 7}, ""),
        ({"chatgpt_account_id": "a\r\nb"}, "ab"),
    ],
)
def test_account_falls_back_to_other_claims(claims: dict[str, object], account: str) -> None:
    token = jwt(None, name="a", account="", **{"https://api.openai.com/auth": None}, **claims)
    assert read_claims(token).account_id == account


@given(st.one_of(st.text(), st.text(alphabet=".eyJ09=-_\x00", max_size=60)))
@limits(max_examples=200)
def test_no_text_breaks_the_reading_of_claims(text: str) -> None:
    read_claims(text)


@pytest.mark.parametrize("exp", ["soon", True, -1, 0, 1e300, None, [], {}], ids=repr)
def test_an_unreadable_end_is_unknown(exp: object) -> None:
    assert read_claims(jwt(None, exp=exp)).expires_at is None


@pytest.mark.proves("OAUTH-file-layout")
def test_the_originals_file_is_read() -> None:
    document = {
        "access_token": "opaque",
        "refresh_token": "r",
        "token_type": "bearer",
        "scope": "openid",
        "expires_at": "2026-11-21T01:02:03.123456789+01:00",
    }
    assert Token.read(document) == Token("opaque", "r", "", "bearer", "openid", 1795219323.123456)


@pytest.mark.proves("OAUTH-file-layout")
def test_the_originals_zero_time_is_unknown() -> None:
    token = Token.read({"access_token": "opaque", "refresh_token": "r", "expires_at": "0001-01-01T00:00:00Z"})
    assert token.expires_at is None
    assert token.document()["expires_at"] == "0001-01-01T00:00:00Z"


@pytest.mark.proves("OAUTH-file-layout")
def test_the_file_keeps_the_originals_keys_and_adds_ours() -> None:
    access = jwt(NOW)
    token = Token(access, "r", "i", "Bearer", "openid", NOW, "acct-1", NOW - 5)
    assert token.document() == {
        "access_token": access,
        "refresh_token": "r",
        "token_type": "Bearer",
        "scope": "openid",
        "expires_at": write_time(NOW),
        "id_token": "i",
        "account_id": "acct-1",
        "last_refresh": write_time(NOW - 5),
        "refreshed": False,
    }


printable = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1)
moments = st.none() | st.integers(1, 4_000_000_000).map(float)


@given(
    st.builds(
        Token,
        printable.filter(lambda text: "." not in text),
        printable,
        printable,
        printable,
        printable,
        moments,
        printable,
        moments,
        st.booleans(),
    )
)
@limits(max_examples=100)
def test_what_is_written_is_read_back(token: Token) -> None:
    assert Token.read(token.document()) == token


@pytest.mark.parametrize("value", [None, "", 7, "line\nbreak", "\ud83d", "ключ"], ids=ascii)
def test_text_that_cannot_travel_in_a_header_is_no_token(value: object) -> None:
    with pytest.raises(ValueError, match="access_token"):
        Token.read({"access_token": value})


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (NOW, NOW),
        (NOW * 1000, NOW),
        ("2026-11-21T01:02:03Z", 1795222923.0),
        ("2026-11-21T01:02:03", 1795222923.0),
        (0, None),
        ("", None),
        ("tomorrow", None),
        (None, None),
        (True, None),
    ],
    ids=repr,
)
def test_times_of_other_programs(value: object, seconds: float | None) -> None:
    assert read_time(value) == seconds


OLD = Token("old", "r0", "i0", "Bearer", "openid", NOW, "acct-1", NOW - 10)


@pytest.mark.proves("OAUTH-partial-reply")
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"access_token": "new"}, Token("new", "r0", "i0", "Bearer", "openid", None, "acct-1", NOW, True)),
        (
            {"access_token": "new", "refresh_token": "", "id_token": None, "expires_in": "60"},
            Token("new", "r0", "i0", "Bearer", "openid", NOW + 60, "acct-1", NOW, True),
        ),
        ({"refresh_token": "r1"}, Token("old", "r1", "i0", "Bearer", "openid", NOW, "acct-1", NOW)),
    ],
    ids=["access only", "empty and null", "no access token"],
)
def test_what_a_reply_leaves_out_keeps_its_old_value(reply: dict[str, object], expected: Token) -> None:
    assert OLD.renewed(reply, NOW) == expected


@pytest.mark.parametrize("refresh", ["", " ", "\t\n ", None, 7], ids=ascii)
def test_a_refresh_token_of_nothing_but_spaces_is_none(refresh: object) -> None:
    assert Token.read({"access_token": "opaque", "refresh_token": refresh}) == Token("opaque")
    assert OLD.renewed({"access_token": "new", "refresh_token": refresh}, NOW).refresh_token == "r0"


def test_a_refresh_is_known_to_work_after_one_and_not_after_a_login() -> None:
    login = Token("").renewed({"access_token": "a", "refresh_token": "r"}, NOW)
    renewed = login.renewed({"access_token": "b"}, NOW)
    assert (login.refreshed, renewed.refreshed) == (False, True)
    assert renewed.renewed({"refresh_token": "half a reply"}, NOW).refreshed


def test_the_end_in_the_token_goes_before_expires_in() -> None:
    assert OLD.renewed({"access_token": jwt(NOW + 5), "expires_in": 3600}, NOW).expires_at == NOW + 5


def test_secrets_stay_out_of_the_representation() -> None:
    assert repr(OLD) == (
        f"Token(token_type='Bearer', scope='openid', expires_at={NOW}, account_id='acct-1', last_refresh={NOW - 10}, "
        "refreshed=False)"
    )
