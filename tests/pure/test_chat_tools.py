"""Tools, tool choice and the reversible stand-ins of tool names (translation §1.4)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest, UnsupportedValue
from tests.pure.chat_frames import TOOL, USER, body_of, call, events_of, exchange, items_of, response, stream
from tests.pure.chat_invariants import fold

Json = dict[str, Any]
OPEN = {"type": "object", "properties": {}}
GET = {"type": "function", "name": "get", "parameters": OPEN, "strict": False}
GRAMMAR = {"definition": "start: x", "syntax": "lark"}


def named(name: str, **more: Any) -> Json:
    return {"type": "function", "function": {"name": name, **more}}


@pytest.mark.proves("CASE-2", "CASE-3", "CASE-26", "CASE-34", "CHAT-tools")
@pytest.mark.parametrize(
    ("tool", "inner"),
    [
        (named("get"), GET),
        (named("get", strict=None, parameters=None, description=None), GET),
        (
            named("get", strict=True, description="d", parameters={"type": "object"}),
            {"type": "function", "name": "get", "description": "d", "parameters": {"type": "object"}, "strict": True},
        ),
        ({"type": "function", "name": "get", "defer_loading": True}, {**GET, "defer_loading": True}),
        (
            {"type": "custom", "custom": {"name": "run", "description": "d"}},
            {"type": "custom", "name": "run", "description": "d"},
        ),
        (
            {"type": "custom", "custom": {"name": "run", "format": {"type": "grammar", "grammar": GRAMMAR}}},
            {"type": "custom", "name": "run", "format": {"type": "grammar", **GRAMMAR}},
        ),
        (
            {"type": "custom", "custom": {"name": "run", "format": {"type": "text"}}},
            {"type": "custom", "name": "run", "format": {"type": "text"}},
        ),
        (
            {"type": "custom", "name": "run", "format": {"type": "grammar", **GRAMMAR}},
            {"type": "custom", "name": "run", "format": {"type": "grammar", **GRAMMAR}},
        ),
        ({"type": "web_search", "external_web_access": True}, {"type": "web_search", "external_web_access": True}),
        ({"type": "mcp", "server_label": "x"}, {"type": "mcp", "server_label": "x"}),
        (
            {"type": "namespace", "name": "files", "tools": [{"type": "function", "name": "read"}, {"name": 5}]},
            {"type": "namespace", "name": "files", "tools": [{"type": "function", "name": "read"}, {"name": 5}]},
        ),
    ],
    ids=repr,
)
def test_a_tool_has_one_inner_form(tool: Json, inner: Json) -> None:
    assert body_of(tools=[tool])["tools"] == [inner]


@pytest.mark.proves("CASE-2")
def test_strict_is_always_explicit() -> None:
    assert [tool["strict"] for tool in body_of(tools=[named("a"), named("b", strict=True)])["tools"]] == [False, True]


@pytest.mark.proves("CHAT-order")
def test_tools_and_the_keys_of_their_schemas_keep_their_order() -> None:
    schema = '{"properties":{"b":{"type":"string","$comment":"x"},"a":{}},"$schema":"s","type":"object"}'
    tools = body_of(tools=[named("z", parameters=json.loads(schema)), named("a")])["tools"]
    assert [tool["name"] for tool in tools] == ["z", "a"]
    assert json.dumps(tools[0]["parameters"], separators=(",", ":")) == schema


@pytest.mark.proves("CASE-26")
def test_web_search_options_become_a_flat_tool() -> None:
    where = {"type": "approximate", "approximate": {"city": "Paris", "country": "FR"}}
    options = {"search_context_size": "low", "user_location": where}
    flat = {"type": "approximate", "city": "Paris", "country": "FR"}
    tool = {"type": "web_search", "search_context_size": "low", "user_location": flat}
    assert body_of(web_search_options=options)["tools"] == [tool]
    assert body_of(web_search_options={"user_location": flat})["tools"] == [
        {"type": "web_search", "user_location": flat}
    ]
    assert body_of(web_search_options={}, tools=[TOOL])["tools"] == [GET, {"type": "web_search"}]
    asked = [{"type": "web_search_preview"}]
    assert body_of(web_search_options={}, tools=asked)["tools"] == asked


@pytest.mark.proves("CASE-39")
def test_legacy_functions_become_tools_for_one_call_at_a_time() -> None:
    asked = exchange(functions=[{"name": "get"}], function_call={"name": "get"}, parallel_tool_calls=True)
    assert asked.request.body["tools"] == [GET]
    assert asked.request.body["tool_choice"] == {"type": "function", "name": "get"}
    assert asked.request.body["parallel_tool_calls"] is False
    message = json.loads(asked.encode_response(response(call())))["choices"][0]
    assert message["message"]["function_call"] == {"name": "get", "arguments": "{}"}
    assert "tool_calls" not in message["message"]
    assert message["finish_reason"] == "function_call"


def test_functions_next_to_tools_are_tools_like_the_others() -> None:
    asked = exchange(functions=[{"name": "put"}], tools=[TOOL])
    assert [tool["name"] for tool in asked.request.body["tools"]] == ["get", "put"]
    assert "parallel_tool_calls" not in asked.request.body
    assert not asked.wishes.legacy_functions


@pytest.mark.proves("CASE-1", "CASE-35", "CHAT-tool-choice")
@pytest.mark.parametrize(
    ("choice", "inner"),
    [
        ("none", "none"),
        ("auto", "auto"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "get"}}, {"type": "function", "name": "get"}),
        ({"type": "function", "name": "get"}, {"type": "function", "name": "get"}),
        ({"type": "custom", "custom": {"name": "run"}}, {"type": "custom", "name": "run"}),
        ({"type": "web_search"}, {"type": "web_search"}),
        ({"type": "function", "name": "read"}, {"type": "function", "name": "read"}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "get"}}, {"type": "web_search"}],
                },
            },
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "get"}, {"type": "web_search"}],
            },
        ),
        (
            {"type": "allowed_tools", "tools": [{"type": "custom", "name": "run"}]},
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "run"}]},
        ),
    ],
    ids=repr,
)
def test_a_tool_choice_has_one_inner_form(choice: Any, inner: Any) -> None:
    namespace = {"type": "namespace", "name": "files", "tools": [{"type": "function", "name": "read"}]}
    tools = [TOOL, {"type": "custom", "custom": {"name": "run"}}, {"type": "web_search"}, namespace]
    assert body_of(tools=tools, tool_choice=choice)["tool_choice"] == inner


@pytest.mark.proves("CHAT-tool-choice")
@pytest.mark.parametrize(
    "fields", [{"tool_choice": "auto"}, {"tool_choice": "none"}, {"function_call": "none"}], ids=repr
)
@pytest.mark.parametrize("tools", [None, []], ids=["absent", "empty"])
def test_a_choice_without_tools_is_not_sent(fields: Json, tools: Any) -> None:
    assert "tool_choice" not in body_of(tools=tools, **fields)


def test_a_legacy_choice_by_word() -> None:
    assert body_of(functions=[{"name": "get"}], function_call="auto")["tool_choice"] == "auto"


@pytest.mark.proves("CHAT-malformed-tools")
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": ["get"]}, "tools[0]"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [named("get"), {"type": "function", "function": "get"}]}, "tools[1].function"),
        ({"tools": [named("")]}, "tools[0].function.name"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [named("get", parameters=[])]}, "tools[0].function.parameters"),
        ({"tools": [named("get", strict="yes")]}, "tools[0].function.strict"),
        ({"tools": [named("get", description=5)]}, "tools[0].function.description"),
        ({"tools": [{"type": "custom", "custom": {"name": "x", "format": "text"}}]}, "tools[0].custom.format"),
        ({"tools": [{"type": "namespace", "name": "x", "tools": [5]}]}, "tools[0].tools[0]"),
        ({"tools": [named("get"), named("get")]}, "tools[1]"),
        ({"tools": [named("get"), {"type": "custom", "custom": {"name": "get"}}]}, "tools[1]"),
        ({"tools": [named("get")], "functions": [{"name": "get"}]}, "functions[0]"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"web_search_options": []}, "web_search_options"),
        ({"web_search_options": {"user_location": "Paris"}}, "web_search_options.user_location"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "any", "tools": [TOOL]}, "tool_choice"),
        ({"tool_choice": [], "tools": [TOOL]}, "tool_choice"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"tool_choice": {}, "tools": [TOOL]}, "tool_choice.type"),
        ({"tool_choice": {"type": "function"}, "tools": [TOOL]}, "tool_choice.name"),
        ({"tool_choice": {"type": "function", "function": {}}, "tools": [TOOL]}, "tool_choice.function.name"),
        ({"tool_choice": {"type": "function", "function": {"name": "put"}}, "tools": [TOOL]}, "tool_choice"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "get"}}, "tools": [TOOL]}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools", "tools": [5]}, "tools": [TOOL]}, "tool_choice.tools[0]"),
        ({"function_call": "required", "functions": [{"name": "get"}]}, "function_call"),
        ({"function_call": {"name": "put"}, "functions": [{"name": "get"}]}, "function_call"),
        ({"function_call": {}, "functions": [{"name": "get"}]}, "function_call.name"),
    ],
    ids=repr,
)
def test_malformed_tools_are_refused_by_path(fields: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        exchange(**fields)
    assert (type(caught.value), caught.value.param) == (InvalidRequest, param)


@pytest.mark.proves("CASE-148")
@pytest.mark.parametrize("kind", ["local_shell", "shell", "apply_patch", "computer_use_preview"])
def test_tools_whose_calls_chat_cannot_show_are_refused(kind: str) -> None:
    with pytest.raises(UnsupportedValue) as caught:
        exchange(tools=[{"type": kind}])
    assert (caught.value.status, caught.value.param) == (400, "tools[0].type")


LONG = "mcp__server__" + "x" * 80
ODD = ["a" * 80, "a" * 79 + "b", "files.read", "mcp__srv__" + "tool" * 20, LONG, "天气", "a b", "..", "mcp__"]


@pytest.mark.proves("CASE-36")
@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_a_name_that_upstreams_refuse_has_a_stand_in_everywhere(name: str) -> None:
    asked = exchange(
        tools=[named(name)],
        tool_choice={"type": "function", "function": {"name": name}},
        messages=[
            USER,
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": name, "arguments": "{}"}}]},
        ],
        stream=True,
    )
    body = asked.request.body
    alias = body["tools"][0]["name"]
    assert alias == body["tool_choice"]["name"] == body["input"][1]["name"]
    assert 0 < len(alias) <= 64
    assert alias.replace("_", "").replace("-", "").isascii()
    assert alias.replace("_", "").replace("-", "").isalnum()
    answer = response(call(alias))
    whole = json.loads(asked.encode_response(answer))["choices"][0]["message"]["tool_calls"][0]
    assert whole["function"]["name"] == name
    assert fold(stream(asked, events_of(answer))).calls == [whole]


@pytest.mark.proves("CASE-36")
def test_stand_ins_are_readable_different_and_the_same_on_every_turn() -> None:
    tools = [named(name) for name in ODD[:-1]]
    first, second = (
        [tool["name"] for tool in body_of(tools=order)["tools"]] for order in (tools, list(reversed(tools)))
    )
    assert len(set(first)) == len(tools)
    assert first == list(reversed(second))
    assert first[2].startswith("read_")
    assert first[3].startswith("mcp__")
    assert "tooltool" in first[3]


def test_allowed_tools_name_the_stand_in() -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [named("files.read")]}}
    body = body_of(tools=[named("files.read")], tool_choice=choice)
    assert body["tool_choice"]["tools"][0]["name"] == body["tools"][0]["name"]


def test_a_history_may_hold_calls_of_tools_that_are_gone() -> None:
    asked = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "gone", "arguments": "{}"}}]}
    assert items_of(USER, asked)[1]["name"] == "gone"
