"""What a response shows of what was told before, and what it never shows."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.response import complete_response, request_echo, without_secrets

Json = dict[str, Any]

MCP: Json = {"type": "mcp", "server_label": "shop", "authorization": "secret", "headers": {"x-api-key": "secret"}}


@pytest.mark.proves("RECALL-secrets")
def test_what_tools_tell_their_servers_is_not_shown() -> None:
    shown = complete_response({"tools": [MCP, {"type": "web_search"}, None]})
    assert shown["tools"] == [{"type": "mcp", "server_label": "shop"}, {"type": "web_search"}, None]
    assert complete_response({}, {"tools": [MCP]})["tools"] == [{"type": "mcp", "server_label": "shop"}]


@pytest.mark.proves("RECALL-secrets")
def test_a_tool_that_tells_nothing_secret_is_the_same_tool() -> None:
    tool = {"type": "mcp", "server_label": "shop"}
    assert without_secrets(tool) is tool


@pytest.mark.proves("RECALL-background")
def test_a_response_was_created_once_whatever_its_server_says_later() -> None:
    assert complete_response({"created_at": 7}, {"created_at": 5})["created_at"] == 5
    assert complete_response({"created_at": 7}, request_echo({"created_at": 5}))["created_at"] == 7
