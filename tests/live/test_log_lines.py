"""The lines of real workers that are stopped in the middle of their work."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.clients.served import ROOT

ASKED = 200


@pytest.mark.proves("LOGS-kept")
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_that_are_stopped_have_written_the_lines_of_all_their_requests(workers: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway", "serve", "--demo", "--workers", str(workers)]
    with subprocess.Popen(
        [*command, "--workdir", str(tmp_path), "--listen", "127.0.0.1:0"],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": str(ROOT),
            "GATEWAY_LOGGING__OUTPUT": "file",
        },
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        address = next(found[0] for line in process.stderr if (found := re.search(r"http://127.0.0.1:\d+", line)))
        with httpx2.Client(base_url=address, trust_env=False) as client:
            ids = [
                client.get("/livez", headers={"x-request-id": f"id-{n}"}).headers["x-request-id"] for n in range(ASKED)
            ]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    lines = map(json.loads, (tmp_path / "logs" / "codex-gateway.log").read_text().splitlines())
    assert [line["request_id"] for line in lines if line["event"] == "request"] == ids


KILLED = """
import asyncio, os
from gateway.app import create_app
from gateway.logs import get_logger
messages = iter(["lifespan.startup", "lifespan.shutdown"])
sent = []
async def receive():
    return {"type": next(messages)}
async def send(message):
    sent.append(message["type"])
async def main():
    await create_app()({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    for number in range(20):
        get_logger("late").info("here", number=number)
    os.kill(os.getpid(), 15)
asyncio.run(main())
"""


@pytest.mark.proves("LOGS-kept")
def test_a_worker_that_dies_of_its_signal_after_the_shutdown_has_written_every_line(tmp_path: Path) -> None:
    environment = {"CODEX_GATEWAY_HOME": str(tmp_path), "GATEWAY_LOGGING__OUTPUT": "file", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", KILLED], env=environment, cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == -signal.SIGTERM
    lines = map(json.loads, (tmp_path / "logs" / "codex-gateway.log").read_text().splitlines())
    assert [line["number"] for line in lines if line["logger"] == "late"] == list(range(20))
