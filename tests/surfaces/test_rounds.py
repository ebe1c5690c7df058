"""One timer for all who want to be called a little later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from gateway.surfaces.rounds import Rounds, rounds_of


class Clock:
    """Stands for an event loop: the timers that were asked for, to be run by the test."""

    def __init__(self) -> None:
        self.timers: list[Callable[[], None]] = []

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        self.timers.append(call)

    def tick(self) -> None:
        (timer,) = self.timers
        self.timers.clear()
        timer()


class Guest:
    def __init__(self) -> None:
        self.calls = 0

    def late(self) -> None:
        self.calls += 1


@pytest.mark.proves("SPEED-no-task")
def test_who_stays_is_called_once_after_one_to_two_pauses_and_who_left_never() -> None:
    clock = Clock()
    rounds = Rounds(cast(asyncio.AbstractEventLoop, clock))
    early, gone, late, brief = Guest(), Guest(), Guest(), Guest()
    rounds.join(early)
    rounds.join(gone)
    clock.tick()
    rounds.join(late)
    rounds.join(brief)
    rounds.leave(gone)
    rounds.leave(brief)
    assert early.calls == 0
    clock.tick()
    assert (early.calls, late.calls) == (1, 0)
    clock.tick()
    assert clock.timers == []
    assert [guest.calls for guest in (early, gone, late, brief)] == [1, 0, 1, 0]
    rounds.leave(early)


@pytest.mark.proves("SPEED-no-task")
def test_an_empty_round_is_the_last_and_the_next_guest_begins_anew() -> None:
    clock = Clock()
    rounds = Rounds(cast(asyncio.AbstractEventLoop, clock))
    guest = Guest()
    rounds.join(guest)
    rounds.leave(guest)
    clock.tick()
    assert clock.timers == []
    rounds.join(guest)
    clock.tick()
    clock.tick()
    assert guest.calls == 1


@pytest.mark.proves("SPEED-no-task")
async def test_a_loop_has_one_timer_for_all() -> None:
    loop = asyncio.get_running_loop()
    rounds = rounds_of(loop)
    assert rounds_of(loop) is rounds
    other = asyncio.new_event_loop()
    assert rounds_of(other) is not rounds
    other.close()
