"""Every parameter that the openai SDK for Node offers arrives upstream, or its sender is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.node import Node, ProgramError
from tests.clients.parameters import CHAT, COMPLETIONS, RESPONSES, Arrives, Parameter, Verdict, at, done_here
from tests.clients.served import Json, Served
from tests.live.chat import exactly
from tests.live.stack import INNER, MODEL, DialectName, only

pytestmark = pytest.mark.asyncio(loop_scope="session")

PACKAGE = "openai/resources"
# What every request has, and the flag that chooses between an answer and a stream of it.
ALWAYS = {"model", "messages", "input", "prompt", "stream"}


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
    said = [{"role": "user", "content": "Say pong as JSON"}]
    params = {"model": MODEL, "input": said, **RESPONSES[name].beside, name: RESPONSES[name].value}
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
        assert verdict in ("refused", "unknown"), error
        assert (error.told["status"], error.told["param"]) == (400 if verdict == "refused" else 404, name)
        assert gateway.sent(dialect) == []
        return
    dropped = answer["headers"].get("x-gateway-dropped", "").split(",")
    sent = await answered(gateway, dialect)
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
    sent = await answered(gateway, dialect)
    expected = {name: value for name, value in params.items() if name not in done_here(gateway.mode, dialect)}
    assert {name: sent[name] for name in params if name in sent} == expected


async def answered(gateway: Served, dialect: DialectName) -> Json:
    """The one body that the upstream got, once it has answered it; a response in the background is run later."""
    route = gateway.mode.route(dialect)
    await gateway.sim.until(lambda: bool(gateway.sim.calls(route)))
    [call] = gateway.sim.calls(route)
    await gateway.ended(call)
    body: Json = call.body
    return body
