"""Values of the wrong kind, everywhere: refused or left to the upstream, never a crash of the gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.live.stack import CODEX, MODEL, TRANSLATED, Stack, only

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

CHAT: Json = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
RESPONSES: Json = {"model": MODEL, "input": "hi"}
WRONG: tuple[Any, ...] = (None, True, -1, 1.5, "x", [], [1], [None], {"a": 1}, "\ud83d")

FIELDS = (
    "model messages input instructions stream stream_options tools tool_choice response_format text stop n functions "
    "function_call metadata reasoning_effort reasoning max_tokens temperature user web_search_options logprobs "
    "top_logprobs modalities audio service_tier verbosity parallel_tool_calls include store prompt_cache_key "
    "previous_response_id background conversation prompt truncation max_output_tokens client_metadata"
)


def messages(value: Any) -> list[Any]:
    call = {"id": value, "type": "function", "function": {"name": value, "arguments": value}}
    return [
        [value],
        [{"role": value, "content": "x"}],
        [{"role": "user", "content": value}],
        [{"role": "user", "content": [{"type": value}]}],
        [{"role": "user", "content": [{"type": "text", "text": value}]}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": value}]}],
        [{"role": "assistant", "tool_calls": value}],
        [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": value, "content": value}],
    ]


def items(value: Any) -> list[Any]:
    return [
        [value],
        [{"type": value}],
        [{"role": value, "content": value}],
        [{"role": "user", "content": [{"type": "input_image", "image_url": value}]}],
        [{"type": "function_call", "call_id": value, "name": value, "arguments": value}],
        [{"type": "function_call_output", "call_id": value, "output": value}],
        [{"type": "reasoning", "encrypted_content": value, "summary": value}],
        [{"type": "item_reference", "id": value}],
    ]


def bodies(kind: str) -> list[tuple[str, Json]]:
    """Paths and bodies of a family."""
    chat, responses = "/v1/chat/completions", "/v1/responses"
    match kind:
        case "chat fields":
            return [(chat, {**CHAT, field: value}) for field in FIELDS.split() for value in WRONG]
        case "responses fields":
            return [(responses, {**RESPONSES, field: value}) for field in FIELDS.split() for value in WRONG]
        case "messages":
            return [(chat, {**CHAT, "messages": given}) for value in WRONG for given in messages(value)]
        case "items":
            return [(responses, {**RESPONSES, "input": given}) for value in WRONG for given in items(value)]
    tools = [[{"type": "additional_tools", "tools": value}] for value in WRONG]
    return [(responses, {**RESPONSES, "input": given}) for given in tools]


@only(CODEX, TRANSLATED)
@pytest.mark.proves("ENGINE-malformed")
@pytest.mark.parametrize("kind", ["chat fields", "responses fields", "messages", "items", "additional tools"])
async def test_no_value_of_the_wrong_kind_crashes_the_gateway(stack: Stack, kind: str) -> None:
    crashed = []
    for path, body in bodies(kind):
        answer = await stack.http.post(path, content=json.dumps(body))  # escapes what UTF-8 cannot hold
        if answer.status_code == 500:
            crashed.append((path, body))
    assert crashed == []


@only(CODEX)
@pytest.mark.proves("ENGINE-malformed")
@pytest.mark.parametrize("kind", ["items", "additional tools"])
@pytest.mark.parametrize("going_on", ["previous_response_id", "conversation"])
async def test_nothing_that_goes_on_from_what_is_kept_crashes_the_gateway(
    stack: Stack, kind: str, going_on: str
) -> None:
    odd = {"type": "message", "role": "user", "content": "hi", "call_id": {"a": 1}, "status": [1]}
    if going_on == "conversation":
        first = await stack.http.post("/v1/conversations", json={"items": [odd]})
    else:
        first = await stack.http.post("/v1/responses", json={"model": MODEL, "input": "hi"})
    assert first.status_code == 200
    crashed = []
    for path, body in bodies(kind):
        given = {**body, going_on: first.json()["id"], "store": False}
        answer = await stack.http.post(path, content=json.dumps(given))
        if answer.status_code == 500:
            crashed.append(given)
    assert crashed == []


@pytest.mark.parametrize(
    "content",
    [
        b'\xef\xbb\xbf{"model":"gpt-5.5","messages":[{"role":"user","content":"hi"}]}',
        b'{"model":"gpt-5.5","messages":[{"role":"user","content":"hi"}],"seed":123456789012345678901234567890}',
    ],
    ids=["byte-order-mark", "huge-number"],
)
async def test_odd_but_sound_json_is_served(stack: Stack, content: bytes) -> None:
    answer = await stack.http.post("/v1/chat/completions", content=content)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("content", [b"\xff\xfe", b"null", b'{"a":NaN}', b'{"a":' + b"[" * 600 + b"]" * 600 + b"}"])
async def test_what_is_no_sound_json_is_a_400(stack: Stack, content: bytes) -> None:
    for path in ("/v1/chat/completions", "/v1/responses"):
        assert (await stack.http.post(path, content=content)).status_code == 400
