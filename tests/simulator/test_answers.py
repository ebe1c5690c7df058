"""What the simulator says by itself."""

from __future__ import annotations

from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.simulator.answers import answer, pieces
from gateway.simulator.asks import Ask, Tool, read_chat, read_responses
from gateway.simulator.samples import Sampler
from tests.simulator.asking import CLOCK, WEATHER, turn, user


def steps(**changes: Any) -> list[Any]:
    """The default steps of a request, texts joined."""
    body = turn(**changes)
    found = answer(read_responses(body)).steps or ()
    return [{**step, "text": "".join(step["text"])} if "text" in step else dict(step) for step in found]


@pytest.mark.proves("SIM-default-text")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Reply with exactly: PONG  ", "PONG"),
        ("Please reply with exactly: two\nlines", "two\nlines"),
        ("Hello", "(simulated) You said: Hello"),
        ([{"type": "input_text", "text": "Look"}, {"type": "input_image", "image_url": "x"},
          {"type": "input_file", "filename": "a.pdf"}],
         "(simulated) You said: Look With it came an image, a file (a.pdf)."),
    ],
    ids=["exact", "exact over lines", "echo", "attachments"],
)  # fmt: skip
def test_a_text_is_exact_when_asked_for_and_an_honest_echo_otherwise(content: Any, said: str) -> None:
    assert steps(input=[{"role": "user", "content": content}]) == [{"text": said}]


WEATHER_CALL = {"call": "get_weather", "arguments": {"city": "Paris"}}


@pytest.mark.proves("SIM-default-calls")
@pytest.mark.parametrize(
    ("text", "choice", "expected"),
    [
        pytest.param("What is the weather in Paris?", "auto", [WEATHER_CALL], id="the word of its name"),
        pytest.param("Use get_weather for Paris", "auto", [WEATHER_CALL], id="its name"),
        pytest.param("The weather and the time in Paris?", "auto",
            [WEATHER_CALL, {"call": "get_time", "arguments": {}}], id="parallel"),
        pytest.param("Where is Paris?", "auto",
            [{"text": "(simulated) You said: Where is Paris?"}], id="not mentioned"),
        pytest.param("Where is Paris?", "required", [WEATHER_CALL], id="required"),
        pytest.param("Where is Paris?", {"type": "function", "name": "get_time"},
            [{"call": "get_time", "arguments": {}}], id="forced"),
        pytest.param("The weather in Paris?", "none",
            [{"text": "(simulated) You said: The weather in Paris?"}], id="none"),
        pytest.param("weather?", {"type": "allowed_tools", "mode": "required", "tools": [CLOCK]},
            [{"call": "get_time", "arguments": {}}], id="allowed tools"),
        pytest.param("weather?", "auto", [{"call": "get_weather", "arguments": {"city": "simulated"}}], id="no name"),
    ],
)  # fmt: skip
def test_tools_are_called_when_mentioned_or_demanded(text: str, choice: Any, expected: list[Any]) -> None:
    assert steps(input=[user(text)], tools=[WEATHER, CLOCK], tool_choice=choice) == expected


def test_without_parallel_calls_one_tool_is_called() -> None:
    found = steps(input=[user("The weather and the time in Paris?")], tools=[WEATHER, CLOCK], parallel_tool_calls=False)
    assert found == [WEATHER_CALL]


@pytest.mark.proves("SIM-default-calls")
def test_tool_outputs_end_in_a_text_that_holds_them() -> None:
    items = [
        user("What is the weather in Paris?"),
        {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "sunny"},
    ]
    assert steps(input=items, tools=[WEATHER], tool_choice="required") == [
        {"text": "(simulated) The tools returned: sunny"}
    ]
    again = [*items, user("And the weather in Rome?")]
    assert steps(input=again, tools=[WEATHER]) == [{"call": "get_weather", "arguments": {"city": "Rome"}}]


@pytest.mark.proves("SIM-default-reasoning")
@pytest.mark.parametrize(
    ("reasoning", "include", "expected"),
    [
        ({"effort": "none"}, [], []),
        ({"effort": "low"}, [], [{"reasoning": [], "encrypted": False}]),
        ({"effort": "low", "summary": "auto"}, ["reasoning.encrypted_content"],
         [{"reasoning": ["**Reading the request**\n\n", "(simulated) effort low"], "encrypted": True}]),
    ],
)  # fmt: skip
def test_reasoning_comes_when_an_effort_is_asked_for(reasoning: Any, include: Any, expected: Any) -> None:
    assert steps(reasoning=reasoning, include=include)[:-1] == expected


def test_hosted_and_custom_tools_are_played() -> None:
    tools = [{"type": "web_search_preview"}, {"type": "custom", "name": "patch"}]
    search, said = steps(input=[user("search the web")], tools=tools)
    assert (search, "text" in said) == ({"search": "search the web"}, True)
    assert steps(input=[user("patch it")], tools=tools) == [{"custom": "patch", "input": "(simulated) patch it"}]
    inside = [{"type": "namespace", "name": "functions", "tools": tools}]
    [call] = steps(input=[user("patch it")], tools=inside)
    assert call == {"custom": "patch", "input": "(simulated) patch it", "namespace": "functions"}


def test_both_dialects_ask_the_same() -> None:
    chat = {
        "messages": [
            {"role": "system", "content": "x"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}]},
            {"role": "tool", "tool_call_id": "c", "content": "out"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "integer"}}},
        "reasoning_effort": "low",
        "max_completion_tokens": 5,
        "stop": "z",
    }
    assert read_chat(chat) == Ask(
        text="a", attachments=("an image",), outputs=("out",), tools=(Tool("function", "f", {"type": "object"}),),
        mode="required", forced=("f",), schema={"type": "integer"}, effort="low", limit=5, stop=("z",),
    )  # fmt: skip
    responses = {
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_image"}]},
            {"type": "function_call_output", "call_id": "c", "output": "out"},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "integer"}}},
        "reasoning": {"effort": "low"},
        "max_output_tokens": 5,
    }
    assert read_responses({**responses}) == Ask(**{**_fields(read_chat(chat)), "stop": ()})


def _fields(ask: Ask) -> dict[str, Any]:
    return {name: getattr(ask, name) for name in Ask.__dataclass_fields__}


def test_the_token_limit_cuts_the_text() -> None:
    cut = answer(Ask(text="Reply with exactly: abcdefgh", limit=1))
    assert (cut.steps, cut.finish) == ([{"text": ["ab", "cd"]}], {"incomplete": "max_output_tokens"})


@given(st.text(min_size=1))
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text
    assert len(text) == 1 or len(pieces(text)) > 1 or len(text.split()) == 2 or not text.strip()


LEAVES: list[dict[str, Any]] = [
    {"type": "string"}, {"type": "string", "minLength": 12}, {"type": "string", "maxLength": 3},
    {"type": "string", "format": "date"}, {"type": ["string", "null"]}, {"enum": ["b", "a"]}, {"const": 4},
    {"type": "integer"}, {"type": "integer", "minimum": 5}, {"type": "integer", "maximum": -3},
    {"type": "number", "exclusiveMinimum": 1}, {"type": "number", "exclusiveMaximum": 1},
    {"type": "integer", "multipleOf": 7, "minimum": 20}, {"type": "boolean"}, {"type": "null"}, {},
    {"anyOf": [{"type": "null"}, {"type": "integer"}]}, {"$ref": "#/$defs/leaf"},
]  # fmt: skip


def nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects and arrays of schemas."""
    properties = st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    objects = st.builds(
        lambda held, every: {
            "type": "object", "properties": held, "additionalProperties": False,
            **({"required": sorted(held)} if every else {}),
        },
        properties,
        st.booleans(),
    )  # fmt: skip
    arrays = st.builds(
        lambda item, least: {"type": "array", "items": item, "minItems": least}, inner, st.integers(0, 3)
    )
    return objects | arrays | st.builds(lambda a, b: {"oneOf": [a, b]}, objects, st.just({"type": "null"}))


@pytest.mark.proves("SIM-default-schema")
@settings(max_examples=150)
@given(st.recursive(st.sampled_from(LEAVES), nest, max_leaves=8))
def test_samples_are_valid_against_their_schema(schema: dict[str, Any]) -> None:
    root = {"$defs": {"leaf": {"type": "string"}}, "type": "object", "properties": {"x": schema}, "required": ["x"]}
    jsonschema.validate(Sampler(root, ("Paris",)).value(), root)


def test_a_schema_that_refers_to_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}, "kids": {"type": "array", "items": {"$ref": "#"}}}}
    jsonschema.validate(Sampler(node, ()).value(), node)


STRICT_LIST = {
    "type": "object", "additionalProperties": False, "required": ["value", "next"],
    "properties": {"value": {"type": "string"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
}  # fmt: skip
STRICT_TYPES = {**STRICT_LIST, "properties": {"value": {}, "next": {**STRICT_LIST, "type": ["object", "null"]}}}


@pytest.mark.parametrize("schema", [STRICT_LIST, STRICT_TYPES], ids=["variants", "types"])
def test_a_strict_schema_that_requires_itself_ends_in_null(schema: dict[str, Any]) -> None:
    jsonschema.validate(Sampler(schema, ()).value(), schema)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"$ref": "#"}, "simulated"),
        ({"$ref": "#/enum", "enum": []}, "simulated"),
        ({"allOf": [{"$ref": "#"}], "type": "integer"}, 1),
        ({"type": "integer", "minimum": 1e308}, 0),
        ({"type": "array", "items": {"type": "null"}, "minItems": 10**9}, [None] * 100),
        ({"type": "string", "minLength": 10**9}, "simulated".ljust(10_000, "x")),
    ],
    ids=["itself", "no schema", "joined with itself", "huge number", "huge array", "huge text"],
)  # fmt: skip
def test_a_schema_without_a_fair_sample_still_gets_a_small_one(schema: dict[str, Any], value: Any) -> None:
    assert Sampler(schema, ()).value() == value


def test_a_schema_without_a_finite_value_ends() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    assert orjson.dumps(Sampler(schema, ()).value()).count(b'"a"') == 33


@pytest.mark.proves("SIM-default-schema")
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"type": "json_object"}, {"simulated": True, "text": "In Paris"}),
        ({"type": "json_schema", "name": "n", "schema": {"type": "object", "properties": {"city": {"type": "string"}},
          "required": ["city"]}}, {"city": "Paris"}),
    ],
    ids=["object", "schema"],
)  # fmt: skip
def test_a_json_format_is_answered_with_a_document(form: Any, expected: Any) -> None:
    (step,) = steps(input=[user("In Paris")], text={"format": form})
    assert orjson.loads(step["text"]) == expected
