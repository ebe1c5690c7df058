"""A stream's way to its client: read, without secrets, held until there is output to show, kept where it is kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gateway.core.frames import Frame
from gateway.core.redact import Redaction
from gateway.core.repair import Repair
from gateway.dialects import Exchange, Inlet
from gateway.engine.channel import Channel, NativeChannel, TranslatedChannel, truncated
from gateway.engine.turn import Record, Sink, Turn
from gateway.errors import GatewayError
from gateway.upstreams import Join
from gateway.wire import sse
from gateway.wire.deltas import Gathering

if TYPE_CHECKING:
    from gateway.engine.plan import Plan

Json = dict[str, Any]

HELD_FRAMES = 256
"""A prelude has two or three frames; whoever sends more is not holding back output."""


class Way(Protocol):
    """A stream on its way: reads of the upstream in, what the client gets for each of them out."""

    @property
    def channel(self) -> Channel: ...

    @property
    def keeping(self) -> bool:
        """The response has ended and has to be kept, before the client hears of it."""
        ...

    def feed(self, chunk: bytes) -> bytes:
        """The bytes for one read; b"" while there is no output to show, so that the client has no status line yet.

        They wait for `keep` while the way is `keeping`. Raises the GatewayError that the stream tells before there is
        output.
        """
        ...

    @property
    def join(self) -> Join | None:
        """What makes one piece, for `feed`, of a stream that comes at once; None where the bytes are as good."""
        ...

    async def keep(self) -> bytes:
        """Keep the response; then the bytes that waited for it. Raises GatewayError when it cannot be kept."""
        ...

    async def finish(self) -> bytes:
        """What is owed when the upstream's stream is over. Raises as `feed` does, and when it never began to answer."""
        ...

    async def fail(self, error: GatewayError) -> bytes:
        """The error as the end of the stream."""
        ...


class Source:
    """Bytes of an upstream in, frames out: read, without secrets, and in the inner language where they were not."""

    __slots__ = ("_frames", "_inlet", "_reader", "_redaction")

    def __init__(
        self, reader: sse.SSEReader, redaction: Redaction, inlet: Inlet | None, *, gathered: bool = False
    ) -> None:
        """`gathered`: deltas in a row may come as one frame."""
        self._reader = reader
        self._redaction = redaction
        self._inlet = inlet
        self._frames = Gathering().frames if gathered else sse.frames

    def feed(self, chunk: bytes) -> Sequence[Frame]:
        """The frames of one read."""
        found = self._redaction.frames(self._frames(self._reader.whole(chunk)))
        return found if self._inlet is None else self._inlet.feed(found)

    def finish(self) -> Sequence[Frame]:
        """The frames still owed when the upstream's stream is over."""
        found = self._redaction.frames(self._reader.finish())
        return found if self._inlet is None else [*self._inlet.feed(found), *self._inlet.finish()]


class PassingWay:
    """The way of a stream in the client's own dialect that nobody keeps: bytes, few of which ever become frames."""

    __slots__ = ("_count", "_held", "_opened", "_reader", "_redaction", "_relay", "_sink", "channel")
    keeping = False

    def __init__(self, channel: NativeChannel, reader: sse.SSEReader, redaction: Redaction, sink: Sink) -> None:
        self.channel = channel
        self._relay = channel.relay
        self._reader = reader
        self._redaction = redaction
        self._sink = sink
        self._opened = False
        self._held: list[bytes] = []
        self._count = 0
        """Frames that were looked at for output to show."""

    async def keep(self) -> bytes:
        """Never asked for."""
        return b""

    def join(self, pieces: list[bytes]) -> bytes:
        """The pieces of a whole stream as one. They are looked at when they come, for they are at hand then: from the
        memory, the same would cost half as much again."""
        return self._relay.join(pieces, self._reader.max_event_bytes)

    def feed(self, chunk: bytes) -> bytes:
        if not self._opened and self._relay.has_joined(chunk):
            self._opened = True
            return chunk
        events = self._reader.whole(chunk)
        if not self._opened:
            before = self._count
            self._opened = self._relay.opens(events) or self._shows_output(events)
            if not self._opened:
                if self._count > before:
                    self._held.append(events)
                return b""
            if self._held:
                events = self._let_go(events)
        return self._relay.pass_on(events, self._read)

    def _shows_output(self, events: bytes) -> bool:
        return _opens(self._one_by_one(events), self.channel, self._sink) or self._count > HELD_FRAMES

    async def finish(self) -> bytes:
        rest = self._reader.rest()
        if not self._opened:
            if not _opens(self._one_by_one(rest), self.channel, self._sink):
                raise truncated()
            rest = self._let_go(rest)
        data = self._relay.pass_on(rest, self._read)
        return data if self._relay.finished else data + self.channel.end()

    async def fail(self, error: GatewayError) -> bytes:
        return self.channel.fail(error)

    def _read(self, events: bytes) -> Sequence[Frame]:
        return self._redaction.frames(sse.frames(events))

    def _one_by_one(self, events: bytes) -> Iterator[Frame]:
        """The frames of these events, each read when it is asked for: the first few are all that anybody wants."""
        at = 0
        while at < len(events):
            end = events.find(b"\n\n", at) + 2
            for frame in self._read(events[at:end]):
                self._count += 1
                yield frame
            at = end

    def _let_go(self, events: bytes) -> bytes:
        held, self._held = self._held, []
        return b"".join([*held, events])


class FrameWay(ABC):
    """The way of a stream of which every event is read."""

    join = None

    __slots__ = ("_held", "_opened", "_sink", "_source", "channel", "keeping")

    def __init__(self, channel: Channel, source: Source, sink: Sink) -> None:
        self.channel = channel
        self._source = source
        self._sink = sink
        self._opened = False
        self._held: list[Frame] = []
        self.keeping = False

    def feed(self, chunk: bytes) -> bytes:
        frames = self._source.feed(chunk)
        if not self._opened:
            self._held += frames
            self._opened = _opens(frames, self.channel, self._sink) or len(self._held) > HELD_FRAMES
            if not self._opened:
                return b""
            frames, self._held = self._held, []
        return self._pass(frames)

    async def keep(self) -> bytes:
        self.keeping = False
        return await self._kept()

    async def finish(self) -> bytes:
        frames = self._source.finish()
        if not self._opened:
            if not _opens(frames, self.channel, self._sink):
                raise truncated()
            frames = [*self._held, *frames]
        data = self._pass(frames)
        if self.keeping:
            data += await self.keep()
        return data if self.channel.finished else data + await self._end()

    @abstractmethod
    async def fail(self, error: GatewayError) -> bytes:
        """The error as the end of the stream."""

    @abstractmethod
    def _pass(self, frames: Sequence[Frame]) -> bytes:
        """The bytes for these frames; b"" when they have to wait for `keep`."""

    @abstractmethod
    async def _kept(self) -> bytes:
        """Keep the response; the bytes for the frames that wait for it."""

    @abstractmethod
    async def _end(self) -> bytes:
        """What is owed to the client of a stream that ended without its last event."""


class TranslatedWay(FrameWay):
    """The way through the inner language. Where the stream is kept, its end is, before the client hears of it."""

    __slots__ = ("_ending", "_plan", "_record", "_translated")

    def __init__(self, turn: Turn, plan: Plan, channel: TranslatedChannel, source: Source, sink: Sink) -> None:
        super().__init__(channel, source, sink)
        self._translated = channel
        self._plan = plan
        self._ending: Sequence[Frame] = ()
        self._record = turn.record
        if self._record is not None:
            assert plan.exchange is not None
            self._record.watch(plan.exchange, channel.repair, channel.encode)

    async def fail(self, error: GatewayError) -> bytes:
        channel = self._translated
        if self._record is None:
            return channel.fail(error)
        if channel.ended and not channel.finished:
            return channel.broken(error)  # it is its end that could not be kept
        return await self._told(self._record, channel.repair.abort(error))

    def _pass(self, frames: Sequence[Frame]) -> bytes:
        channel = self._translated
        repaired = channel.repaired(frames)
        if channel.ended:
            self._plan.told(channel.response())
            if self._record is not None:
                self._ending, self.keeping = repaired, True
                return b""
        return channel.encode(repaired)

    async def _kept(self) -> bytes:
        assert self._record is not None
        return await self._told(self._record, self._ending)

    async def _end(self) -> bytes:
        return self._translated.end() if self._record is None else await self.fail(truncated())

    async def _told(self, record: Record, frames: Sequence[Frame]) -> bytes:
        channel = self._translated
        if channel.ended and frames:
            assert self._plan.exchange is not None
            await record.ended(self._plan.exchange, channel.response())
        return channel.encode(frames)


class KeptWay(FrameWay):
    """The way of a stream that passes in its server's own words and is kept in the inner language."""

    __slots__ = ("_aside", "_ending")

    def __init__(self, channel: Channel, source: Source, sink: Sink, aside: Aside) -> None:
        super().__init__(channel, source, sink)
        self._aside = aside
        self._ending: Sequence[Frame] = ()

    async def fail(self, error: GatewayError) -> bytes:
        await self._aside.fail(error)
        return self.channel.fail(error)

    def _pass(self, frames: Sequence[Frame]) -> bytes:
        named = self._aside.read(frames)
        if self._aside.ended is not None:
            self._ending, self.keeping = named, True
            return b""
        return self.channel.feed(named)

    async def _kept(self) -> bytes:
        await self._aside.keep()
        return self.channel.feed(self._ending)

    async def _end(self) -> bytes:
        await self._aside.finish()
        return self.channel.end()


class Aside:
    """A stream that passes in its server's own words, read in the inner language too, to be kept.

    Its chunks get an id of ours: servers give theirs again, and what is kept under an id must be found by it.
    """

    __slots__ = ("_exchange", "_inlet", "_name", "_record", "_repair", "ended")

    def __init__(self, record: Record, exchange: Exchange, inlet: Inlet, repair: Repair, name: str) -> None:
        self._record = record
        self._exchange = exchange
        self._inlet = inlet
        self._repair = repair
        self._name = name
        self.ended: Json | None = None
        """The response that has ended and has not been kept."""
        record.watch(exchange, repair, None)

    def read(self, frames: Sequence[Frame]) -> list[Frame]:
        """The frames for the client, who must not hear of them before `keep` when they end the response."""
        self._look(self._repair.feed(self._inlet.feed(frames)))
        return [_named(frame, self._name) for frame in frames]

    async def finish(self) -> None:
        """The stream is over, in good order or not."""
        self._look([*self._repair.feed(self._inlet.finish()), *self._repair.abort(truncated())])
        await self.keep()

    async def fail(self, error: GatewayError) -> None:
        self._look(self._repair.abort(error))
        await self.keep()

    async def keep(self) -> None:
        """Keep the response if it has ended."""
        ended, self.ended = self.ended, None
        if ended is not None:
            await self._record.ended(self._exchange, ended)

    def _look(self, told: Sequence[Frame]) -> None:
        if told and self._repair.terminal is told[-1]:
            self.ended = told[-1].data["response"]


def _named(frame: Frame, name: str) -> Frame:
    """The chunk under another id; what is no chunk passes as it is."""
    try:
        data = frame.data
    except ValueError:
        return frame
    return Frame.of({**data, "id": name}) if "choices" in data else frame


def _opens(frames: Iterable[Frame], channel: Channel, sink: Sink) -> bool:
    """Whether these frames are the first to show output.

    Raises the GatewayError they tell instead, while an HTTP status can still say so.
    """
    if sink.committed:
        return True
    for frame in frames:
        if error := channel.early_failure(frame):
            raise error
        if channel.shows_output(frame):
            return True
    return False
