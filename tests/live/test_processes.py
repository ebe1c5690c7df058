"""Several processes on one store: what one of them runs, the others read, go on from, follow, stop and repeat."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.live.processes import Place, blocks, name_in, number, place
from tests.live.stack import MODEL
from tests.sdk_types import check_error, check_response_stream, sse_events
from tests.store.postgres import server

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

_numbers = itertools.count()


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["sqlite", "postgresql"])
async def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """Two processes on a file, three on PostgreSQL."""
    workdir = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        async with place(workdir, count=2) as found:
            yield found
    else:
        with server() as running:
            async with place(workdir, count=3, server=running) as found:
                yield found


@pytest_asyncio.fixture(loop_scope="session")
async def world(shared: Place) -> AsyncIterator[Place]:
    yield shared
    sim = shared.sim
    async with asyncio.timeout(5):
        await sim.until(lambda: sim.open_streams == 0)
    leftover = sim.leftover
    sim.reset()
    assert leftover == {}, "scripts that no request has played"


@pytest.fixture
def gate(world: Place) -> Any:
    """The next answer stops in the middle of its text, until this is set."""
    name = f"processes-{next(_numbers)}"
    world.play({"steps": [{"text": ["one ", {"gate": name}, "two"]}]})
    return world.sim.gate(name)


async def first_of(found: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for block in found:
        yield block
        return


def fresh() -> str:
    return f"key-{next(_numbers)}"


@pytest.mark.proves("PROCESSES-read")
async def test_what_one_has_made_another_reads_and_goes_on_from(world: Place) -> None:
    here, elsewhere = world.nodes[0], world.nodes[-1]
    made = (await here.post("/v1/responses", {"input": "Reply with exactly: one"})).json()
    assert await elsewhere.response(made["id"]) == made
    listed = (await elsewhere.get(f"/v1/responses/{made['id']}/input_items")).json()
    assert [item["content"][0]["text"] for item in listed["data"]] == ["Reply with exactly: one"]
    child = {"input": "Reply with exactly: two", "previous_response_id": made["id"]}
    assert (await elsewhere.post("/v1/responses", child)).status_code == 200
    assert len(world.sim.calls("codex.responses")[-1].body["input"]) == 3
    stored = {"messages": [{"role": "user", "content": "Hello"}], "store": True, "metadata": {"a": made["id"]}}
    chat = (await here.post("/v1/chat/completions", stored)).json()
    page = (await elsewhere.get("/v1/chat/completions", **{"metadata[a]": made["id"]})).json()
    assert [row["id"] for row in page["data"]] == [chat["id"]]
    await elsewhere.http.delete(f"/v1/responses/{made['id']}")
    assert (await here.get(f"/v1/responses/{made['id']}")).status_code == 404


@pytest.mark.proves("PROCESSES-cancel")
async def test_what_one_runs_another_cancels(world: Place, gate: Any) -> None:
    here, elsewhere = world.nodes[0], world.nodes[-1]
    name = (await here.post("/v1/responses", {"input": "x", "background": True})).json()["id"]
    await gate.reached.wait()
    follower = asyncio.create_task(elsewhere.replay(name))
    stopped = (await elsewhere.http.post(f"/v1/responses/{name}/cancel")).json()
    assert (stopped["id"], stopped["status"]) == (name, "cancelled")
    assert stopped["output"][0]["content"][0]["text"] == "one "
    [call] = world.sim.calls("codex.responses")
    await asyncio.wait_for(call.finished.wait(), 5)
    assert call.closed_early
    told = await follower
    assert told == await here.replay(name)
    assert json.loads(sse_events(told)[-2][1])["response"] == stopped
    assert told.endswith(b"data: [DONE]\n\n")
    assert (await here.response(name))["status"] == "cancelled"


@pytest.mark.proves("PROCESSES-resume")
async def test_what_one_runs_others_follow_from_any_event_while_it_runs(world: Place, gate: Any) -> None:
    here, elsewhere = world.nodes[0], world.nodes[-1]
    body = {"model": MODEL, "input": "x", "background": True, "stream": True}
    seen = []
    async with here.http.stream("POST", "/v1/responses", json=body) as answer:
        async for block in blocks(answer):
            seen.append(block)
            if b'"delta":"one "' in block:
                break
    name = name_in(seen[0])
    await gate.reached.wait()
    async with asyncio.TaskGroup() as tasks:
        resumed = [
            tasks.create_task(node.get(f"/v1/responses/{name}", stream="true", starting_after=after))
            for node in world.nodes
            for after in (number(seen[-1]), number(seen[-1]) - 1, 0)
        ]
        async with elsewhere.http.stream(
            "GET", f"/v1/responses/{name}", params={"stream": "true", "starting_after": number(seen[-1]) - 1}
        ) as answer:
            async for block in blocks(answer):
                assert block == seen[-1]
                gate.set()  # it runs on only when somebody follows it elsewhere
                break
    whole = await elsewhere.replay(name)
    assert check_response_stream(whole).output_text == "one two"
    assert whole.startswith(b"".join(seen))
    for task, after in zip(resumed, itertools.cycle((number(seen[-1]), number(seen[-1]) - 1, 0)), strict=False):
        assert b"".join(seen[: after + 1]) + task.result().content == whole


@pytest.mark.proves("PROCESSES-resume")
async def test_a_client_cut_at_every_event_sees_each_of_them_once_from_changing_processes(world: Place) -> None:
    world.play({"steps": [{"text": [piece for letter in "abcdefgh" for piece in (letter, {"wait": 0.01})]}]})
    body = {"model": MODEL, "input": "x", "background": True, "stream": True}
    seen: list[bytes] = []
    async with world.nodes[0].http.stream("POST", "/v1/responses", json=body) as answer:
        async for block in blocks(answer):
            seen.append(block)
            break
    name = name_in(seen[0])
    for node in itertools.cycle(world.nodes[::-1]):
        query: dict[str, str | int] = {"stream": "true", "starting_after": number(seen[-1])}
        async with node.http.stream("GET", f"/v1/responses/{name}", params=query) as answer:
            following = [block async for block in first_of(blocks(answer))]
        if not following:
            break
        seen += following
    assert [number(block) for block in seen] == list(range(len(seen)))
    assert check_response_stream(b"".join([*seen, b"data: [DONE]\n\n"])).output_text == "abcdefgh"


@pytest.mark.proves("PROCESSES-once")
@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions"])
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_what_one_runs_another_repeats(world: Place, gate: Any, path: str, stream: bool) -> None:
    here, key = world.nodes[0], fresh()
    body: Json = {"input": "x"} if path == "/v1/responses" else {"messages": [{"role": "user", "content": "x"}]}
    body["stream"] = stream
    first = asyncio.create_task(here.post(path, body, key))
    await gate.reached.wait()
    async with asyncio.TaskGroup() as tasks:
        others = [tasks.create_task(node.post(path, body, key)) for node in world.nodes for _ in range(2)]
        conflict = await world.nodes[-1].post(path, {**body, "temperature": 1}, key)
        gate.set()
    assert (conflict.status_code, check_error(conflict.content).code) == (409, "idempotency_conflict")
    whole = (await first).content
    assert b"two" in whole
    assert {task.result().content for task in others} == {whole}
    assert (await world.nodes[-1].post(path, body, key)).content == whole
    assert world.runs == 1


@pytest.mark.proves("PROCESSES-once")
async def test_the_same_request_at_every_process_at_once_runs_once(world: Place) -> None:
    keys = [fresh() for _ in range(10)]
    async with asyncio.TaskGroup() as tasks:
        asked = [
            tasks.create_task(node.post("/v1/responses", {"input": key}, key)) for key in keys for node in world.nodes
        ]
    answers = {task.result().content for task in asked}
    assert {task.result().status_code for task in asked} == {200}
    assert (len(answers), world.runs) == (len(keys), len(keys))


@pytest.mark.proves("PROCESSES-lock")
@pytest.mark.parametrize("background", [False, True], ids=["waited-for", "background"])
async def test_a_conversation_that_one_is_busy_with_is_locked_elsewhere(
    world: Place, gate: Any, background: bool
) -> None:
    here, elsewhere = world.nodes[0], world.nodes[-1]
    conversation = (await here.post("/v1/conversations", {})).json()["id"]
    asked = {"input": "x", "conversation": conversation}
    first = asyncio.create_task(here.post("/v1/responses", {**asked, "background": background}))
    await gate.reached.wait()
    busy = await elsewhere.post("/v1/responses", asked)
    assert (busy.status_code, check_error(busy.content).code) == (400, "conversation_locked")
    gate.set()
    await elsewhere.replay((await first).json()["id"]) if background else await first
    for node in (elsewhere, here, elsewhere):  # at once
        answer = await node.post("/v1/responses", asked)
        assert answer.status_code == 200, answer.text
    items = (await here.get(f"/v1/conversations/{conversation}/items")).json()
    assert len(items["data"]) == 8


CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'codex-gateway'"


@pytest.mark.proves("JOBS-store")
@pytest.mark.parametrize("shared", ["postgresql"], indirect=True)
async def test_what_runs_while_the_database_cuts_every_connection_is_completed(world: Place) -> None:
    name = f"processes-{next(_numbers)}"
    world.play(*({"steps": [{"text": ["one ", {"gate": name}, "two ", "three"]}]} for _ in range(10)))
    asked = [
        await node.post("/v1/responses", {"input": "x", "background": True})
        for node, _ in zip(itertools.cycle(world.nodes), range(10), strict=False)
    ]
    await world.sim.until(lambda: world.runs == 10)
    world.sql(CUT)
    world.sim.gate(name).set()
    await world.sim.until(lambda: world.sim.open_streams == 0)
    world.sql(CUT)
    for answer in asked:
        whole = await _replayed(world, answer.json()["id"])
        assert check_response_stream(whole).output_text == "one two three"


async def _replayed(world: Place, name: str) -> bytes:
    """The whole stream; asked again while the database is away."""
    async with asyncio.timeout(20):
        while True:
            found = await world.nodes[0].get(f"/v1/responses/{name}", stream="true")
            if found.status_code == 200 and b'"store_unavailable"' not in found.content:
                return found.content
