"""Characters that a server cut in two between deltas: clients get them whole, or U+FFFD where a half never came."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.frames import Frame
from gateway.dialects.chat.outbound.halves import Halves, sound
from gateway.dialects.chat.outbound.quirks import Quirks
from tests.pure.inlet_streams import END, chunk, final, fragment, play, summary

Json = dict[str, Any]

STOP = chunk("stop")


def deltas(frames: list[Frame]) -> list[str]:
    return [frame.data["delta"] for frame in frames if frame.type.endswith(".delta")]


def _delta(channel: str, piece: str) -> Json:
    return {channel: piece}


def told(channel: str, *pieces: str) -> list[Frame]:
    """A stream that says these pieces in this field, or as the arguments of a call."""
    if channel == "arguments":
        opened = chunk(tool_calls=[fragment(0, "get", "", id="x")])
        return play([opened, *[chunk(tool_calls=[fragment(0, "", piece)]) for piece in pieces], STOP, END])
    return play([*[chunk(**_delta(channel, piece)) for piece in pieces], STOP, END])


@pytest.mark.parametrize("channel", ["content", "reasoning_content", "refusal", "arguments"])
@pytest.mark.parametrize(
    ("pieces", "out"),
    [
        (["\ud83d", "\ude00"], ["😀"]),
        (["a\ud83d", "\ude00b"], ["a", "😀b"]),
        (["é\ud83d", "\ude00\ud83d", "\ude01"], ["é", "😀", "😁"]),
        (["\ud83d"], ["\ufffd"]),
        (["a\ud83d"], ["a", "\ufffd"]),
        (["\ud83d", "a"], ["\ufffda"]),
        (["\ud83d", "\ud83d", "\ude00"], ["\ufffd", "😀"]),
        (["\ude00a"], ["\ufffda"]),
        (["é😀"], ["é😀"]),
    ],
)
@pytest.mark.proves("CHAT-ANSWER-halves")
def test_halves_that_were_cut_apart_are_joined(channel: str, pieces: list[str], out: list[str]) -> None:
    frames = told(channel, *pieces)
    assert deltas(frames) == out
    assert summary(final(frames))[0][-1] == "".join(out)
    assert b"\\ud" not in b"".join(frame.raw for frame in frames)


@pytest.mark.proves("CHAT-ANSWER-halves")
def test_a_half_belongs_to_its_own_text() -> None:
    frames = play([chunk(reasoning="\ud83d"), chunk(content="\ude00\ud83d"), chunk(refusal="\ude00"), STOP, END])
    assert deltas(frames) == ["\ufffd"] * 4
    calls = [
        chunk(tool_calls=[fragment(place, "" if turn else "get", piece, id=f"c{place}")])
        for turn, piece in enumerate(['{"a":"\ud83d', '\ude00"}'])
        for place in (0, 1)
    ]
    assert [item[3] for item in summary(final(play([*calls, STOP, END])))] == ['{"a":"😀"}'] * 2


@pytest.mark.proves("CHAT-ANSWER-halves")
def test_a_half_behind_a_thought_tag_finds_its_other_half() -> None:
    pieces = ["<think>h\ud83d", "\ude00</think>\ud83d", "\ude00"]
    frames = play([*[chunk(content=piece) for piece in pieces], STOP, END], Quirks(think_tags=True))
    assert summary(final(frames)) == [("reasoning", "h😀"), ("message", "😀")]
    assert deltas(frames) == ["h", "😀", "😀"]


@pytest.mark.proves("CHAT-ANSWER-halves")
def test_a_cut_stream_ends_its_last_half_too() -> None:
    frames = play([chunk(content="a\ud83d")])
    assert (deltas(frames), final(frames)["status"]) == (["a", "\ufffd"], "failed")
    assert summary(final(frames)) == [("message", "a\ufffd", "incomplete")]


@pytest.mark.proves("CHAT-ANSWER-halves", "CHAT-ANSWER-custom", "CHAT-ANSWER-search")
def test_texts_that_are_told_at_once_are_whole_too() -> None:
    for name, shown in (("apply_patch", "😀\ufffd"), ("tool_search", '{"input":"😀\ufffd"}')):
        pieces = ['{"input":"\ud83d', '\ude00\\ud83d"}']
        calls = [
            chunk(tool_calls=[fragment(0, name if not at else "", text, id="x")]) for at, text in enumerate(pieces)
        ]
        frames = play([*calls, STOP, END])
        assert summary(final(frames))[0][-1] == shown


@pytest.mark.proves("CHAT-ANSWER-halves", "CHAT-ANSWER-calls")
def test_a_call_of_joined_halves_is_known_when_it_is_repeated() -> None:
    waiting = [fragment(0, "", '{"a":"\ud83d'), fragment(0, "", "\ude00"), fragment(0, "get", '\ud83dx"}', id="x")]
    again = fragment(0, "get", '{"a":"😀\ud83dx"}', id="x")
    frames = play([*[chunk(tool_calls=[piece]) for piece in [*waiting, again]], STOP, END])
    assert summary(final(frames)) == [("function_call", "x", "get", '{"a":"😀\ufffdx"}')]


@pytest.mark.proves("CHAT-ANSWER-halves")
def test_arguments_that_wait_for_a_half_are_not_whole() -> None:
    frames = play([chunk(tool_calls=[fragment(0, "get", "{}\ud83d", id="x")]), END])
    assert final(frames)["status"] == "failed"
    assert summary(final(frames)) == [("function_call", "x", "get", "{}\ufffd", "incomplete")]


@pytest.mark.proves("CHAT-ANSWER-halves", "CHAT-ANSWER-logprobs")
def test_log_probabilities_wait_for_the_other_half() -> None:
    def piece(text: str) -> Frame:
        return chunk(content=text, choice={"logprobs": {"content": [{"token": text, "logprob": -1.0}]}})

    frames = play([piece("a"), piece("\ud83d"), piece("\ude00"), STOP, END], include=["message.output_text.logprobs"])
    events = [frame.data for frame in frames if frame.type == "response.output_text.delta"]
    tokens = [(event["delta"], [token["token"] for token in event["logprobs"]]) for event in events]
    assert tokens == [("a", ["a"]), ("😀", ["\ufffd", "\ufffd"])]
    (part,) = final(frames)["output"][0]["content"]
    assert len(part["logprobs"]) == 3


@pytest.mark.proves("CHAT-ANSWER-halves")
@given(st.lists(st.text(alphabet="aé😀\ud83d\ude00", min_size=1, max_size=4), max_size=6))
def test_any_pieces_come_to_the_whole_text(pieces: list[str]) -> None:
    halves = Halves()
    out = [halves.push(piece) for piece in pieces]
    assert halves.held == ("".join(pieces)[-1:] == "\ud83d")
    whole = "".join([*out, halves.rest()])
    assert (
        whole == sound("".join(pieces)) == "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )
    assert all(text.encode() or not text for text in out)
    assert halves.rest() == ""
