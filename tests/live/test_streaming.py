"""Streams as they happen: pieces arrive while the upstream works, silence is filled, nobody works for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
import pytest_asyncio

from tests.live.sdk import Sdk, events
from tests.live.stack import CODEX, MODEL, MODES, DialectName, Mode, Stack, running
from tests.sdk_types import (
    check_chat_stream,
    check_error,
    check_failed_chat_stream,
    check_failed_response_stream,
    check_response_stream,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

TURNS: dict[str, tuple[str, Json]] = {
    "chat": ("chat.completions.create", {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}),
    "responses": ("responses.create", {"model": MODEL, "input": "hi"}),
}
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}

each_dialect = pytest.mark.parametrize("dialect", ["chat", "responses"])
streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])

_names = iter(range(1_000_000))


def gate_name() -> str:
    """A pause point of its own: gates of a shared simulator stay open once they were passed."""
    return f"gate-{next(_names)}"


def delta_of(event: Any) -> str:
    """The text in an event of either dialect."""
    if getattr(event, "type", None) == "response.output_text.delta":
        return str(event.delta)
    return "".join(choice.delta.content or "" for choice in getattr(event, "choices", ()))


@pytest.mark.proves("ENGINE-live")
@each_dialect
async def test_the_first_piece_arrives_before_the_upstream_sends_the_second(
    sdk: Sdk, stack: Stack, dialect: DialectName
) -> None:
    gate = stack.sim.gate(name := gate_name())
    stack.play(dialect, {"text": ["first ", {"gate": name}, "second"]})
    method, arguments = TURNS[dialect]
    async with asyncio.timeout(10), sdk.stream(method, **arguments, stream=True) as shown:
        text = ""
        while not text:
            text = delta_of(await anext(shown))
        assert text == "first "
        assert not gate.is_set()
        gate.set()
        async for event in shown:
            text += delta_of(event)
    assert text == "first second"


@pytest.mark.proves("ENGINE-client-left", "CASE-94")
@each_dialect
async def test_a_client_that_leaves_a_stream_ends_the_upstream_call(
    sdk: Sdk, stack: Stack, dialect: DialectName
) -> None:
    stack.play(dialect, "stall")
    method, arguments = TURNS[dialect]
    async with asyncio.timeout(10):
        async with sdk.stream(method, **arguments, stream=True) as shown:
            while not delta_of(await anext(shown)):
                pass
            assert stack.sim.open_streams == 1
        await stack.sim.until(lambda: stack.sim.open_streams == 0)
        [call] = stack.sim.calls(stack.mode.route(dialect))
        await call.finished.wait()
    assert call.closed_early


@pytest.mark.proves("ENGINE-client-left")
@streamed_or_not
@each_dialect
async def test_a_client_that_leaves_before_any_answer_ends_the_upstream_call(
    stack: Stack, dialect: DialectName, stream: bool
) -> None:
    gate = stack.sim.gate(name := gate_name())
    stack.play(dialect, {"gate": name})
    route = stack.mode.route(dialect)
    body = {**TURNS[dialect][1], "stream": stream}
    async with asyncio.timeout(10):
        async with httpx2.AsyncClient(headers=stack.http.headers, trust_env=False) as leaving:
            request = asyncio.create_task(leaving.post(stack.url + PATHS[dialect], json=body))
            await gate.reached.wait()
            request.cancel()
            await asyncio.wait([request])
        [call] = stack.sim.calls(route)
        await call.finished.wait()
    assert call.closed_early


@pytest.mark.proves("ENGINE-parallel")
@each_dialect
async def test_many_streams_at_once_do_not_mix(stack: Stack, dialect: DialectName) -> None:
    method, arguments = TURNS[dialect]
    sdk = stack.sdks["AsyncSdk"]

    async def one(number: int) -> str:
        words = f"Reply with exactly: one two three {number}"
        said = {"messages": [{"role": "user", "content": words}]} if dialect == "chat" else {"input": words}
        return "".join(map(delta_of, await events(sdk, method, **{**arguments, **said}, stream=True)))

    assert await asyncio.gather(*map(one, range(30))) == [f"one two three {number}" for number in range(30)]


# silence --------------------------------------------------------------------------------------------------------------

LIVELY: Json = {"hold_seconds": 0.02, "keep_alive_seconds": 0.02, "idle_seconds": 20}
IMPATIENT: Json = {"hold_seconds": 10, "idle_seconds": 0.1, "json_seconds": 0.1}


@pytest_asyncio.fixture(loop_scope="session", params=MODES, ids=lambda mode: mode.name)
async def lively(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stack]:
    """A gateway that fills silence after 20 ms."""
    async with running(request.param, tmp_path, limits=LIVELY) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="session", params=MODES, ids=lambda mode: mode.name)
async def impatient(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stack]:
    """A gateway that gives up after 100 ms of silence."""
    async with running(request.param, tmp_path, limits=IMPATIENT) as stack:
        yield stack


@pytest.mark.proves("ENGINE-silence", "CASE-93")
@pytest.mark.parametrize("before", [True, False], ids=["before-the-answer", "inside-the-answer"])
@each_dialect
async def test_silence_is_filled_with_comments(lively: Stack, dialect: DialectName, before: bool) -> None:
    gate = lively.sim.gate("silence")
    text: list[Any] = [{"gate": "silence"}, "whole"] if before else ["wh", {"gate": "silence"}, "ole"]
    lively.play(dialect, {"steps": [{"text": text}], "opening": not before})
    received = b""
    body = {**TURNS[dialect][1], "stream": True}
    async with asyncio.timeout(10), lively.http.stream("POST", PATHS[dialect], json=body) as answer:
        assert answer.status_code == 200
        async for chunk in answer.aiter_raw():
            received += chunk
            if not gate.is_set() and gate.reached.is_set() and b"\n\n:" in b"\n\n" + received:
                gate.set()
    said = received.decode()
    assert "\n: " in "\n" + said
    if dialect == "chat":
        chunks = check_chat_stream(received, expect_usage=False)
        assert "".join(map(delta_of, chunks)) == "whole"
    else:
        assert check_response_stream(received).output_text == "whole"


@pytest.mark.proves("ENGINE-late")
@each_dialect
async def test_a_failure_after_the_first_comment_is_told_inside_the_stream(lively: Stack, dialect: DialectName) -> None:
    """The status line is out by then, though no output was shown."""
    gate = lively.sim.gate("late")
    lively.play(dialect, {"steps": [{"gate": "late"}], "opening": False, "finish": {"failed": "server_is_overloaded"}})
    received = b""
    body = {**TURNS[dialect][1], "stream": True}
    async with asyncio.timeout(10), lively.http.stream("POST", PATHS[dialect], json=body) as answer:
        assert answer.status_code == 200
        async for chunk in answer.aiter_raw():
            received += chunk
            if gate.reached.is_set() and b"\n\n:" in b"\n\n" + received:
                gate.set()
    if dialect == "chat":
        assert check_failed_chat_stream(received).code == "server_is_overloaded"
    else:
        assert check_failed_response_stream(received) == "server_is_overloaded"


@pytest.mark.proves("ENGINE-idle")
@streamed_or_not
@each_dialect
async def test_an_upstream_that_never_answers_is_a_504(impatient: Stack, dialect: DialectName, stream: bool) -> None:
    impatient.play(dialect, {"gate": "never"})
    answer = await impatient.http.post(PATHS[dialect], json={**TURNS[dialect][1], "stream": stream})
    assert (answer.status_code, check_error(answer.content).code) == (504, "upstream_timeout")
    await _abandoned(impatient, dialect)


@pytest.mark.proves("ENGINE-idle")
@each_dialect
async def test_an_upstream_that_falls_silent_ends_the_stream_with_an_error(
    impatient: Stack, dialect: DialectName
) -> None:
    impatient.play(dialect, "stall")
    method, arguments = TURNS[dialect]
    seen = ""
    with pytest.raises(openai.APIError) as caught:
        async with impatient.sdks["AsyncSdk"].stream(method, **arguments, stream=True) as shown:
            async for event in shown:
                seen += delta_of(event)
    assert seen == "(simulated) Silence follows"
    assert type(caught.value) is openai.APIError and caught.value.code == "upstream_timeout"
    await _abandoned(impatient, dialect)


async def _abandoned(stack: Stack, dialect: DialectName) -> None:
    """The upstream call was closed, not left to run."""
    async with asyncio.timeout(10):
        [call] = stack.sim.calls(stack.mode.route(dialect))
        await call.finished.wait()
    assert call.closed_early


# stopping ---------------------------------------------------------------------------------------------------------


@pytest.mark.proves("ENGINE-stopping")
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
@each_dialect
async def test_a_stream_that_a_stop_cuts_short_ends_in_an_error(
    mode: Mode, dialect: DialectName, tmp_path: Path
) -> None:
    async with running(mode, tmp_path) as stack:
        gate = stack.sim.gate("never")
        stack.play(dialect, {"steps": [{"text": ["wh", {"gate": "never"}, "ole"]}]})
        body = {**TURNS[dialect][1], "stream": True}
        received = b""
        async with asyncio.timeout(10), stack.http.stream("POST", PATHS[dialect], json=body) as answer:
            async for chunk in answer.aiter_raw():
                received += chunk
                if gate.reached.is_set() and b"wh" in received:
                    stack.stop()
        if dialect == "chat":
            assert check_failed_chat_stream(received).code == "shutting_down"
        else:
            assert check_failed_response_stream(received) == "shutting_down"


@pytest.mark.proves("ENGINE-stopping")
@streamed_or_not
@each_dialect
async def test_a_request_that_a_stop_cuts_short_before_its_answer_is_a_503(
    dialect: DialectName, stream: bool, tmp_path: Path
) -> None:
    async with running(CODEX, tmp_path) as stack:
        gate = stack.sim.gate("never")
        stack.play(dialect, {"gate": "never"})
        asked = asyncio.create_task(stack.http.post(PATHS[dialect], json={**TURNS[dialect][1], "stream": stream}))
        async with asyncio.timeout(10):
            await gate.reached.wait()
            stack.stop()
            answer = await asked
        assert (answer.status_code, check_error(answer.content).code) == (503, "shutting_down")
        assert answer.headers["retry-after"] == "2"
