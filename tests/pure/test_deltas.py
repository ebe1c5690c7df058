"""Deltas in a row are read as one frame. All that comes of it is what reading each would give, whatever comes in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.deltas import Deltas
from gateway.core.frames import Frame
from gateway.core.redact import Redaction
from gateway.core.repair import Repair
from gateway.dialects import StreamEncoder
from gateway.dialects.responses.stream import ResponsesEncoder
from gateway.engine.way import Source
from gateway.errors import StreamTruncated, UpstreamError
from gateway.wire import sse
from gateway.wire.deltas import TRIES, Gathering
from gateway.wire.sse import SSEReader
from tests.pure import text_asking
from tests.pure.chat_frames import asking
from tests.pure.delta_rows import AT, DELTA, ENDED, LAYOUTS, ODD, SOUND, begun, event, line, rows
from tests.pure.streams import CORPUS, output

Json = dict[str, Any]

pytestmark = pytest.mark.proves("RUN-row")


def apart(frames: Sequence[Frame]) -> list[Any]:
    """All that frames let be seen, those of several events one by one."""
    singles = [one for frame in frames for one in (frame.each() if isinstance(frame, Deltas) else [frame])]
    return [(one.type, one.event, one.typed, one.raw, one.payload, read(one)) for one in singles]


def read(frame: Frame) -> Any:
    try:
        return list(frame.data.items())
    except ValueError as error:
        return str(error)


def gathered(events: Sequence[bytes]) -> list[Frame]:
    return Gathering().frames(b"".join(events))


@settings(max_examples=300, deadline=None)
@given(events=rows())
def test_the_frames_are_the_same_one_by_one(events: list[bytes]) -> None:
    whole = b"".join(events)
    assert apart(gathered(events)) == apart(sse.frames(whole))


@pytest.mark.parametrize("layout", LAYOUTS[:-1], ids=",".join)
@pytest.mark.parametrize("first", [1, 95])
def test_of_deltas_in_a_row_one_is_a_frame_of_its_own(layout: tuple[str, ...], first: int) -> None:
    texts = (SOUND * 9)[:60]
    events = [
        line(layout, first + at, text, b"z" * (at % 3 if layout == LAYOUTS[0] else 2)) for at, text in enumerate(texts)
    ]
    found = gathered(events)
    assert sum(not isinstance(frame, Deltas) for frame in found) == 1
    assert b"".join(frame.raw for frame in found) == b"".join(events)
    assert sum(frame.count for frame in found) == 60


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_text_that_is_not_sound_is_read_by_itself(odd: bytes) -> None:
    events = [line(LAYOUTS[0], at, odd if at == 8 else b"a") for at in range(20)]
    assert apart(gathered(events)) == apart(sse.frames(b"".join(events)))


def test_where_failures_are_told_each_is_read() -> None:
    events = [line(LAYOUTS[-1], at, b"a") for at in range(40)]
    assert not any(isinstance(frame, Deltas) for frame in gathered(events))


@pytest.mark.parametrize(
    "written",
    [
        lambda at: line(LAYOUTS[0], at, b"a").replace(b":", b": "),
        lambda at: line(LAYOUTS[0], at, b"\\u0061" * 9),
        lambda at: line(LAYOUTS[0], at, b"a").replace(b"[]", b'"\\u0061"'),
        lambda at: line(LAYOUTS[0], at, b"a").replace(b'"logprobs":[]', b'"delta":"a"'),
        lambda at: line(LAYOUTS[0], at, b"a").replace(b"[]", b'["\xff"]'),
        lambda at: line(LAYOUTS[0], at, b"a").replace(b'"logprobs":[]', b'"x":{"delta":"a"},"delta":"a"'),
        lambda at: line(LAYOUTS[0], at, b"a").replace(b'"item_id"', b'"x":{"delta":"a"},"item_id"'),
        lambda at: line(LAYOUTS[0], at, b"a").replace(b"}", b""),
        lambda at: line(LAYOUTS[0], at, b"a").replace(b'"delta":"a"', b'"delta":7'),
        lambda at: line(LAYOUTS[0], 3 * at, b"a"),
        lambda at: line(LAYOUTS[0], at, b"a" * 5000),
        lambda at: line(LAYOUTS[0], at, b"a", kind=(DELTA, "response.refusal.delta")[at % 2]),
    ],
    ids=[
        "spaces",
        "escapes",
        "an escape elsewhere",
        "twice",
        "not UTF-8 elsewhere",
        "again behind another",
        "first in another",
        "cut",
        "a number",
        "gaps",
        "large",
        "alternating",
    ],
)
def test_deltas_of_no_one_shape_are_read_one_by_one(written: Callable[[int], bytes]) -> None:
    events = [written(at) for at in range(40)]
    found = gathered(events)
    assert not any(isinstance(frame, Deltas) for frame in found)
    assert apart(found) == apart(sse.frames(b"".join(events)))


def test_a_server_whose_deltas_have_no_shape_is_not_asked_for_ever() -> None:
    reading = Gathering()
    reading.frames(b"".join(line(LAYOUTS[0], 3 * at, b"a") for at in range(2 * TRIES)))
    sound = [line(LAYOUTS[0], at, b"a") for at in range(40)]
    assert not any(isinstance(frame, Deltas) for frame in reading.frames(b"".join(sound)))


def test_a_shape_is_known_from_read_to_read() -> None:
    reading = Gathering()
    for first in (3, 43, 83):
        found = reading.frames(b"".join(line(LAYOUTS[0], first + at, b"a") for at in range(40)))
        assert sum(not isinstance(frame, Deltas) for frame in found) <= 2
    other = [line(LAYOUTS[1], 123 + at, b"a") for at in range(40)]
    assert any(isinstance(frame, Deltas) for frame in reading.frames(b"".join(other)))


# from the network to the client --------------------------------------------------------------------------------------


def repair(*, trusted: bool = False, limit: int = 1 << 20, response_id: str = "") -> Repair:
    return Repair("seed", created=5, model="m", trusted=trusted, open_item_bytes=limit, response_id=response_id)


def heard(reads: Sequence[bytes], machine: Repair, encoder: StreamEncoder, *, together: bool) -> list[Any]:
    """All that comes of a stream: what the client hears of each read, and what is known of it at the end."""
    source = Source(SSEReader(1 << 26), Redaction(["secret-of-the-upstream"]), None, gathered=together)
    told: list[Any] = [encoder.feed(machine.feed(source.feed(chunk))) for chunk in reads]
    told.append(encoder.feed(machine.feed(source.finish())))
    if not encoder.finished:
        told.append(encoder.feed(machine.abort(StreamTruncated("The stream was cut."))))
    told += [machine.error, machine.dropped, machine.finished, encoder.finished]
    try:
        return [*told, machine.fold.response()]
    except UpstreamError as error:
        return [*told, error.message]


CLIENTS: dict[str, Callable[[], StreamEncoder]] = {
    "chat": lambda: asking().stream_encoder(5),
    "chat with a stop string": lambda: asking(stop="rda").stream_encoder(5),
    "chat with tokens": lambda: asking(logprobs=True).stream_encoder(5),
    "completions": lambda: text_asking.exchange().stream_encoder(5),
    "completions with a stop string": lambda: text_asking.exchange(stop="rda").stream_encoder(5),
    "responses": lambda: ResponsesEncoder({}, created=5, model="m"),
}


def check(reads: Sequence[bytes], client: str, **options: Any) -> list[Any]:
    told = heard(reads, repair(**options), CLIENTS[client](), together=True)
    assert told == heard(reads, repair(**options), CLIENTS[client](), together=False)
    return told


@settings(max_examples=500, deadline=None)
@given(
    events=rows(),
    cuts=st.lists(st.integers(0, 12_000), max_size=2),
    client=st.sampled_from(sorted(CLIENTS)),
    trusted=st.booleans(),
    limit=st.sampled_from([1 << 20, 1 << 20, 60, 3000, 9000]),
    response_id=st.sampled_from(["", "", "resp_own"]),
)
def test_a_client_hears_the_same(
    events: list[bytes], cuts: list[int], client: str, trusted: bool, limit: int, response_id: str
) -> None:
    stream = b"".join(events)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    reads = [stream[start:end] for start, end in pairwise(places)]
    check(reads, client, trusted=trusted, limit=limit, response_id=response_id)


@pytest.mark.parametrize("client", sorted(CLIENTS))
def test_a_client_hears_the_same_wherever_the_network_cuts(client: str) -> None:
    row = [line(LAYOUTS[0], 3 + at, text, b"z" * (at % 4)) for at, text in enumerate(SOUND * 2)]
    stream = b"".join([*begun(), *row, event({**ENDED, "sequence_number": 3 + len(row)})])
    whole = check([stream], client)
    for cut in range(0, len(stream), 17):
        told = check([stream[:cut], stream[cut:]], client)
        assert told[0] + told[1] + told[2] == whole[0] + whole[1]


@pytest.mark.parametrize("client", sorted(CLIENTS))
@pytest.mark.parametrize("name", sorted(CORPUS))
def test_a_client_hears_the_same_of_recorded_streams(name: str, client: str) -> None:
    stream = CORPUS[name]
    for options in ({}, {"trusted": True}, {"response_id": "resp_own"}):
        for cut in range(0, len(stream), 1 + len(stream) // 9):
            check([stream[:cut], stream[cut:]], client, **options)


def test_half_a_character_before_a_row_is_told_with_the_other_half() -> None:
    row = [line(LAYOUTS[0], 4 + at, b"\\ude00" if at == 0 else b"a") for at in range(30)]
    stream = [*begun(), line(LAYOUTS[0], 3, b"\\ud83d")]
    check([b"".join(stream), b"".join(row)], "chat")
    held = [*begun(), line(LAYOUTS[0], 3, b"a"), line(LAYOUTS[0], 4, b"\\ud83d")]
    check([b"".join(held), b"".join(line(LAYOUTS[0], 5 + at, b"a") for at in range(30))], "chat")


def test_a_row_of_nothing_tells_a_chat_client_nothing() -> None:
    row = [line(LAYOUTS[0], 4 + at, b"") for at in range(30)]
    for client in ("chat", "completions"):
        told = check([b"".join([*begun(), line(LAYOUTS[0], 3, b"a")]), b"".join(row)], client)
        assert told[1] == b""


@pytest.mark.parametrize("client", ["chat", "responses"])
def test_a_row_that_does_not_go_on_where_the_delta_before_it_was(client: str) -> None:
    """Neither under its address, nor with its next number."""
    second = event({"type": "response.content_part.added", **AT, "content_index": 1, "part": {"type": "output_text"}})
    row = [line(LAYOUTS[4], 0, b"a") for _ in range(20)]
    other = row[0].replace(b'"content_index":0', b'"content_index":1')
    check([b"".join([*begun(), *row]), b"".join([second, other, *row])], client)
    late = [line(LAYOUTS[0], 8 + at, b"a") for at in range(20)]
    check([b"".join([*begun(), line(LAYOUTS[0], 3, b"a"), *late])], client)


@pytest.mark.parametrize("response_id", ["", "resp_own"])
def test_renamed_deltas_are_what_each_would_be(response_id: str) -> None:
    row = b"".join(line(LAYOUTS[0], 3 + at, text) for at, text in enumerate([*SOUND, *ODD[:2]] * 3))
    stream = [b"".join([*begun(), event({"type": "keepalive"})]), row.replace(b"msg_", b"other_")]
    assert b'"delta":"' + "é".encode() in check(stream, "responses", response_id=response_id)[1]


# length --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("RUN-linear")
@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "not-trusted"])
def test_very_many_deltas_in_one_read(trusted: bool) -> None:
    """Few frames for very many events, and of what waits in the fold only the text."""
    count = 100_000
    read = b"".join([*begun(), *(line(LAYOUTS[0], 3 + at, b" word") for at in range(count))])
    machine, source = (
        repair(trusted=trusted, limit=64 << 20),
        Source(SSEReader(1 << 26), Redaction(), None, gathered=True),
    )
    told = machine.feed(source.feed(read))
    assert len(told) < 500
    assert sum(frame.count for frame in told) == count + len(begun())
    assert len(machine.fold._waiting) < 500
    end = machine.abort(StreamTruncated("The stream was cut."))
    assert output(end)[0]["content"][0]["text"] == " word" * count


@pytest.mark.proves("RUN-linear")
def test_rows_that_end_at_once_cost_no_more_than_their_length() -> None:
    """The address changes with every third delta; each of them is still told."""
    events = begun()
    for at in range(30_000):
        one = line(LAYOUTS[0], 3 + at, b"a")
        events.append(one if at % 3 else one.replace(b'"content_index":0', b'"content_index":1', 1))
    found = gathered(events)
    assert sum(frame.count for frame in found) == len(events)


@pytest.mark.proves("RUN-linear")
def test_a_very_long_text_between_rows() -> None:
    row = [line(LAYOUTS[0], 3 + at, b"a") for at in range(30)]
    row += [line(LAYOUTS[0], 33, b"x" * (32 << 20))]
    row += [line(LAYOUTS[0], 34 + at, b"a") for at in range(30)]
    told = check([b"".join([*begun(), *row])], "responses", limit=64 << 20)
    assert len(told[-1]["output"][0]["content"][0]["text"]) == (32 << 20) + 60
