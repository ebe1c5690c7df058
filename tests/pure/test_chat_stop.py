"""Stop strings, which the gateway looks for itself (translation §1.8), in JSON answers and in streams."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.prose import Prose
from tests.pure.chat_frames import (
    CITED,
    START,
    added,
    answer,
    asking,
    call,
    cut,
    delta,
    events_of,
    exchange,
    frames,
    function_call,
    message,
    reasoning,
    response,
    said,
    terminal,
    text_part,
    told,
)
from tests.pure.chat_invariants import fold


@pytest.mark.proves("CASE-23", "CHAT-stop")
@pytest.mark.parametrize(
    ("stop", "text", "shown"),
    [
        ("###", "one###two", "one"),
        (["b", "a"], "xxab", "xx"),
        (["abc", "b"], "abc", "a"),
        (["###"], "one##", "one##"),
        (["", "##"], "#", "#"),
        (["aab"], "aaab", "a"),
        ("x", "x", ""),
    ],
    ids=repr,
)
def test_text_ends_before_the_first_stop_string(stop: Any, text: str, shown: str) -> None:
    made = answer(message(text), call(), asked=exchange(stop=stop))
    assert "stop" not in exchange(stop=stop).request.body
    assert made["choices"][0]["message"]["content"] == shown
    hit = shown != text
    assert made["choices"][0]["finish_reason"] == ("stop" if hit else "tool_calls")


def test_a_stop_string_is_looked_for_in_visible_text_only() -> None:
    output = (reasoning("a###b"), message("Hi"), call(arguments='{"a":"###"}'))
    made = said(*output, asked=exchange(stop="###"))
    assert (made["content"], made["reasoning_content"]) == ("Hi", "a###b")
    assert made["tool_calls"][0]["function"]["arguments"] == '{"a":"###"}'


def test_nothing_is_shown_after_a_stop_string_in_the_same_message() -> None:
    assert said(message("a###b", "c"), asked=exchange(stop="###"))["content"] == "a"


def test_the_blank_line_between_messages_is_no_stop_string() -> None:
    assert said(message("a"), message("b", index=1), asked=exchange(stop="\n\n"))["content"] == "a\n\nb"


def test_a_stop_string_cuts_a_cut_answer_to_a_normal_end_and_drops_its_sources() -> None:
    spoken = message(text_part("ab###cd", annotations=[CITED]))
    made = answer(spoken, asked=exchange(stop="###"), **cut("max_output_tokens"))["choices"][0]
    assert (made["finish_reason"], made["message"]["annotations"]) == ("stop", [])


def test_logprobs_end_with_the_visible_text() -> None:
    tokens = [{"token": token, "logprob": 0.0} for token in ("a", "b#", "##", "c")]
    asked = exchange(stop="###", logprobs=True)
    made = answer(message(text_part("ab###c", logprobs=tokens)), asked=asked)["choices"][0]
    assert made["message"]["content"] == "ab"
    assert [token["token"] for token in made["logprobs"]["content"]] == ["a"]
    held = [{"token": "a", "logprob": 0.0}, {"token": "#", "logprob": 0.0}]
    made = answer(message(text_part("a#", logprobs=held)), asked=asked)["choices"][0]
    assert made["message"]["content"] == "a#"
    assert [token["token"] for token in made["logprobs"]["content"]] == ["a", "#"]


@pytest.mark.proves("CASE-23", "CASE-24", "CHAT-stop")
def test_a_stop_string_over_two_deltas_ends_the_stream() -> None:
    asked = asking(stop=["###"], stream_options={"include_usage": True})
    encoder = asked.stream_encoder(5)
    first = encoder.feed(frames([START, added(0, message()), delta(0, "one#")]))
    assert b'"content":"one"' in first
    second = encoder.feed(frames([delta(0, "##two"), delta(0, "three"), terminal(response(message("one###two")))]))
    folded = fold((first + second).decode(), usage_asked=True)
    assert (folded.content, folded.finish, folded.usage) == ("one", "stop", None)
    assert encoder.finished


@pytest.mark.proves("CASE-24")
def test_what_was_held_back_for_a_stop_string_is_told_when_it_was_none() -> None:
    final = response(message("one##"), call(arguments='"###"'))
    folded = told(*events_of(final, 1), asked=asking(stop="###"))
    assert (folded.content, folded.finish) == ("one##", "tool_calls")
    assert folded.calls == [function_call("get", '"###"')]
    assert told(START, delta(0, "one#"), terminal(response()), asked=asking(stop="###")).content == "one#"


def test_a_stop_string_in_the_terminal_s_text_counts_too() -> None:
    folded = told(START, terminal(response(message("a###b"), message("c"))), asked=asking(stop="###"))
    assert (folded.content, folded.finish) == ("a", "stop")


def test_a_refusal_behind_a_stop_string_was_not_said() -> None:
    found = said(message("a##b", {"type": "refusal", "refusal": "no"}), asked=exchange(stop="##"))
    assert (found["content"], found["refusal"]) == ("a", None)


def test_no_text_is_told_behind_a_stop_string_in_whatever_part_it_comes() -> None:
    emitted: list[str] = []
    prose = Prose(exchange(stop="##").wishes, lambda field, text, logprobs: emitted.append(text))
    prose.text(0, 0, "a##", None)
    prose.text(0, 1, "b", None)
    prose.text(1, 0, "c", None)
    assert (emitted, prose.stopped) == (["a"], True)
