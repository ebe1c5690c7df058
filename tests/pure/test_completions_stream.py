"""Inner answers → legacy completions, in one piece and as streams (translation §6.2, §6.3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.frames import Frame
from gateway.errors import UpstreamTimeout
from tests.pure.chat_frames import (
    CHAT_USAGE,
    call,
    created,
    events_of,
    frames,
    message,
    reasoning,
    response,
    terminal,
    text_part,
)
from tests.pure.text_asking import encoded, error_in, exchange, said, streamed
from tests.sdk_types import check_completion

Json = dict[str, Any]

REFUSED = {"id": "msg_r", "type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
TOKENS: list[Json] = [
    {"token": "Hi", "logprob": -0.25, "bytes": [72, 105], "top_logprobs": [{"token": "Ho", "logprob": -2}]},
    {"token": " é", "logprob": None, "top_logprobs": "none"},
]
PLAIN = response(message("Hello world."))


@pytest.mark.proves("TEXT-answer")
def test_a_response_is_a_text_completion() -> None:
    answer = check_completion(exchange().encode_response(PLAIN))
    assert answer.model_dump(exclude_unset=True) == {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1700000000,
        "model": "gpt-x",
        "choices": [{"text": "Hello world.", "index": 0, "logprobs": None, "finish_reason": "stop"}],
        "usage": CHAT_USAGE,
    }


@pytest.mark.proves("TEXT-answer")
def test_a_sparse_response_is_a_whole_completion() -> None:
    answer = check_completion(exchange().encode_response({"status": "completed"}))
    assert answer.id.startswith("cmpl-") and answer.model == "m" and answer.created == 0
    assert (answer.choices[0].text, answer.usage) == ("", None)


@pytest.mark.proves("TEXT-stream", "CASE-152")
def test_a_stream_is_exactly_this() -> None:
    head = '{"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"gpt-x","choices":['

    def chunk(text: str, reason: str = "null") -> str:
        choice = f'{{"text":"{text}","index":0,"logprobs":null,"finish_reason":{reason}}}'
        return f'data: {head}{choice}],"usage":null}}\n\n'

    asked = exchange(stream=True, stream_options={"include_usage": True})
    told = encoded(asked, events_of(response(message("Hello")), size=3)).decode()
    usage = f'data: {head}],"usage":{json.dumps(CHAT_USAGE, separators=(",", ":"))}}}\n\n'
    assert told == chunk("Hel") + chunk("lo") + chunk("", '"stop"') + usage + "data: [DONE]\n\n"


@pytest.mark.proves("TEXT-stream")
def test_usage_is_in_no_chunk_unless_it_was_asked_for() -> None:
    stream = encoded(exchange(stream=True), events_of(PLAIN))
    assert b"usage" not in stream
    asked = exchange(stream=True, stream_options={"include_usage": True})
    assert streamed(asked, events_of(response(message("x"), usage=None))).texts == {0: "x"}


SHAPES: dict[str, Json] = {
    "plain": PLAIN,
    "empty": response(),
    "two-messages": response(message("one"), message("two", index=1)),
    "refusal": response(REFUSED),
    "refusal-after-text": response(message("text"), REFUSED),
    "refusal-before-text": response(REFUSED, message("text")),
    "thoughts": response(reasoning("hidden"), message("shown")),
    "call": response(call(), message("after")),
    "emoji": response(message("a🌍\u2028b")),
}


@pytest.mark.proves("TEXT-stream-is-json", "TEXT-refusal")
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("bare", [False, True], ids=["repeated", "bare"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_stream_says_what_the_json_answer_says(shape: Json, bare: bool, size: int) -> None:
    whole = said(exchange(), shape)
    told = streamed(exchange(stream=True), events_of(shape, size, empty_output=bare))
    assert (told.texts, told.finish) == ({0: whole["text"]}, {0: whole["finish_reason"]})


@pytest.mark.proves("TEXT-refusal")
@pytest.mark.parametrize(
    ("shape", "text"),
    [("refusal", "No."), ("refusal-after-text", "text"), ("thoughts", "shown"), ("two-messages", "one\n\ntwo")],
)
def test_the_text_is_what_was_said_or_the_refusal(shape: str, text: str) -> None:
    assert said(exchange(), SHAPES[shape])["text"] == text


@pytest.mark.proves("TEXT-stream")
def test_what_only_the_terminal_tells_is_told() -> None:
    assert streamed(exchange(stream=True), [created(PLAIN), terminal(PLAIN)]).texts == {0: "Hello world."}


@pytest.mark.proves("TEXT-finish")
@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"reason": "max_output_tokens"}, "length"),
        ({"reason": "max_tokens"}, "length"),
        ({"reason": "content_filter"}, "content_filter"),
        ({"reason": "steered"}, "stop"),
        (None, "length"),
    ],
    ids=str,
)
def test_a_cut_answer_says_why(details: Json | None, reason: str) -> None:
    cut = response(message("half"), status="incomplete", incomplete_details=details)
    assert said(exchange(), cut)["finish_reason"] == reason
    assert streamed(exchange(stream=True), events_of(cut)).finish == {0: reason}
    misnamed = [*events_of(cut)[:-1], {"type": "response.completed", "response": cut}]
    assert streamed(exchange(stream=True), misnamed).finish == {0: reason}


@pytest.mark.proves("TEXT-echo", "CASE-154")
@pytest.mark.parametrize("shape", [PLAIN, response()], ids=["text", "empty"])
def test_an_echo_is_the_first_chunk(shape: Json) -> None:
    whole = said(exchange(echo=True), shape)
    told = streamed(exchange(stream=True, echo=True), events_of(shape))
    assert told.chunks[0].choices[0].text == "Once"
    assert told.texts == {0: whole["text"]}
    assert whole["text"].startswith("Once")


@pytest.mark.proves("TEXT-stop")
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_the_text_ends_before_the_first_stop_string(size: int) -> None:
    shape = response(message("one END two"), message("three", index=1))
    assert said(exchange(stop=["END", "two"]), shape) | {"logprobs": None} == {
        "text": "one ",
        "index": 0,
        "logprobs": None,
        "finish_reason": "stop",
    }
    told = streamed(exchange(stream=True, stop="END"), events_of(shape, size))
    assert (told.texts, told.finish) == ({0: "one "}, {0: "stop"})
    asked = exchange(stream=True, stop="END", stream_options={"include_usage": True})
    assert streamed(asked, events_of(shape, size)).finish == {0: "stop"}, "no usage is known then"


@pytest.mark.proves("TEXT-stop")
def test_a_stop_string_in_the_terminal_alone_ends_the_text() -> None:
    shape = response(message("one END"), message("two", index=1))
    told = streamed(exchange(stream=True, stop="END"), [created(shape), terminal(shape)])
    assert told.texts == {0: "one "}


@pytest.mark.proves("TEXT-logprobs")
def test_logprobs_are_lists_side_by_side_with_offsets_in_characters() -> None:
    told = {
        "tokens": ["Hi", " é"],
        "token_logprobs": [-0.25, 0.0],
        "top_logprobs": [{"Hi": -0.25, "Ho": -2.0}, {" é": 0.0}],
        "text_offset": [0, 2],
    }
    shape = response(message(text_part("Hi é", logprobs=TOKENS)))
    assert said(exchange(logprobs=1), shape)["logprobs"] == told
    assert said(exchange(), shape)["logprobs"] is None
    assert said(exchange(logprobs=1), PLAIN)["logprobs"] is None
    check_completion(exchange(logprobs=1).encode_response(shape))


@pytest.mark.proves("TEXT-logprobs")
def test_logprobs_of_a_stream_ride_with_their_text() -> None:
    where = {"output_index": 0, "content_index": 0, "item_id": "msg_0"}
    shape = response(message("Hi é"))
    deltas = [
        {"type": "response.output_text.delta", **where, "delta": token["token"], "logprobs": [token]}
        for token in TOKENS
    ]
    told = streamed(exchange(stream=True, logprobs=1), [created(shape), *deltas, terminal(shape)])
    tokens = [chunk.choices[0].logprobs for chunk in told.chunks]
    assert [(part.tokens, part.text_offset) for part in tokens if part] == [(["Hi"], [0]), ([" é"], [2])]
    assert tokens[-1] is None


# failures -------------------------------------------------------------------------------------------------------------

TEXT = events_of(PLAIN)[:-1]
FAILED = response(status="failed", error={"code": "server_error", "message": "broke"})


@pytest.mark.proves("TEXT-stream-errors")
@pytest.mark.parametrize(
    ("last", "code"),
    [
        (terminal(FAILED), "upstream_error"),
        ({"type": "response.completed", "response": FAILED}, "upstream_error"),
        ({"type": "response.failed"}, "upstream_error"),
        ({"type": "response.completed", "response": {"status": "cancelled"}}, "response_cancelled"),
        ({"type": "error", "error": {"code": "server_is_overloaded", "message": "m"}}, "server_is_overloaded"),
        ({"type": "error", "code": "context_length_exceeded", "message": "m"}, "context_length_exceeded"),
    ],
    ids=str,
)
def test_a_failure_is_one_error_frame_and_then_the_end(last: Json, code: str) -> None:
    stream = encoded(exchange(stream=True), [*TEXT, last, *TEXT])
    assert error_in(stream)["code"] == code
    assert b'"finish_reason":"' not in stream


@pytest.mark.proves("TEXT-stream-errors", "CASE-83")
def test_a_stream_that_ends_early_never_looks_complete() -> None:
    encoder = exchange(stream=True).stream_encoder(5)
    stream = encoder.feed([*frames(TEXT), Frame(b"data: [DONE]\n\n", b"[DONE]", "")])
    assert error_in(stream)["code"] == "upstream_stream_truncated"
    assert encoder.finished


@pytest.mark.proves("TEXT-stream-errors")
def test_an_error_of_ours_ends_the_stream_once() -> None:
    encoder = exchange(stream=True).stream_encoder(5)
    assert error_in(encoder.fail(UpstreamTimeout("silence")))["code"] == "upstream_timeout"
    assert encoder.fail(UpstreamTimeout("again")) == b""
    assert encoder.feed(frames(TEXT)) == b""


def junk(kind: str) -> Frame:
    return Frame(b"", b"{", kind)


@pytest.mark.proves("TEXT-stream-errors")
@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        ("response.created", None),
        ("response.completed", "stop"),
        ("response.incomplete", "length"),
        ("response.failed", "upstream_error"),
        ("response.output_text.delta", "upstream_bad_event"),
    ],
)
def test_an_unreadable_event_is_skipped_only_where_nothing_is_lost(kind: str, ends: str | None) -> None:
    encoder = exchange(stream=True).stream_encoder(5)
    stream = encoder.feed([*frames(TEXT), junk(kind)])
    assert encoder.finished == (ends is not None)
    if ends in ("stop", "length"):
        assert b'"finish_reason":"%b"' % ends.encode() in stream
    elif ends is not None:
        assert error_in(stream)["code"] == ends


ODD: list[Json] = [
    {"type": "response.created", "response": None},
    {"type": "response.output_item.added"},
    {"type": "response.output_item.done", "item": 5},
    {"type": "response.content_part.done", "part": "x"},
    {"type": "response.output_text.delta", "delta": None},
    {"type": "response.output_text.done", "text": 5},
    {"type": "response.refusal.delta"},
    {"type": "response.refusal.done"},
    {"type": "response.function_call_arguments.delta", "delta": "{"},
    {"type": "codex.rate_limits"},
]


@pytest.mark.parametrize("event", ODD, ids=lambda event: str(event["type"]))
def test_odd_events_say_nothing(event: Json) -> None:
    assert streamed(exchange(stream=True), [event, *events_of(PLAIN)]).texts == {0: "Hello world."}


def test_a_terminal_without_a_response_is_an_empty_answer() -> None:
    stream = encoded(exchange(stream=True), [{"type": "response.done"}])
    assert b'"created":5,"model":"m"' in stream
    assert stream.endswith(b'"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')


def test_events_without_an_index_find_their_item() -> None:
    shape = response(reasoning("hm"), message("two", index=1))
    told = [
        created(shape),
        {"type": "response.output_item.added", "output_index": 1, "item": {"id": "msg_1", "type": "message"}},
        {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "tw"},
        {"type": "response.output_text.done", "item_id": "msg_1", "text": "two"},
        terminal(shape),
    ]
    assert streamed(exchange(stream=True), told).texts == {0: "two"}


def test_silence_is_filled_with_a_comment() -> None:
    assert exchange(stream=True).stream_encoder(5).keep_alive(30) == b": keep-alive\n\n"


# properties -----------------------------------------------------------------------------------------------------------

texts = st.text(alphabet="ab#\n é🌍\u2028", max_size=12)
pieces: st.SearchStrategy[Callable[[int], Json]] = st.one_of(
    texts.map(lambda text: lambda index: message(text, index=index)),
    texts.map(
        lambda text: lambda index: {**REFUSED, "id": f"msg_{index}", "content": [{"type": "refusal", "refusal": text}]}
    ),
    texts.map(lambda text: lambda index: reasoning(text, index=index)),
)


@pytest.mark.proves("TEXT-stream-is-json")
@given(
    st.lists(pieces, max_size=4),
    st.integers(1, 5),
    st.lists(texts.filter(bool), max_size=2),
    st.booleans(),
    st.sampled_from(["completed", "incomplete"]),
)
def test_any_answer_is_the_same_in_both_forms(
    made: list[Callable[[int], Json]], size: int, stop: list[str], echo: bool, status: str
) -> None:
    shape = response(*(make(index) for index, make in enumerate(made)), status=status)
    whole = said(exchange(stop=stop, echo=echo), shape)
    told = streamed(exchange(stream=True, stop=stop, echo=echo), events_of(shape, size))
    assert (told.texts, told.finish) == ({0: whole["text"]}, {0: whole["finish_reason"]})
