"""The Codex CLI against a gateway: `codex exec` with a settings file of its own, as people set up another provider."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

from tests.clients.install import node
from tests.clients.served import Json, packages
from tests.live.stack import KEY

PATIENCE_SECONDS = 90
"""Only a hung program meets it."""

_CONFIG = """\
model_provider = "gateway"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[model_providers.gateway]
name = "codex-gateway"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "GATEWAY_KEY"
supports_websockets = {websockets}
request_max_retries = {retries}
stream_max_retries = {retries}
stream_idle_timeout_ms = 30000

[analytics]
enabled = false
"""


@dataclass(frozen=True)
class Run:
    """What one run said: its JSON events, its exit code, and the rest."""

    code: int
    events: list[Json]
    noise: str

    @property
    def items(self) -> list[Json]:
        """The finished items, in order."""
        return [event["item"] for event in self.events if event["type"] == "item.completed"]

    @property
    def answer(self) -> str:
        """The last message."""
        return str([item["text"] for item in self.items if item["type"] == "agent_message"][-1])

    @property
    def usage(self) -> Json:
        usage: Json = next(event["usage"] for event in self.events if event["type"] == "turn.completed")
        return usage

    @property
    def errors(self) -> list[str]:
        """What it told of failures, those it got over included."""
        return [event["message"] for event in self.events if event["type"] == "error"]


class Codex:
    """The program with a home and a working directory of its own."""

    def __init__(
        self, directory: Path, url: str, *, websockets: bool = False, retries: int = 1, more: str = ""
    ) -> None:
        """`more`: further lines of its settings file."""
        self._home = directory / "home"
        self.workspace = directory / "workspace"
        for made in (self._home, self.workspace):
            made.mkdir()
        config = _CONFIG.format(url=url, websockets=str(websockets).lower(), retries=retries)
        (self._home / "config.toml").write_text(f"{config}\n{more}", "utf-8")

    async def exec(self, *arguments: str, model: str, interrupt: Awaitable[object] | None = None) -> Run:
        """`codex exec` to its end; `interrupt`: after this somebody presses Ctrl-C."""
        process = await asyncio.create_subprocess_exec(
            node(),
            *(str(packages() / "@openai" / "codex" / "bin" / "codex.js"), "exec", "--json", "--skip-git-repo-check"),
            *("--model", model, *arguments),
            cwd=self.workspace,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self._home),
                "CODEX_HOME": str(self._home),
                "GATEWAY_KEY": KEY,
                # It reaches the gateway and nothing else: port 9 of this machine discards whatever knocks.
                "HTTPS_PROXY": "http://127.0.0.1:9",
                "NO_PROXY": "127.0.0.1",
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if interrupt is not None:
                    await interrupt
                    process.send_signal(signal.SIGINT)
                said, noise = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        events = [json.loads(line) for line in said.decode().splitlines()]
        assert process.returncode is not None
        return Run(process.returncode, events, noise.decode())
