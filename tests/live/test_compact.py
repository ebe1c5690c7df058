"""`/v1/responses/compact`: by the upstream where it can, by the gateway where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openai.types.responses import CompactedResponse

from gateway.core.compaction import opened
from tests.live.sdk import Sdk
from tests.live.sockets import connected, text_of
from tests.live.stack import CHAT_ONLY, CODEX, MODEL, NATIVE, TRANSLATED, Mode, Stack, only, running
from tests.sdk_shapes import typed
from tests.sdk_types import check_error

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

HISTORY: list[Json] = [
    {"role": "user", "content": "We ship on Monday."},
    {"role": "assistant", "content": [{"type": "output_text", "text": "Noted.", "annotations": []}]},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And the price?"}]},
]
with_compaction = only(CODEX, NATIVE, TRANSLATED)


async def compacted(stack: Stack, **body: Any) -> Json:
    answer = await stack.http.post("/v1/responses/compact", json={"model": MODEL, "input": HISTORY, **body})
    assert answer.status_code == 200, answer.text
    document: Json = answer.json()
    found: list[str] = []
    # The SDK has no type for the user's messages that stay.
    typed(CompactedResponse, {**document, "output": document["output"][-1:]}, "$", found)
    assert found == []
    return document


def compact_route(stack: Stack) -> str:
    return "codex.compact" if stack.mode.codex else "openai.compact"


@pytest.mark.proves("COMPACT-native")
@with_compaction
async def test_the_upstreams_own_compaction_is_asked_for_and_can_be_gone_on_from(stack: Stack) -> None:
    answer = await compacted(stack, prompt_cache_key="thread-1", instructions="Be terse.")
    assert answer["object"] == "response.compaction"
    *kept, item = answer["output"]
    assert (item["type"], {message["role"] for message in kept}) == ("compaction", {"user"})
    assert all(message["id"] and message["status"] == "completed" for message in kept)
    [call] = stack.sim.calls(compact_route(stack))
    assert (call.body["instructions"], call.body["prompt_cache_key"]) == ("Be terse.", "thread-1")
    after = {"model": MODEL, "input": [*answer["output"], {"role": "user", "content": "Reply with exactly: on"}]}
    assert text_of((await stack.http.post("/v1/responses", json=after)).json()) == "on"
    async with connected(stack) as socket:
        assert text_of(await socket.answer(**{**after, "store": False, "tools": []})) == "on"


@pytest.mark.proves("COMPACT-native")
async def test_the_sdk_compacts(sdk: Sdk, stack: Stack) -> None:
    answer = await sdk.call("responses.compact", model=MODEL, input=HISTORY)
    assert (answer.object, answer.output[-1].type) == ("response.compaction", "compaction")
    assert answer.output[-1].encrypted_content


@pytest.mark.proves("COMPACT-native")
@only(CODEX)
async def test_the_codex_backend_gets_what_it_takes_and_nothing_else(stack: Stack) -> None:
    await compacted(
        stack, store=True, stream=True, temperature=0.5, metadata={"a": "b"}, reasoning={"effort": "low"}, tools=[]
    )
    [call] = stack.sim.calls("codex.compact")
    assert call.body.keys() <= {"model", "input", "instructions", "tools", "reasoning", "prompt_cache_key", "text"}
    assert call.headers["session-id"] == call.body["prompt_cache_key"]
    assert call.headers["accept"] == "application/json"


@pytest.mark.proves("COMPACT-errors")
@pytest.mark.parametrize(
    ("body", "param"),
    [({"model": None}, "model"), ({"input": 7}, "input"), ({"previous_response_id": "resp_x"}, "previous_response_id")],
    ids=["no model", "no input", "unknown response"],
)
async def test_what_cannot_be_compacted_is_a_400_that_names_the_field(stack: Stack, body: Json, param: str) -> None:
    document = {"model": MODEL, "input": HISTORY, **body}
    answer = await stack.http.post("/v1/responses/compact", json=document)
    error = check_error(answer.json())
    assert (answer.status_code, error.param) == (400, param)


@pytest.mark.proves("COMPACT-errors")
@with_compaction
async def test_an_unknown_model_is_no_reason_to_try_another_way(stack: Stack) -> None:
    stack.sim.queue(compact_route(stack), {"status": 404, "body": _no_model()})
    answer = await stack.http.post("/v1/responses/compact", json={"model": MODEL, "input": HISTORY})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert stack.sent("responses") == []


def _no_model() -> Json:
    error = {"message": "The model does not exist.", "type": "invalid_request_error", "param": None}
    return {"error": {**error, "code": "model_not_found"}}


@pytest.mark.proves("COMPACT-errors")
@with_compaction
async def test_a_plan_limit_is_told_as_for_a_turn(stack: Stack) -> None:
    stack.sim.queue(compact_route(stack), "usage_limit_reached")
    answer = await stack.http.post("/v1/responses/compact", json={"model": MODEL, "input": HISTORY})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "usage_limit_reached")


@pytest.mark.proves("COMPACT-own")
@pytest.mark.parametrize("mode", [NATIVE, CHAT_ONLY], ids=["server without the route", "chat only"])
async def test_where_there_is_no_compaction_a_turn_makes_a_summary(tmp_path: Path, mode: Mode) -> None:
    async with running(mode, tmp_path) as stack:
        route = "openai.responses" if mode is NATIVE else "openai.chat"
        if mode is NATIVE:
            body = {"detail": "Not Found"}
            stack.sim.queue("openai.compact", {"status": 404, "body": body})
        stack.sim.queue(route, {"text": ["They ship ", "on Monday."]})
        answer = await compacted(stack)
        assert [item.get("role") for item in answer["output"]] == ["user", "user", None]
        assert opened(answer["output"][-1]) == "They ship on Monday."
        assert answer["usage"]["total_tokens"] > 0
        after = [*answer["output"], {"role": "user", "content": "Reply with exactly: on"}]
        response = await stack.http.post("/v1/responses", json={"model": MODEL, "input": after})
        assert text_of(response.json()) == "on"
        last = stack.sim.calls(route)[-1].body
        assert "They ship on Monday." in str(last.get("input") or last["messages"])
        assert "gateway-summary" not in str(last)
