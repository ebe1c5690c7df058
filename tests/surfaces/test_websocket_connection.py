"""The life of a connection, with an engine that ends a turn only when it is told to."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from starlette.types import Message, Scope

from gateway.config import Limits
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.turn import Hints, Sink, Turn
from gateway.errors import GatewayError
from gateway.surfaces.websocket.connection import STOPPING, Connection
from gateway.surfaces.websocket.journal import Journal
from tests.surfaces.stack import collecting_log

CREATE: Message = {"type": "websocket.receive", "text": '{"type":"response.create","model":"m","input":"hi"}'}
LEFT: Message = {"type": "websocket.disconnect", "code": 1006}


CREATED = b"""event: response.created
data: {"type":"response.created","response":{"id":"resp_1","status":"in_progress","output":[]}}

"""
COMPLETED = b"""event: response.completed
data: {"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[]}}

"""


def create(lane: str) -> Message:
    return {"type": "websocket.receive", "text": json.dumps({**json.loads(CREATE["text"]), "stream_id": lane})}


class Endless:
    """An engine whose turns end only when they are released or cancelled."""

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.released = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.turns = 0

    async def run(self, turn: Turn, sink: Sink) -> None:
        self.turns += 1
        self.running.set()
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        await sink.write(COMPLETED)


class Begun(Endless):
    """An engine whose turn has begun to be told. Cut off, it keeps what came, and nothing can be said in it then."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: asyncio.Task[None] | None = None
        self._over = False

    async def run(self, turn: Turn, sink: Sink) -> None:
        sink.stream({}, self)
        await sink.write(CREATED)
        try:
            await super().run(turn, sink)
        except asyncio.CancelledError:
            self.kept = asyncio.create_task(self._keep())
            raise

    async def _keep(self) -> None:
        self._over = True

    def keep_alive(self, silent_seconds: float) -> bytes:
        return b""

    def fail(self, error: GatewayError) -> bytes:
        if self._over:
            return b""
        response = {"id": "resp_1", "status": "failed", "error": {"code": error.code}}
        event = {"type": "response.failed", "response": response}
        return b"event: response.failed\ndata: %b\n\n" % json.dumps(event).encode()


class Wire:
    """The server's side of a connection: what the client sends, and what it gets."""

    def __init__(self, *messages: Message) -> None:
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        for message in messages:
            self.incoming.put_nowait(message)
        self.sent: list[Message] = []
        self.broken: type[Exception] | None = None
        self.listening = asyncio.Event()
        """Set while all that was sent has been taken."""

    async def receive(self) -> Message:
        if self.incoming.empty():
            self.listening.set()
        return await self.incoming.get()

    async def deliver(self, *messages: Message) -> None:
        """Send these, and wait until the connection has taken them."""
        self.listening.clear()
        for message in messages:
            self.incoming.put_nowait(message)
        await self.listening.wait()

    async def send(self, message: Message) -> None:
        if self.broken is not None:
            raise self.broken
        self.sent.append(message)

    @property
    def codes(self) -> list[Any]:
        """The error codes of the events that were sent, then those the connection was closed with."""
        events = [json.loads(message["text"]) for message in self.sent if message["type"] == "websocket.send"]
        closed = [message["code"] for message in self.sent if message["type"] == "websocket.close"]
        return [*(event["error"]["code"] for event in events), *closed]

    @property
    def last_words(self) -> list[Any]:
        """Each message as its lane and what it says, then the code the connection was closed with."""
        told: list[Any] = []
        for message in self.sent:
            if message["type"] == "websocket.close":
                told.append(message["code"])
                continue
            event = json.loads(message["text"])
            told.append((event.get("stream_id"), event.get("error", {}).get("code", event["type"])))
        return told


def made(
    wire: Wire, engine: Endless, *, seconds: float = 60.0, grace: float = 60.0
) -> tuple[Connection, dict[str, Any]]:
    facts: dict[str, Any] = {}
    scope: Scope = {"type": "websocket", "state": {"request_id": "mine", "facts": facts}}
    connection = Connection(
        scope,
        wire.receive,
        wire.send,
        engine=cast("Engine", engine),
        limits=Limits(websocket_seconds=seconds),
        journal=Journal(Metrics(), collecting_log()[0]),
        hints=Hints(),
        grace=grace,
    )
    return connection, facts


@pytest.mark.proves("WS-life", "FAIL-29")
async def test_a_turn_that_outlives_the_grace_is_ended_and_told() -> None:
    wire, engine = Wire(CREATE), Endless()
    connection, facts = made(wire, engine, seconds=0.05, grace=0.0)
    async with asyncio.timeout(5):
        await connection.serve()
    assert engine.cancelled.is_set()
    assert wire.codes == ["websocket_connection_limit_reached"] * 2 + [1001]
    assert facts == {"outcome": "life_over", "turns": 1}


@pytest.mark.proves("WS-client-left")
@pytest.mark.parametrize(
    "broken",
    [None, ConnectionResetError, RuntimeError],
    ids=["gone", "gone while it is told", "closed by the server while it is told"],
)
async def test_a_client_that_leaves_ends_the_turn_without_a_word(broken: type[Exception] | None) -> None:
    wire, engine = Wire(CREATE), Endless()
    connection, facts = made(wire, engine)
    serving = asyncio.create_task(connection.serve())
    async with asyncio.timeout(5):
        await engine.running.wait()
        wire.broken = broken
        if broken is not None:
            for _ in range(17):
                wire.incoming.put_nowait(CREATE)  # one too many: the refusal cannot be sent
        else:
            wire.incoming.put_nowait(LEFT)
        await serving
    assert engine.cancelled.is_set()
    assert (wire.sent, facts["outcome"]) == ([], "client_left")


@pytest.mark.proves("WS-stopping")
async def test_an_idle_connection_is_closed_when_the_server_is_to_stop() -> None:
    wire = Wire({"type": STOPPING})
    connection, facts = made(wire, Endless())
    async with asyncio.timeout(5):
        await connection.serve()
    assert (wire.codes, facts["outcome"]) == ([1012], "stopped")


@pytest.mark.proves("WS-stopping")
async def test_a_cancelled_connection_ends_in_good_order_even_when_nobody_hears_it() -> None:
    wire = Wire()
    wire.broken = ConnectionResetError
    connection, facts = made(wire, Endless())
    serving = asyncio.create_task(connection.serve())
    async with asyncio.timeout(5):
        await wire.listening.wait()
        serving.cancel()
        await serving
    assert facts["outcome"] == "stopped"


@pytest.mark.proves("WS-stopping", "WS-order")
@pytest.mark.parametrize("waiting", [[], ["b"], ["b", "c"]], ids=["none waits", "one waits", "two wait"])
@pytest.mark.parametrize("ends", [True, False], ids=["the turn ends in time", "the turn is cut off"])
async def test_at_a_stop_each_turn_has_one_last_message_and_nothing_else_is_said(
    ends: bool, waiting: list[str]
) -> None:
    wire, engine = Wire(), Endless()
    connection, facts = made(wire, engine)
    serving = asyncio.create_task(connection.serve())
    async with asyncio.timeout(5):
        await wire.deliver(create("a"))
        await engine.running.wait()
        await wire.deliver(*map(create, waiting), {"type": STOPPING})
        assert wire.sent == []
        if ends:
            engine.released.set()
        else:
            serving.cancel()
        await serving
    refused = [(lane, "shutting_down") for lane in waiting]
    assert wire.last_words == [("a", "response.completed" if ends else "shutting_down"), *refused, 1012]
    assert (engine.turns, engine.cancelled.is_set()) == (1, not ends)
    assert facts == {"outcome": "stopped", "turns": 1}


@pytest.mark.proves("WS-stopping", "WS-life")
@pytest.mark.parametrize("over", [True, False], ids=["its time is over", "the gateway stops"])
async def test_a_turn_that_is_cut_off_is_told_in_it_before_anybody_keeps_what_came(over: bool) -> None:
    wire, engine = Wire(CREATE), Begun()
    connection, _ = made(wire, engine, seconds=0.05 if over else 60.0, grace=0.0)
    serving = asyncio.create_task(connection.serve())
    async with asyncio.timeout(5):
        await engine.running.wait()
        if not over:
            serving.cancel()
        await serving
    assert engine.kept is not None
    told = [json.loads(message["text"]) for message in wire.sent if message["type"] == "websocket.send"]
    code = "websocket_connection_limit_reached" if over else "shutting_down"
    assert [event["type"] for event in told[:2]] == ["response.created", "response.failed"]
    assert told[1]["response"]["error"]["code"] == code
    assert wire.last_words[2:] == ([(None, code), 1001] if over else [1012])


@pytest.mark.proves("WS-stopping")
async def test_what_comes_after_the_word_to_stop_is_refused_too() -> None:
    wire, engine = Wire(), Endless()
    connection, _ = made(wire, engine)
    serving = asyncio.create_task(connection.serve())
    async with asyncio.timeout(5):
        await wire.deliver(create("a"))
        await engine.running.wait()
        await wire.deliver({"type": STOPPING}, create("late"))
        engine.released.set()
        await serving
    assert wire.last_words == [("a", "response.completed"), ("late", "shutting_down"), 1012]


@pytest.mark.proves("WS-stopping", "WS-malformed")
async def test_messages_that_are_no_request_are_answered_at_a_stop_as_ever() -> None:
    wire, engine = Wire(), Endless()
    connection, _ = made(wire, engine)
    serving = asyncio.create_task(connection.serve())
    texts = ['{"type":"response.steer","input":"more"}', '{"type":"session.update","stream_id":"s"}', "{"]
    async with asyncio.timeout(5):
        await wire.deliver(create("a"))
        await engine.running.wait()
        await wire.deliver(*({"type": "websocket.receive", "text": text} for text in texts))
        await wire.deliver({"type": "websocket.receive", "bytes": b"0"}, create("b"), {"type": STOPPING})
        engine.released.set()
        await serving
    assert wire.last_words == [
        ("a", "response.completed"),
        (None, "steering_not_supported"),
        ("s", "invalid_request"),
        (None, "invalid_request"),
        (None, "invalid_request"),
        1003,
    ]


@pytest.mark.proves("WS-stopping", "WS-client-left")
@pytest.mark.parametrize("waiting", [[LEFT], [create("b")]], ids=["it left", "nobody hears it"])
async def test_a_client_that_leaves_while_the_gateway_stops_is_told_no_more(waiting: list[Message]) -> None:
    wire, engine = Wire(), Endless()
    connection, facts = made(wire, engine)
    serving = asyncio.create_task(connection.serve())
    async with asyncio.timeout(5):
        await wire.deliver(create("a"))
        await engine.running.wait()
        await wire.deliver(*waiting[:-1], {"type": STOPPING})
        wire.incoming.put_nowait(waiting[-1])
        wire.broken = ConnectionResetError
        if waiting != [LEFT]:
            serving.cancel()
        await serving
    assert (wire.sent, facts["outcome"]) == ([], "client_left")


@pytest.mark.proves("WS-life", "WS-order")
async def test_at_the_end_of_its_life_each_request_that_waits_is_told() -> None:
    wire, engine = Wire(CREATE), Endless()
    for lane in ("b", "c"):
        wire.incoming.put_nowait(create(lane))
    connection, facts = made(wire, engine, seconds=0.05, grace=0.0)
    async with asyncio.timeout(5):
        await connection.serve()
    over = "websocket_connection_limit_reached"
    assert wire.last_words == [(None, over), ("b", over), ("c", over), 1001]
    assert facts == {"outcome": "life_over", "turns": 1}
