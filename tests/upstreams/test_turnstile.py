"""Calls of one account at once: so many, and the others wait in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from gateway.errors import UpstreamUnavailable
from gateway.upstreams import Taker
from gateway.upstreams.turnstile import Turnstile


class Answered:
    """An answer with a body of its own number."""

    status = 200
    headers: Mapping[str, str] = {"x-a": "b"}

    def __init__(self) -> None:
        self.closed = 0
        self.over = False

    async def chunks(self, take: Taker | None = None) -> AsyncIterator[bytes]:
        yield b"piece"
        self.over = True

    def whole(self) -> bytes | None:
        return None

    async def read(self) -> bytes:
        return b"whole"

    async def aclose(self) -> None:
        self.closed += 1


async def answered() -> Answered:
    return Answered()


@pytest.mark.proves("FAIL-20")
async def test_a_call_beyond_the_limit_waits_until_an_answer_is_closed() -> None:
    turnstile = Turnstile(2)
    first, _ = await turnstile.enter(answered), await turnstile.enter(answered)
    third = asyncio.create_task(turnstile.enter(answered))
    await asyncio.wait({third}, timeout=0)
    assert not third.done()
    assert await first.read() == b"whole"
    await first.aclose()
    async with asyncio.timeout(5):
        answer = await third
    assert (answer.status, answer.headers) == (200, {"x-a": "b"})
    assert not answer.over
    assert [piece async for piece in answer.chunks()] == [b"piece"]
    assert answer.over


@pytest.mark.proves("FAIL-20")
async def test_closing_twice_gives_one_place_back() -> None:
    turnstile = Turnstile(1)
    first = await turnstile.enter(answered)
    await first.aclose()
    await first.aclose()
    await turnstile.enter(answered)
    waiting = asyncio.create_task(turnstile.enter(answered))
    await asyncio.wait({waiting}, timeout=0)
    assert not waiting.done()
    waiting.cancel()


@pytest.mark.proves("FAIL-20")
async def test_a_call_that_fails_or_is_given_up_keeps_no_place() -> None:
    turnstile = Turnstile(1)

    async def failing() -> Answered:
        raise UpstreamUnavailable("no connection")

    with pytest.raises(UpstreamUnavailable):
        await turnstile.enter(failing)
    first = await turnstile.enter(answered)
    given_up = asyncio.create_task(turnstile.enter(answered))
    await asyncio.wait({given_up}, timeout=0)
    given_up.cancel()
    await asyncio.wait({given_up})
    await first.aclose()
    async with asyncio.timeout(5):
        await turnstile.enter(answered)


async def test_without_a_limit_the_answer_is_the_upstreams_own() -> None:
    assert isinstance(await Turnstile(0).enter(answered), Answered)
