"""JSON as it is really sent: strict, and never a crash on half a surrogate pair."""

from __future__ import annotations

import json as standard
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import json


@pytest.mark.proves("WIRE-surrogates")
def test_half_a_surrogate_pair_survives_both_ways() -> None:
    assert json.loads(b'{"delta":"\\ud83d"}') == {"delta": "\ud83d"}
    assert json.dumps({"delta": "\ud83d"}) == b'{"delta":"\\ud83d"}'


def test_numbers_beside_half_a_pair_are_read() -> None:
    assert json.loads(b'["\\ud83d", 1.5]') == ["\ud83d", 1.5]


def test_integers_beyond_64_bits_are_written() -> None:
    assert json.dumps({"n": 1 << 70}) == b'{"n":1180591620717411303424}'


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"NaN",
        b'["\\ud800", NaN]',
        b'["\\ud800", 1e999]',
        b'["\\ud800"] x',
        b'"\xff"',
        b'"\\ud800\xff"',
        b"[" * 100_000,
        b'["\\ud800",' + b"[" * 100_000,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        json.loads(text)


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(), st.lists, max_leaves=20))
def test_what_is_written_is_read(value: object) -> None:
    assert json.loads(json.dumps(value)) == value


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(), max_size=20))
def test_any_text_is_written_and_read(value: str) -> None:
    assert json.loads(json.dumps([value])) == [value]


@pytest.mark.proves("WIRE-client-halves")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'["x\\ud83d"]', ["x\ufffd"]),
        (b'["\\uDE00x"]', ["\ufffdx"]),
        (b'["\\ud83d\\ud83d\\ude00"]', ["\ufffd😀"]),
        (b'["\\ud83d\\u0041", "\\ud83d\\n"]', ["\ufffdA", "\ufffd\n"]),
        (b'["\\ud83d", "\\\\ud83d"]', ["\ufffd", "\\ud83d"]),
        (b'{"\\ud83d": 1.5}', {"\ufffd": 1.5}),
        ('["grüße 😀", "\\ud83d"]'.encode(), ["grüße 😀", "\ufffd"]),
    ],
    ids=ascii,
)
def test_half_of_a_pair_in_a_client_s_text_becomes_the_replacement_character(text: bytes, value: object) -> None:
    assert json.loads_whole(text)[0] == value


@pytest.mark.proves("WIRE-client-halves")
@pytest.mark.parametrize("text", [b"", b"{", b'["\\ud800", NaN]', b'["\\ud800"] x', b'"\\ud800\xff"', b'["\\ud8"]'])
def test_what_is_no_json_is_refused_also_with_halves_in_it(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        json.loads_whole(text)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec=None) | st.characters(categories=["Cs"]), max_size=20))
def test_any_text_of_a_client_can_be_sent_on(value: str) -> None:
    whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    found, text = json.loads_whole(standard.dumps([value]).encode())
    assert found == standard.loads(text) == [whole]


@pytest.mark.parametrize(
    ("text", "value"),
    [(b'\xef\xbb\xbf{"a":1}', {"a": 1}), (b'{"a":"x\xff"}', {"a": "x\ufffd"}), (b'{"a":"\\ud83d"}', {"a": "\ud83d"})],
)
def test_a_bad_byte_of_a_server_does_not_cost_its_answer(text: bytes, value: Any) -> None:
    assert json.loads_served(text) == value


@pytest.mark.parametrize("text", [b'{"a":', b'{"a":"\xff"', b"NaN"])
def test_what_is_no_json_even_so_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        json.loads_served(text)
