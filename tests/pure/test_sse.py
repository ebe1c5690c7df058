"""Bytes to frames: framing, limits, and the same frames however the network cuts the stream."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.frames import Frame
from gateway.errors import UpstreamError
from gateway.wire.sse import SSEReader

Told = tuple[str, bytes, bytes]


def told(frames: list[Frame]) -> list[Told]:
    return [(frame.type, frame.payload, frame.raw) for frame in frames]


def read(*chunks: bytes, limit: int = 1000) -> list[Told]:
    reader = SSEReader(limit)
    frames = [frame for chunk in chunks for frame in reader.feed(chunk)]
    return told(frames + reader.finish())


EVENT = b'event: a\ndata: {"type":"a"}\n\n'
PARSED = ("a", b'{"type":"a"}', EVENT)


@pytest.mark.proves("WIRE-raw")
def test_an_event_keeps_its_very_bytes() -> None:
    assert read(EVENT + EVENT) == [PARSED, PARSED]


@pytest.mark.proves("WIRE-line-ends")
@pytest.mark.parametrize("end", [b"\r\n", b"\r", b"\n"], ids=["crlf", "cr", "lf"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_lines_end_at_lf_crlf_and_cr_and_nowhere_else(end: bytes, size: int) -> None:
    stream = (EVENT * 2).replace(b"\n", end)
    assert read(*(stream[at : at + size] for at in range(0, len(stream), size))) == [PARSED, PARSED]


@pytest.mark.proves("WIRE-line-ends", "CASE-90")
@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\u0085", "\x0b", "\x1c", "😀"])
def test_other_line_marks_inside_json_do_not_end_a_line(mark: str) -> None:
    payload = f'{{"type":"a","delta":"x{mark}y"}}'.encode()
    assert read(b"data: " + payload + b"\n\n") == [("a", payload, b"data: " + payload + b"\n\n")]


def test_mixed_line_ends_are_read_one_by_one() -> None:
    assert read(b'event: a\r\ndata: {"type":"a"}\n\r\n') == [PARSED]


def test_a_byte_order_mark_at_the_start_is_not_part_of_the_first_line() -> None:
    mark = b"\xef\xbb\xbf"
    assert read(mark + EVENT) == read(mark[:1], mark[1:], EVENT) == [PARSED]
    assert read(EVENT, mark + b"data: x\n\n") == [PARSED]


@pytest.mark.proves("WIRE-comments")
def test_comments_ids_and_retry_times_are_left_out() -> None:
    assert read(b": hello\n\n" + b": note\nid: 7\nretry: 10\n" + EVENT) == [PARSED]


def test_data_lines_are_joined_by_line_feeds() -> None:
    block = b'data: {"type":\ndata: "a"}\n\n'
    assert read(block) == [("a", b'{"type":\n"a"}', block)]
    assert read(b": x\n" + block)[0][2] == block


def test_fields_need_no_space_and_may_come_in_any_order() -> None:
    block = b'data:{"type":"a"}\nevent:a\n\n'
    assert read(block) == [("a", b'{"type":"a"}', block)]


@pytest.mark.parametrize("block", [b"event: a\n\n", b"data\n\n", b"event: a\ndata: \n\n", b"\n\n\n\n", b"nonsense\n\n"])
def test_a_block_without_data_is_no_event(block: bytes) -> None:
    assert read(block + EVENT) == [PARSED]


def test_blank_lines_between_events_are_nothing() -> None:
    assert read(b"\n" + EVENT + b"\n\n\n" + EVENT) == [PARSED, PARSED]


@pytest.mark.proves("WIRE-last-event")
@pytest.mark.parametrize("cut", [1, 2])
def test_the_last_event_needs_no_blank_line(cut: int) -> None:
    assert read(EVENT + EVENT[:-cut]) == [PARSED, PARSED]


@pytest.mark.proves("WIRE-last-event")
def test_a_part_of_an_event_at_the_end_is_no_event() -> None:
    """A terminal event that the network cut must not count as the end of the response."""
    assert read(EVENT + EVENT[:-4]) == [PARSED]


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_an_end_mark_may_be_the_last_bytes(end: bytes) -> None:
    assert [kind for kind, _, _ in read(b"data: [DONE]" + end)] == ["[DONE]"]


def test_the_end_mark_is_a_frame() -> None:
    assert read(b"data: [DONE]\n\n") == [("[DONE]", b"[DONE]", b"data: [DONE]\n\n")]


@pytest.mark.proves("WIRE-limit")
@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_an_event_over_the_limit_fails_the_reader_after_what_came_before(size: int) -> None:
    stream = EVENT + b"data: " + b"x" * 1000 + b"\n\n" + EVENT
    reader, frames = SSEReader(1000), []
    with pytest.raises(UpstreamError) as failure:
        for at in range(0, len(stream), size):
            frames += reader.feed(stream[at : at + size])
        reader.finish()
    assert told(frames) == [PARSED]
    assert failure.value.code == "upstream_error"
    assert "1000 bytes" in failure.value.message
    with pytest.raises(UpstreamError):
        reader.feed(EVENT)
    with pytest.raises(UpstreamError):
        reader.finish()


@pytest.mark.proves("WIRE-limit")
def test_an_event_of_exactly_the_limit_passes() -> None:
    stream = b"data: " + b"x" * 994 + b"\n\n"
    assert [payload for _, payload, _ in read(stream)] == [b"x" * 994]
    assert [payload for _, payload, _ in read(*(stream[at : at + 1] for at in range(len(stream))))] == [b"x" * 994]


@pytest.mark.proves("WIRE-limit")
def test_a_last_event_over_the_limit_fails_without_its_end() -> None:
    reader = SSEReader(10)
    with pytest.raises(UpstreamError):
        reader.feed(b"data: 12345678")


@pytest.mark.proves("WIRE-linear")
def test_a_large_event_is_held_as_its_pieces_and_joined_once() -> None:
    """The work of a read must not grow with what was read before: nothing is joined until the event ends."""
    reader = SSEReader(64 << 20)
    read_size, reads = 4096, 1024
    assert reader.feed(b"data: ") == []
    for _ in range(reads):
        assert reader.feed(b"x" * read_size) == []
    assert len(reader._pieces) == reads + 1
    (frame,) = reader.feed(b"\n\n")
    assert len(frame.payload) == read_size * reads
    assert reader._pieces == []


@pytest.mark.proves("WIRE-linear")
def test_many_small_events_in_one_read() -> None:
    reader = SSEReader(1000)
    assert len(reader.feed(EVENT * 100_000)) == 100_000


@settings(max_examples=200, deadline=None)
@given(
    stream=st.lists(
        st.sampled_from([b"data: x", b"event: a", b": c", b"\n", b"\r", b"\r\n", b"\n\n", b"\xef\xbb\xbf", b"data:"])
    ).map(b"".join),
    cuts=st.lists(st.integers(0, 200)),
)
@pytest.mark.proves("WIRE-chunking")
def test_any_chunking_gives_the_same_frames(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = [stream[start:end] for start, end in pairwise(places)]
    assert read(*chunks) == read(stream)


PIECES = st.sampled_from(
    [
        b'event: response.created\ndata: {"type":"response.created"}\n\n',
        b"event: response.created\n",
        b'data: {"type":"response.created"}\n',
        b'data: {"a":1}\n\n',
        b"data: {",
        b"data: [DONE]\n\n",
        b"data:x\n",
        b"data\n",
        b"event: b\n",
        b": c\n",
        b"id: 1\n",
        b"\xef\xbb\xbf",
        b"}",
        b"\n",
        b"\r",
        b"\r\n",
    ]
)


def specified(stream: bytes) -> list[tuple[str, bytes]]:
    """Name and data of the events of a whole stream, by the letter of the standard; the last needs no blank line."""
    found: list[tuple[str, bytes]] = []
    event = b""
    data: list[bytes] = []
    for line in [*re.split(b"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf")), b""]:
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            event = value.removeprefix(b" ")
        elif not line:
            if b"\n".join(data):
                found.append((event.decode(), b"\n".join(data)))
            event, data = b"", []
    return found


@settings(max_examples=300, deadline=None)
@given(stream=st.lists(PIECES, max_size=12).map(b"".join))
@pytest.mark.proves("WIRE-chunking")
def test_frames_are_the_events_of_the_standard(stream: bytes) -> None:
    frames = SSEReader(1000).feed(stream + b"\n\n")
    assert [(frame.event, frame.payload) for frame in frames] == specified(stream + b"\n\n")


def outcome(chunks: list[bytes], limit: int) -> tuple[list[Told], bool]:
    """The frames before a failure, and whether there was one."""
    reader, frames = SSEReader(limit), []
    try:
        for chunk in chunks:
            frames += reader.feed(chunk)
        frames += reader.finish()
    except UpstreamError:
        return told(frames), True
    return told(frames), False


@settings(max_examples=300, deadline=None)
@given(
    stream=st.lists(PIECES, max_size=12).map(b"".join),
    cuts=st.lists(st.integers(0, 200)),
    limit=st.sampled_from([5, 9, 14, 30, 60]),
)
@pytest.mark.proves("WIRE-chunking", "WIRE-limit")
def test_any_chunking_fails_at_the_same_event(stream: bytes, cuts: list[int], limit: int) -> None:
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    whole = outcome([stream], limit)
    assert outcome([stream[start:end] for start, end in pairwise(places)], limit) == whole
    assert outcome([stream[at : at + 1] for at in range(len(stream))], limit) == whole


def test_a_read_of_whole_events_is_not_copied() -> None:
    chunk = EVENT + EVENT
    reader = SSEReader(1000)
    assert reader.whole(chunk) is chunk
    assert reader.whole(chunk + b"data:") == chunk
    assert (reader.rest(), reader.rest()) == (b"", b"")


@settings(max_examples=200, deadline=None)
@given(stream=st.binary(max_size=300), cut=st.integers(0, 300))
@pytest.mark.proves("WIRE-chunking")
def test_any_bytes_are_frames_or_nothing(stream: bytes, cut: int) -> None:
    assert read(stream[:cut], stream[cut:]) == read(stream)
