"""Properties: whatever chunks a server makes up, the stream is legal, ends once, and says what its JSON answer says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.frames import Frame
from gateway.dialects.chat.outbound.answer import read_response
from gateway.dialects.chat.outbound.quirks import Quirks
from tests.pure.inlet_streams import ECHO, END, chunk, final, inlet, play, raw, repaired, summary, tools
from tests.pure.invariants import check_response_stream

Json = dict[str, Any]

TEXT = st.text(alphabet='ab \n<>/think{}":1é🌍\ud83d\ude00\u2028', max_size=8) | st.sampled_from(
    ["<think>", "</think>", "\n\n", "{}", '{"k":1}', '{"input":"x"}', ""]
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


def sometimes(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what it should be; now and then anything."""
    return st.one_of(strategy, strategy, strategy, JUNK)


FRAGMENTS = st.fixed_dictionaries(
    {},
    optional={
        "index": sometimes(st.integers(0, 2)),
        "id": sometimes(st.sampled_from(["x", "y", "", "z"])),
        "type": sometimes(st.just("function")),
        "function": sometimes(
            st.fixed_dictionaries(
                {},
                optional={
                    "name": sometimes(st.sampled_from(["get", "put", "apply_patch", "crm__find", "tool_search", ""])),
                    "arguments": sometimes(TEXT),
                },
            )
        ),
    },
)
SOURCES = st.fixed_dictionaries(
    {"type": sometimes(st.just("url_citation"))}, optional={"url_citation": JUNK, "a": JUNK}
)
DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "role": sometimes(st.just("assistant")),
        "content": sometimes(
            TEXT | st.lists(st.fixed_dictionaries({"type": TEXT, "text": sometimes(TEXT)}), max_size=2)
        ),
        "reasoning_content": sometimes(TEXT),
        "reasoning": sometimes(TEXT),
        "reasoning_details": sometimes(st.lists(st.fixed_dictionaries({"text": sometimes(TEXT)}), max_size=2)),
        "refusal": sometimes(TEXT),
        "tool_calls": sometimes(st.lists(sometimes(FRAGMENTS), max_size=3)),
        "function_call": JUNK,
        "annotations": sometimes(st.lists(sometimes(SOURCES), max_size=2)),
    },
)
TOKENS = st.fixed_dictionaries({"content": sometimes(st.lists(sometimes(st.fixed_dictionaries({"token": TEXT}))))})
USAGE = st.fixed_dictionaries({}, optional={name: sometimes(st.integers(0, 9)) for name in ("prompt_tokens", "x")})
REASONS = st.none() | st.sampled_from(["stop", "length", "tool_calls", "content_filter", "error", "new"])
CHOICES = st.fixed_dictionaries(
    {"delta": sometimes(DELTAS)},
    optional={
        "index": st.sampled_from([0, None, 1]),
        "finish_reason": REASONS | JUNK,
        "logprobs": sometimes(TOKENS),
        "message": sometimes(DELTAS),
        "text": sometimes(TEXT),
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {"choices": sometimes(st.lists(CHOICES, max_size=2))},
    optional={"usage": sometimes(USAGE), "created": JUNK, "model": JUNK, "service_tier": JUNK, "x_groq": JUNK},
)
BROKEN = st.fixed_dictionaries({"error": JUNK}, optional={"choices": JUNK, "object": st.just("error"), "type": JUNK})
FRAMES = st.one_of(
    *[DOCUMENTS.map(raw)] * 12,
    BROKEN.map(raw),
    JUNK.map(raw),
    st.just(END),
    st.builds(raw, JUNK, st.sampled_from(["error", "ping", "message"])),
    st.binary(min_size=1, max_size=4).map(lambda payload: Frame(b"data: " + payload + b"\n\n", payload, "")),
)
QUIRKS = st.builds(Quirks, think_tags=st.booleans(), reasoning_as=st.sampled_from(["content", "summary"]))
LOGPROBS = ["message.output_text.logprobs"]


@pytest.mark.proves("CHAT-ANSWER-any")
@settings(max_examples=400, deadline=None)
@given(st.lists(FRAMES, max_size=12), QUIRKS, st.sampled_from([60, 1 << 20]))
def test_any_chunks_make_a_legal_stream_that_needs_no_repair(frames: list[Frame], quirks: Quirks, limit: int) -> None:
    stream = play(frames, quirks, open_bytes=limit, include=LOGPROBS)
    sent = repaired(stream, trusted=True)
    check_response_stream(sent)
    if final(stream)["usage"] is None or final(stream)["status"] != "failed":
        assert [frame.raw for frame in sent] == [frame.raw for frame in stream]
        assert [frame.raw for frame in repaired(stream, trusted=False)] == [frame.raw for frame in stream]


@pytest.mark.proves("CHAT-ANSWER-chunking")
@settings(max_examples=100, deadline=None)
@given(st.lists(FRAMES, max_size=8), QUIRKS)
def test_how_frames_are_read_changes_nothing(frames: list[Frame], quirks: Quirks) -> None:
    machine = inlet(quirks)
    one_by_one = [made.raw for frame in frames for made in machine.feed([frame])]
    one_by_one += [made.raw for made in machine.finish()]
    assert one_by_one == [frame.raw for frame in play(frames, quirks)]


@pytest.mark.proves("CHAT-ANSWER-deltas")
@settings(max_examples=200, deadline=None)
@given(st.lists(FRAMES, max_size=12), QUIRKS)
def test_the_deltas_are_the_whole_text(frames: list[Frame], quirks: Quirks) -> None:
    said: dict[tuple[Any, ...], str] = {}
    for event in (frame.data for frame in play(frames, quirks)):
        kind = event["type"]
        place = (event.get("item_id"), event.get("content_index"), event.get("summary_index"))
        if kind.endswith(".delta"):
            assert event["delta"].encode()
            said[place] = said.get(place, "") + event["delta"]
        elif kind.endswith((".output_text.done", "_text.done", "refusal.done", "_arguments.done", "_input.done")):
            names = ("text", "refusal", "arguments", "input")
            full = next(event[name] for name in names if name in event)
            told = said.get(place, "")
            assert full == told


WHOLE_CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from(["x", "y", ""]),
            "type": st.just("function"),
            "function": st.fixed_dictionaries(
                {
                    "name": st.sampled_from(["get", "apply_patch", "crm__find", "tool_search"]),
                    "arguments": st.sampled_from(["", "{}", '{"input":"x"}', '{"k":1}', {"k": 1}]),
                }
            ),
        }
    ),
    max_size=3,
)


@pytest.mark.proves("CHAT-ANSWER-same")
@settings(max_examples=200, deadline=None)
@given(
    st.lists(TEXT, max_size=4),
    st.lists(TEXT, max_size=4),
    st.lists(TEXT, max_size=2),
    WHOLE_CALLS,
    st.sampled_from(["stop", "length", "content_filter", "error"]),
    QUIRKS,
)
def test_a_stream_and_its_json_answer_say_the_same(
    thoughts: list[str], texts: list[str], refusals: list[str], calls: list[Json], reason: str, quirks: Quirks
) -> None:
    frames = [chunk(reasoning=text) for text in thoughts]
    frames += [chunk(content=text) for text in texts]
    frames += [chunk(refusal=text) for text in refusals]
    frames += [chunk(tool_calls=[{**call, "index": place}]) for place, call in enumerate(calls)]
    streamed = final(play([*frames, chunk(reason), END], quirks))
    message = {
        "role": "assistant",
        "reasoning": "".join(thoughts),
        "content": "".join(texts),
        "refusal": "".join(refusals),
        "tool_calls": calls,
    }
    document = {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": reason}]}
    answer = read_response(
        raw(document).data, tools=tools(), quirks=quirks, echo_body=ECHO, seed="seed", created=1790000000
    )
    assert summary(answer) == summary(streamed)
    assert {**answer, "output": []} == {**streamed, "output": []}
