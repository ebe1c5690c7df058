"""Idempotency-Key: what runs a model runs it once, and whoever repeats it gets the answer of the first time."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.config import Store as Settings
from gateway.store import Store
from tests.live.sdk import Sdk
from tests.live.stack import CHAT_ONLY, CODEX, MODEL, NATIVE, TRANSLATED, DialectName, Stack, only, running
from tests.live.talk import KEPT, KEPT_TRANSLATED
from tests.sdk_types import (
    check_error,
    check_failed_chat_stream,
    check_failed_completion_stream,
    check_failed_response_stream,
    check_response_stream,
    sse_events,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

everywhere = only(*KEPT, NATIVE, TRANSLATED)
by_kind = only(CODEX, CHAT_ONLY, NATIVE)
"""One mode for each way that an answer can come: translated, out of chat, relayed."""
streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])

RUNS = ("codex.responses", "codex.compact", "openai.responses", "openai.chat", "openai.completions", "openai.compact")
"""Routes of the simulator that run a model."""


@dataclass(frozen=True)
class Request:
    """A request that runs a model. `calls`: how many upstream calls it takes."""

    dialect: DialectName
    path: str
    body: Json = field(hash=False)
    calls: int = 1

    @property
    def streams(self) -> bool:
        return not self.path.endswith("/compact")


TALK = [{"role": "user", "content": "Reply with exactly: tea"}]
CHAT = Request("chat", "/v1/chat/completions", {"messages": TALK})
TEXT = Request("completions", "/v1/completions", {"prompt": "Reply with exactly: tea"})
KEPT_ANSWER = Request("responses", "/v1/responses", {"input": TALK})
UNKEPT = Request("responses", "/v1/responses", {"input": TALK, "store": False})
REQUESTS: dict[str, Request] = {
    "chat": CHAT,
    "chat-stored": Request("chat", "/v1/chat/completions", {"messages": TALK, "store": True}),
    "completions": TEXT,
    "several": Request("completions", "/v1/completions", {"prompt": ["one", "two", "three"]}, calls=3),
    "responses": KEPT_ANSWER,
    "responses-stored": Request("responses", "/v1/responses", {"input": TALK, "store": True}),
    "responses-not-stored": UNKEPT,
    "compact": Request("responses", "/v1/responses/compact", {"input": TALK}),
}
DIALECTS = pytest.mark.parametrize(
    "request_", [CHAT, TEXT, KEPT_ANSWER, UNKEPT], ids=["chat", "text", "kept", "unkept"]
)
CHECK_FAILED: dict[str, Any] = {
    "chat": check_failed_chat_stream,
    "completions": check_failed_completion_stream,
    "responses": check_failed_response_stream,
}

_numbers = itertools.count()


@pytest.fixture
def key() -> str:
    """A key that nobody has used."""
    return f"key {time.time()} {next(_numbers)}"


@pytest.fixture
def gate(stack: Stack) -> Any:
    """A pause point that no stream has passed."""
    name = f"once-{next(_numbers)}"
    return name, stack.sim.gate(name)


def halves(name: str) -> Json:
    """A script that stops in the middle of its text."""
    return {"steps": [{"text": ["one ", {"gate": name}, "two"]}]}


async def post(stack: Stack, request: Request, key: str, **fields: Any) -> httpx2.Response:
    body = {"model": MODEL, **request.body, **fields}
    return await stack.http.post(request.path, json=body, headers={"Idempotency-Key": key})


@asynccontextmanager
async def streaming(stack: Stack, request: Request, key: str) -> AsyncIterator[tuple[bytes, AsyncIterator[bytes]]]:
    """A stream, as far as it came at once, and the rest of it."""
    body = {"model": MODEL, **request.body, "stream": True}
    async with stack.http.stream("POST", request.path, json=body, headers={"Idempotency-Key": key}) as answer:
        assert answer.status_code == 200
        pieces = answer.aiter_raw()
        begun = b""
        while b"one " not in begun:
            begun += await anext(pieces)
        yield begun, pieces


def runs(stack: Stack) -> int:
    """How often the upstream was asked to run a model."""
    return sum(stack.sim.counters[route] for route in RUNS)


def replayed(answer: httpx2.Response) -> bool:
    return answer.headers.get("x-gateway-replayed") == "true"


def name_in(answer: httpx2.Response) -> str:
    """The id of the response that a stream tells of."""
    name: str = json.loads(sse_events(answer.content)[0][1])["response"]["id"]
    return name


# once and again -------------------------------------------------------------------------------------------------------


@pytest.mark.proves("ONCE-repeat")
@everywhere
@streamed_or_not
@pytest.mark.parametrize("name", REQUESTS)
async def test_a_repeat_gets_the_same_bytes_and_runs_nothing(stack: Stack, name: str, stream: bool, key: str) -> None:
    request = REQUESTS[name]
    fields = {"stream": True} if stream and request.streams else {}
    first = await post(stack, request, key, **fields)
    assert first.status_code == 200, first.text
    ran = runs(stack)
    again = await post(stack, request, key, **fields)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert (replayed(first), replayed(again)) == (False, True)
    assert runs(stack) == ran
    if name != "compact":  # chat servers are asked for a summary in its place
        assert ran == request.calls or (name == "several" and ran > 0)


@pytest.mark.proves("ONCE-repeat")
@everywhere
@streamed_or_not
async def test_a_background_response_is_begun_once(stack: Stack, stream: bool, key: str) -> None:
    first = await post(stack, KEPT_ANSWER, key, background=True, stream=stream)
    assert first.status_code == 200, first.text
    again = await post(stack, KEPT_ANSWER, key, background=True, stream=stream)
    if stream:
        assert again.content == first.content
        assert check_response_stream(first.content).status == "completed"
    else:
        assert (first.json()["status"], again.json()["id"]) == ("queued", first.json()["id"])
        assert again.headers["openai-poll-after-ms"] == "1000"
        await ended(stack, first.json()["id"])
        assert (await post(stack, KEPT_ANSWER, key, background=True, stream=stream)).json()["status"] == "completed"
    assert runs(stack) == 1


async def ended(stack: Stack, name: str) -> Json:
    """The response once it has ended."""
    await stack.http.get(f"/v1/responses/{name}", params={"stream": "true"})
    found: Json = (await stack.http.get(f"/v1/responses/{name}")).json()
    return found


@pytest.mark.proves("ONCE-sdk")
@everywhere
async def test_the_sdk_repeats_with_an_extra_header(sdk: Sdk, stack: Stack, key: str) -> None:
    extra = {"Idempotency-Key": key}
    first = await sdk.call("responses.create", model=MODEL, input="Hello", extra_headers=extra)
    again = await sdk.call("responses.create", model=MODEL, input="Hello", extra_headers=extra)
    assert (again.id, again.output_text) == (first.id, first.output_text)
    assert runs(stack) == 1


@pytest.mark.proves("ONCE-repeat")
@only(*KEPT)
async def test_a_kept_answer_of_a_key_is_a_response_like_others(stack: Stack, key: str) -> None:
    answered = (await post(stack, KEPT_ANSWER, key, metadata={"a": "b"})).json()
    found = (await stack.http.get(f"/v1/responses/{answered['id']}")).json()
    assert found == answered
    child = {"model": MODEL, "input": "And now?", "previous_response_id": answered["id"]}
    assert (await stack.http.post("/v1/responses", json=child)).status_code == 200
    no_stream = await stack.http.get(f"/v1/responses/{answered['id']}", params={"stream": "true"})
    assert (no_stream.status_code, check_error(no_stream.content).param) == (400, "stream")


@pytest.mark.proves("ONCE-repeat")
@only(*KEPT)
async def test_the_stream_of_a_key_can_be_resumed(stack: Stack, key: str) -> None:
    told = await post(stack, KEPT_ANSWER, key, stream=True)
    whole = await stack.http.get(f"/v1/responses/{name_in(told)}", params={"stream": "true"})
    assert whole.content == told.content


# while it runs --------------------------------------------------------------------------------------------------------


@pytest.mark.proves("ONCE-running")
@everywhere
@DIALECTS
async def test_who_comes_in_the_middle_of_a_stream_gets_the_whole_of_it(
    stack: Stack, request_: Request, key: str, gate: Any
) -> None:
    name, pause = gate
    stack.play(request_.dialect, halves(name))
    async with streaming(stack, request_, key) as (begun, rest):
        await pause.reached.wait()
        async with asyncio.TaskGroup() as tasks:
            others = [tasks.create_task(_all_of(stack, request_, key, pause)) for _ in range(4)]
            whole = begun + b"".join([piece async for piece in rest])
    assert whole.endswith(b"data: [DONE]\n\n")
    assert b"two" in whole
    assert [task.result() for task in others] == [whole] * 4
    assert runs(stack) == 1


async def _all_of(stack: Stack, request: Request, key: str, pause: Any) -> bytes:
    """The whole stream; whoever has its first half lets it go on."""
    async with streaming(stack, request, key) as (begun, rest):
        pause.set()
        return begun + b"".join([piece async for piece in rest])


@pytest.mark.proves("ONCE-running")
@by_kind
@DIALECTS
async def test_many_at_once_run_once(stack: Stack, request_: Request, key: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(post(stack, request_, key)) for _ in range(8)]
    answers = [task.result() for task in asked]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum(not replayed(answer) for answer in answers) == 1
    assert runs(stack) == 1


@pytest.mark.proves("ONCE-left")
@by_kind
@DIALECTS
@streamed_or_not
async def test_it_runs_on_without_its_client(
    stack: Stack, request_: Request, key: str, gate: Any, stream: bool
) -> None:
    name, pause = gate
    stack.play(request_.dialect, halves(name))
    if stream:
        async with streaming(stack, request_, key):
            await pause.reached.wait()
    else:
        first = asyncio.create_task(post(stack, request_, key, stream=False))
        await pause.reached.wait()
        first.cancel()
        await asyncio.wait([first])
    pause.set()
    answer = await post(stack, request_, key, stream=stream)
    assert (answer.status_code, replayed(answer)) == (200, True)
    assert b"two" in answer.content
    [call] = [call for call in stack.sim.log if call.route in RUNS]
    assert not call.closed_early


# other requests -------------------------------------------------------------------------------------------------------


@pytest.mark.proves("ONCE-conflict")
@by_kind
@DIALECTS
async def test_another_body_or_another_route_with_the_same_key_is_refused(
    stack: Stack, request_: Request, key: str
) -> None:
    first = await post(stack, request_, key)
    ran = runs(stack)
    other = await post(stack, request_, key, temperature=0.5)
    conflicts = [other]
    for elsewhere in (CHAT, TEXT, KEPT_ANSWER, REQUESTS["compact"]):
        if elsewhere.path != request_.path:
            conflicts += [await post(stack, elsewhere, key), await post(stack, elsewhere, key, **request_.body)]
    for refused in conflicts:
        error = check_error(refused.content)
        assert (refused.status_code, error.code, error.param) == (409, "idempotency_conflict", "Idempotency-Key")
    assert runs(stack) == ran
    assert (await post(stack, request_, key)).content == first.content


@pytest.mark.proves("ONCE-conflict")
@only(CODEX)
async def test_a_key_is_refused_to_another_body_while_the_first_runs(stack: Stack, key: str, gate: Any) -> None:
    name, pause = gate
    stack.play("chat", halves(name))
    async with streaming(stack, CHAT, key) as (_, rest):
        assert (await post(stack, CHAT, key)).status_code == 409  # without stream it is another body
        pause.set()
        assert b"two" in b"".join([piece async for piece in rest])


# failures -------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("ONCE-refused")
@only(CODEX)
@DIALECTS
@streamed_or_not
async def test_what_failed_before_any_call_is_not_remembered(
    stack: Stack, request_: Request, key: str, stream: bool
) -> None:
    name = next(iter(request_.body))
    for _ in range(2):
        refused = await post(stack, request_, key, stream=stream, **{name: 5})
        assert (refused.status_code, check_error(refused.content).param) == (400, name)
        assert not replayed(refused)
    answer = await post(stack, request_, key, stream=stream)
    assert (answer.status_code, replayed(answer)) == (200, False)
    assert runs(stack) == 1


@pytest.mark.proves("ONCE-refused")
@only(*KEPT)
@streamed_or_not
async def test_an_unknown_parent_leaves_the_key_free(stack: Stack, key: str, stream: bool) -> None:
    for _ in range(2):
        refused = await post(stack, KEPT_ANSWER, key, previous_response_id="resp_unknown", stream=stream)
        assert (refused.status_code, check_error(refused.content).code) == (400, "previous_response_not_found")
        assert not replayed(refused)
    assert (await post(stack, KEPT_ANSWER, key, stream=stream)).status_code == 200
    assert runs(stack) == 1


@pytest.mark.proves("ONCE-refused")
async def test_who_logs_in_may_repeat_what_failed_without_a_login(tmp_path: Path, key: str) -> None:
    async with running(CODEX, tmp_path, login=False) as stack:
        for request in (CHAT, KEPT_ANSWER, UNKEPT):
            refused = await post(stack, request, f"{key} {request.body}"[:200])
            assert (refused.status_code, check_error(refused.content).code) == (503, "oauth_unavailable")
        stack.log_in()
        for request in (CHAT, KEPT_ANSWER, UNKEPT):
            assert (await post(stack, request, f"{key} {request.body}"[:200])).status_code == 200
        assert runs(stack) == 3


REFUSAL = {"message": "No such thing.", "type": "invalid_request_error", "code": "no_such_thing", "param": None}


@pytest.mark.proves("ONCE-remembered")
@by_kind
@DIALECTS
@streamed_or_not
async def test_what_the_upstream_refused_for_good_is_refused_again(
    stack: Stack, request_: Request, key: str, stream: bool
) -> None:
    stack.play(request_.dialect, {"status": 400, "body": {"error": REFUSAL}})
    first = await post(stack, request_, key, stream=stream)
    again = await post(stack, request_, key, stream=stream)
    assert (first.status_code, again.status_code) == (400, 400)
    assert check_error(again.content) == check_error(first.content)
    assert check_error(first.content).code == "no_such_thing"
    assert again.headers["x-should-retry"] == "false"
    assert runs(stack) == 1


@pytest.mark.proves("ONCE-another-try")
@by_kind
@DIALECTS
@streamed_or_not
@pytest.mark.parametrize("status", [429, 503])
async def test_what_the_upstream_wants_tried_later_may_be_tried_later(
    stack: Stack, request_: Request, key: str, stream: bool, status: int
) -> None:
    code = {429: "rate_limit_exceeded", 503: "server_is_overloaded"}[status]
    error = {"message": "Slow down.", "type": "requests", "code": code, "param": None}
    stack.play(request_.dialect, {"status": status, "body": {"error": error}}, None)
    first = await post(stack, request_, key, stream=stream)
    assert first.status_code == status, first.text
    again = await post(stack, request_, key, stream=stream)
    assert (again.status_code, replayed(again)) == (200, False)


@pytest.mark.proves("ONCE-another-try")
@only(CODEX, KEPT_TRANSLATED)
@pytest.mark.parametrize("request_", [KEPT_ANSWER, UNKEPT], ids=["kept", "unkept"])
@streamed_or_not
async def test_an_overload_told_in_place_of_an_answer_may_be_tried_again(
    stack: Stack, request_: Request, key: str, stream: bool
) -> None:
    stack.play(request_.dialect, {"steps": [], "finish": {"failed": "server_is_overloaded"}}, None)
    first = await post(stack, request_, key, stream=stream)
    assert first.status_code == 503, first.text
    assert (await post(stack, request_, key, stream=stream)).status_code == 200


@pytest.mark.proves("ONCE-broken")
@everywhere
@DIALECTS
async def test_a_stream_that_broke_is_replayed_with_its_error(stack: Stack, request_: Request, key: str) -> None:
    stack.play(request_.dialect, {"steps": [{"text": "one two"}], "finish": "cut"})
    first = await post(stack, request_, key, stream=True)
    assert b"one" in first.content
    CHECK_FAILED[request_.dialect](first.content)
    again = await post(stack, request_, key, stream=True)
    assert (again.status_code, again.content, replayed(again)) == (200, first.content, True)
    assert runs(stack) == 1
    if request_ is KEPT_ANSWER and stack.mode in KEPT:
        name = name_in(first)
        found = (await stack.http.get(f"/v1/responses/{name}")).json()
        assert found["status"] == "failed"


@pytest.mark.proves("ONCE-broken")
@only(CODEX)
@DIALECTS
async def test_a_whole_answer_that_broke_is_refused_again(stack: Stack, request_: Request, key: str) -> None:
    """Its upstream streams, and has begun to answer: running it again would cost again."""
    stack.play(request_.dialect, {"steps": [{"text": "one two"}], "finish": "cut"})
    first = await post(stack, request_, key)
    again = await post(stack, request_, key)
    assert first.status_code == again.status_code == 502
    assert check_error(again.content) == check_error(first.content)
    assert again.headers["x-should-retry"] == "false"
    assert runs(stack) == 1


# keys -----------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("ONCE-key")
@only(CODEX)
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("bad", [b"k" * 256, b"a\xa0b", b"a\tb"], ids=["long", "space", "tab"])
async def test_a_key_that_is_none_is_refused(stack: Stack, request_: Request, bad: bytes) -> None:
    body = {"model": MODEL, **request_.body}
    headers = [(b"idempotency-key", bad)]
    refused = await stack.http.post(request_.path, json=body, headers=headers)
    error = check_error(refused.content)
    assert (refused.status_code, error.param) == (400, "Idempotency-Key")
    assert runs(stack) == 0


@pytest.mark.proves("ONCE-key")
@only(CODEX)
async def test_the_longest_key_is_one_and_an_empty_one_is_none(stack: Stack, key: str) -> None:
    longest = key.ljust(255, "x")
    assert (await post(stack, CHAT, longest)).content == (await post(stack, CHAT, longest)).content
    assert runs(stack) == 1
    assert (await post(stack, CHAT, "")).content != (await post(stack, CHAT, "")).content
    assert runs(stack) == 3


@pytest.mark.proves("ONCE-off")
async def test_without_a_store_a_key_is_refused_and_says_why(tmp_path: Path) -> None:
    async with running(CODEX, tmp_path, store={"enabled": False}) as stack:
        for request in REQUESTS.values():
            refused = await post(stack, request, "k")
            error = check_error(refused.content)
            assert (refused.status_code, error.param) == (400, "Idempotency-Key")
            assert "store.enabled" in error.message
        assert runs(stack) == 0
        assert (await stack.http.post(CHAT.path, json={"model": MODEL, **CHAT.body})).status_code == 200


# how long -------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("ONCE-kept")
async def test_the_answer_is_the_same_after_a_restart(tmp_path: Path) -> None:
    requests = [(request, stream) for request in REQUESTS.values() for stream in (False, True)[: 1 + request.streams]]

    async def answers(stack: Stack) -> list[bytes]:
        answers = [
            await post(stack, request, f"k{place}", **({"stream": True} if stream else {}))
            for place, (request, stream) in enumerate(requests)
        ]
        assert {answer.status_code for answer in answers} == {200}
        return [answer.content for answer in answers]

    async with running(CODEX, tmp_path) as stack:
        before = await answers(stack)
    async with running(CODEX, tmp_path) as stack:
        assert await answers(stack) == before
        assert runs(stack) == 0


@pytest.mark.proves("ONCE-kept")
async def test_the_log_of_a_key_outlives_other_logs(tmp_path: Path) -> None:
    async with running(KEPT_TRANSLATED, tmp_path) as stack:
        answers = {stream: await post(stack, KEPT_ANSWER, f"k{stream}", stream=stream) for stream in (True, False)}
        chat = await post(stack, CHAT, "chat", stream=True)
        unclaimed = await stack.http.post(
            "/v1/responses", json={"model": MODEL, "input": "x", "background": True, "stream": True}
        )
        settings = Settings.model_validate({"frames_minutes": 10})
        with sqlite3.connect(tmp_path / "gateway.db") as connection:
            connection.execute("UPDATE responses SET completed = completed - 3600000")
        connection.close()
        async with Store(settings, tmp_path) as other:
            await other.sweep()
        for stream, answer in answers.items():
            assert (await post(stack, KEPT_ANSWER, f"k{stream}", stream=stream)).content == answer.content
        assert (await post(stack, CHAT, "chat", stream=True)).content == chat.content
        name = name_in(unclaimed)
        gone = await stack.http.get(f"/v1/responses/{name}", params={"stream": "true"})
        assert gone.status_code == 400


@pytest.mark.proves("ONCE-deleted")
@only(*KEPT)
@streamed_or_not
async def test_a_deleted_response_gives_its_key_back(stack: Stack, key: str, stream: bool) -> None:
    first = await post(stack, KEPT_ANSWER, key, stream=stream)
    name = name_in(first) if stream else first.json()["id"]
    assert (await stack.http.delete(f"/v1/responses/{name}")).status_code == 200
    again = await post(stack, KEPT_ANSWER, key, stream=stream, temperature=1)
    assert (again.status_code, replayed(again)) == (200, False)
    assert again.content != first.content
    assert runs(stack) == 2
