"""How many calls an account makes at once. The backend refuses bursts (codex-upstream §12, 20); waiting is cheaper."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from gateway.upstreams import Answer, Taker


class Turnstile:
    """Lets `limit` calls through at once, from the request until their answer is closed; the others wait in order.

    A limit of 0 is none. Who is cancelled while waiting gives up its place.
    """

    def __init__(self, limit: int) -> None:
        self._places = asyncio.Semaphore(limit) if limit else None

    async def enter(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer of `call`, once there is a place; closing it gives the place back."""
        places = self._places
        if places is None:
            return await call()
        await places.acquire()
        try:
            answer = await call()
        except BaseException:
            places.release()
            raise
        return _Inside(answer, places)


class _Inside:
    """An answer that holds a place."""

    def __init__(self, answer: Answer, places: asyncio.Semaphore) -> None:
        self._answer = answer
        self._places: asyncio.Semaphore | None = places
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers

    @property
    def over(self) -> bool:
        return self._answer.over

    def chunks(self, take: Taker | None = None) -> AsyncIterator[bytes]:
        return self._answer.chunks(take)

    def whole(self) -> None:
        """Never: the place is held until `aclose`."""

    async def read(self) -> bytes:
        return await self._answer.read()

    async def aclose(self) -> None:
        places, self._places = self._places, None
        try:
            await self._answer.aclose()
        finally:
            if places is not None:
                places.release()
