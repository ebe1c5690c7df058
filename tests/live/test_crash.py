"""Processes that end in the middle: killed, or told to stop. What they ran has an end, and nothing told is lost."""

from __future__ import annotations

import asyncio
import json
from asyncio import FIRST_COMPLETED
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.live.processes import ROUTE, Node, Place, blocks, name_in, place
from tests.live.stack import MODEL
from tests.sdk_types import (
    check_chat_stream,
    check_error,
    check_failed_chat_stream,
    check_failed_response_stream,
    check_response_stream,
    sse_events,
)
from tests.store.postgres import server

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

PATIENCE_SECONDS = 30
RESTARTED = "gateway_restarted"
END = b"data: [DONE]\n\n"
RESPONSES, CHAT = "/v1/responses", "/v1/chat/completions"


@dataclass
class Asked:
    """A request to a process that will end, and what its client has seen of the answer. `story`: tells it from others.

    `last_words`: what the client was told when the process was stopped, which is no part of the answer.
    """

    story: int
    path: str = RESPONSES
    fields: Json = field(default_factory=dict)
    key: str = ""
    seen: bytes = b""
    last_words: bytes = b""
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def body(self) -> Json:
        text = f"Tell me story {self.story}."
        given = {"input": text} if self.path == RESPONSES else {"messages": [{"role": "user", "content": text}]}
        return {**given, **self.fields}

    @property
    def streams(self) -> bool:
        return "stream" in self.fields

    @property
    def name(self) -> str:
        """The id that the client was told."""
        return name_in(self.seen) if self.streams else str(json.loads(self.seen)["id"])

    async def ask(self, node: Node) -> None:
        """Read until the answer, or the process, has ended."""
        headers = {"Idempotency-Key": self.key} if self.key else {}
        body = {"model": MODEL, **self.body}
        try:
            async with node.http.stream("POST", self.path, json=body, headers=headers) as answer:
                if not self.streams:
                    whole = await answer.aread()
                    if answer.status_code == 200:
                        self.seen = whole
                    else:
                        self.last_words = whole
                    self.begun.set()
                    return
                async for block in blocks(answer):
                    if b'"shutting_down"' in block:
                        self.last_words = block
                        return
                    self.seen += block
                    self.begun.set()
        except httpx2.TransportError:
            return


def background(story: int, **fields: Any) -> Asked:
    return Asked(story, fields={"background": True, **fields})


def script(words: int, *, pause: float = 0.02, gate: str = "") -> Json:
    """An answer of so many words, with a pause behind each, or with a gate in its middle."""
    stop = {"gate": gate} if gate else {"wait": pause}
    return {"steps": [{"text": [piece for word in range(words) for piece in (f"word{word} ", stop)]}]}


def stories(world: Place) -> Counter[int]:
    """How often the upstream was asked for each story."""
    told = (json.dumps(call.body).rpartition("Tell me story ")[2] for call in world.sim.calls(ROUTE))
    return Counter(int(text.partition(".")[0]) for text in told)


def check_numbers(stream: bytes) -> None:
    numbers = [json.loads(data)["sequence_number"] for _, data in sse_events(stream)[:-1]]
    assert numbers == list(range(len(numbers)))


async def end_of(node: Node, asked: Asked) -> str:
    """How a background response has ended, seen from another process: its log and itself say the same."""
    told = await node.replay(asked.name)
    found = await node.response(asked.name)
    if asked.streams:
        assert told.startswith(asked.seen)
    assert (told.count(END), told.endswith(END)) == (1, True)
    check_numbers(told)
    assert json.loads(sse_events(told)[-2][1])["response"]["output"] == found["output"]
    if found["status"] == "completed":
        assert check_response_stream(told).status == "completed"
    else:
        assert (found["status"], found["error"]["code"]) == ("failed", RESTARTED)
        assert check_failed_response_stream(told) == RESTARTED
    return f"background {found['status']}"


async def end_of_keyed(node: Node, asked: Asked) -> str:
    """What a repeat of a request with a key gets from another process."""
    again = await node.post(asked.path, asked.body, asked.key)
    if again.status_code != 200:
        assert (again.status_code, check_error(again.content).code) == (500, RESTARTED)
        assert again.headers["x-should-retry"] == "false"
        assert not asked.seen, "an answer that has begun has to go on"
        return "keyed refused"
    assert again.headers["x-gateway-replayed"] == "true"
    assert again.content.startswith(asked.seen)
    if not asked.streams:
        return "keyed json completed"
    assert (again.content.count(END), again.content.endswith(END)) == (1, True)
    if b'"gateway_restarted"' not in again.content:
        if asked.path == CHAT:
            check_chat_stream(again.content, expect_usage=False)
        else:
            check_response_stream(again.content)
        return "keyed stream completed"
    if asked.path == CHAT:
        assert check_failed_chat_stream(again.content).code == RESTARTED
    else:
        assert check_failed_response_stream(again.content) == RESTARTED
        check_numbers(again.content)
    return "keyed stream failed"


async def census(node: Node, everything: list[Asked]) -> Counter[str]:
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        looked = [tasks.create_task((end_of_keyed if asked.key else end_of)(node, asked)) for asked in everything]
    return Counter(task.result() for task in looked)


def keyed_requests(first: int, each: int) -> list[Asked]:
    """So many of each kind: JSON and streams, kept and not, of both dialects."""
    kinds: list[tuple[str, Json]] = [
        (RESPONSES, {}),
        (RESPONSES, {"stream": True}),
        (RESPONSES, {"store": False, "stream": True}),
        (CHAT, {}),
        (CHAT, {"stream": True}),
    ]
    return [
        Asked(first + place * each + count, path, fields, key=f"key {path} {fields} {count}")
        for place, (path, fields) in enumerate(kinds)
        for count in range(each)
    ]


@pytest.mark.proves("CRASH-ends", "CRASH-told", "CRASH-queued", "CRASH-once")
async def test_everything_that_a_killed_process_ran_has_an_end(
    tmp_path: Path,
) -> None:
    """50 background responses, 30 at a time, and 20 requests with a key; killed when ten clients have seen an end."""
    running = [background(count, **({"stream": True} if count % 2 else {})) for count in range(30)]
    keyed = keyed_requests(100, 4)
    waiting = [background(count) for count in range(30, 50)]
    async with place(tmp_path, count=0, background_responses=30) as world, asyncio.TaskGroup() as clients:
        async with world.node() as doomed, asyncio.timeout(PATIENCE_SECONDS):
            world.play(*(script(2, gate="crash") for _ in range(10)))
            world.play(*(script(1 + count * 7 % 30) for count in range(40)), *(script(30) for _ in range(15)))
            reading = {
                clients.create_task(asked.ask(doomed)): asked.streams or asked.key for asked in (*running, *keyed)
            }
            await world.sim.until(lambda: world.runs == 50)
            for asked in waiting:
                clients.create_task(asked.ask(doomed))
            for asked in (*running, *waiting):
                await asked.begun.wait()
            readers = {task for task, to_its_end in reading.items() if to_its_end}
            while sum(task.done() for task in readers) < 10:
                await asyncio.wait([task for task in readers if not task.done()], return_when=FIRST_COMPLETED)
            await doomed.kill()
        world.bury()
        before = stories(world)
        async with world.node() as heir:
            ends = await census(heir, [*running, *keyed, *waiting])
            after = stories(world)
        assert max(after.values()) == 1, "something has run twice"
        # Who had not begun has run now, and nobody else.
        assert set(after) - set(before) <= {asked.story for asked in waiting}
        assert set(after) == {asked.story for asked in (*running, *keyed, *waiting)}
        assert ends["background completed"] + ends["background failed"] == 50
        assert ends["background completed"] >= len(set(after) - set(before))
        failed = ends["background failed"] + ends["keyed refused"] + ends["keyed stream failed"]
        assert 10 <= failed <= 60  # ten would never have ended, and ten ends had been seen
        world.sim.reset()


@pytest.mark.proves("CRASH-ends", "CRASH-told", "CRASH-queued", "CRASH-once", "CRASH-unlocked")
async def test_the_others_end_what_a_killed_process_ran(tmp_path: Path) -> None:
    """Three processes on PostgreSQL. Followers who ask a survivor while the dead one still counts as alive wait."""
    with server() as running:
        async with place(tmp_path, count=2, server=running, background_responses=3) as world:
            survivor = world.nodes[0]
            many = [background(count, **({"stream": True} if count % 2 else {})) for count in range(3)]
            keyed = keyed_requests(100, 1)
            async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as clients:
                async with world.node() as doomed:
                    world.play(*(script(3, gate="crash") for _ in range(9)))
                    talk = (await survivor.post("/v1/conversations", {})).json()["id"]
                    busy = Asked(50, fields={"conversation": talk, "stream": True})
                    for asked in (*many, *keyed, busy):
                        clients.create_task(asked.ask(doomed))
                    await world.sim.until(lambda: world.runs == 9)
                    queued = background(9)
                    await queued.ask(doomed)
                    for asked in (*many, busy, *(asked for asked in keyed if asked.streams)):
                        await asked.begun.wait()
                    await doomed.kill()
                looked = asyncio.create_task(census(survivor, [*many, *keyed]))
                locked = await survivor.post(RESPONSES, busy.body)
                assert (locked.status_code, check_error(locked.content).code) == (400, "conversation_locked")
                world.bury()
                assert await looked == {"background failed": 3, "keyed refused": 2, "keyed stream failed": 3}
                assert await end_of(world.nodes[1], queued) == "background completed"
                free = await survivor.post(RESPONSES, Asked(60, fields={"conversation": talk}).body)
                assert free.status_code == 200, free.text
            assert max(stories(world).values()) == 1
            world.sim.reset()


@pytest.mark.proves("STOP-ends", "STOP-told", "CRASH-once")
async def test_a_process_that_is_told_to_stop_ends_what_it_runs_and_leaves_what_it_queued(tmp_path: Path) -> None:
    async with place(tmp_path, count=0, background_responses=3) as world, asyncio.TaskGroup() as clients:
        followed = [background(count, stream=True) for count in range(2)]
        alone = background(2)
        keyed = keyed_requests(100, 1)
        queued = [background(count) for count in range(10, 12)]
        async with world.node() as stopped, asyncio.timeout(PATIENCE_SECONDS):
            world.play(*(script(3, gate="stop") for _ in range(8)))
            tasks = [clients.create_task(asked.ask(stopped)) for asked in (*followed, alone, *keyed)]
            await world.sim.until(lambda: world.runs == 8)
            for asked in queued:
                await asked.ask(stopped)
            for asked in (*followed, alone, *(asked for asked in keyed if asked.streams)):
                await asked.begun.wait()
            assert await stopped.stop() == 0
            await asyncio.wait(tasks)
        # They are told: of the end that their response has now, or that somebody else has to be asked for it.
        for asked in (*followed, *keyed):
            assert b"shutting_down" in asked.last_words or b"gateway_restarted" in asked.seen
        async with world.node() as heir:
            # Nobody has waited for a lease to end, nor made it end.
            ends = await census(heir, [*followed, alone, *keyed, *queued])
        assert ends == {
            "background failed": 3,
            "background completed": 2,
            "keyed refused": 2,
            "keyed stream failed": 3,
        }
        assert max(stories(world).values()) == 1
        world.sim.reset()
