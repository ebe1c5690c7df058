"""Every shape of refusal becomes one error of ours."""

from __future__ import annotations

from typing import Any, Literal

import httpx2
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.redact import redact
from gateway.errors import (
    GatewayError,
    OAuthUnavailable,
    UpstreamAuth,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamRefusal,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.upstreams import Model
from gateway.upstreams.faults import Faults, Kind, refusal

MODELS = (Model("gpt-6-sol"), Model("gpt-5.5"), Model("secret", hidden=True))
NOW = 1_800_000_000.0


def refused(
    status: int, body: Any = b"", headers: dict[str, str] | None = None, upstream: Kind = "codex"
) -> GatewayError:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return refusal(status, httpx2.Headers(headers or {}), raw, upstream=upstream, now=NOW, models=MODELS)


def outline(error: GatewayError) -> tuple[int, str, str | None, str | None]:
    return error.status, error.type, error.code, error.param


BAD = "invalid_request_error"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        pytest.param(
            400, {"detail": "Unsupported parameter: top_p"}, (400, BAD, "unsupported_parameter", "top_p"), id="detail"
        ),
        pytest.param(
            400,
            {"detail": "The 'm' model requires a newer version of Codex. Please upgrade to the latest app or CLI."},
            (400, BAD, "model_not_found", "model"),
            id="version gate",
        ),
        pytest.param(
            400,
            {"detail": "The 'm' model is not supported when using Codex with a ChatGPT account."},
            (404, BAD, "model_not_found", "model"),
            id="not in the plan",
        ),
        pytest.param(404, b"Model not found m-1p-ev3", (404, BAD, "model_not_found", "model"), id="plain text"),
        pytest.param(
            404,
            {"error": {"message": "no", "code": "model_not_found"}},
            (404, BAD, "model_not_found", "model"),
            id="by code",
        ),
        pytest.param(
            400,
            {"error": {"message": "Too long", "type": BAD, "code": "context_length_exceeded", "param": "input"}},
            (400, BAD, "context_length_exceeded", "input"),
            id="error object",
        ),
        pytest.param(400, {"error": "just text"}, (400, BAD, None, None), id="error text"),
        pytest.param(
            400, {"detail": [{"loc": ["body", "input"], "msg": "field required"}]}, (400, BAD, None, None), id="list"
        ),
        pytest.param(
            400,
            {"detail": "The image data you provided does not represent a valid image"},
            (400, BAD, "invalid_image", None),
            id="bad image",
        ),
        pytest.param(
            402,
            {"detail": {"code": "deactivated_workspace"}},
            (429, "insufficient_quota", "insufficient_quota", None),
            id="unpaid workspace",
        ),
        pytest.param(402, b"", (429, "insufficient_quota", "insufficient_quota", None), id="unpaid, wordless"),
        pytest.param(403, {"detail": "Not entitled"}, (403, "permission_error", None, None), id="no entitlement"),
        pytest.param(
            403,
            b"<html>Sorry, you have been blocked</html>",
            (403, "permission_error", "upstream_blocked", None),
            id="blocked region",
        ),
        pytest.param(
            403,
            b"<!DOCTYPE html><title>Just a moment...</title>",
            (503, "server_error", "upstream_blocked", None),
            id="challenge",
        ),
        pytest.param(404, b"", (503, "server_error", "upstream_unavailable", None), id="edge outage"),
        pytest.param(404, b"{}", (503, "server_error", "upstream_unavailable", None), id="edge outage, empty object"),
        pytest.param(413, b"<html>413</html>", (413, BAD, "request_too_large", None), id="too large"),
        pytest.param(429, b"", (429, "rate_limit_error", "rate_limit_exceeded", None), id="burst, wordless"),
        pytest.param(
            429,
            {"error": {"type": "usage_not_included", "message": "no Codex in this plan"}},
            (403, "usage_not_included", "usage_not_included", None),
            id="plan without Codex",
        ),
        pytest.param(
            500,
            {"error": {"message": "x", "code": "server_error"}},
            (502, "gateway_error", "upstream_error", None),
            id="server error",
        ),
        pytest.param(502, b"<html>Bad gateway</html>", (502, "gateway_error", "upstream_error", None), id="proxy page"),
        pytest.param(
            503,
            {"error": {"message": "busy", "code": "server_is_overloaded"}},
            (503, "server_error", "server_is_overloaded", None),
            id="overload",
        ),
        pytest.param(418, b"short and stout", (418, BAD, "upstream_error", None), id="anything else"),
        pytest.param(302, b"", (502, "gateway_error", "upstream_error", None), id="redirect"),
        pytest.param(200, b"<html>portal</html>", (502, "gateway_error", "upstream_error", None), id="not a stream"),
        pytest.param(
            200,
            {"error": {"message": "busy", "code": "server_is_overloaded"}},
            (503, "server_error", "server_is_overloaded", None),
            id="an error with status 200",
        ),
    ],
)
@pytest.mark.proves("FAIL-37", "FAIL-23", "FAIL-25", "FAIL-40", "FAIL-30", "CASE-144", "CASE-147", "CASE-148")
def test_a_refusal_becomes_an_openai_error(
    status: int, body: Any, expected: tuple[int, str, str | None, str | None]
) -> None:
    error = refused(status, body)
    assert outline(error) == expected
    assert isinstance(error.message, str)
    assert error.message
    assert "<" not in error.message


@pytest.mark.parametrize(
    "name", ["Store must be set to false", "Stream must be set to true", "Instructions are required"]
)
@pytest.mark.proves("UPSTREAM-own-mistakes")
def test_a_body_that_the_profile_should_have_mended_is_our_own_failure(name: str) -> None:
    error = refused(400, {"detail": name})
    assert (error.status, error.code, error.retryable) == (500, "internal_error", False)
    assert error.headers == {"x-should-retry": "false"}


@pytest.mark.proves("FAIL-23", "UPSTREAM-model-errors")
def test_unknown_models_are_answered_with_current_ones_and_old_versions_with_the_setting() -> None:
    unknown = refused(404, b"Model not found gpt-5.6-luna-free-1p-codexswic-ev3")
    assert unknown.message.endswith("Current models: gpt-6-sol, gpt-5.5.")
    assert "1p-codexswic" not in unknown.message
    gated = refused(400, {"detail": "The 'x' model requires a newer version of Codex."})
    assert gated.message == (
        "The 'x' model requires a newer version of Codex. (In the gateway: raise `upstream.version`.)"
    )


@pytest.mark.proves("FAIL-19", "CASE-145")
def test_a_plan_limit_says_when_to_come_back_and_that_sooner_is_no_use() -> None:
    limit = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus"}
    error = refused(429, {"error": {**limit, "resets_at": NOW + 14400, "resets_in_seconds": 14400}})
    assert error.error_object() == {
        "message": "The usage limit has been reached",
        "type": "usage_limit_reached",
        "code": "usage_limit_reached",
        "param": None,
    }
    assert error.headers == {"Retry-After": "14400", "retry-after-ms": "14400000", "x-should-retry": "false"}
    assert (error.status, error.retryable) == (429, False)


@pytest.mark.proves("FAIL-20")
def test_a_burst_limit_may_be_tried_again() -> None:
    error = refused(429, b"", {"Retry-After": "3"})
    assert (error.retryable, error.headers) == (True, {"Retry-After": "3", "retry-after-ms": "3000"})


def test_a_proxy_that_refuses_us_is_no_refusal_of_the_client() -> None:
    error = refusal(407, httpx2.Headers(), b"no such user", upstream="openai", now=NOW)
    assert (error.status, error.code, error.retryable) == (502, "upstream_unavailable", False)
    assert "network.proxy_url" in error.message


@pytest.mark.parametrize("status", [500, 502, 520, 522, 524])
@pytest.mark.proves("UPSTREAM-5xx")
def test_a_failing_edge_may_be_tried_again(status: int) -> None:
    error = refused(status, b"<html>oops</html>")
    assert (type(error), error.retryable) == (UpstreamError, True)


@pytest.mark.proves("FAIL-22")
def test_overload_is_503_with_a_time_to_come_back() -> None:
    error = refused(503, {"error": {"message": "busy", "type": "service_unavailable_error"}})
    assert (type(error), error.headers["Retry-After"], error.retryable) == (UpstreamOverloaded, "5", True)


@pytest.mark.parametrize("headers", [{}, {"cf-mitigated": "challenge"}])
@pytest.mark.proves("FAIL-14")
def test_a_challenge_page_never_reaches_the_client_and_is_not_hammered(headers: dict[str, str]) -> None:
    error = refused(403, b"<html><script>x()</script>Just a moment...</html>", headers)
    assert (error.status, error.code, error.retryable) == (503, "upstream_blocked", False)
    assert error.headers["Retry-After"] == "30"
    assert "Just a moment" not in error.message


@pytest.mark.proves("FAIL-17")
def test_a_login_that_is_refused_says_what_to_run() -> None:
    error = refused(401, {"error": {"message": "Your token has been invalidated.", "code": "token_invalidated"}})
    assert isinstance(error, OAuthUnavailable)
    assert (error.status, error.code) == (503, "oauth_unavailable")
    assert "codex-gateway auth login" in error.message
    assert error.detail == "token_invalidated Your token has been invalidated."


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.proves("CASE-146")
def test_a_refused_key_is_a_bad_gateway_and_no_401(status: int) -> None:
    body = {"error": {"message": "Incorrect API key provided: sk-abc***def.", "code": "invalid_api_key"}}
    error = refused(status, body, upstream="openai")
    assert isinstance(error, UpstreamAuth)
    assert (error.status, error.code) == (502, "upstream_auth")
    assert "sk-" not in error.message + error.detail


@pytest.mark.proves("PROVIDERS-errors")
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"error": {"message": "Incorrect API key provided: sk-abc***def.", "code": "invalid_api_key"}}),
        (
            400,
            [{"error": {"code": 400, "message": "API key not valid. Please pass one.", "status": "INVALID_ARGUMENT"}}],
        ),
    ],
    ids=["OpenAI", "Gemini"],
)
def test_a_refused_key_of_a_provider_is_told_with_its_setting(status: int, body: Any) -> None:
    error = refusal(status, {}, orjson.dumps(body), upstream="openai", section="providers.far", now=NOW)
    assert (error.status, error.code) == (502, "upstream_auth")
    assert error.message == (
        f"The provider 'far' refused the gateway's own key (HTTP {status}). Check `providers.far.api_key`."
    )


@pytest.mark.proves("PROVIDERS-errors")
def test_a_plan_that_is_a_provider_names_its_own_version() -> None:
    body = orjson.dumps({"detail": "The 'm' model requires a newer version of Codex."})
    error = refusal(400, {}, body, upstream="codex", section="providers.plan", now=NOW)
    assert error.message.endswith("(In the gateway: raise `providers.plan.version`.)")


@pytest.mark.proves("PROVIDERS-errors")
def test_an_error_in_a_list_of_one_is_read() -> None:
    error = refused(400, [{"error": {"code": 400, "message": "Bad role.", "status": "INVALID"}}], upstream="openai")
    assert (error.status, error.message) == (400, "Bad role.")


@pytest.mark.proves("CASE-146")
def test_a_403_about_what_was_asked_is_relayed() -> None:
    body = {"error": {"message": "no", "type": BAD, "code": "unsupported_country_region_territory", "param": None}}
    assert outline(refused(403, body, upstream="openai")) == (403, BAD, "unsupported_country_region_territory", None)


@pytest.mark.proves("UPSTREAM-relay-bytes")
def test_a_sound_4xx_keeps_its_bytes() -> None:
    body = b'{ "error": {"message": "bad", "type": "invalid_request_error", "param": "x", "code": null, "more": 1} }'
    error = refused(422, body, upstream="openai")
    assert isinstance(error, UpstreamRefusal)
    assert (error.status, error.body) == (422, body)


@pytest.mark.parametrize(
    "document",
    [
        {"error": {"message": "bad", "type": BAD}},
        {"error": {"message": "bad for a@b.example", "type": BAD, "code": None, "param": None}},
        {"error": {"message": "bad", "type": BAD, "code": None, "param": None, "account": "acct-1234567890"}},
        {"error": {"message": "bad", "type": BAD, "code": 7, "param": None}},
        {"detail": "bad"},
    ],
)
@pytest.mark.proves("UPSTREAM-relay-bytes")
def test_a_body_that_lacks_a_key_or_names_a_person_is_written_anew(document: Any) -> None:
    error = refused(400, document, upstream="openai")
    assert isinstance(error, UpstreamRefusal)
    assert error.body is None


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln ended", "token [token] ended"),
        ("key sk-proj-abc123DEF456 is wrong", "key [token] is wrong"),
        ("Authorization: Bearer abc.def.ghi", "Authorization: Bearer [token]"),
        ("user jane.doe+x@mail.example.org", "user [e-mail]"),
        ("in organization org-AbC123def456 on tokens", "in organization [account] on tokens"),
        ("in organization Initech on tokens", "in organization [organization] on tokens"),
        ("account 123e4567-e89b-12d3-a456-426614174000", "account [id]"),
        ("the risk-free task is ask-me", "the risk-free task is ask-me"),
        ("Unsupported value: 'reasoning.effort'", "Unsupported value: 'reasoning.effort'"),
    ],
)
@pytest.mark.proves("UPSTREAM-redaction")
def test_relayed_text_names_no_secret_and_no_person(text: str, redacted: str) -> None:
    assert redact(text) == redacted
    assert refused(400, {"detail": text}).message == redacted


Words = Literal["detail", "error", "message"]
_bodies = st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "detail", "message", "errors", "code", "type", "param", "response", "loc"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
).map(lambda value: orjson.dumps(value) if not _too_big(value) else b"")


def _too_big(value: Any) -> bool:
    """orjson writes integers of 64 bits at most."""
    if isinstance(value, int):
        return not -(2**53) < value < 2**53
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_too_big(child) for child in children)


@settings(max_examples=150, deadline=None)
@given(status=st.sampled_from([200, 302, 400, 401, 402, 403, 404, 413, 422, 429, 500, 503, 504]), body=_bodies)
@pytest.mark.proves("FAIL-37")
def test_any_body_at_all_becomes_an_error_with_a_message(status: int, body: bytes) -> None:
    for upstream in ("codex", "openai"):
        error = refused(status, body, upstream=upstream)
        assert error.message
        assert 400 <= error.status <= 599
        assert error.status != 401


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (httpx2.ConnectTimeout("x"), UpstreamUnavailable),
        (httpx2.PoolTimeout("x"), UpstreamUnavailable),
        (httpx2.ConnectError("x"), UpstreamUnavailable),
        (httpx2.ReadError("x"), UpstreamUnavailable),
        (httpx2.WriteError("x"), UpstreamUnavailable),
        (httpx2.RemoteProtocolError("x"), UpstreamUnavailable),
        (httpx2.ReadTimeout("x"), UpstreamTimeout),
        (httpx2.WriteTimeout("x"), UpstreamTimeout),
        (httpx2.LocalProtocolError("x"), UpstreamError),
        (httpx2.UnsupportedProtocol("x"), UpstreamError),
        (httpx2.DecodingError("x"), UpstreamError),
        (httpx2.StreamConsumed(), UpstreamError),
    ],
)
@pytest.mark.proves("UPSTREAM-faults")
def test_each_failure_of_the_http_library_has_its_error(raised: Exception, expected: type[GatewayError]) -> None:
    with pytest.raises(expected) as caught, Faults("host.example"):
        raise raised
    assert "host.example" in caught.value.message
    assert caught.value.__cause__ is raised
