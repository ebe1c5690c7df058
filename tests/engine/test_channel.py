"""The way of frames to a client: early failures, silence, and the end."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.frames import Frame, KnownFrame
from gateway.core.repair import Repair
from gateway.dialects import Bundle, Choices, Dialect, chat, responses
from gateway.engine.channel import NativeChannel, TranslatedChannel, early_failure
from gateway.errors import GatewayError, UpstreamError
from gateway.wire.sse import SSEReader
from tests.pure.invariants import check_response_stream

Json = dict[str, Any]

CREATED = {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "output": []}}
ADDED = {
    "type": "response.output_item.added",
    "sequence_number": 1,
    "output_index": 0,
    "item": {"id": "rs_1", "type": "reasoning", "summary": []},
}
DONE = {
    "type": "response.output_item.done",
    "sequence_number": 2,
    "output_index": 0,
    "item": {"id": "rs_1", "type": "reasoning", "summary": []},
}
COMPLETED = {
    "type": "response.completed",
    "sequence_number": 3,
    "response": {"id": "resp_1", "status": "completed", "output": [], "usage": None},
}


def frames(*events: Json) -> list[Frame]:
    return SSEReader(1 << 20).feed(b"".join(Frame.of(event).raw for event in events))


def channel(dialect: Dialect, body: Json) -> TranslatedChannel:
    exchange = dialect.decode({"model": "m", "stream": True, **body}, Choices())
    assert not isinstance(exchange, Bundle)
    repair = Repair("seed", created=1, model="m", trusted=True, open_item_bytes=1 << 20)
    return TranslatedChannel(repair, exchange.stream_encoder(1), now=0.0)


@pytest.mark.proves("ENGINE-progress")
def test_two_minutes_of_silence_repeat_the_progress_event_and_the_numbers_stay_whole() -> None:
    way = channel(responses.DIALECT, {"input": "x"})
    sent = way.feed(frames(CREATED, ADDED))
    assert way.keep_alive(15.0) == b": keep-alive\n\n"
    again = way.keep_alive(120.0)
    assert again.startswith(b": keep-alive\n\nevent: response.in_progress\n")
    assert way.keep_alive(135.0) == b": keep-alive\n\n"
    once_more = way.keep_alive(241.0)
    assert b"response.in_progress" in once_more
    sent += again + once_more + way.feed(frames(DONE, COMPLETED))
    assert way.finished and way.ended
    check_response_stream(sent, done_mark=True)


@pytest.mark.proves("ENGINE-progress")
def test_chat_clients_get_comments_only() -> None:
    way = channel(chat.DIALECT, {"messages": [{"role": "user", "content": "x"}]})
    way.feed(frames(CREATED, ADDED))
    assert way.keep_alive(500.0) == b": keep-alive\n\n"


@pytest.mark.parametrize(
    ("frame", "status", "code"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "slow"}, 429, "rate_limit_exceeded"),
        ({"type": "error", "error": {"code": "server_is_overloaded", "message": "busy"}}, 503, "server_is_overloaded"),
        (
            {"type": "response.failed", "response": {"error": {"code": "context_length_exceeded", "message": "long"}}},
            400,
            "context_length_exceeded",
        ),
        (
            {
                "type": "response.completed",
                "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}},
            },
            429,
            "rate_limit_exceeded",
        ),
    ],
    ids=["flat error", "nested error", "failed response", "failed under another name"],
)
@pytest.mark.proves("ENGINE-early")
def test_a_failure_that_comes_first_becomes_an_http_error(frame: Json, status: int, code: str) -> None:
    error = early_failure(frames(frame)[0], now=0.0)
    assert isinstance(error, GatewayError)
    assert (error.status, error.code) == (status, code)


@pytest.mark.proves("ENGINE-early")
def test_a_failure_cut_by_a_proxy_is_still_a_failure() -> None:
    cut = KnownFrame(b'event: response.failed\ndata: {"type":"response.failed","respo\n\n', 23, "response.failed")
    assert isinstance(early_failure(cut, now=0.0), UpstreamError)


def test_a_terminal_frame_that_tells_no_failure_is_none() -> None:
    assert early_failure(frames(COMPLETED)[0], now=0.0) is None
    cut = KnownFrame(b'event: response.completed\ndata: {"type":"response.comp\n\n', 26, "response.completed")
    assert early_failure(cut, now=0.0) is None


def test_an_error_chunk_ends_a_native_stream() -> None:
    relayed = chat.DIALECT.relay({"model": "m", "messages": [], "stream": True}, None)
    assert relayed is not None and relayed.relay is not None
    way = NativeChannel(relayed.relay, now=0.0)
    chunk = b'data: {"error":{"message":"busy","type":"server_error","param":null,"code":null}}\n\n'
    assert way.feed(SSEReader(1 << 20).feed(chunk)) == chunk + b"data: [DONE]\n\n"
    assert way.finished


def test_an_end_mark_instead_of_an_answer_is_a_cut_stream() -> None:
    (mark,) = SSEReader(1 << 20).feed(b"data: [DONE]\n\n")
    error = early_failure(mark, now=0.0)
    assert error is not None
    assert error.code == "upstream_stream_truncated"


def test_a_native_stream_is_over_with_its_end_mark() -> None:
    relayed = chat.DIALECT.relay({"model": "m", "messages": [], "stream": True}, None)
    assert relayed is not None and relayed.relay is not None
    way = NativeChannel(relayed.relay, now=0.0)
    reader = SSEReader(1 << 20)
    chunk = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"total_tokens":3}}\n\n'
    assert way.feed(reader.feed(chunk)) == chunk
    assert (way.finished, way.usage) == (False, {"total_tokens": 3})
    assert way.feed(reader.feed(b"data: [DONE]\n\n")) == b"data: [DONE]\n\n"
    assert way.finished and way.ended
    assert way.end() == b""
