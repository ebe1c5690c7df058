"""`include`: values that are kept and shown on request."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseIncludable

from gateway.core.include import INCLUDABLE, project, project_response

Json = dict[str, Any]

HIDDEN: dict[str, tuple[Json, Json]] = {
    "reasoning.encrypted_content": (
        {"type": "reasoning", "id": "rs_1", "encrypted_content": "x"},
        {"type": "reasoning", "id": "rs_1"},
    ),
    "message.output_text.logprobs": (
        {"type": "message", "content": [{"type": "output_text", "text": "a", "logprobs": [{}]}, {"type": "refusal"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "a", "logprobs": []}, {"type": "refusal"}]},
    ),
    "message.input_image.image_url": (
        {"role": "user", "content": [{"type": "input_image", "image_url": "data:,", "detail": "low"}, "odd"]},
        {"role": "user", "content": [{"type": "input_image", "image_url": None, "detail": "low"}, "odd"]},
    ),
    "file_search_call.results": (
        {"type": "file_search_call", "results": [{}]},
        {"type": "file_search_call", "results": None},
    ),
    "web_search_call.action.sources": (
        {"type": "web_search_call", "action": {"type": "search", "sources": [{}]}},
        {"type": "web_search_call", "action": {"type": "search"}},
    ),
    "web_search_call.results": (
        {"type": "web_search_call", "results": [{}]},
        {"type": "web_search_call", "results": None},
    ),
    "code_interpreter_call.outputs": (
        {"type": "code_interpreter_call", "outputs": [{}]},
        {"type": "code_interpreter_call", "outputs": None},
    ),
    "computer_call_output.output.image_url": (
        {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": "data:,"}},
        {"type": "computer_call_output", "output": {"type": "computer_screenshot"}},
    ),
}


@pytest.mark.proves("STATE-include")
@pytest.mark.parametrize("name", INCLUDABLE)
def test_a_value_is_shown_only_to_who_asks_for_it(name: str) -> None:
    item, shown = HIDDEN[name]
    assert project(item, ()) == project(item, set(INCLUDABLE) - {name}) == shown
    assert project(item, {name}) == project(item, INCLUDABLE) == item


@pytest.mark.proves("STATE-include")
def test_the_words_are_those_of_the_sdk() -> None:
    assert set(INCLUDABLE) == set(get_args(ResponseIncludable))


@pytest.mark.proves("STATE-include")
@pytest.mark.parametrize(
    "item",
    [
        {"type": "function_call", "results": [1], "encrypted_content": "x"},
        {"type": "compaction", "encrypted_content": "x"},
        {"type": "message", "content": "text"},
        {"type": "web_search_call", "action": None},
        {"type": "code_interpreter_call", "outputs": []},
        {"type": "reasoning", "summary": []},
    ],
)
def test_what_was_not_produced_stays_absent(item: Json) -> None:
    assert project(item, ()) is item


@pytest.mark.proves("STATE-include")
def test_a_whole_response_is_projected_and_its_items_are_not_touched() -> None:
    items = [item for item, _ in HIDDEN.values()]
    response = {"id": "resp_1", "output": items}
    assert project_response(response, ()) == {"id": "resp_1", "output": [shown for _, shown in HIDDEN.values()]}
    assert project_response(response, INCLUDABLE) == response
    assert project_response({"id": "resp_1"}, ()) == {"id": "resp_1", "output": []}


_VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "sources", "image_url", "logprobs"]), inner)
    ),
)


@given(
    st.sampled_from([item["type"] for item, _ in HIDDEN.values() if "type" in item]),
    st.dictionaries(st.sampled_from(["content", "action", "output", "results", "outputs"]), _VALUES),
    st.sets(st.sampled_from(INCLUDABLE)),
)
def test_any_item_is_projected_once_and_for_all(kind: str, fields: Json, wanted: set[str]) -> None:
    item = {"type": kind, **fields}
    shown = project(item, wanted)
    assert shown["type"] == kind
    assert project(shown, wanted) == shown
