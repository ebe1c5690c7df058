"""The processes of `make bench`: started as children in a directory of their own, read in /proc, ended by their id.

Units: seconds of CPU, MiB of resident memory, both of all processes of a server. Linux only.
"""
# ruff: noqa: S603 - starts programs whose arguments are made here

from __future__ import annotations

import getpass
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.answers import KEY, PACED, PLACES

_TICKS = os.sysconf("SC_CLK_TCK")
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
    prefixed: bool
    ready_seconds: float = 0.0

    def url(self, place: str, route: str) -> str:
        return f"http://127.0.0.1:{self.port}{f'/{place}' if self.prefixed else ''}{route}"

    def cpu(self) -> float:
        """User and system time so far, to 10 ms a process."""
        return sum(_ticks(pid) for pid in _family(self.process.pid)) / _TICKS

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


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += _family(int(child))
    return found


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def start(name: str, command: list[str], directory: Path, port: int, *, prefixed: bool, **environment: str) -> Server:
    """Start it and wait until `/readyz` answers 200, for 30 s at most."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_") and not k.endswith("_API_KEY")}
    begun = time.perf_counter()
    with (directory / f"{name}.out").open("ab") as output:
        process = subprocess.Popen(
            command, cwd=_REPOSITORY, env={**variables, **environment}, stdout=output, stderr=output
        )
    server = Server(name, process, port, prefixed)
    while not _ready(port):
        if process.poll() is not None or time.perf_counter() - begun > 30:
            server.stop()
            raise ServerFailed(f"{name} did not start:\n{(directory / f'{name}.out').read_text()[-2000:]}")
        time.sleep(0.002)
    server.ready_seconds = time.perf_counter() - begun
    return server


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


_NGINX = """
{user}
worker_processes 1; worker_rlimit_nofile 8192; pid {directory}/nginx.pid; error_log {directory}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; etag off; sendfile on; keepalive_timeout 600s; keepalive_requests 1000000000;
  client_max_body_size 0; client_body_buffer_size 2m; open_file_cache max=100;
  client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
  uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
  {upstream}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location = /readyz {{ return 200 "ok"; }}
    {locations}
  }}
}}
"""
_RELAY = "proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection '';"


def _nginx(name: str, directory: Path, upstream: str, locations: str) -> Server:
    directory.mkdir(exist_ok=True)
    port = free_port()
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    text = _NGINX.format(user=user, directory=directory, port=port, upstream=upstream, locations=locations)
    configuration = directory / "nginx.conf"
    configuration.write_text(text)
    command = ["nginx", "-p", str(directory), "-c", str(configuration), "-g", "daemon off;"]
    return start(name, command, directory, port, prefixed=True)


def start_paced(directory: Path) -> Server:
    """`bench/paced.py`."""
    port = free_port()
    return start("paced", [sys.executable, "-m", "bench.paced", str(port)], directory, port, prefixed=True)


def start_upstream(directory: Path, root: Path, paced: Server) -> Server:
    """nginx with the answers as static files, and before the paced server; a POST of a file gets what a GET would."""
    files = (
        f"location /{place}/ {{ root {root}; default_type {kind}; error_page 405 =200 $uri; }}"
        for place, (_route, kind) in PLACES.items()
        if place not in PACED
    )
    streams = (f"location /{place}/ {{ {_RELAY} proxy_buffering off; }}" for place in PACED)
    return _nginx("upstream", directory, _up(paced), "\n".join([*files, *streams]))


def _up(server: Server) -> str:
    return f"upstream up {{ server 127.0.0.1:{server.port}; keepalive 1024; keepalive_requests 1000000000; }}"


def start_nginx(directory: Path, upstream: Server) -> Server:
    """The yardstick: one worker, connections to the upstream kept, streams passed on unbuffered, no log."""
    streams = (f"location /{place}/ {{ {_RELAY} proxy_buffering off; }}" for place in ("burst200", *PACED))
    return _nginx("nginx", directory, _up(upstream), "\n".join([f"location / {{ {_RELAY} }}", *streams]))


def start_plain(directory: Path, upstream: Server) -> Server:
    """`bench/plain.py` under uvicorn with its defaults."""
    directory.mkdir(exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.plain:app", "--port", str(port)]
    address = f"http://127.0.0.1:{upstream.port}"
    return start("plain", command, directory, port, prefixed=True, BENCH_UPSTREAM=address)


def start_gateway(directory: Path, upstream: Server) -> Server:
    """The gateway with everything on: key, log lines to a file, metrics, usage rows and kept responses."""
    directory.mkdir(exist_ok=True)
    port = free_port()
    providers = {place: _provider(place, route, upstream) for place, (route, _kind) in PLACES.items()}
    settings: dict[str, Any] = {
        "server": {"listen": f"127.0.0.1:{port}"},
        "auth": {"downstream_api_key": KEY},
        "logging": {"output": "file", "format": "json"},
        "upstream": providers.pop("json"),
        "providers": providers,
    }
    path = directory / "config.yaml"  # JSON is YAML
    path.write_text(json.dumps(settings, indent=1))
    path.chmod(0o600)
    command = [sys.executable, "-m", "gateway", "serve", "--workdir", str(directory)]
    return start("gateway", command, directory, port, prefixed=False)


def _provider(place: str, route: str, upstream: Server) -> dict[str, Any]:
    return {
        "mode": "openai_api",
        "base_url": f"http://127.0.0.1:{upstream.port}/{place}/v1",
        "api_key": "sk-upstream",
        "dialects": ["responses" if route.endswith("/responses") else "chat"],
        "server": "generic",
        "models": [place],
    }
