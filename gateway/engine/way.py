"""A stream's way to its client, by the store where it is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
                await self._aside.read(frames)
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
    """A stream that passes in its server's own words, read in the inner language too, to be kept."""

    __slots__ = ("_exchange", "_inlet", "_make", "_record", "_repair")

    def __init__(self, record: Record, exchange: Exchange, inlet: Inlet, make: Callable[[str], Repair]) -> None:
        """`make` makes the repair for an id, which is the one that the client sees."""
        self._record = record
        self._exchange = exchange
        self._inlet = inlet
        self._make = make
        self._repair: Repair | None = None

    async def read(self, frames: Sequence[Frame]) -> None:
        """Keep the response when these frames end it, before the client hears of it."""
        repair = self._of(next(filter(None, map(_chunk_id, frames)), ""))
        await self._keep(repair, repair.feed(self._inlet.feed(frames)))

    async def finish(self) -> None:
        """The stream is over, in good order or not."""
        repair = self._of("")
        await self._keep(repair, [*repair.feed(self._inlet.finish()), *repair.abort(truncated())])

    async def fail(self, error: GatewayError) -> None:
        repair = self._of("")
        await self._keep(repair, repair.abort(error))

    def _of(self, name: str) -> Repair:
        if self._repair is None:
            self._repair = self._make(name)
            self._record.watch(self._exchange, self._repair, None)
        return self._repair

    async def _keep(self, repair: Repair, told: Sequence[Frame]) -> None:
        if told and repair.terminal is told[-1]:
            await self._record.ended(self._exchange, told[-1].data["response"])


def _chunk_id(frame: Frame) -> str:
    """The id that the client sees; "" in frames that have none."""
    try:
        name = frame.data.get("id")
    except ValueError:
        return ""
    return name if isinstance(name, str) else ""
