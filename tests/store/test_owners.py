"""Two owners on one store, doing anything at all: each sees what he would see alone."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store import Store
from tests.store.home import Home, answer, call, message, output, response

_fresh = itertools.count()

NAMES = st.sampled_from(["a", "b"])
OWNERS = st.sampled_from(["one", "two"])
ACTIONS = st.lists(
    st.tuples(
        OWNERS,
        st.sampled_from(["save", "delete", "metadata", "create", "add", "remove", "forget", "cancel", "turn"]),
        NAMES,
        NAMES,
    ),
    max_size=14,
)


class Model:
    """What one owner has, if he were alone."""

    def __init__(self) -> None:
        self.responses: dict[str, list[str]] = {}
        self.outputs: dict[str, list[str]] = {}
        self.metadata: dict[str, Any] = {}
        self.conversations: dict[str, list[str]] = {}


class World:
    """The store, and for each owner a model of what he should see."""

    def __init__(self, store: Store) -> None:
        self.store = store
        number = next(_fresh)
        self.owners = {name: f"{name}-{number}" for name in ("one", "two")}
        self.models = {name: Model() for name in self.owners}
        self.texts = itertools.count()

    async def do(self, who: str, action: str, name: str, second: str) -> None:
        owner, model = self.owners[who], self.models[who]
        text = f"{who}{next(self.texts)}"
        store = self.store
        match action:
            case "save":
                known = second in model.responses
                new = response(f"resp_{name}", owner=owner, previous=f"resp_{second}" if known else None)
                await store.responses.save(new, [message(text), answer(text + "!")])
                before = model.responses[second] if known else []
                model.responses[name] = [*before, text, text + "!"]
                model.outputs[name], model.metadata[name] = [text + "!"], {}
            case "turn":
                if second in model.conversations:
                    new = response(f"resp_{name}", owner=owner, conversation=f"conv_{second}")
                    await store.responses.save(new, [message(text), answer(text + "!")])
                    model.responses[name] = [text, text + "!"]
                    model.outputs[name], model.metadata[name] = [text + "!"], {}
                    model.conversations[second] += [text, text + "!"]
            case "delete":
                done = await store.responses.delete(owner, f"resp_{name}")
                assert done is (model.responses.pop(name, None) is not None)
            case "metadata":
                done = await store.responses.set_metadata(owner, f"resp_{name}", {"by": who})
                assert done is (name in model.responses)
                model.metadata[name] = {"by": who}
            case "cancel":
                assert (await store.responses.cancel(owner, f"resp_{name}") is not None) is (name in model.responses)
            case "create":
                if name not in model.conversations:
                    wire = f"conv_{name}"
                    await store.conversations.create(owner, [message(text)], id=wire)
                    model.conversations[name] = [text]
            case "add":
                added = await store.conversations.add(owner, f"conv_{name}", [message(text)])
                assert (added is not None) is (name in model.conversations)
                model.conversations.get(name, []).append(text)
            case "remove":
                found = await store.conversations.items(owner, f"conv_{name}")
                if found:
                    assert await store.conversations.remove(owner, f"conv_{name}", found[0].shown()["id"])
                    model.conversations[name].pop(0)
            case "forget":
                await store.conversations.update(owner, f"conv_{name}", title=text)

    async def look(self) -> None:
        for who, model in self.models.items():
            owner = self.owners[who]
            for name in ("a", "b"):
                found = await self.store.responses.response(owner, f"resp_{name}")
                history = await self.store.responses.history(owner, f"resp_{name}")
                assert (found is not None) is (history is not None) is (name in model.responses)
                if found is not None and history is not None:
                    texts = [item.body()["content"][0]["text"] for item in history.items]
                    assert texts == model.responses[name]
                    assert [item["content"][0]["text"] for item in found.result["output"]] == model.outputs[name]
                    assert found.metadata == model.metadata[name]
                items = await self.store.conversations.items(owner, f"conv_{name}")
                told = None if items is None else [item.body()["content"][0]["text"] for item in items]
                assert told == model.conversations.get(name)


@pytest.mark.proves("STORE-owners")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_whatever_two_owners_do_neither_meets_the_other(
    world: tuple[asyncio.Runner, Store], actions: list[Any]
) -> None:
    runner, store = world

    async def play() -> None:
        scene = World(store)
        for action in actions:
            await scene.do(*action)
        await scene.look()

    runner.run(play())


@pytest.fixture
def world(tmp_path: Path) -> Any:
    """One store for every example; the owners are new each time."""
    with asyncio.Runner() as runner:
        opened = Home("", tmp_path).store()
        yield runner, runner.run(opened.__aenter__())
        runner.run(opened.__aexit__(None, None, None))


@pytest.mark.proves("STORE-owners")
async def test_ids_of_another_owner_name_nothing(store: Store) -> None:
    made = await store.conversations.create("one", [call("call_1", step=0), output("call_1")])
    theirs = await store.conversations.create("two", [message("x", id="msg_x")])
    key = await store.responses.save(response("resp_a", owner="one", conversation=made.key), [message("q", id="msg_q")])
    assert await store.conversations.item("two", theirs.key, "msg_q") is None
    assert not await store.conversations.remove("two", theirs.key, "msg_q")
    assert await store.responses.response("two", f"resp_{key}") is None
    # The same ids of two owners are two things.
    await store.responses.save(response("resp_a", owner="two"), [message("mine", id="msg_q")])
    for owner, text in (("one", "q"), ("two", "mine")):
        page = await store.responses.input_items(owner, "resp_a")
        assert page is not None
        assert [item.shown()["content"][0]["text"] for item in page.rows] == [text]
        assert page.rows[0].shown()["id"] == "msg_q"


@pytest.mark.proves("STORE-owners")
async def test_an_id_that_is_another_owners_key_is_like_any_other(store: Store) -> None:
    theirs = await store.conversations.create("one", [message("q")])
    listed = await store.conversations.items("one", theirs.key)
    assert listed is not None
    key = listed[0].key
    for owner, kept in (("two", True), ("one", False)):
        made = await store.conversations.create(owner, [message("q", id=f"msg_{key}")])
        found = await store.conversations.items(owner, made.key)
        assert found is not None
        assert (found[0].wire_id == key) is kept
