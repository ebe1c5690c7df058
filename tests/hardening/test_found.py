"""Faults that the cases of this folder found, each by its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Settings
from gateway.core.json import loads_whole
from gateway.dialects import Choices, Dialect, chat, responses
from gateway.engine.plan import Plan
from gateway.errors import InvalidRequest, UpstreamRefusal
from tests.live.stack import CODEX, MODEL, NATIVE, Stack, running

Json = dict[str, Any]

USER: Json = {"role": "user", "content": "hi"}
TOOL: Json = {"type": "function", "function": {"name": "get"}}


def refused(dialect: Dialect, **fields: Any) -> str:
    """The field that is named when this body is refused."""
    said = {"messages": [USER]} if dialect is chat.DIALECT else {"input": "hi"}
    with pytest.raises(InvalidRequest) as caught:
        dialect.decode({"model": MODEL, **said, **fields}, Choices())
    assert caught.value.param
    return caught.value.param


async def posted(stack: Stack, path: str, body: Json) -> Json:
    answer = await stack.http.post(path, json=body)
    assert answer.status_code == 400, answer.text
    error: Json = answer.json()["error"]
    return error


@pytest.mark.proves("WIRE-client-halves")
@pytest.mark.parametrize("route", ["chat", "responses"])
async def test_half_a_pair_does_not_reach_a_server_of_the_client_s_own_dialect(route: str, tmp_path: Path) -> None:
    path, field = {"chat": ("/v1/chat/completions", "messages"), "responses": ("/v1/responses", "input")}[route]
    body = json.dumps({"model": MODEL, field: [{"role": "user", "content": "x\ud83d"}]})
    async with running(NATIVE, tmp_path) as stack:
        answer = await stack.http.post(path, content=body)
        assert answer.status_code == 200, answer.text
        assert stack.sim.calls(f"openai.{route}")[0].body[field][0]["content"] == "x\ufffd"


def test_the_bytes_of_a_sound_body_stay_the_same_object() -> None:
    text = b'{"a": "\\ud83d\\ude00"}'
    assert loads_whole(text)[1] is text


@pytest.mark.proves("HARD-history")
async def test_a_refused_item_is_named_at_its_place_in_the_client_s_history(tmp_path: Path) -> None:
    left_out = {"type": "reasoning", "id": "rs_1", "summary": []}  # of no use without its content
    wrong = {"role": "user", "content": [{"type": "input_text", "text": 7}]}
    async with running(CODEX, tmp_path) as stack:
        error = await posted(stack, "/v1/responses", {"model": MODEL, "input": [left_out, USER, left_out, wrong]})
        assert error["param"] == "input[3].content[0].text"
        assert "'input[3].content[0].text'" in error["message"]
        body = {"model": MODEL, "input": [left_out, USER, {"type": "function_call", "call_id": "c", "name": 7}]}
        assert (await posted(stack, "/v1/chat/completions", body))["param"] == "input[2].name"


@pytest.mark.proves("HARD-history")
def test_a_refused_item_is_named_at_its_place_also_after_a_repair() -> None:
    items = [{"type": "reasoning"}, {"id": "a"}, {"type": "reasoning"}, {"id": "b"}]
    exchange = responses.DIALECT.decode({"model": "m", "input": "hi"}, Choices())
    plan = Plan("responses", True, b"", "", exchange=exchange, document={"input": items}, kept=(0, 2, 3, 5))
    plan.repaired({"input": [items[1], items[3]]})
    assert plan.in_client_words(refusal("input[1].id")).param == "input[5].id"
    assert plan.in_client_words(refusal("input[9].id")).param == "input"
    plan.repaired({"input": [{"id": "a"}, {"id": "c"}]})
    assert plan.in_client_words(refusal("input[0]")).param == "input[2]"


def refusal(param: str) -> UpstreamRefusal:
    return UpstreamRefusal(f"'{param}' is wrong.", status=400, kind="invalid_request_error", code=None, param=param)


@pytest.mark.parametrize(
    ("choice", "inner", "named"),
    [
        ({"type": "function", "function": {"name": "get"}}, "tool_choice.name", "tool_choice.function.name"),
        ({"type": "function", "name": "get"}, "tool_choice.name", "tool_choice.name"),
        ({"type": "function", "function": {"name": "get"}}, "tool_choice.type", "tool_choice.type"),
        ({"type": "function", "function": {"name": "get"}}, "tool_choice", "tool_choice"),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
            "tool_choice.mode",
            "tool_choice.allowed_tools.mode",
        ),
        ("auto", "tool_choice", "tool_choice"),
        (None, "tool_choice", None),
    ],
)
def test_a_refused_choice_is_named_where_the_client_nested_it(choice: Any, inner: str, named: str | None) -> None:
    body = {"model": "m", "messages": [USER], "tools": [TOOL], "tool_choice": choice}
    assert chat.DIALECT.decode(body, Choices()).client_param(inner) == named


def test_a_refused_legacy_choice_is_named_by_its_own_field() -> None:
    body = {"model": "m", "messages": [USER], "functions": [{"name": "get"}], "function_call": {"name": "get"}}
    asked = chat.DIALECT.decode(body, Choices())
    assert asked.client_param("tool_choice.name") == "function_call.name"
    assert asked.client_param("tool_choice.type") == "function_call"


@pytest.mark.parametrize("kind", [0, False, "", [], {}])
def test_an_item_of_a_type_that_is_none_is_no_message(kind: Any) -> None:
    item = {"type": kind, "role": "user", "content": "hi"}
    if kind != "":
        assert refused(responses.DIALECT, input=[item]) == "input[0].type"
    assert refused(chat.DIALECT, messages=None, input=[item]) == "input[0].type"


@pytest.mark.parametrize(
    "item", [{}, {"id": "fc_1", "call_id": "c"}, {"type": "", "id": "fc_1", "name": "x"}, {"id": ""}]
)
def test_an_item_without_a_type_is_a_reference_only_when_it_is_just_an_id(item: Json) -> None:
    assert refused(responses.DIALECT, input=[item]) == "input[0]"


def test_a_bare_id_is_a_reference_on_the_chat_route_too() -> None:
    asked = chat.DIALECT.decode({"model": "m", "input": [USER, {"id": "rs_1"}]}, Choices())
    assert asked.request.body["input"][1] == {"type": "item_reference", "id": "rs_1"}
    assert asked.client_param("input[1].id") == "input[1].id"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"truncation": "sometimes"}, "truncation"),
        ({"include": ["reasoning.encrypted_content", None]}, "include[1]"),
        ({"reasoning": {"effort": 1}}, "reasoning.effort"),
        ({"text": {"verbosity": []}}, "text.verbosity"),
    ],
)
def test_what_no_upstream_judges_is_judged_here(fields: Json, named: str) -> None:
    assert refused(responses.DIALECT, **fields) == named


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ({"type": "input_file", "file_data": 0}, "file_data"),
        ({"type": "input_image", "image_url": 0, "file_id": "f"}, "image_url"),
        ({"type": "input_image", "image_url": "u", "file_id": []}, "file_id"),
    ],
)
def test_a_part_s_field_of_the_wrong_type_is_not_taken_for_a_missing_one(part: Json, named: str) -> None:
    messages = [{"role": "user", "content": [part]}]
    assert refused(chat.DIALECT, messages=messages) == f"messages[0].content[0].{named}"


def test_a_stop_string_has_a_longest_length() -> None:
    assert refused(chat.DIALECT, stop="x" * 5000) == "stop"
    assert refused(chat.DIALECT, stop=["x", "x" * 5000]) == "stop[1]"
    chat.DIALECT.decode({"model": "m", "messages": [USER], "stop": "x" * 4096}, Choices())


def test_the_default_settings_keep_these_bounds() -> None:
    limits = Settings().limits
    assert (limits.body_bytes, limits.json_depth) == (64 * 1024 * 1024, 128)
