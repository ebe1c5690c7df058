"""The product as several processes on one store: started on free ports, killed by their ids, and what they leave."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from gateway.simulator import Simulator
from tests.clients.served import ROOT, Said
from tests.live.stack import CODEX, KEY, LIMITS, MODEL, write_login
from tests.serving import serving
from tests.store.postgres import Server

PATIENCE_SECONDS = 30
"""Only a hung process meets it."""

ROUTE = "codex.responses"

LEASES_OVER = (
    "UPDATE responses SET lease = 0 WHERE completed IS NULL",
    "UPDATE conversations SET lock_until = 0 WHERE lock_token IS NOT NULL",
)
"""What the clock does within 15 seconds after a process has died."""

Json = dict[str, Any]


@dataclass(eq=False)
class Node:
    """One process, and a client in front of it."""

    process: asyncio.subprocess.Process
    said: Said
    url: str
    http: httpx2.AsyncClient

    async def post(self, path: str, body: Json, key: str = "") -> httpx2.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.http.post(path, json={"model": MODEL, **body}, headers=headers)

    async def get(self, path: str, **query: Any) -> httpx2.Response:
        return await self.http.get(path, params=query)

    async def response(self, name: str) -> Json:
        """A response as it stands now."""
        found = await self.get(f"/v1/responses/{name}")
        assert found.status_code == 200, found.text
        document: Json = found.json()
        return document

    async def replay(self, name: str) -> bytes:
        """The whole stream of a response, up to its end."""
        found = await self.get(f"/v1/responses/{name}", stream="true")
        assert found.status_code == 200, found.text
        return found.content

    async def kill(self) -> None:
        self.process.kill()
        await self._gone()

    async def stop(self) -> int:
        """Ask it to end, and wait for that; its exit code."""
        if self.process.returncode is None:
            self.process.terminate()
        return await self._gone()

    async def _gone(self) -> int:
        async with asyncio.timeout(PATIENCE_SECONDS):
            code = await self.process.wait()
            await self.said.complete
        # Or the transport is closed by the collector, in a loop that is gone.
        self.process._transport.close()  # type: ignore[attr-defined]
        return code


@dataclass
class Place:
    """A work directory, its store, and an upstream."""

    workdir: Path
    sim: Simulator
    sql: Callable[[str], None]
    """Run a statement on the store, as somebody outside of every process."""
    nodes: list[Node] = field(default_factory=list)
    """The processes that all tests share."""

    @asynccontextmanager
    async def node(self) -> AsyncIterator[Node]:
        """A process as long as the block lasts. One that nobody killed ends with 0; none logs anything unforeseen."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "serve", "--workdir", str(self.workdir), "--listen", "127.0.0.1:0"),
            cwd=self.workdir,
            env={"PATH": os.environ["PATH"], "HOME": str(self.workdir), "PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        node = None
        try:
            said = Said(process)
            url = await said.address()
            headers = {"authorization": f"Bearer {KEY}"}
            async with httpx2.AsyncClient(
                base_url=url, headers=headers, timeout=PATIENCE_SECONDS, trust_env=False
            ) as http:
                node = Node(process, said, url, http)
                yield node
        finally:
            if node is None:
                process.kill()
                await process.wait()
            elif process.returncode is None:
                code = await node.stop()
                assert code == 0, said.text
        assert "Traceback" not in said.text, said.text

    def bury(self) -> None:
        """Let the leases of the dead be over. Nobody who lives may run anything."""
        for statement in LEASES_OVER:
            self.sql(statement)

    def play(self, *scripts: Any) -> None:
        self.sim.queue(ROUTE, *scripts)

    @property
    def runs(self) -> int:
        """How often the upstream was asked to run a model."""
        return self.sim.counters[ROUTE]


@asynccontextmanager
async def place(workdir: Path, *, count: int, server: Server | None = None, **limits: Any) -> AsyncIterator[Place]:
    """So many processes in one place. `server`: its database `postgres` is the store; else a file is."""
    sim = Simulator()

    def sql(statement: str) -> None:
        if server is not None:
            server.sql(statement)
            return
        connection = sqlite3.connect(workdir / "gateway.db", timeout=PATIENCE_SECONDS)
        with connection:
            connection.execute(statement)
        connection.close()

    async with AsyncExitStack() as stack:
        upstream_url = await stack.enter_async_context(serving(sim))
        settings = {
            "auth": {"downstream_api_key": KEY},
            "limits": {**LIMITS, "drain_seconds": 1, **limits},
            "logging": {"format": "json"},
            "oauth": {"token_endpoint": f"{upstream_url}/oauth/token"},
            "store": {"url": "" if server is None else server.url("postgres")},
            "upstream": {**CODEX.upstream, "codex_base_url": upstream_url},
        }
        path = workdir / "config.yaml"
        path.write_text(json.dumps(settings), "utf-8")  # JSON is YAML
        path.chmod(0o600)
        write_login(workdir, sim.issue_tokens())
        found = Place(workdir, sim, sql)
        # The first makes the tables.
        for _ in range(count):
            found.nodes.append(await stack.enter_async_context(found.node()))
        yield found


async def blocks(answer: httpx2.Response) -> AsyncIterator[bytes]:
    """The events of a stream, one at a time; comments and the end mark are none."""
    rest = b""
    async for chunk in answer.aiter_raw():
        *whole, rest = (rest + chunk).split(b"\n\n")
        for block in whole:
            if not block.startswith(b":") and block != b"data: [DONE]":
                yield block + b"\n\n"


def number(block: bytes) -> int:
    """The sequence number of an event."""
    found: int = json.loads(block.partition(b"data: ")[2])["sequence_number"]
    return found


def name_in(stream: bytes) -> str:
    """The id of the response that the first event of a stream tells of."""
    first = stream.partition(b"\n\n")[0]
    found: str = json.loads(first.partition(b"data: ")[2])["response"]["id"]
    return found
