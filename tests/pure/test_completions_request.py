"""Legacy completions bodies → inner requests (translation §6.1)."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects import Bundle, Choices
from gateway.dialects.completions import DIALECT
from gateway.dialects.completions.request import MOST_PROMPTS
from gateway.errors import InvalidRequest, UnsupportedParameter, UnsupportedValue
from tests.pure.text_asking import bundle, decoded, exchange

Json = dict[str, Any]

STRICT, LENIENT = Choices(unsupported="strict"), Choices(unsupported="lenient")


def message(text: str) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


@pytest.mark.proves("TEXT-plain")
def test_a_prompt_is_one_user_message() -> None:
    assert exchange().request.body == {"model": "m", "input": [message("Once")], "stream": False, "store": False}


@pytest.mark.proves("TEXT-plain")
@pytest.mark.parametrize("prompt", ["", " \n", ["Once"]], ids=repr)
def test_any_text_is_a_prompt(prompt: Any) -> None:
    asked = exchange(prompt=prompt)
    assert asked.request.body["input"] == [message(prompt if isinstance(prompt, str) else prompt[0])]


@pytest.mark.proves("TEXT-several", "CASE-151")
def test_several_prompts_are_a_request_each() -> None:
    asked = bundle("a", "b", temperature=0.5)
    assert [one.request.body["input"] for one in asked.exchanges] == [[message("a")], [message("b")]]
    assert {one.request.body["temperature"] for one in asked.exchanges} == {0.5}


FIELDS: list[tuple[Json, Json]] = [
    ({"temperature": 0.2, "top_p": 0.9}, {"temperature": 0.2, "top_p": 0.9}),
    ({"temperature": None, "top_p": None}, {}),
    ({"max_tokens": 100}, {"max_output_tokens": 100}),
    ({"max_tokens": 100.0}, {"max_output_tokens": 100}),
    ({"max_tokens": 1}, {"max_output_tokens": 16}),
    ({"max_tokens": 15}, {"max_output_tokens": 16}),
    ({"max_tokens": None}, {}),
    ({"user": "u"}, {"user": "u"}),
    ({"logprobs": 0}, {"include": ["message.output_text.logprobs"], "top_logprobs": 0}),
    ({"logprobs": 5}, {"include": ["message.output_text.logprobs"], "top_logprobs": 5}),
    ({"logprobs": None}, {}),
    ({"stream": True}, {"stream": True, "stream_options": {"include_obfuscation": False}}),
    (
        {"stream": True, "stream_options": {"include_obfuscation": True, "include_usage": True}},
        {"stream": True, "stream_options": {"include_obfuscation": True}},
    ),
    ({"stream_options": {"include_usage": True}}, {}),
    ({"stop": "END", "echo": True}, {}),
]


@pytest.mark.proves("TEXT-fields")
@pytest.mark.parametrize(("fields", "inner"), FIELDS, ids=str)
def test_every_field_has_one_inner_form(fields: Json, inner: Json) -> None:
    assert exchange(**fields).request.body == {**exchange().request.body, **inner}


@pytest.mark.proves("TEXT-fields")
def test_a_long_user_is_hashed() -> None:
    assert len(exchange(user="u" * 65).request.body["user"]) == 64
    assert exchange(user="u" * 65).request.body["user"] != "u" * 64


@pytest.mark.proves("TEXT-fields")
@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1, "best_of": 1, "logit_bias": {}, "presence_penalty": 0, "frequency_penalty": 0, "suffix": ""},
        {"n": None, "best_of": None, "logit_bias": None, "suffix": None, "stop": None, "seed": None, "echo": None},
        {"best_of": 0, "seed": 7, "stop": [], "top_k": 40, "echo": False},
        {"stop": ""},
    ],
    ids=str,
)
def test_wishes_that_say_nothing_are_accepted_and_not_sent(fields: Json) -> None:
    asked = exchange(STRICT, **fields)
    assert asked.request.body == exchange().request.body
    assert asked.request.dropped == []


@pytest.mark.proves("TEXT-dropped")
def test_soft_wishes_are_reported_and_strict_refuses_them() -> None:
    for name in ("presence_penalty", "frequency_penalty"):
        asked = exchange(**{name: 0.5})
        assert (asked.request.dropped, asked.request.body) == ([name], exchange().request.body)
        with pytest.raises(UnsupportedParameter) as caught:
            exchange(STRICT, **{name: 0.5})
        assert caught.value.param == name


REFUSED: list[tuple[Json, type[InvalidRequest], str]] = [
    ({"suffix": "x"}, UnsupportedParameter, "suffix"),
    ({"logit_bias": {"5": 1}}, UnsupportedParameter, "logit_bias"),
    ({"best_of": 2}, UnsupportedValue, "best_of"),
    ({"echo": True, "logprobs": 0}, UnsupportedParameter, "echo"),
    ({"max_tokens": 0}, InvalidRequest, "max_tokens"),
]


@pytest.mark.proves("TEXT-refused", "CASE-153")
@pytest.mark.parametrize(("fields", "kind", "param"), REFUSED, ids=str)
def test_what_changes_the_answer_is_refused_and_lenient_leaves_it_out(
    fields: Json, kind: type[InvalidRequest], param: str
) -> None:
    with pytest.raises(kind) as caught:
        exchange(**fields)
    assert (caught.value.param, caught.value.status) == (param, 400)
    assert param in caught.value.message
    asked = exchange(LENIENT, **fields)
    assert asked.request.dropped == [param]
    assert asked.wishes.echo == ""


@pytest.mark.proves("TEXT-refused", "CASE-151")
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1, 2], [3]]}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"n": 2}, "n"),
    ],
    ids=str,
)
@pytest.mark.parametrize("choices", [Choices(), LENIENT], ids=["default", "lenient"])
def test_what_would_answer_another_request_is_always_refused(choices: Choices, fields: Json, param: str) -> None:
    with pytest.raises(UnsupportedValue) as caught:
        decoded(choices, **fields)
    assert (caught.value.param, caught.value.code) == (param, "unsupported_value")


MALFORMED: list[tuple[Json, str]] = [
    ({"model": None}, "model"),
    ({"model": ""}, "model"),
    ({"model": 5}, "model"),
    ({"prompt": None}, "prompt"),
    ({"prompt": []}, "prompt"),
    ({"prompt": 5}, "prompt"),
    ({"prompt": {"text": "a"}}, "prompt"),
    ({"prompt": [True]}, "prompt[0]"),
    ({"prompt": [None, "a"]}, "prompt[0]"),
    ({"prompt": ["a", 2]}, "prompt[1]"),
    ({"prompt": ["a", ["b"]]}, "prompt[1]"),
    ({"prompt": ["a"] * (MOST_PROMPTS + 1)}, "prompt"),
    ({"stream": "yes"}, "stream"),
    ({"stream_options": 1}, "stream_options"),
    ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ({"stream": True, "stream_options": {"include_obfuscation": 1}}, "stream_options.include_obfuscation"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": []}, "top_p"),
    ({"max_tokens": "5"}, "max_tokens"),
    ({"max_tokens": 2.5}, "max_tokens"),
    ({"user": 5}, "user"),
    ({"logprobs": 6}, "logprobs"),
    ({"logprobs": -1}, "logprobs"),
    ({"logprobs": True}, "logprobs"),
    ({"seed": "x"}, "seed"),
    ({"n": 0}, "n"),
    ({"n": "1"}, "n"),
    ({"best_of": -1}, "best_of"),
    ({"best_of": "1"}, "best_of"),
    ({"suffix": 5}, "suffix"),
    ({"echo": "yes"}, "echo"),
    ({"stop": 5}, "stop"),
    ({"stop": ["a", 5]}, "stop[1]"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
    ({"stop": ["a", "x" * 4097]}, "stop[1]"),
    ({"stop": "x" * 4097}, "stop"),
    ({"logit_bias": []}, "logit_bias"),
    ({"presence_penalty": "x"}, "presence_penalty"),
]


@pytest.mark.proves("TEXT-malformed")
@pytest.mark.parametrize(("fields", "param"), MALFORMED, ids=lambda value: str(value)[:40])
def test_a_malformed_field_is_400_and_named(fields: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decoded(**fields)
    assert (caught.value.param, caught.value.code) == (param, "invalid_request")


@pytest.mark.proves("CASE-149", "TEXT-params")
@pytest.mark.parametrize(
    ("inner", "client"),
    [
        ("input", "prompt"),
        ("input[0].content[0].text", "prompt"),
        ("max_output_tokens", "max_tokens"),
        ("include", "logprobs"),
        ("include[0]", "logprobs"),
        ("top_logprobs", "logprobs"),
        ("temperature", "temperature"),
        ("stream_options.include_obfuscation", "stream_options.include_obfuscation"),
        ("model", "model"),
        ("top_p", None),
        ("store", None),
        ("reasoning.effort", None),
        ("", None),
        (None, None),
    ],
)
def test_inner_names_are_told_in_the_clients_words(inner: str | None, client: str | None) -> None:
    fields = {"max_tokens": 20, "logprobs": 1, "temperature": 1, "stream": True, "stream_options": {}}
    assert exchange(**fields).client_param(inner) == client


@pytest.mark.proves("TEXT-params")
def test_a_refused_prompt_is_named_by_its_place() -> None:
    assert [one.client_param("input[0]") for one in bundle("a", "b").exchanges] == ["prompt[0]", "prompt[1]"]
    assert exchange(prompt=["a"]).client_param("input") == "prompt[0]"


def test_the_dialect_adds_no_headers() -> None:
    assert exchange().headers() == {}
    assert DIALECT.name == "completions"
    assert isinstance(decoded(prompt=["a", "b"]), Bundle)
