"""Frames from an upstream → a stream that every client accepts (translation §4.1, appendix A).

Fold first, emit from what the fold knows. A clean stream passes as the very same frames. From the first repair that
touches numbers or ids on, the stream is `dirty`: every frame is read, and its number, index and ids are ours.

Handlers look at every event, but deltas are nearly all of a stream, and two kinds need none: those of a trusted server
pass unread while the order of events is right (`trust`), and those of any other are read, and sent on the way of the
first one while they repeat its address (`run`). Either way the client gets what the handlers would have sent.

Four layers, each a file: `outlet` (numbers, trust) ← `items` ← `parts` ← `stream` (lifecycle, failures, the entrance).
"""

from gateway.core.repair.stream import Repair

__all__ = ["Repair"]
