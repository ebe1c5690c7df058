"""The OpenAI Agents SDK for JavaScript, which stands on the openai SDK."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.served import Json, Served
from tests.live.stack import MODEL, DialectName

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("face", ["responses", "chat"]),
    pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"]),
]

PARIS = {"name": "Paris", "population": 2100000}


async def ran(gateway: Served, face: DialectName, stream: bool, prompt: str, **more: Any) -> Json:
    answer: Json = await gateway.run("agents.run", face=face, stream=stream, model=MODEL, prompt=prompt, **more)
    return answer


@pytest.mark.proves("CLIENTS-agents")
async def test_an_answer(gateway: Served, face: DialectName, stream: bool) -> None:
    answer = await ran(gateway, face, stream, "Reply with exactly: pong")
    assert answer["output"] == "pong"
    if not stream or face == "responses":  # its chat streams do not ask for token counts
        assert answer["usage"]["totalTokens"] > 0
    assert ("output_text_delta" in answer["shown"]) is stream
    [sent] = gateway.sent(face)
    assert "Be brief." in json.dumps(sent)


@pytest.mark.proves("CLIENTS-agents")
async def test_a_tool_is_run_and_the_conversation_goes_on(gateway: Served, face: DialectName, stream: bool) -> None:
    answer = await ran(
        gateway, face, stream, "What is the weather in Paris?", tools=True, more="Reply with exactly: thanks"
    )
    assert (answer["called"], answer["output"]) == (["Paris"], "thanks")
    bodies = gateway.sent(face)
    assert len(bodies) == 3
    assert all("18C-SUNNY in Paris" in json.dumps(body) for body in bodies[1:])


@pytest.mark.proves("CLIENTS-agents")
async def test_structured_output(gateway: Served, face: DialectName, stream: bool) -> None:
    answer = await ran(gateway, face, stream, f"Reply with exactly: {json.dumps(PARIS)}", structured=True)
    assert answer["output"] == PARIS


@pytest.mark.proves("CLIENTS-agents")
async def test_model_settings_arrive_or_are_told(gateway: Served, face: DialectName, stream: bool) -> None:
    settings = {
        "reasoning": {"effort": "high", "summary": "auto"},
        "text": {"verbosity": "low"},
        "toolChoice": "auto",
        "parallelToolCalls": False,
        "store": False,
    }
    answer = await ran(gateway, face, stream, "Reply with exactly: pong", settings=settings, tools=True)
    assert answer["output"] == "pong"
    [asked] = gateway.asked(face)
    assert (asked.effort, asked.body["tool_choice"]) == ("high", "auto")
    if gateway.mode.inner or face == "chat":  # a chat-only server of no name has neither
        assert (asked.verbosity, asked.body["parallel_tool_calls"]) == ("low", False)
