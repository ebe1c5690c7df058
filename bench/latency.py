"""Delays at half load: what the gateway adds when it is not asked more than it can do.

The gateway's own top rate is measured first, by wrk with as many connections; then upstream, nginx and gateway are
asked half as often, at a fixed rate, by `bench.asker`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from bench.asker import RatePlan
from bench.cases import Case, cases
from bench.found import Found
from bench.load import Asked, ask, asking, load, written
from bench.proxies import Upstream
from bench.servers import Server

CONNECTIONS = 64
KINDS = {"half": "json16", "halfstream": "burst200"}
"""Name of the measurement: the case that is asked."""


def halves() -> dict[str, Case]:
    """The cases, with the connections of this measurement."""
    known = {case.key: case for case in cases()}
    return {name: dataclasses.replace(known[key], connections=CONNECTIONS) for name, key in KINDS.items()}


def measure(
    kind: str,
    servers: Mapping[str, Server],
    upstream: Upstream,
    directory: Path,
    found: Found,
    *,
    seconds: float,
    turned: bool,
) -> None:
    """One round: `{kind} rate` asked at, `{kind} first 50` and so on in ms by who was asked, `{kind} share` of a core
    that the generator took."""
    case = halves()[kind]
    asked: dict[str, Asked] = {
        "direct": ask(upstream.of(case.place), case, 3),
        **{name: ask(servers[name], case, 3) for name in ("nginx", "gateway")},
    }
    rate = load(asked["gateway"], 1, directory, upstream).rate / 2
    found.add(f"{kind} rate", "gateway", rate)
    for name in sorted(asked, reverse=turned):
        one = asked[name]
        end = case.end.decode()
        plan = RatePlan(
            one.server.port, one.path, str(written(one, directory)), end, rate, seconds, connections=CONNECTIONS
        )
        with asking(plan) as told:
            for what, value in next(told).items():
                found.add(f"{kind} {what}", name, value)
