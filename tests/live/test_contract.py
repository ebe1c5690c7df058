"""The contract of the original codex-gateway, route by route, over the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.live.sdk import Sdk
from tests.live.stack import CODEX, KEY, MODEL, NATIVE, TRANSLATED, Stack, only, running
from tests.sdk_types import check_chat, check_chat_stream, check_error, check_models, check_response

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
CHAT: Json = {"model": MODEL, "messages": [{"role": "user", "content": "Reply with exactly: hello"}]}
RESPONSES: Json = {"model": MODEL, "input": "Reply with exactly: hello"}
POSTS = {"/v1/chat/completions": CHAT, "/v1/responses": RESPONSES}
ROUTES = ("/v1/models", *POSTS)


async def ask(stack: Stack, path: str, **options: Any) -> Any:
    """A good request to a route."""
    if path in POSTS:
        return await stack.http.post(path, json=POSTS[path], **options)
    return await stack.http.get(path, **options)


# every route ----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("ENGINE-contract")
async def test_healthz_says_ok_to_everybody(stack: Stack) -> None:
    answer = await stack.http.get("/healthz", headers={"authorization": ""})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["x-request-id"]


@pytest.mark.proves("ENGINE-contract")
@pytest.mark.parametrize("path", ["/healthz", *ROUTES])
async def test_the_clients_request_id_is_echoed_and_sent_on(stack: Stack, path: str) -> None:
    answer = await ask(stack, path, headers={"x-request-id": "trace-0815"})
    assert answer.headers["x-request-id"] == "trace-0815"
    sent = [call.headers.get("x-request-id") for call in stack.sim.log if call.method == "POST"]
    assert sent in ([], ["trace-0815"]), "logs of both sides name the same request"


@pytest.mark.parametrize("path", ["/healthz", *ROUTES])
async def test_a_request_without_an_id_gets_one(stack: Stack, path: str) -> None:
    ids = {(await ask(stack, path)).headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2 and all(ids)


@pytest.mark.parametrize("sent", ["x" * 129, "tab\there", "ü"], ids=["long", "control", "wide"])
async def test_an_id_that_is_not_sane_is_replaced(stack: Stack, sent: str) -> None:
    answer = await stack.http.get("/healthz", headers=[(b"x-request-id", sent.encode())])
    assert answer.headers["x-request-id"] not in (sent, "") and answer.headers["x-request-id"].isascii()


@pytest.mark.proves("ENGINE-contract")
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", f"Basic {KEY}", KEY])
@pytest.mark.parametrize("path", ROUTES)
async def test_no_or_a_wrong_key_is_401(stack: Stack, path: str, header: str) -> None:
    answer = await ask(stack, path, headers={"authorization": header})
    error = check_error(answer.content)
    assert (answer.status_code, error.type, error.code) == (401, "gateway_error", "invalid_api_key")
    assert answer.headers["x-request-id"]
    assert stack.sim.log == []


@pytest.mark.parametrize("path", ["/healthz", *ROUTES])
async def test_a_slash_at_the_end_is_optional(stack: Stack, path: str) -> None:
    body = POSTS.get(path)
    answer = await stack.http.request("POST" if body else "GET", f"{path}/", json=body)
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/v1/nothing-here", "/v1/", "/v2/models", "/nothing", "/v1/batches"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_path_is_a_404_in_json(stack: Stack, path: str, method: str) -> None:
    answer = await stack.http.request(method, path)
    error = check_error(answer.content)
    assert (answer.status_code, error.code, error.type) == (404, "unknown_url", "gateway_error")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/models"),
        ("PUT", "/v1/chat/completions"),
        ("GET", "/v1/responses"),
        ("DELETE", "/v1/responses"),
        ("GET", "/v1/responses/compact"),
        ("POST", "/v1/responses/resp_1"),
        ("GET", "/v1/conversations"),
        ("PUT", "/v1/conversations/conv_1"),
    ],
)
async def test_a_wrong_method_is_a_405_in_json(stack: Stack, method: str, path: str) -> None:
    answer = await stack.http.request(method, path)
    assert (answer.status_code, check_error(answer.content).code) == (405, "method_not_allowed")
    assert answer.headers["allow"]


# GET /v1/models -------------------------------------------------------------------------------------------------------


@pytest.mark.proves("ENGINE-contract")
async def test_models_lists_what_can_be_used(sdk: Sdk) -> None:
    page = await sdk.call("models.list")
    models = check_models(page.model_dump(mode="json", exclude_unset=True))
    assert MODEL in [model.id for model in models]
    assert "codex-auto-review" not in [model.id for model in models], "hidden ones are not for choosing"


async def test_a_model_can_be_retrieved(sdk: Sdk) -> None:
    model = await sdk.call("models.retrieve", model=MODEL)
    assert (model.id, model.object) == (MODEL, "model") and isinstance(model.created, int) and model.owned_by


@only(NATIVE, TRANSLATED)
async def test_models_of_a_server_are_its_own(stack: Stack) -> None:
    answer = await stack.http.get("/v1/models")
    assert [row["owned_by"] for row in answer.json()["data"]] == ["simulated"] * len(answer.json()["data"])


# POST /v1/chat/completions --------------------------------------------------------------------------------------------


@pytest.mark.proves("ENGINE-contract")
async def test_chat_answers_in_json_and_as_a_stream(stack: Stack) -> None:
    answer = await stack.http.post("/v1/chat/completions", json=CHAT)
    assert check_chat(answer.content).choices[0].message.content == "hello"
    assert answer.headers["content-type"] == "application/json"
    answer = await stack.http.post("/v1/chat/completions", json={**CHAT, "stream": True})
    chunks = check_chat_stream(answer.content, expect_usage=False)
    assert chunks[0].object == "chat.completion.chunk"


@only(CODEX, TRANSLATED)
@pytest.mark.parametrize(("left_out", "param"), [("model", "model"), ("messages", "messages")])
async def test_chat_needs_a_model_and_messages(stack: Stack, left_out: str, param: str) -> None:
    body = {key: value for key, value in CHAT.items() if key != left_out}
    answer = await stack.http.post("/v1/chat/completions", json=body)
    error = check_error(answer.content)
    assert (answer.status_code, error.type, error.param) == (400, "gateway_error", param)


# POST /v1/responses ---------------------------------------------------------------------------------------------------


async def test_responses_answers_in_json(stack: Stack) -> None:
    answer = await stack.http.post("/v1/responses", json=RESPONSES)
    assert check_response(answer.content).output_text == "hello"


@pytest.mark.proves("ENGINE-contract")
@only(CODEX)
async def test_an_empty_responses_body_lacks_a_model(stack: Stack) -> None:
    answer = await stack.http.post("/v1/responses", content=b"")
    error = check_error(answer.content)
    assert (answer.status_code, error.code, error.param) == (400, "invalid_request", "model")
    assert stack.sim.log == []


@pytest.mark.proves("ENGINE-contract")
@only(NATIVE, TRANSLATED)
async def test_an_empty_responses_body_is_for_the_server_to_judge(stack: Stack) -> None:
    answer = await stack.http.post("/v1/responses", content=b"")
    [call] = stack.sim.calls("openai.responses")
    assert (call.raw, answer.status_code) == (b"", 400)
    assert "could not parse" in check_error(answer.content).message


@pytest.mark.proves("ENGINE-instructions")
@only(CODEX)
@pytest.mark.parametrize("instructions", [None, ""], ids=["missing", "blank"])
async def test_missing_instructions_become_the_default_ones(stack: Stack, instructions: str | None) -> None:
    more = {} if instructions is None else {"instructions": instructions}
    await stack.http.post("/v1/responses", json={**RESPONSES, **more})
    assert [body["instructions"] for body in stack.sent("responses")] == ["You are a helpful assistant."]


@only(CODEX)
async def test_instructions_that_were_given_stay(stack: Stack) -> None:
    await stack.http.post("/v1/responses", json={**RESPONSES, "instructions": "Be brief."})
    assert [body["instructions"] for body in stack.sent("responses")] == ["Be brief."]


@pytest.mark.proves("ENGINE-dropped")
@only(CODEX)
@pytest.mark.parametrize("field", ["max_output_tokens", "max_completion_tokens"])
async def test_token_limits_are_accepted_left_out_and_named(stack: Stack, field: str) -> None:
    answer = await stack.http.post("/v1/responses", json={**RESPONSES, field: 100})
    assert check_response(answer.content).output_text == "hello"
    assert answer.headers["x-gateway-dropped"] == field
    assert all(field not in body for body in stack.sent("responses"))


@pytest.mark.proves("ENGINE-bytes")
@only(NATIVE, TRANSLATED)
async def test_a_responses_body_reaches_the_server_byte_for_byte(stack: Stack) -> None:
    raw = (
        b'{ "model":"gpt-5.5",  "input":"Reply with exactly: hello", "metadata": {"a":"b"}, "max_output_tokens" : 100 }'
    )
    answer = await stack.http.post("/v1/responses", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert [call.raw for call in stack.sim.calls("openai.responses")] == [raw]


@pytest.mark.proves("ENGINE-bytes")
@only(NATIVE)
async def test_a_chat_body_reaches_a_server_that_speaks_chat_byte_for_byte(stack: Stack) -> None:
    raw = b'{ "model":"gpt-5.5", "vendor": [1], "messages":[{"role":"user","content":"Reply with exactly: hello"}] }'
    answer = await stack.http.post("/v1/chat/completions", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert [call.raw for call in stack.sim.calls("openai.chat")] == [raw]


# the SDK's view of an answer ------------------------------------------------------------------------------------------


async def test_raw_responses_show_the_headers_and_the_request_id(sdk: Sdk) -> None:
    raw = await sdk.call(
        "chat.completions.with_raw_response.create", **CHAT, extra_headers={"x-request-id": "trace-4711"}
    )
    assert raw.headers["x-request-id"] == "trace-4711"
    assert raw.parse()._request_id == "trace-4711"
    assert (await sdk.call("responses.create", **RESPONSES))._request_id


@pytest.mark.proves("ENGINE-headers")
@only(NATIVE)
async def test_headers_of_the_server_that_are_for_the_client_pass(stack: Stack) -> None:
    passed = {"openai-processing-ms": "12", "x-ratelimit-remaining-requests": "9"}
    kept = {"openai-organization": "org-1", "set-cookie": "a=b", "server": "other"}
    stack.play("chat", {"headers": {**passed, **kept}})
    answer = await stack.http.post("/v1/chat/completions", json=CHAT)
    assert {name: answer.headers[name] for name in passed} == passed
    assert not {"openai-organization", "set-cookie"} & set(answer.headers)
    assert answer.headers.get("server") != "other"


async def test_without_a_configured_key_a_loopback_gateway_is_open(tmp_path: Path) -> None:
    async with running(NATIVE, tmp_path, auth={"downstream_api_key": ""}) as stack:
        for header in ({"authorization": ""}, {"authorization": "Bearer anything"}):
            answer = await stack.http.post("/v1/responses", json=RESPONSES, headers=header)
            assert answer.status_code == 200


async def test_the_servers_key_is_the_gateways_own(stack: Stack) -> None:
    await stack.http.post("/v1/responses", json=RESPONSES)
    [call] = stack.sim.calls(stack.mode.route("responses"))
    assert KEY not in str(call.headers)
    if not stack.mode.codex:
        assert call.headers["authorization"] == "Bearer sk-simulated"
