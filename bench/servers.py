"""The processes of `make bench`: started as children in a directory of their own, read in /proc, ended by their id.

Units: seconds of CPU, MiB of resident memory, both of all processes of a server. Linux only.
"""
# ruff: noqa: S603 - starts programs whose arguments are made here

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.places import Place

_REPOSITORY = Path(__file__).resolve().parent.parent


class ServerFailed(Exception):
    """A server did not come up, or answered something else than it should."""


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A running server. `prefixed`: places are told by the path; else by the model in the body."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    prefixed: bool = True
    tls_port: int = 0
    ready_seconds: float = 0.0

    def address(self, *, tls: bool = False) -> str:
        return f"https://127.0.0.1:{self.tls_port}" if tls else f"http://127.0.0.1:{self.port}"

    def path(self, place: Place, route: str) -> str:
        return f"/{place.name}{route}" if self.prefixed else route

    def cpu(self) -> float:
        """User and system time so far, of this process and those below it."""
        return sum(time.clock_gettime(_cpu_clock(pid)) for pid in _family(self.process.pid))

    def resident(self) -> float:
        """Pages shared between processes are counted in each, as `ps` does."""
        return sum(_resident(pid) for pid in _family(self.process.pid)) / 1024

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += _family(int(child))
    return found


def _cpu_clock(pid: int) -> int:
    """The clock of another process's CPU time, which counts nanoseconds; /proc/PID/stat has hundredths of a second.
    The number is what clock_getcpuclockid(3) makes."""
    return (~pid << 3) | 2


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def start(
    name: str,
    command: list[str],
    directory: Path,
    port: int,
    *,
    ready: str = "/readyz",
    environment: dict[str, str] | None = None,
) -> Server:
    """Start it and wait until `ready` answers 200, for 30 s at most."""
    variables = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("GATEWAY_") and not key.endswith("_API_KEY")
    }
    begun = time.perf_counter()
    with (directory / f"{name}.out").open("ab") as output:
        process = subprocess.Popen(
            command, cwd=_REPOSITORY, env={**variables, **(environment or {})}, stdout=output, stderr=output
        )
    server = Server(name, process, port)
    try:
        _wait(server, ready, begun, directory / f"{name}.out")
    except BaseException:
        server.stop()
        raise
    server.ready_seconds = time.perf_counter() - begun
    return server


def _wait(server: Server, ready: str, begun: float, output: Path) -> None:
    while not _answers(server, ready):
        if server.process.poll() is not None or time.perf_counter() - begun > 30:
            raise ServerFailed(f"{server.name} did not start:\n{output.read_text()[-2000:]}")
        time.sleep(0.002)


def _answers(server: Server, path: str) -> bool:
    try:
        return server.get(path)[0] == 200
    except OSError:
        return False
