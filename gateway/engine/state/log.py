"""The answer of a turn that runs on: its events go to the log of the store, and whoever waits reads them there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from gateway.core.frames import Frame
from gateway.engine.turn import Sink, Voice
from gateway.errors import GatewayError, StoreUnavailable
from gateway.store.rows import Frame as Logged
from gateway.wire.sse import END, KEEP_ALIVE

if TYPE_CHECKING:
    from gateway.store.frames import FrameLog

WAITING_BYTES = 1024 * 1024
"""What may wait for a commit; then the upstream has to wait."""

PAUSES = (0.25, 1.0, 4.0)
"""Seconds between the tries of a commit: what the upstream has run up is worth more than a database that hiccups."""


class LogSink:
    """A `Sink`: events into the log, in groups, while those that came first are being committed.

    What is written once `hold` was called, or with the end mark behind it, is not logged but left in `last`, for the
    transaction that ends the response: a log that looks complete must not be one that somebody else has to end.
    """

    offers = False

    def __init__(self, log: FrameLog, key: str, *, pauses: Sequence[float] = PAUSES) -> None:
        self.committed = False
        self.complete = asyncio.Event()
        """The whole answer is here; what its run still does is of no interest to clients."""
        self.last: list[Logged] = []
        self.headers: dict[str, str] = {}
        self._log = log
        self._key = key
        self._pauses = pauses
        self._next = 0
        self._held = False
        self._voice: Voice | None = None
        self._waiting: list[Logged] = []
        self._waiting_bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    async def document(self, body: bytes, headers: dict[str, str]) -> None:
        """A JSON answer is the one frame of its log."""
        self.committed = True
        self.headers = headers
        self.last.append(Logged(0, body))
        self.complete.set()

    def stream(self, headers: dict[str, str], voice: Voice) -> None:
        self.headers = headers
        self._voice = voice

    async def write(self, data: bytes) -> None:
        """Raises LeaseLost when another process has ended the response, StoreUnavailable.

        It raises once: what is written after that are the last words of the stream, which wait for `flush`.
        """
        self.committed = True
        frames = self.cut(data)
        if self._held or data.endswith(END):
            self.last += frames
            return
        self._waiting += frames
        self._waiting_bytes += len(data)
        if self._failure is not None:
            return
        if self._waiting_bytes > WAITING_BYTES and self._writer is not None:
            await asyncio.wait([self._writer])
        self._failure = self._outcome()
        if self._failure is not None:
            raise self._failure
        self._start()

    def offer(self, data: bytes) -> bool:
        """Never: a commit is waited for."""
        return False

    async def finish(self, data: bytes = b"") -> None:
        """The log ends with its response."""
        if data:
            await self.write(data)
        self.complete.set()

    def hold(self) -> None:
        """The response has ended: what is written from now on is its end."""
        self._held = True

    async def flush(self) -> None:
        """Commit what waits. Raises what `write` raises; then it may be called again."""
        while self._waiting or self._writer is not None:
            self._start()
            if self._writer is not None:
                await asyncio.wait([self._writer])
                failure, self._writer = self._outcome(), None
                if failure is not None:
                    raise failure

    def fail(self, error: GatewayError) -> list[Logged]:
        """An error in the client's dialect, as the last events of a stream that has begun; none in any other answer."""
        return self.cut(self._voice.fail(error)) if self._voice is not None and self.committed else []

    def cut(self, data: bytes) -> list[Logged]:
        """The events in these bytes, numbered; comments and the end mark are no events."""
        frames = []
        for event in data.split(b"\n\n"):
            if event and not event.startswith(b":") and event + b"\n\n" != END:
                frames.append(Logged(self._next, event + b"\n\n"))
                self._next += 1
        return frames

    def _start(self) -> None:
        if self._waiting and (self._writer is None or self._writer.done()):
            # A task of its own, that nobody cancels: half of a group would be a hole in the log.
            self._writer = asyncio.get_running_loop().create_task(self._write())

    def _outcome(self) -> BaseException | None:
        """What the writer ended with; None while it runs, too."""
        return self._writer.exception() if self._writer is not None and self._writer.done() else None

    async def _write(self) -> None:
        while self._waiting:
            frames, self._waiting, self._waiting_bytes = self._waiting, [], 0
            try:
                await self._append(frames)
            except StoreUnavailable:
                self._waiting[:0] = frames
                raise

    async def _append(self, frames: list[Logged]) -> None:
        """Commit them, in several tries."""
        pauses = iter(self._pauses)
        missing: list[Logged] | None = frames
        while True:
            try:
                if missing is None:
                    missing = await self._missing(frames)
                await self._log.append(self._key, missing)
            except StoreUnavailable:
                pause = next(pauses, None)
                if pause is None:
                    raise
                missing = None
            else:
                return
            await asyncio.sleep(pause)

    async def _missing(self, frames: list[Logged]) -> list[Logged]:
        """Those that are not there: nobody knows whether a commit was one whose answer did not come."""
        there = await self._log.read(self._key, frames[0].seq - 1, limit=len(frames))
        return frames[len(there) :]


async def follow(
    log: FrameLog, key: str, after: int, headers: Callable[[], dict[str, str]], sink: Sink, *, dialect: str
) -> int:
    """Send the events of a log beyond number `after`, and those to come, until its response ends; how many they were.

    `headers`: those of the answer. `dialect`: the name of the client's. Not even an end is sent when there were none at
    all. Raises NotFound when the response has been deleted.
    """
    voice = LogVoice(after, dialect)
    sink.stream(headers(), voice)
    count = 0
    async with aclosing(log.follow(key, after)) as frames:
        async for frame in frames:
            if not count:
                sink.stream(headers(), voice)  # they may be known only now
            voice.last = frame.seq
            count += 1
            await sink.write(frame.data)
    if count or after >= 0:
        await sink.finish(END)
    return count


class LogVoice:
    """What the stream says when the log is silent or out of reach. The response itself may be well."""

    def __init__(self, last: int, dialect: str) -> None:
        self.last = last
        self._dialect = dialect

    def keep_alive(self, silent_seconds: float) -> bytes:
        return KEEP_ALIVE

    def fail(self, error: GatewayError) -> bytes:
        """An error event that the log does not have: under the last number that was seen, so that a client that goes
        on behind it misses nothing."""
        return error_event(self._dialect, max(self.last, 0), error) + END


def error_event(dialect: str, number: int, error: GatewayError) -> bytes:
    """The error at the end of a stream in the words of its dialect; to Responses clients in both of its forms (§8.5):
    nested for SDKs, flat for the published type."""
    told = error.error_object()
    event: dict[str, Any] = {"error": told}
    if dialect == "responses":
        flat = {name: told[name] for name in ("code", "message", "param")}
        event = {"type": "error", "sequence_number": number, **flat, "error": told}
    return Frame.of(event).raw
