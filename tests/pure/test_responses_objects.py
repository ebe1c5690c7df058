"""Ids and usage."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core import ids, usage

Json = dict[str, Any]

FULL: Json = {
    "input_tokens": 1,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 2,
    "output_tokens_details": {"reasoning_tokens": 1},
    "total_tokens": 3,
}


def test_derived_ids_depend_on_every_part_and_nothing_else() -> None:
    made = ids.derive("msg", "seed", 1)
    assert made == ids.derive("msg", "seed", 1)
    assert (
        len({made, ids.derive("msg", "seed", 2), ids.derive("msg", "seed1", ""), ids.derive("msg", "seed", "1", "")})
        == 4
    )
    assert ids.valid_item_id("message", made)
    assert len(ids.derive("x" * 60, "\ud83d")) == 64


@pytest.mark.parametrize(
    ("kind", "value", "valid"),
    [
        ("message", "msg_1", True),
        ("message", "fc_1", False),
        ("function_call", "chatcmpl-tool-1", False),
        ("web_search_call", "ws_1", True),
        ("computer_call", "anything-1", True),
        ("subagent_call", "sub_1", True),
        ("message", "msg_" + "x" * 61, False),
        ("message", "msg_ü", False),
        ("message", "", False),
        ("message", None, False),
        ("message", 7, False),
    ],
)
@pytest.mark.proves("RESPONSES-ids")
def test_an_id_is_kept_when_it_can_be_sent_back_later(kind: str, value: object, valid: bool) -> None:
    assert ids.valid_item_id(kind, value) is valid


@pytest.mark.parametrize("call_id", ["call_1", "toolu_01-A", "x" * 64, ""])
def test_a_call_id_that_upstreams_take_stays(call_id: str) -> None:
    assert ids.wire_call_id(call_id) == call_id


@pytest.mark.parametrize("call_id", ["x" * 65, "call.1", "ünïcode", "a b", "\ud83d", "line\n"], ids=ascii)
def test_any_other_call_id_has_one_stand_in_that_upstreams_take(call_id: str) -> None:
    stand_in = ids.wire_call_id(call_id)
    assert stand_in == ids.wire_call_id(call_id) == ids.wire_call_id(stand_in) != call_id
    assert stand_in != ids.wire_call_id(call_id + "x")


def test_ids_of_responses_have_no_set_prefix() -> None:
    assert ids.valid_id("chatcmpl-1")
    assert not ids.valid_id(None)
    assert ids.item_prefix("unheard_of") == "item"


@pytest.mark.proves("RESPONSES-usage")
@pytest.mark.parametrize(
    ("told", "sound"),
    [
        (None, True),
        (FULL, True),
        ({**FULL, "input_tokens_details": {"cached_tokens": 0}}, True),
        ({**FULL, "input_tokens_details": {}}, True),
        ({**FULL, "input_tokens_details": None}, False),
        ({**FULL, "input_tokens_details": {"cached_tokens": None}}, False),
        ({**FULL, "total_tokens": 3.0}, False),
        ({**FULL, "total_tokens": True}, False),
        ([], False),
    ],
)
def test_usage_is_sound_when_sdks_can_read_it(told: object, sound: bool) -> None:
    assert usage.sound(told) is sound


@pytest.mark.proves("RESPONSES-usage")
def test_usage_is_completed_but_never_invented() -> None:
    assert usage.complete(None) is None
    assert usage.complete(FULL) == FULL
    assert usage.complete({"input_tokens": 1.0, "output_tokens": "x", "extra": 1}) == {
        "input_tokens": 1,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 1,
        "extra": 1,
    }


@pytest.mark.proves("RESPONSES-usage")
@pytest.mark.parametrize(
    ("told", "counts"),
    [
        (FULL, (1, 0, 0, 2, 1)),
        ({"prompt_tokens": 0, "completion_tokens": 4}, (0, None, None, 4, None)),
        (
            {
                "prompt_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            (9, 5, 2, None, 3),
        ),
        ({"input_tokens": None, "prompt_tokens": 3, "output_tokens": 2**63 - 1}, (None, None, None, 2**63 - 1, None)),
        ({"input_tokens": True, "output_tokens": 2**63, "input_tokens_details": {"cached_tokens": -1}}, (None,) * 5),
        ({"input_tokens": 1.0, "output_tokens": "2", "output_tokens_details": [1]}, (None,) * 5),
        (None, (None,) * 5),
        ([1], (None,) * 5),
    ],
)
def test_counts_are_what_is_told_and_a_database_can_keep(told: object, counts: usage.Counts) -> None:
    assert usage.counts(told) == counts


def test_usage_of_two_steps_is_added() -> None:
    assert usage.add(None, None) is None
    assert usage.add(FULL, None) is FULL
    assert usage.add(None, FULL) is FULL
    assert usage.add(FULL, FULL) == {
        "input_tokens": 2,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 6,
    }
