"""The memory of reasoning: for whom it is, how much it holds, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.engine.continuity import Continuity

Json = dict[str, Any]

OWNER, ORIGIN, MODEL = "alice", "codex/acct-1", "gpt-5.5"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def thought(text: str = "sealed") -> Json:
    return {"type": "reasoning", "summary": [], "encrypted_content": text}


def call(call_id: str) -> Json:
    return {"type": "function_call", "call_id": call_id, "name": "look", "arguments": "{}"}


def answer(call_id: str, text: str = "sealed") -> list[Json]:
    return [{**thought(text), "id": "rs_1"}, {**call(call_id), "id": "fc_1", "status": "completed"}]


def memory(size: int = 100_000, clock: Clock | None = None) -> Continuity:
    return Continuity(size, 60, clock or Clock())


def knows(kept: Continuity, call_id: str) -> bool:
    history = [call(call_id)]
    return kept.restored(OWNER, ORIGIN, MODEL, history) is not history


@pytest.mark.proves("CONTINUITY-chat")
def test_reasoning_comes_back_with_its_call_as_often_as_that_does() -> None:
    kept = memory()
    kept.keep(OWNER, ORIGIN, MODEL, answer("a"))
    history = [call("a"), {"type": "function_call_output", "call_id": "a", "output": "done"}]
    for _ in range(3):
        assert kept.restored(OWNER, ORIGIN, MODEL, history) == [thought(), *history]


@pytest.mark.proves("CONTINUITY-chat")
@pytest.mark.parametrize(
    "history",
    [
        [{"type": "message", "role": "user", "content": "hi"}],
        [call("b")],
        [{**call("a"), "arguments": '{"other":1}'}],
    ],
    ids=["no call", "an unknown call", "another call under its id"],
)
def test_a_history_without_such_calls_is_the_same_object(history: list[Json]) -> None:
    kept = memory()
    assert kept.restored(OWNER, ORIGIN, MODEL, history) is history
    kept.keep(OWNER, ORIGIN, MODEL, answer("a"))
    assert kept.restored(OWNER, ORIGIN, MODEL, history) is history


@pytest.mark.proves("CONTINUITY-owners")
@pytest.mark.parametrize(
    "whose",
    [("bob", ORIGIN, MODEL), (OWNER, "codex/acct-2", MODEL), (OWNER, ORIGIN, "gpt-6"), (OWNER, ORIGIN, None)],
    ids=["owner", "account", "model", "no model"],
)
def test_reasoning_is_for_its_owner_its_account_and_its_model(whose: tuple[str, str, str | None]) -> None:
    kept = memory()
    kept.keep(OWNER, ORIGIN, MODEL, answer("a"))
    history = [call("a")]
    assert kept.restored(*whose, history) is history
    assert knows(kept, "a")


@pytest.mark.proves("CONTINUITY-bounded")
def test_what_was_not_used_for_longest_is_forgotten_first() -> None:
    kept = memory(size=3000)
    for name in "abc":
        kept.keep(OWNER, ORIGIN, MODEL, answer(name, "x" * 700))
    assert knows(kept, "a")
    kept.keep(OWNER, ORIGIN, MODEL, answer("d", "x" * 700))
    assert [name for name in "abcd" if knows(kept, name)] == ["a", "c", "d"]
    assert kept.weight <= 3000


@pytest.mark.proves("CONTINUITY-bounded")
def test_what_is_larger_than_the_memory_drives_nothing_out() -> None:
    kept = memory(size=3000)
    kept.keep(OWNER, ORIGIN, MODEL, answer("a"))
    kept.keep(OWNER, ORIGIN, MODEL, answer("b", "x" * 4000))
    assert knows(kept, "a") and not knows(kept, "b")


@pytest.mark.proves("CONTINUITY-bounded")
def test_a_call_that_is_told_again_counts_once() -> None:
    kept = memory()
    kept.keep(OWNER, ORIGIN, MODEL, answer("a", "old"))
    weight = kept.weight
    kept.keep(OWNER, ORIGIN, MODEL, answer("a", "new"))
    assert kept.weight == weight
    assert kept.restored(OWNER, ORIGIN, MODEL, [call("a")]) == [thought("new"), call("a")]


@pytest.mark.proves("CONTINUITY-bounded")
def test_reasoning_that_nobody_used_for_a_while_is_forgotten() -> None:
    clock = Clock()
    kept = memory(clock=clock)
    kept.keep(OWNER, ORIGIN, MODEL, answer("a"))
    kept.keep(OWNER, ORIGIN, MODEL, answer("b"))
    clock.now += 59
    assert knows(kept, "a")
    clock.now += 59
    assert knows(kept, "a") and not knows(kept, "b")
    clock.now += 60
    assert not knows(kept, "a")
    assert kept.weight == 0


@pytest.mark.proves("CONTINUITY-bounded")
def test_a_memory_of_no_size_keeps_nothing() -> None:
    kept = memory(size=0)
    kept.keep(OWNER, ORIGIN, MODEL, answer("a"))
    assert not knows(kept, "a")
    assert kept.weight == 0
