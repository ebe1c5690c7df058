"""The places of the upstream: what answers there, in which dialect and in which manner.

A place is a directory below the upstream's address, and the name of the model that the gateway runs there, so that one
upstream and one gateway serve every kind of work and no body is changed on its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """A server that speaks one dialect and has one answer.

    `deltas`: of its stream; 0 for a JSON answer, which is a file of nginx. Streams come from `bench.model`.
    `text_bytes`: the text of a delta when it is a big one; 0 for a word.
    `manner`: everything in one burst; an event each 20 ms; the first delta and then silence; or every byte by itself.
    """

    name: str
    dialect: Literal["chat", "responses"] = "chat"
    deltas: int = 0
    text_bytes: int = 0
    manner: Literal["burst", "paced", "silent", "trickle"] = "burst"
    tls: bool = False

    @property
    def route(self) -> str:
        return CHAT if self.dialect == "chat" else RESPONSES


def _both(
    name: str, deltas: int, text_bytes: int = 0, manner: Literal["burst", "paced", "trickle"] = "burst"
) -> list[Place]:
    """The same stream from a server of each dialect."""
    return [
        Place(name, "chat", deltas, text_bytes, manner),
        Place(f"inner{name}", "responses", deltas, text_bytes, manner),
    ]


EVENT_MB, MANY, TRICKLE_KB = (8, 16, 32), (25_000, 50_000, 100_000), (64, 128)
"""How long the long work is of which growth is looked at."""

PLACES: dict[str, Place] = {
    place.name: place
    for place in (
        Place("json"),
        Place("kept"),
        Place("jsontls", tls=True),
        *_both("burst200", 200),
        *_both("burst2000", 2000),
        Place("bursttls", deltas=200, tls=True),
        *_both("paced", 200, manner="paced"),
        Place("silent", deltas=3, manner="silent"),
        *(place for size in (1, 4, *EVENT_MB) for place in _both(f"event{size}", 1, size * MB)),
        *(place for count in MANY for place in _both(f"many{count}", count)),
        *(place for size in TRICKLE_KB for place in _both(f"trickle{size}", 1, size * 1024, "trickle")),
    )
}
