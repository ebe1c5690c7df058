"""Pieces of the text that is being spoken take a short way to the client. It hears what the long way would tell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.dialects import Choices, StreamEncoder
from tests.pure import text_asking
from tests.pure.chat_frames import (
    START,
    added,
    asking,
    call,
    delta,
    done,
    frames,
    message,
    reasoning,
    response,
    terminal,
)

Json = dict[str, Any]

TEXTS = st.sampled_from(["a", " b", "", "é", "\ud83d", "\ude00", "🌍", '"\\', "END", "E", "ND"])
PLACES = st.sampled_from([(0, 0), (0, 0), (0, 0), (0, 1), (1, 0)])
ITEMS: tuple[Json, ...] = (
    message("ab"),
    message("a", phase="commentary"),
    reasoning("because"),
    call(arguments="{}"),
)
TOKENS: list[Json] = [{"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}]


@st.composite
def streams(draw: st.DrawFn) -> list[Json]:
    """Pieces of texts in runs, with other events between them."""
    told: list[Json] = [START]
    for _ in range(draw(st.integers(1, 7))):
        index, position = draw(PLACES)
        step = draw(st.sampled_from(["text", "text", "text", "thought", "refusal", "call", "added", "done", "told"]))
        where = {"output_index": index, "content_index": position}
        if step == "text":
            more = draw(st.sampled_from([{}, {}, {"logprobs": TOKENS}]))
            pieces = draw(st.lists(TEXTS, max_size=5))
            told += [{**delta(index, piece), **where, **more} for piece in pieces]
        elif step == "thought":
            told.append(delta(index, draw(TEXTS), "reasoning_text", **where))
        elif step == "refusal":
            told.append(delta(index, draw(TEXTS), "refusal", **where))
        elif step == "call":
            told.append(delta(2, "{}", "function_call_arguments"))
        elif step == "told":
            told.append(
                {"type": "response.output_text.done", **where, "text": draw(st.sampled_from(["ab", "a b", "x"]))}
            )
        else:
            told.append((added if step == "added" else done)(index, draw(st.sampled_from(ITEMS))))
    return [*told, terminal(response(message("ab")))] if draw(st.booleans()) else told


def the_long_way(told: list[Json]) -> list[Json]:
    """The same deltas without their place where it is the first, as sloppy servers leave it out: each is looked up."""
    return [
        {name: value for name, value in one.items() if name != "content_index" or value}
        if one["type"] == "response.output_text.delta"
        else one
        for one in told
    ]


def heard(encoder: StreamEncoder, told: list[Json], cut: int) -> list[bytes]:
    """What a client reads of each of two reads."""
    return [encoder.feed(frames(told[:cut])), encoder.feed(frames(told[cut:]))]


@pytest.mark.proves("RUN-flow")
@settings(max_examples=400, deadline=None)
@example(
    told=[
        START,
        delta(0, "a", content_index=0),
        added(0, message("a", phase="commentary")),
        delta(0, "a", content_index=0),
    ],
    cut=0,
    reasoning="hide",
    wishes={"response_format": {"type": "json_object"}},
).via("an item that speaks before it is announced as an aside")
@given(
    told=streams(),
    cut=st.integers(0, 30),
    reasoning=st.sampled_from(["reasoning_content", "think", "hide"]),
    wishes=st.sampled_from([{}, {}, {"stop": "END"}, {"logprobs": True}, {"response_format": {"type": "json_object"}}]),
)
def test_a_chat_client_hears_the_same(told: list[Json], cut: int, reasoning: Any, wishes: Json) -> None:
    asked = asking(Choices(reasoning=reasoning), **wishes)
    short, long = asked.stream_encoder(5), asked.stream_encoder(5)
    assert heard(short, told, cut) == heard(long, the_long_way(told), cut)


@pytest.mark.proves("RUN-flow")
@settings(max_examples=200, deadline=None)
@given(told=streams(), cut=st.integers(0, 30), wishes=st.sampled_from([{}, {}, {"stop": "END"}, {"logprobs": 1}]))
def test_a_client_of_legacy_completions_hears_the_same(told: list[Json], cut: int, wishes: Json) -> None:
    asked = text_asking.exchange(**wishes), text_asking.exchange(**wishes)
    short, long = (one.stream_encoder(5) for one in asked)
    assert heard(short, told, cut) == heard(long, the_long_way(told), cut)
