"""What is promised of: how little is held, and for how long. How much it is `make bench` measures, never a test."""

from __future__ import annotations

from tests.promises import Promise

MEMORY: dict[str, Promise] = {
    "MEMORY-request": Promise("speed 5", "A request is let go of once its client has bytes of the answer, not before."),
    "MEMORY-heap": Promise("speed 5", "Memory that bodies took is kept while there is work, and given back after it."),
    "MEMORY-connection": Promise("speed 5", "Nothing is set apart for waits that are not there."),
}
