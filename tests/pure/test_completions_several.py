"""Several prompts: one JSON answer, one sound stream (translation §6.2, §6.3)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import Bundle
from gateway.errors import UpstreamTimeout
from tests.pure.chat_frames import CHAT_USAGE, events_of, frames, message, response
from tests.pure.text_asking import bundle, error_in
from tests.sdk_types import check_completion, check_completion_stream

Json = dict[str, Any]

USAGE = {"include_usage": True}


def answers(*texts: str) -> list[Json]:
    return [response(message(text), id=f"resp_{number}") for number, text in enumerate(texts)]


def joined(asked: Bundle, responses: list[Json]) -> Json:
    pairs = zip(asked.exchanges, responses, strict=True)
    answer: Json = json.loads(asked.joint.join([one.encode_response(made) for one, made in pairs]))
    return answer


@pytest.mark.proves("TEXT-several", "CASE-151")
def test_choices_come_in_the_order_of_their_prompts_with_their_tokens_together() -> None:
    answer = joined(bundle("a", "b", echo=True), answers("one", "two"))
    check_completion(answer)
    assert [(choice["index"], choice["text"]) for choice in answer["choices"]] == [(0, "aone"), (1, "btwo")]
    assert answer["id"] == "cmpl-0"
    assert answer["usage"]["total_tokens"] == 2 * CHAT_USAGE["total_tokens"]
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 4


@pytest.mark.proves("TEXT-several")
def test_tokens_that_are_not_all_known_are_not_told() -> None:
    known, unknown = answers("one", "two")
    assert "usage" not in joined(bundle("a", "b"), [known, {**unknown, "usage": None}])
    assert "usage" not in joined(bundle("a", "b"), [{**unknown, "usage": None}, known])


def interleaved(asked: Bundle, told: list[list[Json]], order: list[int]) -> bytes:
    """The bytes of the streams, an event of one of them after the other in this order, then what is left."""
    encoders = [one.stream_encoder(5) for one in asked.exchanges]
    waiting = [list(events) for events in told]
    turns = [*order, *(index for index, events in enumerate(told) for _ in events)]
    return b"".join(encoders[at].feed(frames([waiting[at].pop(0)])) for at in turns if waiting[at])


@pytest.mark.proves("TEXT-several")
@given(st.lists(st.integers(0, 2), max_size=30), st.booleans(), st.booleans())
def test_streams_in_any_order_are_one_sound_stream(order: list[int], include_usage: bool, echo: bool) -> None:
    fields = {"stream_options": USAGE} if include_usage else {}
    told = [events_of(made, size=2) for made in answers("one", "", "three")]
    asked = bundle("a", "b", "c", stream=True, echo=echo, **fields)
    judge = check_completion_stream(interleaved(asked, told, order), include_usage)
    texts = {0: "aone", 1: "b", 2: "cthree"} if echo else {0: "one", 1: "", 2: "three"}
    assert judge.texts == texts
    assert asked.joint.finished and not asked.joint.failed
    if include_usage and judge.chunks[-1].usage:
        assert judge.chunks[-1].usage.total_tokens == 3 * CHAT_USAGE["total_tokens"]


@pytest.mark.proves("TEXT-several")
def test_usage_that_is_not_all_known_is_not_told_in_a_stream() -> None:
    first, second = answers("one", "two")
    told = [events_of(first), events_of({**second, "usage": None})]
    stream = interleaved(bundle("a", "b", stream=True, stream_options=USAGE), told, [])
    check_completion_stream(stream, expect_usage=False)


@pytest.mark.proves("TEXT-several-failure")
@given(st.lists(st.integers(0, 1), max_size=20))
def test_the_first_failure_ends_the_stream_for_all(order: list[int]) -> None:
    good, bad = answers("one", "two")
    broken = [*events_of(bad)[:-1], {"type": "response.failed", "response": {"status": "failed"}}]
    asked = bundle("a", "b", stream=True)
    stream = interleaved(asked, [events_of(good), broken], order)
    assert error_in(stream)["code"] == "upstream_error"
    assert stream.count(b"[DONE]") == 1
    assert asked.joint.finished and asked.joint.failed


@pytest.mark.proves("TEXT-several-failure")
def test_an_error_of_ours_ends_the_stream_once() -> None:
    asked = bundle("a", "b", stream=True)
    first, second = (one.stream_encoder(5) for one in asked.exchanges)
    assert error_in(asked.joint.fail(UpstreamTimeout("silence")))["code"] == "upstream_timeout"
    assert asked.joint.fail(UpstreamTimeout("again")) == b""
    assert first.fail(UpstreamTimeout("again")) == b""
    assert (second.feed(frames(events_of(answers("x")[0]))), second.finished) == (b"", True)
