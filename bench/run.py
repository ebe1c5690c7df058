"""What the gateway costs beside nginx and a plain Python proxy: `make bench`, or `python -m bench.run --only json`.

An nginx and a model server of our own answer for the real ones, wrk asks, and three proxies stand between them in turn.
Counted is what the proxy's processes use of the CPU, per finished request. Every round measures every kind of work at
every proxy, so that a busy machine is busy for all; the ratios are made within a round. What the numbers mean:
docs/performance.md.
"""
# ruff: noqa: T201 - a program for a terminal

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from bench import answers, latency, linear, memory
from bench.cases import ALL, Case, cases
from bench.found import Found
from bench.load import Asked, ask, load
from bench.proxies import STARTERS, Upstream, start_upstream
from bench.report import report
from bench.servers import Server, ServerFailed

OTHERS = ("half", "halfstream", "memory", "start", "linear")
"""What is measured besides the cases."""

QUICK = (
    *("json16", "json1000", "body1m", "burst200", "inner200", "inner2000", "paced", "pacedinner"),
    *("event1", "event4", "innerevent1", "innerevent4", "half", "memory", "start"),
)
"""What the targets are about."""


@dataclass
class Bench:
    """A run: what is measured how often, the servers that have been started for it, and what was found."""

    chosen: list[Case]
    others: frozenset[str]
    rounds: int
    seconds: int
    directory: Path
    upstream: Upstream
    quick: bool
    begun: float = field(default_factory=time.monotonic)
    found: Found = field(default_factory=Found)
    servers: dict[str, Server] = field(default_factory=dict)
    asked: dict[tuple[str, str], Asked] = field(default_factory=dict)
    lasting: dict[tuple[str, str], int] = field(default_factory=dict)
    """Seconds that a kind of work takes to be measured, by case and proxy."""

    def run(self) -> None:
        """All rounds, and then the long work, which is done once."""
        self._start()
        self._tell(0, "every kind of work is asked for")
        for case in self.chosen:
            for proxy in self._proxies(case):
                times = 0 if case.paced else 5  # they take their time, and are looked at to the end by who asks
                self.asked[case.key, proxy] = ask(self.servers[case.server(proxy)], case, times)
        for number in range(self.rounds):
            self.found.loads.append(os.getloadavg()[0])
            self._processes(number)
            for case in self.chosen:
                for proxy in sorted(self._proxies(case), reverse=bool(number % 2)):
                    self._load(number, case, proxy)
            for kind in latency.KINDS:
                if kind in self.others:
                    self._tell(number, f"delays: {kind}")
                    latency.measure(
                        kind,
                        self.servers,
                        self.upstream,
                        self.directory,
                        self.found,
                        seconds=self.seconds + 1,
                        turned=bool(number % 2),
                    )
        for name in ALL if self.chosen else ():
            self.found.add("after", name, self.servers[name].resident())
        if "linear" in self.others:
            for work in linear.works():
                self.found.add(f"{work.name} {work.length}", "gateway", linear.measure(self.servers["raised"], work))
                self._tell(self.rounds, f"{work.name}, {work.length:,} {work.unit}")

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()
        self.upstream.stop()

    def _start(self) -> None:
        wanted = {case.server(proxy) for case in self.chosen for proxy in case.proxies}
        wanted |= set(ALL) if self.chosen else set()
        wanted |= {"nginx", "gateway"} if self.others & set(latency.KINDS) else set()
        wanted |= {"raised"} if "linear" in self.others else set()
        for name in STARTERS:
            if name in wanted:
                self.servers[name] = STARTERS[name](self.directory / name, self.upstream)

    def _proxies(self, case: Case) -> Iterable[str]:
        """A quick look asks plain only what a target is about."""
        return [proxy for proxy in case.proxies if not self.quick or proxy != "plain" or case.key == "json16"]

    def _load(self, number: int, case: Case, proxy: str) -> None:
        work = case.key, proxy
        found = load(self.asked[work], self.lasting.get(work, self.seconds), self.directory, self.upstream)
        self.lasting[work] = found.seconds
        self.found.add(case.key, proxy, found.cpu)
        self._tell(number, f"{case.name:54} {proxy:8} {found.cpu:10.1f} µs")

    def _processes(self, number: int) -> None:
        """Starts, and open streams, in the first rounds; plain's streams once, since it waits for those that it does
        not get. A quick look is at the gateway only."""
        for name in ("gateway",) if self.quick else ALL:
            if "start" in self.others and number < 3:
                self._tell(number, f"start: {name}")
                memory.starts(name, number, self.upstream, self.directory, self.found)
            if "memory" in self.others and number < (1 if self.quick or name == "plain" else 3):
                self._tell(number, f"open streams: {name}")
                memory.open_streams(name, number, self.upstream, self.directory, self.found)

    def _tell(self, number: int, what: str) -> None:
        print(f"{time.monotonic() - self.begun:5.0f} s  round {number + 1}  {what}", file=sys.stderr, flush=True)


def choose(only: str, quick: bool) -> tuple[list[Case], frozenset[str]]:
    """The cases and the other parts of a list of their keys and groups, with the cases that they are compared with.

    Raises ValueError for an unknown name, and tells the known ones.
    """
    known = {case.key: case for case in cases()}
    groups = {case.group for case in known.values()}
    wanted = {name for name in only.split(",") if name} or (set(QUICK) if quick else {*known, *OTHERS})
    if unknown := sorted(wanted - set(known) - groups - set(OTHERS)):
        there = ", ".join([*dict.fromkeys(name for case in known.values() for name in (case.group, case.key)), *OTHERS])
        raise ValueError(f"no such work: {', '.join(unknown)}; there is: {there}")
    keys = {case.key for case in known.values() if {case.key, case.group} & wanted}
    keys |= {other for key in keys for other in known[key].beside}
    return [case for case in known.values() if case.key in keys], frozenset(wanted & set(OTHERS))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rounds", type=int, help="measurements of everything (default: 4; quick: 2)")
    parser.add_argument("--seconds", type=int, default=1, help="length of each under wrk (default: 1)")
    parser.add_argument("--only", default="", help="some groups, or single kinds of work, with commas between them")
    parser.add_argument("--quick", action="store_true", help="only what the targets are about (two minutes)")
    options = parser.parse_args()
    options.rounds = options.rounds if options.rounds is not None else 2 if options.quick else 4
    if min(options.rounds, options.seconds) < 1:
        parser.error("--rounds and --seconds: 1 at least")
    try:
        options.chosen, options.others = choose(options.only, options.quick)
    except ValueError as error:
        parser.error(f"--only: {error}")
    return options


def main() -> int:
    """Measure, print the tables; 2 when a program is missing, 1 when a server fails."""
    options = _options()
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where Debian puts nginx, out of the way of most users
    packages = {"nginx": "nginx-light", "wrk": "wrk"}
    if missing := [package for program, package in packages.items() if not shutil.which(program)]:
        print(f"missing; install with: sudo apt install {' '.join(missing)}", file=sys.stderr)
        return 2
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    with tempfile.TemporaryDirectory(prefix="codex-gateway-bench-") as name:
        directory = Path(name)
        answers.write_files(directory / "answers")
        bench = None
        try:
            upstream = start_upstream(directory)
            bench = Bench(
                options.chosen, options.others, options.rounds, options.seconds, directory, upstream, options.quick
            )
            bench.run()
        except ServerFailed as failure:
            print(f"error: {failure}", file=sys.stderr)
            return 1
        finally:
            if bench:
                bench.stop()
    long = [(work.name, work.unit, work.length) for work in linear.works()] if "linear" in options.others else []
    print(report(bench.found, options.chosen, long))
    sniffio = "with" if find_spec("sniffio") else "without"
    print(f"{options.rounds} rounds of {options.seconds} s, {os.cpu_count()} cores; plain's httpx {sniffio} sniffio.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
