"""Scenario files: what they may say, and how their mistakes are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.simulator import Scenario, ScenarioError, Script, Simulator
from tests.serving import serving
from tests.simulator.asking import CODEX, KEY, headers_of, text_of, turn


@pytest.mark.proves("SIM-scenario-errors")
@pytest.mark.parametrize(
    ("document", "path"),
    [
        pytest.param([], "", id="not an object"),
        pytest.param({"opne": True}, "opne", id="unknown setting"),
        pytest.param({"concurrency": "two"}, "concurrency", id="wrong type"),
        pytest.param({"concurrency": True}, "concurrency", id="true is no number"),
        pytest.param({"limits": "weekly"}, "limits", id="unknown limits"),
        pytest.param({"completed_output": "some"}, "completed_output", id="unknown output mode"),
        pytest.param({"routes": {"codex.response": "cut"}}, "routes.codex.response", id="unknown route"),
        pytest.param({"routes": {"token": ["no_such"]}}, "routes.token.queue[0]", id="unknown script name"),
        pytest.param({"routes": {"token": {"queue": 1}}}, "routes.token.queue", id="queue is no list"),
        pytest.param({"scripts": {"a": {"stauts": 1}}}, "scripts.a.stauts", id="unknown script key"),
        pytest.param({"scripts": {"a": [{"txt": "x"}]}}, "scripts.a.steps[0].txt", id="unknown step"),
        pytest.param({"scripts": {"a": [{"text": ["x", {"wat": 1}]}]}}, "scripts.a.steps[0].text[1].wat", id="in text"),
        pytest.param({"scripts": {"a": [{"text": "x", "y": 1}]}}, "scripts.a.steps[0].y", id="unknown step key"),
        pytest.param({"scripts": {"a": [{"wait": "x"}]}}, "scripts.a.steps[0].wait", id="wait is no number"),
        pytest.param({"scripts": {"a": {"finish": "done"}}}, "scripts.a.finish", id="unknown finish"),
        pytest.param({"scripts": {"a": {"write": "slow"}}}, "scripts.a.write", id="unknown write mode"),
    ],
)
def test_a_mistake_is_named_by_its_path(document: Any, path: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(document)
    assert caught.value.path == path
    assert str(caught.value).startswith(path or "the scenario ")


@pytest.mark.proves("SIM-scenario-errors")
def test_every_mistake_is_named() -> None:
    document = {
        "opne": True,
        "concurrency": "two",
        "api_keys": [5],
        "scripts": {"good": {"text": "x"}, "bad": {"stauts": 1, "ids": "odd", "steps": [{"txt": 1}, {"wait": "x"}]}},
        "routes": {"token": ["no_such", "good", {"write": 0}], "openai.chat": "bad", "nowhere": None},
    }
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(document)
    assert [mistake.partition(": ")[0] for mistake in caught.value.mistakes] == [
        "opne",
        "api_keys[0]",
        "concurrency",
        "scripts.bad.stauts",
        "scripts.bad.ids",
        "scripts.bad.steps[0].txt",
        "scripts.bad.steps[1].wait",
        "routes.nowhere",
        "routes.token.queue[0]",
        "routes.token.queue[2].write",
    ]
    assert str(caught.value) == "\n".join(caught.value.mistakes)


def test_a_near_miss_names_the_right_word() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'usage_limit_reached'"):
        Scenario.parse({"routes": {"codex.responses": "usage_limit_reach"}})


@pytest.mark.proves("SIM-scenario-file")
@pytest.mark.parametrize(
    "text",
    [
        "open: true\nroutes:\n  token: [server_error, null]\n",
        '{"open": true, "routes": {"token": ["server_error", null]}}',
    ],
    ids=["yaml", "json"],
)
def test_a_file_is_yaml_or_json(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scenario"
    path.write_text(text)
    expected = Scenario.parse({"open": True, "routes": {"token": {"queue": ["server_error", None]}}})
    assert Scenario.load(path) == expected


def test_a_file_that_is_neither_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scenario"
    path.write_text("open: true\na: [")
    with pytest.raises(ScenarioError) as caught:
        Scenario.load(path)
    assert caught.value.mistakes == (
        "the scenario is neither JSON nor YAML: expected the node content, but found '<stream end>', line 2",
    )


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scenario"
    path.write_bytes(b"a: \xff")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        Scenario.load(path)


def test_a_single_step_is_a_script() -> None:
    assert Script.parse({"text": "x", "phase": "commentary", "crlf": True}) == Script(
        steps=[{"text": "x", "phase": "commentary"}], crlf=True
    )


@pytest.mark.proves("SIM-steering")
async def test_the_header_goes_before_the_tests_queue_and_that_before_the_scenario(
    sim: Simulator, client: httpx2.AsyncClient, login: dict[str, Any]
) -> None:
    sim.scenario = Scenario.parse(
        {
            "scripts": {"named": {"text": "named"}},
            "routes": {"codex.responses": {"queue": [{"text": "first"}, None], "default": {"text": "default"}}},
        }
    )
    sim.queue("codex.responses", {"text": "queued"})

    async def said(**headers: str) -> str:
        return text_of((await client.post(CODEX, json=turn(), headers=headers_of(login, **headers))).content)

    assert sim.leftover == {"codex.responses": 3}
    heard = [await said(x_simulate="named"), *[await said() for _ in range(5)], await said(x_simulate='{"text":"j"}')]
    assert heard == ["named", "queued", "first", "(simulated) You said: Hello", "default", "default", "j"]
    assert sim.leftover == {}
    sim.scenario = sim.scenario
    assert await said() == "first"


@pytest.mark.proves("SIM-reset")
async def test_a_reset_begins_anew_but_keeps_what_was_given_out(
    client: httpx2.AsyncClient, sim: Simulator, login: dict[str, Any]
) -> None:
    async def said() -> str:
        return text_of((await client.post(CODEX, json=turn(), headers=headers_of(login))).content)

    sim.queue("codex.responses", None)
    sim.gate("pause").set()
    await said()
    await client.post("/oauth/token", json={"grant_type": "refresh_token"})
    sim.scenario = Scenario.parse({"routes": {"codex.responses": [{"text": "first"}, {"text": "second"}]}})
    assert await said() == "first"
    sim.queue("codex.responses", "cut")
    await sim.until(lambda: sim.open_streams == 0)
    sim.reset()
    assert (sim.leftover, sim.log, sim.counters, sim.refresh_count, sim.peak_streams) == ({}, [], {}, 0, 0)
    assert (sim.scenario, sim.gate("pause").is_set()) == (Scenario(), False)
    assert await said() == "(simulated) You said: Hello"


@pytest.mark.proves("SIM-reset")
async def test_a_reset_returns_to_the_first_place_of_the_first_scenario() -> None:
    first = Scenario.parse({"open": True, "routes": {"openai.models": ["burst", None]}})
    sim = Simulator(first)
    async with serving(sim) as url, httpx2.AsyncClient(base_url=url, verify=False) as client:
        statuses = []
        for _ in range(2):
            statuses.append((await client.get("/v1/models", headers=KEY)).status_code)
            sim.reset()
    assert (statuses, sim.scenario) == ([429, 429], first)


async def test_a_script_builds_on_the_one_it_uses(sim: Simulator, client: httpx2.AsyncClient) -> None:
    sim.queue("openai.chat", {"use": "retry_after", "headers": {"x-more": "1"}})
    body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "x"}]}
    answer = await client.post("/v1/chat/completions", json=body, headers=KEY)
    assert (answer.status_code, answer.headers["retry-after"], answer.headers["x-more"]) == (429, "2", "1")


@pytest.mark.parametrize("steering", ["no_such_script", "{broken", '{"stauts": 1}'])
async def test_steering_that_cannot_be_read_is_a_400(client: httpx2.AsyncClient, steering: str) -> None:
    answer = await client.get("/v1/models", headers={**KEY, "x-simulate": steering})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "simulator_error")


def test_queueing_for_an_unknown_route_is_an_error(sim: Simulator) -> None:
    with pytest.raises(ScenarioError):
        sim.queue("codex.response", "cut")
