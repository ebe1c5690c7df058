"""The OpenAI Agents SDK for JavaScript on what the gateway keeps: it sends only what is new."""

from __future__ import annotations

import pytest

from tests.clients.served import Served
from tests.clients.test_openai_state import called, pages
from tests.live.stack import MODEL

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.proves("CLIENTS-agents-stored"),
    pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"]),
]

PROMPTS = ["Reply with exactly: one", "What is the weather in Paris?", "Reply with exactly: three"]
KINDS = ["message", "message", "message", "function_call", "function_call_output", "message", "message", "message"]


@pytest.mark.parametrize("websocket", [False, True], ids=["http", "websocket"])
@pytest.mark.parametrize("by", ["response", "conversation", "session"])
async def test_runs_go_on_from_what_is_kept(keeper: Served, by: str, stream: bool, websocket: bool) -> None:
    answer = await keeper.run(
        "agents.kept",
        face="responses",
        model=MODEL,
        prompts=PROMPTS,
        by=by,
        stream=stream,
        websocket=websocket,
        tools=True,
    )
    assert (answer["outputs"][0], answer["outputs"][2], answer["called"]) == ("one", "three", ["Paris"])
    assert "18C-SUNNY in Paris" in answer["outputs"][1]
    asked = keeper.asked("responses")
    assert len(asked) == 4
    assert [len(body.said) for body in asked] == [0, 1, 1, 2]
    assert [output.content for output in asked[-1].outputs] == ["18C-SUNNY in Paris"]
    if by == "response":
        assert (await called(keeper, "responses.retrieve", answer["last"]))["output_text"] == "three"
    else:
        listed = await pages(keeper, "conversations.items.list", answer["conversation"], {"order": "asc"})
        assert [item["type"] for item in listed] == KINDS
