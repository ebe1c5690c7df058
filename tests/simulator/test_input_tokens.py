"""Counts of input tokens by the simulated OpenAI server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from gateway.simulator import Scenario, Simulator

Json = dict[str, Any]

PATH = "/v1/responses/input_tokens"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=Simulator(Scenario()))
    headers = {"authorization": "Bearer sk-simulated"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://simulated", headers=headers) as client:
        yield client


async def counted(server: httpx2.AsyncClient, **body: Any) -> int:
    answer = (await server.post(PATH, json=body)).json()
    assert answer.keys() == {"object", "input_tokens"}
    assert answer["object"] == "response.input_tokens"
    return int(answer["input_tokens"])


@pytest.mark.proves("TOKENS-native")
async def test_a_count_is_what_a_response_says_that_it_read(server: httpx2.AsyncClient) -> None:
    body: Json = {"model": "gpt-5.5", "input": "How many tokens is this?", "instructions": "Be terse."}
    response = (await server.post("/v1/responses", json=body)).json()
    assert abs(await counted(server, **body) - response["usage"]["input_tokens"]) <= 1
    assert await counted(server) < await counted(server, input="Hi") < await counted(server, **body)


@pytest.mark.proves("TOKENS-native")
async def test_a_stored_response_counts_with_what_led_to_it(server: httpx2.AsyncClient) -> None:
    stored = (await server.post("/v1/responses", json={"model": "gpt-5.5", "input": "word " * 100})).json()
    assert await counted(server, input="Hi", previous_response_id=stored["id"]) > 100


WRONG = [
    ({"model": 7}, 400, "model"),
    ({"model": "no-such-model"}, 404, "model"),
    ({"input": 7}, 400, "input"),
    ({"personality": 7}, 400, "personality"),
    ({"truncation": "always"}, 400, "truncation"),
    ({"previous_response_id": "resp_x"}, 400, "previous_response_id"),
    ({"conversation": {"id": "conv_x"}}, 404, "conversation"),
    ({"conversation": {}}, 400, "conversation.id"),
]


@pytest.mark.proves("TOKENS-native")
@pytest.mark.parametrize(("body", "status", "param"), WRONG, ids=[str(body) for body, _, _ in WRONG])
async def test_a_wrong_body_is_refused_by_name(server: httpx2.AsyncClient, body: Json, status: int, param: str) -> None:
    answer = await server.post(PATH, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
