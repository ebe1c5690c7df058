"""A long text that is told again is parsed once; what every event says is what parsing it gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import json
from gateway.core.frames import Frame
from gateway.core.longtext import LONG, LongText
from gateway.wire import sse
from gateway.wire.deltas import Gathering
from tests.pure.delta_rows import AT, DELTA, event

Json = dict[str, Any]

pytestmark = pytest.mark.proves("RUN-long")

TEXTS = ("x" * LONG, "é🌍" * LONG, 'a "quoted" \\ word, ' * LONG, "x" * (LONG + 1), "#" * LONG, ' ","a":"' * LONG)
ODD = (
    b'{"a":%b}',
    b'{"a":{"b":[1,{"c":%b}]},"d":"#"}',
    b'{"a":%b,"a":1}',
    b'{"a":1,"b":%b,"c":2,"b":%b}',
    b"{%b:1}",
    b"[%b,%b]",
    b"%b",
    b'{"a":"x\\%b"}',
    b'{"a":"x%b}',
    b'{"a":%b',
    b'{"a":%b,"b":"\xff"}',
    b'{"a":%b,"b":"\\ud83d","c":18446744073709551616}',
    b'{"a":"\\u0023","b":%b}',
    b'{"a":1}',
)
"""Documents that tell a text somewhere."""


def outcome(loads: Any) -> Any:
    try:
        return repr(loads())
    except ValueError as error:
        return type(error)


@settings(max_examples=150, deadline=None)
@given(
    told=st.lists(
        st.tuples(st.sampled_from(ODD), st.sampled_from(TEXTS), st.sampled_from([0, 0, 3]), st.integers(0, 2)),
        min_size=1,
        max_size=5,
    )
)
def test_each_document_is_read_as_if_it_were_the_only_one(told: list[tuple[bytes, str, int, int]]) -> None:
    shared = LongText()
    for form, text, shorter, before in told:
        written = json.dumps(text[shorter:])
        for document in (b'{"delta":%b}' % written, form.replace(b"%b", written)):
            raw = b" " * before + document + b"\n\n"
            end = before + len(document)
            alone = outcome(lambda document=document: json.loads_served(document))
            assert outcome(lambda raw=raw, end=end, before=before: shared.loads(raw, before, end)) == alone


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:9])
def test_it_is_the_same_text(text: str) -> None:
    shared = LongText()
    first, second = json.dumps({"delta": text}), json.dumps({"item": {"content": [{"text": text, "n": 1}]}})
    told = shared.loads(first, 0, len(first))["delta"]
    assert shared.loads(second, 0, len(second))["item"]["content"][0]["text"] is told


@pytest.mark.parametrize(
    "document",
    [
        json.dumps({"delta": "x" * LONG + "\ud83d"}),
        b'{"delta":"%b"}' % (b"\\u0061" * LONG),
        json.dumps({"a": {"delta": "x" * LONG}}),
        json.dumps(["x" * LONG]),
        json.dumps({"delta": "x" * (LONG - 1)}),
    ],
    ids=["half a character", "written in another way", "not at the top", "no object", "not long"],
)
def test_it_is_not_every_text(document: bytes) -> None:
    shared = LongText()
    said = json.loads_served(document)
    for _ in range(2):
        assert shared.loads(document, 0, len(document)) == said
    assert not shared._written


def test_the_events_of_a_stream_share_it() -> None:
    text = "A long text. " * 9000
    part = {"type": "output_text", "text": text, "annotations": []}
    events = [
        event({"type": DELTA, **AT, "delta": text}),
        event({"type": "response.output_text.done", **AT, "text": text}),
        event({"type": "response.content_part.done", **AT, "part": part}),
    ]
    reading = Gathering()
    found: list[Frame] = [frame for one in events for frame in reading.frames(one)]
    said = [found[0].data["delta"], found[1].data["text"], found[2].data["part"]["text"]]
    assert said[0] is said[1] is said[2]
    for frame, one in zip(found, events, strict=True):
        assert frame.raw is one, "not a byte is copied"
        (alone,) = sse.frames(one)
        assert frame.data == alone.data
    together = Gathering().frames(b"".join([b": comment\n\ndata: {}\n\n", *events]))
    assert [frame.data for frame in together[1:]] == [frame.data for frame in found]
