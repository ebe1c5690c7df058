"""Asking: one request whose answer is looked at, wrk as fast as it is answered, and `bench.asker` for the rest."""
# ruff: noqa: S603 - runs wrk and Python with arguments that are made here

from __future__ import annotations

import dataclasses
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.asker import RatePlan, StreamsPlan
from bench.cases import PREVIOUS, Case
from bench.proxies import Upstream
from bench.questions import KEY
from bench.servers import Server, ServerFailed

SETTLE_SECONDS = 0.3
"""After the load: the usage rows are written within 0.1 s, and count."""

LONGEST_SECONDS = 8

STREAMS, SPREAD_SECONDS = 50, 1.0
"""Paced streams, and within which time they are opened, so that their events do not all come at the same moments."""

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
  local lost = e.connect + e.read + e.write + e.timeout
  local told = {summary.requests, e.status, lost, summary.bytes, summary.duration}
  io.write("\\nBENCH " .. table.concat(told, " ") .. "\\n")
end
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A case at a server: the body that is sent there, and how long its answer is."""

    server: Server
    case: Case
    body: bytes
    answer_bytes: int

    @property
    def path(self) -> str:
        return self.server.path(self.case.place, self.case.route)


def ask(server: Server, case: Case, times: int = 1) -> Asked:
    """Ask so often; raises `ServerFailed` unless every answer is whole: nothing but right answers is measured."""
    body = case.body
    if case.after:
        first = json.loads(_post(server, case, case.after))
        body = body.replace(PREVIOUS.encode(), first["id"].encode())
    length = max((len(_post(server, case, body)) for _ in range(times)), default=0)
    return Asked(server, case, body, length)


def _post(server: Server, case: Case, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    try:
        connection.request("POST", server.path(case.place, case.route), body, headers)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != 200 or case.end not in answer:
        raise ServerFailed(f"{server.name}, {case.name}: {response.status} {answer[-300:]!r}")
    return answer


@dataclass(frozen=True, slots=True)
class Load:
    """CPU µs of the server per request, or per event of a paced upstream; requests a second; how long it was asked."""

    cpu: float
    rate: float
    seconds: int


def load(asked: Asked, seconds: int, directory: Path, upstream: Upstream) -> Load:
    """What the server uses while it is asked, and shortly after.

    Longer than `seconds` when too little was finished: what the end of the load cut off is counted as well, and must
    not weigh.
    """
    while True:
        begun = asked.server.cpu()
        if asked.case.paced:
            units, rate = _streams(asked, directory, upstream), 0.0
        else:
            units, rate = _wrk(asked, seconds, directory)
        time.sleep(SETTLE_SECONDS)
        if asked.case.paced or units >= 5 * asked.case.connections or seconds >= LONGEST_SECONDS:
            return Load((asked.server.cpu() - begun) / max(units, 1) * 1e6, rate, seconds)
        seconds = min(LONGEST_SECONDS, max(seconds + 1, seconds * 5 * asked.case.connections // max(units, 1) + 1))


def _wrk(asked: Asked, seconds: int, directory: Path) -> tuple[int, float]:
    """Finished requests, and how many in a second.

    wrk looks at the status only. An answer that went wrong after it is shorter than a right one, so the bytes are
    looked at as well.
    """
    case = asked.case
    script, body = directory / "load.lua", written(asked, directory)
    script.write_text(_LOAD)
    command = ["wrk", "-t1", f"-c{case.connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script)]
    command += [asked.server.address() + asked.path, "--", str(body), KEY]
    output = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60).stdout
    told = [[int(word) for word in line.split()[1:]] for line in output.splitlines() if line.startswith("BENCH ")]
    requests, status, failed, length, microseconds = told[0] if told else (0, 0, 1, 0, 1)
    nothing = not requests and seconds >= LONGEST_SECONDS
    if nothing or status or failed or length < requests * asked.answer_bytes * 0.99:
        raise ServerFailed(
            f"{asked.server.name}, {case.name}, {asked.answer_bytes} bytes an answer: wrk says\n{output}"
        )
    return requests, requests / microseconds * 1e6


def written(asked: Asked, directory: Path) -> Path:
    """The body as a file."""
    path = directory / f"{asked.case.key}-{asked.server.name}.body"
    path.write_bytes(asked.body)
    return path


def _streams(asked: Asked, directory: Path, upstream: Upstream) -> int:
    """Events that the upstream wrote for streams that were all read to their end."""
    before = upstream.written()
    plan = StreamsPlan(
        asked.server.port,
        asked.path,
        str(written(asked, directory)),
        asked.case.end.decode(),
        STREAMS,
        SPREAD_SECONDS,
        wait=30,
    )
    with asking(plan) as told:
        opened = next(told)["opened"]
        whole = next(told)["whole"]
    if opened != STREAMS or whole != STREAMS:
        raise ServerFailed(f"{asked.server.name}, {asked.case.name}: {opened} of {STREAMS} streams, {whole} whole")
    return upstream.written() - before


@contextmanager
def asking(plan: RatePlan | StreamsPlan) -> Iterator[Iterator[dict[str, Any]]]:
    """What a generator tells, one thing after the other; raises `ServerFailed` when it is answered wrongly."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.asker"],
        cwd=Path(__file__).resolve().parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(dataclasses.asdict(plan)) + "\n")
            process.stdin.flush()
            yield _told(process, plan)
        finally:
            process.kill()


def _told(process: subprocess.Popen[str], plan: RatePlan | StreamsPlan) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for line in process.stdout:
        told = json.loads(line)
        if "failed" in told:
            raise ServerFailed(f"port {plan.port}, {plan.path}: {told['failed']}")
        yield told
    raise ServerFailed(f"port {plan.port}, {plan.path}: the generator ended")
