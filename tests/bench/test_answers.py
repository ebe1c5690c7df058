"""What is asked and answered has the lengths that docs/performance.md says."""

from __future__ import annotations

import json

import httptools
import pytest

from bench import answers, questions
from bench.cases import cases
from bench.model import burst, events
from bench.places import PLACES


@pytest.mark.parametrize("name", ["burst200", "innerburst200", "paced", "innerpaced"])
def test_a_delta_is_an_event_of_250_to_300_bytes_and_no_two_are_the_same(name: str) -> None:
    deltas = [event for event in answers.stream(PLACES[name]) if b" word " in event and b"delta" in event][:200]
    assert len(set(deltas)) == 200
    assert all(250 <= len(event) <= 300 for event in deltas)


def test_a_big_event_has_a_text_of_its_size() -> None:
    (_role, big, *_rest) = answers.stream(PLACES["event4"])
    assert len(json.loads(big[6:])["choices"][0]["delta"]["content"]) == 4 << 20


@pytest.mark.parametrize("size", [1 << 10, 2800, 1 << 20])
def test_a_chat_request_is_as_long_as_it_is_to_be(size: int) -> None:
    assert len(questions.chat("json", size=size)) == size


class _Read:
    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.whole = False

    def on_body(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def on_message_complete(self) -> None:
        self.whole = True


def _read(data: bytes) -> _Read:
    read = _Read()
    httptools.HttpResponseParser(read).feed_data(data)
    return read


def test_a_burst_has_a_chunk_for_each_event() -> None:
    place = PLACES["innerburst200"]
    read = _read(burst(place))
    assert read.whole
    assert read.pieces == answers.stream(place)


def test_a_trickle_has_a_chunk_for_each_byte() -> None:
    place = PLACES["trickle64"]
    read = _read(b"".join(events(place)))
    assert read.whole
    assert {len(piece) for piece in read.pieces} == {1}
    assert b"".join(read.pieces) == b"".join(answers.stream(place))


def test_no_two_cases_have_the_same_key_and_each_is_compared_with_what_there_is() -> None:
    keys = [case.key for case in cases()]
    assert len(set(keys)) == len(keys)
    assert {other for case in cases() for other in case.beside} <= set(keys)
