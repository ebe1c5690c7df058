"""Two owners before one gateway: whatever one of them keeps, the other cannot tell from what does not exist."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.app import App
from gateway.simulator import Simulator
from tests.live.stack import CODEX, KEY, MODEL, settings_for, write_login
from tests.live.talk import exactly, user
from tests.sdk_types import check_error
from tests.serving import serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]


class _Named:
    """Stands for keys that belong to several people: the owner is named in a header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for name, value in scope.get("headers", ()):
            if name == b"x-owner":
                scope["state"]["owner"] = value.decode()
        await self._app(scope, receive, send)


class _App(App):
    """The gateway, with other owners than the key's between its layers and its router."""

    def _wrap(self, app: ASGIApp) -> ASGIApp:
        return super()._wrap(_Named(app))


@dataclass
class World:
    sim: Simulator
    ann: httpx2.AsyncClient
    bob: httpx2.AsyncClient

    async def ask(self, who: httpx2.AsyncClient, given: Any, **more: Any) -> Json:
        answer = await who.post("/v1/responses", json={"model": MODEL, "input": given, **more})
        assert answer.status_code == 200, answer.text
        document: Json = answer.json()
        return document


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    workdir = tmp_path_factory.mktemp("owners")
    sim = Simulator()
    async with serving(sim) as upstream:
        write_login(workdir, sim.issue_tokens())
        app = _App(settings_for(CODEX, upstream), workdir, demo=False)
        async with serving(app) as url:
            sign = {"authorization": f"Bearer {KEY}"}
            async with (
                httpx2.AsyncClient(base_url=url, headers=sign | {"x-owner": "ann"}, trust_env=False, timeout=20) as ann,
                httpx2.AsyncClient(base_url=url, headers=sign | {"x-owner": "bob"}, trust_env=False, timeout=20) as bob,
            ):
                yield World(sim, ann, bob)


Call = tuple[str, str, Json | None]


def on_response(name: str) -> list[Call]:
    turn = {"model": MODEL, "input": "hi"}
    return [
        ("GET", f"/v1/responses/{name}", None),
        ("GET", f"/v1/responses/{name}?stream=true&starting_after=0", None),
        ("GET", f"/v1/responses/{name}/input_items", None),
        ("POST", f"/v1/responses/{name}/cancel", None),
        ("DELETE", f"/v1/responses/{name}", None),
        ("POST", "/v1/responses", {**turn, "previous_response_id": name}),
        ("POST", "/v1/responses", {**turn, "previous_response_id": name, "stream": True}),
        ("POST", "/v1/responses", {**turn, "previous_response_id": name, "background": True}),
        ("GET", f"/v1/chat/completions/{name}", None),
        ("POST", f"/v1/chat/completions/{name}", {"metadata": {"a": "b"}}),
        ("DELETE", f"/v1/chat/completions/{name}", None),
        ("GET", f"/v1/chat/completions/{name}/messages", None),
    ]


def on_conversation(name: str, item: str) -> list[Call]:
    one = f"/v1/conversations/{name}"
    return [
        ("GET", one, None),
        ("POST", one, {"metadata": {"a": "b"}}),
        ("DELETE", one, None),
        ("GET", f"{one}/items", None),
        ("POST", f"{one}/items", {"items": [user("mine")]}),
        ("GET", f"{one}/items/{item}", None),
        ("DELETE", f"{one}/items/{item}", None),
        ("POST", "/v1/responses", {"model": MODEL, "input": "hi", "conversation": name}),
        ("POST", "/v1/responses", {"model": MODEL, "input": "hi", "conversation": name, "background": True}),
    ]


async def told(who: httpx2.AsyncClient, calls: list[Call], *names: str) -> list[tuple[int, bytes, Any]]:
    """What each call is answered, with the ids left out that the calls themselves say."""
    found = []
    for method, path, body in calls:
        answer = await who.request(method, path, json=body) if body is not None else await who.request(method, path)
        assert answer.status_code in (400, 404), (method, path, answer.text)
        check_error(answer.content)
        content = answer.content
        for name in names:
            content = content.replace(name.encode(), b"<id>")
        kept = ("date", "x-request-id", "content-length")
        found.append((answer.status_code, content, [pair for pair in answer.headers.items() if pair[0] not in kept]))
    return found


@pytest.mark.proves("RECALL-owners")
@pytest.mark.parametrize("kind", ["response", "completion", "background"])
async def test_the_response_of_another_is_answered_like_one_that_never_was(world: World, kind: str) -> None:
    if kind == "completion":
        asked = {"model": MODEL, "messages": [user(exactly("tea"))], "store": True}
        name = str((await world.ann.post("/v1/chat/completions", json=asked)).json()["id"])
    else:
        name = str((await world.ask(world.ann, exactly("tea"), background=kind == "background"))["id"])
    unknown = name[:-6] + "zzzzzz"
    before = len(world.sim.log)
    assert await told(world.bob, on_response(name), name) == await told(world.bob, on_response(unknown), unknown)
    assert not any(b'"hi"' in call.raw for call in world.sim.log[before:])
    path = f"/v1/responses/{name.replace('chatcmpl-', 'resp_')}"
    async with asyncio.timeout(10):
        while (found := (await world.ann.get(path)).json())["status"] != "completed":
            pass
    assert found["output"][0]["content"][0]["text"] == "tea"


@pytest.mark.proves("RECALL-owners")
async def test_the_running_response_of_another_runs_on(world: World) -> None:
    gate = world.sim.gate("owners")
    world.sim.queue("codex.responses", {"steps": [{"text": ["so ", {"gate": "owners"}, "at last"]}]})
    name = (await world.ask(world.ann, "hi", background=True))["id"]
    async with asyncio.timeout(10):
        await gate.reached.wait()
        unknown = name[:-6] + "zzzzzz"
        assert await told(world.bob, on_response(name), name) == await told(world.bob, on_response(unknown), unknown)
        gate.set()
        while (found := (await world.ann.get(f"/v1/responses/{name}")).json())["status"] == "in_progress":
            pass
    assert (found["status"], found["output"][0]["content"][0]["text"]) == ("completed", "so at last")


@pytest.mark.proves("RECALL-owners")
async def test_the_conversation_of_another_is_answered_like_one_that_never_was(world: World) -> None:
    made = (await world.ann.post("/v1/conversations", json={"items": [user("mine")]})).json()["id"]
    items = (await world.ann.get(f"/v1/conversations/{made}/items")).json()["data"]
    item, unknown = items[0]["id"], made[:-6] + "zzzzzz"
    theirs = await told(world.bob, on_conversation(made, item), made)
    assert theirs == await told(world.bob, on_conversation(unknown, item), unknown)
    # Nor can an item of it be had through a conversation of one's own, or by naming it.
    own = (await world.bob.post("/v1/conversations")).json()["id"]
    answer = await world.bob.get(f"/v1/conversations/{own}/items/{item}")
    assert answer.status_code == 404
    reference = {"model": MODEL, "input": [{"type": "item_reference", "id": item}]}
    other = {"model": MODEL, "input": [{"type": "item_reference", "id": "msg_unknown"}]}
    first, second = [await world.bob.post("/v1/responses", json=body) for body in (reference, other)]
    assert (first.status_code, first.content.replace(item.encode(), b"msg_unknown")) == (400, second.content)
    assert (await world.ann.get(f"/v1/conversations/{made}/items")).json()["data"] == items


@pytest.mark.proves("RECALL-owners")
async def test_a_list_shows_nothing_of_another_and_takes_no_cursor_of_theirs(world: World) -> None:
    asked = {"model": MODEL, "messages": [user(exactly("tea"))], "store": True, "metadata": {"mark": "both"}}
    anns, bobs = [(await who.post("/v1/chat/completions", json=asked)).json()["id"] for who in (world.ann, world.bob)]
    listed = (await world.bob.get("/v1/chat/completions?metadata[mark]=both")).json()["data"]
    assert [one["id"] for one in listed] == [bobs]
    refused = [await world.bob.get(f"/v1/chat/completions?after={name}") for name in (anns, "chatcmpl-unknown")]
    assert [answer.status_code for answer in refused] == [400, 400]
    assert refused[0].content.replace(anns.encode(), b"chatcmpl-unknown") == refused[1].content


@pytest.mark.proves("RECALL-owners")
async def test_the_same_id_may_belong_to_two(world: World) -> None:
    """Servers count their ids for themselves; an item that two owners send under one id is each one's own."""
    given = [{"id": "msg_same", **user("of ann")}]
    other = [{"id": "msg_same", **user("of bob")}]
    for who, items, text in ((world.ann, given, "of ann"), (world.bob, other, "of bob")):
        name = (await world.ask(who, items))["id"]
        [item] = (await who.get(f"/v1/responses/{name}/input_items")).json()["data"]
        assert (item["id"], item["content"][0]["text"]) == ("msg_same", text)
