"""One turn's messages: one event each, at the client's pace, with exactly one last one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway.config import Limits
from gateway.errors import GatewayError, Stopping
from gateway.surfaces.middleware.body import ClientLeft
from gateway.surfaces.websocket.sink import TurnSink
from gateway.wire.sse import END, KEEP_ALIVE

Json = dict[str, Any]

FAST = Limits(hold_seconds=0.001, keep_alive_seconds=0.001)


def event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())


class Client:
    """Takes one message after another, each when it is told to."""

    def __init__(self, *, reads: bool = True) -> None:
        self.got: list[Json] = []
        self.offered = asyncio.Event()
        self._may_read = asyncio.Semaphore(1_000_000 if reads else 0)

    def read_one(self) -> None:
        self._may_read.release()

    async def __call__(self, text: str) -> None:
        self.offered.set()
        await self._may_read.acquire()
        self.got.append(json.loads(text))

    @property
    def types(self) -> list[str]:
        return [message["type"] for message in self.got]


class Voice:
    """Says the same into each silence."""

    def __init__(self, words: bytes) -> None:
        self.words = words
        self.asked = asyncio.Event()
        self._times = 0

    def keep_alive(self, silent_seconds: float) -> bytes:
        assert silent_seconds >= 0
        self._times += 1
        if self._times == 3:
            self.asked.set()
        return self.words

    def fail(self, error: GatewayError) -> bytes:
        told = {"code": error.code, "message": error.message}
        response = {"id": "resp_1", "status": "failed", "error": told}
        return (
            event("error", sequence_number=5, error=told)
            + event("response.failed", sequence_number=6, response=response)
            + END
        )


@pytest.mark.proves("WS-slow")
async def test_a_write_ends_only_when_the_client_has_taken_every_event_of_it() -> None:
    client = Client(reads=False)
    sink = TurnSink(client, Limits(), lane=None)
    write = asyncio.create_task(sink.write(event("response.output_text.delta") * 2))
    async with asyncio.timeout(5):
        await client.offered.wait()
        assert not write.done()
        client.offered.clear()
        client.read_one()
        await client.offered.wait()
        assert (client.types, write.done()) == (["response.output_text.delta"], False)
        client.read_one()
        await write
    assert len(client.got) == 2


@pytest.mark.proves("WS-silence")
async def test_comments_and_end_marks_are_no_messages() -> None:
    client, voice = Client(), Voice(KEEP_ALIVE)
    sink = TurnSink(client, FAST, lane=None)
    sink.stream({}, voice)
    filler = asyncio.create_task(sink.fill_silence())
    async with asyncio.timeout(5):
        await voice.asked.wait()
    filler.cancel()
    assert sink.committed, "what is held back of the stream may go out now"
    await sink.write(event("response.completed", response={"id": "resp_1"}) + END)
    await sink.finish()
    assert client.types == ["response.completed"]
    assert sink.response == {"id": "resp_1"}


@pytest.mark.proves("WS-silence")
async def test_progress_that_is_told_again_is_a_message() -> None:
    client, voice = Client(), Voice(KEEP_ALIVE + event("response.in_progress"))
    sink = TurnSink(client, FAST, lane=None)
    sink.stream({}, voice)
    filler = asyncio.create_task(sink.fill_silence())
    async with asyncio.timeout(5):
        await voice.asked.wait()
    filler.cancel()
    assert set(client.types) == {"response.in_progress"}


@pytest.mark.proves("WS-silence")
async def test_the_filler_of_silences_ends_when_the_client_has_left() -> None:
    async def gone(text: str) -> None:
        raise ClientLeft

    sink = TurnSink(gone, FAST, lane=None)
    sink.stream({}, Voice(event("response.in_progress")))
    async with asyncio.timeout(5):
        await sink.fill_silence()


@pytest.mark.proves("WS-broken")
async def test_a_failure_has_one_last_message_inside_the_response_or_in_its_place() -> None:
    stopping = Stopping("later", headers={"Retry-After": "2"})
    before, during, after = (Client() for _ in range(3))
    sinks = [TurnSink(client, Limits(), lane=None) for client in (before, during, after)]
    for sink in sinks:
        sink.stream({}, Voice(b""))
    await sinks[1].write(event("response.created", sequence_number=0))
    await sinks[2].write(event("response.completed", response={}))
    for sink in sinks:
        await sink.fail(stopping)
        await sink.fail(stopping)
    assert len(before.got) == 1
    assert before.got[0]["status"] == 503
    assert during.types == ["response.created", "response.failed"]
    assert during.got[-1]["sequence_number"] == 5, "no number is left out with the event before it"
    assert after.types == ["response.completed"]


@pytest.mark.proves("WS-broken")
async def test_nothing_follows_the_last_event() -> None:
    client = Client()
    sink = TurnSink(client, Limits(), lane="x")
    await sink.write(event("response.completed", response={}) + event("response.in_progress"))
    assert [(message["type"], message["stream_id"]) for message in client.got] == [("response.completed", "x")]


async def test_a_turn_over_a_websocket_has_no_document() -> None:
    with pytest.raises(TypeError):
        await TurnSink(Client(), Limits(), lane=None).document(b"{}", {})
