"""A section of promises each: id → (source, behaviour). `tests.requirements` has them all."""

from __future__ import annotations

from typing import NamedTuple


class Promise(NamedTuple):
    source: str
    behaviour: str
