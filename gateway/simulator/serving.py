"""Runs the simulator on a socket, for people who point their own programs at it."""

from __future__ import annotations

import socket
import sys

import uvicorn

from gateway.simulator.app import Simulator
from gateway.simulator.scenario import Scenario

# "Every interface" is where to listen, and nothing that a client can connect to everywhere.
_REACHED = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def serve(listen: str = "127.0.0.1:9090", scenario_path: str | None = None) -> None:
    """Serve until interrupted; prints one line that says where and how to use it.

    `listen` is HOST:PORT. Raises ScenarioError for a scenario that cannot be used, ValueError for an
    address of another form, OSError for one that is taken or a file that cannot be read.
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"listen must be HOST:PORT, is {listen!r}")
    scenario = Scenario.load(scenario_path) if scenario_path else Scenario()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    run(scenario, host.strip("[]"), [socket.create_server((host.strip("[]"), int(port)), family=family)])


def run(scenario: Scenario, host: str, listeners: list[socket.socket]) -> None:
    """Serve a scenario on sockets that listen already at `host`, until interrupted; prints the same line."""
    reached = _REACHED.get(host, host)
    name = f"[{reached}]" if ":" in reached else reached
    address = f"http://{name}:{listeners[0].getsockname()[1]}"
    key = "any key" if scenario.open else ", ".join(scenario.api_keys)
    sys.stdout.write(
        f"Simulator (offline, answers are simulated) at {address} - SDK: base_url {address}/v1, key {key}; "
        f"gateway: oauth endpoints {address}/oauth/authorize and /oauth/token, "
        f"upstream.codex_base_url {address}\n"
    )
    sys.stdout.flush()
    config = uvicorn.Config(Simulator(scenario, keep=100), log_level="warning", ws="none")
    uvicorn.Server(config).run(sockets=listeners)
