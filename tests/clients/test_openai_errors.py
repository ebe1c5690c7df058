"""What the openai SDK for Node makes of errors, and of models."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.served import Json, Served
from tests.live.stack import KEY, MODEL

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHAT: Json = {"method": "chat.completions.create", "params": {"model": MODEL, "messages": []}}
RESPONSES: Json = {"method": "responses.create", "params": {"model": MODEL, "input": "hi"}}
CHAT["params"]["messages"] = [{"role": "user", "content": "hi"}]
BOTH = pytest.mark.parametrize("call", [CHAT, RESPONSES], ids=["chat", "responses"])


def changed(call: Json, **params: Any) -> Json:
    return {**call, "params": {**call["params"], **params}}


def dialect(call: Json) -> Any:
    return "chat" if call is CHAT else "responses"


@BOTH
@pytest.mark.proves("CLIENTS-errors")
async def test_a_wrong_key_is_an_authentication_error(gateway: Served, call: Json) -> None:
    client = {**gateway.client, "apiKey": "sk-wrong"}
    error = await gateway.node.refused("openai.create", client=client, **call)
    assert (error["class"], error["status"], error["code"]) == ("AuthenticationError", 401, "invalid_api_key")
    assert error["requestID"] == error["headers"]["x-request-id"] != ""


@BOTH
@pytest.mark.proves("CLIENTS-errors")
async def test_an_unknown_model_is_not_found(gateway: Served, call: Json) -> None:
    error = await gateway.refused("openai.create", **changed(call, model="gpt-nobody"))
    assert (error["class"], error["status"], error["code"]) == ("NotFoundError", 404, "model_not_found")
    assert (MODEL if gateway.mode.codex else "gpt-nobody") in error["message"]


@BOTH
@pytest.mark.proves("CLIENTS-errors")
async def test_a_wrong_parameter_is_named(gateway: Served, call: Json) -> None:
    error = await gateway.refused("openai.create", **changed(call, tools="many"))
    assert (error["class"], error["status"], error["param"]) == ("BadRequestError", 400, "tools")


@BOTH
@pytest.mark.proves("CLIENTS-errors")
async def test_a_rate_limit_tells_how_long_to_wait(gateway: Served, call: Json) -> None:
    gateway.play(dialect(call), "retry_after")
    error = await gateway.refused("openai.create", **call)
    assert (error["class"], error["status"]) == ("RateLimitError", 429)
    assert error["headers"]["retry-after"] == "2"


@BOTH
@pytest.mark.proves("CLIENTS-retries")
async def test_the_sdk_tries_again(gateway: Served, call: Json) -> None:
    gateway.play(dialect(call), {"use": "retry_after", "headers": {"retry-after": "1"}})
    client = {**gateway.client, "maxRetries": 1}
    answer = await gateway.node.run("openai.create", client=client, **call)
    assert answer["data"]["id"] != ""
    assert len(gateway.sent(dialect(call))) == 2


@BOTH
@pytest.mark.proves("CLIENTS-retries")
async def test_a_used_up_plan_is_not_tried_again(gateway: Served, call: Json) -> None:
    gateway.play(dialect(call), "usage_limit_reached")
    client = {**gateway.client, "maxRetries": 2}
    error = await gateway.node.refused("openai.create", client=client, **call)
    assert (error["class"], error["status"], error["code"]) == ("RateLimitError", 429, "usage_limit_reached")
    assert len(gateway.sent(dialect(call))) == 1


@BOTH
@pytest.mark.proves("CLIENTS-errors")
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_an_overload_is_a_status_also_of_streams(gateway: Served, call: Json, stream: bool) -> None:
    gateway.play(dialect(call), "overloaded")
    error = await gateway.refused("openai.events" if stream else "openai.create", **changed(call, stream=stream))
    assert (error["class"], error["status"]) == ("InternalServerError", 503)
    assert int(error["headers"]["retry-after"]) > 0


@pytest.mark.proves("CLIENTS-models")
async def test_models_are_listed_and_retrieved(gateway: Served) -> None:
    listed = await gateway.run("openai.pages", method="models.list", params=[])
    assert MODEL in [model["id"] for model in listed]
    assert {model["object"] for model in listed} == {"model"}
    one = await gateway.run("openai.create", method="models.retrieve", params=MODEL)
    assert one["data"] == next(model for model in listed if model["id"] == MODEL)
    error = await gateway.refused("openai.create", method="models.retrieve", params="gpt-nobody")
    assert (error["class"], error["code"]) == ("NotFoundError", "model_not_found")


async def test_the_headers_of_an_sdk_are_no_secret_of_the_upstream(gateway: Served) -> None:
    """Nothing of what the SDK says about itself or its key is passed on."""
    await gateway.run("openai.create", **RESPONSES)
    [call] = gateway.sim.calls(gateway.mode.route("responses"))
    assert not [name for name in call.headers if name.startswith("x-stainless")]
    assert KEY not in str(call.headers)
    assert "OpenAI/JS" not in call.headers["user-agent"]
