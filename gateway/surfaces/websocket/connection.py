"""One client's connection: a reader that sees it leave at once, and a worker that runs one turn after another."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from starlette.types import Message, Receive, Scope, Send

from gateway.core import json
from gateway.core.history import replayable
from gateway.dialects.responses import Responses
from gateway.dialects.responses.request import checked
from gateway.engine.engine import Engine
from gateway.engine.turn import Hints, Turn
from gateway.errors import GatewayError, InvalidRequest, Stopping
from gateway.surfaces.middleware.body import ClientLeft, parse_json
from gateway.surfaces.websocket.creates import STEER, Continuation, Create, continued, lane_in, lane_of, read_create
from gateway.surfaces.websocket.events import LifeOver, QueueFull, error_event, steer_failed, warm_up
from gateway.surfaces.websocket.journal import Journal
from gateway.surfaces.websocket.memory import Memory
from gateway.surfaces.websocket.sink import TurnSink

if TYPE_CHECKING:
    from gateway.config import Limits

Json = dict[str, Any]

STOPPING = "websocket.stopping"
"""A message of our own server to the app: the process is to end, so begin no further turn."""

WAITING = 16
"""Messages that may wait while a turn runs; together they hold no more than one message of the largest size."""

GRACE_SECONDS = 600.0
"""How long a turn may outlive the age of its connection (`limits.websocket_seconds`)."""

GOING_AWAY, UNSUPPORTED, RESTART = 1001, 1003, 1012
"""Close codes (RFC 6455 §7.4.1 and its registry)."""

_REPLAYED = frozenset({"completed", "incomplete"})
"""Responses that can be continued."""


class Connection:
    """An accepted WebSocket. Use through `serve`."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        engine: Engine,
        limits: Limits,
        journal: Journal,
        hints: Hints,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self._receive, self._send = receive, send
        self._engine, self._limits, self._journal = engine, limits, journal
        self._hints, self._grace = hints, grace
        self._request_id: str = scope["state"]["request_id"]
        self._facts: Json = scope["state"]["facts"]
        self._memory = Memory(responses=limits.websocket_responses, size=limits.websocket_bytes)
        self._waiting: asyncio.Queue[Message] = asyncio.Queue()
        self._waiting_size = 0
        self._running: asyncio.Task[None] | None = None
        self._left = self._stopping = self._closed = False
        self._turns = 0
        self._deadline = asyncio.get_running_loop().time() + limits.websocket_seconds

    async def serve(self) -> None:
        """Answer the client until it leaves, its time is over, or the server stops."""
        reader = asyncio.create_task(self._read())
        try:
            outcome = await self._work()
        except ClientLeft:
            outcome = "client_left"
        except asyncio.CancelledError:  # by the server, which stops and waits no longer
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            outcome = "stopped"
            with contextlib.suppress(ClientLeft):
                await self._stop()
        finally:
            reader.cancel()
        self._facts.update(outcome=outcome, turns=self._turns)

    # the reader -------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Take what the client sends, at any time, so that its leaving is seen while a turn runs."""
        try:
            while (message := await self._receive())["type"] != "websocket.disconnect":
                if message["type"] == STOPPING:
                    self._stopping = True
                    self._waiting.put_nowait(message)
                elif not self._holds(message):
                    full = QueueFull(f"More than {WAITING} requests wait here. Wait for answers before you send more.")
                    await self._say_error(full, lane_in(message.get("text") or ""))
        except ClientLeft:
            pass
        finally:  # nobody would see the client leave any more
            self._left = True
            if self._running is not None:
                self._running.cancel()
            self._waiting.put_nowait({"type": "websocket.disconnect"})

    def _holds(self, message: Message) -> bool:
        """Put a message into the queue; False when there is no room."""
        size = _size(message)
        count = self._waiting.qsize()
        if count and (count >= WAITING or self._waiting_size + size > self._limits.body_bytes):
            return False
        self._waiting_size += size
        self._waiting.put_nowait(message)
        return True

    # the worker -------------------------------------------------------------------------------------------------------

    async def _work(self) -> str:
        """One message after another; returns how the connection ended. Raises ClientLeft."""
        while not self._stopping:
            message = await self._next()
            if message is None:
                over = LifeOver(self._limits.websocket_seconds)
                if self._waiting.empty():
                    await self._say_error(over)
                await self._refuse_waiting(over)
                await self._close(GOING_AWAY, "websocket_connection_limit_reached")
                return "life_over"
            if message["type"] == "websocket.disconnect":
                return "completed"
            self._waiting_size -= _size(message)
            if message["type"] == "websocket.receive" and not await self._answer(message):
                return "refused"
        await self._stop()
        return "stopped"

    async def _stop(self) -> None:
        """The last words of a gateway that stops. Raises ClientLeft."""
        await self._refuse_waiting(_stopping())
        await self._close(RESTART, "the gateway stops")

    async def _refuse_waiting(self, error: GatewayError) -> None:
        """Answer what has waited in vain, each request for itself. Raises ClientLeft."""
        for _ in range(self._waiting.qsize()):  # not what comes meanwhile: that could go on for ever
            message = self._waiting.get_nowait()
            if message["type"] == "websocket.receive" and not await self._answer(message, error):
                return

    async def _next(self) -> Message | None:
        """The next message of the client or the server; None when the connection has lived long enough."""
        if asyncio.get_running_loop().time() < self._deadline:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._deadline):
                    return await self._waiting.get()
        return None

    async def _answer(self, message: Message, refusal: GatewayError | None = None) -> bool:
        """Answer one message, a request with `refusal` if there is one; False when the connection was closed for it."""
        text = message.get("text")
        if text is None:
            await self._say_error(InvalidRequest("Messages must be text: the JSON of one event each."))
            await self._close(UNSUPPORTED, "text messages only")
            return False
        event: Json = {}
        try:
            # Clients that cut texts by UTF-16 units send halves of characters as escapes, never as they are.
            event = parse_json(text.encode("utf-8", "replace"), self._limits.json_depth)
            if event.get("type") == STEER:
                await self._say(json.dumps(steer_failed(event)).decode())
                return True
            create = read_create(event)
            if refusal is not None:
                raise refusal
        except GatewayError as error:
            await self._say_error(error, lane_of(event))
            return True
        await self._turn(create)
        return True

    async def _turn(self, create: Create) -> None:
        """One turn from its request to its last event, with its line in the log."""
        self._turns += 1
        request_id = f"{self._request_id}-{self._turns}"
        sink = TurnSink(self._say, self._limits, lane=create.lane)
        facts: Json = {"surface": "responses", "key": self._facts.get("key")}
        with self._journal.turn(request_id, facts, sink):
            try:
                await self._respond(create, sink, request_id, facts)
            except GatewayError as error:
                facts.update(error=error.code, status=error.status, detail=error.detail or None)
                self._forget(create)
                await sink.fail(error)

    async def _respond(self, create: Create, sink: TurnSink, request_id: str, facts: Json) -> None:
        """Raises GatewayError for a failure that ends the turn, told already or not."""
        asked = continued(create, self._memory)
        if not create.generate:
            await self._warm_up(create, asked, sink, request_id)
            return
        shown = {"previous_response_id": asked.previous} if asked.previous else {}
        turn = Turn(
            dialect=Responses(shown),
            body=json.dumps(asked.document),
            document=asked.document,
            request_id=request_id,
            hints=self._hints,
            facts=facts,
        )
        try:
            await self._run(turn, sink)
        except GatewayError as error:
            raise asked.in_client_places(error) from error.__cause__
        response = sink.response or {}
        if response.get("status") not in _REPLAYED:
            self._forget(create)
        elif not facts.get("stored"):  # else the engine knows it, and puts its history in front of what follows it
            self._keep(response, asked)

    async def _run(self, turn: Turn, sink: TurnSink) -> None:
        """Let the engine run the turn; raises what it raises, ClientLeft, and LifeOver when the grace is over too."""
        running = self._running = asyncio.create_task(self._until_end(turn, sink))
        try:
            await running
        except asyncio.CancelledError:
            if self._left:
                raise ClientLeft from None
            raise
        finally:
            self._running = None

    async def _until_end(self, turn: Turn, sink: TurnSink) -> None:
        """The running turn. Who cuts it off has told the client before the store keeps what came: both say the same."""
        filler = asyncio.create_task(sink.fill_silence())
        try:
            async with asyncio.timeout_at(self._deadline + self._grace):
                await self._engine.run(turn, sink)
        except TimeoutError:
            error = LifeOver(self._limits.websocket_seconds)
            await sink.fail(error)
            raise error from None
        except asyncio.CancelledError:
            if not self._left:
                await sink.fail(_stopping())
            raise
        finally:
            filler.cancel()

    async def _warm_up(self, create: Create, asked: Continuation, sink: TurnSink, request_id: str) -> None:
        """Answer `generate: false` here: there is nothing upstream to warm, and the id is good for the next turn."""
        given = {**create.document, "input": create.document.get("input") or []}
        checked(given)
        begun, done = warm_up(given, seed=request_id, created=int(time.time()))
        await sink.tell(begun)
        self._keep(done["response"], asked)
        await sink.tell(done)

    # what is remembered -----------------------------------------------------------------------------------------------

    def _keep(self, response: Json, asked: Continuation) -> None:
        """Make a response that nobody stored known as one to go on from, unless it follows a conversation."""
        if asked.document.get("conversation") is None and asked.document.get("prompt") is None:
            items = [*asked.added, *replayable(response["output"])]
            self._memory.keep(response["id"], asked.chain, items, base=asked.base)

    def _forget(self, create: Create) -> None:
        """A response whose continuation failed cannot be continued again: clients send the whole input then."""
        self._memory.forget(str(create.document.get("previous_response_id")))

    # messages ---------------------------------------------------------------------------------------------------------

    async def _say(self, text: str) -> None:
        """Send one message, when the client can take it. Raises ClientLeft."""
        if self._closed:
            raise ClientLeft
        try:
            await self._send({"type": "websocket.send", "text": text})
        except (OSError, RuntimeError) as error:  # uvicorn raises the latter once it closes the connection itself
            raise ClientLeft from error

    async def _say_error(self, error: GatewayError, lane: str | None = None) -> None:
        await self._say(json.dumps(error_event(error, lane)).decode())

    async def _close(self, code: int, reason: str) -> None:
        if self._closed:  # for a message that nobody can read, while the others that waited were refused
            return
        self._closed = True
        with contextlib.suppress(OSError, RuntimeError):
            await self._send({"type": "websocket.close", "code": code, "reason": reason})


def _size(message: Message) -> int:
    return len(message.get("text") or message.get("bytes") or "")


def _stopping() -> Stopping:
    return Stopping("The gateway is being stopped; try again in a moment.", headers={"Retry-After": "2"})
