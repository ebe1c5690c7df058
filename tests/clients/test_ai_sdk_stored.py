"""The Vercel AI SDK on responses that the gateway keeps: it names what it has seen instead of sending it again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.served import PLAIN_MODEL, Json, Served
from tests.clients.test_openai_state import called, pages
from tests.live.stack import MODEL

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.proves("CLIENTS-ai-stored"),
    pytest.mark.parametrize("line", [7, 6], ids=["ai7", "ai6"]),
]

OUTPUTS = {"get_weather": "18C-SUNNY", "get_time": "12:00"}
THOUGHT: Json = {"use": "reasoning", "reasoning_content": True}
PROMPTS = [f"Reply with exactly: {word}" for word in ("one", "two", "three")]


def asked(line: int, options: Json | None = None, *, model: str = MODEL, **more: Any) -> Json:
    return {"face": "responses", "line": line, "model": model, "options": options or {}, **more}


def named(body: Json) -> list[Json]:
    """What is only named in a body that an upstream got."""
    return [item for item in body.get("input") or () if item.get("type") == "item_reference"]


@pytest.mark.parametrize("model", [MODEL, PLAIN_MODEL], ids=["reasoning", "plain"])
async def test_a_second_turn_has_what_the_first_brought(keeper: Served, line: int, model: str) -> None:
    keeper.play("responses", THOUGHT, None)
    given = asked(line, model=model, prompts=["Think", "Reply with exactly: second"])
    answer = await keeper.run("aisdk.twoTurns", **given, quiet=False)
    assert (answer["first"], answer["second"]) == ("(simulated) Done thinking.", "second")
    assert answer["named"] == 2
    _, second = keeper.asked("responses")
    assert second.said == ["(simulated) Done thinking."]
    assert named(second.body) == []
    if keeper.mode.codex:
        assert len(second.sealed) == 1


@pytest.mark.parametrize("program", ["generate", "stream"])
@pytest.mark.parametrize("model", [MODEL, PLAIN_MODEL], ids=["reasoning", "plain"])
async def test_a_tool_loop(keeper: Served, line: int, program: str, model: str) -> None:
    options = {"prompt": "What is the weather and the time in Paris?"}
    answer = await keeper.run(f"aisdk.{program}", **asked(line, options, model=model, outputs=OUTPUTS))
    assert answer["called"] == [["get_weather", "Paris"], ["get_time", "Paris"]]
    _, second = keeper.asked("responses")
    assert [call.name for call in second.calls] == ["get_weather", "get_time"]
    assert [output.content for output in second.outputs] == ["18C-SUNNY in Paris", "12:00 in Paris"]
    assert named(second.body) == []
    more = {"messages": answer["messages"], "prompt": "Reply with exactly: on"}
    after = await keeper.run("aisdk.goneOn", **asked(line, model=model, outputs=OUTPUTS, **more))
    assert after["text"] == "on"
    assert after["named"] == (model == PLAIN_MODEL)
    last = keeper.asked("responses")[-1]
    assert named(last.body) == []
    assert [output.content for output in last.outputs] == ["18C-SUNNY in Paris", "12:00 in Paris"]
    assert last.said == [answer["text"]]


async def test_reasoning_before_calls_goes_with_them(keeper: Served, line: int) -> None:
    call: Json = {"call": "get_weather", "arguments": {"location": "Paris"}}
    keeper.play("responses", {"steps": [{"reasoning": "thought"}, call]}, None)
    answer = await keeper.run("aisdk.generate", **asked(line, {"prompt": "Think"}, outputs=OUTPUTS), quiet=False)
    assert answer["called"] == [["get_weather", "Paris"]]
    _, second = keeper.asked("responses")
    assert named(second.body) == []
    assert [made.name for made in second.calls] == ["get_weather"]


async def test_turns_go_on_by_the_response_before(keeper: Served, line: int) -> None:
    answer = await keeper.run("aisdk.chained", **asked(line, prompts=PROMPTS))
    assert answer["texts"] == ["one", "two", "three"]
    assert [body.said for body in keeper.asked("responses")] == [[], ["one"], ["one", "two"]]
    kept = await called(keeper, "responses.retrieve", answer["last"])
    assert kept["output_text"] == "three"


async def test_tools_run_in_turns_that_go_on_by_the_response_before(keeper: Served, line: int) -> None:
    prompts = ["Reply with exactly: one", "What is the weather in Paris?"]
    answer = await keeper.run("aisdk.chained", **asked(line, prompts=prompts, outputs=OUTPUTS))
    assert "18C-SUNNY in Paris" in answer["texts"][1]
    assert answer["called"] == [["get_weather", "Paris"]]
    last = keeper.asked("responses")[-1]
    assert last.said == ["one"]
    assert [output.content for output in last.outputs] == ["18C-SUNNY in Paris"]


async def test_turns_go_on_in_a_conversation(keeper: Served, line: int) -> None:
    name = (await called(keeper, "conversations.create", {}))["id"]
    answer = await keeper.run("aisdk.chained", **asked(line, prompts=PROMPTS, conversation=name))
    assert answer["texts"] == ["one", "two", "three"]
    assert [body.said for body in keeper.asked("responses")] == [[], ["one"], ["one", "two"]]
    assert len(await pages(keeper, "conversations.items.list", name)) == 6
