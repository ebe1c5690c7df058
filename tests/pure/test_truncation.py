"""Histories without their oldest turns: what goes, what stays, and which refusals ask for it."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.failures import failure
from gateway.core.truncation import is_too_long, shortened
from gateway.errors import UpstreamRefusal

Json = dict[str, Any]


def says(role: str, text: str = "x") -> Json:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def called(call_id: str, kind: str = "function_call") -> Json:
    return {"type": kind, "call_id": call_id, "name": "look", "arguments": "{}"}


def answered(call_id: str, kind: str = "function_call_output") -> Json:
    return {"type": kind, "call_id": call_id, "output": "done"}


THOUGHT: Json = {"type": "reasoning", "summary": [], "encrypted_content": "sealed"}
PICTURE: Json = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}


# what goes and what stays ---------------------------------------------------------------------------------------------


@pytest.mark.proves("TRUNCATION-auto")
def test_about_half_of_what_can_go_goes_the_oldest_first() -> None:
    history = [turn for number in range(9) for turn in (says("user", f"{number}"), says("assistant", f"{number}"))]
    assert shortened(history) == history[8:], "four of the eight turns before the last"
    assert shortened(history[8:]) == history[12:]
    assert shortened(history[12:]) == history[14:]


@pytest.mark.proves("TRUNCATION-auto")
def test_halves_are_measured_by_size() -> None:
    large, small = says("user", "x" * 5000), [says("user", f"{number}") for number in range(6)]
    assert shortened([large, *small]) == small
    assert shortened([*small, large, says("user", "last")]) == [says("user", "last")]


@pytest.mark.proves("TRUNCATION-whole")
def test_guidance_stays_in_its_place_and_so_does_what_comes_before_the_first_turn() -> None:
    tools: Json = {"type": "additional_tools", "tools": []}
    lead = [tools, says("developer", "Be brief."), says("assistant", "Hello.")]
    old = [says("user", "1"), says("system", "It is noon."), says("assistant", "1"), tools]
    last = [says("user", "2"), says("developer", "It is one.")]
    assert shortened([*lead, *old, *last]) == [*lead, old[1], tools, *last]


@pytest.mark.proves("TRUNCATION-whole")
def test_only_the_last_turn_is_nothing_that_could_be_shortened() -> None:
    lead, last = [says("developer"), says("assistant")], [says("user"), called("a"), answered("a"), THOUGHT]
    assert shortened([]) is None
    assert shortened(lead) is None
    assert shortened(last) is None
    assert shortened([*lead, *last]) is None


@pytest.mark.proves("TRUNCATION-whole")
def test_a_call_and_its_output_in_another_turn_go_together() -> None:
    history = [says("user", "1"), called("a"), says("user", "2"), answered("a"), says("user", "3")]
    assert shortened(history) == history[4:]
    assert shortened([called("a"), says("user", "1"), answered("a"), says("user", "2")]) is None
    assert shortened(history[:4]) is None, "the last turn needs the first"


@pytest.mark.proves("TRUNCATION-whole")
def test_ids_that_come_again_in_every_turn_part_nothing() -> None:
    turn = [says("user"), called("call_0"), answered("call_0")]
    assert shortened([*turn, *turn, *turn]) == [*turn, *turn]
    twice = [*turn, answered("call_0")]
    assert shortened([*twice, says("user")]) == [says("user")], "a second output goes with the call it repeats"
    assert shortened([says("user"), called("a"), answered("a"), says("user"), answered("a")]) is None


@pytest.mark.proves("TRUNCATION-whole")
def test_reasoning_does_not_stay_behind_when_what_it_led_to_goes() -> None:
    last = says("user", "2")
    assert shortened([says("developer"), THOUGHT, says("user", "1"), THOUGHT, last]) == [says("developer"), last]
    assert shortened([THOUGHT, says("user", "1"), last]) == [last]


@pytest.mark.proves("TRUNCATION-whole")
def test_chat_messages_are_turns_too() -> None:
    system = {"role": "system", "content": "Be brief."}
    calls = [{"id": "a", "type": "function", "function": {}}, {"id": "b", "type": "function", "function": {}}]
    tools = [{"role": "tool", "tool_call_id": name, "content": "done"} for name in "ab"]
    first = [{"role": "user", "content": "1"}, {"role": "assistant", "content": None, "tool_calls": calls}, *tools]
    second = [{"role": "user", "content": "2"}, {"role": "assistant", "content": "2"}]
    assert shortened([system, *first, *second]) == [system, *second]
    assert shortened([system, *second, *first]) == [system, *first]


@pytest.mark.proves("TRUNCATION-whole")
def test_pictures_that_a_tool_gave_back_are_no_turn_of_their_own() -> None:
    call = {"role": "assistant", "tool_calls": [{"id": "a"}]}
    shown = [{"role": "user", "content": "Look."}, call, {"role": "tool", "tool_call_id": "a", "content": ""}, PICTURE]
    assert shortened(shown) is None
    assert shortened([*shown, {"role": "user", "content": "And now?"}]) == [{"role": "user", "content": "And now?"}]


@pytest.mark.parametrize(
    "odd",
    ["text", 7, None, {}, {"role": "user", "content": ["text"]}, {"tool_calls": "a"}, {"tool_calls": [7, {"id": 7}]}],
    ids=repr,
)
def test_what_no_server_could_read_is_no_reason_to_crash(odd: Any) -> None:
    history = [says("user", "1"), odd, says("user", "2")]
    assert shortened(history) == [says("user", "2")]


# properties -----------------------------------------------------------------------------------------------------------

_IDS = st.sampled_from("abcd")
_ITEMS = st.one_of(
    st.builds(says, st.sampled_from(["user", "assistant", "system", "developer"]), st.text(max_size=40)),
    st.builds(called, _IDS, st.sampled_from(["function_call", "custom_tool_call"])),
    st.builds(answered, _IDS, st.sampled_from(["function_call_output", "custom_tool_call_output"])),
    st.builds(lambda: dict(THOUGHT)),
    st.builds(lambda call_id: {"role": "assistant", "tool_calls": [{"id": call_id}]}, _IDS),
    st.builds(lambda call_id: {"role": "tool", "tool_call_id": call_id, "content": "done"}, _IDS),
)
_HISTORIES = st.lists(_ITEMS, max_size=30)


def ends(item: Json) -> list[tuple[str, bool]]:
    """The ids of an item's calls, and whether it answers them."""
    if item.get("role") == "tool":
        return [(item["tool_call_id"], True)]
    if "call_id" in item:
        return [(item["call_id"], item["type"].endswith("_output"))]
    return [(call["id"], False) for call in item.get("tool_calls", [])]


def guides(item: Json) -> bool:
    return item.get("role") in ("system", "developer")


@pytest.mark.proves("TRUNCATION-whole")
@given(_HISTORIES)
def test_what_is_left_is_the_end_of_it_with_all_guidance_in_order(history: list[Json]) -> None:
    was = deepcopy(history)
    made = shortened(history)
    assert history == was, "nothing is edited in place"
    if made is None:
        return
    left = {id(item) for item in made}
    assert len(left) == len(made)
    assert [id(item) for item in history if id(item) in left] == [id(item) for item in made]
    assert all(id(item) in left for item in history if guides(item))
    last = max(index for index, item in enumerate(history) if item.get("role") == "user")
    assert all(id(item) in left for item in history[last:])
    gone = [item for item in history if id(item) not in left]
    assert any(item.get("role") == "user" for item in gone)


@pytest.mark.proves("TRUNCATION-whole")
@given(_HISTORIES)
def test_calls_and_outputs_never_part(history: list[Json]) -> None:
    """Pairs are told apart by their number: the first output of an id answers its first call."""

    def unpaired(items: list[Json]) -> dict[str, tuple[int, int]]:
        counts: dict[str, tuple[int, int]] = {}
        for call_id, answers in (end for item in items for end in ends(item)):
            calls, outputs = counts.get(call_id, (0, 0))
            counts[call_id] = (calls + (not answers), outputs + answers)
        return {call_id: count for call_id, count in counts.items() if 0 in count}

    made = shortened(history)
    if made is None:
        return
    for call_id in unpaired(made):
        assert call_id in unpaired(history), "it had no other half before"
    left = {id(item) for item in made}
    for call_id in unpaired([item for item in history if id(item) not in left]):
        assert call_id in unpaired(history)


@pytest.mark.proves("TRUNCATION-bounded")
@given(_HISTORIES)
def test_it_comes_to_an_end_and_every_step_is_worth_it(history: list[Json]) -> None:
    items: list[Json] | None = history
    steps = 0
    while items is not None:
        before, items, steps = items, shortened(items), steps + 1
        assert items is None or len(json.dumps(items)) < len(json.dumps(before))
    assert steps <= len(history) + 1


# refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("TRUNCATION-auto")
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"code": "context_length_exceeded", "message": "Too long."}),
        (None, {"code": "context_length_exceeded", "message": "Too long."}),
        (None, {"message": "Your input exceeds the context window of this model."}),
        (
            400,
            {"code": 400, "type": "BadRequestError", "message": "This model's maximum context length is 8192 tokens."},
        ),
        (
            400,
            {
                "code": 400,
                "type": "exceed_context_size_error",
                "message": "the request exceeds the available context size, try increasing it",
            },
        ),
        (400, {"message": "The number of tokens to keep is greater than the context length."}),
        (400, {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"}),
        (400, {"message": "The input token count exceeds the maximum number of tokens allowed (1048576)."}),
    ],
    ids=["code", "in a stream", "words in a stream", "vllm", "llamacpp", "lmstudio", "anthropic", "gemini"],
)
def test_a_history_that_is_too_long_is_known_by_code_or_words(status: int | None, error: Json) -> None:
    assert is_too_long(failure(error, status=status))


@pytest.mark.proves("TRUNCATION-disabled")
@pytest.mark.parametrize("code", ["invalid_prompt", "string_above_max_length", None])
def test_other_refusals_are_not_about_the_length(code: str | None) -> None:
    error = UpstreamRefusal("This cannot be done.", status=400, kind="invalid_request_error", code=code)
    assert not is_too_long(error)
