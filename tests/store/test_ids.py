"""Ids of rows, and what ids of clients name."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.ids import LONGEST, Kind, Ulids, body_of


@pytest.mark.proves("STORE-ids")
@given(st.lists(st.integers(0, 2**47), min_size=2, max_size=30), st.binary(min_size=10, max_size=10))
def test_ids_ascend_whatever_the_clock_does(times: list[int], randomness: bytes) -> None:
    clock = iter(times)
    make = Ulids(lambda: next(clock), lambda count: randomness[:count])
    made = [make() for _ in times]
    assert made == sorted(set(made))
    assert all(len(text) == 26 and text == text.lower() for text in made)


@pytest.mark.proves("STORE-ids")
def test_an_id_tells_its_time_in_the_alphabet_of_ulids() -> None:
    assert Ulids(lambda: 1_469_918_176_385, bytes)() == "01aryz6s41" + "0" * 16


@pytest.mark.proves("STORE-ids")
@pytest.mark.parametrize(
    ("kind", "text", "body"),
    [
        ("response", "resp_abc", "abc"),
        ("response", "run_abc", "abc"),
        ("response", "chatcmpl-aBc", "aBc"),
        ("response", "RESP_abc", "abc"),
        ("response", "abc", "abc"),
        ("response", "my_own_id", "my_own_id"),
        ("response", "msg_abc", None),
        ("response", "conv_abc", None),
        ("response", "asst_abc", None),
        ("response", "resp_", None),
        ("response", "", None),
        ("response", None, None),
        ("response", 7, None),
        ("response", "r" * (LONGEST + 1), None),
        ("conversation", "conv_abc", "abc"),
        ("conversation", "thread_abc", "abc"),
        ("conversation", "ses_abc", "abc"),
        ("conversation", "resp_abc", None),
        ("item", "msg_abc", "abc"),
        ("item", "prt_abc", "abc"),
        ("item", "fc_abc", "abc"),
        ("item", "fco_abc", "abc"),
        ("item", "rs_abc", "abc"),
        ("item", "call_abc", None),
        ("item", "thread_abc", None),
    ],
)
def test_every_prefix_of_the_kind_is_understood_and_no_other(kind: Kind, text: object, body: str | None) -> None:
    assert body_of(kind, text) == body


@pytest.mark.proves("STORE-ids")
def test_within_a_millisecond_ids_are_counted() -> None:
    make = Ulids(lambda: 1, lambda count: b"\xff" * count)
    first, second = itertools.islice(iter(make, None), 2)
    assert first < second
