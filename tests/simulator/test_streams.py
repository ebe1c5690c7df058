"""The script engine: what a stream holds, and when and how its bytes come."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest

from gateway.simulator import BUILT_IN, Scenario, Simulator
from gateway.simulator.library import FAILURES
from gateway.simulator.player import writes
from tests.serving import serving
from tests.simulator.asking import CODEX, events_of, headers_of, items_of, text_of, turn, user

Login = dict[str, Any]


async def play(client: httpx2.AsyncClient, login: Login, script: Any, **changes: Any) -> bytes:
    steering = script if isinstance(script, str) else json.dumps(script)
    answer = await client.post(CODEX, json=turn(**changes), headers=headers_of(login, x_simulate=steering))
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.mark.proves("SIM-gates")
async def test_a_gate_holds_the_second_delta_until_it_is_set(
    sim: Simulator, client: httpx2.AsyncClient, login: Login
) -> None:
    sim.queue("codex.responses", {"text": ["first", {"gate": "pause"}, "second"]})
    gate = sim.gate("pause")
    async with client.stream("POST", CODEX, json=turn(), headers=headers_of(login)) as answer:
        received = b""
        chunks = answer.aiter_bytes()
        async for chunk in chunks:
            received += chunk
            if b'"delta":"first"' in received:
                break
        await gate.reached.wait()
        assert b"second" not in received
        assert sim.open_streams == 1
        gate.set()
        async for chunk in chunks:
            received += chunk
    assert text_of(received) == "firstsecond"
    await sim.log[0].finished.wait()
    assert (sim.open_streams, sim.log[0].closed_early) == (0, False)


@pytest.mark.proves("SIM-early-close")
async def test_a_client_that_leaves_a_stalled_stream_is_logged_as_closed_early(
    sim: Simulator, client: httpx2.AsyncClient, login: Login
) -> None:
    sim.queue("codex.responses", "stall")
    async with client.stream("POST", CODEX, json=turn(), headers=headers_of(login)) as answer:
        async for _ in answer.aiter_bytes():
            break
    await sim.log[0].finished.wait()
    assert (sim.log[0].closed_early, sim.open_streams) == (True, 0)


@pytest.mark.proves("SIM-cuts")
async def test_a_cut_closes_the_connection_inside_the_body(client: httpx2.AsyncClient, login: Login) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        await play(client, login, "cut")


@pytest.mark.proves("SIM-cuts")
async def test_an_end_finishes_the_body_without_a_terminal_event(client: httpx2.AsyncClient, login: Login) -> None:
    kinds = [event["type"] for event in events_of(await play(client, login, "end"))]
    assert kinds[-1] == "response.output_item.done"


async def test_a_whole_answer_can_be_held_back_before_its_status(
    sim: Simulator, client: httpx2.AsyncClient, login: Login
) -> None:
    sim.queue("codex.responses", {"gate": "status"})
    asking = asyncio.ensure_future(client.post(CODEX, json=turn(), headers=headers_of(login)))
    await sim.gate("status").reached.wait()
    assert not asking.done()
    sim.gate("status").set()
    assert (await asking).status_code == 200


@pytest.mark.proves("SIM-pace")
@pytest.mark.parametrize("path", [CODEX, "/v1/responses", "/v1/chat/completions"])
async def test_delays_and_waits_are_slept(path: str) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    sim = Simulator(Scenario(open=True), sleep=sleep)
    script = {"delay": 2, "steps": [{"wait": 30}, {"text": ["a", {"wait": 0.5}, "b"]}]}
    headers = headers_of({"access_token": "any", "account_id": "any"}, x_simulate=json.dumps(script))
    body = {"messages": [user("x")]} if "chat" in path else {"instructions": "", "input": [user("x")], "store": False}
    async with serving(sim) as url, httpx2.AsyncClient(base_url=url, verify=False) as client:
        for stream in (True,) if path == CODEX else (True, False):
            answer = await client.post(path, json={"model": "gpt-5.5", **body, "stream": stream}, headers=headers)
            assert answer.status_code == 200, answer.text
            assert slept == [2, 30, 0.5]
            slept.clear()


@pytest.mark.proves("SIM-pace")
async def test_a_canned_answer_is_delayed_too() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    sim = Simulator(sleep=sleep)
    sim.queue("token", {"use": "server_error", "delay": 1.5})
    async with serving(sim) as url, httpx2.AsyncClient(base_url=url, verify=False) as client:
        assert (await client.post("/oauth/token")).status_code == 500
    assert slept == [1.5]


@pytest.mark.proves("SIM-items")
@pytest.mark.parametrize(
    ("step", "item"),
    [
        pytest.param({"refusal": "No."}, {"type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "refusal", "refusal": "No."}]}, id="refusal"),
        pytest.param({"text": "A.", "phase": "commentary"}, {"type": "message", "role": "assistant",
            "status": "completed", "phase": "commentary",
            "content": [{"type": "output_text", "text": "A.", "annotations": [], "logprobs": []}]}, id="commentary"),
        pytest.param({"call": "f", "arguments": {"a": 1}}, {"type": "function_call", "name": "f",
            "arguments": '{"a":1}', "status": "completed"}, id="function call"),
        pytest.param({"call": "f", "namespace": "n", "arguments": "{broken"}, {"type": "function_call", "name": "f",
            "arguments": "{broken", "namespace": "n", "status": "completed"}, id="broken arguments"),
        pytest.param({"custom": "patch", "input": "x"}, {"type": "custom_tool_call", "name": "patch", "input": "x"},
            id="custom tool"),
        pytest.param({"custom": "exec", "input": "text('x')", "namespace": "functions"}, {"type": "custom_tool_call",
            "name": "exec", "namespace": "functions", "input": "text('x')"}, id="custom tool of a namespace"),
        pytest.param({"search": "q"}, {"type": "web_search_call", "status": "completed",
            "action": {"type": "search", "query": "q", "queries": ["q"]}}, id="web search"),
        pytest.param({"image": "aGk="}, {"type": "image_generation_call", "status": "completed", "result": "aGk="},
            id="image"),
        pytest.param({"item": {"type": "novel", "x": 1}}, {"type": "novel", "x": 1}, id="unknown item"),
        pytest.param({"reasoning": "Why."}, {"type": "reasoning",
            "summary": [{"type": "summary_text", "text": "Why."}]}, id="reasoning"),
    ],
)  # fmt: skip
async def test_a_step_becomes_its_item(client: httpx2.AsyncClient, login: Login, step: Any, item: Any) -> None:
    assert items_of(await play(client, login, {"steps": [step]})) == [item]


async def test_parallel_calls_have_their_own_ids_and_indexes(client: httpx2.AsyncClient, login: Login) -> None:
    stream = await play(client, login, {"steps": [{"call": "a"}, {"call": "b"}]})
    done = [event for event in events_of(stream) if event["type"] == "response.output_item.done"]
    assert [event["output_index"] for event in done] == [0, 1]
    assert len({event["item"]["call_id"] for event in done}) == 2


@pytest.mark.proves("SIM-failures")
@pytest.mark.parametrize("code", FAILURES)
async def test_each_failure_code_ends_a_stream_or_is_its_first_event(
    client: httpx2.AsyncClient, login: Login, code: str
) -> None:
    late = events_of(await play(client, login, f"failed:{code}"))
    kind, message = FAILURES[code]
    assert late[-1]["type"] == "response.failed"
    assert late[-1]["response"]["error"] == {"code": code, "message": message}
    assert late[-1]["response"]["usage"] is None
    (first,) = events_of(await play(client, login, f"error:{code}"))
    error = {"type": kind, "code": code, "message": message, "param": None}
    assert first == {"type": "error", "error": error, "sequence_number": 0}
    (flat,) = events_of(await play(client, login, f"error_flat:{code}"))
    assert flat == {"type": "error", "code": code, "message": message, "param": None, "sequence_number": 0}


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
async def test_an_incomplete_turn_names_its_reason(client: httpx2.AsyncClient, login: Login, reason: str) -> None:
    script = {"steps": [{"text": "half"}], "finish": {"incomplete": reason}}
    last = events_of(await play(client, login, script))[-1]
    assert (last["type"], last["response"]["incomplete_details"]) == ("response.incomplete", {"reason": reason})


@pytest.mark.proves("SIM-completed-output")
@pytest.mark.parametrize(("mode", "shown"), [("empty", []), ("null", None), ("full", 1)])
async def test_the_terminal_event_shows_the_output_the_script_wants(
    client: httpx2.AsyncClient, login: Login, mode: str, shown: Any
) -> None:
    last = events_of(await play(client, login, {"text": "x", "completed_output": mode}))[-1]
    output = last["response"]["output"]
    assert (len(output) if shown == 1 else output) == shown


@pytest.mark.proves("SIM-framing")
@pytest.mark.parametrize(
    "pace", [{"crlf": True}, {"write": "byte"}, {"write": "split"}, {"write": "all"}, {"write": 7}], ids=str
)
async def test_framing_changes_the_bytes_and_not_the_text(
    client: httpx2.AsyncClient, login: Login, pace: dict[str, Any]
) -> None:
    stream = await play(client, login, {"text": "grüße, 世界, 🌍!", **pace})
    assert text_of(stream) == "grüße, 世界, 🌍!"
    assert (b"\r\n\r\n" in stream) == ("crlf" in pace)


@pytest.mark.proves("SIM-framing")
def test_split_writes_cut_every_wide_character() -> None:
    pieces = list(writes("aü🌍".encode(), "split"))
    assert pieces == [b"a\xc3", b"\xbc\xf0", b"\x9f\x8c\x8d"]


async def test_a_huge_event_comes_whole(client: httpx2.AsyncClient, login: Login) -> None:
    (item,) = items_of(await play(client, login, {"image": 5_000_000}))
    assert len(item["result"]) == 6_666_668


@pytest.mark.proves("SIM-noise")
async def test_noise_around_the_answer_is_sent(client: httpx2.AsyncClient, login: Login) -> None:
    stream = await play(client, login, "noisy")
    assert stream.count(b": keepalive\n\n") == 1
    strange = {event["type"] for event in events_of(stream)} & {
        "codex.rate_limits", "response.metadata", "codex.simulated_news"
    }  # fmt: skip
    assert len(strange) == 3
    numbered = [event["sequence_number"] for event in events_of(stream) if "sequence_number" in event]
    assert numbered == list(range(len(numbered)))


@pytest.mark.parametrize(("ids", "length"), [("short", 35), ("long", 399), ("none", None)])
async def test_item_ids_come_in_the_quirk_asked_for(
    client: httpx2.AsyncClient, login: Login, ids: str, length: int | None
) -> None:
    stream = await play(client, login, {"call": "f", "ids": ids})
    (done,) = [event for event in events_of(stream) if event["type"] == "response.output_item.done"]
    found = done["item"].get("id")
    assert (None if found is None else len(found)) == length


async def test_arguments_may_come_only_in_the_done_item(client: httpx2.AsyncClient, login: Login) -> None:
    kinds = [event["type"] for event in events_of(await play(client, login, "late_arguments"))]
    assert kinds[2:4] == ["response.output_item.added", "response.output_item.done"]


@pytest.mark.proves("SIM-built-in")
@pytest.mark.parametrize("name", [name for name in BUILT_IN if BUILT_IN[name].finish not in ("cut", "stall")])
async def test_each_built_in_script_answers_on_its_own(client: httpx2.AsyncClient, login: Login, name: str) -> None:
    answer = await client.post(CODEX, json=turn(), headers=headers_of(login, x_simulate=name))
    assert answer.status_code == (BUILT_IN[name].status or 200)
    assert answer.headers["x-simulated"] == "true"
