"""Known chat servers: how each is recognised, and that each one's quirks make sense."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from gateway.config import presets
from gateway.config.tree import ServerKind
from gateway.dialects.chat.outbound import GENERIC, encode
from gateway.upstreams.servers import AUTO, SERVERS, quirks_of, recognised
from tests.pure.outbound_requests import HELLO, TOOL, call, check_messages, output, said

Json = dict[str, Any]

CONVERSATION = [
    said("developer", "Be brief"),
    HELLO,
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]},
    call("call_" + "1" * 24),
    call("call_" + "2" * 24),
    said("user", "wait"),
    output("call_" + "1" * 24),
    output("call_" + "2" * 24),
    said("system", "Be briefer"),
    HELLO,
]


def test_the_table_holds_every_server_that_the_setting_can_name() -> None:
    assert {AUTO, *SERVERS} == set(get_args(ServerKind.__value__ if hasattr(ServerKind, "__value__") else ServerKind))


@pytest.mark.proves("CHAT-SERVER-known")
@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://api.openai.com", "openai"),
        ("https://mine.openai.azure.com/openai/v1", "openai"),
        ("http://127.0.0.1:11434", "ollama"),
        ("http://gpu.example:11434/v1", "ollama"),
        ("http://localhost:1234/v1", "lmstudio"),
        ("https://api.mistral.ai/v1", "mistral"),
        ("https://API.DeepSeek.com", "deepseek"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "gemini"),
        ("https://api.anthropic.com", "anthropic"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("http://127.0.0.1:8000", "generic"),
        ("https://notapi.groq.com.example", "generic"),
        ("https://evilopenrouter.ai", "generic"),
    ],
)
def test_a_server_is_recognised_by_host_or_port(base_url: str, name: str) -> None:
    assert recognised(base_url) == name
    assert quirks_of(AUTO, base_url) is SERVERS[name].quirks


def test_what_the_operator_says_counts_before_the_address() -> None:
    assert quirks_of("vllm", "http://127.0.0.1:11434") is SERVERS["vllm"].quirks
    assert quirks_of("generic", "https://api.openai.com") is GENERIC


@pytest.mark.parametrize("name", presets.KNOWN)
def test_a_known_provider_is_recognised_by_its_own_address(name: str) -> None:
    preset = presets.KNOWN[name]
    assert recognised(preset["base_url"]) == preset["server"]


@pytest.mark.proves("CHAT-SERVER-known")
@pytest.mark.parametrize("name", SERVERS)
def test_an_agent_s_conversation_is_sound_for_every_server(name: str) -> None:
    quirks = SERVERS[name].quirks
    body: Json = {
        "model": "m",
        "input": CONVERSATION,
        "tools": [TOOL],
        "tool_choice": {"type": "function", "name": "look"},
        "reasoning": {"effort": "high"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        "max_output_tokens": 100,
        "parallel_tool_calls": True,
    }
    made = encode(body, quirks, stream=True)
    check_messages(made.body["messages"], quirks)
    assert [tool["function"]["name"] for tool in made.body["tools"]] == ["look"]
    always = {"model", "messages", "stream", "stream_options", "tools", "tool_choice", "response_format"}
    ways = {"max_tokens", "max_completion_tokens", "reasoning", "reasoning_effort", "thinking", "chat_template_kwargs"}
    assert made.body.keys() <= always | ways | quirks.accepts
    json.dumps(made.body)
