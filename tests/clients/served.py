"""The product as people run it: `codex-gateway serve` as a process, with a settings file and a simulated upstream."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.simulator import Call, Scenario, Simulator
from tests.clients.install import installed
from tests.clients.node import Node
from tests.clients.reading import Asked
from tests.live.stack import KEY, LIMITS, MODEL, DialectName, Mode, write_login
from tests.serving import serving

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60
"""Only a hung process meets it."""
PLAIN_MODEL = "gpt-4o"
"""Another name of MODEL: SDKs that know it send what they keep from reasoning models, such as a temperature."""
FOREIGN_MODEL = "qwen3-coder"
"""A model that no program knows anything of."""

Json = dict[str, Any]


@dataclass
class Served:
    """A gateway and its upstream, and the programs in front of it."""

    mode: Mode
    url: str
    sim: Simulator
    node: Node
    said: Said

    @property
    def client(self) -> Json:
        """What an SDK has to be told."""
        return {"baseURL": f"{self.url}/v1", "apiKey": KEY}

    def play(self, dialect: DialectName, *scripts: Any) -> None:
        """Scripts for the next upstream calls that requests of this dialect cause."""
        self.sim.queue(self.mode.route(dialect), *scripts)

    def sent(self, dialect: DialectName) -> list[Json]:
        """The bodies that the upstream got for requests of this dialect."""
        return [call.body for call in self.sim.calls(self.mode.route(dialect))]

    def asked(self, dialect: DialectName) -> list[Asked]:
        """The same, to be read alike whatever the upstream speaks."""
        return [Asked(body) for body in self.sent(dialect)]

    async def run(self, program: str, /, *, quiet: bool = True, **given: Any) -> Any:
        """Run a program that is given `client`. Raises ProgramError."""
        return await self.node.run(program, quiet=quiet, client=self.client, **given)

    async def refused(self, program: str, /, **given: Any) -> Json:
        """Run a program that must end in an error; what it can read of it."""
        return await self.node.refused(program, client=self.client, **given)

    async def logged(self, event: str, start: int) -> Json:
        """The first line of the log about an event, after so many lines; waits for it."""
        line: Json = json.loads(await self.said.until(f'"event":"{event}"', start))
        return line

    async def ended(self, call: Call) -> None:
        """Wait until the upstream has seen the end of this call."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await call.finished.wait()


def packages() -> Path:
    """Where the programs of npm are."""
    return installed(os.environ) / "node_modules"


@asynccontextmanager
async def served(mode: Mode, workdir: Path, node: Node) -> AsyncIterator[Served]:
    """A gateway for as long as the block lasts. Afterwards it ends with 0, having logged nothing unforeseen."""
    sim = Simulator(Scenario(models={FOREIGN_MODEL: {}}))
    async with serving(sim) as upstream_url:
        _configure(mode, workdir, upstream_url, sim)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "serve", "--workdir", str(workdir), "--listen", "127.0.0.1:0"),
            cwd=workdir,
            env={"PATH": os.environ["PATH"], "HOME": str(workdir), "PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        said = Said(process)
        try:
            yield Served(mode, await said.address(), sim, node, said)
        finally:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(PATIENCE_SECONDS):
                code = await process.wait()
                await said.complete
        assert code == 0, said.text
        assert "Traceback" not in said.text, said.text


class Said:
    """What a gateway says on standard error: read as it comes, so that it never waits for a reader."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        self._stderr = process.stderr
        self._more = asyncio.Event()
        self.lines: list[str] = []
        self.complete = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for line in self._stderr:
            self.lines.append(line.decode())
            self._more.set()
        self._more.set()

    @property
    def text(self) -> str:
        return "".join(self.lines)

    async def until(self, words: str, start: int = 0) -> str:
        """The first line that has these words; waits for it. `start`: how many lines are left out."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                self._more.clear()
                found = [line for line in self.lines[start:] if words in line]
                if found:
                    return found[0]
                assert not self.complete.done(), self.text
                await self._more.wait()

    async def address(self) -> str:
        """Where it listens, once it does."""
        await self.until("Try it")
        return (await self.until("listening on")).split()[-1]


def _configure(mode: Mode, workdir: Path, upstream_url: str, sim: Simulator) -> None:
    address = {"codex_base_url" if mode.codex else "base_url": upstream_url}
    settings = {
        "auth": {"downstream_api_key": KEY},
        "limits": {**LIMITS, "drain_seconds": 1},
        "logging": {"format": "json"},
        "oauth": {"token_endpoint": f"{upstream_url}/oauth/token"},
        "upstream": {**mode.upstream, **address, "aliases": {PLAIN_MODEL: MODEL}},
    }
    path = workdir / "config.yaml"
    path.write_text(json.dumps(settings), "utf-8")  # JSON is YAML
    path.chmod(0o600)
    if mode.codex:
        write_login(workdir, sim.issue_tokens())
