"""The pump of a stream: reads of the upstream to the client, in order, with one write for each.

Most reads are one event, and handled where they come in: read, translated, written, without waking the task that runs
the turn. To wake it, through all the coroutines that it consists of, costs more than all that. It is woken for what may
have to wait: a client that is slow, an end that has to be kept first, a failure, the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from gateway.engine.turn import Sink
from gateway.engine.way import Way
from gateway.errors import GatewayError

DRAIN_SECONDS = 0.5
DRAIN_BYTES = 64 * 1024
"""After its terminal event a stream has a few bytes left; reading them lets the connection be used again."""


class Pump:
    """Moves one stream. `take` is asked for each piece that comes while `run` waits for it (`upstreams.Taker`)."""

    __slots__ = ("_failure", "_over", "_owed", "_sink", "_way")

    def __init__(self, way: Way, sink: Sink) -> None:
        self._way = way
        self._sink = sink
        self._owed = b""
        """What `take` has made of a piece, and could not send."""
        self._failure: Exception | None = None
        """What `take` has met, to be raised in the task."""
        self._over = False

    def take(self, chunk: bytes) -> bytes | None:
        """Send on what comes, now. Returns None when that is done, b"" when the task has to go on from here.

        Of a stream that is over, nothing is taken.
        """
        if self._over:
            return chunk
        way = self._way
        try:
            data = way.feed(chunk)
            if not (way.channel.finished or way.keeping) and (not data or self._sink.offer(data)):
                return None
            self._owed = data
        except Exception as failure:  # whatever it is, it belongs to the task, and not to the connection
            self._failure = failure
        return b""

    async def run(self, chunks: AsyncIterator[bytes], begun: Callable[[], None]) -> None:
        """Until the stream is over. `begun` is called after the first write. Raises what its way does, and its sink."""
        way, channel, sink = self._way, self._way.channel, self._sink
        started = False
        async for chunk in chunks:
            data = await self._fed(chunk)
            if channel.finished:
                break
            if data:
                await sink.write(data)
                if not started:
                    started = True
                    begun()
            del chunk, data  # they may be large, and the next one long in coming
        else:
            data = await way.finish()
        self._over = True
        await sink.finish(data)

    async def _fed(self, chunk: bytes) -> bytes:
        """The bytes for what `take` has left to do, and for this chunk."""
        way = self._way
        if self._failure is not None:
            raise self._failure
        data, self._owed = self._owed, b""
        if way.keeping:
            data += await way.keep()
        if not chunk or way.channel.finished:
            return data
        if data:
            await self._sink.write(data)  # what follows may fail
        data = way.feed(chunk)
        return data + await way.keep() if way.keeping else data


async def pass_whole(stream: bytes, way: Way, sink: Sink) -> None:
    """Move a stream all of which has come. Raises what its way does, and its sink."""
    data = way.feed(stream)
    if way.keeping:
        data += await way.keep()
    if not way.channel.finished:
        if data:
            await sink.write(data)  # what follows may fail
        data = await way.finish()
    await sink.finish(data)


async def drain(chunks: AsyncIterator[bytes]) -> None:
    """Read what is left of a stream that has said its last word, if it comes soon and is not much."""
    left = DRAIN_BYTES
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for chunk in chunks:
                left -= len(chunk)
                if left < 0:
                    return
    except (TimeoutError, GatewayError):
        return
