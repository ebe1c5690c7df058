"""The openai SDK for Node on /v1/responses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.node import ProgramError
from tests.clients.reading import tool_call
from tests.clients.served import Json, Served
from tests.live.chat import PIXEL
from tests.live.stack import CODEX, MODEL, only
from tests.live.test_responses import TIME, WEATHER, user

pytestmark = pytest.mark.asyncio(loop_scope="session")

CREATE = "responses.create"
HELPER = "responses.stream"
PARIS = {"name": "Paris", "population": 2100000}
OUTPUTS = {"get_weather": "18C-SUNNY", "get_time": "12:00", "note": "noted"}
NOTE: Json = {"type": "custom", "name": "note", "description": "Takes a note", "format": {"type": "text"}}


def body(given: Any, **more: Any) -> Json:
    return {"model": MODEL, "input": given, **more}


def exactly(text: str) -> str:
    return f"Reply with exactly: {text}"


@pytest.mark.proves("CLIENTS-openai-responses")
async def test_an_answer_has_text_usage_and_a_request_id(gateway: Served) -> None:
    answer = await gateway.run("openai.create", method=CREATE, params=body(exactly("pong")))
    data = answer["data"]
    assert (data["output_text"], data["status"], data["model"]) == ("pong", "completed", MODEL)
    assert data["usage"]["total_tokens"] > 0
    assert answer["request_id"] == answer["headers"]["x-request-id"] != ""


@pytest.mark.proves("CLIENTS-openai-responses")
async def test_a_stream_shows_the_text_and_ends_completed(gateway: Served) -> None:
    params = body(exactly("one two three four"), stream=True)
    answer = await gateway.run("openai.events", method=CREATE, params=params)
    events = answer["events"]
    assert answer["error"] is None
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    pieces = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(pieces) == "one two three four" and len(pieces) > 1
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "one two three four"


@pytest.mark.proves("CLIENTS-openai-responses")
@pytest.mark.parametrize(
    "script", ["default", "reasoning", "commentary", "no_ids", "long_ids", "byte_by_byte", "split_utf8", "web_search"]
)
async def test_the_stream_helper_makes_the_whole_response(gateway: Served, script: str) -> None:
    gateway.play("responses", script, script)
    answer = await gateway.run("openai.helped", method=HELPER, params=body("Say something"))
    pieces = "".join(event["delta"] for event in answer["heard"]["response.output_text.delta"])
    assert answer["final"]["output_text"] == pieces != ""
    whole = (await gateway.run("openai.create", method=CREATE, params=body("Say something")))["data"]
    assert [item["type"] for item in answer["final"]["output"]] == [item["type"] for item in whole["output"]]
    assert pieces == whole["output_text"]


async def test_the_helper_hears_a_refusal(gateway: Served) -> None:
    gateway.play("responses", "refusal")
    answer = await gateway.run("openai.helped", method=HELPER, params=body("x"))
    said = "".join(event["delta"] for event in answer["heard"]["response.refusal.delta"])
    assert said == "I cannot help with that. (simulated)"
    assert [part["refusal"] for part in answer["final"]["output"][0]["content"]] == [said]


@pytest.mark.proves("CLIENTS-openai-tools")
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_tool_loop_echoes_every_item_of_the_answer(gateway: Served, stream: bool) -> None:
    params = body(
        [user("What is the weather and the time in Paris?")],
        tools=[WEATHER, TIME],
        store=False,
        include=["reasoning.encrypted_content"],
        reasoning={"effort": "low", "summary": "auto"},
    )
    answer = await gateway.run("openai.toolLoop", params=params, outputs=OUTPUTS, stream=stream)
    assert "18C-SUNNY" in answer["text"] and "12:00" in answer["text"]
    output = answer["answers"][0]["output"]
    second = gateway.asked("responses")[1]
    assert [called.name for called in second.calls] == ["get_weather", "get_time"]
    assert [found.call_id for found in second.outputs] == [called.call_id for called in second.calls]
    assert [found.content for found in second.outputs] == ["18C-SUNNY", "12:00"]
    if gateway.mode.inner:
        assert [item["type"] for item in output] == ["reasoning", "function_call", "function_call"]
        assert second.sealed == [output[0]["encrypted_content"]]


async def test_a_custom_tool_is_called_and_answered(gateway: Served) -> None:
    gateway.play("responses", tool_call(gateway.mode, "note", "buy milk"), None)
    params = body([user("Please note this")], tools=[NOTE])
    answer = await gateway.run("openai.toolLoop", params=params, outputs=OUTPUTS, stream=True)
    [call] = answer["answers"][0]["output"]
    assert (call["type"], call["name"], call["input"]) == ("custom_tool_call", "note", "buy milk")
    assert "noted" in answer["text"]
    second = gateway.asked("responses")[1]
    [called], [output] = second.calls, second.outputs
    assert (called.name, called.call_id, output.content) == ("note", output.call_id, "noted")
    assert "buy milk" in called.given


@pytest.mark.proves("CLIENTS-openai-parse")
@pytest.mark.parametrize("program", ["parsed", "parsedStream"])
async def test_parse_fills_a_schema(gateway: Served, program: str) -> None:
    method = HELPER if program == "parsedStream" else "responses.parse"
    answer = await gateway.run(f"openai.{program}", method=method, params=body(exactly(json.dumps(PARIS))))
    response = answer["final"] if program == "parsedStream" else answer["data"]
    assert response["output_parsed"] == PARIS
    [asked] = gateway.asked("responses")
    assert (asked.schema["name"], asked.schema["strict"]) == ("city", True)
    assert asked.schema["schema"]["required"] == ["name", "population"]


async def test_images_reach_the_model(gateway: Served) -> None:
    parts = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": PIXEL}]
    answer = await gateway.run("openai.create", method=CREATE, params=body([{"role": "user", "content": parts}]))
    assert "an image" in answer["data"]["output_text"]
    assert PIXEL in json.dumps(gateway.sent("responses"))


@pytest.mark.proves("CLIENTS-errors")
async def test_an_answer_that_fails_midway_ends_as_failed(gateway: Served) -> None:
    gateway.play("responses", "failed:server_error")
    answer = await gateway.run("openai.events", method=CREATE, params=body("x", stream=True))
    assert "response.output_text.delta" in [event["type"] for event in answer["events"]]
    # A failure that a server tells in an event of its own is raised by the SDK.
    last = answer["events"][-1]
    told = answer["error"] or last["response"]["error"]
    assert (told["code"], last["type"] == "response.failed") == ("server_error", answer["error"] is None)


@pytest.mark.proves("CLIENTS-errors")
async def test_the_helper_tells_of_a_failure_midway(gateway: Served) -> None:
    gateway.play("responses", "failed:server_error")
    try:
        answer = await gateway.run("openai.helped", method=HELPER, params=body("x"))
    except ProgramError as error:
        assert error.told["code"] == "server_error"
    else:
        assert answer["final"]["status"] == "failed"
        assert answer["final"]["error"]["code"] == "server_error"


@pytest.mark.proves("CLIENTS-errors")
@pytest.mark.parametrize("finish", ["cut", "end"])
async def test_a_stream_that_breaks_off_never_looks_complete(gateway: Served, finish: str) -> None:
    gateway.play("responses", {"steps": [{"text": ["one ", "two "]}], "finish": finish})
    answer = await gateway.run("openai.events", method=CREATE, params=body("x", stream=True))
    kinds = [event["type"] for event in answer["events"]]
    assert "response.output_text.delta" in kinds and "response.completed" not in kinds
    assert answer["error"] is not None or kinds[-1] == "response.failed"


async def test_an_incomplete_answer_says_why(gateway: Served) -> None:
    gateway.play("responses", "max_output_tokens", "max_output_tokens")
    answer = await gateway.run("openai.create", method=CREATE, params=body("x"))
    assert answer["data"]["status"] == "incomplete"
    assert answer["data"]["incomplete_details"] == {"reason": "max_output_tokens"}
    streamed = await gateway.run("openai.events", method=CREATE, params=body("x", stream=True))
    assert streamed["events"][-1]["type"] == "response.incomplete"


@pytest.mark.proves("CLIENTS-abort")
async def test_an_abort_ends_the_upstream_call(gateway: Served) -> None:
    gateway.play("responses", {"steps": [{"text": ["one ", "two "]}], "finish": "stall"})
    await gateway.run("openai.aborted", method=CREATE, params=body("x", stream=True), abortAfter=4)
    [call] = gateway.sim.calls(gateway.mode.route("responses"))
    await gateway.ended(call)
    assert call.closed_early


@only(CODEX)
async def test_what_a_plan_does_not_keep_is_kept_here(gateway: Served) -> None:
    answer = await gateway.run("openai.create", method=CREATE, params=body(exactly("pong"), store=True))
    assert "x-gateway-dropped" not in answer["headers"]
    assert answer["data"]["store"] is True
    [sent] = gateway.sent("responses")
    assert (sent["store"], sent["stream"]) == (False, True)
