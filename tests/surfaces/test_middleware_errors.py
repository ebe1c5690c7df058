"""The one renderer of errors."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from gateway.errors import GatewayError, InvalidRequest, OAuthUnavailable, UpstreamOverloaded, UpstreamRefusal
from gateway.surfaces.errors import render_error
from gateway.surfaces.middleware.body import ClientLeft
from tests.serving import serving
from tests.surfaces.stack import Stack, error_of, raising


def refusal(status: int, code: str | None = None, **more: object) -> UpstreamRefusal:
    return UpstreamRefusal("no", status=status, kind="rate_limit_error", code=code, **more)  # type: ignore[arg-type]


def headers_of(error: GatewayError) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in render_error(error)[1]}


@pytest.mark.proves("HTTP-envelope")
async def test_an_error_becomes_its_status_and_the_envelope() -> None:
    error = InvalidRequest("`messages` must be a list", param="messages", headers={"X-Extra": "1"})
    response = await Stack(raising(error)).get("/v1/models")
    assert response.status_code == 400
    assert response.headers["x-extra"] == "1"
    assert response.headers["content-length"] == str(len(response.content))
    assert response.json() == {
        "error": {
            "message": "`messages` must be a list",
            "type": "gateway_error",
            "code": "invalid_request",
            "param": "messages",
        }
    }


@pytest.mark.proves("HTTP-refusal-bytes")
async def test_a_refusal_of_the_upstream_is_relayed_byte_for_byte() -> None:
    body = b'{ "error" : {"message":"caf\\u00e9", "vendor": 1.50} }\n'
    response = await Stack(raising(refusal(422, body=body))).get("/v1/models")
    assert (response.status_code, response.content) == (422, body)


@pytest.mark.proves("HTTP-envelope")
async def test_a_wrapped_refusal_keeps_the_upstreams_type_and_code() -> None:
    response = await Stack(raising(refusal(429, "usage_limit_reached"))).get("/v1/models")
    assert error_of(response) == (429, "rate_limit_error", "usage_limit_reached")


@pytest.mark.proves("HTTP-envelope")
def test_half_a_surrogate_pair_in_a_message_is_escaped() -> None:
    assert b"\\ud83d" in render_error(GatewayError("half \ud83d"))[2]


@pytest.mark.proves("HTTP-envelope")
def test_a_header_value_cannot_break_out_of_its_line() -> None:
    assert headers_of(GatewayError("x", headers={"x-note": "a\r\nset-cookie: b"}))["x-note"] == "a set-cookie: b"


RETRIES = [
    pytest.param(refusal(429, headers={"Retry-After": "3"}), ("3", "3000", None), id="seconds"),
    pytest.param(refusal(429, headers={"retry-after": "1.2"}), ("2", "1200", None), id="fraction rounded up"),
    pytest.param(refusal(429, headers={"retry-after-ms": "250"}), ("1", "250", None), id="milliseconds only"),
    pytest.param(refusal(429, headers={"retry-after": "14400"}), ("14400", "14400000", "false"), id="hours"),
    pytest.param(
        refusal(429, headers={"retry-after": "90", "x-should-retry": "true"}),
        ("90", "90000", "true"),
        id="the upstream knows better",
    ),
    pytest.param(
        refusal(429, headers={"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None, None),
        id="date",
    ),
    pytest.param(refusal(429, "insufficient_quota"), (None, None, "false"), id="no money"),
    pytest.param(OAuthUnavailable("log in"), (None, None, "false"), id="no login"),
    pytest.param(UpstreamOverloaded("busy", headers={"retry-after": "0"}), ("0", "0", None), id="overloaded"),
    pytest.param(refusal(400, headers={"retry-after": "3"}), ("3", None, None), id="not a retryable status"),
]


@pytest.mark.proves("CASE-145")
@pytest.mark.parametrize(("error", "told"), RETRIES)
def test_429_and_503_say_when_and_whether_to_come_back(
    error: GatewayError, told: tuple[str | None, str | None, str | None]
) -> None:
    headers = headers_of(error)
    assert (headers.get("retry-after"), headers.get("retry-after-ms"), headers.get("x-should-retry")) == told


async def _get(request: Request) -> Response:
    return Response("ok")


@pytest.mark.proves("CASE-150")
async def test_an_unknown_url_is_an_envelope() -> None:
    stack = Stack(Router(routes=[Route("/v1/models", _get)], redirect_slashes=False))
    assert error_of(await stack.get("/v1/nowhere")) == (404, "gateway_error", "unknown_url")
    assert error_of(await stack.get("/nowhere")) == (404, "gateway_error", "unknown_url")


@pytest.mark.proves("HTTP-method")
async def test_a_wrong_method_is_an_envelope_that_lists_the_right_ones() -> None:
    stack = Stack(Router(routes=[Route("/v1/models", _get)], redirect_slashes=False))
    response = await stack.request("DELETE", "/v1/models")
    assert error_of(response) == (405, "gateway_error", "method_not_allowed")
    assert response.headers["allow"] == "GET, HEAD"


@pytest.mark.proves("HTTP-internal")
async def test_a_bug_is_a_500_without_detail_and_a_traceback_in_the_log() -> None:
    stack = Stack(raising(KeyError("sk-not-for-clients")))
    response = await stack.get("/v1/models")
    assert error_of(response) == (500, "gateway_error", "internal_error")
    assert "sk-not" not in response.text
    assert "made-id" in response.text
    traceback, request = stack.lines
    assert (traceback["event"], traceback["exc_info"], traceback["request_id"]) == ("internal error", True, "made-id")
    assert (request["event"], request["error"]) == ("request", "internal_error")


@pytest.mark.proves("HTTP-cut")
@pytest.mark.parametrize("error", [InvalidRequest("late"), RuntimeError("late")], ids=["condition", "bug"])
@pytest.mark.parametrize("length", [(), ((b"content-length", b"9"),)], ids=["chunked", "with length"])
async def test_an_answer_that_fails_after_its_start_never_looks_complete(
    error: Exception, length: tuple[tuple[bytes, bytes], ...]
) -> None:
    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [*length]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise error

    stack = Stack(half)
    async with serving(stack) as base_url, httpx2.AsyncClient() as client:
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get(f"{base_url}/v1/models")
    assert (stack.lines[-1]["outcome"], stack.lines[-1]["status"]) == ("failed", 200)
    assert "answer cut short" in [line["event"] for line in stack.lines]


@pytest.mark.proves("HTTP-cancel")
async def test_cancellation_passes_and_is_still_logged() -> None:
    stack = Stack(raising(asyncio.CancelledError()))
    with pytest.raises(asyncio.CancelledError):
        await stack.get("/v1/models")
    assert [(line["event"], line["status"]) for line in stack.lines] == [("request", 0)]


@pytest.mark.proves("HTTP-client-left")
async def test_nobody_is_answered_when_the_client_left_before_its_request_was_read() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    stack = Stack(raising(ClientLeft()))
    await stack({"type": "http", "method": "POST", "path": "/v1/responses", "headers": []}, receive, send)
    assert sent == []
    assert [line["outcome"] for line in stack.lines] == ["client_left"]
