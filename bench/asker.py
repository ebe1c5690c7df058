"""A load generator for what wrk cannot do: requests at a fixed rate, and streams that are held open.

`python -m bench.asker` reads a plan as one line of JSON (`RatePlan` or `StreamsPlan`) and tells what it found as lines
of JSON. A process of its own, so that its CPU is not the proxy's, on raw protocols, so that it leaves the cores to the
servers. An answer that is not 200, or not whole, ends it with an error.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import uvloop

from bench.questions import KEY
from bench.schedule import Schedule, percentile

WARM_SECONDS = 0.3
"""Asked before anything counts."""

_ABSOLUTE = 1
"""TFD_TIMER_ABSTIME of timerfd_settime(2)."""


class WrongAnswer(Exception):
    """What was answered is not what is measured."""


@dataclass(frozen=True)
class RatePlan:
    """So many requests a second over so many connections, each answered before the next one on it."""

    port: int
    path: str
    body: str
    end: str
    rate: float
    seconds: float
    connections: int = 64


@dataclass(frozen=True)
class StreamsPlan:
    """Streams that are opened within `spread` seconds, a connection for each, and read to their end.

    `wait`: how long, from the start, the first deltas are waited for before it is told how many there are.
    """

    port: int
    path: str
    body: str
    end: str
    count: int
    spread: float
    wait: float


def _request(plan: RatePlan | StreamsPlan) -> bytes:
    body = Path(plan.body).read_bytes()
    head = (
        f"POST {plan.path} HTTP/1.1\r\nHost: 127.0.0.1:{plan.port}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Caller(asyncio.Protocol):
    """A connection. `begun` is called with it when a body begins, `ended` when an answer is whole."""

    def __init__(self, end: bytes, begun: Callable[[Caller], None], ended: Callable[[Caller], None]) -> None:
        self.end, self.begun, self.ended = end, begun, ended
        self.planned = 0.0
        self.pieces: list[bytes] = []
        self.missing: int | None = None
        self.in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.pieces:
            self.fail("the connection was lost")

    def ask(self, request: bytes, planned: float) -> None:
        self.planned, self.pieces, self.in_body = planned, [], False
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        pieces = self.pieces
        pieces.append(data)
        if not self.in_body:
            whole = data if len(pieces) == 1 else b"".join(pieces)
            head, found, body = whole.partition(b"\r\n\r\n")
            if not found or not body:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                self.fail("not 200")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self.missing = int(length) - len(body) if length else None
            self.in_body = True
            self.begun(self)
        elif self.missing is not None:
            self.missing -= len(data)
        if self.missing == 0 if self.missing is not None else self._last_chunk():
            if self.end not in b"".join(pieces):
                self.fail("the end is missing")
            self.pieces = []
            self.ended(self)

    def _last_chunk(self) -> bool:
        last = self.pieces[-1]
        return (last if len(last) >= 5 else b"".join(self.pieces[-5:])).endswith(b"0\r\n\r\n")

    def fail(self, why: str) -> None:
        print(json.dumps({"failed": f"{why}: {b''.join(self.pieces)[:300]!r}"}), flush=True)  # noqa: T201 - its output
        os._exit(1)  # from a callback of the loop, which would log and go on


async def _connect(plan: RatePlan | StreamsPlan, caller: Caller) -> Caller:
    await asyncio.get_running_loop().create_connection(lambda: caller, "127.0.0.1", plan.port)
    return caller


class _Clock:
    """A timer of the kernel that becomes readable at `start` and at a rate from then on: the loop's own has whole
    milliseconds only. Times are those of `time.perf_counter`, which is the monotonic clock on Linux."""

    def __init__(self, start: float, rate: float) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd: int = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK)
        # Rounded up: a tick before the planned moment would find nothing to do, and wait for the next.
        parts = (part for seconds in (1 / rate, start) for part in divmod(math.ceil(seconds * 1e9), 1_000_000_000))
        if self.fd < 0 or libc.timerfd_settime(self.fd, _ABSOLUTE, (ctypes.c_long * 4)(*parts), None):
            raise OSError(ctypes.get_errno(), "timerfd")

    def passed(self) -> None:
        os.read(self.fd, 8)


async def run_rate(plan: RatePlan) -> dict[str, Any]:
    """Ask at the rate; delays in ms from the planned time of each request, and the share of a core that this took."""
    request, loop, now = _request(plan), asyncio.get_running_loop(), time.perf_counter
    free: deque[Caller] = deque()
    waiting: deque[float] = deque()
    first: list[float] = []
    whole: list[float] = []
    done = asyncio.Event()
    from_then_on = 0.0

    def begun(caller: Caller) -> None:
        if caller.planned >= from_then_on:
            first.append(now() - caller.planned)

    def ended(caller: Caller) -> None:
        if caller.planned >= from_then_on:
            whole.append(now() - caller.planned)
        if waiting:
            caller.ask(request, waiting.popleft())
            return
        free.append(caller)
        if schedule.finished and len(free) == plan.connections:
            done.set()

    callers = [Caller(plan.end.encode(), begun, ended) for _ in range(plan.connections)]
    free.extend([await _connect(plan, caller) for caller in callers])
    start = now() + 0.01
    from_then_on = start + WARM_SECONDS
    schedule = Schedule(start, plan.rate, int(plan.rate * (plan.seconds + WARM_SECONDS)))
    clock = _Clock(start, plan.rate)

    def tick() -> None:
        clock.passed()
        for planned in schedule.due(now()):
            if free:
                free.popleft().ask(request, planned)
            else:
                waiting.append(planned)
        if schedule.finished:
            loop.remove_reader(clock.fd)

    used = time.process_time()
    loop.add_reader(clock.fd, tick)
    await asyncio.wait_for(done.wait(), plan.seconds + 60)
    share = (time.process_time() - used) / (now() - start)
    told = {"count": len(whole), "share": share}
    for name, values in (("first", first), ("whole", whole)):
        told |= {f"{name} {part}": percentile(values, part / 100) * 1000 for part in (50, 99)}
    return told


async def run_streams(plan: StreamsPlan) -> dict[str, Any]:
    """Open, tell how many have begun, and wait for the end of all."""
    request = _request(plan)
    opened: set[Caller] = set()
    whole: set[Caller] = set()
    all_open, all_whole = asyncio.Event(), asyncio.Event()

    def begun(caller: Caller) -> None:
        opened.add(caller)
        if len(opened) == plan.count:
            all_open.set()

    def ended(caller: Caller) -> None:
        whole.add(caller)
        caller.transport.close()
        if len(whole) == plan.count:
            all_whole.set()

    loop = asyncio.get_running_loop()
    start = loop.time()
    for number in range(plan.count):
        await asyncio.sleep(start + number * plan.spread / plan.count - loop.time())
        (await _connect(plan, Caller(plan.end.encode(), begun, ended))).ask(request, 0)
    with suppress(TimeoutError):
        await asyncio.wait_for(all_open.wait(), plan.wait + start - loop.time())
    print(json.dumps({"opened": len(opened)}), flush=True)  # noqa: T201 - its output
    with suppress(TimeoutError):
        await asyncio.wait_for(all_whole.wait(), 60)
    return {"whole": len(whole)}


def main() -> None:
    """Do what the plan says."""
    plan = json.loads(sys.stdin.readline())
    work = run_rate(RatePlan(**plan)) if "rate" in plan else run_streams(StreamsPlan(**plan))
    print(json.dumps(uvloop.run(work)), flush=True)  # noqa: T201 - its output


if __name__ == "__main__":
    main()
