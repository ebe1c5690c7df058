"""The Vercel AI SDK: its OpenAI provider on both APIs, and its provider for OpenAI-compatible servers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.served import Json, Served
from tests.live.chat import PIXEL
from tests.live.stack import MODEL, DialectName

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("line", [7, 6], ids=["ai7", "ai6"]),
    pytest.mark.parametrize("face", ["responses", "chat", "compatible"]),
]

PARIS = {"name": "Paris", "population": 2100000}
OUTPUTS = {"get_weather": "18C-SUNNY", "get_time": "12:00"}
PROGRAMS = pytest.mark.parametrize("program", ["generate", "stream"])


def exactly(text: str) -> Json:
    return {"prompt": f"Reply with exactly: {text}"}


def dialect(face: str) -> DialectName:
    return "responses" if face == "responses" else "chat"


def asked(face: str, line: int, options: Json, **more: Any) -> Json:
    return {"face": face, "line": line, "model": MODEL, "options": options, **more}


@PROGRAMS
@pytest.mark.proves("CLIENTS-ai-text")
async def test_a_text_with_its_usage(gateway: Served, face: str, line: int, program: str) -> None:
    answer = await gateway.run(f"aisdk.{program}", **asked(face, line, exactly("one two three four")))
    assert (answer["text"], answer["finishReason"]) == ("one two three four", "stop")
    usage = answer["usage"]
    assert usage["inputTokens"] > 0 and usage["outputTokens"] > 0
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    if program == "stream":
        assert "".join(answer["pieces"]) == answer["text"] and len(answer["pieces"]) > 1
        assert (answer["parts"][0], answer["parts"][-1]) == ("start", "finish")


@PROGRAMS
@pytest.mark.proves("CLIENTS-ai-tools")
async def test_a_tool_loop(gateway: Served, face: str, line: int, program: str) -> None:
    options = {"prompt": "What is the weather and the time in Paris?"}
    answer = await gateway.run(f"aisdk.{program}", **asked(face, line, options, outputs=OUTPUTS))
    assert answer["called"] == [["get_weather", "Paris"], ["get_time", "Paris"]]
    assert "18C-SUNNY in Paris" in answer["text"] and "12:00 in Paris" in answer["text"]
    assert [step["finishReason"] for step in answer["steps"]] == ["tool-calls", "stop"]
    first, second = gateway.asked(dialect(face))
    assert first.outputs == []
    assert [output.content for output in second.outputs] == ["18C-SUNNY in Paris", "12:00 in Paris"]


@PROGRAMS
@pytest.mark.proves("CLIENTS-ai-structured")
async def test_structured_output(gateway: Served, face: str, line: int, program: str) -> None:
    answer = await gateway.run(f"aisdk.{program}", **asked(face, line, exactly(json.dumps(PARIS)), structured=True))
    assert answer["output"] == PARIS
    [asked_for] = gateway.asked(dialect(face))
    assert asked_for.schema["schema"]["required"] == ["name", "population"]


@PROGRAMS
@pytest.mark.proves("CLIENTS-ai-reasoning")
async def test_reasoning_is_read(gateway: Served, face: str, line: int, program: str) -> None:
    """Its chat provider shows none, and its Responses provider only summaries."""
    gateway.play(dialect(face), {"use": "reasoning", "reasoning_content": True})
    options = {"prompt": "x", "providerOptions": {"openai": {"reasoningEffort": "low", "reasoningSummary": "auto"}}}
    answer = await gateway.run(f"aisdk.{program}", **asked(face, line, options), quiet=face == "responses")
    assert answer["text"] == "(simulated) Done thinking."
    shown = face in ("compatible", "responses")
    assert (answer.get("reasoning") or "") == ("**Weighing it**\n\n(simulated) thought" if shown else "")
    if program == "stream" and shown:
        assert answer["parts"].index("reasoning-start") < answer["parts"].index("text-start")


@pytest.mark.proves("CLIENTS-ai-reasoning")
async def test_a_second_turn_carries_what_the_first_brought(gateway: Served, face: str, line: int) -> None:
    gateway.play(dialect(face), {"use": "reasoning", "reasoning_content": True}, None)
    prompts = ["Think", "Reply with exactly: second"]
    options = {"providerOptions": {"openai": {"store": False}}}
    answer = await gateway.run("aisdk.twoTurns", **asked(face, line, options, prompts=prompts), quiet=False)
    assert (answer["first"], answer["second"]) == ("(simulated) Done thinking.", "second")
    _, second = gateway.asked(dialect(face))
    assert second.said == ["(simulated) Done thinking."]
    if face == "responses" and gateway.mode.inner:
        assert len(second.sealed) == 1


async def test_system_text_keeps_its_place(gateway: Served, face: str, line: int) -> None:
    options = {"messages": [{"role": "user", "content": "Reply with exactly: ok"}]}
    options["system" if line == 6 else "instructions"] = "Be brief."  # type: ignore[assignment]
    answer = await gateway.run("aisdk.generate", **asked(face, line, options))
    assert answer["text"] == "ok"
    [sent] = gateway.sent(dialect(face))
    said = json.dumps(sent.get("messages") or sent["input"])
    assert "Be brief." in said and "helpful assistant" not in json.dumps(sent)


async def test_images_reach_the_model(gateway: Served, face: str, line: int) -> None:
    kind = {"type": "image", "image": PIXEL} if line == 6 else {"type": "file", "mediaType": "image/png", "data": PIXEL}
    content = [{"type": "text", "text": "What is this?"}, kind]
    answer = await gateway.run(
        "aisdk.generate", **asked(face, line, {"messages": [{"role": "user", "content": content}]})
    )
    assert "an image" in answer["text"]
    assert PIXEL in json.dumps(gateway.sent(dialect(face)))


@pytest.mark.proves("CLIENTS-abort")
async def test_an_abort_ends_the_upstream_call(gateway: Served, face: str, line: int) -> None:
    gateway.play(dialect(face), {"steps": [{"text": ["one ", "two "]}], "finish": "stall"})
    answer = await gateway.run("aisdk.aborted", **asked(face, line, {"prompt": "x"}))
    assert answer["last"] == "abort"
    [call] = gateway.sim.calls(gateway.mode.route(dialect(face)))
    await gateway.ended(call)
    assert call.closed_early


@pytest.mark.proves("CLIENTS-errors")
async def test_errors_keep_their_status_and_words(gateway: Served, face: str, line: int) -> None:
    gateway.play(dialect(face), "retry_after")
    error = await gateway.refused("aisdk.generate", **asked(face, line, {"prompt": "x"}))
    assert (error["name"], error["status"], error["isRetryable"]) == ("AI_APICallError", 429, True)
    assert error["headers"]["retry-after"] == "2"
    body = json.loads(error["responseBody"])["error"]
    assert error["message"] == body["message"] != ""
    assert body.keys() == {"message", "type", "code", "param"}


@pytest.mark.proves("CLIENTS-errors")
async def test_a_stream_that_breaks_off_is_an_error(gateway: Served, face: str, line: int) -> None:
    gateway.play(dialect(face), {"steps": [{"text": ["one ", "two "]}], "finish": "cut"})
    answer = await gateway.run("aisdk.stream", **asked(face, line, {"prompt": "x"}), quiet=False)
    assert answer["pieces"] != []
    assert answer["errors"] != []
    assert "error" in answer["parts"]
