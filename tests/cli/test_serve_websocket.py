"""WebSockets and `codex-gateway serve` as a real process: its limits, and how it ends."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect

from gateway.simulator import Scenario, Simulator
from tests.cli.conftest import Cli, Process
from tests.serving import serving


async def until(connection: ClientConnection, kind: str) -> dict[str, Any]:
    """The next event of that type."""
    while True:
        event: dict[str, Any] = json.loads(await connection.recv())
        if event["type"] == kind:
            return event


@pytest.mark.proves("WS-stopping", "CLI-drain")
async def test_sigterm_lets_a_running_turn_end_and_closes_idle_connections(cli: Cli, processes: list[Process]) -> None:
    simulator = Simulator(Scenario(open=True))
    gate = simulator.gate("held")
    simulator.queue("openai.responses", {"text": ["first ", {"gate": "held"}, "last"]})
    async with serving(simulator) as upstream_url:
        cli.write(
            f"upstream: {{mode: openai_api, base_url: '{upstream_url}', api_key: sk-x}}\nlimits: {{body_bytes: 5000}}"
        )
        process = Process(cli, "serve", "--listen", "127.0.0.1:0")
        processes.append(process)
        url = (await asyncio.to_thread(process.base_url)).replace("http", "ws", 1) + "/v1/responses"
        async with connect(url, proxy=None) as busy, connect(url, proxy=None) as idle, connect(url, proxy=None) as big:
            await big.send("x" * 5001)
            await big.wait_closed()
            assert big.close_code == 1009
            for _ in range(2):
                await busy.send(json.dumps({"type": "response.create", "model": "gpt-5.5", "input": "hi"}))
            await until(busy, "response.output_text.delta")
            process.terminate()
            await idle.wait_closed()
            assert idle.close_code == 1012
            gate.set()
            done = await until(busy, "response.completed")
            assert done["response"]["output"][0]["content"][0]["text"] == "first last"
            assert (await until(busy, "error"))["error"]["code"] == "shutting_down"
            await busy.wait_closed()
            assert busy.close_code == 1012
    assert await asyncio.to_thread(process.exit_code) == 0
    assert len(simulator.calls("openai.responses")) == 1


@pytest.mark.proves("WS-stopping", "WS-stored")
async def test_a_turn_that_sigterm_cuts_off_is_found_by_the_next_process_as_it_was_told(
    cli: Cli, processes: list[Process]
) -> None:
    simulator = Simulator(Scenario(open=True))
    simulator.queue("openai.responses", "stall")
    async with serving(simulator) as upstream_url:
        upstream = f"{{mode: openai_api, base_url: '{upstream_url}', api_key: sk-x, state: gateway}}"
        cli.write(f"upstream: {upstream}\nlimits: {{drain_seconds: 0.1}}")
        process = Process(cli, "serve", "--listen", "127.0.0.1:0")
        processes.append(process)
        url = await asyncio.to_thread(process.base_url)
        async with connect(url.replace("http", "ws", 1) + "/v1/responses", proxy=None) as busy:
            await busy.send(json.dumps({"type": "response.create", "model": "gpt-5.5", "input": "hi"}))
            await until(busy, "response.output_text.delta")
            process.terminate()
            told = (await until(busy, "response.failed"))["response"]
            await busy.wait_closed()
            assert busy.close_code == 1012
        assert await asyncio.to_thread(process.exit_code) == 0
        again = Process(cli, "serve", "--listen", "127.0.0.1:0")
        processes.append(again)
        url = await asyncio.to_thread(again.base_url)
        async with httpx2.AsyncClient(base_url=url, trust_env=False) as client:
            kept = (await client.get(f"/v1/responses/{told['id']}")).json()
    assert (kept["status"], kept["error"]) == ("failed", told["error"])
    assert kept["error"]["code"] == "shutting_down"
    assert kept["output"] == told["output"] != []
