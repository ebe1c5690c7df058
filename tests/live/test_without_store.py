"""A store that cannot be used: what needs none goes on at once, what needs it is a clear 503, and no answer is lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.live import chat
from tests.live.drops import lines_of
from tests.live.sdk import Sdk
from tests.live.stack import CHAT_ONLY, CODEX, MODEL, Mode, Stack, running
from tests.live.talk import CREATE, RETRIEVE, dumped, exactly, judged, paged, refused, say
from tests.sdk_types import check_chat_stream, check_error, check_failed_response_stream, check_response_stream

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

each_mode = pytest.mark.parametrize("mode", [CODEX, CHAT_ONLY], ids=lambda mode: mode.name)
each_sdk = pytest.mark.parametrize("kind", ["SyncSdk", "AsyncSdk"])
GONE = (503, "store_unavailable")
LONG: Json = {"busy_seconds": 60}
"""Longer than any test waits: what asks a locked store anything does not come back in time."""


@contextmanager
def locked(stack: Stack) -> Iterator[None]:
    """Another process writes, and does not come to an end."""
    connection = sqlite3.connect(stack.workdir / "gateway.db", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@asynccontextmanager
async def without(mode: Mode, workdir: Path) -> AsyncIterator[Stack]:
    """A gateway whose store cannot be opened."""
    (workdir / "gateway.db").mkdir()
    async with running(mode, workdir) as stack:
        yield stack


async def stateless(sdk: Sdk, stack: Stack) -> None:
    """Whatever needs no store is answered."""
    assert (await say(sdk, exactly("one"), store=False)).output_text == "one"
    asked: Json = {"model": MODEL, "input": exactly("two"), "store": False, "stream": True}
    streamed = check_response_stream((await stack.http.post("/v1/responses", json=asked)).content)
    assert streamed.output_text == "two"
    answer = chat.judged(await sdk.call(chat.CREATE, model=MODEL, messages=chat.exactly("three")))
    assert answer.choices[0].message.content == "three"
    asked = {"model": MODEL, "messages": chat.exactly("four"), "stream": True}
    chunks = check_chat_stream((await stack.http.post("/v1/chat/completions", json=asked)).content, expect_usage=False)
    assert chat.text_of(chunks) == "four"
    assert (await sdk.call("completions.create", model=MODEL, prompt=exactly("five"))).choices[0].text == "five"
    assert [model.id for model in await paged(sdk, "models.list")]


@pytest.mark.proves("RECALL-stateless")
@each_mode
@each_sdk
async def test_what_needs_no_store_is_answered_beside_one_that_is_locked(mode: Mode, kind: str, tmp_path: Path) -> None:
    async with running(mode, tmp_path, store=LONG) as stack, asyncio.timeout(15):
        with locked(stack):
            await stateless(stack.sdks[kind], stack)


@pytest.mark.proves("RECALL-stateless", "RECALL-unavailable")
@each_mode
@each_sdk
async def test_a_store_that_cannot_be_opened_stops_nothing_else(mode: Mode, kind: str, tmp_path: Path) -> None:
    async with without(mode, tmp_path) as stack, asyncio.timeout(15):
        sdk = stack.sdks[kind]
        await stateless(sdk, stack)
        await not_kept(sdk, stack)
        turn: Json = {"model": MODEL, "input": "hi"}
        asked = len(stack.sent("responses"))
        for more in ({"conversation": "conv_1"}, {"previous_response_id": "resp_1"}, {"background": True}):
            for stream in (False, True):
                assert (await refused(sdk, CREATE, **turn, **more, stream=stream))[:2] == GONE
        assert len(stack.sent("responses")) == asked
        assert (await refused(sdk, RETRIEVE, response_id="resp_1"))[:2] == GONE
        assert (await refused(sdk, "conversations.create"))[:2] == GONE
        assert (await refused(sdk, "chat.completions.list"))[:2] == GONE


async def not_kept(sdk: Sdk, stack: Stack) -> None:
    """Whoever said nothing of `store` is answered, and told that nothing was kept."""
    answered = await say(sdk, exactly("one"))
    assert (answered.output_text, dumped(answered)["store"]) == ("one", False)
    asked: Json = {"model": MODEL, "input": exactly("two"), "stream": True}
    shown = (await stack.http.post("/v1/responses", json=asked)).content
    assert check_response_stream(shown).output_text == "two"
    assert lines_of(shown)[-1]["response"]["store"] is False
    answer = chat.judged(await sdk.call(chat.CREATE, model=MODEL, messages=chat.exactly("three"), store=True))
    assert answer.choices[0].message.content == "three"


@pytest.mark.proves("RECALL-unavailable")
@each_sdk
async def test_a_store_that_is_locked_for_a_while_keeps_nothing_meanwhile_and_works_afterwards(
    kind: str, tmp_path: Path
) -> None:
    async with running(CODEX, tmp_path, store={"busy_seconds": 0.05}) as stack, asyncio.timeout(15):
        sdk = stack.sdks[kind]
        first = await say(sdk, exactly("before"))
        made = await sdk.call("conversations.create")
        with locked(stack):
            await not_kept(sdk, stack)
            second = await say(sdk, exactly("meanwhile"), previous_response_id=first.id)  # reading needs no lock
            assert (second.output_text, dumped(second)["store"]) == ("meanwhile", False)
            asked = len(stack.sent("responses"))
            assert (await refused(sdk, CREATE, model=MODEL, input="hi", conversation=made.id))[:2] == GONE
            assert (await refused(sdk, CREATE, model=MODEL, input="hi", background=True))[:2] == GONE
            assert len(stack.sent("responses")) == asked
        third = await say(sdk, exactly("after"), conversation=made.id)
        assert dumped(third)["store"] is True
        assert judged(await sdk.call(RETRIEVE, response_id=third.id)) == third


@pytest.mark.proves("RECALL-unavailable")
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_turn_whose_conversation_cannot_be_kept_says_so_and_is_not_to_be_paid_twice(
    stream: bool, tmp_path: Path
) -> None:
    async with running(CODEX, tmp_path, store={"busy_seconds": 0.05}) as stack, asyncio.timeout(15):
        sdk = stack.sdks["AsyncSdk"]
        made = await sdk.call("conversations.create")
        stack.play("responses", {"steps": [{"text": ["so ", {"gate": "lost"}, "at last"]}]})
        gate = stack.sim.gate("lost")
        body = {"model": MODEL, "input": "hi", "conversation": made.id, "stream": stream}
        request = asyncio.create_task(stack.http.post("/v1/responses", json=body))
        await gate.reached.wait()
        with locked(stack):
            gate.set()
            answer = await request
        if stream:
            assert check_failed_response_stream(answer.content) == "store_unavailable"
        else:
            assert (answer.status_code, check_error(answer.content).code) == GONE
            assert answer.headers["x-should-retry"] == "false"
        assert await paged(sdk, "conversations.items.list", conversation_id=made.id) == []
