"""One HTTP answer: the engine's sink. It watches for the client that leaves, and keeps silent streams alive.

The status line of a stream is held until there is something to show, so that an early failure becomes an HTTP status;
after `hold_seconds` it goes out with a comment. All writes are whole events, so a keep-alive never lands inside one.

Most answers are there before anybody could miss them. So whether the client is still there is asked from
`WATCH_AFTER_SECONDS` on: a task for each request would cost as much as the rest of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send

from gateway.engine.turn import Voice
from gateway.errors import GatewayError, Stopping

if TYPE_CHECKING:
    from gateway.config import Limits

Headers = dict[str, str]
Offer = Callable[[bytes], bool]
"""Sends a piece of a body that has begun, if the server can take it at once; `Sent` has it."""

WATCH_AFTER_SECONDS = 0.05
"""What a client that leaves at once can cost at most."""
_SHORTEST_SECONDS = 0.001

EVENT_STREAM: Headers = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


class Reply:
    """The answer to one request. Use through `answer`."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits) -> None:
        self.committed = False
        self.client_left = False
        self._receive = receive
        self._send = send
        self._offer: Offer | None = getattr(send, "offer", None)
        self.offers = self._offer is not None
        self._limits = limits
        self._facts = scope["state"].setdefault("facts", {})
        self._headers: Headers | None = None
        self._voice: Voice | None = None
        self._finished = False
        self._lock: asyncio.Lock | None = None
        self._open = False
        """The status line of a stream has been sent."""
        self._output_at = self._sent_at = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # the engine's side ------------------------------------------------------------------------------------------------

    async def document(self, body: bytes, headers: Headers) -> None:
        """Send a whole JSON answer."""
        self.committed = self._finished = True
        await self._start(200, {"content-type": "application/json", **headers, "content-length": str(len(body))})
        await self._send({"type": "http.response.body", "body": body})

    def stream(self, headers: Headers, voice: Voice) -> None:
        """Announce an SSE answer, or tell more of one that was announced; nothing is sent yet."""
        self._headers = {**EVENT_STREAM, **headers}
        self._voice = voice

    async def write(self, data: bytes) -> None:
        """Send whole events at once; the first call sends the status line."""
        self._output_at = self._sent_at = time.monotonic()
        if self._open and not self._finished:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        else:
            await self._put(data)

    def offer(self, data: bytes) -> bool:
        """`write`, if the status line is out and the server can send at once. False: nothing was done."""
        if self._offer is None or not self._open or self._finished or not self._offer(data):
            return False
        self._output_at = self._sent_at = time.monotonic()
        return True

    async def finish(self, data: bytes = b"") -> None:
        """End the stream in good order: these last events and the end are one write."""
        self._finished = True
        if self._lock is not None:
            async with self._lock:
                pass  # a silence that is being filled is filled before
        await self._commit()
        await self._send({"type": "http.response.body", "body": data})

    # the client's side ------------------------------------------------------------------------------------------------

    def watch(self, task: asyncio.Task[object]) -> None:
        """Until `leave`: cancel `task` when the client leaves, fill silences. Begins a little later."""
        self._timer = self._loop.call_later(min(WATCH_AFTER_SECONDS, self._patience()), self._begin, task)

    def leave(self) -> None:
        """The answer is over, one way or another."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()  # the end of such a task tells where it was, and so holds this answer: no circles

    def _begin(self, task: asyncio.Task[object]) -> None:
        self._tasks.append(self._loop.create_task(self._notice(task)))
        self._listen()

    async def _notice(self, task: asyncio.Task[object]) -> None:
        """Cancel `task` when the client leaves before its answer is complete."""
        while not self._finished:
            message = await self._receive()
            if message["type"] == "http.disconnect" and not self._finished:
                self.client_left = True
                task.cancel()
                return

    def _patience(self) -> float:
        """Seconds until silence has to be filled."""
        pause = self._limits.keep_alive_seconds if self.committed else self._limits.hold_seconds
        return self._sent_at + pause - time.monotonic()

    def _listen(self) -> None:
        """Called when a silence may have lasted long enough."""
        patience = self._patience()
        if patience <= _SHORTEST_SECONDS:
            if self._voice is not None:
                self._tasks[1:] = [self._loop.create_task(self._fill_silence())]
                return
            self._sent_at = time.monotonic()  # a JSON answer: silence is all there is
            patience = self._patience()
        self._timer = self._loop.call_later(max(_SHORTEST_SECONDS, patience), self._listen)

    async def _fill_silence(self) -> None:
        assert self._voice is not None
        await self._put(self._voice.keep_alive(time.monotonic() - self._output_at))
        self._listen()

    async def stop(self, error: GatewayError) -> None:
        """End an answer that is under way: with the error inside it, or by raising the error when nothing was sent."""
        if not self.committed:
            raise error
        if self._voice is not None and not self._finished:
            await self.finish(self._voice.fail(error))

    async def _put(self, data: bytes) -> None:
        async with self._starting():  # silences are filled beside the engine; the status line comes first
            if self._finished:
                return
            await self._commit()
            self._sent_at = time.monotonic()
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def _starting(self) -> asyncio.Lock:
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

    async def _commit(self) -> None:
        if self.committed:
            return
        self.committed = True
        await self._start(200, self._headers or EVENT_STREAM)
        self._headers = None
        self._open = True

    async def _start(self, status: int, headers: Headers) -> None:
        self._facts["status"] = status
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})


async def answer(
    scope: Scope, receive: Receive, send: Send, limits: Limits, run: Callable[[Reply], Awaitable[None]]
) -> None:
    """Let `run` fill the answer; when the client leaves, cancel it and end quietly.

    Whoever else cancels is the server, which stops: the client is told. Raises what `run` raises, and Stopping.
    """
    task = asyncio.current_task()
    assert task is not None
    reply = Reply(scope, receive, send, limits)
    reply.watch(task)
    try:
        await run(reply)
    except GatewayError as error:
        await reply.stop(error)  # a sign of life may have gone out before anybody had an answer
    except asyncio.CancelledError:
        task.uncancel()
        if reply.client_left:
            scope["state"]["facts"]["outcome"] = "client_left"
            return
        scope["state"]["facts"]["outcome"] = "stopped"
        await reply.stop(Stopping("The gateway is being stopped; try again in a moment.", headers={"Retry-After": "2"}))
    finally:
        reply.leave()
