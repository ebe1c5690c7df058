"""Legacy completions of several prompts: an upstream call each, one answer, and an end for all."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from tests.live.completions import (
    CREATE,
    EVERYWHERE,
    PATH,
    asked,
    body,
    everywhere,
    gate_name,
    streamed_or_not,
    translated,
)
from tests.live.sdk import Sdk, broken
from tests.live.stack import MODES, Mode, Stack, running
from tests.sdk_types import check_completion, check_completion_stream, check_error, check_failed_completion_stream

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]


@pytest.mark.proves("TEXT-several", "CASE-151")
@everywhere
async def test_several_prompts_are_answered_in_their_order(sdk: Sdk, stack: Stack) -> None:
    answer = await sdk.call(CREATE, **body("a", "bb", "ccc"))
    whole = check_completion(answer.model_dump(mode="json", exclude_unset=True))
    assert [choice.text for choice in whole.choices] == ["a", "bb", "ccc"]
    assert whole.usage is not None
    alone = [check_completion((await asked(stack, text)).content).usage for text in ("a", "bb", "ccc")]
    assert whole.usage.total_tokens == sum(usage.total_tokens for usage in alone if usage)


@pytest.mark.proves("TEXT-several")
@everywhere
@pytest.mark.parametrize("include_usage", [False, True])
async def test_streams_of_several_prompts_are_one_sound_stream(stack: Stack, include_usage: bool) -> None:
    options: Json = {"stream_options": {"include_usage": True}} if include_usage else {}
    answer = await asked(stack, "one two three", "eins zwei drei vier", "uno", stream=True, **options)
    judge = check_completion_stream(answer.content, include_usage)
    assert judge.texts == {0: "one two three", 1: "eins zwei drei vier", 2: "uno"}
    assert judge.finish == {0: "stop", 1: "stop", 2: "stop"}


@pytest.mark.proves("TEXT-several")
@translated
async def test_choices_come_interleaved_as_the_upstream_makes_them(stack: Stack) -> None:
    """Both have begun before either may go on."""
    names = [gate_name(), gate_name()]
    stack.play("completions", *({"text": ["begun ", {"gate": name}, "done"]} for name in names))
    begun: set[int] = set()
    received = b""
    async with asyncio.timeout(10), stack.http.stream("POST", PATH, json=body("a", "b", stream=True)) as answer:
        async for chunk in answer.aiter_raw():
            received += chunk
            begun |= {index for index in (0, 1) if b'"text":"begun ","index":%d' % index in received}
            if begun == {0, 1}:
                assert b'"done"' not in received or stack.sim.gate(names[0]).is_set()
                for name in names:
                    stack.sim.gate(name).set()
    assert check_completion_stream(received, expect_usage=False).texts == {0: "begun done", 1: "begun done"}


@pytest.mark.proves("TEXT-several-limit")
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
@streamed_or_not
async def test_no_more_prompts_run_at_once_than_the_setting_says(mode: Mode, stream: bool, tmp_path: Path) -> None:
    async with running(mode, tmp_path, limits={"parallel_prompts": 2}) as stack:
        texts = [f"text {number}" for number in range(7)]
        answer = await asked(stack, *texts, stream=stream)
        calls = stack.sim.calls(mode.route("completions"))
        assert len(calls) == 7 and max(call.concurrency for call in calls) <= 2
        if stream:
            assert check_completion_stream(answer.content, expect_usage=False).texts == dict(enumerate(texts))
        else:
            assert [choice.text for choice in check_completion(answer.content).choices] == texts


@pytest.mark.proves("TEXT-several-failure")
@translated
@streamed_or_not
async def test_the_first_failure_is_an_http_status_while_nothing_was_said(stack: Stack, stream: bool) -> None:
    gate = gate_name()
    stack.play("completions", {"gate": gate}, {"status": 429, "body": {"error": {"message": "slow", "code": "x"}}})
    async with asyncio.timeout(10):
        answer = await asked(stack, "a", "b", stream=stream)
        assert (answer.status_code, check_error(answer.content).message) == (429, "slow")
        [held, _] = stack.sim.calls(stack.mode.route("completions"))
        await held.finished.wait()
    assert held.closed_early


@pytest.mark.proves("TEXT-several-failure")
@translated
@pytest.mark.parametrize("finish", ["cut", "end", {"failed": "server_error"}, {"error": "server_error"}], ids=str)
async def test_a_failure_after_text_ends_all_choices_with_one_error(sdk: Sdk, stack: Stack, finish: Any) -> None:
    gate = gate_name()
    stack.play("completions", {"steps": [{"text": ["said ", {"gate": gate}]}], "finish": finish}, "stall")
    async with asyncio.timeout(10):
        reading = asyncio.create_task(broken(sdk, CREATE, **body("a", "b"), stream=True))
        await stack.sim.until(lambda: stack.sim.open_streams == 2)
        stack.sim.gate(gate).set()
        seen, error = await reading
        await stack.sim.until(lambda: stack.sim.open_streams == 0)
    assert type(error) is openai.APIError
    assert any(chunk.choices[0].text == "said " for chunk in seen)
    assert all(chunk.choices[0].finish_reason is None for chunk in seen)


@pytest.mark.proves("TEXT-several-failure")
@translated
async def test_the_error_of_several_prompts_is_the_last_event(stack: Stack) -> None:
    gate = gate_name()
    failing = {"steps": [{"text": ["said ", {"gate": gate}]}], "finish": {"failed": "server_error"}}
    stack.play("completions", failing, "stall")
    async with asyncio.timeout(10):
        asking = asyncio.create_task(asked(stack, "a", "b", stream=True))
        await stack.sim.until(lambda: stack.sim.open_streams == 2)
        stack.sim.gate(gate).set()
        answer = await asking
    assert check_failed_completion_stream(answer.content).code == "upstream_error"


@pytest.mark.proves("TEXT-several-left")
@translated
@streamed_or_not
async def test_a_client_that_leaves_ends_all_its_calls(stack: Stack, stream: bool) -> None:
    stack.play("completions", "stall", "stall", "stall")
    route = stack.mode.route("completions")
    async with asyncio.timeout(10):
        async with httpx2.AsyncClient(headers=stack.http.headers, trust_env=False) as leaving:
            request = asyncio.create_task(leaving.post(stack.url + PATH, json=body("a", "b", "c", stream=stream)))
            await stack.sim.until(lambda: len(stack.sim.calls(route)) == 3)
            request.cancel()
            await asyncio.wait([request])
        await stack.sim.until(lambda: stack.sim.open_streams == 0)
        for call in stack.sim.calls(route):
            await call.finished.wait()
    assert [call.closed_early for call in stack.sim.calls(route)] == [True] * 3


@pytest.mark.proves("TEXT-several-failure")
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
async def test_a_prompt_that_has_said_nothing_is_tried_again(mode: Mode, tmp_path: Path) -> None:
    async with running(mode, tmp_path, limits={"retries": 1}) as stack:
        stack.play("completions", {"status": 503, "headers": {"retry-after-ms": "1"}}, None, None)
        answer = await asked(stack, "a", "b", stream=True)
        assert check_completion_stream(answer.content, expect_usage=False).texts == {0: "a", 1: "b"}
        assert len(stack.sim.calls(mode.route("completions"))) == 3


@pytest.mark.proves("TEXT-several-failure")
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
async def test_a_failure_after_the_first_comment_is_told_inside_the_stream(mode: Mode, tmp_path: Path) -> None:
    async with running(mode, tmp_path, limits={"hold_seconds": 0.02, "keep_alive_seconds": 0.02}) as stack:
        gate = stack.sim.gate("late")
        late = {"steps": [{"gate": "late"}], "opening": False, "finish": {"failed": "server_is_overloaded"}}
        stack.play("completions", late, "stall")
        received = b""
        async with asyncio.timeout(10), stack.http.stream("POST", PATH, json=body("a", "b", stream=True)) as answer:
            assert answer.status_code == 200
            async for chunk in answer.aiter_raw():
                received += chunk
                if gate.reached.is_set() and b"\n\n:" in b"\n\n" + received:
                    gate.set()
        assert check_failed_completion_stream(received).code == "server_is_overloaded"


@pytest.mark.proves("TEXT-several-failure")
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
async def test_a_stop_of_the_gateway_ends_open_choices_in_an_error(mode: Mode, tmp_path: Path) -> None:
    async with running(mode, tmp_path) as stack:
        stack.play("completions", "stall", "stall")
        received = b""
        async with asyncio.timeout(10), stack.http.stream("POST", PATH, json=body("a", "b", stream=True)) as answer:
            async for chunk in answer.aiter_raw():
                received += chunk
                if b"Silence" in received:
                    stack.stop()
        assert check_failed_completion_stream(received).code == "shutting_down"
        await stack.sim.until(lambda: stack.sim.open_streams == 0)


# on the way -----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("TEXT-metrics")
@pytest.mark.parametrize("mode", EVERYWHERE, ids=lambda mode: mode.name)
async def test_a_request_is_counted_once_with_the_tokens_of_all_its_prompts(mode: Mode, tmp_path: Path) -> None:
    async with running(mode, tmp_path) as stack:
        usage = check_completion((await asked(stack, "a", "b")).content).usage
        metrics = (await stack.http.get("/metrics")).text
        assert usage is not None
        assert 'gateway_requests_total{method="POST",status="2xx",surface="completions"} 1.0' in metrics
        assert f'gateway_tokens_total{{kind="input"}} {float(usage.prompt_tokens)}' in metrics
