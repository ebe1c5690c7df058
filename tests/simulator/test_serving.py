"""The helper that runs ASGI apps on sockets for all tests, and the simulator's own server."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.simulator import Simulator
from gateway.simulator.inprocess import InProcess
from tests.serving import serving
from tests.simulator.asking import CODEX, KEY, headers_of, text_of, turn


async def test_several_apps_are_served_at_once_each_at_its_own_address() -> None:
    first, second = Simulator(), Simulator()
    async with serving(first) as one, serving(second) as two, httpx2.AsyncClient() as client:
        await client.get(f"{one}/v1/models", headers=KEY)
        await client.get(f"{two}/codex/device")
    assert [[call.path for call in sim.log] for sim in (first, second)] == [["/v1/models"], ["/codex/device"]]


async def test_leaving_ends_a_request_that_never_would() -> None:
    sim = Simulator()
    sim.queue("codex.responses", "stall")
    async with httpx2.AsyncClient() as client:
        async with serving(sim) as url:
            request = client.build_request("POST", url + CODEX, json=turn(), headers=headers_of(sim.issue_tokens()))
            answer = await client.send(request, stream=True)
        await answer.aclose()
    assert sim.log[0].closed_early


async def test_an_app_that_fails_to_start_is_an_error() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with pytest.raises(RuntimeError):
        async with serving(broken):
            pass


@pytest.mark.proves("SIM-in-process")
async def test_an_app_is_served_inside_the_running_loop() -> None:
    sim = Simulator()
    async with InProcess(sim) as server, httpx2.AsyncClient(base_url=server.base_url, verify=False) as client:
        answer = await client.post(CODEX, json=turn(), headers=headers_of(sim.issue_tokens()))
    assert text_of(answer.content) == "(simulated) You said: Hello"
    assert server.base_url.startswith("http://127.0.0.1:")


@pytest.mark.proves("SIM-in-process")
async def test_leaving_ends_open_requests_and_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    sim = Simulator()
    sim.queue("codex.responses", "stall")
    before = asyncio.all_tasks()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        async with httpx2.AsyncClient(verify=False) as client:
            async with InProcess(sim) as server:
                url = server.base_url + CODEX
                request = client.build_request("POST", url, json=turn(), headers=headers_of(sim.issue_tokens()))
                answer = await client.send(request, stream=True)
            with pytest.raises(httpx2.TransportError):
                await answer.aread()
        del server
        gc.collect()
    assert (sim.log[0].closed_early, sim.open_streams) == (True, 0)
    assert asyncio.all_tasks() == before
    assert [str(warning.message) for warning in warned] == []
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.proves("SIM-serve")
def test_serve_prints_one_line_with_its_address_and_how_to_use_it(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("api_keys: [sk-mine]\n")
    command = f"from gateway.simulator import serve; serve('127.0.0.1:0', {str(scenario)!r})"
    with subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.split("base_url ")[1].split(",")[0]
        answer = httpx2.get(f"{url}/models", headers={"authorization": "Bearer sk-mine"})
        os.kill(process.pid, signal.SIGINT)
        process.communicate()
    assert (answer.status_code, answer.headers["x-simulated"]) == (200, "true")
    assert "upstream.codex_base_url " + url.removesuffix("/v1") in line
