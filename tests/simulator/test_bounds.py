"""What one request can make the simulator do: however much it asks for, the answer stays small."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import httpx2
import orjson
import pytest
import zstandard

from gateway.simulator import Scenario, Simulator
from gateway.simulator.receiving import LARGEST
from tests.serving import serving
from tests.simulator.asking import CODEX, headers_of, turn

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
HEADERS = headers_of({"access_token": "any", "account_id": "acct"})
LARGEST_ANSWER = 12_000_000
"""Bytes: 128 choices of a hundred events each."""

HUGE: list[Any] = [2**63, 2**64 - 1, 1e308]
LONG = "weather " * 100_000


def client_of() -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(Simulator(Scenario(open=True)))
    return httpx2.AsyncClient(transport=transport, base_url="http://sim", headers=HEADERS)


def chat(**changes: Any) -> dict[str, Any]:
    return {"model": "gpt-5.5", "messages": [{"role": "user", "content": "weather"}], **changes}


@pytest.mark.proves("SIM-bounds")
@pytest.mark.parametrize("n", [0, 129, *HUGE])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_more_than_128_choices_are_refused(n: float, stream: bool) -> None:
    async with client_of() as client:
        answer = await client.post(CHAT, content=orjson.dumps(chat(n=n, stream=stream)))
    error = answer.json()["error"]
    code = "integer_below_min_value" if n == 0 else "integer_above_max_value"
    assert (answer.status_code, error["type"], error["param"], error["code"]) == (
        400,
        "invalid_request_error",
        "n",
        code,
    )


async def test_128_choices_are_answered() -> None:
    async with client_of() as client:
        answer = await client.post(CHAT, json=chat(n=128))
    assert [choice["index"] for choice in answer.json()["choices"]] == list(range(128))


def function(**parameters: Any) -> dict[str, Any]:
    return {"type": "function", "name": "weather", "parameters": {"type": "object", **parameters}}


def named(name: str, schema: Any) -> dict[str, Any]:
    return function(properties={name: schema}, required=[name])


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": 1e308}
    for _ in range(levels):
        schema = {"type": "array", "minItems": 2**63, "items": schema}
    return schema


DOUBLED = {f"d{at}": {"allOf": [{"$ref": f"#/$defs/d{at + 1}"}] * 2} for at in range(60)}
CHAINED = {f"d{at}": {"$ref": f"#/$defs/d{at + 1}"} for at in range(3_000)}
SCHEMAS: dict[str, dict[str, Any]] = {
    "longest text": named("a", {"type": "string", "minLength": 2**63}),
    "shortest text": named("a", {"type": "string", "maxLength": 1e300}),
    "half a letter": named("a", {"type": "string", "minLength": 2.0, "maxLength": 2.5}),
    "many items": named("a", {"type": "array", "minItems": 2**64 - 1, "maxItems": 1e308}),
    "two items and no whole number": named("a", {"type": "array", "minItems": 2.0}),
    "items in items": named("a", nested(9)),
    "itself twice": function(properties={"a": {"$ref": "#"}, "b": {"$ref": "#"}}, required=["a", "b"]),
    "joined twice, sixty times": {**function(allOf=[{"$ref": "#/$defs/d0"}]), **function(**{
        "$defs": DOUBLED, "allOf": [{"$ref": "#/$defs/d0"}]})},
    "a long way": function(**{"$defs": CHAINED, "properties": {"a": {"$ref": "#/$defs/d0"}}}),
    "large constants": named("a", {"type": "array", "minItems": 100, "items": {"const": "x" * 100_000}}),
    "large names": named("a", {"type": "array", "minItems": 100, "items": named("x" * 100_000, {})["parameters"]}),
    "numbers": function(properties={
        key: {"type": "number", key: value}
        for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") for value in (1e308, -1e308)}),
}  # fmt: skip


@pytest.mark.proves("SIM-bounds")
@pytest.mark.parametrize("name", SCHEMAS)
async def test_no_schema_asks_for_a_large_answer(name: str) -> None:
    tool = SCHEMAS[name]
    old = {key: tool[key] for key in ("name", "parameters")}
    form = {"type": "json_schema", "name": "n", "schema": tool["parameters"]}
    bodies: list[tuple[str, Any]] = [
        (CHAT, chat(n=128, tools=[{"type": "function", "function": old}])),
        (CHAT, chat(n=128, functions=[old])),
        (CHAT, chat(n=128, response_format={"type": "json_schema", "json_schema": form})),
        (RESPONSES, {"model": "gpt-5.5", "input": "weather", "tools": [tool]}),
        (RESPONSES, {"model": "gpt-5.5", "input": "weather", "text": {"format": form}, "stream": True}),
        (CODEX, turn("weather", tools=[tool])),
    ]
    async with client_of() as client:
        answers = [await client.post(path, content=orjson.dumps(body)) for path, body in bodies]
    assert [answer.status_code for answer in answers] == [200] * len(bodies)
    assert max(len(answer.content) for answer in answers) < LARGEST_ANSWER


@pytest.mark.proves("SIM-bounds")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_long_prompt_is_not_multiplied(stream: bool) -> None:
    tools = [{"type": "custom", "custom": {"name": f"weather_{at}"}} for at in range(200)]
    asked = "".join(f"weather_{at} " for at in range(200)) + LONG
    messages = [{"role": "user", "content": asked}]
    async with client_of() as client:
        bodies = [
            chat(n=n, messages=messages, stream=stream, **more) for n in (1, 128) for more in ({}, {"tools": tools})
        ]
        answers = [await client.post(CHAT, json=body) for body in bodies]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert max(len(answer.content) for answer in answers) < LARGEST_ANSWER


async def test_of_very_many_tools_and_a_very_long_text_only_the_beginning_counts() -> None:
    tools = [{"type": "custom", "name": f"t{at}x"} for at in range(1_001)]
    asked = ["t999x", "t1000x", LONG + "t999x"]
    async with client_of() as client:
        answers = [
            await client.post(RESPONSES, json={"model": "gpt-5.5", "input": text, "tools": tools}) for text in asked
        ]
    kinds = [answer.json()["output"][-1]["type"] for answer in answers]
    assert kinds == ["custom_tool_call", "message", "message"]


async def test_a_text_that_there_is_no_room_for_ends_like_one_at_the_token_limit() -> None:
    async with client_of() as client:
        answer = await client.post(CHAT, json=chat(n=128, messages=[{"role": "user", "content": LONG}]))
    choices = answer.json()["choices"]
    assert {choice["finish_reason"] for choice in choices} == {"length"}
    assert {len(choice["message"]["content"]) for choice in choices} == {8192}


@pytest.mark.parametrize("key", ["max_tokens", "max_completion_tokens", "seed"])
@pytest.mark.parametrize("value", HUGE)
async def test_a_huge_limit_is_no_limit(key: str, value: Any) -> None:
    async with client_of() as client:
        answer = await client.post(CHAT, content=orjson.dumps(chat(**{key: value})))
    assert answer.json()["choices"][0]["message"]["content"] == "(simulated) You said: weather"


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"stop": ["x"] * 5}, "stop", "array_above_max_length"),
        ({"top_logprobs": 21}, "top_logprobs", "integer_above_max_value"),
        ({"max_tokens": 5.0}, "max_tokens", "invalid_type"),
        ({"n": 1.0}, "n", "invalid_type"),
    ],
    ids=str,
)
async def test_other_sizes_are_refused_by_their_place(change: Any, param: str, code: str) -> None:
    async with client_of() as client:
        answer = await client.post(CHAT, json=chat(**change))
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, param, code)


def packed(encoding: str, size: int) -> bytes:
    raw = b" " * size
    if encoding == "zstd":
        return zstandard.compress(raw)
    return gzip.compress(raw) if encoding == "gzip" else zlib.compress(raw)


@pytest.mark.proves("SIM-bounds")
@pytest.mark.parametrize("encoding", ["zstd", "gzip", "deflate"])
@pytest.mark.parametrize(("path", "where"), [(CHAT, "error"), (CODEX, "detail")])
async def test_a_body_that_unpacks_to_very_much_is_refused(encoding: str, path: str, where: str) -> None:
    headers = {"content-encoding": encoding}
    async with client_of() as client:
        answer = await client.post(path, content=packed(encoding, LARGEST + 1), headers=headers)
    document = answer.json()
    said = document["error"]["message"] if where == "error" else document["detail"]
    assert (answer.status_code, "larger than" in said) == (400, True)


STEERING: list[tuple[Any, str]] = [
    ({"image": 10**12}, "steps[0].image"), ({"image": {}}, "steps[0].image"), ({"wait": 1e308}, "steps[0].wait"),
    ({"wait": -1}, "steps[0].wait"), ({"delay": 1e308}, "delay"), ({"write": 0}, "write"), ({"write": -5}, "write"),
    ({"status": 99}, "status"), ({"status": 10**9}, "status"), ({"headers": {"x": "a\r\nb: c"}}, "headers.x"),
    ({"headers": {"x": "🌍"}}, "headers.x"), ({"headers": {"x y": "z"}}, "headers.x y"), ({"item": 5}, "steps[0].item"),
    ({"text": "x", "citations": 5}, "steps[0].citations"), ({"call": 5}, "steps[0].call"),
    ({"limits": {"primary": 5}}, "limits.primary"), ({"finish": {"failed": 5}}, "finish.failed"),
    ({"finish": {"failed": {"code": []}}}, "finish.failed.code"), ({"completed_output": {}}, "completed_output"),
    ({"refusal": [{"wat": 1}]}, "steps[0].refusal[0].wat"), ({"steps": [5]}, "steps[0]"),
]  # fmt: skip


@pytest.mark.proves("SIM-bounds")
@pytest.mark.parametrize("path", [CHAT, RESPONSES, CODEX])
@pytest.mark.parametrize(("script", "place"), STEERING, ids=str)
async def test_a_script_in_a_header_is_bounded_too(path: str, script: Any, place: str) -> None:
    bodies = {CHAT: chat(), RESPONSES: {"model": "gpt-5.5", "input": "x"}, CODEX: turn()}
    async with client_of() as client:
        answer = await client.post(path, json=bodies[path], headers={"x-simulate": json.dumps(script)})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "simulator_error")
    assert error["message"].startswith(f"x-simulate.{place}: ")


async def test_a_long_running_simulator_forgets_its_oldest_requests() -> None:
    sim = Simulator(keep=2)
    async with serving(sim) as url, httpx2.AsyncClient(base_url=url) as client:
        for path in ("/a", "/b", "/c"):
            await client.get(path)
    assert [call.path for call in sim.log] == ["/b", "/c"]
