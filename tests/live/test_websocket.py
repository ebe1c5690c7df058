"""Responses over a WebSocket: turns, their order, what a connection remembers, and who pays when somebody leaves."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.live.sockets import ENDS, as_stream, connected, sdk_turns, text_of
from tests.live.stack import CHAT_ONLY, CODEX, INNER, MODEL, NATIVE, TRANSLATED, Stack, only, running
from tests.sdk_types import check_response_stream, sse_events

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

each_sdk = pytest.mark.parametrize("kind", ["SyncSdk", "AsyncSdk"], ids=["sync", "async"])
sdk_uses_an_old_call = pytest.mark.filterwarnings(
    r"ignore:connect\(\) must be used as a context manager:DeprecationWarning"
)
"""The synchronous client of openai 3.52 opens its connection in a way that websockets 17.1 warns of."""

KEEPS = (CODEX, CHAT_ONLY)
"""Modes whose responses the gateway itself stores, unless `store` is false."""

TOOL: Json = {"type": "function", "name": "get_weather", "description": "Weather.", "parameters": {"type": "object"}}


def said(item: Any) -> Any:
    """The text of a message that the upstream got, whatever its form."""
    content = item.get("content")
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content or ())


def talk(body: Json) -> list[str]:
    """All that is said in a body that the upstream got, in the inner language or as chat messages."""
    return [said(item) for item in body.get("input") or body["messages"]]


@pytest.mark.proves("WS-events")
async def test_a_turn_has_the_events_of_an_http_stream(stack: Stack) -> None:
    ask: Json = {"input": "What is the weather?", "tools": [TOOL], "reasoning": {"effort": "low"}}
    async with connected(stack) as socket:
        events = await socket.turn(**ask)
    streamed = await stack.http.post("/v1/responses", json={"model": MODEL, "stream": True, **ask})
    over_http = [json.loads(data) for _, data in sse_events(streamed.content) if data != "[DONE]"]
    assert [event["type"] for event in events] == [event["type"] for event in over_http]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    response = check_response_stream(as_stream(events))
    assert response.output[-1].type == "function_call"


@pytest.mark.proves("WS-sdk")
@each_sdk
@sdk_uses_an_old_call
async def test_the_sdk_runs_turns_and_goes_on_from_them(stack: Stack, kind: str) -> None:
    one, two = await sdk_turns(
        stack,
        kind,
        {"input": "Remember: indigo. Reply with exactly: noted", "store": False},
        {"input": "Reply with exactly: indigo", "store": False, "previous": 0},
    )
    assert one[0].type == "response.created"
    assert one[-1].response.output_text == "noted"
    assert two[-1].response.output_text == "indigo"
    assert two[-1].response.previous_response_id == one[-1].response.id
    assert talk(stack.sent("responses")[-1]) == [
        "Remember: indigo. Reply with exactly: noted",
        "noted",
        "Reply with exactly: indigo",
    ]


@pytest.mark.proves("WS-sdk", "WS-errors")
@each_sdk
@sdk_uses_an_old_call
async def test_the_sdk_gets_an_error_as_an_event_with_its_status(stack: Stack, kind: str) -> None:
    [[event], after] = await sdk_turns(stack, kind, {"model": "gpt-nonsense", "input": "hi"}, {"input": "hi"})
    assert (event.type, event.status, event.error.code) == ("error", 404, "model_not_found")
    assert after[-1].type == "response.completed"


@pytest.mark.proves("WS-order")
async def test_requests_sent_at_once_are_answered_one_after_the_other(stack: Stack) -> None:
    async with connected(stack) as socket:
        for word in ("one", "two", "three"):
            await socket.send(input=f"Reply with exactly: {word}")
        turns = [await socket.rest() for _ in range(3)]
    assert [text_of(events[-1]["response"]) for events in turns] == ["one", "two", "three"]
    assert len({event["response"]["id"] for events in turns for event in events if "response" in event}) == 3
    assert stack.sim.peak_streams == 1


@pytest.mark.proves("WS-lanes")
async def test_the_clients_own_mark_is_repeated_in_every_event_and_not_sent_on(stack: Stack) -> None:
    async with connected(stack) as socket:
        events = await socket.turn(input="hi", stream_id='a "lane"')
        refused = await socket.turn(model=None, input="hi", stream_id="b")
        bare = await socket.turn(input="hi")
    assert {event["stream_id"] for event in events} == {'a "lane"'}
    assert [event["stream_id"] for event in refused] == ["b"]
    assert not any("stream_id" in event for event in bare)
    assert not any("stream_id" in body for body in stack.sent("responses"))


# what a connection remembers -----------------------------------------------------------------------------------------


@pytest.mark.proves("WS-continuation")
@only(*INNER)
async def test_a_continuation_sends_the_whole_chain_and_shows_the_id_that_was_sent(stack: Stack) -> None:
    async with connected(stack) as socket:
        ask = {"input": "Look up the weather.", "tools": [TOOL], "store": False, "instructions": "Be terse."}
        first = await socket.answer(**ask)
        call = first["output"][-1]
        given = {"type": "function_call_output", "call_id": call["call_id"], "output": "18 degrees"}
        events = await socket.turn(previous_response_id=first["id"], input=[given], store=False)
    shown = [event["response"]["previous_response_id"] for event in events if "response" in event]
    assert shown == [first["id"]] * 3
    body = stack.sent("responses")[-1]
    assert "previous_response_id" not in body
    assert [item.get("type", "message") for item in body["input"]][-2:] == ["function_call", "function_call_output"]
    assert said(body["input"][0]) == "Look up the weather."
    assert not any("id" in item for item in body["input"])
    assert "tools" not in body
    assert body.get("instructions") != "Be terse."


@pytest.mark.proves("WS-continuation")
async def test_two_continuations_of_one_response_know_nothing_of_each_other(stack: Stack) -> None:
    async with connected(stack) as socket:
        root = await socket.answer(input="Reply with exactly: root", store=False)
        for word in ("left", "right"):
            await socket.answer(previous_response_id=root["id"], input=f"Reply with exactly: {word}", store=False)
    left, right = stack.sent("responses")[-2:]
    assert [text[-5:] for text in talk(left)] == [" root", "root", " left"]
    assert [text[-5:] for text in talk(right)] == [" root", "root", "right"]


@pytest.mark.proves("WS-continuation")
@only(*INNER)
async def test_reasoning_is_replayed_only_with_its_encrypted_content(stack: Stack) -> None:
    async with connected(stack) as socket:
        thought = await socket.answer(
            input="Think.", reasoning={"effort": "high"}, store=False, include=["reasoning.encrypted_content"]
        )
        await socket.answer(previous_response_id=thought["id"], input="Go on.", store=False)
        kinds = [item.get("type", "message") for item in stack.sent("responses")[-1]["input"]]
        stack.play(
            "responses", {"steps": [{"item": {"type": "reasoning", "id": "rs_1", "summary": []}}, {"text": "x"}]}
        )
        bare = await socket.answer(input="Think.", store=False)
        await socket.answer(previous_response_id=bare["id"], input="Go on.", store=False)
    assert "reasoning" in kinds
    assert "reasoning" in [item["type"] for item in bare["output"]]
    assert [item.get("type", "message") for item in stack.sent("responses")[-1]["input"]] == ["message"] * 3


@pytest.mark.proves("WS-unknown")
@only(CODEX)
async def test_an_unknown_response_is_an_error_event_where_the_upstream_keeps_none(stack: Stack) -> None:
    async with connected(stack) as socket:
        [event] = await socket.turn(previous_response_id="resp_nobody", input="hi")
        assert (event["type"], event["status"]) == ("error", 400)
        assert (event["error"]["code"], event["error"]["param"]) == (
            "previous_response_not_found",
            "previous_response_id",
        )
        await socket.answer(input="hi")


@pytest.mark.proves("WS-unknown")
@only(NATIVE, TRANSLATED)
async def test_a_response_that_the_upstream_keeps_is_continued_there_and_its_followers_too(stack: Stack) -> None:
    stored = (await stack.http.post("/v1/responses", json={"model": MODEL, "input": "hello"})).json()
    async with connected(stack) as socket:
        second = await socket.answer(previous_response_id=stored["id"], input="Reply with exactly: two", store=False)
        await socket.answer(previous_response_id=second["id"], input="Reply with exactly: three", store=False)
    one, two = stack.sent("responses")[-2:]
    assert (one["previous_response_id"], said(one["input"][0]) if isinstance(one["input"], list) else one["input"]) == (
        stored["id"],
        "Reply with exactly: two",
    )
    assert two["previous_response_id"] == stored["id"]
    assert [said(item) for item in two["input"]] == ["Reply with exactly: two", "two", "Reply with exactly: three"]


@pytest.mark.proves("WS-evict")
async def test_a_failed_continuation_forgets_the_response_it_went_on_from(stack: Stack) -> None:
    async with connected(stack) as socket:
        first = await socket.answer(input="hi", store=False)
        orphan = {"type": "function_call_output", "call_id": "call_nobody", "output": "x"}
        [refused] = await socket.turn(previous_response_id=first["id"], input=[orphan], store=False)
        assert (refused["status"], refused["error"]["param"]) == (400, "input[0].call_id")
        [gone] = await socket.turn(previous_response_id=first["id"], input="hi", store=False)
        assert gone["error"]["code"] == "previous_response_not_found"

        second = await socket.answer(input="hi", store=False)
        stack.play("responses", "failed:server_error")
        failed = await socket.turn(previous_response_id=second["id"], input="hi", store=False)
        assert failed[-1]["type"] == "response.failed"
        [gone] = await socket.turn(previous_response_id=second["id"], input="hi", store=False)
        assert gone["error"]["code"] == "previous_response_not_found"


@pytest.mark.proves("WS-private")
@only(*KEEPS)
async def test_two_connections_do_not_know_what_is_not_stored_of_each_other(stack: Stack) -> None:
    async with connected(stack) as one, connected(stack) as other:
        mine = await one.answer(input="hi", store=False)
        [event] = await other.turn(previous_response_id=mine["id"], input="hi")
        assert event["error"]["code"] == "previous_response_not_found"
        await one.answer(previous_response_id=mine["id"], input="hi", store=False)
    assert (await stack.http.get(f"/v1/responses/{mine['id']}")).status_code == 404


@pytest.mark.proves("WS-bounds")
@pytest.mark.parametrize("limit", [{"websocket_responses": 1}, {"websocket_bytes": 600}], ids=["number", "bytes"])
async def test_the_oldest_responses_that_are_not_stored_are_forgotten(tmp_path: Path, limit: Json) -> None:
    async with running(CODEX, tmp_path, limits=limit) as stack, connected(stack) as socket:
        first = await socket.answer(input=f"Reply with exactly: {'a' * 100}", store=False)
        second = await socket.answer(input=f"Reply with exactly: {'b' * 100}", store=False)
        await socket.answer(previous_response_id=second["id"], input="hi", store=False)
        [event] = await socket.turn(previous_response_id=first["id"], input="hi", store=False)
    assert event["error"]["code"] == "previous_response_not_found"


@pytest.mark.proves("WS-mixed")
async def test_what_a_conversation_goes_on_from_is_not_a_response_too(stack: Stack) -> None:
    """Whoever keeps the conversation says so; neither history is put in front of the other."""
    async with connected(stack) as socket:
        first = await socket.answer(input="hi", store=False)
        [refused] = await socket.turn(previous_response_id=first["id"], conversation="conv_1", input="hi", store=False)
    assert refused["status"] == 400
    assert refused["error"]["param"] in ("previous_response_id", "conversation")


# warm-up -------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("WS-warm-up")
async def test_a_warm_up_is_answered_here_and_can_be_gone_on_from(stack: Stack) -> None:
    tools = [TOOL]
    developer = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be terse."}]}
    common: Json = {"tools": tools, "store": False, "stream": True, "prompt_cache_key": "thread-1"}
    async with connected(stack) as socket:
        created, done = await socket.turn(generate=False, input=[developer], **common)
        assert stack.sim.calls(stack.upstream_route) == []
        assert (created["type"], created["response"]["status"]) == ("response.created", "in_progress")
        response = done["response"]
        assert (response["status"], response["output"]) == ("completed", [])
        assert response["usage"]["total_tokens"] == 0
        assert response["prompt_cache_key"] == "thread-1"
        assert response["tools"][0]["strict"] is None
        assert check_response_stream(as_stream([created, done])).id == created["response"]["id"] == response["id"]

        answer = await socket.answer(previous_response_id=response["id"], input="Reply with exactly: warm", **common)
        again = await socket.turn(generate=False, input=[developer])
    assert text_of(answer) == "warm"
    [body] = stack.sent("responses")
    assert talk(body) == ["Be terse.", "Reply with exactly: warm"]
    assert "generate" not in body
    assert again[-1]["response"]["id"] != response["id"]


@pytest.mark.proves("WS-warm-up")
async def test_a_warm_up_that_nobody_could_run_is_refused(stack: Stack) -> None:
    async with connected(stack) as socket:
        [event] = await socket.turn(generate=False, model="", input="hi")
        assert (event["status"], event["error"]["param"]) == (400, "model")
        [event] = await socket.turn(generate="no", input="hi")
        assert (event["status"], event["error"]["param"]) == (400, "generate")


# leaving -------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("WS-client-left")
@pytest.mark.parametrize("abrupt", [False, True], ids=["close", "reset"])
async def test_a_client_that_leaves_ends_the_upstream_call(stack: Stack, abrupt: bool) -> None:
    stack.play("responses", "stall")
    async with connected(stack) as socket:
        await socket.send(input="hi")
        while (await socket.event())["type"] != "response.output_text.delta":
            pass
        assert stack.sim.open_streams == 1
        if abrupt:
            socket.connection.transport.abort()
        else:
            await socket.connection.close()
        await stack.sim.until(lambda: stack.sim.open_streams == 0)
    [call] = stack.sim.calls(stack.upstream_route)
    await call.finished.wait()
    assert call.closed_early


@pytest.mark.proves("WS-client-left")
async def test_a_client_that_leaves_before_any_answer_ends_the_upstream_call_and_what_waits(stack: Stack) -> None:
    gate = stack.sim.gate("left before any answer")
    stack.play("responses", {"gate": "left before any answer"})
    async with connected(stack) as socket:
        for _ in range(3):
            await socket.send(input="hi")
        await gate.reached.wait()
        await socket.connection.close()
        await stack.sim.until(lambda: stack.sim.open_streams == 0)
    [call] = stack.sim.calls(stack.upstream_route)
    await call.finished.wait()
    assert call.closed_early


@pytest.mark.proves("WS-live")
async def test_the_first_piece_arrives_before_the_upstream_sends_the_second(stack: Stack) -> None:
    gate = stack.sim.gate("second piece of a message")
    stack.play("responses", {"text": ["first ", {"gate": "second piece of a message"}, "second"]})
    async with connected(stack) as socket:
        await socket.send(input="hi")
        while (event := await socket.event())["type"] != "response.output_text.delta":
            assert event["type"] not in ENDS
        assert event["delta"] == "first "
        assert not gate.is_set()
        gate.set()
        assert text_of((await socket.rest())[-1]["response"]) == "first second"


@pytest.mark.proves("WS-parallel")
async def test_connections_run_side_by_side_without_mixing(stack: Stack) -> None:
    async def one(number: int) -> str:
        async with connected(stack) as socket:
            return text_of(await socket.answer(input=f"Reply with exactly: number {number}"))

    numbers = range(20)
    assert await asyncio.gather(*map(one, numbers)) == [f"number {number}" for number in numbers]
