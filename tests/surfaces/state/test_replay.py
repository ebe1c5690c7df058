"""`GET /v1/responses/{id}?stream=true`: the log of a stream, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from gateway.core import json, usage
from gateway.core.response import complete_response
from gateway.store.connection import Connection
from gateway.store.rows import Frame
from gateway.surfaces.router import Router
from gateway.surfaces.state import routes
from tests.sdk_types import check_response_stream, sse_events
from tests.serving import serving
from tests.store.home import Home, answer, ending, response, running
from tests.surfaces.stack import Stack
from tests.surfaces.state.conftest import LIMITS, World, problem

Json = dict[str, Any]


def _events() -> list[Json]:
    base = complete_response({"id": "resp_1", "created_at": 5, "model": "m", "status": "in_progress"}, {})
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    whole = {**part, "text": "ab"}
    done = {**item, "status": "completed", "content": [whole]}
    counted = usage.complete({"input_tokens": 1, "output_tokens": 2})
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events: list[Json] = [
        {"type": "response.created", "response": base},
        {"type": "response.in_progress", "response": base},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        {"type": "response.output_text.delta", **place, "delta": "a", "logprobs": []},
        {"type": "response.output_text.delta", **place, "delta": "b", "logprobs": []},
        {"type": "response.output_text.done", **place, "text": "ab", "logprobs": []},
        {"type": "response.content_part.done", **place, "part": whole},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {
            "type": "response.completed",
            "response": {**base, "status": "completed", "output": [done], "usage": counted},
        },
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


EVENTS = _events()
FRAMES = [
    Frame(number, f"event: {event['type']}\ndata: {json.dumps(event).decode()}\n\n".encode())
    for number, event in enumerate(EVENTS)
]
WHOLE = b"".join(frame.data for frame in FRAMES) + b"data: [DONE]\n\n"


async def logged(world: World, frames: Sequence[Frame] = FRAMES, last: int = 1) -> str:
    """A background response that runs here, with these frames in its log. `last`: how many are kept for its end."""
    key = await world.store.responses.begin(running("resp_1"))
    await world.store.frames.append(key, frames[: len(frames) - last])
    return key


async def ended(world: World) -> str:
    key = await logged(world)
    await world.store.responses.finish(key, ending("completed", answer("ab"), frames=(FRAMES[-1],)))
    return key


@pytest.mark.proves("STATE-resume")
async def test_a_finished_stream_is_replayed_byte_for_byte(world: World) -> None:
    await ended(world)
    answer = await world.http.get("/v1/responses/resp_1?stream=true")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")
    assert answer.headers["x-request-id"] == "made-id"
    assert answer.content == WHOLE
    assert check_response_stream(answer.content).output_text == "ab"


@pytest.mark.proves("CASE-140", "STATE-resume")
async def test_a_stream_is_resumed_after_any_number(world: World) -> None:
    await ended(world)
    stream = await world.client.responses.retrieve("resp_1", stream=True, starting_after=5)
    numbers = [event.sequence_number async for event in stream]
    assert numbers == [6, 7, 8, 9]
    for after in (9, 10_000):
        rest = await world.http.get(f"/v1/responses/resp_1?stream=true&starting_after={after}")
        assert rest.content == b"data: [DONE]\n\n"


@pytest.mark.proves("STATE-resume")
async def test_the_helper_of_the_sdk_goes_on_with_a_response(world: World) -> None:
    await ended(world)
    async with world.client.responses.stream(response_id="resp_1", starting_after=5) as stream:
        numbers = [event.sequence_number async for event in stream]
        assert numbers == [6, 7, 8, 9]
        assert (await stream.get_final_response()).output_text == "ab"


@pytest.mark.proves("STATE-resume")
async def test_a_running_stream_is_followed_across_processes_while_it_grows(world: World, home: Home) -> None:
    async with home.store() as elsewhere:
        key = await elsewhere.responses.begin(running("resp_1"))
        await elsewhere.frames.append(key, FRAMES[:3])
        async with asyncio.timeout(20):
            stream = await world.client.responses.retrieve("resp_1", stream=True, starting_after=1)
            numbers = []
            async for event in stream:
                number = event.sequence_number
                numbers.append(number)
                # The next event is made only when this one was received.
                if number < 8:
                    await elsewhere.frames.append(key, [FRAMES[number + 1]])
                elif number == 8:
                    await elsewhere.responses.finish(key, ending("completed", frames=(FRAMES[9],)))
    assert numbers == list(range(2, 10))


@pytest.mark.proves("STATE-resume")
async def test_a_client_that_leaves_a_replay_stops_nothing(world: World) -> None:
    key = await logged(world)
    async with asyncio.timeout(20):
        async with (
            httpx2.AsyncClient(base_url=world.url) as leaving,
            leaving.stream("GET", "/v1/responses/resp_1?stream=true") as answer,
        ):
            seen = b""
            async for chunk in answer.aiter_bytes():
                seen += chunk
                if FRAMES[8].data in seen:
                    break
        assert await world.store.responses.finish(key, ending("completed", frames=(FRAMES[-1],)))
        again = await world.http.get("/v1/responses/resp_1?stream=true")
    assert again.content == WHOLE


@pytest.mark.proves("STATE-resume")
async def test_a_log_that_is_silent_is_kept_alive_with_comments(world: World) -> None:
    key = await logged(world, [])
    limits = LIMITS.model_copy(update={"hold_seconds": 0.01, "keep_alive_seconds": 0.01})
    stack = Stack(Router({}, {}, [], templates=routes(world.store, limits)))
    async with (
        asyncio.timeout(20),
        serving(stack) as url,
        httpx2.AsyncClient(base_url=url) as http,
        http.stream("GET", "/v1/responses/resp_1?stream=true") as answer,
    ):
        seen = b""
        async for chunk in answer.aiter_bytes():
            if seen.count(b": keep-alive\n\n") < 2 <= (seen + chunk).count(b": keep-alive\n\n"):
                await world.store.responses.finish(key, ending("completed", frames=tuple(FRAMES)))
            seen += chunk
    assert seen.replace(b": keep-alive\n\n", b"") == WHOLE


@pytest.mark.proves("STATE-not-resumable")
async def test_a_stream_that_is_not_kept_is_refused(world: World) -> None:
    await world.store.responses.save(response("resp_2"), [])
    key = await world.store.responses.begin(running("resp_3", surface="chat"))
    await world.store.frames.append(key, [Frame(0, b'data: {"object":"chat.completion.chunk"}\n\n')])
    for name in ("resp_2", "resp_3"):
        found = await world.refused("GET", f"/v1/responses/{name}?stream=true")
        assert problem(found) == (400, "invalid_request", "stream")


@pytest.mark.proves("STATE-not-resumable")
async def test_a_stream_is_not_resumed_once_its_log_is_swept(world: World, home: Home) -> None:
    key = await ended(world)

    async def forget(connection: Connection) -> None:
        await connection.execute(text("DELETE FROM stream_frames WHERE response_id = :key"), {"key": key})

    await world.store.database.write(forget)
    refused = (400, "invalid_request", "stream")
    assert problem(await world.refused("GET", "/v1/responses/resp_1?stream=true")) == refused
    home.clock.forward(minutes=61)
    await world.store.sweep()
    assert problem(await world.refused("GET", "/v1/responses/resp_1?stream=true&starting_after=3")) == refused
    assert (await world.client.responses.retrieve("resp_1")).output_text == "ab"


@pytest.mark.proves("STATE-query")
@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("starting_after=-1", "integer_below_min_value", "starting_after"),
        ("starting_after=99999999999", "integer_above_max_value", "starting_after"),
        ("starting_after=x", "invalid_request", "starting_after"),
        ("stream=perhaps", "invalid_request", "stream"),
        ("include=nothing", "invalid_value", "include[0]"),
    ],
)
async def test_a_bad_question_for_a_stream_is_named(world: World, query: str, code: str, param: str) -> None:
    await ended(world)
    assert problem(await world.refused("GET", f"/v1/responses/resp_1?{query}")) == (400, code, param)


@pytest.mark.proves("STATE-resume", "STATE-unavailable")
async def test_a_log_that_is_lost_on_the_way_is_told_as_an_error(world: World) -> None:
    await logged(world)

    async def lose(connection: Connection) -> None:
        await connection.execute(text("ALTER TABLE stream_frames RENAME TO lost"))

    async with asyncio.timeout(20), world.http.stream("GET", "/v1/responses/resp_1?stream=true") as answer:
        seen = b""
        async for chunk in answer.aiter_bytes():
            seen += chunk
            if seen.endswith(FRAMES[8].data):
                await world.store.database.write(lose)
    events = [json.loads(payload.encode()) for _, payload in sse_events(seen) if payload != "[DONE]"]
    last = events[-1]
    assert (last["type"], last["sequence_number"], last["error"]["code"]) == ("error", 8, "store_unavailable")
    assert seen.endswith(b"data: [DONE]\n\n")
