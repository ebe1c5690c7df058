"""Long chains: they send what a client with its own history would send, and cost no more than short ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Engine, event

from tests.live.stack import CHAT_ONLY, CODEX, MODEL, Mode, Stack, running
from tests.live.talk import CREATE, SEALED, WEATHER, kept_rows, result, say, user

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

TURNS: dict[str, int] = {CODEX.name: 200, CHAT_ONLY.name: 40}
ASKED: Json = {"tools": [WEATHER], "instructions": "Be short.", "reasoning": {"effort": "low"}}
SIZES = {
    "items": "coalesce(sum(length(body) + length(coalesce(meta, ''))), 0)",
    "responses": "coalesce(sum(length(request) + length(result) + length(metadata)), 0)",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=[CODEX, CHAT_ONLY], ids=lambda mode: mode.name)
async def long_stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    mode: Mode = request.param
    async with running(mode, tmp_path_factory.mktemp("long")) as stack:
        yield stack


def answer(turn: int) -> Json:
    """Every other turn calls a tool. Reasoning is something that only the inner language can carry."""
    step = (
        {"call": "get_weather", "arguments": {"location": "Paris"}, "call_id": f"call_{turn:04}"}
        if turn % 2 == 0
        else {"text": f"Turn {turn:04} is done."}
    )
    return {"steps": [SEALED, step]}


def given(turn: int) -> list[Json]:
    said = user(f"Turn {turn:04}.")
    return [said] if turn % 2 == 0 else [result(f"call_{turn - 1:04}"), said]


@pytest.mark.proves("RECALL-twin", "RECALL-cost")
async def test_a_long_chain_sends_what_a_client_with_its_own_history_sends_and_each_turn_costs_the_same(
    long_stack: Stack,
) -> None:
    stack, sdk, count = long_stack, long_stack.sdks["AsyncSdk"], TURNS[long_stack.mode.name]
    previous: Json = {}
    sizes: dict[int, dict[str, int]] = {}
    for turn in range(count):
        if turn in (2, 3, 4, count - 2, count - 1):
            sizes[turn] = kept(stack)
        stack.play("responses", answer(turn))
        response = await sdk.call(CREATE, model=MODEL, input=given(turn), **ASKED, **previous)
        previous = {"previous_response_id": response.id}
    sizes[count] = kept(stack)
    chained = stack.sent("responses")[-1]
    stack.sim.reset()

    history: list[Any] = []
    for turn in range(count):
        stack.play("responses", answer(turn))
        include = ["reasoning.encrypted_content"]
        sent = {"model": MODEL, "input": [*history, *given(turn)], "store": False, "include": include, **ASKED}
        # Not through the SDK, which needs a tenth of a second for some hundred items.
        answered = await stack.http.post("/v1/responses", json=sent)
        history += [*given(turn), *answered.json()["output"]]
    by_hand = stack.sent("responses")[-1]
    words = "input" if "input" in by_hand else "messages"
    assert len(by_hand[words]) > count
    assert chained[words] == by_hand[words]
    assert {**chained, **_of_the_client(by_hand)} == by_hand

    for early, late in ((2, count - 2), (3, count - 1)):
        first, last = cost(sizes, early), cost(sizes, late)
        assert abs(last.pop("bytes") - first.pop("bytes")) < 20  # numbers of tokens grow by a digit now and then
        assert last == first


def cost(sizes: dict[int, dict[str, int]], turn: int) -> dict[str, int]:
    """What a turn has added."""
    before, after = sizes[turn], sizes[turn + 1]
    return {name: after[name] - before[name] for name in after}


def kept(stack: Stack) -> dict[str, int]:
    """Rows and bytes of what turns write."""
    found: dict[str, int] = {"bytes": 0}
    for table, size in SIZES.items():
        [(rows, size_now)] = kept_rows(stack, f"select count(*), {size} from {table}")
        found[f"{table} rows"] = rows
        found["bytes"] += size_now
    return found


def _of_the_client(body: Json) -> Json:
    """What a client that keeps its history says, and one that does not has no need of."""
    return {name: body[name] for name in ("include",) if name in body}


@contextmanager
def statements() -> Iterator[list[str]]:
    """What the stores of this process are asked about items meanwhile."""
    seen: list[str] = []

    def see(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "items" in statement:
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", see)


@pytest.mark.proves("RECALL-one-query")
@pytest.mark.parametrize("door", ["previous_response_id", "conversation"])
async def test_recalling_two_thousand_items_is_one_query(long_stack: Stack, door: str) -> None:
    sdk = long_stack.sdks["AsyncSdk"]
    made = (await sdk.call("conversations.create")).id

    async def turn(after: str, number: int, items: int) -> tuple[str, list[str]]:
        named: Json = {door: after} if after else {}
        with statements() as seen:
            said = [user(f"{number}-{place}") for place in range(items)]
            response = await say(sdk, said, **named)
        return (made if door == "conversation" else response.id), seen

    after, _ = await turn(made if door == "conversation" else "", 0, 1)
    after, few = await turn(after, 1, 1)
    for number in range(2, 12):
        after, _ = await turn(after, number, 199)
    _, many = await turn(after, 12, 1)
    sent = long_stack.sent("responses")[-1]
    assert len(sent.get("input") or sent["messages"]) > 2_000
    assert many == few
    reads = [statement for statement in many if "items.body" in statement and statement.startswith(("SELECT", "WITH"))]
    assert len(reads) == 1
