"""Which reasoning belongs to which call of an answer, and where it goes when the call comes back."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.continuity import Lead, calls, leads, places, restored
from gateway.core.ids import wire_call_id

Json = dict[str, Any]

USER: Json = {"type": "message", "role": "user", "content": "Go on."}
SAID: Json = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]}
SEARCH: Json = {"type": "web_search_call", "id": "ws_1", "status": "completed"}


def thought(number: int, **changes: Any) -> Json:
    """Reasoning as an answer tells it."""
    return {"type": "reasoning", "id": f"rs_{number}", "summary": [number], "encrypted_content": "sealed"} | changes


def again(number: int) -> Json:
    """Reasoning as it goes back: its server has kept nothing that the id could name."""
    return {"type": "reasoning", "summary": [number], "encrypted_content": "sealed"}


def call(call_id: str, arguments: Any = "{}", name: str = "look") -> Json:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def custom(call_id: str, text: str = "ls") -> Json:
    return {"type": "custom_tool_call", "call_id": call_id, "name": "run", "input": text}


def output(call_id: str) -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": "done"}


def before(found: dict[str, Lead]) -> dict[str, tuple[list[int], list[int]]]:
    """By call id: the numbers of the reasoning before the message and before the call."""
    return {
        call_id: (
            [item["summary"][0] for item in lead.before_message],
            [item["summary"][0] for item in lead.before_call],
        )
        for call_id, lead in found.items()
    }


# what an answer tells -------------------------------------------------------------------------------------------------


@pytest.mark.proves("CONTINUITY-pairs")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param([thought(1), call("a")], {"a": ([], [1])}, id="before its call"),
        pytest.param([thought(1), thought(2), custom("a")], {"a": ([], [1, 2])}, id="several"),
        pytest.param([thought(1), call("a"), call("b")], {"a": ([], [1])}, id="the first of several calls"),
        pytest.param(
            [thought(1), call("a"), thought(2), call("b")],
            {"a": ([], [1]), "b": ([], [2])},
            id="each its own",
        ),
        pytest.param([thought(1), SAID, call("a")], {"a": ([1], [])}, id="before the words that announce it"),
        pytest.param([thought(1), SAID, thought(2), call("a")], {"a": ([1], [2])}, id="before both"),
        pytest.param([thought(1), SAID, SAID, call("a")], {}, id="words with none of their own"),
        pytest.param([thought(1), SEARCH, call("a")], {}, id="a search between"),
        pytest.param([thought(1), SAID], {}, id="no call"),
        pytest.param([call("a")], {}, id="no reasoning"),
        pytest.param([thought(1, encrypted_content=None), call("a")], {}, id="nothing that could be sent back"),
        pytest.param(
            [thought(1, encrypted_content=None, content=[{"type": "reasoning_text", "text": "Hm."}]), call("a")],
            {"a": ([], [1])},
            id="readable text",
        ),
        pytest.param([thought(1), {"type": "function_call", "name": "look"}], {}, id="a call without an id"),
        pytest.param(["odd", {"no": "type"}], {}, id="what is no item"),
    ],
)
def test_reasoning_belongs_to_the_call_that_it_led_to(answer: list[Any], expected: Any) -> None:
    assert before(leads(answer)) == expected


def test_a_call_is_known_by_the_id_that_comes_back() -> None:
    long = "call." + "x" * 80
    assert list(leads([thought(1), call(long)])) == [wire_call_id(long)]


# the calls of a history -----------------------------------------------------------------------------------------------


@pytest.mark.proves("CONTINUITY-own", "CONTINUITY-pairs")
@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param([USER, call("a"), output("a"), custom("b")], ["a", "b"], id="calls"),
        pytest.param([USER, SAID, "odd"], [], id="none"),
        pytest.param([USER, call("a"), output("a"), thought(1), call("b")], [], id="reasoning of the client's own"),
        pytest.param([call("a"), output("a"), USER, call("a"), call("b")], ["b"], id="one id for two calls"),
    ],
)
def test_reasoning_may_be_put_before_calls_of_one_meaning(history: list[Any], expected: list[str]) -> None:
    assert calls(history) == expected


# putting it back ------------------------------------------------------------------------------------------------------


def put(history: Sequence[Any], answer: Sequence[Any]) -> list[Any]:
    return restored(history, leads(answer).get)


@pytest.mark.proves("CONTINUITY-chat")
def test_reasoning_stands_right_before_the_call_it_led_to() -> None:
    history = [USER, call("a"), output("a"), USER, call("b"), custom("c"), output("b")]
    answer = [thought(1), call("b"), custom("c")]
    assert put(history, answer) == [*history[:4], again(1), *history[4:]]


@pytest.mark.proves("CONTINUITY-chat")
def test_reasoning_before_the_words_that_announce_a_call_stands_before_them_again() -> None:
    answer = [thought(1), SAID, thought(2), call("a")]
    assert put([USER, SAID, call("a")], answer) == [USER, again(1), SAID, again(2), call("a")]
    assert put([USER, call("a")], answer) == [USER, again(2), call("a")], "the client has lost the words"
    assert put([call("a")], answer) == [again(2), call("a")]


@pytest.mark.proves("CONTINUITY-pairs")
@pytest.mark.parametrize(
    "history",
    [
        pytest.param([USER, call("b"), output("b")], id="the first call is not there"),
        pytest.param([USER, call("a", name="other")], id="another tool"),
        pytest.param([USER, call("a", '{"x":2}')], id="other arguments"),
        pytest.param([USER, call("a", "no JSON")], id="arguments that are no JSON"),
        pytest.param([USER, call("a", None)], id="no arguments"),
        pytest.param([USER, custom("a")], id="another kind of call"),
        pytest.param([USER, output("a")], id="only its output"),
    ],
)
def test_reasoning_does_not_come_without_its_call(history: list[Any]) -> None:
    assert put(history, [thought(1), call("a", '{"x":1}'), call("b")]) == history


@pytest.mark.proves("CONTINUITY-chat")
@pytest.mark.parametrize("written", ['{"x": 1, "y": "\\u00e9"}', '{"y":"é","x":1.0}'])
def test_arguments_may_be_written_anew(written: str) -> None:
    history = [USER, call("a", written)]
    assert put(history, [thought(1), call("a", '{"x":1,"y":"é"}')]) == [USER, again(1), call("a", written)]


def test_arguments_nested_beyond_reason_are_just_other_arguments() -> None:
    deep = "[" * 1000 + "]" * 1000
    assert put([call("a", deep + " ")], [thought(1), call("a", deep)])[-1] == call("a", deep + " ")
    assert put([call("a", "\ud800")], [thought(1), call("a", "{}")]) == [call("a", "\ud800")]


# properties -----------------------------------------------------------------------------------------------------------

_IDS = st.sampled_from("abcd")
_ITEMS = st.one_of(
    st.builds(call, _IDS, st.sampled_from(["{}", '{"x":1}'])),
    st.builds(custom, _IDS),
    st.builds(output, _IDS),
    st.builds(lambda: dict(SAID)),
    st.builds(lambda: dict(SEARCH)),
    st.builds(lambda: dict(USER)),
)
_HISTORIES = st.lists(_ITEMS, max_size=12)
_ANSWERS = st.lists(st.one_of(_ITEMS, st.builds(thought, st.integers(0, 99))), max_size=12)


@pytest.mark.proves("CONTINUITY-pairs")
@given(_HISTORIES, _ANSWERS)
def test_the_history_stays_as_it_is_and_nothing_is_invented(history: list[Json], answer: list[Json]) -> None:
    was = deepcopy((history, answer))
    found = leads(answer)
    known = set(calls(history))
    made = restored(history, lambda call_id: found.get(call_id) if call_id in known else None)
    assert (history, answer) == was, "nothing is edited in place"
    put_in = [item for item in made if item["type"] == "reasoning"]
    assert [item for item in made if item["type"] != "reasoning"] == history
    told = [again(item["summary"][0]) for item in answer if item["type"] == "reasoning"]
    assert all(item in told for item in put_in)
    assert len({id(item) for item in put_in}) == len(put_in), "none of it twice"


def _same(told: Json, item: Json) -> bool:
    return told["type"] == "reasoning" and again(told["summary"][0]) == item


def _meaning(item: Json) -> tuple[Any, ...]:
    """What an item is, whatever its server calls it; one reasoning item is as good as another."""
    return item["type"], item.get("role"), item.get("call_id"), item.get("name")


@pytest.mark.proves("CONTINUITY-pairs")
@given(_HISTORIES, _ANSWERS)
def test_what_follows_reasoning_is_what_followed_it_in_the_answer(history: list[Json], answer: list[Json]) -> None:
    made = put(history, answer)
    for place, item in enumerate(made):
        if item["type"] == "reasoning":
            after = _meaning(made[place + 1])
            followers = [_meaning(answer[at + 1]) for at, told in enumerate(answer[:-1]) if _same(told, item)]
            assert after in followers


@pytest.mark.proves("CONTINUITY-places")
@given(_HISTORIES, _ANSWERS)
def test_every_item_is_found_at_its_place_in_the_request(history: list[Json], answer: list[Json]) -> None:
    made = put(history, answer)
    found = places(history, made)
    assert len(found) == len(made)
    assert list(found) == sorted(found)
    for item, place in zip(made, found, strict=True):
        if item["type"] != "reasoning":
            assert item is history[place]
    assert {history[place]["type"] for item, place in zip(made, found, strict=True) if item["type"] == "reasoning"} <= {
        "function_call",
        "custom_tool_call",
        "message",
    }
