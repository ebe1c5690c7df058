"""Memory is kept while there is work, and given back once it is quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from gateway.cli.heap import KEPT_BYTES, LOOK_SECONDS, OWN_BYTES, Heap, look_after_heap


class Library:
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.options: list[tuple[int, int]] = []
        self.trims = 0

    def mallopt(self, option: int, value: int) -> int:
        self.options.append((option, value))
        return 1

    def malloc_trim(self, pad: int) -> int:
        assert pad == 0
        self.trims += 1
        return 1


class Loop:
    """Its timers are run by the test."""

    def __init__(self) -> None:
        self.timers: list[Callable[[], None]] = []

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        assert seconds == LOOK_SECONDS
        self.timers.append(call)


@pytest.mark.proves("MEMORY-heap")
def test_memory_is_given_back_once_after_work() -> None:
    used = 0.0
    loop, library = Loop(), Library()
    Heap(cast(asyncio.AbstractEventLoop, loop), library, lambda: used)
    assert library.options == [(-3, OWN_BYTES), (-1, KEPT_BYTES)]
    trims = []
    for work in (0.0, 5.0, 3.0, 0.01, 0.0, 8.0, 0.1, 0.0):
        used += work
        (timer,) = loop.timers
        loop.timers.clear()
        timer()
        trims.append(library.trims)
    assert trims == [0, 0, 0, 1, 1, 1, 2, 2]


@pytest.mark.proves("MEMORY-heap")
async def test_the_c_library_of_this_process_is_asked_or_left_alone() -> None:
    look_after_heap(asyncio.get_running_loop())


@pytest.mark.proves("MEMORY-heap")
def test_a_library_without_such_functions_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    loop = Loop()
    look_after_heap(cast(asyncio.AbstractEventLoop, loop))
    assert loop.timers == []
