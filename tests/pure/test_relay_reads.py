"""A chat stream that passes as it is: whole reads searched at once must be what reading every event would give."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import json
from gateway.core.frames import Frame
from gateway.core.redact import Redaction
from gateway.dialects.relay import ChunkRelay, _shared
from gateway.errors import UpstreamError
from gateway.wire.sse import END, SSEReader, frames, plain

Json = dict[str, Any]
State = tuple[bytes, Json | None, Json | None, bool]
Pass = Callable[[ChunkRelay, bytes], bytes]

SECRET = "sk-very-secret-key-1"
REDACTION = Redaction([SECRET])

CORPUS = {
    f"{path.parent.name}-{path.stem}": path.read_bytes()
    for folder in ("chat", "chat_servers")
    for path in sorted((Path(__file__).parent.parent / "corpus" / folder).glob("*.sse"))
}


def read(events: bytes) -> Sequence[Frame]:
    return REDACTION.frames(frames(events))


def no_reading(events: bytes) -> Sequence[Frame]:
    pytest.fail(f"read: {events!r}")


def at_once(relay: ChunkRelay, events: bytes) -> bytes:
    return relay.pass_on(events, read)


def one_by_one(relay: ChunkRelay, events: bytes) -> bytes:
    return relay.feed(read(events))


def played(way: Pass, chunks: Sequence[bytes], *, limit: int, choices: int, include_usage: bool) -> list[State | str]:
    """What the client has been sent, and what is known, after each read and after the end."""
    reader, relay = SSEReader(limit), ChunkRelay(include_usage=include_usage, choices=choices)
    states: list[State | str] = []
    for chunk in (*chunks, None):
        try:
            sent = way(relay, reader.rest() if chunk is None else reader.whole(chunk))
        except UpstreamError as error:
            states.append(error.message)
            sent = relay.fail(error)
        if chunk is None:
            sent += relay.finish()
        states.append((sent, relay.usage, relay.error, relay.finished))
    return states


def check(chunks: Sequence[bytes], *, limit: int = 1 << 20, choices: int = 1, include_usage: bool = False) -> bytes:
    """All that the client is sent."""
    want = played(one_by_one, chunks, limit=limit, choices=choices, include_usage=include_usage)
    assert played(at_once, chunks, limit=limit, choices=choices, include_usage=include_usage) == want
    return b"".join(state[0] for state in want if isinstance(state, tuple))


def event(document: Any) -> bytes:
    return b"data: " + json.dumps(document) + b"\n\n"


def delta(text: str, index: int = 0, reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": reason}
    return event({"id": "chatcmpl-1", "choices": [choice], **more})


COUNTS = {"prompt_tokens": 5}
EVENTS = [
    delta("Hello"),
    delta('he says "error" and "usage":{} and "finish_reason":"stop"'),
    delta("x", usage=None),
    delta("x", index=1),
    delta("x", usage=None).replace(b'":', b'": '),
    delta("", reason="stop"),
    delta("", index=1, reason="length").replace(b'":', b'": '),
    delta("", reason="stop", usage=COUNTS),
    delta("x", usage=COUNTS),
    event({"choices": [], "usage": COUNTS}),
    event({"choices": [], "usage": {"prompt_tokens": 6}}).replace(b'":', b'" : '),
    event({"choices": [{"a": {"usage": {"b": 1}, "c": {"usage": None}}}]}),
    event({"choices": [{"a": {"usage": None}}], "usage": COUNTS}),
    event({"choices": [], "usage": COUNTS, "a": {"usage": None}}),
    event({"usage": COUNTS}),
    event({"choices": None, "usage": COUNTS}),
    event({"object": "error", "message": f"bad {SECRET}"}),
    event({"error": {"message": f"key {SECRET} of a@example.com", "code": "x"}}),
    event({"error": f"boom {SECRET}"}),
    event({"choices": [], "error": None}),
    b'event: error\ndata: {"message":"boom"}\n\n',
    b'event: chunk\ndata: {"choices":[]}\n\n',
    b"data:" + delta("no space").removeprefix(b"data: "),
    b"id: 7\n" + delta("an id"),
    b": OPENROUTER PROCESSING\n\n",
    b"retry: 10\n\n",
    b": with data\n" + delta("a comment"),
    b'data: {"choices":\ndata: []}\n\n',
    b"data: {\n\n",
    b"data: junk\n\n",
    b"data: |\n\n",
    b'data: {broken "usage" and "error" and "finish_reason":"\n\n',
    b"data:\n\n",
    b"data: {}",
    b"\n",
    b"\n\n",
    b"\r",
    b"\xef\xbb\xbf",
    END,
    b"data: [DONE]\ndata: x\n\n",
    b"x" + END,
    b'data: {"long":"' + b"x" * 400 + b'"}\n\n',
]
STREAMS = st.lists(
    st.sampled_from(EVENTS) | st.sampled_from(EVENTS[:6]) | st.text(max_size=20).map(delta), max_size=14
).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(
    stream=STREAMS,
    line_end=st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"]),
    left_out=st.integers(0, 30),
    cuts=st.lists(st.integers(0, 2500), max_size=8),
    limit=st.sampled_from([1 << 20, 300, 90]),
    choices=st.integers(1, 2),
    include_usage=st.booleans(),
)
@pytest.mark.proves("CHAT-relay-reads")
def test_any_stream_in_any_reads_is_relayed_as_if_each_event_had_been_read(
    *, stream: bytes, line_end: bytes, left_out: int, cuts: list[int], limit: int, choices: int, include_usage: bool
) -> None:
    stream = stream.replace(b"\n", line_end)
    stream = stream[: len(stream) - left_out]
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for chunks in (
        [stream],
        [stream[start:end] for start, end in pairwise(places)],
        [stream[at : at + 1] for at in range(len(stream))],
    ):
        check(chunks, limit=limit, choices=choices, include_usage=include_usage)


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.proves("CHAT-relay-reads")
def test_every_recorded_chat_stream_cut_anywhere_is_relayed_as_if_each_event_had_been_read(name: str) -> None:
    source = CORPUS[name]
    whole = check([source], include_usage=True)
    assert whole.endswith(END)
    for size in (1, 7):
        assert check([source[at : at + size] for at in range(0, len(source), size)], include_usage=True) == whole
    for cut in range(len(source)):
        check([source[:cut], source[cut:]])
    for cut in range(0, len(source), 5):
        check([source[:cut]])


@pytest.mark.proves("CHAT-relay-reads")
def test_a_read_without_news_passes_as_the_same_object_and_nothing_of_it_is_read() -> None:
    chunk = delta("Hello") + delta("x", usage=None) + delta('"error"')
    reader, relay = SSEReader(1 << 20), ChunkRelay(include_usage=False)
    assert relay.pass_on(reader.whole(chunk), no_reading) is chunk
    assert relay.pass_on(reader.whole(b""), no_reading) == b""


@pytest.mark.proves("CHAT-relay-reads")
def test_of_a_read_with_news_only_the_events_that_hold_them_are_read() -> None:
    seen: list[bytes] = []

    def noting(events: bytes) -> Sequence[Frame]:
        seen.append(events)
        return read(events)

    ended, counted = delta("", index=1, reason="stop"), event({"choices": [], "usage": COUNTS})
    last = delta("", reason="stop")
    stream = delta("a") * 50 + ended + delta("b", usage=None) * 50 + last + counted + END + delta("too late")
    relay = ChunkRelay(include_usage=False, choices=2)
    sent = relay.pass_on(stream.removesuffix(delta("too late")), noting)
    assert seen == [ended, last + counted + END]
    assert sent == stream.replace(counted, b"").removesuffix(delta("too late"))
    assert (relay.usage, relay.finished) == (COUNTS, True)
    assert relay.pass_on(delta("too late"), no_reading) == b""


@pytest.mark.proves("CHAT-relay-reads")
def test_a_comment_before_chunks_of_the_same_read_is_not_sent_on() -> None:
    relay = ChunkRelay(include_usage=False)
    assert relay.pass_on(b": working\n\n" + delta("a") + delta("b"), read) == delta("a") + delta("b")


@pytest.mark.proves("CHAT-relay-reads")
def test_what_follows_an_error_in_the_same_read_is_not_sent_on() -> None:
    relay, failed = ChunkRelay(include_usage=False), event({"error": {"message": "boom"}})
    assert relay.pass_on(delta("a") + failed + delta("b"), read) == delta("a") + failed + END
    assert relay.error == {"message": "boom"}


@pytest.mark.proves("CHAT-relay-reads")
def test_counts_among_chunks_that_tell_none_are_found() -> None:
    none, counted = delta("a", usage=None), delta("b", usage=COUNTS)
    stream = none * 20 + counted + none * 20 + counted + none
    relay = ChunkRelay(include_usage=True)
    assert relay.pass_on(stream, read) == stream
    assert relay.usage == COUNTS
    assert check([stream, stream + END], include_usage=True).startswith(stream)


@pytest.mark.parametrize(
    "counted",
    [
        event({"choices": [], "usage": COUNTS, "x": {"usage": None}}),
        event({"choices": [], "x": {"usage": None}, "usage": COUNTS}),
        event({"choices": [], "usage": COUNTS}).replace(b"}\n", b',"usage_x":{"usage": null}}\n'),
        event({"choices": None, "usage": COUNTS}),
        event({"usage": COUNTS}),
    ],
    ids=str,
)
@pytest.mark.proves("CHAT-relay-reads")
def test_a_chunk_of_counts_is_known_by_them_whatever_else_it_says(counted: bytes) -> None:
    pieces = [*[delta("a", usage=None)] * 20, delta("", reason="stop"), counted, END]
    stream = b"".join(pieces)
    joined, relay = ChunkRelay(include_usage=False), ChunkRelay(include_usage=False)
    assert joined.has_joined(joined.join(pieces, 1 << 20))
    assert relay.pass_on(stream, read) == check([stream]) == stream.replace(counted, b"")
    assert joined.usage == relay.usage == COUNTS


@pytest.mark.parametrize(
    ("events", "is_plain"),
    [
        (delta("a"), True),
        (delta("a") * 3, True),
        (delta("a") + b"\n" + delta("b"), False),
        (delta("a") + b"\n\n" + delta("b"), False),
        (b": c\n\n" + delta("a"), False),
        (b"id: 1\n" + delta("a"), False),
        (delta("a") + b"zebra\n\n", False),
        (b"data: {\ndata: }\n\n", False),
        (delta("a") + END, False),
        (delta("a")[:-2], False),
    ],
    ids=str,
)
@pytest.mark.proves("WIRE-plain")
def test_plain_events_are_one_line_of_data_with_an_object(events: bytes, *, is_plain: bool) -> None:
    assert plain(events) is is_plain


def calls(run: Callable[[], object]) -> int:
    """How many functions, of Python and of C, were called."""
    count = 0

    def note(frame: object, kind: str, argument: object) -> None:
        nonlocal count
        count += kind in {"call", "c_call"}

    gc.disable()  # what is called at a collection does not count
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def passing(events: bytes) -> int:
    relay = ChunkRelay(include_usage=False)
    reader = SSEReader(64 << 20)
    return calls(lambda: relay.pass_on(reader.whole(events), read))


@pytest.mark.proves("CHAT-relay-linear")
def test_a_read_of_many_events_takes_no_more_calls_than_one_of_few() -> None:
    assert passing(delta("x") * 100_000) == passing(delta("x") * 20) < passing(delta("x") * 2) + 20
    end = delta("", reason="stop") + END
    assert passing(delta("x") * 100_000 + end) == passing(delta("x") * 20 + end) < passing(delta("x") * 2 + end) + 20


@pytest.mark.proves("CHAT-relay-linear")
@pytest.mark.parametrize("sign", ['{"error":0}', '{"usage":{}}', '{"usage":null}', '{"finish_reason":"a"}'])
def test_an_event_is_found_once_however_often_it_says_what_is_looked_for(sign: str) -> None:
    def one(times: int) -> int:
        return passing(b'data: {"choices":[],"a":[' + b",".join([sign.encode()] * times) + b"]}\n\n")

    assert one(20_000) == one(2)


@pytest.mark.proves("CHAT-relay-linear")
@pytest.mark.parametrize("document", [{"usage": COUNTS}, {"error": None}, {"usage": None}], ids=str)
def test_events_that_all_hold_something_cost_the_same_each(document: Json) -> None:
    chunk = event({"choices": [{"delta": {}}], **document})
    once, twice = passing(chunk * 5_000), passing(chunk * 10_000)
    assert twice < 2.1 * once


@pytest.mark.proves("WIRE-linear")
@pytest.mark.parametrize("size", [1, 65_536], ids=["one byte", "64 KiB"])
def test_a_read_inside_a_large_event_takes_the_same_work_however_much_is_held(size: int) -> None:
    reader, piece = SSEReader(64 << 20), b"x" * size
    assert reader.whole(b'data: {"a":"') == b""
    first = calls(lambda: reader.whole(piece))
    for _ in range(500):
        assert reader.whole(piece) == b""
    assert calls(lambda: reader.whole(piece)) == first
    assert reader.whole(b'"}\n\n') == b'data: {"a":"' + piece * 502 + b'"}\n\n'


@settings(max_examples=300, deadline=None)
@given(stream=STREAMS)
@pytest.mark.proves("CHAT-relay-reads")
def test_a_stream_whose_bytes_show_output_opens_when_each_event_is_read_too(*, stream: bytes) -> None:
    events = SSEReader(1 << 20).whole(stream)
    relay = ChunkRelay(include_usage=False)
    if relay.opens(events):
        output = next(frame for frame in frames(events) if relay.shows_output(frame))
        before = frames(events[: events.index(output.raw)])
        assert not any(b'"error"' in frame.payload or frame.event for frame in [*before, output])


@pytest.mark.parametrize(
    ("events", "opens"),
    [
        pytest.param(delta("") + delta("Hello"), True, id="role-first"),
        pytest.param(delta("x").replace(b'":', b'": '), True, id="spaces"),
        pytest.param(event({"choices": [{"text": "x"}]}), True, id="completions"),
        pytest.param(delta("") + delta("", reason="stop"), False, id="no-text"),
        pytest.param(event({"error": {"message": "x"}}) + delta("x"), False, id="error-first"),
        pytest.param(b": comment\n\n" + delta("x"), False, id="comment-first"),
        pytest.param(delta("", name="x" * 5000) + delta("x"), False, id="late"),
        pytest.param(b"", False, id="nothing"),
        pytest.param(b'data: {"content":"x"\n\n', False, id="no-json"),
    ],
)
@pytest.mark.proves("CHAT-relay-reads")
def test_output_is_seen_in_the_bytes_of_the_first_plain_chunks(events: bytes, opens: bool) -> None:
    assert ChunkRelay(include_usage=False).opens(events) is opens


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (b"", b"", 0),
        (b"abc", b"abd", 2),
        (b"abc", b"abc", 3),
        (b"abc", b"abcd", 3),
        (b'x"delta":{"content":"one', b'x"delta":{"content":"two', 21),
        (b'x"delta":{"content":"one', b'x"delta":{"content":"other', 22),
        (b'x"delta":{"content":"', b'x"delta":{"content":"', 21),
        (b'x"delta":{"content":"one', b'y"delta":{"content":"one', 0),
        (b'xy"delta":{"content":"one', b"xyz", 2),
    ],
)
def test_what_texts_begin_with_together(one: bytes, other: bytes, shared: int) -> None:
    assert _shared(one, other) == shared
