"""Waits that end."""

from __future__ import annotations

import asyncio

import pytest

from gateway.surfaces.middleware.patience import Patience


@pytest.mark.proves("SPEED-patience")
async def test_what_lasts_too_long_is_a_timeout_and_the_task_goes_on() -> None:
    with pytest.raises(TimeoutError), Patience(0.001):
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None and not task.cancelling()
    await asyncio.sleep(0)


@pytest.mark.proves("SPEED-patience")
async def test_what_is_there_leaves_no_timer_behind() -> None:
    with Patience(0.001) as patience:
        pass
    assert patience._timer.cancelled()


@pytest.mark.proves("SPEED-patience")
async def test_an_error_inside_passes() -> None:
    with pytest.raises(KeyError), Patience(30):
        raise KeyError


@pytest.mark.proves("SPEED-patience")
@pytest.mark.parametrize("late", [False, True], ids=["in time", "at the same moment"])
async def test_who_else_cancels_is_heard(late: bool) -> None:
    inside = asyncio.Event()

    async def wait() -> None:
        with Patience(30) as patience:
            waiting.append(patience)
            inside.set()
            await asyncio.Event().wait()

    waiting: list[Patience] = []
    task = asyncio.create_task(wait())
    await inside.wait()
    task.cancel()
    if late:
        waiting[0]._interrupt()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
