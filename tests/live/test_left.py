"""Clients that leave a stream that is not in the background: what was said until then is kept, as cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.live.drops import events_until, lines_of
from tests.live.sdk import Sdk
from tests.live.stack import MODEL, Stack, only
from tests.live.talk import (
    CREATE,
    KEPT,
    RETRIEVE,
    STATELESS,
    check_kept,
    dumped,
    kept_rows,
    message_of,
    not_twice,
    paged,
    refused,
    say,
)
from tests.sdk_types import check_error

pytestmark = [pytest.mark.asyncio(loop_scope="session"), not_twice]

Json = dict[str, Any]


async def left(stack: Stack, **more: Any) -> Any:
    """A response whose client has left in the middle of its text; as it is read afterwards."""
    stack.play("responses", {"steps": [{"text": ["so ", {"stall": True}]}]})
    asked = {"model": MODEL, "input": "hi", "stream": True, **more}
    async with asyncio.timeout(10):
        first, *_ = await events_until(stack, "/v1/responses", body=asked, kind="response.output_text.delta")
        [call] = stack.sim.calls(stack.upstream_route)
        await call.finished.wait()
        assert call.closed_early
        while (answer := await stack.http.get(f"/v1/responses/{first['response']['id']}")).status_code == 404:
            pass
    found = check_kept(answer.content)
    assert found.id == first["response"]["id"]
    return found


@pytest.mark.proves("RECALL-left")
@only(*KEPT)
async def test_what_came_is_kept_as_cancelled_and_cannot_be_continued(sdk: Sdk, stack: Stack) -> None:
    found = await left(stack, metadata={"a": "b"})
    assert (found.status, found.output_text, found.error, found.metadata) == ("cancelled", "so ", None, {"a": "b"})
    assert dumped(found)["store"] is True
    assert check_kept(await sdk.call(RETRIEVE, response_id=found.id)).output_text == "so "
    [asked] = await paged(sdk, "responses.input_items.list", response_id=found.id)
    assert asked.content[0].text == "hi"
    again: Json = {"model": MODEL, "input": "x", "previous_response_id": found.id}
    assert (await refused(sdk, CREATE, **again))[1] == "previous_response_not_found"
    assert "cancelled" in await message_of(sdk, CREATE, **again)


@pytest.mark.proves("RECALL-left")
@only(*KEPT)
async def test_who_would_resume_it_is_told_why_nobody_can(stack: Stack) -> None:
    found = await left(stack)
    answer = await stack.http.get(f"/v1/responses/{found.id}", params={"stream": "true", "starting_after": 2})
    error = check_error(answer.content)
    assert (answer.status_code, error.param) == (400, "stream")
    assert "client left" in error.message
    assert "background" in error.message


@pytest.mark.proves("RECALL-left")
@only(*STATELESS)
async def test_nothing_is_kept_of_what_was_not_to_be(stack: Stack) -> None:
    stack.play("responses", {"steps": [{"text": ["so ", {"stall": True}]}]}, None)
    asked = {"model": MODEL, "input": "hi", "stream": True, "store": False}
    async with asyncio.timeout(10):
        first, *_ = await events_until(stack, "/v1/responses", body=asked, kind="response.output_text.delta")
        [call] = stack.sim.calls(stack.upstream_route)
        await call.finished.wait()
        # A turn that begins later ends later, so this one has been forgotten by then.
        await stack.http.post("/v1/responses", json={"model": MODEL, "input": "hi"})
    answer = await stack.http.get(f"/v1/responses/{first['response']['id']}")
    assert answer.status_code == 404


@pytest.mark.proves("RECALL-left")
@only(*STATELESS)
async def test_a_conversation_has_nothing_of_it(sdk: Sdk, stack: Stack) -> None:
    made = await sdk.call("conversations.create")
    found = await left(stack, conversation=made.id)
    assert dumped(found)["conversation"] == {"id": made.id}
    assert await paged(sdk, "conversations.items.list", conversation_id=made.id) == []


@pytest.mark.proves("RECALL-left")
@only(*KEPT)
async def test_an_answer_that_nobody_has_seen_anything_of_is_not_kept(stack: Stack) -> None:
    count = "select count(*) from responses"
    before = kept_rows(stack, count)
    gate = stack.sim.gate("left-early")
    stack.play("responses", {"gate": "left-early"})
    async with asyncio.timeout(10):
        request = asyncio.create_task(stack.http.post("/v1/responses", json={"model": MODEL, "input": "hi"}))
        await gate.reached.wait()
        request.cancel()
        await asyncio.wait([request])
        [call] = stack.sim.calls(stack.upstream_route)
        await call.finished.wait()
        await say(stack.sdks["AsyncSdk"], "a turn that begins later")
    assert call.closed_early
    [(known,)] = before
    assert kept_rows(stack, count) == [(known + 1,)]


@pytest.mark.proves("RECALL-left")
@only(*STATELESS)
async def test_the_stream_of_one_that_ended_well_is_not_kept_and_says_so(stack: Stack) -> None:
    answer = await stack.http.post("/v1/responses", json={"model": MODEL, "input": "hi", "stream": True})
    name = lines_of(answer.content)[0]["response"]["id"]
    refusal = await stack.http.get(f"/v1/responses/{name}", params={"stream": "true"})
    error = check_error(refusal.content)
    assert (refusal.status_code, error.param) == (400, "stream")
    assert "client left" not in error.message
