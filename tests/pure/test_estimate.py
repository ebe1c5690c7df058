"""Input tokens without a tokenizer: what texts, items and tools are judged to have."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.core.compaction import sealed as sealed_summary
from gateway.core.estimate import input_tokens
from gateway.core.estimate.request import ANSWER, CALL, MESSAGE
from gateway.core.estimate.text import SAMPLED_CHARACTERS, text_tokens
from gateway.core.estimate.tools import HEADER, HOSTED
from gateway.core.seal import REASONING, sealed

Json = dict[str, Any]

PROSE = (
    "Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty, "
    "and dedicated to the proposition that all men are created equal. Now we are engaged in a great civil war, testing "
    "whether that nation, or any nation so conceived and so dedicated, can long endure. We are met on a great "
    "battle-field of that war. We have come to dedicate a portion of that field, as a final resting place for those "
    "who here gave their lives that that nation might live. It is altogether fitting and proper that we should do this."
)
CODE = """\
def total(prices: list[float], tax: float = 0.2) -> float:
    result = 0
    for price in prices:
        if price < 0:
            raise ValueError("negative price")
        result += price * (1 + tax)
    return result
"""
COMPACT_JSON = (
    '{"name":"London","country":"England","population":8866000,"capital":true,'
    '"languages":["English","French"],"river":null}'
)
INDENTED_JSON = json.dumps(json.loads(COMPACT_JSON), indent=2)
MARKDOWN = (
    "## Install\n\n- Download the package.\n- Run `make install`.\n\nSee the [guide](https://example.com/guide).\n"
)

COUNTED = [
    pytest.param(PROSE, 116, id="prose"),
    pytest.param(CODE, 61, id="code"),
    pytest.param(COMPACT_JSON, 29, id="JSON"),
    pytest.param(INDENTED_JSON, 52, id="indented JSON"),
    pytest.param(MARKDOWN, 26, id="Markdown"),
]
"""Texts cut by hand into the pieces of o200k. They have no rare words, so that each piece is one token."""


# texts ----------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("ESTIMATE-text")
@pytest.mark.parametrize(("text", "count"), COUNTED)
def test_a_text_is_judged_within_15_percent(text: str, count: int) -> None:
    assert text_tokens([text]) == pytest.approx(count, rel=0.15)


SCRIPTS = [
    pytest.param("今天天气很好，我们一起去公园散步，然后在湖边吃午饭。孩子们非常高兴。", 0.7, 1.0, id="Chinese"),
    pytest.param("今日は天気がいいので、公園まで散歩して、湖のそばで昼ご飯を食べました。", 0.7, 1.0, id="Japanese"),
    pytest.param("오늘은 날씨가 좋아서 공원까지 산책하고 호숫가에서 점심을 먹었습니다.", 0.45, 0.75, id="Korean"),
    pytest.param(
        "Сегодня хорошая погода, и мы пошли гулять в парк, а потом обедали у озера.", 0.22, 0.35, id="Russian"
    ),
    pytest.param("Σήμερα ο καιρός είναι καλός και πήγαμε βόλτα στο πάρκο δίπλα στη λίμνη.", 0.3, 0.45, id="Greek"),
    pytest.param("Heute ist schönes Wetter, und wir gingen im Park spazieren und aßen am See.", 0.2, 0.32, id="German"),
    pytest.param(
        "Dziś jest ładna pogoda, więc poszliśmy na spacer i zjedliśmy obiad nad jeziorem.", 0.25, 0.42, id="Polish"
    ),
    pytest.param("اليوم الطقس جميل وذهبنا في نزهة إلى الحديقة ثم تناولنا الغداء عند البحيرة.", 0.2, 0.35, id="Arabic"),
    pytest.param("😀🎉🚀", 1.0, 2.0, id="emoji"),
]
"""Tokens a character, at least and at most, in published counts of texts of the kind."""


@pytest.mark.proves("ESTIMATE-text")
@pytest.mark.parametrize(("text", "least", "most"), SCRIPTS)
def test_other_scripts_are_judged_by_the_character(text: str, least: float, most: float) -> None:
    assert least < text_tokens([text]) / len(text) < most


RUNS = [
    pytest.param("-" * 78, 1, 3, id="a ruler"),
    pytest.param("-" * 6400, 100, 110, id="a long ruler"),
    pytest.param(" " * 40_000, 300, 330, id="spaces"),
    pytest.param("\n" * 1000, 60, 66, id="empty lines"),
    pytest.param("word" + " " * 50, 2, 2.1, id="a padded word"),
    pytest.param("12345678901234567890", 7, 7, id="digits"),
    pytest.param("2026-07-27 09:30:00", 12, 12, id="a time"),
    pytest.param("supercalifragilisticexpialidocious", 4, 11, id="a long word"),
    pytest.param("README", 1, 2, id="capitals"),
    pytest.param("HTTPServer", 2, 4, id="capitals in front"),
    pytest.param("?!?!?!?!", 2, 4, id="a mixture of signs"),
    pytest.param("I'm sure it's theirs", 4, 5, id="contractions"),
]


@pytest.mark.proves("ESTIMATE-text")
@pytest.mark.parametrize(("text", "least", "most"), RUNS)
def test_runs_and_odd_words_cost_what_their_pieces_do(text: str, least: float, most: float) -> None:
    assert least <= text_tokens([text]) <= most


@pytest.mark.proves("ESTIMATE-bounded")
@given(st.lists(st.text(max_size=60), max_size=6), st.text(max_size=60))
@example(["word\t"], "\x01")
@example([" "], " ")
def test_texts_are_judged_apart_from_each_other(texts: list[str], another: str) -> None:
    """But for the share of marked letters, which is that of all texts together."""
    alone = text_tokens([another])
    together, before = text_tokens([*texts, another]), text_tokens(texts)
    assert together >= max(before, alone) * 0.45 - 1e-9
    assert text_tokens([]) == text_tokens([""]) == 0
    if another.isascii() and all(text.isascii() for text in texts):
        assert together == pytest.approx(before + alone)


@pytest.mark.proves("ESTIMATE-bounded")
@pytest.mark.parametrize(
    "text", [PROSE + "\n", CODE, "研磨的速度越慢，产生的热量越少。", "{}[]?!"], ids=["prose", "code", "Han", "signs"]
)
def test_a_long_text_is_judged_by_samples_about_as_in_whole(text: str) -> None:
    times = 3 * SAMPLED_CHARACTERS // len(text)
    assert text_tokens([text * times]) == pytest.approx(text_tokens([text]) * times, rel=0.05)


@pytest.mark.proves("ESTIMATE-bounded")
@pytest.mark.parametrize("unit", ["A", " ", "\n", "?", "-A", " \t", "é", "'s", "研"])
def test_no_text_is_looked_at_again_and_again(unit: str) -> None:
    """As long as one can be without samples, of runs that end otherwise than they begin: squared, it would not end."""
    assert text_tokens([unit * ((SAMPLED_CHARACTERS - 2) // len(unit)) + "x1"]) > 100


# items ----------------------------------------------------------------------------------------------------------------


def of_input(*items: Any, **fields: Any) -> int:
    """The tokens of these items, without the beginning of the answer."""
    return input_tokens({"input": list(items), **fields}) - ANSWER


@pytest.mark.proves("ESTIMATE-items")
def test_a_text_is_a_message_and_the_answer_is_begun() -> None:
    assert input_tokens({}) == input_tokens({"input": None, "instructions": "", "tools": []}) == ANSWER
    assert input_tokens({"input": "Tell me a joke."}) == 5 + MESSAGE + ANSWER == 11
    assert of_input({"role": "user", "content": "Tell me a joke."}) == 5 + MESSAGE
    parts = [{"type": "input_text", "text": "Tell me"}, {"type": "input_text", "text": " a joke."}]
    assert of_input({"type": "message", "id": "msg_1", "role": "user", "content": parts}) == 5 + MESSAGE
    assert of_input(instructions="Tell me a joke.") == 5 + MESSAGE
    refusal = {"type": "refusal", "refusal": "Not that."}
    said = {
        "type": "output_text",
        "text": "Tell me a joke.",
        "annotations": [{"type": "x", "text": "y"}],
        "logprobs": [],
    }
    assert of_input({"role": "assistant", "status": "completed", "content": [said, refusal]}) == 5 + 3 + MESSAGE


@pytest.mark.proves("ESTIMATE-items")
def test_a_call_and_its_result_count_with_their_frames() -> None:
    arguments = '{"city":"Oslo"}'
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": arguments}
    texts = round(text_tokens(["weather", arguments]))
    assert of_input(call) == CALL + texts
    output: Json = {"type": "function_call_output", "call_id": "call_1", "output": "It is sunny."}
    assert of_input(output) == CALL + 4
    assert of_input({**output, "output": [{"type": "input_text", "text": "It is sunny."}]}) == CALL + 4
    custom = {"type": "custom_tool_call", "call_id": "call_2", "name": "run", "namespace": "code", "input": "one two"}
    assert of_input(custom) == CALL + 4


@pytest.mark.proves("ESTIMATE-items")
def test_an_item_that_nobody_knows_counts_as_what_is_in_it() -> None:
    item = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "Oslo"},
    }
    assert CALL < of_input(item) < CALL + 12
    assert of_input({"type": "tomorrow", "deep": [{"er": [1, True, None, 2.5]}]}) > MESSAGE
    assert of_input({"type": "item_reference", "id": "msg_1"}) == MESSAGE
    assert of_input(None, 7, {"type": 7, "content": "Hi"}) > MESSAGE


@pytest.mark.proves("ESTIMATE-items")
def test_reasoning_and_summaries_count_by_what_is_sealed_in_them() -> None:
    words = [{"type": "summary_text", "text": "one two three"}]
    assert of_input({"type": "reasoning", "summary": words}) == MESSAGE + 3
    thoughts = [{"type": "reasoning_text", "text": "one two three four"}]
    assert of_input({"type": "reasoning", "summary": words, "content": thoughts}) == MESSAGE + 4
    ours = sealed(REASONING, "one two three four five")
    assert of_input({"type": "reasoning", "summary": words, "encrypted_content": ours}) == MESSAGE + 5
    theirs = {"type": "reasoning", "summary": words, "encrypted_content": "g" * 4000}
    assert of_input(theirs) == MESSAGE + (3000 - 650) // 4
    assert of_input({**theirs, "encrypted_content": "gAAA"}) == MESSAGE
    assert of_input({"type": "compaction", "encrypted_content": sealed_summary("one two")}) == MESSAGE + 2
    assert of_input({"type": "compaction", "encrypted_content": "g" * 4000}) == of_input(theirs)
    assert of_input({"type": "compaction_summary"}) == MESSAGE


@pytest.mark.proves("ESTIMATE-items")
def test_the_schema_of_an_answer_counts() -> None:
    wanted = {"type": "json_schema", "name": "place", "schema": {"type": "object", "properties": {"city": {}}}}
    assert 20 < of_input(text={"format": wanted, "verbosity": "low"}) < 35
    assert of_input(text={"format": {"type": "text"}}) == of_input(text={}) == of_input(text="x") == 0


# tools ----------------------------------------------------------------------------------------------------------------


def function(parameters: Any = None, **fields: Any) -> Json:
    return {"type": "function", "name": "get_weather", "parameters": parameters, **fields}


def of_tools(*tools: Any) -> int:
    return of_input(tools=list(tools)) - HEADER


def schema(**properties: Any) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)[:1], "additionalProperties": False}


@pytest.mark.proves("ESTIMATE-items")
def test_a_function_counts_as_the_type_that_models_are_told() -> None:
    bare = of_tools(function())
    assert 8 <= bare <= 12
    assert of_tools(function(schema())) == of_tools(function([])) == bare
    described = of_tools(function(description="The weather."))
    assert bare + 4 <= described <= bare + 5
    one = of_tools(function(schema(city={"type": "string"})))
    assert bare + 5 <= one <= bare + 10
    told = {"type": "string", "description": "Name of the city.", "minLength": 1}
    assert of_tools(function(schema(city=told))) > one + 8
    assert of_tools(function(schema(city={"type": "string", "title": "City", "$id": "x"}))) == one
    assert of_tools(function(), "nonsense", function()) == pytest.approx(2 * bare, abs=1)


SHAPES = [
    pytest.param({"enum": ["low", "high", 3, None]}, id="enum"),
    pytest.param({"anyOf": [{"type": "string"}, {"type": "null"}, True]}, id="anyOf"),
    pytest.param({"type": ["string", "null"]}, id="types"),
    pytest.param({"type": "array", "items": {"type": "string"}}, id="array"),
    pytest.param({"const": "fixed"}, id="const"),
    pytest.param({"$ref": "#/$defs/place", "$defs": {"place": {"type": "string"}}}, id="reference"),
    pytest.param(schema(inner={"type": "object"}, other={"type": "integer"}), id="object"),
    pytest.param({"type": "array", "items": {"oneOf": [schema(a={}), schema(b={})]}}, id="nested"),
    pytest.param({"properties": {"a": 7}, "required": 7}, id="odd"),
]


@pytest.mark.proves("ESTIMATE-items")
@pytest.mark.parametrize("shape", SHAPES)
def test_every_form_of_a_schema_counts_with_less_than_its_json(shape: Json) -> None:
    without = of_tools(function(schema(city={})))
    assert without <= of_tools(function(schema(city=shape)))
    tool = function(schema(city=shape))
    assert of_tools(tool) <= text_tokens([json.dumps(tool)])


@pytest.mark.proves("ESTIMATE-items")
def test_other_tools_count_by_what_is_known_of_them() -> None:
    custom = {"type": "custom", "name": "run_code", "description": "Runs code.", "format": {"type": "text"}}
    assert 12 < of_tools(custom) < 30
    spaced = {"type": "namespace", "name": "files", "description": "Files.", "tools": [function(), custom]}
    assert of_tools(spaced) > of_tools(function(), custom)
    assert of_tools({**spaced, "tools": None}) < 10
    assert of_tools({"type": "web_search"}) == HOSTED
    assert (
        HOSTED < of_tools({"type": "mcp", "server_label": "deep", "server_description": "Reads wikis."}) < HOSTED + 30
    )
    later = {"type": "tool_search_output", "call_id": "call_1", "tools": [function()]}
    assert of_input(later) == CALL + HEADER + of_tools(function())
    assert of_input({"type": "additional_tools", "tools": []}) == MESSAGE


# anything -------------------------------------------------------------------------------------------------------------


def words(text: str) -> st.SearchStrategy[str]:
    """One of the words of a text."""
    return st.sampled_from(text.split())


KINDS = words(
    """message reasoning compaction function_call function_call_output custom_tool_call image_generation_call
    input_image input_file input_text output_text additional_tools tool_search_output web_search_call item_reference
    function custom namespace mcp computer_call_output computer_screenshot image_url json_schema"""
)
NAMES = words(
    """type role content text output arguments name namespace tools parameters properties required enum items anyOf
    $defs description image_url file_data encrypted_content summary detail url result format schema id status"""
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | KINDS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=15
)
FIELDS = st.sampled_from(["input", "instructions", "tools", "text"])


@pytest.mark.proves("ESTIMATE-bounded")
@given(st.dictionaries(FIELDS, VALUES | st.lists(VALUES, max_size=3)))
@settings(max_examples=300, deadline=None)
def test_no_body_raises(body: Json) -> None:
    assert input_tokens(body) >= ANSWER


@pytest.mark.proves("ESTIMATE-bounded")
def test_a_body_may_be_as_deep_as_the_gateway_reads() -> None:
    deep: Any = "x"
    wide: Any = {"type": "string"}
    for _ in range(240):
        deep = [{"a": deep}]
        wide = {"items": {"anyOf": [wide]}}
    assert input_tokens({"input": [{"role": "user", "content": deep}], "tools": [function(schema(city=wide))]}) > 240
