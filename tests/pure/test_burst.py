"""A whole chunk stream in its server's pieces: what is seen of it at once, and what is left to those who read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.dialects.burst import Burst, read_burst
from gateway.dialects.relay import ChunkRelay
from gateway.wire.sse import END
from tests.pure.test_relay_reads import COUNTS, calls, delta, event

Json = dict[str, Any]

LIMIT = 1 << 20
ROLE = event({"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
STOP = delta("", reason="stop")
COUNTED = event({"id": "chatcmpl-1", "choices": [], "usage": COUNTS})
WORDS = [delta(f" word {number}") for number in range(20)]
USUAL = [ROLE, *WORDS, STOP, COUNTED, END]


def burst(pieces: Sequence[bytes], *, include_usage: bool = True, max_bytes: int = LIMIT) -> Burst | None:
    return read_burst(pieces, include_usage=include_usage, max_bytes=max_bytes)


def written(text: str, reason: str | None = None) -> bytes:
    """A completions chunk."""
    return event({"choices": [{"index": 0, "text": text, "finish_reason": reason}]})


def odd(content: bytes, place: int = 5) -> list[bytes]:
    """The usual stream with these bytes in place of a delta's text."""
    words = WORDS.copy()
    words[place] = words[place].replace(f" word {place}".encode(), content)
    return [ROLE, *words, STOP, END]


@pytest.mark.proves("CHAT-relay-burst")
def test_the_usual_stream_is_seen_at_once_as_it_is() -> None:
    assert burst(USUAL) == Burst(b"".join(USUAL), COUNTS, {"0"})


@pytest.mark.proves("CHAT-relay-burst")
def test_a_chunk_of_nothing_but_counts_is_for_who_asked() -> None:
    found = burst(USUAL, include_usage=False)
    assert found == Burst(b"".join([ROLE, *WORDS, STOP, END]), COUNTS, {"0"})


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([*WORDS, STOP, END], id="no role, no counts"),
        pytest.param([b"".join(USUAL[:2]), *USUAL[2:]], id="first events in one piece"),
        pytest.param([*USUAL[:-3], b"".join(USUAL[-3:])], id="last events in one piece"),
        pytest.param([*USUAL[:-2], COUNTED[:30], COUNTED[30:], END[:3], END[3:]], id="last events in parts"),
        pytest.param([ROLE[:9], ROLE[9:], *USUAL[1:]], id="first event in parts"),
        pytest.param([*map(written, map(str, range(20))), written("", "length"), END], id="completions"),
        pytest.param([ROLE, *(word.replace(b'":', b'": ') for word in WORDS), STOP, END], id="blanks"),
        pytest.param([*[written("x").replace(b'":', b'": ')] * 20, STOP, END], id="completions with blanks"),
        pytest.param([ROLE, *(delta("x", usage=None) for _ in range(20)), STOP, END], id="no counts in each"),
        pytest.param(odd(rb" \"error\" \\ \n \ud83d\ude00 " + "é".encode()), id="escapes"),
        pytest.param(odd(b""), id="an empty text"),
        pytest.param([ROLE, *(delta("") for _ in range(19)), delta("x"), STOP, END], id="one text that says something"),
        pytest.param([ROLE, *WORDS, delta("", reason="stop", usage=COUNTS), END], id="counts with the end"),
        pytest.param([ROLE, *WORDS, event({"choices": []}), END], id="no reason"),
    ],
)
@pytest.mark.proves("CHAT-relay-burst")
def test_streams_like_it_are_seen_at_once_too(pieces: list[bytes]) -> None:
    found = burst(pieces)
    assert found is not None
    assert found.events == b"".join(pieces)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([], id="nothing"),
        pytest.param([ROLE, *WORDS[:12], STOP, END], id="few events"),
        pytest.param([b"".join(USUAL)], id="one piece"),
        pytest.param([*USUAL[:-1]], id="no end mark"),
        pytest.param([*USUAL, END], id="two end marks"),
        pytest.param([ROLE, *WORDS, END], id="nothing between deltas and end mark"),
        pytest.param([*USUAL[:-1], END[:-1]], id="cut end mark"),
        pytest.param([ROLE, *WORDS[:10], WORDS[10] + WORDS[11], *WORDS[12:], STOP, END], id="two deltas in one piece"),
        pytest.param([ROLE, *WORDS[:5], WORDS[5][:40], WORDS[5][40:], *WORDS[6:], STOP, END], id="a delta in two"),
        pytest.param([*[ROLE] * 9, *WORDS, STOP, END], id="many events before"),
        pytest.param([ROLE, *WORDS, *[STOP] * 9, END], id="many events behind"),
        pytest.param([ROLE, *WORDS[:5], STOP, *WORDS[5:], STOP, END], id="an end among deltas"),
        pytest.param([ROLE, *WORDS[:5], delta("x", index=1), *WORDS[5:], STOP, END], id="another answer"),
        pytest.param([ROLE, *WORDS[:5], event({"error": {"message": "x"}}), *WORDS[5:], STOP, END], id="an error"),
        pytest.param([event({"error": {"message": "x"}}), *WORDS, STOP, END], id="an error first"),
        pytest.param([ROLE, *WORDS, event({"error": "x"}), END], id="an error last"),
        pytest.param([ROLE, *WORDS, event({"object": "error"}), END], id="an error as object"),
        pytest.param([COUNTED, *WORDS, STOP, END], id="counts first"),
        pytest.param([b": working\n\n", *WORDS, STOP, END], id="a comment first"),
        pytest.param([ROLE, *WORDS, b": working\n\n", STOP, END], id="a comment last"),
        pytest.param([b"event: chunk\n" + ROLE, *WORDS, STOP, END], id="a name"),
        pytest.param([b"\xef\xbb\xbf" + ROLE, *WORDS, STOP, END], id="a byte order mark"),
        pytest.param([ROLE, *WORDS, STOP.replace(b"\n", b"\r\n"), END], id="CRLF last"),
        pytest.param([piece.replace(b"\n", b"\r\n") for piece in USUAL], id="CRLF"),
        pytest.param([ROLE, *WORDS, b"\n" + STOP, END], id="a blank line too many"),
        pytest.param([ROLE, *WORDS, b"data: {broken\n\n", END], id="no JSON"),
        pytest.param([ROLE, *WORDS, b'data: {"a":1\ndata: }\n\n', END], id="two lines of data"),
        pytest.param([ROLE, *WORDS, STOP, b"data: 1\n\n", END], id="no object"),
        pytest.param([ROLE, *(delta("") for _ in range(20)), STOP, END], id="no text"),
        pytest.param([ROLE, *[delta("\\")] * 20, STOP, END], id="no text to be seen"),
        pytest.param([*[event({"a": {"text": "x"}})] * 20, STOP, END], id="no choices"),
        pytest.param([*[event({"a": {"text": "x"}, "choices": [1]})] * 20, STOP, END], id="no choice"),
        pytest.param([*[event({"a": {"text": "x"}, "choices": [{"delta": 1}]})] * 20, STOP, END], id="no delta"),
        pytest.param([*[event({"a": {"text": "x"}, "choices": [{"index": 1}]})] * 20, STOP, END], id="text elsewhere"),
        pytest.param([*[event({"a": "x"})] * 20, STOP, END], id="no texts"),
        pytest.param([*[delta("x")[:-2]] * 20, STOP, END], id="no blank lines"),
        pytest.param([*[delta("x")[6:]] * 20, STOP, END], id="no data"),
        pytest.param([*[delta("x")[:-1] + b"x"] * 20, STOP, END], id="half a blank line"),
        pytest.param([*[delta("x").replace(b"}", b"}\r")] * 20, STOP, END], id="line ends in events"),
        pytest.param(odd(b'x"},"finish_reason":"stop","a":{"content":"'), id="a text that ends too early"),
        pytest.param(odd(b'x","error":"'), id="a key in the place of a text"),
        pytest.param(odd(b"x\\"), id="a text that does not end"),
        pytest.param(odd(b"x\n"), id="a line end in a text"),
        pytest.param(odd(b"x\r"), id="a carriage return in a text"),
        pytest.param(odd(rb"\ud83d"), id="half a character"),
        pytest.param(odd(b"\x01\\\\"), id="a control character"),
        pytest.param([ROLE, *WORDS[:3], WORDS[3][:-1], *WORDS[4:], STOP, END], id="a delta without its last byte"),
    ],
)
@pytest.mark.proves("CHAT-relay-burst")
def test_what_is_not_as_usual_is_left_to_who_reads_each_event(pieces: list[bytes]) -> None:
    assert burst(pieces) is None


@pytest.mark.proves("CHAT-relay-burst")
def test_a_stream_that_may_have_too_large_an_event_is_left_to_who_measures_each() -> None:
    size = len(b"".join(USUAL)) - len(END)
    assert burst(USUAL, include_usage=False, max_bytes=size + len(END)) is not None
    assert burst(USUAL, include_usage=False, max_bytes=size - 1) is None


@pytest.mark.proves("CHAT-relay-burst")
def test_what_is_learnt_counts_when_the_stream_is_passed_on_and_not_before() -> None:
    relay = ChunkRelay(include_usage=True)
    stream = relay.join(USUAL, LIMIT)
    assert (relay.finished, relay.usage) == (False, None)
    assert not relay.has_joined(bytes(bytearray(stream)))  # the same bytes from somewhere else
    assert relay.has_joined(stream)
    assert (stream, relay.finished, relay.usage) == (b"".join(USUAL), True, COUNTS)


@pytest.mark.proves("CHAT-relay-burst")
def test_a_stream_in_which_an_answer_has_not_ended_is_not_taken_for_a_whole_one() -> None:
    relay = ChunkRelay(include_usage=True, choices=2)
    stream = relay.join(USUAL, LIMIT)
    assert stream == b"".join(USUAL)
    assert not relay.has_joined(stream)
    assert ChunkRelay(include_usage=True).join([], LIMIT) == b""


@pytest.mark.proves("CHAT-relay-burst", "CHAT-relay-linear")
def test_many_deltas_take_no_more_calls_than_few() -> None:
    def stream(deltas: int) -> list[bytes]:
        return [ROLE, *(delta(f" word {number}") for number in range(deltas)), STOP, COUNTED, END]

    few, many = stream(20), stream(20_000)
    assert calls(lambda: burst(few, max_bytes=1 << 30)) == calls(lambda: burst(many, max_bytes=1 << 30))
