"""One HTTP answer: the engine's sink. It watches for the client that leaves, and keeps silent streams alive.

The status line of a stream is held until there is something to show, so that an early failure becomes an HTTP status;
after `hold_seconds` it goes out with a comment. All writes are whole events, so a keep-alive never lands inside one.

Most answers are there before anybody could miss them. So whether the client is still there is asked from
the next round but one (`surfaces.rounds`): a task for each request would cost as much as the rest of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send

from gateway.engine.turn import Voice
from gateway.errors import GatewayError, Stopping
from gateway.surfaces.rounds import PAUSE_SECONDS, Rounds, rounds_of

if TYPE_CHECKING:
    from gateway.config import Limits

Headers = dict[str, str]
RawHeaders = list[tuple[bytes, bytes]]
Offer = Callable[[bytes], bool]
"""Sends a piece of a body that has begun, if the server can take it at once; `Sent` has it."""
Answer = Callable[[int, RawHeaders, bytes], bool]
"""Sends a whole answer, if the server can take it at once; `Sent` has it."""

TASK = "gateway.task"
"""Where in the scope a server may put the task in which it calls the application: to ask asyncio is dearer."""

_SHORTEST_SECONDS = 0.001

_DOCUMENT = (b"content-type", b"application/json")
_EVENT_STREAM = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


class Reply:
    """The answer to one request. Use through `answer`."""

    __slots__ = (
        "__weakref__",
        "_answer",
        "_finished",
        "_headers",
        "_limits",
        "_lock",
        "_loop",
        "_offer",
        "_open",
        "_output_at",
        "_receive",
        "_rounds",
        "_send",
        "_sent_at",
        "_task",
        "_tasks",
        "_timer",
        "_voice",
        "client_left",
        "committed",
        "offers",
    )

    def __init__(self, receive: Receive, send: Send, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self.committed = False
        self.client_left = False
        self._receive = receive
        self._send = send
        self._offer: Offer | None = getattr(send, "offer", None)
        self._answer: Answer | None = getattr(send, "answer", None)
        self.offers = self._offer is not None
        self._limits = limits
        self._headers: Headers = {}
        self._voice: Voice | None = None
        self._finished = False
        self._lock: asyncio.Lock | None = None
        self._open = False
        """The status line of a stream has been sent."""
        self._output_at = self._sent_at = time.monotonic()
        self._loop = loop
        self._rounds: Rounds | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # the engine's side ------------------------------------------------------------------------------------------------

    async def document(self, body: bytes, headers: Headers) -> None:
        """Send a whole JSON answer."""
        self.committed = self._finished = True
        head = [_DOCUMENT, *_raw(headers), (b"content-length", b"%d" % len(body))]
        if self._answer is None or not self._answer(200, head, body):
            await self._send_both(head, body)

    def stream(self, headers: Headers, voice: Voice) -> None:
        """Announce an SSE answer, or tell more of one that was announced; nothing is sent yet."""
        self._headers = headers
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
        if self.committed:
            await self._send({"type": "http.response.body", "body": data})
        else:
            self.committed = True
            head = [*_EVENT_STREAM, *_raw(self._headers)]
            if self._answer is None or not self._answer(200, head, data):
                await self._send_both(head, data)

    # the client's side ------------------------------------------------------------------------------------------------

    def watch(self, task: asyncio.Task[object]) -> None:
        """Until `leave`: cancel `task` when the client leaves, fill silences. Begins a little later."""
        self._task = task
        if self._limits.hold_seconds < 2 * PAUSE_SECONDS:
            self._timer = self._loop.call_later(self._limits.hold_seconds, self.late)
        else:
            self._rounds = rounds_of(self._loop)
            self._rounds.join(self)

    def leave(self) -> None:
        """The answer is over, one way or another."""
        if self._rounds is not None:
            self._rounds.leave(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._tasks:
            for task in self._tasks:
                task.cancel()
            self._tasks.clear()  # the end of such a task tells where it was, and so holds this answer: no circles
        self._task = None

    def late(self) -> None:
        """The answer was not there at once."""
        if self._task is not None:
            self._tasks.append(self._loop.create_task(self._notice(self._task)))
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
        headers = [*_EVENT_STREAM, *_raw(self._headers)]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        self._headers = {}
        self._open = True

    async def _send_both(self, headers: RawHeaders, body: bytes) -> None:
        """A whole answer that cannot be sent at once."""
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _raw(headers: Headers) -> RawHeaders:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


async def answer(
    scope: Scope, receive: Receive, send: Send, limits: Limits, run: Callable[[Reply], Awaitable[None]]
) -> None:
    """Let `run` fill the answer; when the client leaves, cancel it and end quietly.

    Whoever else cancels is the server, which stops: the client is told. Raises what `run` raises, and Stopping.
    """
    task: asyncio.Task[object] | None = scope.get(TASK) or asyncio.current_task()
    assert task is not None
    reply = Reply(receive, send, limits, task.get_loop())
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
