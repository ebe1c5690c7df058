"""The WebSocket clients of the openai SDK and of the Agents SDK, both for Node."""

from __future__ import annotations

import pytest

from tests.clients.served import Json, Served
from tests.live.stack import MODEL
from tests.live.test_responses import WEATHER, user

pytestmark = pytest.mark.asyncio(loop_scope="session")


def create(text: str, **more: object) -> Json:
    return {"model": MODEL, "input": [user(text)], "store": False, **more}


def text(events: list[Json]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


@pytest.mark.proves("CLIENTS-websocket")
async def test_a_conversation_needs_only_what_is_new(gateway: Served) -> None:
    bodies = [
        create("", generate=False, input=[]),
        create("Reply with exactly: first", previous_response_id="last"),
        create("Reply with exactly: second", previous_response_id="last"),
    ]
    answer = await gateway.run("socket.turns", bodies=bodies)
    assert answer["errors"] == []
    warm_up, first, second = answer["turns"]
    assert (warm_up[-1]["type"], warm_up[-1]["response"]["output"]) == ("response.completed", [])
    assert (text(first), text(second)) == ("first", "second")
    for events in (first, second):
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    _, asked = gateway.asked("responses")
    assert asked.said == ["first"]
    assert "Reply with exactly: first" in asked.text


@pytest.mark.proves("CLIENTS-websocket")
async def test_a_tool_is_called_and_answered(gateway: Served) -> None:
    bodies = [create("What is the weather in Paris?", tools=[WEATHER])]
    first = (await gateway.run("socket.turns", bodies=bodies))["turns"][0]
    [call] = [event["item"] for event in first if event["type"] == "response.output_item.done"]
    assert (call["type"], call["arguments"]) == ("function_call", '{"location":"Paris"}')
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "18C-SUNNY"}
    question = user("What is the weather in Paris?")
    bodies = [create("", input=[question, call, output], tools=[WEATHER])]
    assert "18C-SUNNY" in text((await gateway.run("socket.turns", bodies=bodies))["turns"][0])


@pytest.mark.proves("CLIENTS-websocket")
async def test_an_error_leaves_the_connection_open(gateway: Served) -> None:
    gateway.play("responses", "retry_after", None)
    bodies = [create("Hi"), create("Reply with exactly: still here")]
    answer = await gateway.run("socket.turns", bodies=bodies)
    failed, fine = answer["turns"]
    assert (failed[-1]["type"], failed[-1]["status"]) == ("error", 429)
    assert len(answer["errors"]) == 1
    assert text(fine) == "still here"


@pytest.mark.proves("CLIENTS-websocket")
async def test_an_unknown_response_is_told(gateway: Served) -> None:
    answer = await gateway.run("socket.turns", bodies=[create("Hi", previous_response_id="resp_nobody")])
    [told] = answer["turns"][0]
    assert (told["type"], told["status"], told["error"]["code"]) == ("error", 400, "previous_response_not_found")


@pytest.mark.proves("CLIENTS-abort")
async def test_a_closed_connection_ends_the_upstream_call(gateway: Served) -> None:
    gateway.play("responses", {"steps": [{"text": ["one ", "two "]}], "finish": "stall"})
    await gateway.run("socket.left", body=create("Hi"))
    [call] = gateway.sim.calls(gateway.mode.route("responses"))
    await gateway.ended(call)
    assert call.closed_early


@pytest.mark.proves("CLIENTS-websocket")
async def test_a_wrong_key_is_refused_in_the_handshake(gateway: Served) -> None:
    answer = await gateway.node.run("socket.refused", client={**gateway.client, "apiKey": "sk-wrong"})
    assert "401" in answer["message"]


@pytest.mark.proves("CLIENTS-websocket", "CLIENTS-agents")
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_the_agents_sdk_holds_a_conversation(gateway: Served, stream: bool) -> None:
    before = len(gateway.said.lines)
    answer = await gateway.run(
        "agents.run",
        face="responses",
        websocket=True,
        stream=stream,
        model=MODEL,
        prompt="What is the weather in Paris?",
        tools=True,
        more="Reply with exactly: thanks",
    )
    assert (answer["called"], answer["output"]) == (["Paris"], "thanks")
    assert len(gateway.sent("responses")) == 3
    # A connection of a test before this one may be logged as late.
    assert '"event":"websocket"' in await gateway.said.until('"turns":3', before)
