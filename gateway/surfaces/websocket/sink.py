"""One turn's answer as messages: the engine's sink, with an event in each message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from gateway.core import json
from gateway.core.events import EVENTS, Kind
from gateway.core.frames import DONE, Frame
from gateway.engine.turn import Voice
from gateway.errors import GatewayError
from gateway.surfaces.middleware.body import ClientLeft
from gateway.surfaces.websocket.events import error_event
from gateway.wire.sse import SSEReader

if TYPE_CHECKING:
    from gateway.config import Limits

Json = dict[str, Any]
SendText = Callable[[str], Awaitable[None]]
"""Sends one message, when the client can take it. Raises ClientLeft."""

_TERMINALS = frozenset(name for name, event in EVENTS.items() if event.kind is Kind.TERMINAL)


class TurnSink:
    """The answer to one `response.create`.

    Each turn has exactly one last message, since the next turn follows on the same socket: an event that ends the
    response, or, when nothing of it was sent yet, an `error`. So the `error` event which goes before `response.failed`
    in an HTTP stream is left out; the failed response says the same.
    """

    offers = False

    def __init__(self, send: SendText, limits: Limits, *, lane: str | None) -> None:
        self.committed = False
        self.response: Json | None = None
        """The response as its last event told it."""
        self.first_at: float | None = None
        self._failed = False
        self._send = send
        self._limits = limits
        self._lane = b"" if lane is None else b',"stream_id":%b}' % json.dumps(lane)
        self._reader = SSEReader(2 * limits.response_bytes)
        self._voice: Voice | None = None
        self._left_out: int | None = None
        self._lock = asyncio.Lock()
        self._output_at = time.monotonic()

    # the engine's side ------------------------------------------------------------------------------------------------

    async def document(self, body: bytes, headers: dict[str, str]) -> None:
        """Never asked for. Raises TypeError: each turn over a WebSocket is streamed."""
        raise TypeError("a turn over a WebSocket is streamed")

    def stream(self, headers: dict[str, str], voice: Voice) -> None:
        """Messages have no headers; what they would tell is lost here."""
        self._voice = voice

    async def write(self, data: bytes) -> None:
        """Send whole events, each as one message; waits until the client has taken them."""
        self._output_at = time.monotonic()
        await self._put(data)

    def offer(self, data: bytes) -> bool:
        """Never: each message waits until the client has taken the one before."""
        return False

    async def finish(self, data: bytes = b"") -> None:
        """The last event says it all."""
        if data:
            await self.write(data)

    # the connection's side --------------------------------------------------------------------------------------------

    async def tell(self, event: Json) -> None:
        """Send an event of the gateway's own."""
        async with self._lock:
            await self._message(json.dumps(event))

    async def fail(self, error: GatewayError) -> None:
        """End the turn with an error: inside the response that has begun, or in its place. Once is enough."""
        if self.response is not None or self._failed:
            return
        self._failed = True
        if self.committed and self._voice is not None:
            await self._put(self._voice.fail(error))
        if self.response is None:
            await self.tell(error_event(error))

    async def fill_silence(self) -> None:
        """Until cancelled: let go of the first events after `hold_seconds`, and say what clients need to hear."""
        await asyncio.sleep(self._limits.hold_seconds)
        self.committed = True
        try:
            while True:
                if self._voice is not None:
                    await self._put(self._voice.keep_alive(time.monotonic() - self._output_at))
                await asyncio.sleep(self._limits.keep_alive_seconds)
        except ClientLeft:
            return  # the reader learns of it, too

    async def _put(self, data: bytes) -> None:
        async with self._lock:  # the engine and the filler of silences both write
            for frame in self._reader.feed(data):
                await self._show(frame)

    async def _show(self, frame: Frame) -> None:
        kind = frame.type
        if kind == DONE or self.response is not None:
            return
        if kind == "error":
            self._left_out = frame.data.get("sequence_number")
            return
        if kind in _TERMINALS:
            self.response = frame.data["response"]
            if self._left_out is not None:
                frame = Frame.of({**frame.data, "sequence_number": self._left_out})
        await self._message(frame.payload)

    async def _message(self, payload: bytes) -> None:
        self.committed = True
        if self.first_at is None:
            self.first_at = time.monotonic()
        if self._lane:
            payload = payload.rstrip()[:-1] + self._lane
        await self._send(payload.decode("utf-8", "replace"))  # a text message must be UTF-8, whatever servers send
