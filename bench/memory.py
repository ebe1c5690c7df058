"""Memory: of a fresh process, and of a thousand open streams; and how long a start takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from bench import questions
from bench.asker import StreamsPlan
from bench.cases import Case
from bench.found import Found
from bench.load import ask, asking, written
from bench.places import PLACES
from bench.proxies import STARTERS, Upstream
from bench.servers import Server, ServerFailed

STREAMS = 1000
SPREAD_SECONDS, WAIT_SECONDS = 2.5, 10.0
"""Within which time the streams are opened, and how long, from the first on, their first deltas are waited for."""

SILENT = Case(
    "silent",
    "memory",
    "silent streams",
    PLACES["silent"],
    questions.chat("silent", stream=True),
    b"[DONE]",
    connections=STREAMS,
)


def settled(value: Callable[[], float], pause: float = 0.25, within: float = 0.2) -> float:
    """A value once it stands still, or after 3 s: resident memory is let go of with delay."""
    last = value()
    for _ in range(12):
        time.sleep(pause)
        now = value()
        if abs(now - last) <= within:
            return now
        last = now
    return last


def starts(name: str, number: int, upstream: Upstream, directory: Path, found: Found) -> None:
    """A start in an empty directory, and one that finds what the first left: seconds to ready, resident MiB."""
    place = directory / f"start-{name}-{number}"
    for which in ("first", "later"):
        server = STARTERS[name](place, upstream)
        try:
            found.add(f"{which} ready", name, server.ready_seconds)
            found.add(f"{which} resident", name, settled(server.resident))
        finally:
            server.stop()


def open_streams(name: str, number: int, upstream: Upstream, directory: Path, found: Found) -> None:
    """A fresh process after one stream, then a thousand that have said a word and are silent, then their end.

    `open before` and `open after` in MiB, `open KiB` per stream asked for, `open ms` of CPU per stream from its opening
    to its end, `open count`: streams of which the first delta came before others had ended.
    """
    server = STARTERS[name](directory / f"open-{name}-{number}", upstream)
    try:
        _open_streams(server, name, upstream, directory, found)
    finally:
        upstream.model.get("/release")
        server.stop()


def _open_streams(server: Server, name: str, upstream: Upstream, directory: Path, found: Found) -> None:
    upstream.model.get("/release")
    asked = ask(server, SILENT)
    upstream.model.get("/hold")
    before, used = settled(server.resident), server.cpu()
    body, end = str(written(asked, directory)), SILENT.end.decode()
    plan = StreamsPlan(server.port, asked.path, body, end, STREAMS, SPREAD_SECONDS, WAIT_SECONDS)
    with asking(plan) as told:
        opened = next(told)["opened"]
        after = settled(server.resident)
        upstream.model.get("/release")
        whole = next(told)["whole"]
    if whole < opened:
        raise ServerFailed(f"{name}: {whole} of {opened} silent streams came to their end")
    time.sleep(0.3)  # the usage rows count
    found.add("open before", name, before)
    found.add("open after", name, after)
    found.add("open count", name, opened)
    found.add("open KiB", name, (after - before) * 1024 / STREAMS)
    found.add("open ms", name, (server.cpu() - used) / whole * 1000)
