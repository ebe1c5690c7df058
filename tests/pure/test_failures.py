"""Error objects of upstreams, by code, by type and by words, as our errors."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.failures import error_of, failure, merge_errors, normal
from gateway.errors import (
    UpstreamAuth,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamRefusal,
    UpstreamTimeout,
)

Json = dict[str, Any]


@pytest.mark.proves("CASE-67", "FAILURE-codes")
@pytest.mark.parametrize(
    ("code", "status", "kind", "retryable"),
    [
        ("rate_limit_exceeded", 429, "rate_limit_error", True),
        ("too_many_requests", 429, "rate_limit_error", True),
        ("insufficient_quota", 429, "insufficient_quota", False),
        ("usage_limit_reached", 429, "insufficient_quota", False),
        ("usage_not_included", 403, "permission_error", False),
        ("invalid_prompt", 400, "invalid_request_error", False),
        ("context_length_exceeded", 400, "invalid_request_error", False),
        ("unsupported_value", 400, "invalid_request_error", False),
        ("invalid_image_format", 400, "invalid_request_error", False),
        ("image_too_large", 400, "invalid_request_error", False),
        ("unsupported_image_media_type", 400, "invalid_request_error", False),
        ("bio_policy", 400, "invalid_request_error", False),
        ("cyber_policy", 400, "invalid_request_error", False),
        ("misalignment_policy_violation", 400, "invalid_request_error", False),
        ("image_content_policy_violation", 400, "invalid_request_error", False),
        ("data_residency_mismatch", 400, "invalid_request_error", False),
        ("previous_response_not_found", 400, "invalid_request_error", False),
        ("insufficient_permissions", 403, "permission_error", False),
        ("not_authorized_in_region", 403, "permission_error", False),
        ("unsupported_country_region_territory", 403, "permission_error", False),
        ("model_not_found", 404, "invalid_request_error", False),
        ("response_cancelled", 400, "invalid_request_error", False),
    ],
)
def test_a_code_inside_a_stream_decides(code: str, status: int, kind: str, retryable: bool) -> None:
    error = failure({"code": code, "message": "Words."})
    assert isinstance(error, UpstreamRefusal)
    assert (error.status, error.type, error.code, error.message, error.retryable) == (
        status,
        kind,
        code,
        "Words.",
        retryable,
    )


@pytest.mark.proves("FAILURE-codes")
@pytest.mark.parametrize("code", ["authentication_error", "invalid_api_key", "token_expired"])
def test_a_problem_with_our_credentials_is_never_the_clients(code: str) -> None:
    error = failure({"code": code, "message": "Bad key sk-abc."})
    assert (type(error), error.status, error.code) == (UpstreamAuth, 502, "upstream_auth")
    assert "sk-abc" not in error.message


@pytest.mark.proves("FAIL-22")
@pytest.mark.parametrize("code", ["server_is_overloaded", "slow_down", "overloaded_error"])
def test_an_overload_says_when_to_come_back(code: str) -> None:
    error = failure({"code": code, "message": "Busy."})
    assert (type(error), error.status, error.code, error.retryable) == (UpstreamOverloaded, 503, code, True)
    assert error.headers == {"Retry-After": "5", "retry-after-ms": "5000"}


def test_an_overload_told_by_its_type_alone() -> None:
    error = failure({"code": None, "type": "service_unavailable_error", "message": "Busy."})
    assert (error.status, error.code) == (503, "server_is_overloaded")


def test_a_timeout_of_the_upstream_is_a_504() -> None:
    error = failure({"code": "vector_store_timeout", "message": "Late."})
    assert (type(error), error.status, error.code, error.retryable) == (
        UpstreamTimeout,
        504,
        "vector_store_timeout",
        False,
    )


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (None, "upstream_error", True),
        ({}, "upstream_error", True),
        ({"code": "server_error", "message": "x"}, "upstream_error", True),
        ({"type": "server_error", "message": "x"}, "upstream_error", True),
        ({"code": "upstream_bad_event", "message": "x"}, "upstream_bad_event", False),
        ({"code": "brand_new", "message": "x"}, "brand_new", False),
    ],
)
def test_what_nobody_knows_is_the_upstreams_error(error: Json | None, code: str, retryable: bool) -> None:
    found = failure(error)
    assert (type(found), found.status, found.code, found.retryable) == (UpstreamError, 502, code, retryable)
    assert found.message


@pytest.mark.proves("FAILURE-words")
@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("Selected model is at capacity. Please try a different model.", 429),
        ("Our servers are currently overloaded. Please try again later.", 503),
        ("Your input exceeds the context window of this model.", 400),
        ("The usage limit has been reached", 429),
        ("The image data you provided does not represent a valid image", 400),
    ],
)
@pytest.mark.parametrize("code", [None, "server_error", "odd"])
def test_without_a_telling_code_the_words_decide(message: str, status: int, code: str | None) -> None:
    expected = 502 if code == "server_error" else status
    assert failure({"code": code, "message": message}).status == expected


@pytest.mark.proves("FAILURE-delay")
@pytest.mark.parametrize(
    ("error", "headers", "delay", "retryable"),
    [
        pytest.param({"message": "Please try again in 11.054s."}, {}, ("12", "11054"), True, id="words, seconds"),
        pytest.param({"message": "Please try again in 250ms."}, {}, ("1", "250"), True, id="words, milliseconds"),
        pytest.param({"message": "Please try again in 2 minutes."}, {}, ("120", "120000"), False, id="words, minutes"),
        pytest.param({"resets_in_seconds": 30}, {}, ("30", "30000"), True, id="seconds"),
        pytest.param({"resets_at": 1030}, {}, ("30", "30000"), True, id="moment"),
        pytest.param({"resets_at": 900}, {}, ("0", "0"), True, id="moment gone by"),
        pytest.param({}, {"Retry-After": "7"}, ("7", "7000"), True, id="header"),
        pytest.param(
            {}, {"retry-after-ms": "1500", "retry-after": "9"}, ("2", "1500"), True, id="header, milliseconds"
        ),
        pytest.param({}, {"Retry-After": "Thu, 01 Jan 1970 00:17:00 GMT"}, ("20", "20000"), True, id="header, date"),
        pytest.param(
            {},
            {"x-codex-primary-used-percent": "100", "x-codex-primary-reset-after-seconds": "40"},
            ("40", "40000"),
            True,
            id="window",
        ),
        pytest.param(
            {},
            {"x-codex-primary-used-percent": "3", "x-codex-secondary-used-percent": "100"},
            None,
            True,
            id="window without its end",
        ),
        pytest.param({}, {"Retry-After": "soon"}, None, True, id="nonsense"),
        pytest.param({"resets_in_seconds": "inf", "resets_at": True}, {}, None, True, id="no number"),
        pytest.param({}, {}, None, True, id="none"),
    ],
)
def test_the_upstreams_advice_on_waiting(
    error: Json, headers: dict[str, str], delay: tuple[str, str] | None, retryable: bool
) -> None:
    found = failure({"code": "rate_limit_exceeded", **error}, headers=headers, now=1000.0)
    expected = {} if delay is None else {"Retry-After": delay[0], "retry-after-ms": delay[1]}
    if not retryable:
        expected["x-should-retry"] = "false"
    assert (found.headers, found.retryable) == (expected, retryable)


def test_a_moment_means_nothing_without_a_clock() -> None:
    assert failure({"code": "rate_limit_exceeded", "resets_at": 5}).headers == {}


@pytest.mark.proves("FAILURE-plan-limit")
def test_a_plan_limit_names_its_end_and_stops_sdks_from_trying() -> None:
    body = {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": "plus",
        "resets_at": 1788452827,
        "resets_in_seconds": 12345,
    }
    error = failure(body, status=429)
    assert (error.status, error.type, error.code, error.retryable) == (
        429,
        "usage_limit_reached",
        "usage_limit_reached",
        False,
    )
    assert error.headers == {"Retry-After": "12345", "retry-after-ms": "12345000", "x-should-retry": "false"}
    soon = failure({**body, "resets_in_seconds": 20}, status=429)
    assert soon.headers == {"Retry-After": "20", "retry-after-ms": "20000"}


@pytest.mark.parametrize("seconds", [None, 5])
def test_a_used_up_quota_is_never_worth_another_try(seconds: int | None) -> None:
    error = failure({"code": "insufficient_quota", "message": "x", "resets_in_seconds": seconds})
    assert error.headers["x-should-retry"] == "false"


def test_a_cancelled_response_is_not_tried_again() -> None:
    assert failure({"code": "response_cancelled", "message": "x"}).headers == {"x-should-retry": "false"}


@pytest.mark.proves("FAILURE-http", "CASE-144")
@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (400, {"message": "x", "type": "invalid_request_error", "param": "a", "code": None}, (400, None)),
        (422, {"message": "x", "code": "invalid_value"}, (422, "invalid_value")),
        (400, {"message": "x", "code": "odd"}, (400, "odd")),
        (429, {"message": "x", "code": "slow_down"}, (429, "slow_down")),
        (429, {"message": "x"}, (429, None)),
        (401, {"message": "x"}, (502, "upstream_auth")),
        (403, {"message": "x"}, (403, None)),
        (404, {"message": "x"}, (404, None)),
        (429, {"message": "x", "code": "usage_not_included"}, (403, "usage_not_included")),
        (500, {"message": "x", "code": "invalid_odd"}, (502, "invalid_odd")),
        (500, None, (502, "upstream_error")),
        (503, None, (503, "server_is_overloaded")),
        (504, None, (504, "upstream_timeout")),
        (500, {"message": "x", "code": "rate_limit_exceeded"}, (429, "rate_limit_exceeded")),
    ],
)
def test_a_4xx_of_the_upstream_keeps_its_status(status: int, error: Json | None, expected: tuple[int, str]) -> None:
    found = failure(error, status=status)
    assert (found.status, found.code) == expected


@pytest.mark.parametrize(("status", "retryable"), [(500, True), (501, False), (502, True), (522, True), (504, True)])
def test_broken_servers_are_worth_another_try(status: int, retryable: bool) -> None:
    assert failure(None, status=status).retryable is retryable


@pytest.mark.proves("FAILURE-spelling")
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("invalid_request", "invalid_request_error"),
        ("not_found", "not_found_error"),
        ("too_many_requests", "rate_limit_error"),
        ("model_error", "server_error"),
        ("invalid_request_error", "invalid_request_error"),
    ],
)
def test_types_are_spelt_as_openai_spells_them(theirs: str, ours: str) -> None:
    assert normal({"type": theirs, "message": "x"})["type"] == ours


def test_open_responses_types_decide_like_openais() -> None:
    assert failure({"type": "not_found", "message": "x"}).status == 404
    assert failure({"type": "too_many_requests", "message": "x"}).error_object() == {
        "message": "x",
        "type": "rate_limit_error",
        "code": None,
        "param": None,
    }


def test_numeric_codes_become_text_and_other_shapes_nothing() -> None:
    assert normal({"code": 429, "message": 7, "param": ["a"], "type": True, "plan_type": "pro"}) == {
        "code": "429",
        "message": "The upstream reported a failure without a reason.",
        "param": None,
        "type": None,
        "plan_type": "pro",
    }


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"error": {"code": "a"}}, {"code": "a"}),
        ({"error": "text"}, {"message": "text"}),
        ({"type": "error", "code": "a", "message": "b"}, {"code": "a", "message": "b"}),
        ({"type": "error"}, None),
    ],
)
def test_error_objects_are_found_nested_and_flat(data: Json, error: Json | None) -> None:
    assert error_of(data) == error


def test_of_two_tellings_the_more_specific_one_counts() -> None:
    vague, exact = {"code": "server_error", "message": "v"}, {"code": "rate_limit_exceeded", "message": "e"}
    assert merge_errors(vague, exact)["message"] == merge_errors(exact, vague)["message"] == "e"
    assert merge_errors(None, None)["code"] == "server_error"
    assert merge_errors(vague, None)["message"] == "v"
