"""What the gateway costs beside nginx and a plain Python proxy: `make bench`, or `python -m bench.run --only json`.

One nginx answers for the model servers, wrk asks, and three proxies stand between them in turn. Counted is what the
proxy's processes use of the CPU, per finished request. Every round measures every kind of work at every proxy, so that
a busy machine is busy for all; the ratios are made within a round. What the numbers mean: docs/performance.md.
"""
# ruff: noqa: T201, S603 - a program for a terminal that runs wrk from the path

from __future__ import annotations

import argparse
import http.client
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench import answers, servers
from bench.servers import Server, ServerFailed

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
ALL = ("nginx", "gateway", "plain")
SETTLE_SECONDS = 0.3
"""After the load: the usage rows are written within 0.1 s, and count."""

_LOAD = """
function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. args[2]
  local file = io.open(args[1], "rb")
  wrk.body = file:read("*a")
  file:close()
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("\\nBENCH %d %d %d\\n", summary.requests, e.status, e.connect + e.read + e.write + e.timeout))
end
"""


@dataclass(frozen=True)
class Case:
    """A kind of work. `end`: bytes that a whole answer has in it; `proxies`: those that can do it.

    `paced`: counted by the deltas that the paced upstream wrote, not by requests.
    """

    key: str
    name: str
    place: str
    route: str
    body: bytes
    end: bytes
    connections: int = 16
    proxies: tuple[str, ...] = ALL
    paced: bool = False


def cases() -> list[Case]:
    """Every kind of work, in the order of the table."""
    chat, end = answers.chat_request, b'"finish_reason":"stop"'
    alone = ("gateway",)
    return [
        Case("json", "JSON passed on, 16 connections", "json", CHAT, chat("json"), end),
        Case(
            "json1000", "JSON passed on, 1,000 connections", "json", CHAT, chat("json"), end, 1000, ("nginx", "gateway")
        ),
        Case("body", "request body of 1 MB", "json", CHAT, chat("json", size=1_000_000), end),
        Case("burst", "stream of 200 deltas passed on", "burst200", CHAT, chat("burst200", stream=True), b"[DONE]"),
        *(
            Case(
                f"inner{n}",
                f"stream of {n:,} deltas, Responses → chat",
                f"inner{n}",
                CHAT,
                chat(f"inner{n}", stream=True),
                b"[DONE]",
                proxies=alone,
            )
            for n in (200, 2000)
        ),
        *(
            Case(
                place,
                f"paced, a delta each 20 ms, 50 streams{name}",
                place,
                CHAT,
                chat(place, stream=True),
                b"[DONE]",
                50,
                proxies,
                paced=True,
            )
            for place, name, proxies in (("paced", "", ALL), ("pacedinner", ", Responses → chat", alone))
        ),
        *(
            Case(
                key,
                f"JSON, chat → Responses, {name}",
                "kept",
                RESPONSES,
                answers.responses_request("kept", store=store),
                b'"completed"',
                proxies=alone,
            )
            for key, name, store in (("unkept", "not kept", False), ("kept", "kept in the store", True))
        ),
    ]


def ask(server: Server, case: Case) -> None:
    """One request; raises `ServerFailed` unless its answer is whole, so that nothing but right answers is measured."""
    parts = urlsplit(server.url(case.place, case.route))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"content-type": "application/json", "authorization": f"Bearer {answers.KEY}"}
    try:
        connection.request("POST", parts.path, case.body, headers)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != 200 or case.end not in answer:
        raise ServerFailed(f"{server.name}, {case.name}: {response.status} {answer[-300:]!r}")


def written(paced: Server) -> int:
    """Deltas that the paced upstream has written so far."""
    connection = http.client.HTTPConnection("127.0.0.1", paced.port, timeout=30)
    try:
        connection.request("GET", "/count")
        return int(connection.getresponse().read())
    finally:
        connection.close()


def load(server: Server, case: Case, seconds: float, directory: Path, paced: Server) -> float:
    """CPU µs of the server per request, or paced delta, while wrk asks as fast as it is answered."""
    script, body = directory / "load.lua", directory / f"{case.key}.body"
    script.write_text(_LOAD)
    body.write_bytes(case.body)
    command = ["wrk", "-t1", f"-c{case.connections}", f"-d{seconds:g}s", "--timeout", "30s", "-s", str(script)]
    command += [server.url(case.place, case.route), "--", str(body), answers.KEY]
    begun, before = server.cpu(), written(paced)
    output = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60).stdout
    time.sleep(SETTLE_SECONDS)
    used = server.cpu() - begun
    told = [line.split()[1:] for line in output.splitlines() if line.startswith("BENCH ")]
    if not told or told[0][1:] != ["0", "0"] or told[0][0] == "0":
        raise ServerFailed(f"{server.name}, {case.name}: wrk says\n{output}")
    units = written(paced) - before if case.paced else int(told[0][0])
    return used / units * 1e6


@dataclass
class Found:
    """What was measured, a value for each round: CPU µs by case and proxy, starts by proxy."""

    cpu: dict[tuple[str, str], list[float]]
    starts: dict[str, list[float]]
    resident: dict[str, list[float]]
    loads: list[float]


def measure(chosen: list[Case], rounds: int, seconds: int, directory: Path) -> Found:
    """All rounds. Servers are started once; what a start costs is measured with further ones."""
    found = Found({}, {name: [] for name in ALL}, {name: [] for name in ALL}, [])
    running: list[Server] = []
    try:
        paced = servers.start_paced(directory)
        running.append(paced)
        upstream = servers.start_upstream(directory / "upstream", directory / "answers", paced)
        running.append(upstream)
        starters: dict[str, Callable[[Path, Server], Server]] = {
            "nginx": servers.start_nginx,
            "gateway": servers.start_gateway,
            "plain": servers.start_plain,
        }
        for name, starter in starters.items():
            for _ in range(rounds):
                server = starter(directory / f"start-{name}", upstream)
                found.starts[name].append(server.ready_seconds)
                found.resident[name].append(server.resident())
                server.stop()
        for name, starter in starters.items():
            running.append(starter(directory / name, upstream))
        proxies = {server.name: server for server in running if server.name in ALL}
        for case in chosen:
            for name in case.proxies:
                ask(proxies[name], case)
                load(proxies[name], case, 2 if case.paced else 1, directory, paced)
        for number in range(rounds):
            found.loads.append(os.getloadavg()[0])
            for case in chosen:
                for name in sorted(case.proxies, reverse=bool(number % 2)):
                    used = load(proxies[name], case, seconds, directory, paced)
                    found.cpu.setdefault((case.key, name), []).append(used)
                    print(f"round {number + 1}  {case.name:44} {name:8} {used:10.1f} µs", file=sys.stderr)
        for name, server in proxies.items():
            found.resident[f"{name} after"] = [server.resident()]
    finally:
        for server in reversed(running):
            server.stop()
    return found


def shown(values: Iterable[float] | None, digits: int = 0) -> str:
    """The median, and the least and the most."""
    if not values:
        return "–"
    known = sorted(values)
    middle = statistics.median(known)
    return f"{middle:,.{digits}f} ({known[0]:,.{digits}f}–{known[-1]:,.{digits}f})"


def ratios(above: list[float] | None, below: list[float] | None) -> list[float] | None:
    return [a / b for a, b in zip(above, below, strict=True)] if above and below else None


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def table(chosen: list[Case], found: Found) -> str:
    """The results in Markdown."""
    cpu = found.cpu
    lines = [
        _row(
            "CPU µs per request (paced: per delta)", "nginx", "gateway", "plain", "gateway x nginx", "plain x gateway"
        ),
        _row(*["---"] * 6),
    ]
    for case in chosen:
        nginx, gateway, plain = (cpu.get((case.key, name)) for name in ALL)
        cells = [shown(nginx), shown(gateway), shown(plain), shown(ratios(gateway, nginx), 1)]
        lines.append(_row(case.name, *cells, shown(ratios(plain, gateway), 1)))
    lines += ["", _row("at the start", "nginx", "gateway", "plain"), _row(*["---"] * 4)]
    lines.append(_row("resident, MiB", *(shown(found.resident[name]) for name in ALL)))
    lines.append(_row("resident after the run, MiB", *(shown(found.resident[f"{name} after"]) for name in ALL)))
    lines.append(_row("start to ready, s", *(shown(found.starts[name], 2) for name in ALL)))
    lines += ["", *_derived(cpu)]
    lines.append(f"Load average before each round: {', '.join(f'{value:.1f}' for value in found.loads)}.")
    return "\n".join(lines)


def _derived(cpu: dict[tuple[str, str], list[float]]) -> list[str]:
    """What is said of two rows."""
    lines = []
    for name in ("nginx", "gateway"):
        times = ratios(cpu.get(("json1000", name)), cpu.get(("json", name)))
        if times:
            lines.append(f"- {name}, 1,000 connections over 16: x {shown(times, 2)}")
    short, long = cpu.get(("inner200", "gateway")), cpu.get(("inner2000", "gateway"))
    if short and long:
        slope = [(b - a) / 1800 for a, b in zip(short, long, strict=True)]
        lines.append(f"- a translated delta in a burst (200 to 2,000): {shown(slope, 2)} µs")
    passed, translated = cpu.get(("paced", "gateway")), cpu.get(("pacedinner", "gateway"))
    if times := ratios(translated, passed):
        lines.append(f"- a paced delta translated over one passed on: x {shown(times, 2)}")
    unkept, kept = cpu.get(("unkept", "gateway")), cpu.get(("kept", "gateway"))
    if unkept and kept:
        more = [b - a for a, b in zip(unkept, kept, strict=True)]
        lines.append(f"- keeping a response: {shown(more)} µs")
    return [*lines, ""] if lines else []


def main() -> int:
    """Measure, print the table; 2 when a program is missing, 1 when a server fails."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=(__doc__ or "").split("\n\n")[0])
    keys = [case.key for case in cases()]
    parser.add_argument("--rounds", type=int, default=5, help="measurements of everything (default: 5)")
    parser.add_argument("--seconds", type=int, default=3, help="length of each (default: 3)")
    parser.add_argument("--only", default="", help=f"some of: {','.join(keys)}")
    options = parser.parse_args()
    wanted = [key for key in options.only.split(",") if key]
    if unknown := sorted(set(wanted) - set(keys)):
        parser.error(f"--only: no such work: {', '.join(unknown)}; there is: {', '.join(keys)}")
    if min(options.rounds, options.seconds) < 1:
        parser.error("--rounds and --seconds: 1 at least")
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where Debian puts nginx, out of the way of most users
    if missing := [
        package for program, package in (("nginx", "nginx-light"), ("wrk", "wrk")) if not shutil.which(program)
    ]:
        print(f"missing; install with: sudo apt install {' '.join(missing)}", file=sys.stderr)
        return 2
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    chosen = [case for case in cases() if not wanted or case.key in wanted]
    with tempfile.TemporaryDirectory(prefix="codex-gateway-bench-") as name:
        directory = Path(name)
        answers.write_answers(directory / "answers")
        try:
            found = measure(chosen, options.rounds, options.seconds, directory)
        except ServerFailed as failure:
            print(f"error: {failure}", file=sys.stderr)
            return 1
    print(json.dumps({"rounds": options.rounds, "seconds": options.seconds, "cpus": os.cpu_count()}), file=sys.stderr)
    print(table(chosen, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
