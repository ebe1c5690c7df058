"""The search for tools in a history, where the client runs it: a call, and the names of what was found."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.chat.outbound import Original
from tests.pure.outbound_requests import HELLO, TOOL, call, encoded, messages, output, refused, wire_call

Json = dict[str, Any]

LATE: Json = {"type": "namespace", "name": "mcp__late", "tools": [{"type": "function", "name": "price"}]}


def calling(wire: Json) -> Json:
    return {"role": "assistant", "content": None, "tool_calls": [wire]}


def search(call_id: Any = "s1", **others: Any) -> Json:
    asked = {"execution": "client", "arguments": {"query": "price"}}
    return {"type": "tool_search_call", "call_id": call_id, **asked, **others}


def found(*tools: Json, call_id: Any = "s1", **others: Any) -> Json:
    return {"type": "tool_search_output", "call_id": call_id, "execution": "client", "tools": list(tools), **others}


@pytest.mark.proves("CHAT-SERVER-search")
def test_a_search_of_the_history_is_a_call_and_the_names_of_what_it_found() -> None:
    later = call("c1", "price", "{}", namespace="mcp__late")
    made = encoded(HELLO, search(), found(LATE, TOOL), later, output("c1"), tools=[TOOL])
    assert made.body["messages"][1:] == [
        calling(wire_call("s1", "tool_search", '{"query":"price"}')),
        {"role": "tool", "tool_call_id": "s1", "content": "These tools can be called now: mcp__late__price, look"},
        calling(wire_call("c1", "mcp__late__price", "{}")),
        {"role": "tool", "tool_call_id": "c1", "content": "seen"},
    ]
    assert [tool["function"]["name"] for tool in made.body["tools"]] == ["look", "mcp__late__price"]
    assert made.tools.original("mcp__late__price") == Original("function", "price", "mcp__late")


@pytest.mark.proves("CHAT-SERVER-search")
@pytest.mark.parametrize("nothing", [found(), found(tools=None), found({"type": "web_search"})])
def test_a_search_that_found_nothing_says_so(nothing: Json) -> None:
    assert messages(search(), nothing, tools=[TOOL])[1]["content"] == "No tools were found."


@pytest.mark.proves("CHAT-SERVER-search", "CHAT-SERVER-arguments")
@pytest.mark.parametrize(
    ("arguments", "sent"),
    [('{"query": "x"}', '{"query": "x"}'), (None, "{}"), ("", "{}"), ("x", '{"arguments":"x"}')],
)
def test_the_arguments_of_a_search_may_be_text(arguments: str | None, sent: str) -> None:
    made = messages(search(arguments=arguments), found())
    assert made[0]["tool_calls"][0]["function"]["arguments"] == sent


@pytest.mark.parametrize("hosted", [{"execution": "server"}, {"execution": "server", "call_id": None}])
@pytest.mark.parametrize("told", [{}, {"call_id": None, "execution": "client"}])
def test_a_search_without_a_client_or_an_id_only_brings_its_tools(hosted: Json, told: Json) -> None:
    made = encoded(search(**{**hosted, **told}), found(LATE, **{**hosted, **told}), HELLO)
    assert made.body["messages"] == [{"role": "user", "content": "hi"}]
    assert made.body["tools"][0]["function"]["name"] == "mcp__late__price"


@pytest.mark.proves("CASE-112", "CHAT-SERVER-search")
def test_a_search_and_what_it_found_belong_together() -> None:
    assert refused(HELLO, found()).param == "input[1].call_id"
    assert refused(HELLO, search()).param == "input"


@pytest.mark.proves("CHAT-SERVER-items")
@pytest.mark.parametrize(
    ("item", "param"),
    [
        (search(3), "input[1].call_id"),
        (found(call_id=3), "input[1].call_id"),
        (found({}), "input[1].tools[0].type"),
        (found(tools=3), "input[1].tools"),
    ],
)
def test_a_malformed_search_is_refused_by_its_place(item: Json, param: str) -> None:
    error = refused(HELLO, item)
    assert (error.param, error.code) == (param, "invalid_request")
