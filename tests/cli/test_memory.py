"""What large bodies cost a running gateway. Linux tells the memory of a process; elsewhere there is nothing to run."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx2
import pytest

from gateway.simulator import Simulator
from tests.cli.conftest import Cli, Process
from tests.serving import serving

MEBIBYTE = 1 << 20
LARGE = 200 * MEBIBYTE
MOST_MORE = 30 * MEBIBYTE
"""What was promised; 1 MiB up and 8 MiB down were measured."""

HEAD = (
    b'--b0\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
    b'--b0\r\nContent-Disposition: form-data; name="model"\r\n\r\nupstream/none\r\n'
    b'--b0\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\n\r\n'
)
TAIL = b"\r\n--b0--\r\n"


def memory(pid: int, name: str) -> int:
    """A figure of /proc/PID/status in bytes: `VmRSS` is held now, `VmHWM` the most that was ever held."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


async def form(size: int) -> AsyncIterator[bytes]:
    yield HEAD
    for _ in range(size // MEBIBYTE):
        yield bytes(MEBIBYTE)
    yield TAIL


async def up(client: httpx2.AsyncClient, size: int) -> None:
    headers = {
        "content-type": "multipart/form-data; boundary=b0",
        "content-length": str(len(HEAD) + size + len(TAIL)),
    }
    answer = await client.post("/v1/files", content=form(size), headers=headers)
    assert (answer.status_code, answer.json()["bytes"]) == (200, size)


async def down(client: httpx2.AsyncClient, size: int) -> None:
    async with client.stream("GET", f"/v1/files/file-made-{size}/content") as answer:
        assert sum([len(piece) async for piece in answer.aiter_raw()]) == size


if sys.platform == "linux":

    @pytest.mark.proves("PASS-memory")
    @pytest.mark.parametrize("way", [up, down], ids=["up", "down"])
    async def test_two_hundred_megabytes_pass_through_a_little_memory(
        cli: Cli, processes: list[Process], way: Callable[[httpx2.AsyncClient, int], Awaitable[None]]
    ) -> None:
        async with asyncio.timeout(60), serving(Simulator()) as upstream:
            cli.write(
                f"server: {{listen: '127.0.0.1:0'}}\n"
                f"upstream: {{mode: openai_api, base_url: {upstream}, api_key: sk-simulated, passthrough: [files]}}\n"
            )
            gateway = Process(cli, "serve")
            processes.append(gateway)
            url = await asyncio.to_thread(gateway.base_url)
            async with httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
                await way(client, 2 * MEBIBYTE)  # code and pools are loaded by the first request, however small
                before = memory(gateway.pid, "VmRSS")
                await way(client, LARGE)
                more = memory(gateway.pid, "VmHWM") - before
        assert more < MOST_MORE
