"""The small event that stands in for asyncio's."""

from __future__ import annotations

import asyncio

import pytest

from gateway.cli.waiting import Event

pytestmark = pytest.mark.proves("MEMORY-connection")


async def test_a_wait_is_over_when_the_event_is_set_whoever_waits() -> None:
    event = Event(asyncio.get_running_loop())
    waits = [asyncio.create_task(asyncio.wait_for(event.wait(), 5)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not event.is_set()
    event.set()
    assert await asyncio.gather(*waits) == [None, None, None]


async def test_who_gives_up_waiting_holds_up_nobody() -> None:
    event = Event(asyncio.get_running_loop())
    first = event.wait()
    first.cancel()
    second = event.wait()
    third = event.wait()
    third.cancel()
    event.set()
    await asyncio.wait_for(second, 5)
    assert first.cancelled() and third.cancelled()


async def test_an_event_that_is_set_is_not_waited_for_until_it_is_cleared() -> None:
    event = Event(asyncio.get_running_loop(), is_set=True)
    assert event.is_set() and event.wait().done()
    event.clear()
    assert not event.wait().done()
