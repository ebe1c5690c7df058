"""The results in Markdown: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bench import targets
from bench.cases import ALL, Case
from bench.found import Found, Values, differences, ratios, shown
from bench.latency import KINDS

Row = Iterable[str]


def table(head: Row, rows: Iterable[Row]) -> Iterator[str]:
    """Nothing when there are no rows."""
    cells = [list(row) for row in rows]
    if not cells:
        return
    titles = list(head)
    for row in (titles, ["---"] * len(titles), *cells):
        yield f"| {' | '.join(row)} |"
    yield ""


def report(found: Found, chosen: list[Case], long: list[tuple[str, str, float]]) -> str:
    """Everything that was measured. `long`: the name, unit and length of the long work, in the order of the table."""
    loads = ", ".join(f"{value:.1f}" for value in found.loads)
    parts = (_cpu(found, chosen), _said(found), _delays(found), _memory(found), _long(found, long), _targets(found))
    return "\n".join([*(line for part in parts for line in part), f"Load average before each round: {loads}."])


def _cpu(found: Found, chosen: list[Case]) -> Iterator[str]:
    def row(case: Case) -> Iterator[str]:
        nginx, gateway, plain = (found.of(case.key, name) for name in ALL)
        yield case.name
        yield from (shown(values, 1 if case.paced else 0) for values in (nginx, gateway, plain))
        yield from (shown(ratios(*pair), 1) for pair in ((gateway, nginx), (plain, gateway)))

    head = ["CPU µs per request (paced: per event)", *ALL, "gateway x nginx", "plain x gateway"]
    return table(head, (row(case) for case in chosen))


def _said(found: Found) -> Iterator[str]:
    """What is said of two rows."""

    def times(above: str, below: str, who: str = "gateway") -> Values:
        return ratios(found.of(above, who), found.of(below, who))

    def more(above: str, below: str) -> Values:
        return differences(found.of(above), found.of(below))

    lines = [
        *(
            (f"{who}, {number:,} connections over 16: x", times(f"json{number}", "json16", who), 2, "")
            for number in (64, 256, 1000)
            for who in ("nginx", "gateway")
        ),
        ("the store's part of JSON passed on, its usage rows:", more("json16", "unledgered"), 0, " µs"),
        *(
            (f"{name}, a delta of a burst (200 to 2,000):", targets.slope(*keys, who)(found), 2, " µs")
            for name, keys, who in (
                ("nginx", ("burst200", "burst2000"), "nginx"),
                ("gateway, chat passed on", ("burst200", "burst2000"), "gateway"),
                ("gateway, Responses passed on", ("same200", "same2000"), "gateway"),
                ("gateway, Responses → chat", ("inner200", "inner2000"), "gateway"),
            )
        ),
        ("a paced event translated over one passed on: x", times("pacedinner", "paced"), 2, ""),
        ("keeping a response:", more("kept", "unkept"), 0, " µs"),
        ("going on from a kept response:", more("continued", "unkept"), 0, " µs"),
        ("TLS to the upstream, JSON: x", times("jsontls", "json16"), 2, ""),
        ("TLS to the upstream, stream of 200: x", times("bursttls", "burst200"), 2, ""),
        ("two workers over one, JSON, 64 connections: x", times("two", "json64"), 2, ""),
    ]
    told = [f"- {name} {shown(values, digits)}{unit}" for name, values, digits, unit in lines if values]
    return iter([*told, ""] if told else [])


def _delays(found: Found) -> Iterator[str]:
    names = {"half": "JSON", "halfstream": "stream of 200 in a burst"}
    parts = {"first 50": "p50 to the first byte", "whole 50": "p50", "whole 99": "p99"}

    def rows() -> Iterator[Row]:
        for kind in KINDS:
            rate = f"{names[kind]}, {shown(found.of(f'{kind} rate'))} a second"
            for part, name in parts.items():
                direct = found.of(f"{kind} {part}", "direct")
                if direct:
                    more = (shown(targets.added(kind, part, who)(found), 2) for who in ("nginx", "gateway"))
                    others = (shown(found.of(f"{kind} {part}", who), 2) for who in ("nginx", "gateway"))
                    yield [f"{rate}, {name}", shown(direct, 2), *others, *more]

    yield from table(
        ["delay at half of the gateway's load, ms", "direct", "nginx", "gateway", "nginx adds", "gateway adds"], rows()
    )
    shares = [
        share for kind in KINDS for who in ("direct", "nginx", "gateway") for share in found.of(f"{kind} share", who)
    ]
    if shares:
        yield from (f"The generator took {shown([share * 100 for share in shares])} % of a core.", "")


def _memory(found: Found) -> Iterator[str]:
    lines = (
        ("first resident", "resident after the first start, MiB", 0),
        ("later resident", "resident after a later start, MiB", 0),
        ("first ready", "first start to ready, s", 2),
        ("later ready", "later start to ready, s", 2),
        ("open before", "resident after a stream, MiB", 0),
        ("open after", "resident with 1,000 open streams asked for, MiB", 0),
        ("open count", "streams open of 1,000", 0),
        ("open KiB", "resident per stream, KiB", 1),
        ("open ms", "CPU per stream, from its opening to its end, ms", 2),
        ("after", "resident after the run, MiB", 0),
    )

    def rows() -> Iterator[Row]:
        for what, name, digits in lines:
            values = [found.of(what, who) for who in ALL]
            if any(values):
                yield [name, *(shown(one, digits) for one in values)]

    return table(["processes", *ALL], rows())


def _long(found: Found, long: list[tuple[str, str, float]]) -> Iterator[str]:
    rows = (
        [name, f"{length:,.0f}", unit, shown(found.of(f"{name} {length}"), 1)]
        for name, unit, length in long
        if found.of(f"{name} {length}")
    )
    return table(["long work at the gateway", "length", "unit", "CPU µs per unit"], rows)


def _targets(found: Found) -> Iterator[str]:
    return table(["targets", "measured", "target", "must", "verdict"], targets.lines(found))
