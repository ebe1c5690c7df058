"""The native relay: bytes through, watched for usage, errors and the end (design §2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.frames import Frame
from gateway.dialects.chat import DIALECT
from gateway.dialects.relay import ChunkRelay, edits
from gateway.errors import StreamTruncated
from tests.pure.chat_invariants import payloads

Json = dict[str, Any]
TEXT = {"choices": [{"index": 0, "delta": {"content": 'say "usage": 1 and "error": 2'}, "finish_reason": None}]}
LAST = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 1}}
DONE = Frame(b"data: [DONE]\n\n", b"[DONE]", "")


def sent(document: Any, *, spaced: bool = False) -> Frame:
    text = json.dumps(document, separators=(", ", ": ") if spaced else (",", ":")).encode()
    return Frame(b"data:" + text + b"\r\n\r\n", text, "")


def raw(*all_frames: Frame) -> bytes:
    return b"".join(frame.raw for frame in all_frames)


@pytest.mark.proves("CHAT-relay")
@pytest.mark.parametrize("spaced", [False, True], ids=["tight", "spaced"])
def test_bytes_pass_and_the_usage_is_remembered(spaced: bool) -> None:
    whole = [sent(document, spaced=spaced) for document in (TEXT, {**LAST, "usage": None}, USAGE)]
    relay = ChunkRelay(include_usage=True)
    assert relay.feed([*whole, DONE, sent(TEXT)]) == raw(*whole, DONE)
    assert (relay.usage, relay.finished, relay.finish()) == ({"prompt_tokens": 1}, True, b"")


@pytest.mark.proves("CHAT-relay")
def test_only_the_usage_chunk_that_the_gateway_asked_for_is_taken_out() -> None:
    whole = [sent(TEXT), sent({**LAST, "usage": {"prompt_tokens": 5}})]
    relay = ChunkRelay(include_usage=False)
    assert relay.feed([*whole, sent(USAGE), DONE]) == raw(*whole, DONE)
    assert relay.usage == {"prompt_tokens": 1}


@pytest.mark.proves("CHAT-relay-end")
def test_a_missing_end_mark_is_added_after_a_whole_answer() -> None:
    relay = ChunkRelay(include_usage=False)
    assert relay.feed([sent(TEXT), sent(LAST)]) == raw(sent(TEXT), sent(LAST))
    assert relay.finish() == b"data: [DONE]\n\n"
    assert relay.finish() == b""


@pytest.mark.proves("CHAT-relay-end", "CASE-83")
def test_a_cut_stream_ends_in_an_error() -> None:
    relay = ChunkRelay(include_usage=False)
    relay.feed([sent(TEXT)])
    error, end = payloads(relay.finish().decode())
    assert (json.loads(error)["error"]["code"], end) == ("upstream_stream_truncated", "[DONE]")
    assert relay.error == json.loads(error)["error"]
    assert relay.fail(StreamTruncated("again")) == b""


@pytest.mark.proves("CHAT-relay-end")
def test_of_several_answers_each_must_have_ended() -> None:
    relayed = DIALECT.relay({"model": "a", "messages": [], "n": 2, "stream": True}, None)
    assert relayed is not None and relayed.relay is not None
    relayed.relay.feed([sent(TEXT), sent(LAST)])
    error, _ = payloads(relayed.relay.finish().decode())
    assert json.loads(error)["error"]["code"] == "upstream_stream_truncated"


@pytest.mark.proves("CHAT-relay-errors")
def test_an_error_in_the_stream_passes_and_ends_it() -> None:
    failed = sent({"error": {"message": "m", "code": "x"}})
    relay = ChunkRelay(include_usage=False)
    assert relay.feed([sent(TEXT), failed, sent(LAST)]) == raw(sent(TEXT), failed, DONE)
    assert (relay.error, relay.finished, relay.finish()) == ({"message": "m", "code": "x"}, True, b"")


@pytest.mark.proves("CHAT-relay-errors")
def test_an_error_that_is_only_text_becomes_an_object() -> None:
    error, end = payloads(ChunkRelay(include_usage=False).feed([sent({"error": "boom"})]).decode())
    assert json.loads(error)["error"] == {
        "message": "boom",
        "type": "server_error",
        "param": None,
        "code": "upstream_error",
    }
    assert end == "[DONE]"


@pytest.mark.parametrize("payload", [b'{"error":null}', b'"error"', b'{"usage":5}', b'{"usage"', b"junk"], ids=repr)
def test_what_only_looks_like_news_passes(payload: bytes) -> None:
    frame = Frame(b"data: " + payload + b"\n\n", payload, "")
    relay = ChunkRelay(include_usage=False)
    assert relay.feed([frame]) == frame.raw
    assert (relay.usage, relay.error, relay.finished) == (None, None, False)


def test_texts_are_never_parsed() -> None:
    """A frame that cannot be parsed passes as long as its bytes name neither usage nor an error."""
    frame = Frame(b"data: x\n\n", b'{"choices":[{"delta":{"content":"\\"usage\\":{}, \\"error\\":1', "")
    assert ChunkRelay(include_usage=False).feed([frame]) == b"data: x\n\n"


@pytest.mark.proves("CHAT-relay-prepare")
@pytest.mark.parametrize(
    ("document", "model", "edited"),
    [
        ({"model": "a"}, None, {}),
        ({"model": "a"}, "a", {}),
        ({"model": "a"}, "b", {"model": "b"}),
        ({"model": "a", "stream": False}, None, {}),
        ({"model": "a", "stream": True}, None, {"stream_options": {"include_usage": True}}),
        ({"stream": True, "stream_options": None}, None, {"stream_options": {"include_usage": True}}),
        ({"stream": True, "stream_options": {"include_usage": True}}, None, {}),
        (
            {"stream": True, "stream_options": {"include_usage": False, "x": 1}},
            "b",
            {"model": "b", "stream_options": {"include_usage": True, "x": 1}},
        ),
    ],
    ids=repr,
)
def test_a_body_is_edited_only_where_it_must_be(document: Json, model: str | None, edited: Json) -> None:
    before = repr(document)
    assert edits(document, model=model) == edited
    assert repr(document) == before


@pytest.mark.proves("CHAT-relay-prepare", "CASE-79")
@pytest.mark.parametrize(
    ("fields", "edited", "shown"),
    [
        ({}, {}, True),
        ({"stream": True}, {"stream_options": {"include_usage": True}}, False),
        ({"stream": True, "stream_options": {"include_usage": True}}, {}, True),
    ],
    ids=["json", "stream", "usage"],
)
def test_a_chat_body_goes_to_a_chat_server_as_it_is(fields: Json, edited: Json, shown: bool) -> None:
    document = {"model": "a", "messages": [{"role": "user", "content": "hi"}], "vendor": 1, **fields}
    relayed = DIALECT.relay(document, None)
    assert relayed is not None
    assert (relayed.body, relayed.edits) == (None, edited)
    assert relayed.relay is not None
    seen = relayed.relay.feed([sent(USAGE)])
    assert bool(seen) == (shown and "stream" in fields)


@pytest.mark.parametrize(
    "document", [{"model": "a", "input": "hi"}, {"messages": []}, {"model": 5, "messages": []}], ids=str
)
def test_a_body_that_is_no_chat_request_is_translated_or_refused(document: Json) -> None:
    assert DIALECT.relay(document, None) is None


def told(relay: ChunkRelay, *frames: Frame) -> Json:
    """The error that came out last, before the end mark."""
    out = relay.feed(list(frames)).removesuffix(b"data: [DONE]\n\n")
    made: Json = json.loads(out[out.rindex(b"data: ") + 6 :])["error"]
    return made


@pytest.mark.proves("CHAT-relay-end")
def test_an_end_mark_is_not_believed_when_nothing_came_or_an_answer_is_open() -> None:
    assert told(ChunkRelay(include_usage=False), DONE)["code"] == "upstream_stream_truncated"
    second = {"choices": [{"index": 1, "delta": {"content": "x"}}]}
    assert told(ChunkRelay(include_usage=False, choices=2), sent(TEXT), sent(second), sent(LAST), DONE)
    relay = ChunkRelay(include_usage=False)
    assert relay.feed([sent(TEXT), DONE]) == raw(sent(TEXT), DONE)  # a server that tells no finish reasons


@pytest.mark.proves("CHAT-relay-errors")
@pytest.mark.parametrize(
    "frame",
    [
        sent({"object": "error", "message": "oom", "code": 400}),
        Frame(b'event: error\ndata: {"message":"oom"}\n\n', b'{"message":"oom"}', "error"),
        sent({"error": "oom"}),
    ],
)
def test_an_error_in_another_form_is_put_into_the_one_that_sdks_raise_on(frame: Frame) -> None:
    relay = ChunkRelay(include_usage=False)
    assert told(relay, sent(TEXT), frame)["message"] == "oom"
    assert relay.finished


def test_an_error_event_that_nobody_can_read_is_one_all_the_same() -> None:
    frame = Frame(b"event: error\ndata: boom\n\n", b"boom", "error")
    assert told(ChunkRelay(include_usage=False), frame)["message"] == "The upstream reported an error."


@pytest.mark.proves("CHAT-relay-output")
@pytest.mark.parametrize(
    ("document", "shows"),
    [
        ({"choices": [{"delta": {"role": "assistant", "content": "", "tool_calls": None}}]}, False),
        ({"choices": [{"delta": {"role": "assistant"}}]}, False),
        ({"choices": [], "prompt_filter_results": []}, False),
        ({"id": "x"}, False),
        ({"choices": [{"delta": {"content": "H"}}]}, True),
        ({"choices": [{"delta": {"tool_calls": [{}]}}]}, True),
        ({"choices": [{"delta": {"content": ""}, "finish_reason": "stop"}]}, True),
        ({"choices": [{"text": "H"}]}, True),
        ({"choices": ["odd"]}, True),
        ({"choices": [{}]}, True),
    ],
)
def test_the_bare_beginning_of_an_answer_shows_nothing_yet(document: Json, shows: bool) -> None:
    assert ChunkRelay(include_usage=False).shows_output(sent(document)) is shows


def test_an_end_mark_is_all_the_output_there_will_be() -> None:
    assert ChunkRelay(include_usage=False).shows_output(DONE)
