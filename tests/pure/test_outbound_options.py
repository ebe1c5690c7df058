"""Top-level fields of inner requests → those of a chat-only server (translation §5.2)."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.chat.outbound import Quirks
from gateway.errors import PreviousResponseNotFound, UnsupportedParameter
from tests.pure.outbound_requests import HELLO, encoded, refused

Json = dict[str, Any]

PLAIN = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False}
SCHEMA: Json = {"type": "json_schema", "name": "answer", "schema": {"type": "object"}, "strict": True}
WIRE_SCHEMA: Json = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
}
LOGPROBS = "message.output_text.logprobs"


def accepting(*names: str) -> Quirks:
    return Quirks(accepts=frozenset(names))


@pytest.mark.proves("CHAT-SERVER-fields")
def test_a_plain_request_stays_plain() -> None:
    assert encoded().body == PLAIN


@pytest.mark.proves("CHAT-SERVER-fields")
@pytest.mark.parametrize(
    ("inner", "sent"),
    [
        ({"max_output_tokens": 100}, {"max_tokens": 100}),
        ({"temperature": 0, "top_p": 0.5}, {"temperature": 0, "top_p": 0.5}),
        ({"top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        ({"include": [LOGPROBS]}, {"logprobs": True}),
        ({"include": [LOGPROBS], "top_logprobs": 0}, {"logprobs": True, "top_logprobs": 0}),
        ({"include": ["reasoning.encrypted_content"], "top_logprobs": 0}, {}),
        ({"text": {"format": {"type": "text"}, "verbosity": "medium"}}, {}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        ({"text": {"format": SCHEMA}}, {"response_format": WIRE_SCHEMA}),
        ({"reasoning": {"effort": "xhigh", "summary": "auto"}}, {"reasoning_effort": "xhigh"}),
        ({"reasoning": {"summary": "auto", "generate_summary": None, "context": "all"}}, {}),
        ({"stream_options": {"include_obfuscation": False}}, {}),
    ],
)
def test_every_field_has_one_chat_form(inner: Json, sent: Json) -> None:
    made = encoded(**inner)
    assert made.body == {**PLAIN, **sent}
    assert made.dropped == ()


def test_the_server_chooses_the_name_of_the_output_limit() -> None:
    made = encoded(max_output_tokens=5, quirks=Quirks(max_tokens="max_completion_tokens"))
    assert made.body == {**PLAIN, "max_completion_tokens": 5}


@pytest.mark.proves("CHAT-SERVER-usage")
def test_a_stream_is_asked_for_its_token_counts() -> None:
    assert encoded(stream=True).body == {**PLAIN, "stream": True, "stream_options": {"include_usage": True}}
    assert encoded(stream=True, quirks=Quirks(stream_usage=False)).body == {**PLAIN, "stream": True}


@pytest.mark.proves("CHAT-SERVER-state")
def test_a_server_without_memory_finds_no_previous_response() -> None:
    error = refused(previous_response_id="resp_1")
    assert isinstance(error, PreviousResponseNotFound)
    assert (error.param, error.message) == ("previous_response_id", "Previous response with id 'resp_1' not found.")


@pytest.mark.proves("CHAT-SERVER-state")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("conversation", "conv_1"),
        ("prompt", {"id": "pmpt_1"}),
        ("background", True),
        ("context_management", [{"type": "compaction"}]),
        ("moderation", {"model": "x"}),
    ],
)
def test_what_would_change_the_answer_is_refused_unless_the_operator_is_lenient(name: str, value: Any) -> None:
    error = refused(**{name: value})
    assert isinstance(error, UnsupportedParameter)
    assert error.param == name
    made = encoded(unsupported="lenient", **{name: value})
    assert (made.body, made.dropped) == (PLAIN, (name,))


@pytest.mark.proves("CHAT-SERVER-dropped")
def test_what_the_server_does_not_know_is_left_out_and_reported() -> None:
    fields: Json = {
        "service_tier": "priority",
        "store": True,
        "top_k": 5,
        "text": {"verbosity": "low"},
        "made\r\nup": 1,
    }
    made = encoded(**fields)
    assert made.body == PLAIN
    assert set(made.dropped) == {"service_tier", "store", "top_k", "text.verbosity"}
    for name, value in fields.items():
        assert isinstance(refused(unsupported="strict", **{name: value}), UnsupportedParameter)


@pytest.mark.proves("CHAT-SERVER-dropped")
def test_what_makes_no_difference_is_left_out_silently() -> None:
    labels: Json = {
        "metadata": {"a": "b"},
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "client_metadata": {"session_id": "x"},
        "max_tool_calls": 3,
        "truncation": "auto",
    }
    usual: Json = {
        "background": False,
        "store": False,
        "service_tier": "auto",
        "presence_penalty": 0,
        "conversation": None,
    }
    made = encoded(unsupported="strict", **labels, **usual)
    assert (made.body, made.dropped) == (PLAIN, ())


def test_a_harmless_number_does_not_hide_a_boolean() -> None:
    assert encoded(presence_penalty=False).dropped == ("presence_penalty",)


def test_fields_on_the_list_of_the_server_pass() -> None:
    fields: Json = {"metadata": {"a": "b"}, "top_k": 5, "moderation": {"model": "x"}, "text": {"verbosity": "low"}}
    made = encoded(**fields, quirks=accepting("metadata", "top_k", "moderation", "verbosity"))
    assert made.body == {**PLAIN, "metadata": {"a": "b"}, "top_k": 5, "moderation": {"model": "x"}, "verbosity": "low"}
    assert made.dropped == ()


def test_the_report_is_bounded() -> None:
    unknown: Json = {f"vendor_{number}": 1 for number in range(80)}
    assert len(encoded(**unknown).dropped) == 50


@pytest.mark.proves("CHAT-SERVER-formats")
@pytest.mark.parametrize("formats", ["json_object", "none"])
def test_a_schema_that_the_server_cannot_take_is_told_in_the_system_text(formats: Any) -> None:
    made = encoded(text={"format": SCHEMA}, instructions="Be brief", quirks=Quirks(formats=formats))
    [system, _] = made.body["messages"]
    assert system["content"].startswith("Be brief\n\n")
    assert system["content"].endswith('JSON schema:\n{"type":"object"}')
    assert made.body.get("response_format") == ({"type": "json_object"} if formats == "json_object" else None)
    assert made.dropped == ("text.format",)
    assert refused(text={"format": SCHEMA}, quirks=Quirks(formats=formats), unsupported="strict").param == "text.format"


@pytest.mark.proves("CHAT-SERVER-formats")
def test_json_mode_is_a_schema_or_a_word_where_the_server_has_none() -> None:
    wanted = {"format": {"type": "json_object"}}
    made = encoded(text=wanted, quirks=Quirks(formats="json_schema"))
    assert made.body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert made.dropped == ()
    made = encoded(text=wanted, quirks=Quirks(formats="none"))
    assert "response_format" not in made.body
    assert "JSON" in made.body["messages"][0]["content"]
    assert made.dropped == ("text.format",)


@pytest.mark.proves("CHAT-SERVER-effort")
@pytest.mark.parametrize(
    ("quirks", "effort", "sent"),
    [
        (Quirks(effort="reasoning"), "high", {"reasoning": {"effort": "high"}}),
        (Quirks(efforts=("low", "medium", "high")), "xhigh", {"reasoning_effort": "high"}),
        (Quirks(efforts=("low", "medium", "high")), "minimal", {"reasoning_effort": "low"}),
        (Quirks(efforts=("low",)), "brand-new", {"reasoning_effort": "brand-new"}),
        (Quirks(effort="none", switch="thinking"), "none", {"thinking": {"type": "disabled"}}),
        (Quirks(effort="none", switch="thinking"), "low", {"thinking": {"type": "enabled"}}),
        (
            Quirks(switch="chat_template_kwargs"),
            "none",
            {"chat_template_kwargs": {"enable_thinking": False}},
        ),
        (Quirks(switch="chat_template_kwargs"), "low", {"reasoning_effort": "low"}),
        (
            Quirks(effort="none", switch="chat_template_kwargs"),
            "low",
            {"chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "low"}},
        ),
    ],
)
def test_effort_is_said_as_the_server_understands_it(quirks: Quirks, effort: str, sent: Json) -> None:
    made = encoded(reasoning={"effort": effort}, quirks=quirks)
    assert made.body == {**PLAIN, **sent}
    assert made.dropped == ()


def test_the_client_may_have_a_say_in_the_template() -> None:
    quirks = Quirks(accepts=frozenset({"chat_template_kwargs"}), effort="none", switch="chat_template_kwargs")
    own = {"enable_thinking": False, "colour": 1}
    made = encoded(reasoning={"effort": "low"}, chat_template_kwargs=own, quirks=quirks)
    assert made.body["chat_template_kwargs"] == {**own, "reasoning_effort": "low"}
    made = encoded(reasoning={"effort": "none"}, chat_template_kwargs="odd", quirks=quirks)
    assert made.body["chat_template_kwargs"] == {"enable_thinking": False}


def test_effort_is_reported_where_it_cannot_be_said() -> None:
    assert encoded(reasoning={"effort": "low"}, quirks=Quirks(effort="none")).dropped == ("reasoning.effort",)


def test_log_probabilities_that_a_server_does_not_tell_are_refused() -> None:
    quirks = Quirks(logprobs=False)
    assert refused(top_logprobs=2, quirks=quirks).param == "top_logprobs"
    assert refused(include=[LOGPROBS], quirks=quirks).param == "include"
    made = encoded(include=[LOGPROBS], quirks=quirks, unsupported="lenient")
    assert (made.body, made.dropped) == (PLAIN, ("include",))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": "5"}, "max_output_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_logprobs": "x"}, "top_logprobs"),
        ({"include": "x"}, "include"),
        ({"text": "x"}, "text"),
        ({"text": {"verbosity": 1}}, "text.verbosity"),
        ({"text": {"format": "x"}}, "text.format"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"reasoning": "x"}, "reasoning"),
        ({"reasoning": {"effort": 1}}, "reasoning.effort"),
        ({"instructions": 1}, "instructions"),
    ],
)
def test_a_malformed_field_is_refused_by_its_name(fields: Json, param: str) -> None:
    error = refused(HELLO, **fields)
    assert (error.code, error.param) == ("invalid_request", param)
