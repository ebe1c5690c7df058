"""Every failure as the openai SDK raises it: its class, its code, and what it advises on retrying."""

from __future__ import annotations

import contextlib
import gzip
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio

from gateway.simulator import Scenario
from tests.live.sdk import AsyncSdk, Sdk, broken, events
from tests.live.stack import CODEX, KEY, MODEL, MODES, NATIVE, TRANSLATED, Mode, Stack, only, running
from tests.sdk_types import check_error, check_failed_chat_stream, check_failed_response_stream

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

CHAT: Json = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
RESPONSES: Json = {"model": MODEL, "input": "hi"}
TURNS = {"chat": ("chat.completions.create", CHAT), "responses": ("responses.create", RESPONSES)}
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}

each_dialect = pytest.mark.parametrize("dialect", ["chat", "responses"])
streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])


async def failing(sdk: Sdk, dialect: str, kind: type[openai.APIStatusError], **more: Any) -> Any:
    """The error that a turn raises; it must be of exactly this class."""
    method, arguments = TURNS[dialect]
    with pytest.raises(openai.APIStatusError) as caught:
        if more.get("stream"):
            await events(sdk, method, **{**arguments, **more})
        else:
            await sdk.call(method, **{**arguments, **more})
    assert type(caught.value) is kind, caught.value
    check_error({"error": caught.value.body})
    assert caught.value.request_id
    return caught.value


# what the client did wrong --------------------------------------------------------------------------------------------


@pytest.mark.proves("ENGINE-sdk-errors")
@pytest.mark.parametrize("key", ["sk-wrong", f"{KEY}x", KEY[:-1]])
async def test_a_wrong_key_is_an_authentication_error(stack: Stack, key: str) -> None:
    sdk = AsyncSdk(f"{stack.url}/v1", key)
    try:
        for dialect in TURNS:
            error = await failing(sdk, dialect, openai.AuthenticationError)
            assert (error.code, error.type) == ("invalid_api_key", "gateway_error")
        with pytest.raises(openai.AuthenticationError):
            await sdk.call("models.list")
    finally:
        await sdk.aclose()
    assert stack.sim.log == []


@pytest.mark.proves("ENGINE-sdk-errors")
@streamed_or_not
@each_dialect
async def test_an_unknown_model_is_not_found(sdk: Sdk, dialect: str, stream: bool) -> None:
    error = await failing(sdk, dialect, openai.NotFoundError, model="no-such-model-xyz", stream=stream)
    assert (error.code, error.param) == ("model_not_found", "model")


@only(CODEX)
async def test_an_unknown_model_is_told_which_ones_there_are(sdk: Sdk) -> None:
    await sdk.call("models.list")
    error = await failing(sdk, "chat", openai.NotFoundError, model="no-such-model-xyz")
    assert "gpt-6-astra" in error.message
    with pytest.raises(openai.NotFoundError, match="gpt-6-astra"):
        await sdk.call("models.retrieve", model="no-such-model-xyz")


@pytest.mark.proves("FAIL-36")
async def test_an_unknown_address_is_not_found(sdk: Sdk) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await sdk.call("batches.list")
    assert caught.value.code == "unknown_url"


@pytest.mark.parametrize(
    ("dialect", "changes", "param"),
    [
        ("chat", {"messages": []}, "messages"),
        ("chat", {"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ("chat", {"n": 2}, "n"),
        ("chat", {"modalities": ["audio"]}, "modalities"),
        ("responses", {"input": 5}, "input"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.applies.with_args(
    lambda cell: cell["dialect"] not in cell["mode"].native
)  # there the server itself judges
async def test_a_bad_field_is_a_bad_request_naming_it(
    sdk: Sdk, stack: Stack, dialect: str, changes: Json, param: str
) -> None:
    error = await failing(sdk, dialect, openai.BadRequestError, **changes)
    assert error.param == param
    assert stack.sim.log == []


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/chat/completions", b"{nope", None),
        ("/v1/chat/completions", b"[]", None),
        ("/v1/chat/completions", b"", None),
        ("/v1/chat/completions", b"{}", "model"),
        ("/v1/chat/completions", b'{"model":"gpt-5.5"}', "messages"),
        ("/v1/responses", b"{nope", None),
        ("/v1/responses", b'"text"', None),
        ("/v1/responses", b"{}", "model"),
    ],
)
async def test_a_body_that_cannot_be_a_request_is_a_400(
    stack: Stack, path: str, body: bytes, param: str | None
) -> None:
    answer = await stack.http.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert check_error(answer.content).param == param


async def test_a_foreign_host_is_a_permission_error(stack: Stack) -> None:
    sdk = AsyncSdk(f"{stack.url}/v1", KEY, default_headers={"Host": "evil.example"})
    try:
        error = await failing(sdk, "chat", openai.PermissionDeniedError)
    finally:
        await sdk.aclose()
    assert error.code == "host_not_allowed"


async def test_a_method_that_a_path_does_not_take_is_405_and_says_which_it_does(stack: Stack) -> None:
    for path, allowed in [("/v1/chat/completions", "POST"), ("/v1/responses", "POST"), ("/v1/models", "GET")]:
        answer = await stack.http.request("PUT", path, json={})
        assert (answer.status_code, check_error(answer.content).code) == (405, "method_not_allowed")
        assert allowed in answer.headers["allow"]


async def test_bodies_beyond_the_limit_are_413_also_when_they_grow(tmp_path: Path) -> None:
    body = b'{"model":"gpt-5.5","input":"' + b"x" * 5000 + b'"}'
    async with running(CODEX, tmp_path, limits={"body_bytes": 4000}) as stack:
        for content, headers in ((body, {}), (gzip.compress(body), {"content-encoding": "gzip"})):
            answer = await stack.http.post("/v1/responses", content=content, headers=headers)
            assert (answer.status_code, check_error(answer.content).code) == (413, "request_too_large")
        error = await failing(stack.sdks["AsyncSdk"], "responses", openai.APIStatusError, input="x" * 5000)
        assert error.status_code == 413


@pytest.mark.proves("FAIL-31")
async def test_compressed_bodies_are_read_and_unknown_encodings_are_415(stack: Stack) -> None:
    body = b'{"model":"gpt-5.5","input":"Reply with exactly: ok"}'
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = await stack.http.post("/v1/responses", content=gzip.compress(body), headers=headers)
    assert answer.status_code == 200
    answer = await stack.http.post("/v1/responses", content=body, headers={**headers, "content-encoding": "br"})
    assert (answer.status_code, check_error(answer.content).code) == (415, "unsupported_encoding")


# what the upstream refuses --------------------------------------------------------------------------------------------

REFUSALS: list[tuple[str, type[openai.APIStatusError], int, str | None]] = [
    ("usage_limit_reached", openai.RateLimitError, 429, "usage_limit_reached"),
    ("usage_limit_reached_bare", openai.RateLimitError, 429, "usage_limit_reached"),
    ("burst", openai.RateLimitError, 429, None),
    ("deactivated_workspace", openai.RateLimitError, 429, "insufficient_quota"),
    ("usage_not_included", openai.PermissionDeniedError, 403, "usage_not_included"),
    ("forbidden", openai.PermissionDeniedError, 403, "no_entitlement"),
    ("too_large", openai.APIStatusError, 413, "request_too_large"),
    ("challenge", openai.InternalServerError, 503, "upstream_blocked"),
    ("overloaded", openai.InternalServerError, 503, "server_is_overloaded"),
    ("outage", openai.InternalServerError, 503, "upstream_unavailable"),
    ("server_error", openai.InternalServerError, 502, "upstream_error"),
    ("bad_gateway", openai.InternalServerError, 502, "upstream_error"),
    ("first:rate_limit_exceeded", openai.RateLimitError, 429, "rate_limit_exceeded"),
    ("first:usage_limit_reached", openai.RateLimitError, 429, "usage_limit_reached"),
    ("first:insufficient_quota", openai.RateLimitError, 429, "insufficient_quota"),
    ("first:context_length_exceeded", openai.BadRequestError, 400, "context_length_exceeded"),
    ("first:invalid_prompt", openai.BadRequestError, 400, "invalid_prompt"),
    ("first:cyber_policy", openai.BadRequestError, 400, "cyber_policy"),
    ("first:server_is_overloaded", openai.InternalServerError, 503, "server_is_overloaded"),
    ("first:slow_down", openai.InternalServerError, 503, "slow_down"),
    ("first:server_error", openai.InternalServerError, 502, "upstream_error"),
    ("error:server_is_overloaded", openai.InternalServerError, 503, "server_is_overloaded"),
    ("error_flat:context_length_exceeded", openai.BadRequestError, 400, "context_length_exceeded"),
]


@pytest.mark.proves("ENGINE-early", "CASE-67", "CASE-84", "FAIL-22")
@only(CODEX)
@streamed_or_not
@each_dialect
@pytest.mark.parametrize(("script", "kind", "status", "code"), REFUSALS, ids=[row[0] for row in REFUSALS])
async def test_an_early_failure_is_an_http_status(
    stack: Stack,
    dialect: Any,
    stream: bool,
    script: str,
    kind: type[openai.APIStatusError],
    status: int,
    code: str | None,
) -> None:
    stack.play(dialect, script)
    error = await failing(stack.sdks["AsyncSdk"], dialect, kind, stream=stream)
    assert error.status_code == status
    assert code is None or error.code == code


@only(CODEX)
async def test_a_used_up_plan_says_when_to_come_back_and_not_to_try_before(sdk: Sdk, stack: Stack) -> None:
    stack.play("chat", "usage_limit_reached")
    error = await failing(sdk, "chat", openai.RateLimitError)
    headers = error.response.headers
    assert int(headers["retry-after"]) > 60 and int(headers["retry-after-ms"]) > 60_000
    assert headers["x-should-retry"] == "false"


@only(CODEX)
async def test_a_burst_is_passed_on_with_the_advice_on_waiting(sdk: Sdk, stack: Stack) -> None:
    stack.play("chat", "retry_after")
    error = await failing(sdk, "chat", openai.RateLimitError)
    assert error.response.headers["retry-after"] == "2"
    assert "x-should-retry" not in error.response.headers


def refusal(status: int, code: str) -> Json:
    error = {"message": f"told so ({status})", "type": "invalid_request_error", "param": None, "code": code}
    return {"status": status, "body": {"error": error}}


@pytest.mark.proves("ENGINE-sdk-errors")
@only(NATIVE, TRANSLATED)
@each_dialect
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
    ],
)
async def test_a_4xx_of_the_server_is_relayed_as_it_is(
    sdk: Sdk, stack: Stack, dialect: Any, status: int, kind: type[openai.APIStatusError]
) -> None:
    script = refusal(status, "told_so")
    stack.play(dialect, script)
    error = await failing(sdk, dialect, kind)
    assert error.body == script["body"]["error"]


@only(NATIVE, TRANSLATED)
@each_dialect
@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_the_server_refuses_is_not_the_clients_fault(
    sdk: Sdk, stack: Stack, dialect: Any, status: int
) -> None:
    stack.play(dialect, refusal(status, "invalid_api_key"))
    error = await failing(sdk, dialect, openai.InternalServerError)
    assert (error.status_code, error.code) == (502, "upstream_auth")


@only(NATIVE, TRANSLATED)
@each_dialect
@pytest.mark.parametrize(("status", "mine"), [(500, 502), (502, 502), (503, 503), (504, 504)])
async def test_a_5xx_of_the_server_is_the_upstreams(
    sdk: Sdk, stack: Stack, dialect: Any, status: int, mine: int
) -> None:
    stack.play(dialect, {"status": status, "body": "<html><body>broken</body></html>"})
    error = await failing(sdk, dialect, openai.InternalServerError)
    assert error.status_code == mine


# failures after the first byte ----------------------------------------------------------------------------------------


@pytest.mark.proves("ENGINE-late", "CASE-83", "CASE-85", "CASE-109", "FAIL-6")
@streamed_or_not
@each_dialect
@pytest.mark.parametrize("script", ["cut", "end", "failed:server_error"])
@pytest.mark.applies.with_args(  # a document without an end is a cut one
    lambda cell: cell["script"] != "end" or cell["stream"] or cell["dialect"] not in cell["mode"].native
)
async def test_a_broken_answer_never_looks_complete(
    sdk: Sdk, stack: Stack, dialect: Any, stream: bool, script: str
) -> None:
    stack.play(dialect, script)
    method, arguments = TURNS[dialect]
    if not stream:
        error = await failing(sdk, dialect, openai.InternalServerError)
        assert error.status_code == 502
        return
    seen, error = await broken(sdk, method, **arguments, stream=True)
    if error is None:
        assert seen[-1].type == "response.failed" and seen[-1].response.error
    else:
        assert type(error) is openai.APIError and error.code
    assert "(simulated)" in str(seen), "what was said before stays"
    assert not any(getattr(event, "type", "") == "response.completed" for event in seen)
    assert not any(choice.finish_reason for event in seen for choice in getattr(event, "choices", ()))


@streamed_or_not
@pytest.mark.parametrize("finish", ["cut", "end"])
@pytest.mark.applies.with_args(  # a document without an end is a cut one
    lambda cell: cell["finish"] != "end" or cell["stream"] or cell["mode"].codex
)
async def test_an_answer_that_ends_before_it_began_is_a_502(sdk: Sdk, stack: Stack, stream: bool, finish: str) -> None:
    stack.play("responses", {"steps": [], "opening": False, "finish": finish})
    error = await failing(sdk, "responses", openai.InternalServerError, stream=stream)
    assert error.status_code == 502


@pytest.mark.proves("ENGINE-late")
@pytest.mark.parametrize("script", ["cut", "end", "failed:server_error"])
async def test_a_broken_stream_is_told_in_the_form_of_its_dialect(stack: Stack, script: str) -> None:
    stack.play("chat", script)
    answer = await stack.http.post("/v1/chat/completions", json={**CHAT, "stream": True})
    assert answer.status_code == 200
    assert check_failed_chat_stream(answer.content).code
    stack.play("responses", script)
    answer = await stack.http.post("/v1/responses", json={**RESPONSES, "stream": True})
    assert answer.status_code == 200
    assert check_failed_response_stream(answer.content)


# no upstream at all ---------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def nobody() -> AsyncIterator[str]:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        yield "http://{}:{}".format(*taken.getsockname())


@pytest_asyncio.fixture(loop_scope="session", params=MODES, ids=lambda mode: mode.name)
async def unconnected(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stack]:
    async with nobody() as url, running(request.param, tmp_path, upstream_url=url) as stack:
        yield stack


@pytest.mark.proves("ENGINE-unconnected")
async def test_no_connection_is_a_502(unconnected: Stack) -> None:
    for dialect in TURNS:
        for stream in (False, True):
            error = await failing(unconnected.sdks["AsyncSdk"], dialect, openai.InternalServerError, stream=stream)
            assert (error.status_code, error.code) == (502, "upstream_unavailable")


async def test_the_models_of_a_server_that_is_away_are_a_502_and_those_of_the_plan_are_known(
    unconnected: Stack,
) -> None:
    if unconnected.mode.codex:
        page = await unconnected.sdks["AsyncSdk"].call("models.list")
        assert MODEL in [model.id for model in page.data]
        return
    with pytest.raises(openai.InternalServerError) as caught:
        await unconnected.sdks["AsyncSdk"].call("models.list")
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_unavailable")


@pytest.mark.proves("ENGINE-unconnected")
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
async def test_a_dead_proxy_is_a_502(tmp_path: Path, mode: Mode) -> None:
    async with nobody() as url, running(mode, tmp_path, network={"proxy_url": url}) as stack:
        error = await failing(stack.sdks["AsyncSdk"], "chat", openai.InternalServerError)
        assert (error.status_code, error.code) == (502, "upstream_unavailable")


@pytest.mark.proves("ENGINE-retry")
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
async def test_a_short_failure_is_tried_again_before_the_client_sees_it(tmp_path: Path, mode: Mode) -> None:
    async with running(mode, tmp_path, limits={"retries": 1}) as stack:
        for dialect in ("chat", "responses"):
            stack.play(dialect, "server_error")
            answer = await stack.http.post(PATHS[dialect], json=TURNS[dialect][1])
            assert answer.status_code == 200
        assert stack.sim.leftover == {}


async def test_a_plan_that_is_used_up_is_not_asked_again_at_once(tmp_path: Path) -> None:
    scenario = Scenario.parse({"routes": {"codex.responses": {"queue": ["usage_limit_reached"]}}})
    async with running(CODEX, tmp_path, scenario=scenario, limits={"cool_down_seconds": 900}) as stack:
        for _ in range(3):
            error = await failing(stack.sdks["AsyncSdk"], "chat", openai.RateLimitError)
            assert error.code == "usage_limit_reached" and int(error.response.headers["retry-after"]) > 60
        assert len(stack.sim.calls("codex.responses")) == 1
