"""Chunks of one form are not parsed. What comes out is what reading each of them gives, whatever a server sends."""

from __future__ import annotations

import json as ascii_json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import json
from gateway.core.frames import Frame
from gateway.dialects.chat.outbound.form import TRIES, Form
from gateway.dialects.chat.outbound.quirks import Quirks
from tests.pure.inlet_streams import END, STREAMS, chunk, final, inlet, play, quirks_for
from tests.pure.invariants import read

Json = dict[str, Any]

TEXTS: st.SearchStrategy[Any] = st.sampled_from(
    ["a", " b", "", "\n", "é", "\ud83d", "\ude00", "🌍", '"\\', "<think>", "</think>", '","content":"x', None, 7]
)
FIELDS = st.sampled_from(["content", "content", "content", "reasoning_content", "reasoning", "refusal"])
DELTA_MORE: tuple[Json, ...] = (
    {},
    {},
    {"role": "assistant"},
    {"content": None},
    {"reasoning_content": ""},
    {"refusal": "no"},
    {"content": []},
    {"tool_calls": [{"index": 0, "function": {"name": "get", "arguments": "{}"}}]},
)
CHOICE_MORE: tuple[Json, ...] = (
    {},
    {},
    {},
    {"finish_reason": "stop"},
    {"index": 1},
    {"error": {"message": "m"}},
    {"usage": {"prompt_tokens": 3}},
    {"logprobs": {"content": [{"token": "a", "logprob": -1}]}},
    {"message": {"content": "m"}},
    {"text": "t"},
)
TOP_MORE: tuple[Json, ...] = (
    {},
    {},
    {},
    {"usage": {"prompt_tokens": 3}},
    {"x_groq": {"usage": {"prompt_tokens": 4}}},
    {"error": {"message": "m"}},
    {"object": "error"},
    {"type": "error"},
    {"service_tier": "flex"},
    {"service_tier": "auto"},
    {"choices": []},
)


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[Json, bool, str]]:
    """Chunks in runs of one form: the document, whether it is written in ASCII, and the name of the event."""
    told = []
    for _ in range(draw(st.integers(1, 4))):
        field = draw(FIELDS)
        more, choice, top = (draw(st.sampled_from(some)) for some in (DELTA_MORE, CHOICE_MORE, TOP_MORE))
        name = draw(st.sampled_from(["", "", "", "error", "message"]))
        in_ascii = draw(st.booleans())
        for text in draw(st.lists(TEXTS, max_size=5)):
            delta = {field: text, **more} if draw(st.booleans()) else {**more, field: text}
            told.append(({"id": "x", "choices": [{"index": 0, "delta": delta, **choice}], **top}, in_ascii, name))
    return told


def written(document: Json, in_ascii: bool, name: str) -> Frame:
    text = ascii_json.dumps(document).encode() if in_ascii else json.dumps(document)
    head = b"event: %b\n" % name.encode() if name else b""
    return read(head + b"data: " + text + b"\n\n")[0]


@pytest.mark.proves("RUN-form")
@settings(max_examples=500, deadline=None)
@given(streams(), st.booleans(), st.booleans(), st.sampled_from([30, 1 << 20]))
def test_chunks_of_one_form_say_what_chunks_that_differ_say(
    told: list[tuple[Json, bool, str]], tags: bool, tokens: bool, limit: int
) -> None:
    alike = [written(*one) for one in told]
    padded = [written({**one[0], "padding": place}, one[1], one[2]) for place, one in enumerate(told)]
    include = ["message.output_text.logprobs"] if tokens else []
    sent = play(alike, Quirks(think_tags=tags), open_bytes=limit, include=include)
    other = play(padded, Quirks(think_tags=tags), open_bytes=limit, include=include)
    assert [frame.raw for frame in sent] == [frame.raw for frame in other]


class Unread(Form):
    """Knows no form."""

    def learn(self, frame: Frame, chunk: Json) -> None:
        pass


@pytest.mark.proves("RUN-form")
@pytest.mark.parametrize("name", sorted(STREAMS))
def test_recorded_streams_say_the_same(name: str) -> None:
    frames, machine = read(STREAMS[name]), inlet(quirks_for(name))
    machine._form = Unread()
    every_one_read = machine.feed(frames) + machine.finish()
    assert [frame.raw for frame in play(frames, quirks_for(name))] == [frame.raw for frame in every_one_read]


# one form ------------------------------------------------------------------------------------------------------------


def learned(frame: Frame) -> Form:
    form = Form()
    form.learn(frame, frame.data)
    return form


HELLO = chunk(content="Hello")


@pytest.mark.proves("RUN-form")
@pytest.mark.parametrize("text", [" you", "é🌍", '"\\\n', '","content":"', "x" * 100_000])
def test_a_chunk_like_the_last_one_is_not_parsed(text: str) -> None:
    form = learned(HELLO)
    assert form.text_in(chunk(content=text)) == text
    assert not form.thought


@pytest.mark.proves("RUN-form")
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_a_thought_like_the_last_one_is_not_parsed(field: str) -> None:
    first: Json = {field: "Hm"}
    following: Json = {field: " so"}
    form = learned(chunk(**first))
    assert form.text_in(chunk(**following)) == " so"
    assert form.thought


@pytest.mark.proves("RUN-form")
@pytest.mark.parametrize(
    "other",
    [
        chunk(content=""),
        chunk(content=7),
        chunk(content=None),
        chunk(content=["a"]),
        chunk(content="a", refusal="no"),
        chunk("stop", content="a"),
        chunk(content="a", top={"service_tier": "flex"}),
        Frame(b"", HELLO.payload.replace(b"Hello", b'a","role":"tool'), ""),
        Frame(b"", HELLO.payload.replace(b"Hello", b"\xff"), ""),
        Frame(b"", HELLO.payload.replace(b'"Hello"', b""), ""),
        Frame(b"", HELLO.payload, "error"),
        END,
    ],
)
def test_any_other_chunk_has_to_be_read(other: Frame) -> None:
    assert learned(HELLO).text_in(other) == ""


@pytest.mark.parametrize(
    "unlike",
    [
        chunk(content="a", refusal="no"),
        chunk(content=["a"]),
        chunk(role="assistant"),
        chunk("stop", content="a"),
        chunk(content="a", choice={"delta": None}),
        chunk(content="a", choice={"error": {"message": "m"}}),
        chunk(content="a", top={"usage": {"prompt_tokens": 1}}),
        chunk(content="a", top={"choices": []}),
        chunk(content="a", top={"choices": [1]}),
        chunk(content="a", top={"object": "error"}),
        chunk(content="a", top={"type": "error"}),
        Frame(b"", b'{"choices":[{"delta":{"content" : "a"}}]}', ""),
        Frame(b"", b'{"choices":[{"delta":{"content":"a","content":"b"}}]}', ""),
        Frame(b"", b'{"x":{"content":"a"},"choices":[{"delta":{"content":"b"}}]}', ""),
    ],
)
def test_a_chunk_that_says_more_has_no_form(unlike: Frame) -> None:
    form = learned(HELLO)
    form.learn(unlike, unlike.data)
    assert form.text_in(unlike) == ""
    assert form.text_in(HELLO) == "", "only chunks like the last one are of its form"


@pytest.mark.proves("RUN-linear")
@pytest.mark.parametrize("piece", ["x", "\n", "é"])
def test_the_form_of_a_very_long_chunk(piece: str) -> None:
    assert learned(chunk(content=piece * (8 << 20))).text_in(HELLO) == "Hello"


def test_a_chunk_nested_beyond_writing_has_no_form() -> None:
    deep: Json = {}
    for _ in range(100_000):
        deep = {"a": deep}
    learned(Frame.of({**HELLO.data, "deep": deep}))


def test_forms_are_not_looked_for_where_every_chunk_is_numbered() -> None:
    numbered = [chunk(content="a", top={"id": str(place)}) for place in range(TRIES + 1)]
    form = Form()
    for frame in numbered:
        assert form.text_in(frame) == ""
        form.learn(frame, frame.data)
    assert form.text_in(numbered[-1]) == ""


def test_a_form_that_fits_is_reason_to_look_for_the_next() -> None:
    form = Form()
    for place in range(TRIES * 3):
        frame = chunk(content="a", top={"created": place})
        form.learn(frame, frame.data)
        assert form.text_in(frame) == "a"


@pytest.mark.proves("RUN-form")
def test_a_text_of_one_form_is_whole() -> None:
    words = [f" word {place}" for place in range(500)]
    frames = play([*[chunk(content=word) for word in words], chunk("stop"), END])
    assert final(frames)["output"][0]["content"][0]["text"] == "".join(words)
