"""How a stream that fails is sent on: closed, told, and never complete; and how much of it is kept meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.failures import failure
from gateway.core.frames import Frame
from gateway.errors import StreamTruncated, UpstreamTimeout
from tests.pure.invariants import check_response_stream, read
from tests.pure.streams import CORPUS, event, output, play, repair, texts, types

Json = dict[str, Any]


@pytest.mark.proves("CASE-109", "CASE-83", "FAIL-6")
@pytest.mark.parametrize("trusted", [True, False])
def test_a_cut_stream_ends_as_failed_with_what_was_there(trusted: bool) -> None:
    machine, frames = play(CORPUS["codex-cut"], trusted=trusted)
    assert types(frames)[-5:] == ["output_text.done", "content_part.done", "output_item.done", "error", "failed"]
    told = frames[-2].data
    assert {name: told[name] for name in ("type", "code", "message", "param")} == {
        "type": "error",
        "code": "stream_incomplete",
        "message": "The stream was cut.",
        "param": None,
    }
    assert told["error"] == {
        "type": "gateway_error",
        "code": "stream_incomplete",
        "message": "The stream was cut.",
        "param": None,
    }
    response = frames[-1].data["response"]
    assert response["error"] == {"code": "stream_incomplete", "message": "The stream was cut."}
    assert (response["status"], response["output"][0]["status"]) == ("failed", "incomplete")
    assert machine.abort(StreamTruncated("again")) == []


def test_another_failure_of_ours_keeps_its_code() -> None:
    machine = repair()
    frames = machine.abort(UpstreamTimeout("The upstream was silent."))
    check_response_stream(frames)
    assert frames[-1].data["response"]["error"]["code"] == "upstream_timeout"


def test_an_end_mark_is_not_a_terminal_event() -> None:
    _, frames = play(CORPUS["compat-done-mark-without-terminal"])
    assert frames[-1].type == "response.failed"


@pytest.mark.proves("CASE-85")
def test_a_failure_after_text_keeps_the_text_and_is_relayed_alone() -> None:
    machine, frames = play(CORPUS["openai-failed-after-text"])
    assert "error" not in types(frames)
    assert (frames[-1].type, texts(output(frames))) == ("response.failed", ["Half a"])
    assert machine.error is not None
    assert machine.error["code"] == "server_error"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("openai-error-then-failed", "insufficient_quota"),
        ("openai-vague-error-then-failed", "rate_limit_exceeded"),
        ("compat-flat-error", "context_length_exceeded"),
        ("compat-bare-error", "429"),
    ],
)
def test_an_error_event_and_the_failure_after_it_are_one_error(name: str, code: str) -> None:
    machine, frames = play(CORPUS[name])
    assert types(frames)[-2:] == ["error", "failed"]
    assert machine.error is not None
    assert (frames[-2].data["error"]["code"], machine.error["code"]) == (code, code)


def test_a_vague_error_is_told_when_nothing_follows_it() -> None:
    source = read(CORPUS["openai-vague-error-then-failed"])[:-1]
    _, frames = play(source)
    check_response_stream(frames)
    assert frames[-1].data["response"]["error"] == {"code": "server_error", "message": "Something went wrong."}


@pytest.mark.proves("FAIL-22")
def test_an_overload_inside_a_stream_is_recognised() -> None:
    machine, _frames = play(CORPUS["codex-overloaded"], trusted=True)
    error = failure(machine.error)
    assert (error.status, error.code, error.retryable) == (503, "server_is_overloaded", True)


def test_a_failure_without_a_reason_gets_one() -> None:
    _, frames = play([event("response.failed", 0, response={"error": None})])
    assert frames[-1].data["response"]["error"]["code"] == "server_error"


@pytest.mark.proves("RESPONSES-bounded")
@pytest.mark.parametrize("trusted", [True, False])
def test_text_of_open_items_is_bounded(trusted: bool) -> None:
    source = read(CORPUS["openai-text"])
    machine = repair(trusted=trusted, open_item_bytes=2000)
    frames = machine.feed(source[:4])
    number = 4
    while not machine.finished:
        data = {**source[4].data, "sequence_number": number, "delta": "x" * 100}
        frames += machine.feed(read(Frame.of(data).raw))
        number += 1
    assert 20 < number < 40
    check_response_stream(frames)
    assert "2000 bytes" in frames[-1].data["response"]["error"]["message"]


def test_a_long_item_of_small_deltas_is_read_once_it_waits_too_long() -> None:
    source = read(CORPUS["openai-text"])
    machine = repair(trusted=True, open_item_bytes=2000)
    frames = machine.feed(source[:4])
    frames += machine.feed(event("response.output_text.delta", n, **_at(source[4]), delta="ab") for n in range(4, 104))
    frames += machine.abort(StreamTruncated("cut"))
    check_response_stream(frames)
    assert texts(output(frames)) == ["ab" * 100]


def _at(frame: Frame) -> Json:
    return {name: frame.data[name] for name in ("item_id", "output_index", "content_index", "logprobs")}
