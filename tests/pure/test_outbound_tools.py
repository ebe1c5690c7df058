"""Inner tools and tool choice → the functions of a chat-only server, and their names' way back (translation §5.4)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.dialects.chat.outbound import GENERIC, Original, Quirks, ToolMap
from tests.pure.outbound_requests import HELLO, TOOL, WIRE_TOOL, call, encoded, output, refused

Json = dict[str, Any]

EMPTY: Json = {"type": "object", "properties": {}}
INPUT: Json = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
PATCH: Json = {"type": "custom", "name": "patch"}
SEARCH: Json = {"type": "web_search", "external_web_access": True}
FIND: Json = {
    "type": "tool_search",
    "execution": "client",
    "description": "Finds tools",
    "parameters": {"type": "object", "properties": {"goal": {"type": "string"}}},
}
"""The search of a client for tools that it holds back."""
SERVER: Json = {
    "type": "namespace",
    "name": "mcp__files",
    "description": "Files",
    "tools": [{"type": "function", "name": "read"}, {"type": "custom", "name": "write"}],
}
"""A group of tools as the Codex client sends it."""


def tools_of(*tools: Json, quirks: Quirks = GENERIC, **fields: Any) -> list[Json]:
    made: list[Json] = encoded(tools=list(tools), quirks=quirks, **fields).body["tools"]
    return made


def names_of(*tools: Json, **fields: Any) -> list[str]:
    return [tool["function"]["name"] for tool in tools_of(*tools, **fields)]


@pytest.mark.proves("CHAT-SERVER-tools")
def test_a_function_is_nested_and_loses_what_only_the_inner_form_knows() -> None:
    extras = {"defer_loading": True, "output_schema": {}, "async": True, "allowed_callers": []}
    assert tools_of({**TOOL, **extras, "strict": True}) == [WIRE_TOOL]
    assert tools_of({"type": "function", "name": "f", "parameters": None, "strict": None}) == [
        {"type": "function", "function": {"name": "f", "parameters": EMPTY}}
    ]


@pytest.mark.parametrize(
    ("parameters", "sent"),
    [
        ({}, EMPTY),
        ({"properties": {"a": {}}}, {"properties": {"a": {}}, "type": "object"}),
        ({"type": None, "properties": {}}, EMPTY),
        ({"type": "object"}, {"type": "object"}),
        ({"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}),
        ({"type": ["object", "null"], "properties": {}}, {"type": ["object", "null"], "properties": {}}),
    ],
)
@pytest.mark.proves("CHAT-SERVER-parameters")
def test_parameters_say_that_they_are_an_object(parameters: Json, sent: Json) -> None:
    tool = {"type": "function", "name": "f", "parameters": parameters}
    assert tools_of(tool)[0]["function"]["parameters"] == sent
    assert tools_of({**FIND, "parameters": parameters})[0]["function"]["parameters"] == sent
    assert tools_of({**SERVER, "tools": [tool]})[0]["function"]["parameters"] == sent


@pytest.mark.proves("CHAT-SERVER-parameters")
def test_a_function_without_parameters_takes_an_empty_object() -> None:
    assert tools_of({"type": "function", "name": "f"})[0]["function"]["parameters"] == EMPTY


@pytest.mark.parametrize(("strict", "sent"), [({"strict": True}, True), ({"strict": None}, False), ({}, False)])
def test_strict_is_explicit_where_the_server_knows_it(strict: Json, sent: bool) -> None:
    assert tools_of({**TOOL, **strict}, quirks=Quirks(strict_tools=True))[0]["function"]["strict"] is sent


@pytest.mark.proves("CASE-123")
def test_a_custom_tool_becomes_a_function_that_takes_input() -> None:
    made = encoded(tools=[{**PATCH, "description": "Patches"}])
    assert made.body["tools"][0]["function"] == {"name": "patch", "description": "Patches", "parameters": INPUT}
    assert made.tools.original("patch") == Original("custom", "patch")


@pytest.mark.proves("CASE-123")
def test_the_grammar_of_a_custom_tool_is_told_in_its_description() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: LINE"}
    told = "`input` must follow this lark grammar:\nstart: LINE"
    assert tools_of({**PATCH, "format": grammar})[0]["function"]["description"] == told
    assert tools_of({**PATCH, "description": "Patches", "format": grammar})[0]["function"]["description"] == (
        f"Patches\n\n{told}"
    )
    assert "description" not in tools_of({**PATCH, "format": {"type": "text"}})[0]["function"]
    nameless = tools_of({**PATCH, "format": {"type": "grammar", "definition": "x"}})[0]["function"]["description"]
    assert nameless == "`input` must follow this formal grammar:\nx"


@pytest.mark.proves("CHAT-SERVER-namespaces")
def test_members_of_a_namespace_become_functions_whose_names_lead_back() -> None:
    made = encoded(tools=[TOOL, SERVER])
    assert [tool["function"]["name"] for tool in made.body["tools"]] == [
        "look",
        "mcp__files__read",
        "mcp__files__write",
    ]
    assert made.tools.original("mcp__files__read") == Original("function", "read", "mcp__files")
    assert made.tools.original("mcp__files__write") == Original("custom", "write", "mcp__files")
    assert made.tools.original("look") == Original("function", "look")


def test_the_separator_is_not_doubled_after_a_namespace_that_ends_in_it() -> None:
    assert names_of({**SERVER, "name": "mcp__files__"}) == ["mcp__files__read", "mcp__files__write"]


def test_names_that_meet_on_the_wire_are_told_apart() -> None:
    other = {"type": "namespace", "name": "mcp", "tools": [{"type": "function", "name": "files__read"}]}
    made = encoded(tools=[SERVER, other, {"type": "function", "name": "mcp__files__write"}])
    names = [tool["function"]["name"] for tool in made.body["tools"]]
    assert len(set(names)) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in names)
    assert made.tools.original(names[2]) == Original("function", "files__read", "mcp")
    assert made.tools.original(names[3]) == Original("function", "mcp__files__write")


@pytest.mark.parametrize("name", ["n" * 65, "files.read", "読む"])
def test_a_name_that_servers_refuse_gets_a_stand_in_that_stays_the_same(name: str) -> None:
    made = encoded(tools=[{"type": "function", "name": name}])
    wire = made.body["tools"][0]["function"]["name"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", wire)
    assert names_of(PATCH, {"type": "function", "name": name})[1] == wire
    assert made.tools.original(wire) == Original("function", name)


def test_a_name_that_nobody_sent_is_a_function_of_that_name() -> None:
    assert encoded(tools=[TOOL]).tools.original("made_up") == Original("function", "made_up")


def test_a_map_without_tools_is_empty() -> None:
    assert ToolMap().empty
    assert encoded(call("c1"), output("c1")).tools.empty
    assert not encoded(tools=[TOOL]).tools.empty


@pytest.mark.proves("CHAT-SERVER-declared-in-input")
def test_tools_declared_by_an_item_are_tools_like_all_others() -> None:
    carrier = {"type": "additional_tools", "role": "developer", "tools": [SERVER, {"type": "custom", "name": "exec"}]}
    made = encoded(carrier, HELLO)
    assert [tool["function"]["name"] for tool in made.body["tools"]] == [
        "mcp__files__read",
        "mcp__files__write",
        "exec",
    ]
    assert made.tools.original("exec") == Original("custom", "exec")
    assert [message["role"] for message in made.body["messages"]] == ["user"]


@pytest.mark.proves("CHAT-SERVER-declared-in-input")
def test_a_tool_declared_again_by_an_item_replaces_the_first_in_its_place() -> None:
    again = {"type": "tool_search_output", "call_id": "c", "tools": [{**TOOL, "description": "Looks twice"}]}
    made = encoded(HELLO, again, tools=[TOOL, PATCH])
    assert [tool["function"]["name"] for tool in made.body["tools"]] == ["look", "patch"]
    assert made.body["tools"][0]["function"]["description"] == "Looks twice"


@pytest.mark.proves("CHAT-SERVER-hosted")
def test_tools_that_a_server_would_have_to_run_are_left_out_and_reported() -> None:
    made = encoded(tools=[TOOL, SEARCH, {"type": "tool_search"}, {"type": "web search\r\nx-evil: 1"}])
    assert made.body["tools"] == [WIRE_TOOL]
    assert made.dropped == ("tools.web_search", "tools.tool_search")


@pytest.mark.proves("CHAT-SERVER-hosted")
@pytest.mark.parametrize(
    "tool",
    [
        {"type": "tool_search", "execution": "server"},
        {"type": "tool_search", "execution": None},
        {"type": "namespace", "name": "n", "tools": [FIND]},
    ],
)
def test_a_search_that_the_client_does_not_run_is_left_out(tool: Json) -> None:
    made = encoded(tools=[TOOL, tool])
    assert (made.body["tools"], made.dropped) == ([WIRE_TOOL], ("tools.tool_search",))
    assert refused(tools=[TOOL, tool], tool_choice={"type": "tool_search"}).code == "unsupported_value"


@pytest.mark.proves("CHAT-SERVER-search")
def test_a_search_that_the_client_runs_is_a_function_as_it_describes_it() -> None:
    made = encoded(tools=[TOOL, FIND])
    described = {"name": "tool_search", "description": "Finds tools", "parameters": FIND["parameters"]}
    assert made.body["tools"] == [WIRE_TOOL, {"type": "function", "function": described}]
    assert (made.tools.original("tool_search"), made.dropped) == (Original("search", "tool_search"), ())
    strict = tools_of(FIND, quirks=Quirks(strict_tools=True))
    assert strict == [{"type": "function", "function": {**described, "strict": False}}]


@pytest.mark.proves("CHAT-SERVER-search")
@pytest.mark.parametrize("unsaid", [{}, {"description": None, "parameters": None}])
def test_a_search_without_words_of_its_own_asks_for_a_query(unsaid: Json) -> None:
    [made] = tools_of({"type": "tool_search", "execution": "client", **unsaid})
    assert made["function"]["name"] == "tool_search"
    assert "tools" in made["function"]["description"]
    parameters = made["function"]["parameters"]
    assert (parameters["properties"]["query"]["type"], parameters["required"]) == ("string", ["query"])


@pytest.mark.proves("CHAT-SERVER-search", "CHAT-SERVER-declared-in-input")
def test_a_search_declared_by_an_item_is_a_tool_like_all_others() -> None:
    made = encoded({"type": "additional_tools", "tools": [FIND]}, HELLO)
    assert [tool["function"]["name"] for tool in made.body["tools"]] == ["tool_search"]


@pytest.mark.proves("CHAT-SERVER-search")
def test_a_function_of_the_same_name_is_told_apart_from_the_search() -> None:
    made = encoded(tools=[FIND, {"type": "function", "name": "tool_search"}])
    first, second = (tool["function"]["name"] for tool in made.body["tools"])
    assert made.tools.original(first) == Original("search", "tool_search")
    assert made.tools.original(second) == Original("function", "tool_search")


@pytest.mark.proves("CHAT-SERVER-search", "CHAT-SERVER-choice")
def test_a_choice_can_name_the_search() -> None:
    named = {"type": "function", "function": {"name": "tool_search"}}
    assert encoded(tools=[TOOL, FIND], tool_choice={"type": "tool_search"}).body["tool_choice"] == named
    allowed = {"type": "allowed_tools", "tools": [{"type": "tool_search"}]}
    body = encoded(tools=[TOOL, FIND], tool_choice=allowed).body
    assert [tool["function"]["name"] for tool in body["tools"]] == ["tool_search"]


@pytest.mark.proves("CASE-124")
def test_only_hosted_tools_are_refused() -> None:
    error = refused(tools=[SEARCH], tool_choice="auto", parallel_tool_calls=True)
    assert (error.code, error.param) == ("unsupported_value", "tools[0].type")
    carried = {"type": "additional_tools", "tools": [SEARCH]}
    assert refused(HELLO, carried).param == "input[1].tools[0].type"


@pytest.mark.proves("CASE-124")
def test_without_tools_neither_choice_nor_parallel_calls_are_sent() -> None:
    quirks = Quirks(accepts=frozenset({"parallel_tool_calls"}))
    absent: list[Json] = [{}, {"tools": []}, {"tools": None}]
    for tools in absent:
        body = encoded(quirks=quirks, tool_choice="auto", parallel_tool_calls=True, **tools).body
        assert not body.keys() & {"tools", "tool_choice", "parallel_tool_calls"}


def test_the_operator_decides_what_becomes_of_hosted_tools() -> None:
    made = encoded(tools=[SEARCH], unsupported="lenient")
    assert "tools" not in made.body
    assert made.dropped == ("tools.web_search",)
    assert refused(tools=[TOOL, SEARCH], unsupported="strict").param == "tools.web_search"
    assert refused(tools=[TOOL, SEARCH], quirks=Quirks(hosted="reject")).param == "tools[1].type"


@pytest.mark.proves("CHAT-SERVER-namespaces")
@pytest.mark.parametrize(
    ("replayed", "wire"),
    [
        ({"name": "read", "namespace": "mcp__files"}, "mcp__files__read"),
        ({"name": "read"}, "mcp__files__read"),
        ({"name": "write", "namespace": "mcp__files"}, "mcp__files__write"),
        ({"name": "look"}, "look"),
        ({"name": "look", "namespace": "gone"}, "gone__look"),
        ({"name": "never-declared"}, "never-declared"),
    ],
)
def test_a_call_of_the_history_has_the_wire_name_of_its_tool(replayed: Json, wire: str) -> None:
    made = encoded(call("c1", **replayed), output("c1"), tools=[TOOL, SERVER])
    assert made.body["messages"][0]["tool_calls"][0]["function"]["name"] == wire


def test_the_model_may_repeat_a_call_of_the_history_whose_tool_is_gone() -> None:
    made = encoded(call("c1", name="read", namespace="mcp__files"), output("c1"))
    assert made.tools.original("mcp__files__read") == Original("function", "read", "mcp__files")


@pytest.mark.proves("CHAT-SERVER-choice")
@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "name": "look"}, {"type": "function", "function": {"name": "look"}}),
        ({"type": "custom", "name": "patch"}, {"type": "function", "function": {"name": "patch"}}),
        (
            {"type": "function", "name": "read", "namespace": "mcp__files"},
            {"type": "function", "function": {"name": "mcp__files__read"}},
        ),
        ({"type": "function", "name": "read"}, {"type": "function", "function": {"name": "mcp__files__read"}}),
    ],
)
def test_every_choice_has_one_chat_form(choice: Any, sent: Any) -> None:
    assert encoded(tools=[TOOL, PATCH, SERVER], tool_choice=choice).body["tool_choice"] == sent


@pytest.mark.proves("CHAT-SERVER-choice")
def test_allowed_tools_are_all_that_is_sent() -> None:
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "patch"}, SEARCH]}
    body = encoded(tools=[TOOL, PATCH, SEARCH], tool_choice=allowed).body
    assert [tool["function"]["name"] for tool in body["tools"]] == ["patch"]
    assert body["tool_choice"] == "required"
    assert encoded(tools=[TOOL], tool_choice={"type": "allowed_tools", "tools": [TOOL]}).body["tool_choice"] == "auto"


@pytest.mark.proves("CHAT-SERVER-choice")
def test_where_a_choice_cannot_name_a_tool_that_tool_alone_is_sent() -> None:
    body = encoded(tools=[TOOL, PATCH], tool_choice={**TOOL}, quirks=Quirks(named_choice=False)).body
    assert body["tools"] == [WIRE_TOOL]
    assert body["tool_choice"] == "required"


def test_a_hosted_choice_is_refused_unless_the_operator_is_lenient() -> None:
    choice = {"type": "web_search"}
    error = refused(tools=[TOOL, SEARCH], tool_choice=choice)
    assert (error.code, error.param) == ("unsupported_value", "tool_choice")
    made = encoded(tools=[TOOL], tool_choice=choice, unsupported="lenient")
    assert made.body["tools"] == [WIRE_TOOL]
    assert "tool_choice" not in made.body
    assert made.dropped == ("tool_choice",)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": ["x"]}, "tools[0]"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f", "parameters": []}]}, "tools[0].parameters"),
        ({"tools": [{"type": "function", "name": "f", "description": 1}]}, "tools[0].description"),
        ({"tools": [TOOL, TOOL]}, "tools[1]"),
        ({"tools": [FIND, FIND]}, "tools[1]"),
        ({"tools": [{**FIND, "parameters": []}]}, "tools[0].parameters"),
        ({"tools": [{**FIND, "description": 1}]}, "tools[0].description"),
        ({"tools": [{**PATCH, "format": "x"}]}, "tools[0].format"),
        ({"tools": [{**PATCH, "format": {"type": "grammar"}}]}, "tools[0].format.definition"),
        ({"tools": [{"type": "namespace", "tools": []}]}, "tools[0].name"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function"}]}]}, "tools[0].tools[0].name"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [SERVER]}]}, "tools[0].tools[0].type"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": 1}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {}}, "tool_choice.type"),
        ({"tools": [TOOL], "tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "other"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "custom", "name": "look"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "look", "namespace": "n"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "tools": []}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "mode": "none"}}, "tool_choice.mode"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "tools": ["look"]}}, "tool_choice.tools[0]"),
        ({"tools": [TOOL], "parallel_tool_calls": "yes"}, "parallel_tool_calls"),
    ],
)
def test_a_malformed_tool_or_choice_is_refused_by_its_place(fields: Json, param: str) -> None:
    assert refused(**fields).param == param


def test_parallel_calls_are_said_only_where_the_server_reads_it() -> None:
    quirks = Quirks(accepts=frozenset({"parallel_tool_calls"}))
    assert encoded(tools=[TOOL], parallel_tool_calls=False, quirks=quirks).body["parallel_tool_calls"] is False
    assert encoded(tools=[TOOL], parallel_tool_calls=False).dropped == ("parallel_tool_calls",)
    made = encoded(tools=[TOOL], parallel_tool_calls=True)
    assert (made.dropped, "parallel_tool_calls" in made.body) == ((), False)
