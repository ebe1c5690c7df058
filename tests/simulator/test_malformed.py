"""Requests with values of the wrong kind: refused as the real services refuse them, never a failure of ours."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import httpx2
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.simulator import Scenario, Simulator
from tests.simulator.asking import CODEX, KEY, WEATHER, headers_of, turn, user

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
HEADERS = headers_of({"access_token": "any", "account_id": "acct"})
SCHEMA: dict[str, Any] = {
    "type": "object", "required": ["a"], "additionalProperties": False, "$defs": {"leaf": {"type": "string"}},
    "properties": {
        "a": {"type": ["string", "null"], "minLength": 1, "maxLength": 9, "format": "date", "pattern": "x"},
        "b": {"type": "array", "items": {"$ref": "#/$defs/leaf"}, "minItems": 1, "maxItems": 2},
        "c": {"anyOf": [{"type": "integer", "minimum": 1, "multipleOf": 2}, {"enum": [1]}]},
        "d": {"allOf": [{"type": "number", "exclusiveMaximum": 3}], "examples": [1]},
    },
}  # fmt: skip
FUNCTION = {**WEATHER, "parameters": SCHEMA}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}
ITEMS: list[Any] = [
    {"type": "message", "role": "user", "id": "msg_1", "content": [
        {"type": "input_text", "text": "weather, patch"}, {"type": "input_file", "file_id": "file"},
        {"type": "input_image", "image_url": "https://example.com/", "detail": "low"}]},
    {"role": "assistant", "content": "x", "status": "completed"},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
    CALL,
    {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "x"}]},
    {"type": "additional_tools", "role": "developer", "tools": [WEATHER]},
    {"type": "tool_search_call", "call_id": "call_2", "execution": "client", "arguments": {"query": "weather"}},
    user("weather, patch"),
]  # fmt: skip
TOOLS = [FUNCTION, {"type": "custom", "name": "patch"}, {"type": "namespace", "name": "n", "tools": [WEATHER]}]
INNER: dict[str, Any] = {
    "input": ITEMS, "tools": TOOLS, "parallel_tool_calls": True, "prompt_cache_key": "k",
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "get_weather"}]},
    "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"],
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}, "verbosity": "low"},
}  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {
        "model": "gpt-5.5", "stream": False, "n": 1, "stop": ["x"], "max_tokens": 5, "max_completion_tokens": 5,
        "messages": [
            {"role": "system", "content": "x", "name": "n"},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "user", "content": [
                {"type": "text", "text": "weather", "refusal": None}, {"type": "file", "file": {"file_id": "x"}},
                {"type": "image_url", "image_url": {"url": "x"}}]},
        ],
        "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA, "strict": True}},
                  {"type": "custom", "custom": {"name": "patch"}}],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {
            "mode": "required", "tools": [{"type": "function", "function": {"name": "get_weather"}}]}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        "reasoning_effort": "low", "stream_options": {"include_usage": True}, "temperature": 1, "top_p": 1,
        "metadata": {"a": "b"}, "logit_bias": {"1": 1}, "parallel_tool_calls": True, "seed": 1, "user": "u",
    },
    RESPONSES: {
        **INNER, "model": "gpt-5.5", "stream": True, "instructions": "x", "store": True, "background": False,
        "max_output_tokens": 5, "max_tool_calls": 1, "metadata": {"a": "b"}, "previous_response_id": None,
        "temperature": 1, "top_p": 1, "truncation": "auto", "user": "u", "service_tier": "auto", "top_logprobs": 1,
    },
    CODEX: turn(**INNER, service_tier="priority", client_metadata={"a": "b"}, stream_options={}),
}  # fmt: skip
ODD: list[Any] = [None, True, -1, "x", [[1]], {"type": 5}]
WORDS = ["type", "function", "name", "parameters", "role", "user", "schema", "required", "$ref", "#", "tools"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip

Path = tuple[str | int, ...]


def places(document: Any, path: Path = ()) -> Iterator[Path]:
    """Every place of a document, the whole of it first."""
    yield path
    pairs = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in pairs:
        yield from places(value, (*path, key))


def put(document: Any, path: Path, value: Any) -> Any:
    """The document with another value at a place."""
    if not path:
        return value
    changed = copy.deepcopy(document)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return changed


def client_of(scenario: Scenario) -> httpx2.AsyncClient:
    """A client without a socket: these tests send thousands of requests, and look at whole answers only."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(Simulator(scenario)), base_url="http://sim")


async def post(client: httpx2.AsyncClient, path: str, body: Any) -> int:
    """Send a body; a refusal must have the form of its service. Returns the status."""
    answer = await client.post(path, content=orjson.dumps(body), headers=HEADERS)
    if answer.status_code != 200:
        assert 400 <= answer.status_code < 500, (body, answer.text)
        document = answer.json()
        if path != CODEX or "error" in document:
            assert document["error"].keys() == {"message", "type", "param", "code"}
        else:
            assert document.keys() == {"detail"}
    return answer.status_code


@pytest.mark.parametrize("path", BODIES)
async def test_the_bodies_of_these_tests_are_taken_as_they_are(path: str) -> None:
    async with client_of(Scenario(open=True)) as client:
        assert await post(client, path, BODIES[path]) == 200


@pytest.mark.proves("SIM-malformed")
@pytest.mark.parametrize("path", BODIES)
async def test_no_odd_value_at_any_place_is_a_failure(path: str) -> None:
    async with client_of(Scenario(open=True)) as client:
        statuses = [await post(client, path, put(BODIES[path], at, odd)) for at in places(BODIES[path]) for odd in ODD]
    assert set(statuses) >= {200, 400}


@pytest.mark.proves("SIM-malformed")
@pytest.mark.parametrize("path", BODIES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
async def test_no_value_at_any_place_is_a_failure(path: str, data: st.DataObject) -> None:
    at = data.draw(st.sampled_from(list(places(BODIES[path]))))
    body = put(BODIES[path], at, data.draw(JSON))
    async with client_of(Scenario(open=True, require_instructions=False)) as client:
        await post(client, path, body)


WRONG_CHAT: list[tuple[dict[str, Any], str]] = [
    ({"tools": True}, "tools"), ({"stop": 1}, "stop"), ({"n": "x"}, "n"), ({"n": 0}, "n"), ({"n": 10**9}, "n"),
    ({"stream_options": 3}, "stream_options"), ({"response_format": "json"}, "response_format"),
    ({"max_tokens": "5"}, "max_tokens"), ({"messages": [1]}, "messages[0]"), ({"messages": [{}]}, "messages[0].role"),
    ({"messages": [{"role": "robot"}]}, "messages[0].role"), ({"temperature": True}, "temperature"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": []}}}]},
     "tools[0].function.parameters.properties"),
]  # fmt: skip
WRONG_INNER: list[tuple[dict[str, Any], str]] = [
    ({"tools": 5}, "tools"), ({"reasoning": "x"}, "reasoning"), ({"text": []}, "text"), ({"include": 3}, "include"),
    ({"input": [[1]]}, "input[0]"), ({"input": [{**CALL, "call_id": []}]}, "input[0].call_id"),
    ({"input": [{"role": []}]}, "input[0].role"), ({"tool_choice": 1}, "tool_choice"),
    ({"input": [{"role": "user", "content": [{"type": {}}]}]}, "input[0].content[0].type"),
    ({"input": [{**CALL, "arguments": {"a": 1}}]}, "input[0].arguments"),
    ({"text": {"format": 1}}, "text.format"), ({"reasoning": {"effort": []}}, "reasoning.effort"),
]  # fmt: skip
WRONG: list[tuple[str, dict[str, Any], str]] = [
    *((CHAT, {"model": "gpt-5.5", "messages": [user("x")], **change}, param) for change, param in WRONG_CHAT),
    *((RESPONSES, {"model": "gpt-5.5", "input": "x", **change}, param) for change, param in WRONG_INNER),
    *((CODEX, turn(**change), param) for change, param in WRONG_INNER),
    (CODEX, turn(client_metadata={"a": 1}), "client_metadata.a"),
    (CODEX, turn(stream_options=5), "stream_options"),
]


@pytest.mark.proves("SIM-malformed")
@pytest.mark.parametrize(("path", "body", "param"), WRONG, ids=str)
async def test_a_wrong_value_is_refused_by_its_place(path: str, body: Any, param: str) -> None:
    async with client_of(Scenario(open=True)) as client:
        answer = await client.post(path, json=body, headers=HEADERS)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)


@pytest.mark.proves("SIM-unreadable")
@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (rb'{"model":"\ud800"}', "one half of a surrogate pair"),
        (rb'{"model":"\udc00"}', "one half of a surrogate pair"),
        (rb'{"model":"\ud800\ud800"}', "one half of a surrogate pair"),
        (b'{"model":' + b"[" * 101 + b"]" * 101 + b"}", "nested deeper than 100 levels"),
        (b'{"model":"\xff"}', "not valid UTF-8"),
        (b"{", "Invalid JSON"),
    ],
    ids=["high half", "low half", "two high halves", "too deep", "no UTF-8", "cut off"],
)  # fmt: skip
async def test_a_body_nobody_can_read_is_refused_with_its_reason(path: str, raw: bytes, reason: str) -> None:
    async with client_of(Scenario(open=True)) as client:
        answer = await client.post(path, content=raw, headers=HEADERS)
    document = answer.json()
    message = document["detail"] if path == CODEX else document["error"]["message"]
    assert (answer.status_code, reason in message) == (400, True), message


async def test_a_whole_surrogate_pair_is_read() -> None:
    async with client_of(Scenario()) as client:
        raw = rb'{"model":"gpt-5.5","input":"Reply with exactly: \ud83c\udf0d"}'
        answer = await client.post(RESPONSES, content=raw, headers=KEY)
    assert answer.json()["output"][0]["content"][0]["text"] == "🌍"
