"""Properties: arbitrary JSON never crashes the decoder, histories survive, streams and JSON answers agree."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import json as lenient_json
from gateway.dialects import Choices
from gateway.dialects.chat import DIALECT, ChatExchange
from gateway.errors import GatewayError
from tests.pure.chat_frames import (
    call,
    custom_call,
    events_of,
    exchange,
    frames,
    items_of,
    message,
    reasoning,
    response,
    stream,
    text_part,
)
from tests.pure.chat_invariants import fold

Json = dict[str, Any]


def words(text: str) -> st.SearchStrategy[str]:
    """One of the words of a text."""
    return st.sampled_from(text.split())


TEXT = st.text(alphabet="ab#\n é🌍\u2028", max_size=12)
LEAVES = st.none() | st.booleans() | st.integers(-5, 5000) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)
KEYS = words(
    """model messages input instructions include text stream stream_options store metadata max_tokens temperature n stop
    reasoning_effort verbosity response_format tools functions tool_choice function_call parallel_tool_calls thinking
    web_search_options logprobs top_logprobs modalities user reasoning role content tool_calls tool_call_id name type
    function custom id arguments image_url url file file_data input_audio json_schema schema strict allowed_tools mode
    refusal audio annotations call_id output format grammar parameters top_k"""
)
WORDS = words(
    """m user assistant tool system developer function custom text image_url file input_audio json_schema json_object
    auto none required get allowed_tools web_search namespace message function_call function_call_output reasoning
    item_reference commentary input_text refusal"""
)
SHAPED = st.recursive(
    LEAVES | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)
DOCUMENTS = st.builds(
    lambda fields, messages: {**fields, "model": "m", **({"messages": messages} if messages else {})},
    st.dictionaries(KEYS, SHAPED, max_size=6),
    st.lists(st.dictionaries(KEYS, SHAPED, max_size=6) | SHAPED, max_size=4),
)
CHOICES = st.builds(
    Choices,
    unsupported=st.sampled_from(["default", "strict", "lenient"]),
    reasoning=st.sampled_from(["reasoning_content", "reasoning", "think", "hide"]),
)


@pytest.mark.proves("CHAT-any-json")
@settings(max_examples=200, deadline=None)
@given(DOCUMENTS | st.dictionaries(TEXT | KEYS, ANYTHING, max_size=5), CHOICES)
def test_any_json_is_translated_or_refused_with_a_4xx(document: Json, choices: Choices) -> None:
    before = json.dumps(document)
    try:
        asked = DIALECT.decode(document, choices)
    except GatewayError as error:
        assert 400 <= error.status < 500
        assert error.message
    else:
        assert isinstance(asked.request.body["input"], list)
        assert asked.request.body["store"] in (True, False)
        assert all(isinstance(item, dict) for item in asked.request.body["input"])
        lenient_json.dumps(asked.request.body)
        for param in ("input[0].content[0].text", "tools[0].name", "text.format.schema", "reasoning.effort"):
            asked.client_param(param)
    assert json.dumps(document) == before


@pytest.mark.proves("CHAT-any-json")
@settings(max_examples=100, deadline=None)
@given(DOCUMENTS, st.text(alphabet="input.[]0123tools_x", max_size=20))
def test_any_inner_name_has_a_client_name_or_none(document: Json, param: str) -> None:
    try:
        asked = DIALECT.decode(document, Choices())
    except GatewayError:
        return
    found = asked.client_param(param)
    assert found is None or isinstance(found, str)


IDS = st.lists(st.text(alphabet="abc_-.é", min_size=1, max_size=80), min_size=1, max_size=4, unique=True)


@pytest.mark.proves("CHAT-round-trip")
@settings(max_examples=100, deadline=None)
@given(IDS, st.data())
def test_a_tool_history_survives_the_way_in_and_out(ids: list[str], data: st.DataObject) -> None:
    """Chat → inner → chat keeps names, arguments, texts and order; ids stay paired and stay different."""
    text = data.draw(TEXT)
    names = [data.draw(st.sampled_from(["get", "put.it", "x" * 70])) for _ in ids]
    arguments = [data.draw(st.sampled_from(["{}", '{"k":1}', '{"k":"é"}'])) for _ in ids]
    calls = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": given_arguments}}
        for call_id, name, given_arguments in zip(ids, names, arguments, strict=True)
    ]
    order = data.draw(st.permutations(ids))
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": text, "tool_calls": calls},
        *({"role": "tool", "tool_call_id": call_id, "content": f"result of {call_id}"} for call_id in order),
    ]
    tools = [{"type": "function", "function": {"name": name}} for name in dict.fromkeys(names)]
    asked = exchange(messages=messages, tools=tools)
    items = asked.request.body["input"][1:]
    said = [item for item in items if item["type"] != "function_call_output"]
    outputs = [item for item in items if item["type"] == "function_call_output"]
    choice = json.loads(asked.encode_response(response(*said)))["choices"][0]["message"]
    assert (choice["content"] or "") == text
    assert [entry["function"] for entry in choice["tool_calls"]] == [entry["function"] for entry in calls]
    wire = [entry["id"] for entry in choice["tool_calls"]]
    assert len(set(wire)) == len(ids)
    assert all(len(call_id) <= 64 for call_id in wire)
    back = dict(zip(wire, ids, strict=True))
    assert [back[item["call_id"]] for item in outputs] == order
    assert [item["output"] for item in outputs] == [f"result of {call_id}" for call_id in order]


CITATION = st.builds(
    lambda start, url: {"type": "url_citation", "start_index": start, "end_index": start + 1, "url": url, "title": "t"},
    st.integers(0, 3),
    st.sampled_from(["u", "v"]),
)
PARTS = st.builds(
    lambda text, notes: text_part(text, annotations=notes), TEXT, st.lists(CITATION, max_size=2)
) | st.builds(lambda text: {"type": "refusal", "refusal": text}, TEXT)
PHASES = st.sampled_from([None, "commentary", "final_answer"])
THOUGHTS = st.sampled_from(["summary", "content"])
ITEMS = (
    st.builds(lambda parts, phase: message(*parts, phase=phase), st.lists(PARTS, max_size=2), PHASES)
    | st.builds(lambda texts, kind: reasoning(*texts, kind=kind), st.lists(TEXT, max_size=2), THOUGHTS)
    | st.builds(lambda arguments: call(arguments=arguments), st.sampled_from(["", "{}", '{"k":"é"}']))
    | st.builds(lambda text: custom_call(text=text), TEXT)
    | st.just({"id": "ws_1", "type": "web_search_call"})
)
ENDS = st.sampled_from([{}, {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}])
ASKED = st.sampled_from(
    [
        {},
        {"stop": ["##", "ab"]},
        {"stop": "#\n"},
        {"response_format": {"type": "json_object"}},
        {"functions": [{"name": "get"}]},
    ]
)


def renamed(output: list[Json]) -> list[Json]:
    """The same items with ids of their own, as a repaired upstream sends them."""
    own = []
    for index, item in enumerate(output):
        fields = {"id": f"{item['id']}_{index}"}
        if "call_id" in item:
            fields["call_id"] = f"call_{index}"
        own.append({**item, **fields})
    return own


def agree(asked: ChatExchange, streamed: str, answer: Json) -> None:
    folded = fold(streamed, usage_asked=True)
    choice = answer["choices"][0]
    said = choice["message"]
    assert folded.content == (said["content"] or "")
    assert folded.texts.get("refusal") == said["refusal"]
    for field in ("reasoning_content", "reasoning"):
        assert folded.texts.get(field) == said.get(field)
    assert folded.annotations == said["annotations"]
    assert folded.calls == said.get("tool_calls", [])
    assert folded.function_call == said.get("function_call")
    assert folded.finish == choice["finish_reason"]
    assert folded.usage in (answer["usage"], None)
    assert (folded.usage is None) <= bool(asked.wishes.stop)
    assert folded.chunks[0]["id"] == answer["id"]
    assert (folded.chunks[0]["created"], folded.chunks[0]["model"]) == (answer["created"], answer["model"])


@pytest.mark.proves("CHAT-stream-is-json", "CASE-76", "CASE-69")
@settings(max_examples=200, deadline=None)
@given(st.lists(ITEMS, max_size=4), CHOICES, ASKED, ENDS, st.integers(1, 9), st.booleans(), st.booleans())
def test_the_folded_stream_is_the_json_answer(
    output: list[Json], choices: Choices, fields: Json, end: Json, size: int, empty: bool, deltas: bool
) -> None:
    """Also when the terminal's output is empty, and when nothing came before the terminal."""
    native = Choices(reasoning=choices.reasoning, custom_calls="native")
    asked = exchange(native, stream=True, stream_options={"include_usage": True}, **fields)
    if "functions" in fields:
        output = [item for item in output if item["type"] != "custom_tool_call"]
    final = response(*renamed(output), **end)
    events = events_of(final, size, empty_output=empty)
    if not deltas:
        events = [events[0], {**events[-1], "response": final}]
    agree(asked, stream(asked, events), json.loads(asked.encode_response(final)))


@pytest.mark.proves("CHAT-any-read")
@settings(max_examples=100, deadline=None)
@given(st.lists(ITEMS, min_size=1, max_size=3), st.data())
def test_how_frames_are_read_together_changes_nothing(output: list[Json], data: st.DataObject) -> None:
    events = events_of(response(*renamed(output)), 2)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=5)))
    encoder = exchange(stream=True).stream_encoder(5)
    pieces = [events[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    assert b"".join(encoder.feed(frames(piece)) for piece in pieces).decode() == stream(exchange(stream=True), events)


FIELDS = words(
    """output_index content_index summary_index item_id item part delta text refusal arguments input response
    annotation error logprobs"""
)
NOISE = st.dictionaries(FIELDS, SHAPED, max_size=5)
KINDS = words(
    """response.created response.output_item.added response.output_item.done response.content_part.done
    response.output_text.delta response.output_text.done response.refusal.delta response.refusal.done
    response.reasoning_text.delta response.reasoning_summary_part.done response.function_call_arguments.delta
    response.function_call_arguments.done response.custom_tool_call_input.delta response.output_text.annotation.added
    response.failed error"""
)


@pytest.mark.proves("CHAT-any-events")
@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(KINDS, NOISE), max_size=6))
def test_any_events_give_a_legal_stream(noise: list[tuple[str, Json]]) -> None:
    events = [{**fields, "type": kind} for kind, fields in noise]
    item = {"type": ["message"], "content": [{"type": []}]}
    end = {"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "output": [item, 5]}}
    told = exchange(stream=True, logprobs=True).stream_encoder(5).feed(frames([*events, end]))
    fold(told.decode())


def test_the_history_of_a_real_agent_keeps_its_order() -> None:
    asked = {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "get", "arguments": "{}"}}]}
    result = {"role": "tool", "tool_call_id": "c1", "content": "ok"}
    turn: list[Json] = [{"role": "user", "content": "hi"}, asked, result, {"role": "assistant", "content": "done"}]
    assert [item.get("role", item["type"]) for item in items_of(*turn, *turn)] == [
        "user",
        "function_call",
        "function_call_output",
        "assistant",
    ] * 2
