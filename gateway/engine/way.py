"""A stream's way to its client, by the store where it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.core.frames import Frame
from gateway.core.repair import Repair
from gateway.dialects import Exchange, Inlet
from gateway.engine.channel import Channel, TranslatedChannel, truncated
from gateway.engine.turn import Record, Turn
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from gateway.engine.plan import Plan


class Way:
    """A stream's way to the client, by the store where it is kept: its end is kept before the client hears of it."""

    __slots__ = ("_aside", "_exchange", "_plan", "_record", "channel")

    def __init__(self, turn: Turn, plan: Plan, channel: Channel, aside: Aside | None) -> None:
        self.channel = channel
        self._plan = plan
        self._record = turn.record
        self._exchange = plan.exchange
        self._aside = aside
        if self._record is not None and isinstance(channel, TranslatedChannel):
            assert plan.exchange is not None
            self._record.watch(plan.exchange, channel.repair, channel.encode)

    async def feed(self, frames: Sequence[Frame]) -> bytes:
        channel = self.channel
        if not isinstance(channel, TranslatedChannel):
            if self._aside is not None:
                frames = await self._aside.read(frames)
            return channel.feed(frames)
        repaired = channel.repaired(frames)
        if channel.ended:
            self._plan.told(channel.response())
        return channel.encode(repaired) if self._record is None else await self._told(self._record, channel, repaired)

    async def end(self) -> bytes:
        if self._aside is not None:
            await self._aside.finish()
            return self.channel.end()
        return self.channel.end() if self._record is None else await self.fail(truncated())

    async def fail(self, error: GatewayError) -> bytes:
        channel = self.channel
        if self._record is None or not isinstance(channel, TranslatedChannel):
            if self._aside is not None:
                await self._aside.fail(error)
            return channel.fail(error)
        if channel.ended and not channel.finished:
            return channel.broken(error)  # it is its end that could not be kept
        return await self._told(self._record, channel, channel.repair.abort(error))

    async def _told(self, record: Record, channel: TranslatedChannel, frames: Sequence[Frame]) -> bytes:
        if channel.ended and frames:
            assert self._exchange is not None
            await record.ended(self._exchange, channel.response())
        return channel.encode(frames)


class Aside:
    """A stream that passes in its server's own words, read in the inner language too, to be kept.

    Its chunks get an id of ours: servers give theirs again, and what is kept under an id must be found by it.
    """

    __slots__ = ("_exchange", "_inlet", "_name", "_record", "_repair")

    def __init__(self, record: Record, exchange: Exchange, inlet: Inlet, repair: Repair, name: str) -> None:
        self._record = record
        self._exchange = exchange
        self._inlet = inlet
        self._repair = repair
        self._name = name
        record.watch(exchange, repair, None)

    async def read(self, frames: Sequence[Frame]) -> list[Frame]:
        """The frames for the client. Keeps the response when they end it, before the client hears of it."""
        await self._keep(self._repair.feed(self._inlet.feed(frames)))
        return [_named(frame, self._name) for frame in frames]

    async def finish(self) -> None:
        """The stream is over, in good order or not."""
        await self._keep([*self._repair.feed(self._inlet.finish()), *self._repair.abort(truncated())])

    async def fail(self, error: GatewayError) -> None:
        await self._keep(self._repair.abort(error))

    async def _keep(self, told: Sequence[Frame]) -> None:
        if told and self._repair.terminal is told[-1]:
            await self._record.ended(self._exchange, told[-1].data["response"])


def _named(frame: Frame, name: str) -> Frame:
    """The chunk under another id; what is no chunk passes as it is."""
    try:
        data = frame.data
    except ValueError:
        return frame
    return Frame.of({**data, "id": name}) if "choices" in data else frame
