"""Long work: CPU per unit of it at growing lengths, at one gateway whose limits are raised. Linear work stays level."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench import questions
from bench.cases import Case
from bench.load import SETTLE_SECONDS, ask
from bench.places import EVENT_MB, MANY, MB, PLACES, TRICKLE_KB
from bench.servers import Server

BODY_MB = (16, 32, 64)


@dataclass(frozen=True, slots=True)
class Long:
    """A kind of work, its length in `unit`, and the case that asks for it."""

    name: str
    unit: str
    length: float
    case: Case


def works() -> Iterator[Long]:
    """All of them, short ones first."""
    for inner, how in (("", "passed on"), ("inner", "Responses → chat")):
        for size in EVENT_MB:
            yield Long(f"one event, {how}", "MB", size, _stream(f"{inner}event{size}"))
    for size in BODY_MB:
        body = questions.chat("json", size=size * MB)
        yield Long("request body", "MB", size, Case("long", "linear", "", PLACES["json"], body, b'"stop"'))
    for inner, how in (("", "passed on"), ("inner", "Responses → chat")):
        for count in MANY:
            yield Long(f"events of 280 bytes in one burst, {how}", "event", count, _stream(f"{inner}many{count}"))
    for inner, how in (("", "passed on"), ("inner", "Responses → chat")):
        for size in TRICKLE_KB:
            yield Long(f"one event, a byte a chunk, {how}", "KB", size, _stream(f"{inner}trickle{size}"))


def _stream(place: str) -> Case:
    return Case(place, "linear", place, PLACES[place], questions.chat(place, stream=True), b"[DONE]")


def measure(server: Server, work: Long) -> float:
    """The median CPU of some requests one after the other, in µs per unit."""
    used = []
    for _ in range(1 if work.case.place.manner == "trickle" else 3):  # a trickle takes seconds
        begun = server.cpu()
        ask(server, work.case)
        time.sleep(SETTLE_SECONDS)
        used.append(server.cpu() - begun)
    return statistics.median(used) / work.length * 1e6
