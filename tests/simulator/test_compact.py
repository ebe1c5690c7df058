"""Compaction of the simulated OpenAI server."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from gateway.simulator import Scenario, Simulator

Json = dict[str, Any]


async def compact(simulator: Simulator, **body: Any) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=simulator)
    async with httpx2.AsyncClient(transport=transport, base_url="http://simulated") as client:
        headers = {"authorization": "Bearer sk-simulated"}
        return await client.post("/v1/responses/compact", json={"model": "gpt-5.5", **body}, headers=headers)


@pytest.mark.proves("COMPACT-native")
async def test_the_users_messages_stay_and_one_item_stands_for_the_rest() -> None:
    history = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    answer = (await compact(Simulator(Scenario()), input=history)).json()
    kept, made = answer["output"]
    assert (answer["object"], kept["role"], kept["status"]) == ("response.compaction", "user", "completed")
    assert (made["type"], made["encrypted_content"][:5]) == ("compaction", "gAAAA")
    assert answer["usage"]["total_tokens"] == answer["usage"]["input_tokens"] + answer["usage"]["output_tokens"]


@pytest.mark.proves("COMPACT-native")
@pytest.mark.parametrize(
    ("body", "param"),
    [({"model": None}, "model"), ({"input": 7}, "input"), ({"previous_response_id": "resp_x"}, "previous_response_id")],
)
async def test_a_wrong_body_is_refused_by_name(body: Json, param: str) -> None:
    answer = await compact(Simulator(Scenario()), **body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.proves("COMPACT-native")
async def test_a_stored_response_is_compacted_with_what_led_to_it() -> None:
    simulator = Simulator(Scenario())
    transport = httpx2.ASGITransport(app=simulator)
    async with httpx2.AsyncClient(transport=transport, base_url="http://simulated") as client:
        client.headers["authorization"] = "Bearer sk-simulated"
        body: Json = {"model": "gpt-5.5", "input": "first"}
        stored = (await client.post("/v1/responses", json=body)).json()
        body = {"model": "gpt-5.5", "previous_response_id": stored["id"], "input": "second"}
        answer = (await client.post("/v1/responses/compact", json=body)).json()
    assert [item.get("role") for item in answer["output"]] == ["user", "user", None]
