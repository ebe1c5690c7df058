"""Frames from an upstream → a stream that every client accepts (translation §4.1, appendix A).

Fold first, emit from what the fold knows. A clean stream passes as the very same frames. From the first repair that
touches numbers or ids on, the stream is `dirty`: every frame is read, and its number, index and ids are ours.

Four layers, each a file: `outlet` (numbers, trust) ← `items` ← `parts` ← `stream` (lifecycle, failures, the entrance).
"""

from gateway.core.repair.stream import Repair

__all__ = ["Repair"]
