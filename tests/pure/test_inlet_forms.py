"""Answers whose text stands elsewhere than in the string of a delta: read, or a failure; never an empty answer."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.frames import Frame
from tests.pure.inlet_streams import END, chunk, final, fragment, play, raw, summary
from tests.pure.test_answer import answer, read

Json = dict[str, Any]

STOP = chunk("stop")


def of(choice: Json) -> Frame:
    """A chunk with exactly this choice."""
    return raw({"id": "x", "object": "chat.completion.chunk", "choices": [choice]})


def ended(*frames: Frame) -> Json:
    return final(play([*frames, END]))


def failed(response: Json) -> bool:
    """Whether it failed as something nobody can read, without a piece of output."""
    told = (response["status"], (response["error"] or {}).get("code"), response["output"])
    return told == ("failed", "server_error", [])


@pytest.mark.parametrize(
    "choice",
    [
        {"message": {"role": "assistant", "content": "whole"}},
        {"delta": {}, "message": {"content": "whole"}},
        {"delta": None, "message": {"content": "whole"}},
        {"delta": {"role": "assistant", "content": ""}, "message": {"content": "whole"}},
        {"delta": {"content": "whole"}, "message": {"content": "whole"}},
        {"text": "whole"},
        {"message": {"content": None}, "text": "whole"},
        {"message": None, "text": "whole"},
        {"delta": {"content": ["wh", {"type": "text", "text": "ole"}]}},
        {"delta": {"content": {"type": "text", "text": "whole"}}},
    ],
)
@pytest.mark.proves("CHAT-ANSWER-forms")
def test_text_is_read_wherever_it_stands(choice: Json) -> None:
    for response in (
        ended(of({"index": 0, "finish_reason": "stop", **choice})),
        ended(of({"index": 0, **choice}), STOP),
        read({"choices": [{"finish_reason": "stop", **choice}]}),
    ):
        assert (response["status"], summary(response)) == ("completed", [("message", "whole")])


@pytest.mark.parametrize(
    "pieces", [[{"message": {"content": text}} for text in "Hi"], [{"text": text} for text in "Hi"]]
)
@pytest.mark.proves("CHAT-ANSWER-forms")
def test_a_stream_can_tell_its_pieces_in_another_form(pieces: list[Json]) -> None:
    assert summary(ended(*map(of, pieces), STOP)) == [("message", "Hi")]


@pytest.mark.proves("CHAT-ANSWER-forms")
def test_calls_of_a_message_in_a_stream_are_told_apart_by_their_place() -> None:
    calls = [fragment(None, "get", "{}"), fragment(None, "get", "{}")]
    response = ended(of({"message": {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}))
    assert [item[2:] for item in summary(response)] == [("get", "{}")] * 2


@pytest.mark.parametrize("repeated", [{"message": {"content": "Hi"}}, {"text": "Hi"}])
@pytest.mark.proves("CHAT-ANSWER-forms")
def test_a_stream_that_repeats_its_deltas_says_them_once(repeated: Json) -> None:
    both = [
        of({"delta": {"content": text}, "message": {"content": "Hi"[: place + 1]}}) for place, text in enumerate("Hi")
    ]
    for last in ({"finish_reason": "stop", **repeated}, {"delta": {}, "finish_reason": "stop", **repeated}):
        assert summary(ended(chunk(content="Hi"), of(last))) == [("message", "Hi")]
        assert summary(ended(*both, of(last))) == [("message", "Hi")]


@pytest.mark.parametrize("content", [42, 0, True, {"type": "image_url"}, {}, [42], [{"type": "image_url"}], [["x"]]])
@pytest.mark.proves("CHAT-ANSWER-forms")
def test_content_that_nobody_can_read_is_a_failure(content: Any) -> None:
    assert failed(answer({"role": "assistant", "content": content}))
    assert failed(ended(chunk(role="assistant", content=""), chunk(content=content), STOP))
    assert failed(ended(of({"message": {"content": content}}), STOP))


@pytest.mark.parametrize(
    "choice",
    [{}, {"message": None}, {"message": "Hi"}, {"message": None, "text": 42}, {"delta": None}, {"delta": "Hi"}],
)
@pytest.mark.proves("CHAT-ANSWER-forms")
def test_an_end_without_any_answer_is_a_failure(choice: Json) -> None:
    assert failed(read({"choices": [{"finish_reason": "stop", **choice}]}))
    assert failed(ended(of({"index": 0, "finish_reason": "stop", **choice})))


@pytest.mark.parametrize("content", ["", None, [], [""], [{"type": "text", "text": ""}], {"type": "text", "text": ""}])
@pytest.mark.proves("CHAT-ANSWER-forms", "CHAT-ANSWER-empty")
def test_an_answer_that_is_really_empty_is_complete(content: Any) -> None:
    for response in (
        answer({"role": "assistant", "content": content}),
        ended(chunk(role="assistant", content=content), STOP),
        ended(of({"message": {"role": "assistant", "content": content}}), STOP),
        ended(of({"text": "", "finish_reason": "stop"})),
    ):
        assert (response["status"], summary(response)) == ("completed", [("message", "")])


@pytest.mark.proves("CHAT-ANSWER-forms", "CASE-125")
def test_a_filter_that_left_not_even_a_message_is_a_refusal() -> None:
    (item,) = read({"choices": [{"index": 0, "finish_reason": "content_filter"}]})["output"]
    assert item["content"][0]["type"] == "refusal"
