"""Every parameter that the openai SDK for Node offers arrives upstream, or its sender is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.node import Node, ProgramError
from tests.clients.parameters import CHAT, COMPLETIONS, RESPONSES, Arrives, Parameter, Verdict, at
from tests.clients.served import Json, Served
from tests.live.chat import exactly
from tests.live.stack import INNER, MODEL, DialectName, only

pytestmark = pytest.mark.asyncio(loop_scope="session")

PACKAGE = "openai/resources"
# What every request has, and the flag that chooses between an answer and a stream of it.
ALWAYS = {"model", "messages", "input", "prompt", "stream"}
# Refused whatever the server: there is no route yet that could fetch the answer.
NEVER_RELAYED = {"background"}


@pytest.mark.proves("CLIENTS-parameters")
@pytest.mark.parametrize(
    ("file", "name", "table"),
    [
        (f"{PACKAGE}/chat/completions/completions.d.ts", "ChatCompletionCreateParamsBase", CHAT),
        (f"{PACKAGE}/responses/responses.d.ts", "ResponseCreateParamsBase", RESPONSES),
        (f"{PACKAGE}/completions.d.ts", "CompletionCreateParamsBase", COMPLETIONS),
    ],
    ids=["chat", "responses", "completions"],
)
async def test_no_parameter_of_the_sdk_is_forgotten(node: Node, file: str, name: str, table: Json) -> None:
    declared = set(await node.run("declared.fields", file=file, name=name))
    assert "temperature" in declared
    assert declared - table.keys() - ALWAYS == set()
    assert table.keys() - declared == set()


@pytest.mark.proves("CLIENTS-parameters")
@pytest.mark.parametrize("name", CHAT)
async def test_a_chat_parameter_arrives_or_is_told(gateway: Served, name: str) -> None:
    params = {"model": MODEL, "messages": exactly("pong"), **CHAT[name].beside, name: CHAT[name].value}
    await judged(gateway, "chat", name, CHAT[name], params)


@pytest.mark.proves("CLIENTS-parameters")
@pytest.mark.parametrize("name", RESPONSES)
async def test_a_responses_parameter_arrives_or_is_told(gateway: Served, name: str) -> None:
    params = {"model": MODEL, "input": "Say pong as JSON", **RESPONSES[name].beside, name: RESPONSES[name].value}
    await judged(gateway, "responses", name, RESPONSES[name], params)


@only(*INNER)
@pytest.mark.proves("CLIENTS-parameters")
@pytest.mark.parametrize("name", COMPLETIONS)
async def test_a_parameter_of_a_completion_arrives_or_is_told(gateway: Served, name: str) -> None:
    params = {"model": MODEL, "prompt": "Say pong", **COMPLETIONS[name].beside, name: COMPLETIONS[name].value}
    await judged(gateway, "completions", name, COMPLETIONS[name], params)


METHODS = {
    "chat": "chat.completions.create",
    "completions": "completions.create",
    "responses": "responses.create",
}


async def judged(gateway: Served, dialect: DialectName, name: str, parameter: Parameter, params: Json) -> None:
    method = METHODS[dialect]
    program = "openai.events" if params.get("stream") else "openai.create"
    if dialect in gateway.mode.native:
        await relayed(gateway, dialect, name, program, method, params)
        return
    verdict = parameter.codex if gateway.mode.codex else parameter.other
    try:
        answer = await gateway.run(program, method=method, params=params)
    except ProgramError as error:
        assert verdict == "refused", error
        assert (error.told["status"], error.told["param"]) == (400, name)
        assert gateway.sent(dialect) == []
        return
    dropped = answer["headers"].get("x-gateway-dropped", "").split(",")
    [sent] = gateway.sent(dialect)
    assert found(sent, name, parameter.value, dropped, verdict) == verdict


def found(sent: Json, name: str, value: Any, dropped: list[str], verdict: Verdict) -> Verdict:
    """What became of a parameter, in the words of its table."""
    if name in dropped:
        return "dropped"
    if isinstance(verdict, Arrives):
        return Arrives(verdict.path, at(sent, verdict.path))
    return Arrives(name, value) if sent.get(name) == value else "silent"


async def relayed(gateway: Served, dialect: DialectName, name: str, program: str, method: str, params: Json) -> None:
    """A server of the client's own dialect decides by itself, and gets what was sent."""
    try:
        await gateway.run(program, method=method, params=params)
    except ProgramError as error:
        assert error.told["status"] in (400, 404)
        if name in NEVER_RELAYED:
            assert (error.told["param"], gateway.sent(dialect)) == (name, [])
            return
    [sent] = gateway.sent(dialect)
    expected: dict[str, Any] = {name: sent.get(name) for name in params}
    assert expected == params
