"""Streams with the defects that upstreams really have, and streams that fail (translation §3.4, §3.6)."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.frames import Frame
from gateway.dialects import Choices
from gateway.errors import StreamTruncated
from tests.pure.chat_frames import (
    ARGUMENTS,
    START,
    added,
    asking,
    call,
    delta,
    done,
    frames,
    function_call,
    item_events,
    message,
    response,
    terminal,
    told,
)
from tests.pure.chat_invariants import fold

Json = dict[str, Any]


@pytest.mark.proves("CASE-56")
def test_the_embedded_status_decides_not_the_event_s_name() -> None:
    final = response(message("Hi"), status="incomplete", incomplete_details={"reason": "max_tokens"})
    assert told(START, {"type": "response.completed", "response": final}).finish == "length"
    failed = response(status="failed", error={"code": "server_error", "message": "m"})
    assert told(START, {"type": "response.completed", "response": failed}).error is not None
    silent = {key: value for key, value in response(message("Hi")).items() if key != "status"}
    assert told(START, {"type": "response.incomplete", "response": silent}).finish == "length"
    assert told(START, {"type": "response.done", "response": silent}).finish == "stop"
    assert told(START, {"type": "response.completed"}).finish == "stop"


@pytest.mark.proves("CASE-73")
def test_calls_left_open_are_written_at_the_end() -> None:
    folded = told(
        START,
        added(0, call(arguments="")),
        added(1, call(call_id="call_b", arguments="")),
        delta(1, "[2]", ARGUMENTS),
        delta(0, "[1]", ARGUMENTS),
        terminal(response(status="incomplete")),
    )
    assert folded.calls == [function_call("get", "[1]"), function_call("get", "[2]", "call_b")]


@pytest.mark.proves("CASE-74", "CASE-89")
@pytest.mark.parametrize("start", [[], [added(0, {**call(), "name": "", "arguments": ""})]], ids=["never", "nameless"])
def test_a_call_told_only_at_its_end_is_whole(start: list[Json]) -> None:
    folded = told(START, *start, done(0, call(arguments='{"k":1}')), terminal(response()))
    assert folded.calls == [function_call("get", '{"k":1}')]
    assert len(folded.chunks) == 4


@pytest.mark.proves("CASE-89")
def test_arguments_wait_for_a_name_that_comes_late() -> None:
    nameless = {**call(), "name": None, "arguments": ""}
    events = [added(0, nameless), delta(0, '{"k"', ARGUMENTS), delta(0, ":1}", ARGUMENTS)]
    folded = told(START, *events, done(0, call(arguments='{"k":1}')), terminal(response()))
    assert folded.calls == [function_call("get", '{"k":1}')]


def test_a_call_that_never_gets_a_name_or_an_id_is_still_told() -> None:
    folded = told(START, delta(0, "[1]", ARGUMENTS), terminal(response()))
    assert folded.calls == [function_call("", "[1]", "call_resp_1_0")]


@pytest.mark.proves("CASE-75")
def test_deltas_and_then_the_whole_text_are_told_once() -> None:
    item = call(arguments='{"k":1}')
    finished = {"type": f"response.{ARGUMENTS}.done", "output_index": 0, "arguments": '{"k":1}'}
    late = [delta(0, "late", ARGUMENTS), {**finished, "arguments": '{"k":1}late'}, done(0, item)]
    early = [added(0, {**item, "arguments": ""}), delta(0, '{"k"', ARGUMENTS), finished, done(0, item)]
    assert told(START, *early, *late, terminal(response(item))).calls == [function_call("get", '{"k":1}')]


def test_arguments_that_come_with_the_start_count_as_deltas() -> None:
    item = call(arguments='{"k":1}')
    assert told(START, added(0, item), added(0, item), done(0, item), terminal(response(item))).calls == [
        function_call("get", '{"k":1}')
    ]


def test_a_whole_text_that_contradicts_its_deltas_is_ignored() -> None:
    item = call(arguments="[2]")
    folded = told(START, added(0, {**item, "arguments": ""}), delta(0, "[1]", ARGUMENTS), done(0, item),
                  delta(1, "one"), done(1, message("two")), terminal(response(item, message("two"))))  # fmt: skip
    assert (folded.calls, folded.content) == ([function_call("get", "[1]")], "one")


def test_the_terminal_finds_items_by_id_before_place() -> None:
    item = message("Hi", index=7)
    assert told(START, *item_events(1, item), terminal(response(item, "junk"))).content == "Hi"  # type: ignore[arg-type]


@pytest.mark.proves("CASE-83")
@pytest.mark.parametrize("cut", ["eof", "end-mark"])
def test_a_stream_that_ends_early_never_looks_complete(cut: str) -> None:
    encoder = asking().stream_encoder(5)
    seen = encoder.feed(frames([START, added(0, message()), delta(0, "Hi")]))
    if cut == "eof":
        seen += encoder.fail(StreamTruncated("cut"))
    else:
        seen += encoder.feed([Frame(b"data: [DONE]\n\n", b"[DONE]", "")])
    folded = fold(seen.decode())
    assert folded.content == "Hi"
    assert folded.error is not None
    assert folded.error["code"] == "upstream_stream_truncated"
    assert encoder.finished
    assert encoder.feed(frames([delta(0, "more")])) == b""
    assert encoder.fail(StreamTruncated("again")) == b""


@pytest.mark.proves("CASE-85", "CHAT-stream-errors")
@pytest.mark.parametrize(
    ("event", "error"),
    [
        (
            terminal(response(status="failed", error={"code": "rate_limit_exceeded", "message": "slow"})),
            {"message": "slow", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"},
        ),
        (
            {"type": "error", "error": {"type": "tokens", "code": "rate_limit_x", "message": "m", "param": "input"}},
            {"message": "m", "type": "tokens", "param": None, "code": "rate_limit_x"},
        ),
        (
            {"type": "error", "code": "context_length_exceeded", "message": "long", "param": None},
            {"message": "long", "type": "invalid_request_error", "param": None, "code": "context_length_exceeded"},
        ),
        (
            {"type": "error", "error": "text"},
            {"message": "text", "type": "gateway_error", "param": None, "code": "upstream_error"},
        ),
        (
            terminal(response(status="failed", error={"code": 429, "message": "m"})),
            {"message": "m", "type": "gateway_error", "param": None, "code": "429"},
        ),
    ],
    ids=["failed", "nested", "flat", "text", "number"],
)
def test_a_failure_after_text_is_an_error_frame_and_the_end(event: Json, error: Json) -> None:
    folded = told(START, delta(0, "Hi"), event, delta(0, "late"))
    assert (folded.content, folded.error) == ("Hi", error)


def test_a_failure_never_names_the_gateway_s_credentials() -> None:
    error = {"code": "invalid_api_key", "message": "Incorrect API key provided: sk-abc"}
    folded = told(START, terminal(response(status="failed", error=error)))
    assert folded.error is not None
    assert folded.error["code"] == "upstream_auth"
    assert "sk-abc" not in folded.error["message"]


@pytest.mark.proves("CASE-83")
def test_a_cut_that_the_repair_reports_has_the_chat_word_for_it() -> None:
    error = {"type": "gateway_error", "code": "stream_incomplete", "message": "cut", "param": None}
    assert told(START, {**error, "type": "error", "error": error}).error == {
        **error,
        "code": "upstream_stream_truncated",
    }


def test_a_failure_without_a_reason_is_an_error_all_the_same() -> None:
    folded = told(START, terminal(response(status="failed", error=None)))
    assert folded.error is not None
    assert folded.error["message"]


def test_a_cancelled_response_is_an_error() -> None:
    final = response(message("Hi"), status="cancelled", error=None)
    folded = told(START, {"type": "response.completed", "response": final})
    assert folded.error is not None
    assert (folded.error["code"], folded.error["type"]) == ("response_cancelled", "invalid_request_error")


@pytest.mark.proves("CASE-87")
def test_events_that_say_nothing_to_a_chat_client_are_never_parsed() -> None:
    silent = ["keepalive", "codex.rate_limits", "response.metadata", "response.web_search_call.searching",
              "response.content_part.added", "response.image_generation_call.partial_image", "vendor.new"]  # fmt: skip
    encoder = asking().stream_encoder(5)
    unreadable = [Frame(b"", b'{"type":"%b", cut' % name.encode(), name) for name in silent]
    assert encoder.feed([*frames([START]), *unreadable]) == b""
    assert fold(encoder.feed(frames([delta(0, "Hi"), terminal(response())])).decode()).content == "Hi"


@pytest.mark.proves("CASE-88")
def test_an_item_whose_id_changes_is_one_item() -> None:
    item = call(arguments='{"k":1}')
    events = [added(0, {**item, "id": "fc_1", "arguments": ""}), delta(0, '{"k"', ARGUMENTS, item_id="fc_2")]
    folded = told(START, *events, done(0, {**item, "id": "fc_3"}), terminal(response({**item, "id": "fc_4"})))
    assert folded.calls == [function_call("get", '{"k":1}')]


def test_events_without_an_index_are_found_by_their_item() -> None:
    first, second = call(call_id="call_a", arguments=""), call(call_id="call_b", arguments="")
    lone = {"type": f"response.{ARGUMENTS}.delta", "item_id": "fc_call_b", "delta": "[2]"}
    folded = told(START, added(0, first), added(1, second), lone, done(0, first), done(1, second), terminal(response()))
    assert [entry["function"]["arguments"] for entry in folded.calls] == ["{}", "[2]"]


@pytest.mark.proves("CASE-91")
def test_an_unreadable_lifecycle_event_is_skipped() -> None:
    encoder = asking().stream_encoder(5)
    cut = Frame(b"", b'{"type":"response.created","response":{"inst', "response.created")
    folded = fold(encoder.feed([cut, *frames([delta(0, "Hi"), terminal(response())])]).decode())
    assert (folded.content, folded.finish) == ("Hi", "stop")


@pytest.mark.proves("CASE-91")
@pytest.mark.parametrize(
    ("name", "finish", "code"),
    [
        ("response.completed", "stop", None),
        ("response.incomplete", "length", None),
        ("response.failed", None, "upstream_error"),
        ("response.output_text.delta", None, "upstream_bad_event"),
        ("error", None, "upstream_bad_event"),
    ],
)
def test_an_unreadable_event_ends_the_stream_as_its_name_says(name: str, finish: str | None, code: str | None) -> None:
    encoder = asking().stream_encoder(5)
    seen = encoder.feed([*frames([START, delta(0, "Hi")]), Frame(b"", b'{"cut', name)])
    folded = fold(seen.decode())
    assert (folded.content, folded.finish) == ("Hi", finish)
    assert (folded.error or {"code": None})["code"] == code


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.created"},
        {"type": "response.output_item.added", "item": None},
        {"type": "response.output_item.done"},
        {"type": "response.content_part.done", "part": 5},
        {"type": "response.output_text.delta", "delta": None},
        {"type": "response.output_text.done", "text": None},
        {"type": "response.refusal.delta"},
        {"type": "response.reasoning_text.delta", "delta": 5},
        {"type": "response.function_call_arguments.delta"},
        {"type": "response.output_text.annotation.added", "annotation": "x"},
        {"type": "response.reasoning_summary_part.done", "part": {}},
    ],
    ids=lambda event: event["type"],
)
def test_an_event_without_its_substance_says_nothing(event: Json) -> None:
    assert told(START, event, terminal(response(message("Hi")))).content == "Hi"


def test_texts_that_come_after_their_end_are_not_told() -> None:
    text = {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Hi"}
    thought = {"type": "response.reasoning_text.done", "output_index": 1, "content_index": 0, "text": "hm"}
    events = [text, delta(0, " again"), thought, delta(1, " more", "reasoning_text"), {**text, "text": "Hi again"}]
    assert told(START, *events, terminal(response())).texts == {"content": "Hi", "reasoning_content": "hm"}


def test_hidden_reasoning_is_never_parsed() -> None:
    encoder = asking(Choices(reasoning="hide")).stream_encoder(5)
    unreadable = Frame(b"", b'{"cut', "response.reasoning_text.delta")
    part = {"type": "response.content_part.done", "output_index": 0, "part": {"type": "reasoning_text", "text": "x"}}
    assert encoder.feed([*frames([START, part]), unreadable]) == b""


def test_a_stream_that_tells_no_id_or_time_has_them_all_the_same() -> None:
    folded = told(delta(0, "Hi"), terminal({"status": "completed"}))
    assert folded.chunks[0]["id"].startswith("chatcmpl-")
    assert (folded.chunks[0]["created"], folded.chunks[0]["model"]) == (5, "m")
