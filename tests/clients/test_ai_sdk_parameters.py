"""What the Vercel AI SDK's settings become upstream, or how their sender is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.parameters import at
from tests.clients.served import PLAIN_MODEL, Json, Served
from tests.live.stack import MODEL, DialectName

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("line", [7, 6], ids=["ai7", "ai6"]),
]

SETTINGS: Json = {
    "prompt": "Reply with exactly: pong",
    "maxOutputTokens": 100,
    "temperature": 0.2,
    "topP": 0.9,
    "presencePenalty": 0.5,
    "frequencyPenalty": 0.25,
    "stopSequences": ["@@"],
    "seed": 7,
}
OPENAI: Json = {
    "parallelToolCalls": False,
    "user": "somebody",
    "store": True,
    "metadata": {"a": "b"},
    "serviceTier": "priority",
    "textVerbosity": "low",
    "promptCacheKey": "talk-1",
    "promptCacheRetention": "24h",
    "safetyIdentifier": "safe-1",
}
TOOLS = {"get_weather": "18C"}

# The wire's name of each setting and its value, in a body that nobody has translated.
CHAT: Json = {
    "max_tokens": 100,
    "temperature": 0.2,
    "top_p": 0.9,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.25,
    "stop": ["@@"],
    "seed": 7,
}
CHAT_OPENAI: Json = {
    "parallel_tool_calls": False,
    "user": "somebody",
    "store": True,
    "metadata": {"a": "b"},
    "service_tier": "priority",
    "verbosity": "low",
    "prompt_cache_key": "talk-1",
    "prompt_cache_retention": "24h",
    "safety_identifier": "safe-1",
}
RESPONSES: Json = {
    "max_output_tokens": 100,
    "temperature": 0.2,
    "top_p": 0.9,
    "parallel_tool_calls": False,
    "user": "somebody",
    "store": True,
    "metadata": {"a": "b"},
    "service_tier": "priority",
    "text.verbosity": "low",
    "prompt_cache_key": "talk-1",
    "prompt_cache_retention": "24h",
    "safety_identifier": "safe-1",
    "instructions": "Be brief.",
    "truncation": "auto",
    "max_tool_calls": 3,
}
# What a plan has of them; and those it lacks whose absence changes the answer.
CODEX: Json = {
    "parallel_tool_calls": False,
    "service_tier": "priority",
    "text.verbosity": "low",
    "prompt_cache_key": "talk-1",
}
# What a chat server of no name has of the settings of a Responses call.
CHAT_ONLY: Json = {
    "max_tokens": 100,
    "temperature": 0.2,
    "top_p": 0.9,
    "messages.0.content": "Be brief.",
}
CHAT_ONLY_DROPPED = {"service_tier", "text.verbosity", "parallel_tool_calls"}
CODEX_DROPPED = {"temperature", "top_p"}


async def ran(gateway: Served, face: str, line: int, options: Json, dialect: DialectName) -> tuple[Json, set[str]]:
    """The upstream's body of a call, and what its answer says was dropped."""
    asked = {"face": face, "line": line, "model": PLAIN_MODEL, "options": options, "outputs": TOOLS}
    answer = await gateway.run("aisdk.generate", quiet=False, **asked)
    assert answer["text"] == "pong"
    [sent] = gateway.sent(dialect)
    assert sent["model"] == MODEL
    [step] = answer["steps"]
    return sent, set(filter(None, step["headers"].get("x-gateway-dropped", "").split(",")))


def holding(body: Json, expected: Json) -> Json:
    """What a body has where something is expected."""
    return {path: at(body, path) for path in expected}


KEPT_HERE = ("store", "metadata")


def translated(expected: Json) -> Json:
    """What chat settings become for a server of Responses."""
    names = {"max_tokens": "max_output_tokens", "verbosity": "text.verbosity"}
    lost = {"presence_penalty", "frequency_penalty", "stop", "seed"}
    return {names.get(name, name): value for name, value in expected.items() if name not in lost}


@pytest.mark.proves("CLIENTS-parameters")
@pytest.mark.parametrize("face", ["chat", "compatible"])
async def test_settings_of_a_chat_call(gateway: Served, face: str, line: int) -> None:
    options: Json = {**SETTINGS, "toolChoice": "none"}
    expected: Json = dict(CHAT)
    if face == "chat":
        options["providerOptions"] = {"openai": {**OPENAI, "systemMessageMode": "developer"}}
        expected |= CHAT_OPENAI
        if not gateway.mode.inner:  # kept here: its server is told nothing of that
            expected = {path: value for path, value in expected.items() if path.partition(".")[0] not in KEPT_HERE}
    else:
        options["providerOptions"] = {"gateway": {"user": "somebody", "textVerbosity": "low"}}
        expected |= {"user": "somebody", "verbosity": "low"}
    sent, dropped = await ran(gateway, face, line, options, "chat")
    if "chat" in gateway.mode.native:
        assert (holding(sent, expected), dropped) == (expected, set())
        return
    wanted = CODEX if gateway.mode.codex else translated(expected)
    wanted = {path: value for path, value in wanted.items() if path in translated(expected)}
    assert holding(sent, wanted) == wanted
    lost = {"presence_penalty", "frequency_penalty"}
    if gateway.mode.codex:
        lost |= {"max_tokens", *(CODEX_DROPPED & expected.keys())}
    assert dropped == lost


@pytest.mark.proves("CLIENTS-parameters")
async def test_settings_of_a_responses_call(gateway: Served, line: int) -> None:
    more: Json = {"instructions": "Be brief.", "truncation": "auto", "maxToolCalls": 3}
    options: Json = {**SETTINGS, "toolChoice": "none", "providerOptions": {"openai": {**OPENAI, **more}}}
    sent, dropped = await ran(gateway, "responses", line, options, "responses")
    if "responses" in gateway.mode.native:
        assert (holding(sent, RESPONSES), dropped) == (RESPONSES, set())
        return
    if not gateway.mode.codex:
        assert (holding(sent, CHAT_ONLY), dropped) == (CHAT_ONLY, CHAT_ONLY_DROPPED)
        return
    wanted = {**CODEX, "instructions": "Be brief."}
    assert holding(sent, wanted) == wanted
    assert dropped == {*CODEX_DROPPED, "max_output_tokens", "max_tool_calls"}


@pytest.mark.proves("CLIENTS-parameters")
@pytest.mark.parametrize("face", ["responses", "chat", "compatible"])
@pytest.mark.parametrize(
    ("choice", "wanted"),
    [("required", "required"), ({"type": "tool", "toolName": "get_weather"}, "get_weather")],
    ids=["required", "named"],
)
async def test_the_choice_of_a_tool(gateway: Served, face: str, line: int, choice: Any, wanted: str) -> None:
    dialect: DialectName = "responses" if face == "responses" else "chat"
    options = {"prompt": "Do it", "toolChoice": choice}
    asked: Json = {"face": face, "line": line, "model": MODEL, "options": options, "outputs": TOOLS, "steps": 1}
    answer = await gateway.run("aisdk.generate", **asked)
    assert answer["called"] == [["get_weather", "simulated"]]
    [sent] = gateway.sent(dialect)
    choice = sent["tool_choice"]
    assert wanted in (choice, at(choice, "name"), at(choice, "function.name"))


@pytest.mark.proves("CLIENTS-parameters")
@pytest.mark.parametrize("face", ["responses", "chat", "compatible"])
async def test_an_effort(gateway: Served, face: str, line: int) -> None:
    dialect: DialectName = "responses" if face == "responses" else "chat"
    name = "gateway" if face == "compatible" else "openai"
    options = {"prompt": "Reply with exactly: pong", "providerOptions": {name: {"reasoningEffort": "high"}}}
    answer = await gateway.run("aisdk.generate", face=face, line=line, model=MODEL, options=options)
    assert answer["text"] == "pong"
    [sent] = gateway.sent(dialect)
    assert "high" in (at(sent, "reasoning.effort"), at(sent, "reasoning_effort"))
