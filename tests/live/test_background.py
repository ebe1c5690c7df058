"""Background responses: they run on without their client, are polled, cancelled and followed from anywhere."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.live.drops import events_until, lines_of
from tests.live.sdk import Sdk, events, helped
from tests.live.stack import CODEX, MODEL, Stack, only, running
from tests.live.talk import (
    CREATE,
    HELPER,
    KEPT,
    RETRIEVE,
    STATELESS,
    check_kept,
    dumped,
    exactly,
    heard,
    judged,
    last_heard,
    message_of,
    not_twice,
    paged,
    refused,
    say,
)
from tests.sdk_types import check_failed_response_stream, check_response_stream

pytestmark = [pytest.mark.asyncio(loop_scope="session"), not_twice]

Json = dict[str, Any]

CANCEL = "responses.cancel"
ENDED = ("completed", "incomplete", "failed", "cancelled")

_gates = itertools.count()


def slow(stack: Stack, *after: Any) -> Any:
    """The next answer begins, and waits for the gate in the middle of its text."""
    name = f"background-{next(_gates)}"
    stack.play("responses", {"steps": [{"text": ["so ", {"gate": name}, *(after or ("at last",))]}]})
    return stack.sim.gate(name)


async def ended(sdk: Sdk, name: str) -> Any:
    """The response as it ended, found by asking again and again."""
    async with asyncio.timeout(10):
        while (found := check_kept(await sdk.call(RETRIEVE, response_id=name))).status not in ENDED:
            pass
    return found


async def begun(sdk: Sdk, given: Any = "hi", **more: Any) -> Any:
    return check_kept(await sdk.call(CREATE, model=MODEL, input=given, background=True, **more))


# polling --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("RECALL-background")
@only(*KEPT)
async def test_it_is_queued_at_once_runs_and_is_completed_without_anybody_waiting(sdk: Sdk, stack: Stack) -> None:
    gate = slow(stack)
    answered = await begun(sdk, metadata={"job": "1"}, instructions="Be slow.")
    assert (answered.status, answered.output, answered.usage, answered.background) == ("queued", [], None, True)
    assert (answered.metadata, answered.instructions, dumped(answered)["store"]) == ({"job": "1"}, "Be slow.", True)
    async with asyncio.timeout(10):
        await gate.reached.wait()
    body = stack.sent("responses")[-1]
    assert "background" not in body
    found = await stack.http.get(f"/v1/responses/{answered.id}")
    assert check_kept(found.content).status == "in_progress"
    assert int(found.headers["openai-poll-after-ms"]) > 0
    gate.set()
    done = judged(await ended(sdk, answered.id))
    assert (done.id, done.status, done.output_text, done.background) == (answered.id, "completed", "so at last", True)
    assert (done.metadata, done.instructions, done.created_at) == ({"job": "1"}, "Be slow.", answered.created_at)
    [asked] = await paged(sdk, "responses.input_items.list", response_id=done.id)
    assert asked.content[0].text == "hi"


@pytest.mark.proves("RECALL-background")
@only(*KEPT)
async def test_it_was_created_when_it_was_queued_whatever_upstream_says(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack.sim, "clock", lambda: time.time() + 1_000)
    sdk = stack.sdks["AsyncSdk"]
    answered = await begun(sdk)
    assert (await ended(sdk, answered.id)).created_at == answered.created_at
    shown = await events(sdk, RETRIEVE, response_id=answered.id, stream=True)
    told = {event.response.created_at for event in shown if hasattr(event, "response")}
    assert told == {answered.created_at}


@pytest.mark.proves("RECALL-background")
@only(*KEPT)
async def test_it_goes_on_from_a_response_and_others_go_on_from_it(sdk: Sdk, stack: Stack) -> None:
    first = await say(sdk, exactly("one"))
    second = await ended(sdk, (await begun(sdk, exactly("two"), previous_response_id=first.id)).id)
    assert second.previous_response_id == first.id
    await say(sdk, exactly("three"), previous_response_id=second.id)
    told = [f"user: {exactly('one')}", "assistant: one", f"user: {exactly('two')}", "assistant: two"]
    assert last_heard(stack) == [*told, f"user: {exactly('three')}"]


@pytest.mark.proves("RECALL-background")
@only(*STATELESS)
async def test_nobody_goes_on_from_one_that_still_runs(sdk: Sdk, stack: Stack) -> None:
    gate = slow(stack)
    first = await begun(sdk)
    async with asyncio.timeout(10):
        await gate.reached.wait()
    asked: Json = {"model": MODEL, "input": "x", "previous_response_id": first.id}
    assert await refused(sdk, CREATE, **asked) == (400, "previous_response_not_found", "previous_response_id")
    assert "still runs" in await message_of(sdk, CREATE, **asked)
    gate.set()
    await ended(sdk, first.id)


@pytest.mark.proves("RECALL-background")
@only(*STATELESS)
async def test_its_conversation_is_busy_until_its_end_and_then_holds_its_turn(sdk: Sdk, stack: Stack) -> None:
    made = await sdk.call("conversations.create")
    gate = slow(stack)
    answered = await begun(sdk, conversation=made.id)
    async with asyncio.timeout(10):
        await gate.reached.wait()
    asked: Json = {"model": MODEL, "input": "x", "conversation": made.id}
    assert (await refused(sdk, CREATE, **asked))[1] == "conversation_locked"
    gate.set()
    await ended(sdk, answered.id)
    listed = await paged(sdk, "conversations.items.list", conversation_id=made.id, order="asc")
    assert [item.content[0].text for item in listed] == ["hi", "so at last"]


@pytest.mark.proves("RECALL-background-refused")
@only(*KEPT)
async def test_one_that_is_not_kept_is_refused(sdk: Sdk, stack: Stack) -> None:
    asked: Json = {"model": MODEL, "input": "hi", "background": True, "store": False}
    assert (await refused(sdk, CREATE, **asked))[::2] == (400, "background")
    assert (await refused(sdk, CREATE, **asked, stream=True))[::2] == (400, "background")
    assert stack.sent("responses") == []


@pytest.mark.proves("RECALL-background-failed")
@only(*KEPT)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_what_upstream_refuses_is_a_failed_response_that_says_why(sdk: Sdk, stack: Stack, stream: bool) -> None:
    refusal = {"message": "No such thing.", "type": "invalid_request_error", "code": "odd", "param": "tools"}
    stack.play("responses", {"status": 400, "body": {"error": refusal}})
    if stream:
        asked = {"model": MODEL, "input": "hi", "background": True, "stream": True}
        answer = await stack.http.post("/v1/responses", json=asked)
        assert check_failed_response_stream(answer.content) == "odd"
        name = lines_of(answer.content)[0]["response"]["id"]
    else:
        name = (await begun(sdk)).id
    found = await ended(sdk, name)
    assert found.status == "failed"
    assert found.error is not None
    assert dumped(found)["error"] == {"code": "odd", "message": "No such thing."}
    raw = await stack.http.get(f"/v1/responses/{name}", params={"stream": "true"})
    assert check_failed_response_stream(raw.content) == "odd"


@pytest.mark.proves("RECALL-background-failed")
@only(*KEPT)
async def test_what_breaks_in_the_middle_keeps_what_came(sdk: Sdk, stack: Stack) -> None:
    stack.play("responses", {"steps": [{"text": ["half ", "an answer"]}], "finish": {"failed": "server_error"}})
    found = await ended(sdk, (await begun(sdk)).id)
    assert (found.status, found.output_text) == ("failed", "half an answer")
    assert found.error is not None
    assert found.error.code == "server_error"


@pytest.mark.proves("RECALL-background-refused")
@only(*STATELESS)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_request_that_nobody_would_run_is_refused_before_it_is_queued(
    sdk: Sdk, stack: Stack, stream: bool
) -> None:
    asked: Json = {"model": MODEL, "input": "hi", "prompt": {"id": "pmpt_1"}, "background": True, "stream": stream}
    assert await refused(sdk, CREATE, **asked) == (400, "unsupported_parameter", "prompt")
    assert stack.sent("responses") == []


# cancelling -----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("RECALL-cancel")
@only(*KEPT)
async def test_a_running_one_is_cancelled_with_what_it_has_said(sdk: Sdk, stack: Stack) -> None:
    gate = slow(stack)
    answered = await begun(sdk)
    async with asyncio.timeout(10):
        await gate.reached.wait()
        # What it said has come as far as the log before it is stopped.
        await events_until(stack, f"/v1/responses/{answered.id}?stream=true", kind="response.output_text.delta")
        gone = check_kept(await sdk.call(CANCEL, response_id=answered.id))
        [call] = stack.sim.calls(stack.upstream_route)
        await call.finished.wait()
    assert call.closed_early
    assert (gone.id, gone.status, gone.output_text, gone.error) == (answered.id, "cancelled", "so ", None)
    assert check_kept(await sdk.call(CANCEL, response_id=answered.id)) == gone
    assert check_kept(await sdk.call(RETRIEVE, response_id=answered.id)) == gone
    asked: Json = {"model": MODEL, "input": "x", "previous_response_id": answered.id}
    assert (await refused(sdk, CREATE, **asked))[1] == "previous_response_not_found"
    assert "cancelled" in await message_of(sdk, CREATE, **asked)


@pytest.mark.proves("RECALL-cancel")
@only(*STATELESS)
async def test_what_has_ended_stays_as_it_was_and_what_is_no_background_is_refused(sdk: Sdk, stack: Stack) -> None:
    done = await ended(sdk, (await begun(sdk)).id)
    assert check_kept(await sdk.call(CANCEL, response_id=done.id)) == done
    plain = await say(sdk, "hi")
    assert await refused(sdk, CANCEL, response_id=plain.id) == (400, "invalid_request", None)
    assert "synchronous" in await message_of(sdk, CANCEL, response_id=plain.id)
    assert await refused(sdk, CANCEL, response_id="resp_unknown") == (404, None, None)


@pytest.mark.proves("RECALL-delete-running")
@only(*STATELESS)
async def test_one_that_is_deleted_while_it_runs_is_stopped_and_gone(sdk: Sdk, stack: Stack) -> None:
    gate = slow(stack)
    answered = await begun(sdk)
    async with asyncio.timeout(10):
        await gate.reached.wait()
        await sdk.call("responses.delete", response_id=answered.id)
        [call] = stack.sim.calls(stack.upstream_route)
        await call.finished.wait()
    assert call.closed_early
    assert await refused(sdk, RETRIEVE, response_id=answered.id) == (404, None, None)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def narrow_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    workdir: Path = tmp_path_factory.mktemp("narrow")
    async with running(CODEX, workdir, limits={"background_responses": 1}) as stack:
        yield stack


@pytest.mark.proves("RECALL-queue", "RECALL-cancel")
@pytest.mark.parametrize("kind", ["SyncSdk", "AsyncSdk"])
async def test_one_place_is_taken_by_one_and_the_queue_behind_it_can_be_cancelled(
    narrow_stack: Stack, kind: str
) -> None:
    stack, sdk = narrow_stack, narrow_stack.sdks[kind]
    stack.sim.reset()
    gate = slow(stack)
    first = await begun(sdk, "first")
    async with asyncio.timeout(10):
        await gate.reached.wait()
        second, third = await begun(sdk, "second"), await begun(sdk, exactly("third"))
        assert check_kept(await sdk.call(RETRIEVE, response_id=second.id)).status == "queued"
        gone = check_kept(await sdk.call(CANCEL, response_id=second.id))
        assert (gone.status, gone.output, gone.usage, gone.error) == ("cancelled", [], None, None)
        assert check_kept(await sdk.call(CANCEL, response_id=second.id)) == gone
        followed = await stack.http.get(f"/v1/responses/{second.id}", params={"stream": "true"})
        assert [event["type"] for event in lines_of(followed.content)][-1] == "response.failed"
        assert len(stack.sent("responses")) == 1
        gate.set()
    assert (await ended(sdk, first.id)).output_text == "so at last"
    assert (await ended(sdk, third.id)).output_text == "third"
    assert [heard(body) for body in stack.sent("responses")] == [["user: first"], [f"user: {exactly('third')}"]]


# streams --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("RECALL-background-stream")
@only(*KEPT)
async def test_its_stream_is_sound_and_its_end_is_what_is_read_later(sdk: Sdk, stack: Stack) -> None:
    asked = {"model": MODEL, "input": exactly("tea"), "background": True, "stream": True}
    answer = await stack.http.post("/v1/responses", json=asked)
    told = check_response_stream(answer.content)
    assert (told.output_text, told.background) == ("tea", True)
    assert judged(await sdk.call(RETRIEVE, response_id=told.id)) == told
    again = await stack.http.get(f"/v1/responses/{told.id}", params={"stream": "true"})
    assert again.content == answer.content
    shown = await events(sdk, RETRIEVE, response_id=told.id, stream=True)
    assert [event.sequence_number for event in shown] == list(range(len(shown)))


@pytest.mark.proves("RECALL-background-stream", "CASE-141")
@only(*KEPT)
async def test_it_runs_on_when_the_client_of_its_stream_drops(sdk: Sdk, stack: Stack) -> None:
    gate = slow(stack)
    async with asyncio.timeout(10):
        asked = {"model": MODEL, "input": "hi", "background": True, "stream": True}
        first, *_ = await events_until(stack, "/v1/responses", body=asked, kind="response.output_text.delta")
        gate.set()
    done = await ended(sdk, first["response"]["id"])
    assert (done.status, done.output_text) == ("completed", "so at last")


@pytest.mark.proves("RECALL-resume")
@only(*KEPT)
async def test_a_client_that_drops_after_every_event_sees_each_of_them_once(stack: Stack) -> None:
    gate = slow(stack, "at ", "last")
    async with asyncio.timeout(20):
        asked = {"model": MODEL, "input": "hi", "background": True, "stream": True}
        [first] = await events_until(stack, "/v1/responses", body=asked, count=1)
        seen = [first]
        path = f"/v1/responses/{first['response']['id']}?stream=true"
        while not seen[-1]["type"].startswith(("response.completed", "response.failed")):
            if seen[-1]["type"] == "response.output_text.delta":
                gate.set()  # until here it was running
            seen += await events_until(stack, f"{path}&starting_after={seen[-1]['sequence_number']}", count=1)
    whole = await stack.http.get(path)
    assert seen == lines_of(whole.content)
    assert check_response_stream(whole.content).output_text == "so at last"
    rest = await stack.http.get(f"{path}&starting_after={len(seen) - 1}")
    assert rest.content == b"data: [DONE]\n\n"


@pytest.mark.proves("RECALL-resume")
@only(*STATELESS)
async def test_the_stream_is_resumed_from_any_event_to_its_end(sdk: Sdk, stack: Stack) -> None:
    answered = await ended(sdk, (await begun(sdk, exactly("one two three four"))).id)
    whole = await events(sdk, RETRIEVE, response_id=answered.id, stream=True)
    for last in range(len(whole)):
        rest = await events(sdk, RETRIEVE, response_id=answered.id, stream=True, starting_after=last)
        assert [dumped(event) for event in rest] == [dumped(event) for event in whole[last + 1 :]]


@pytest.mark.proves("RECALL-resume")
@only(*STATELESS)
async def test_the_helper_of_the_sdk_resumes_while_it_runs(sdk: Sdk, stack: Stack) -> None:
    gate = slow(stack)
    async with asyncio.timeout(10):
        asked = {"model": MODEL, "input": "hi", "background": True, "stream": True}
        first, *_, last = await events_until(stack, "/v1/responses", body=asked, kind="response.output_text.delta")
        gate.set()
        resumed: Json = {"response_id": first["response"]["id"], "starting_after": last["sequence_number"]}
        shown, final = await helped(sdk, HELPER, **resumed)
    assert shown[0].sequence_number == last["sequence_number"] + 1
    assert final.output_text == "so at last"
    assert "".join(event.delta for event in shown if event.type == "response.output_text.delta") == "at last"


@pytest.mark.proves("RECALL-resume")
@only(*STATELESS)
async def test_several_follow_one_response_and_see_the_same(stack: Stack) -> None:
    gate = slow(stack)
    async with asyncio.timeout(10):
        answered = await begun(stack.sdks["AsyncSdk"])
        path = f"/v1/responses/{answered.id}?stream=true"
        followers = [asyncio.create_task(stack.http.get(path)) for _ in range(5)]
        await gate.reached.wait()
        gate.set()
        contents = {(await follower).content for follower in followers}
    assert len(contents) == 1
    assert check_response_stream(contents.pop()).output_text == "so at last"


@pytest.mark.proves("RECALL-cancel")
@only(*STATELESS)
async def test_who_follows_is_told_of_the_cancel(sdk: Sdk, stack: Stack) -> None:
    slow(stack)
    async with asyncio.timeout(10):
        answered = await begun(sdk)
        path = f"/v1/responses/{answered.id}?stream=true"
        follower = asyncio.create_task(stack.http.get(path))
        await events_until(stack, path, kind="response.output_text.delta")
        await sdk.call(CANCEL, response_id=answered.id)
        shown = lines_of((await follower).content)
    assert [event["sequence_number"] for event in shown] == list(range(len(shown)))
    assert (shown[-1]["type"], shown[-1]["response"]["status"]) == ("response.failed", "cancelled")
