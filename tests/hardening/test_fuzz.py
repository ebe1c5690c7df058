"""Arbitrary and hostile input to the pure part: nothing but typed errors, and what must hold holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import json as lenient_json
from gateway.core.events import EVENTS, TERMINALS, Kind
from gateway.core.frames import Frame
from gateway.core.response import complete_response
from gateway.dialects import Choices, Exchange, chat, responses
from gateway.errors import GatewayError, StreamTruncated, UpstreamError
from gateway.surfaces.middleware.body import parse_json
from gateway.wire.sse import SSEReader
from tests.pure.chat_invariants import fold
from tests.pure.invariants import check_response_stream
from tests.pure.streams import CORPUS, repair

Json = dict[str, Any]
Decode = Callable[[Json, Choices], Exchange]

FAST = settings(max_examples=300, deadline=None, derandomize=True, database=None)
pytestmark = pytest.mark.proves("HARD-fuzz")


def words(text: str) -> st.SearchStrategy[str]:
    """One of the words of a text."""
    return st.sampled_from(text.split())


HALVES = st.characters(categories=["Cs"])
"""Halves of surrogate pairs."""


# bytes → frames -------------------------------------------------------------------------------------------------------

SCRAPS = st.sampled_from(
    [b"data: ", b"data:", b"event: ", b"event:response.created", b"\n", b"\r", b"\r\n", b"\n\n", b":", b" ", b"id: 1"]
)
ODD = st.sampled_from(
    [b'{"type":"a"}', b"[DONE]", b"\xef\xbb\xbf", b"\xff", b"\0", "\u2028\u0085".encode(), b'"', b"retry: 9"]
)
STREAMS = st.lists(SCRAPS | ODD | st.binary(max_size=6), max_size=40).map(b"".join)


def read(chunks: list[bytes], limit: int) -> tuple[list[tuple[str, bytes]], bool]:
    """Types and payloads, and whether the reader failed; a reader that failed stays failed."""
    reader = SSEReader(limit)
    told: list[tuple[str, bytes]] = []
    steps: list[Callable[[], list[Frame]]] = [lambda chunk=chunk: reader.feed(chunk) for chunk in chunks]  # type: ignore[misc]
    for step in (*steps, reader.finish):
        try:
            told += [(frame.type, frame.payload) for frame in step()]
        except UpstreamError:
            with pytest.raises(UpstreamError):
                reader.feed(b"data: {}\n\n")
            return told, True
    return told, False


@FAST
@given(stream=STREAMS, cuts=st.lists(st.integers(0, 200), max_size=6), limit=st.integers(4, 60))
def test_any_bytes_are_frames_or_one_failure_however_they_are_cut(stream: bytes, cuts: list[int], limit: int) -> None:
    places = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    pieces = [stream[start:stop] for start, stop in pairwise(places)]
    whole = read([stream], limit)
    assert read(pieces, limit) == whole
    assert all(len(payload) <= limit for _, payload in whole[0])


@FAST
@given(stream=STREAMS)
def test_the_bytes_of_a_frame_are_read_as_the_same_frame_again(stream: bytes) -> None:
    for frame in SSEReader(1000).feed(stream + b"\n\n"):
        (again,) = SSEReader(1000).feed(frame.raw)
        assert (again.type, again.payload) == (frame.type, frame.payload)


# frames → a legal stream ----------------------------------------------------------------------------------------------

NAMES = words(
    """type id item item_id output_index content_index summary_index part response delta text refusal arguments input
    name call_id content output status usage error code message annotation annotations logprobs role summary
    encrypted_content sequence_number input_tokens output_tokens total_tokens incomplete_details reason created_at
    model obfuscation"""
)
WORDS = st.sampled_from([*EVENTS, *TERMINALS, "", "x" * 100]) | words(
    """message reasoning function_call custom_tool_call output_text refusal web_search_call msg_1 fc_1 rs_1 call_1
    completed in_progress max_tokens"""
)
LEAVES = (
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([2**70, -(2**63), 1.5, 1e300]) | WORDS
    | st.text(st.characters(codec=None) | HALVES, max_size=4)
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=12
)
TELLING = {name for name, event in EVENTS.items() if event.kind in (Kind.LIFECYCLE, Kind.TERMINAL)}
EVENTS_OF_NOISE = st.builds(
    # A response that is told outside of its own events is a field like any other that nobody knows.
    lambda kind, fields: {
        **{name: fields[name] for name in fields if name != "response" or kind in TELLING},
        "type": kind,
    },
    st.sampled_from([*EVENTS, "response.unknown", "keepalive", "", "[DONE]"]),
    st.dictionaries(NAMES, VALUES, max_size=6),
)
PAYLOADS = (
    EVENTS_OF_NOISE.map(lambda data: json.dumps(data).encode())
    | VALUES.filter(lambda value: "response" not in value if isinstance(value, dict) else True).map(
        lambda value: json.dumps(value).encode()
    )
    | st.binary(max_size=8).filter(lambda data: b"\n" not in data and b"\r" not in data)
)
EVENT_NAMES = st.sampled_from(["", *EVENTS])


def framed(noise: list[tuple[str, bytes]]) -> list[Frame]:
    raw = b"".join(b"event: %b\ndata: %b\n\n" % (name.encode(), payload) for name, payload in noise)
    return SSEReader(1 << 20).feed(raw)


@settings(FAST, max_examples=600)
@given(
    noise=st.lists(st.tuples(EVENT_NAMES, PAYLOADS), max_size=12),
    before=st.sampled_from(["", *CORPUS]),
    cut=st.integers(0, 20),
    trusted=st.booleans(),
    room=st.sampled_from([16, 1 << 20]),
)
def test_any_frames_become_a_legal_stream(
    noise: list[tuple[str, bytes]], before: str, cut: int, trusted: bool, room: int
) -> None:
    """Noise alone, and noise in the middle of a sound stream. Nothing is raised, and the end is always told."""
    sound = SSEReader(1 << 20).feed(CORPUS[before]) if before else []
    machine = repair(trusted=trusted, open_item_bytes=room)
    sent = machine.feed([*sound[:cut], *framed(noise)])
    sent += machine.in_progress_again()
    sent += machine.feed(sound[cut:])
    sent += machine.abort(StreamTruncated("The stream was cut."))
    assert machine.finished
    if trusted:  # what nobody looks at may be anything, but the stream still begins and ends
        assert (sent[0].type, sent[-1]) == ("response.created", machine.terminal)
    else:
        check_response_stream(b"".join(frame.raw for frame in sent))
    complete_response(machine.fold.response())
    assert machine.feed(framed(noise)) == []


@settings(FAST, max_examples=300)
@given(noise=st.lists(st.tuples(EVENT_NAMES, PAYLOADS), max_size=12), body=st.sampled_from(["text", "tools", "stop"]))
def test_any_repaired_frames_are_legal_for_every_client(noise: list[tuple[str, bytes]], body: str) -> None:
    """Of what an upstream makes of its stream, each dialect makes a whole stream of its own, and a whole document."""
    machine = repair()
    frames = machine.feed(framed(noise)) + machine.abort(StreamTruncated("The stream was cut."))
    asked = exchanges(body)
    for exchange in asked:
        told = exchange.stream_encoder(5).feed(frames)
        if exchange is asked[0]:
            fold(told.decode())
        else:
            check_response_stream(told, done_mark=True)
        exchange.encode_response(complete_response(machine.fold.response()))


def exchanges(kind: str) -> tuple[Exchange, Exchange]:
    """The same wish in both dialects: chat first."""
    more: dict[str, Json] = {
        "text": {},
        "tools": {"tools": [{"type": "function", "name": "call_1"}, {"type": "custom", "name": "msg_1"}]},
        "stop": {"stop": ["x", "msg_1"]},
    }
    body = {"model": "m", "stream": True, **more[kind]}
    said = {"messages": [{"role": "user", "content": "hi"}]}
    return chat.DIALECT.decode({**body, **said}, Choices()), responses.DIALECT.decode(
        {**body, "input": "hi"}, Choices()
    )


# bodies ---------------------------------------------------------------------------------------------------------------

FIELDS = words(
    """model messages input instructions tools tool_choice functions function_call role content tool_calls tool_call_id
    name type function custom arguments id call_id output text format response_format json_schema schema reasoning
    effort stop n metadata stream stream_options include truncation image_url file file_data input_audio
    web_search_options allowed_tools mode grammar parameters strict refusal audio thinking enabled summary
    encrypted_content"""
)
TERMS = words(
    """user assistant system developer tool function custom text image_url file input_audio input_text output_text
    message function_call function_call_output custom_tool_call item_reference reasoning namespace web_search auto none
    required allowed_tools json_schema json_object grammar call_1 x"""
)
SIMPLE = (
    st.none()
    | st.booleans()
    | st.integers(-1, 20)
    | st.just(1.5)
    | TERMS
    | st.text(st.characters(codec=None) | HALVES, max_size=3)
)
NESTED = st.recursive(
    SIMPLE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=6), max_leaves=25
)
BODIES = st.builds(
    lambda fields, messages, items: {"model": "m", "messages": messages, "input": items, **fields},
    st.dictionaries(FIELDS, NESTED, max_size=5),
    st.lists(st.dictionaries(FIELDS, NESTED, max_size=6), max_size=3) | st.none(),
    st.lists(st.dictionaries(FIELDS, NESTED, max_size=6), max_size=3) | st.none() | st.just("hi"),
)
CHOICES = st.builds(Choices, unsupported=st.sampled_from(["default", "strict", "lenient"]))


@settings(FAST, max_examples=600)
@given(body=BODIES, decode=st.sampled_from([chat.DIALECT.decode, responses.DIALECT.decode]), choices=CHOICES)
def test_any_body_is_an_inner_request_or_a_named_refusal(body: Json, decode: Decode, choices: Choices) -> None:
    try:
        document = parse_json(json.dumps(body).encode(), 128)
        exchange = decode(document, choices)
    except GatewayError as error:
        assert 400 <= error.status < 500
        assert error.param, error.message
        return
    request = exchange.request
    assert all(isinstance(item, dict) for item in request.body["input"])
    assert lenient_json.loads(lenient_json.dumps(request.body)) is not None
    for place in ("input", "input[0].content[1].text", "tools[0].name", "tool_choice.name", "text.format.name"):
        named = exchange.client_param(place)
        assert named is None or isinstance(named, str)
    exchange.headers()


@FAST
@given(
    text=st.binary(max_size=60)
    | st.text(st.characters(codec=None) | HALVES, max_size=20).map(lambda text: json.dumps({"a": text}).encode())
)
def test_any_bytes_are_a_document_or_a_refusal(text: bytes) -> None:
    try:
        document = parse_json(text, 8)
    except GatewayError as error:
        assert error.status == 400
    else:
        json.dumps(document).encode("utf-8")
