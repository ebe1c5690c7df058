"""What is promised of: how little a request costs. What it costs is measured by `make bench`, never by a test."""

from __future__ import annotations

from tests.promises import Promise

SPEED: dict[str, Promise] = {
    "SPEED-one-write": Promise(
        "speed 2",
        "What is written to a connection in one turn of the loop goes out together at its end; no more is held.",
    ),
    "SPEED-body-pieces": Promise("speed 3", "A body in many small pieces is read whole, however the network cut it."),
    "SPEED-whole-body": Promise("speed 6", "A body that has come is there without a wait, and told once."),
    "SPEED-in-place": Promise(
        "speed 2",
        "A large body of a told length is read where it stays; nothing else than the parser says is told of it.",
    ),
    "SPEED-in-place-words": Promise(
        "speed 3", "A length that is told takes no memory by itself, and nothing of a body stays behind its answer."
    ),
    "SPEED-no-task": Promise("speed 2", "A request that is answered at once makes no task, and leaves no timer."),
    "SPEED-at-once": Promise(
        "speed 2",
        "An event goes out where it comes in, unless its client is slow; order, failures and limits stay the same.",
    ),
    "SPEED-joined": Promise(
        "speed 2", "Who asks for a body may look at its pieces where they come, if all come at once."
    ),
    "SPEED-plain-names": Promise("speed 2", "A model's name that no list decides is looked up once."),
    "SPEED-no-circles": Promise("speed 2", "A request leaves nothing that only the garbage collector could find."),
    "SPEED-patience": Promise("speed 2", "A wait is bounded without the price of a timeout for what is there at once."),
    "SPEED-head-once": Promise("speed 2", "What the requests to a server have in common is rendered and checked once."),
}
