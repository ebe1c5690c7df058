"""What a refused refresh means, and how long it is remembered."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from gateway.oauth.failures import Failure, Kind, Mark, classify, next_mark

from .issuer import NOW

PERMANENT = [
    "refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated", "invalid_grant", "token_invalidated",
    "token_expired", "app_session_terminated", "account_session_expired", "account_auth_invalidated",
    "account_deactivated",
]  # fmt: skip
SHAPES = {
    "error.code": lambda code: {"error": {"message": "m", "type": "t", "code": code}},
    "error": lambda code: {"error": code, "error_description": "d"},
    "code": lambda code: {"code": code},
}


@pytest.mark.proves("OAUTH-failure-table")
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("code", PERMANENT)
def test_dead_refresh_tokens_are_permanent(code: str, status: int, shape: object) -> None:
    assert callable(shape)
    assert classify(status, json.dumps(shape(code)).encode()) == Failure("permanent", code)


@pytest.mark.proves("OAUTH-failure-table")
@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (401, b"", Failure("permanent", "http_401")),
        (401, b'{"detail":"Unauthorized"}', Failure("permanent", "http_401")),
        (401, b'{"error":{"code":"something_new"}}', Failure("permanent", "something_new")),
        (400, b'{"error":{"code":"something_new"}}', Failure("transient", "something_new")),
        (400, b"not json", Failure("transient", "http_400")),
        (403, b"<html>Just a moment...</html>", Failure("transient", "http_403")),
        (429, b'{"error":"invalid_grant"}', Failure("transient", "invalid_grant")),
        (500, b"[1]", Failure("transient", "http_500")),
        (503, b'{"error":{"code":"refresh_token_expired"}}', Failure("transient", "refresh_token_expired")),
        (302, b"", Failure("transient", "http_302")),
        (400, b'{"error":{"code":"eyJhbGciOiJub25lIn0"}}', Failure("transient", "http_400")),
    ],
)
def test_answers_of_the_token_endpoint(status: int, body: bytes, failure: Failure) -> None:
    assert classify(status, body) == failure


def test_a_permanent_failure_blocks_its_token_for_ever_and_no_other() -> None:
    mark = next_mark(None, "print", Failure("permanent", "refresh_token_expired"), NOW, 0.5)
    assert mark.blocks("print", NOW + 1e9)
    assert not mark.blocks("other", NOW)


@pytest.mark.proves("OAUTH-back-off")
@pytest.mark.parametrize(
    ("kind", "pauses"), [("transient", [5, 10, 20, 40]), ("uncertain", [30, 60, 120, 240])], ids=["transient", "lost"]
)
def test_pauses_double(kind: Kind, pauses: list[float]) -> None:
    mark, found = None, []
    for _ in pauses:
        mark = next_mark(mark, "print", Failure(kind, "http_500"), NOW, 0.0)
        found.append(mark.retry_at - NOW)
    assert found == pauses


@pytest.mark.proves("OAUTH-back-off")
@given(st.integers(0, 10_000), st.floats(0, 1), st.sampled_from(["transient", "uncertain"]))
@limits(max_examples=100)
def test_pauses_are_bounded(tries: int, jitter: float, kind: Kind) -> None:
    mark = next_mark(Mark("print", kind, "x", NOW, tries), "print", Failure(kind, "x"), NOW, jitter)
    assert 2.5 <= mark.retry_at - NOW <= 900
    assert mark.blocks("print", NOW)
    assert not mark.blocks("print", mark.retry_at)


def test_a_clock_that_was_set_back_does_not_block_for_long() -> None:
    assert not Mark("print", "transient", "http_500", NOW + 10_000, 1).blocks("print", NOW)


def test_a_mark_is_read_back_and_anything_else_refused() -> None:
    mark = Mark("print", "uncertain", "timeout", NOW + 30.5, 2)
    assert Mark.read(mark.document()) == mark
    for wrong in ({}, {**mark.document(), "kind": "other"}, {**mark.document(), "retry_at": "x"}):
        with pytest.raises(ValueError, match="mark"):
            Mark.read(wrong)
