"""One request and its answer, as ASGI has them: `receive` and `send` of an application.

It stands in for uvicorn's class of that purpose, which does for each request what can be done once, or not at all: it
asks its event where nothing has to be waited for, searches every header twice, and copies bodies.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.cli.heads import STARTS, Headers, lines_of
from gateway.cli.place import PLACE_BYTES, Place
from gateway.cli.waiting import Event
from gateway.surfaces.reply import TASK

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Scope
    from uvicorn.protocols.http.flow_control import FlowControl

    from gateway.cli.outbox import Outbox
    from gateway.cli.protocol import Protocol

HIGH_WATER = 1024 * 1024
"""So much of a body may wait to be received; then the client has to."""

_PIECE_BYTES = 64
"""What a piece costs beside its bytes: of very small ones fewer may wait."""

_INTERNAL: list[tuple[bytes, bytes]] = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", b"21"),
    (b"connection", b"close"),
]


class Cycle:
    """Lives as long as its request. `protocol` writes into it what comes, and is told when the answer is complete.

    It must not hold the scope, which holds functions of it.
    """

    __slots__ = (
        "_chunked",
        "_event",
        "_expects_continue",
        "_flow",
        "_head_only",
        "_in_pieces",
        "_left_to_send",
        "_news",
        "_outbox",
        "_pieces",
        "_place",
        "_protocol",
        "_task",
        "_waiting_bytes",
        "_wants_whole",
        "complete",
        "disconnected",
        "keep_alive",
        "more_body",
        "started",
    )

    def __init__(
        self, protocol: Protocol, outbox: Outbox, head_only: bool, expects_continue: bool, keep_alive: bool
    ) -> None:
        """`head_only`: the answer has no body, whatever its head says. `keep_alive`: the client wants to go on.

        To be given by position: names would cost a dict for each request.
        """
        self._protocol: Protocol | None = protocol
        self._outbox = outbox
        self._flow: FlowControl = protocol.flow
        self._task: asyncio.Task[None] | None = None
        self.disconnected = False
        self.keep_alive = keep_alive
        # the request
        self._expects_continue = expects_continue
        self._pieces: list[bytes | Place] = []
        self._waiting_bytes = 0
        self._place: Place | None = None
        """What comes behind the pieces."""
        self._wants_whole = self._in_pieces = False
        """What the application asked for first: the whole body, or what has come."""
        self.more_body = True
        self._news = False
        """Something came that nobody has received."""
        self._event: Event | None = None
        # the answer
        self._head_only = head_only
        self._chunked: bool | None = None
        self._left_to_send = 0
        self.started = False
        self.complete = False

    # the connection's side --------------------------------------------------------------------------------------------

    def start(self, app: ASGIApp, scope: Scope) -> None:
        """Let `app` answer, in a task of its own: what it sets in its context, and who cancels it, ends with it."""
        protocol = self._protocol
        assert protocol is not None
        task = self._task = scope[TASK] = protocol.loop.create_task(self._run(app, scope))
        protocol.tasks.add(task)

    def put(self, piece: bytes) -> None:
        """A piece of the body has come."""
        self._add(piece, len(piece))

    def gather(self, length: int) -> int:
        """From now on the body, of that length, comes as `place` says. Returns how much of it has not come yet.

        To be called before anybody had the time to receive of it.
        """
        start = self._taken()
        more = length - len(start)
        self._place = Place(start, more)
        return more

    def place(self, more: int) -> Place | None:
        """Where the next of so many `more` bytes go, to be `filled`; None: they are to be put, in pieces."""
        if self._in_pieces or self.complete or self.disconnected:
            return None
        place = self._place
        if place is None:
            place = self._place = Place(b"", more)
        elif place.is_full:
            place = self._place = Place(place.content(), more)
        return place

    def filled(self, count: int, more: int) -> None:
        """So many bytes have come where `place` said, and so many are still to come."""
        place = self._place
        assert place is not None
        place.fill(count)
        if place.is_full and (not more or place.size >= PLACE_BYTES):
            self._place = None
            self._add(place, place.size)
        else:
            self._tell()

    def end(self) -> None:
        """The body is complete."""
        self.more_body = False
        self._tell()

    def leave(self) -> None:
        """The client is gone, or will not hear this answer."""
        if not self.complete:
            self.disconnected = True
        self._forget()
        self._tell()

    # the application's side -------------------------------------------------------------------------------------------

    def whole(self) -> bytes | None:
        """The whole body, if it has come and nobody has received of it: what `receive` would say, without a wait.

        Whoever has asked for it is told by `receive` that more has come, and gets it in large pieces.
        """
        self._wants_whole = True
        if self.more_body or not self._news or self.disconnected or self.complete:
            return None
        self._news = self._expects_continue = False
        if self._flow.read_paused:
            self._flow.resume_reading()
        return self._taken()

    async def receive(self) -> Message:
        """`receive` of ASGI; returns without a wait what is there."""
        if self._expects_continue:
            self._expects_continue = False
            if not self._outbox.is_closing():
                self._outbox.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self.disconnected and not self.complete:
            self._flow.resume_reading()
            if not self._wants_whole:
                self._in_pieces = True
            if not self._news:
                await self._more()
            self._news = False
        if self.disconnected or self.complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._taken(), "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        """`send` of ASGI; waits while the client does not read."""
        if self._flow.write_paused and not self.disconnected:
            await self._flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.body" and self.started and not self.complete:
            self._send_body(message.get("body", b""), message.get("more_body", False))
        elif kind == "http.response.start" and not self.started:
            self._send_head(message["status"], message.get("headers", ()))
        else:
            state = "complete" if self.complete else "under way" if self.started else "not begun"
            raise RuntimeError(f"Unexpected ASGI message {kind!r}: the answer is {state}.")

    def offer(self, data: bytes) -> bool:
        """What `send` does with a piece of a body that has begun, if there is nothing to wait for."""
        if self.complete or self.disconnected or self._flow.write_paused:
            return False
        if not self._chunked or self._head_only or not data:
            return False  # not begun, or of a length that was told; an empty chunk would be the end
        self._outbox.write(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    def answer(self, status: int, headers: Headers, body: bytes) -> bool:
        """What `send` does with the two messages of a whole answer, if there is nothing to wait for."""
        if self.started or self.disconnected or self._flow.write_paused:
            return False
        self._send_head(status, headers)
        self._send_body(body)
        return True

    # the rest ---------------------------------------------------------------------------------------------------------

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        protocol, task = self._protocol, self._task
        assert protocol is not None
        try:
            await app(scope, self.receive, self.send)
        except BaseException as error:  # as uvicorn has it: whoever cancels the task wants it to end, and it does
            await self._failed("Exception in ASGI application\n", error)
        else:
            if not self.complete and not self.disconnected:
                await self._failed("ASGI callable returned without completing response.")
        finally:
            # Not by a callback of the task, which costs another turn of the loop.
            protocol.tasks.discard(task)
            self._task = self._protocol = None

    async def _failed(self, what: str, error: BaseException | None = None) -> None:
        assert self._protocol is not None
        self._protocol.logger.error(what, exc_info=error)
        if self.started:
            self._outbox.close()
        else:
            await self.send({"type": "http.response.start", "status": 500, "headers": _INTERNAL})
            await self.send({"type": "http.response.body", "body": b"Internal Server Error"})

    def _add(self, piece: bytes | Place, size: int) -> None:
        self._pieces.append(piece)
        self._waiting_bytes += size + _PIECE_BYTES
        if self._waiting_bytes > HIGH_WATER:
            self._flow.pause_reading()
        self._tell()

    def _forget(self) -> None:
        """What has come of the body will not be asked for any more."""
        self._pieces = []
        self._place = None

    def _tell(self) -> None:
        self._news = True
        if self._event is not None:
            self._event.set()

    async def _more(self) -> None:
        if self._event is None:
            self._event = Event(asyncio.get_running_loop())
        await self._event.wait()
        self._event.clear()

    def _taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        self._waiting_bytes = 0
        if self._in_pieces and self._place is not None:
            pieces.append(self._place)
            self._place = None
        return b"".join([piece.content() if isinstance(piece, Place) else piece for piece in pieces])

    def _send_head(self, status: int, headers: Headers) -> None:
        self.started = True
        self._expects_continue = False
        assert self._protocol is not None
        lines, framing = lines_of(headers)
        closes = False
        for name, value in framing:
            closes |= self._frame(name, value)
        if not self.keep_alive and not closes:
            lines += b"connection: close\r\n"
        if self._chunked is None and not self._head_only and status not in (204, 304):
            self._chunked = True
            lines += b"transfer-encoding: chunked\r\n"
        start = STARTS.of(status, self._protocol.server_state.default_headers)
        self._outbox.write(b"%b%b\r\n" % (start, lines))

    def _frame(self, name: bytes, value: bytes) -> bool:
        """What a header says of how the answer ends; returns whether it says that the connection does."""
        if name == b"content-length":
            if self._chunked is None:
                self._left_to_send = int(value)
                self._chunked = False
        elif name == b"transfer-encoding":
            if value.lower() == b"chunked":
                self._left_to_send = 0
                self._chunked = True
        elif b"close" in [token.strip() for token in value.lower().split(b",")]:
            self.keep_alive = False
            return True
        return False

    def _send_body(self, data: bytes, more: bool = False) -> None:
        outbox = self._outbox
        if self._head_only:
            self._left_to_send = 0
        elif self._chunked:
            outbox.write_chunk(data, not more)
        else:
            self._left_to_send -= len(data)
            if self._left_to_send < 0:
                raise RuntimeError("Response content longer than Content-Length")
            if data:
                outbox.write(data)
        if more:
            return
        if self._left_to_send:
            raise RuntimeError("Response content shorter than Content-Length")
        self.complete = True
        if self.more_body:
            self._forget()
        if self._event is not None:
            self._event.set()
        if not self.keep_alive:
            outbox.close()
        if self._protocol is not None:
            self._protocol.on_response_complete()
