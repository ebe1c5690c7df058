"""One answer: who is watched, and when."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from gateway.config import Settings
from gateway.surfaces import reply
from gateway.surfaces.reply import Reply
from gateway.surfaces.rounds import rounds_of

ALIVE = b": alive\n\n"
SCOPE: dict[str, Any] = {"type": "http", "method": "POST", "path": "/v1/x", "headers": []}


class Peer:
    """A client that sends nothing, until it leaves."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.asked = asyncio.Event()
        self.got: list[dict[str, Any]] = []
        self.greeted = asyncio.Event()
        """Three signs of life have come."""

    async def receive(self) -> dict[str, Any]:
        self.asked.set()
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.got.append(message)
        if sum(message.get("body") == ALIVE for message in self.got) == 3:
            self.greeted.set()


class Silent:
    """A stream that has only signs of life to tell."""

    def keep_alive(self, silent_seconds: float) -> bytes:
        return ALIVE

    def fail(self, error: Exception) -> bytes:
        return b"failed"


def scope() -> Any:
    return {**SCOPE, "state": {"facts": {}}}


@pytest.mark.proves("SPEED-no-task")
async def test_an_answer_that_is_there_at_once_makes_no_task_and_leaves_no_timer() -> None:
    peer = Peer()
    others = asyncio.all_tasks()
    made: list[Reply] = []

    async def run(answer: Reply) -> None:
        made.append(answer)
        await answer.document(b"{}", {})
        assert asyncio.all_tasks() == others

    await reply.answer(scope(), peer.receive, peer.send, Settings().limits, run)
    assert [message["type"] for message in peer.got] == ["http.response.start", "http.response.body"]
    assert not peer.asked.is_set()
    assert made[0]._timer is None and made[0] not in rounds_of(asyncio.get_running_loop())._came


@pytest.mark.proves("SPEED-no-task")
async def test_a_client_that_leaves_a_slow_answer_ends_it() -> None:
    peer = Peer()
    answer_scope = scope()
    ended = asyncio.Event()

    async def run(answer: Reply) -> None:
        await peer.asked.wait()
        peer.left.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    await reply.answer(answer_scope, peer.receive, peer.send, Settings().limits, run)
    assert ended.is_set()
    assert answer_scope["state"]["facts"]["outcome"] == "client_left"
    assert peer.got == []


@pytest.mark.proves("SPEED-no-task")
async def test_a_silence_that_lasts_is_filled_again_and_again_until_the_end() -> None:
    peer = Peer()
    limits = Settings.model_validate({"limits": {"hold_seconds": 0.1, "keep_alive_seconds": 1}}).limits
    limits = limits.model_copy(update={"hold_seconds": 0.01, "keep_alive_seconds": 0.01})

    async def run(answer: Reply) -> None:
        answer.stream({}, Silent())
        await peer.greeted.wait()
        await answer.write(b"data: 1\n\n")
        await answer.finish()

    await reply.answer(scope(), peer.receive, peer.send, limits, run)
    bodies = [message.get("body") for message in peer.got]
    assert bodies[0] is None and bodies[-2:] == [b"data: 1\n\n", b""]
    assert set(bodies[1:-2]) == {ALIVE}
    count = len(peer.got)
    await asyncio.sleep(0)
    assert len(peer.got) == count


@pytest.mark.proves("SPEED-no-circles")
async def test_an_answer_whose_client_was_watched_leaves_no_circle_of_references() -> None:
    peer = Peer()
    made: list[weakref.ref[Reply]] = []

    async def run(answer: Reply) -> None:
        made.append(weakref.ref(answer))
        await peer.asked.wait()
        await answer.document(b"{}", {})

    gc.disable()
    try:
        await reply.answer(scope(), peer.receive, peer.send, Settings().limits, run)
        del run
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert made[0]() is None
    finally:
        gc.enable()
