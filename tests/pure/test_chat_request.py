"""Chat bodies → inner requests: top-level fields (translation §1.0, §1.1, §1.5, §1.7)."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects import Choices
from gateway.dialects.chat import DIALECT
from gateway.errors import InvalidRequest, UnsupportedParameter, UnsupportedValue
from tests.pure.chat_frames import TOOL, USER, body_of, exchange

Json = dict[str, Any]
STRICT, LENIENT = Choices(unsupported="strict"), Choices(unsupported="lenient")
INPUT = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}]
PLAIN = {"model": "m", "input": INPUT, "stream": False, "store": False}


def refused(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        exchange(**fields)
    return caught.value


@pytest.mark.proves("CHAT-plain", "CASE-18", "CASE-31")
def test_a_plain_request_becomes_one_input_item_and_is_not_stored() -> None:
    assert body_of() == PLAIN


@pytest.mark.proves("CASE-31", "CASE-19")
def test_system_text_stays_in_the_input_even_alone() -> None:
    body = body_of(messages=[{"role": "system", "content": "Answer in JSON"}], response_format={"type": "json_object"})
    part = {"type": "input_text", "text": "Answer in JSON"}
    assert body["input"] == [{"type": "message", "role": "system", "content": [part]}]
    assert body["text"] == {"format": {"type": "json_object"}}
    assert "instructions" not in body


@pytest.mark.proves("CHAT-fields")
@pytest.mark.parametrize(
    ("sent", "inner"),
    [
        ({"temperature": 0}, {"temperature": 0}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"store": True}, {"store": True}),
        ({"metadata": {"a": "b"}}, {"metadata": {"a": "b"}}),
        ({"max_tokens": 100}, {"max_output_tokens": 100}),
        ({"max_tokens": 100.0}, {"max_output_tokens": 100}),
        ({"max_completion_tokens": 16}, {"max_output_tokens": 16}),
        ({"reasoning_effort": "high"}, {"reasoning": {"effort": "high"}}),
        ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
        ({"user": "u" * 64}, {"user": "u" * 64}),
        ({"safety_identifier": "s"}, {"safety_identifier": "s"}),
        ({"prompt_cache_key": "k"}, {"prompt_cache_key": "k"}),
        ({"prompt_cache_retention": "24h"}, {"prompt_cache_retention": "24h"}),
        ({"prompt_cache_options": {"mode": "x"}}, {"prompt_cache_options": {"mode": "x"}}),
        ({"service_tier": "flex"}, {"service_tier": "flex"}),
        ({"moderation": {"model": "x"}}, {"moderation": {"model": "x"}}),
        ({"logprobs": True}, {"include": ["message.output_text.logprobs"]}),
        (
            {"logprobs": True, "top_logprobs": 3, "include": ["message.output_text.logprobs"]},
            {"include": ["message.output_text.logprobs"], "top_logprobs": 3},
        ),
        ({"logprobs": False, "top_logprobs": 0}, {}),
        ({"include": []}, {"include": []}),
        ({"text": {"verbosity": "low", "format": {"type": "text"}}, "verbosity": "high"},
         {"text": {"verbosity": "high", "format": {"type": "text"}}}),
        ({"stream": None, "stream_options": None, "n": 1, "tools": None}, {}),
        ({"modalities": ["text"], "audio": {"voice": "x"}, "prediction": {"type": "content"}, "seed": 7}, {}),
        ({"background": False, "truncation": "disabled", "previous_response_id": None}, {}),
        ({"stream_options": {"include_usage": True}}, {}),
    ],
    ids=str,
)  # fmt: skip
def test_a_field_has_one_inner_form(sent: Json, inner: Json) -> None:
    assert body_of(**sent) == {**PLAIN, **inner}


@pytest.mark.proves("CASE-17")
def test_a_temperature_of_zero_is_kept() -> None:
    assert body_of(temperature=0.0)["temperature"] == 0.0


@pytest.mark.proves("CASE-14")
@pytest.mark.parametrize("limit", [1, 5, 15])
def test_a_small_output_limit_is_raised_to_what_the_inner_form_allows(limit: int) -> None:
    assert body_of(max_tokens=limit)["max_output_tokens"] == 16


@pytest.mark.proves("CASE-15")
def test_max_completion_tokens_wins_over_max_tokens() -> None:
    assert body_of(max_tokens=100, max_completion_tokens=200)["max_output_tokens"] == 200


@pytest.mark.proves("CASE-20")
def test_a_json_schema_is_flattened_and_keeps_its_key_order() -> None:
    schema = {"type": "object", "required": ["b", "a"], "properties": {"b": {}, "a": {}}}
    wanted = {"name": "City", "schema": schema, "description": "d", "strict": True}
    form = body_of(response_format={"type": "json_schema", "json_schema": wanted})["text"]["format"]
    assert form == {"type": "json_schema", "name": "City", "schema": schema, "description": "d", "strict": True}
    assert list(form["schema"]) == ["type", "required", "properties"]
    assert list(form["schema"]["properties"]) == ["b", "a"]


@pytest.mark.proves("CASE-20")
def test_a_bare_json_schema_gets_an_open_schema_and_is_not_strict() -> None:
    form = body_of(response_format={"type": "json_schema", "json_schema": {"name": "x"}})["text"]["format"]
    assert form == {"type": "json_schema", "name": "x", "schema": {"type": "object"}, "strict": False}


def test_response_format_text_says_nothing() -> None:
    assert body_of(response_format={"type": "text"}) == PLAIN


@pytest.mark.proves("CHAT-malformed", "CASE-20", "CASE-148")
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [5]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": [], "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "assistant", "content": None}]}, "messages"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": True}, "stream_options"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"temperature": True}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"metadata": {"a": "x" * 513}}, "metadata.a"),
        ({"metadata": {"k" * 65: "x"}}, "metadata"),
        ({"metadata": {str(i): "x" for i in range(17)}}, "metadata"),
        ({"metadata": []}, "metadata"),
        ({"n": 0}, "n"),
        ({"n": "2"}, "n"),
        ({"user": 5}, "user"),
        ({"store": "no"}, "store"),
        ({"reasoning": "high"}, "reasoning"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
        ({"stop": 5}, "stop"),
        ({"stop": ["a", 5]}, "stop[1]"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"text": {"format": "json"}}, "text.format"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.name"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a b"}}},
            "response_format.json_schema.name",
        ),
    ],
    ids=str,
)
def test_a_malformed_field_is_refused_by_name(fields: Json, param: str) -> None:
    error = refused(**fields)
    assert (error.status, error.code, error.param) == (400, "invalid_request", param)
    assert param.partition(".")[0].partition("[")[0] in error.message


@pytest.mark.proves("CHAT-unsupported", "CASE-148")
@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"n": 2}, UnsupportedValue, "n"),
        ({"logit_bias": {"5": 1}}, UnsupportedParameter, "logit_bias"),
        ({"modalities": ["text", "audio"]}, UnsupportedValue, "modalities"),
        ({"top_logprobs": 3}, UnsupportedParameter, "top_logprobs"),
        ({"response_format": {"type": "grammar"}}, UnsupportedValue, "response_format.type"),
        ({"background": True}, UnsupportedParameter, "background"),
        ({"conversation": "conv_1"}, UnsupportedParameter, "conversation"),
        ({"previous_response_id": "resp_1"}, UnsupportedParameter, "previous_response_id"),
        ({"prompt": {"id": "x"}}, UnsupportedParameter, "prompt"),
        ({"truncation": "auto"}, UnsupportedParameter, "truncation"),
        ({"context_management": [{}]}, UnsupportedParameter, "context_management"),
        ({"max_tool_calls": 3}, UnsupportedParameter, "max_tool_calls"),
        ({"input": "hi"}, UnsupportedParameter, "input"),
        ({"stop": "x", "response_format": {"type": "json_object"}}, UnsupportedParameter, "stop"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_refused_by_name(fields: Json, kind: type[InvalidRequest], param: str) -> None:
    error = refused(**fields)
    assert (type(error), error.status, error.param) == (kind, 400, param)


@pytest.mark.proves("CASE-21")
@pytest.mark.parametrize("choices", [Choices(), STRICT, LENIENT], ids=lambda choices: choices.unsupported)
def test_more_than_one_answer_is_always_refused(choices: Choices) -> None:
    with pytest.raises(UnsupportedValue) as caught:
        exchange(choices, n=2)
    assert caught.value.param == "n"


@pytest.mark.proves("CASE-25")
def test_audio_output_is_refused() -> None:
    assert refused(modalities=["text", "audio"]).param == "modalities"


@pytest.mark.proves("CASE-22")
def test_wishes_that_say_nothing_are_accepted_and_not_sent() -> None:
    asked = exchange(n=1, logit_bias={}, presence_penalty=0, frequency_penalty=None, stop=None, modalities=None)
    assert (asked.request.body, asked.request.dropped) == (PLAIN, [])


@pytest.mark.proves("CHAT-dropped")
def test_penalties_are_reported_as_dropped() -> None:
    asked = exchange(presence_penalty=0.5, frequency_penalty=-1)
    assert (asked.request.body, asked.request.dropped) == (PLAIN, ["presence_penalty", "frequency_penalty"])


@pytest.mark.proves("CHAT-dropped")
def test_a_strict_operator_refuses_what_would_be_dropped() -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        exchange(STRICT, presence_penalty=0.5)
    assert caught.value.param == "presence_penalty"


@pytest.mark.proves("CHAT-dropped")
def test_a_lenient_operator_drops_what_would_be_refused() -> None:
    fields: Json = {"logit_bias": {"5": 1}, "top_logprobs": 2, "max_tokens": 0, "background": True, "input": "x"}
    fields |= {"modalities": ["audio"], "stop": "x", "response_format": {"type": "json_object"}}
    asked = exchange(LENIENT, **fields)
    assert asked.request.body == {**PLAIN, "text": {"format": {"type": "json_object"}}}
    assert set(asked.request.dropped) == fields.keys() - {"response_format"}


@pytest.mark.proves("CASE-40")
def test_an_effort_alone_asks_for_no_summary() -> None:
    assert body_of(reasoning_effort="high")["reasoning"] == {"effort": "high"}


@pytest.mark.proves("CHAT-reasoning")
@pytest.mark.parametrize(
    ("sent", "inner"),
    [
        ({"reasoning": {"effort": "low", "summary": "auto", "max_tokens": 5}}, {"effort": "low", "summary": "auto"}),
        ({"reasoning_summary": "detailed"}, {"summary": "detailed"}),
        ({"reasoning": {"enabled": True}}, {"effort": "medium"}),
        ({"reasoning": {"enabled": False, "effort": "high"}}, {"effort": "none"}),
        ({"enable_thinking": True}, {"effort": "medium"}),
        ({"enable_thinking": True, "reasoning_effort": "low"}, {"effort": "low"}),
        ({"enable_thinking": False}, {"effort": "none"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, {"effort": "medium"}),
        ({"thinking": {"type": "disabled"}}, {"effort": "none"}),
        ({"thinking": True}, {"effort": "medium"}),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": []}, "reasoning": {}}, None),
        ({"include_reasoning": False}, None),
        ({"thinking_budget": 100}, None),
    ],
    ids=str,
)
def test_vendor_switches_for_reasoning_become_an_effort(sent: Json, inner: Json | None) -> None:
    assert body_of(**sent).get("reasoning") == inner


@pytest.mark.proves("CASE-41")
def test_a_long_user_is_hashed_not_cut() -> None:
    one, other = body_of(user="u" * 200)["user"], body_of(user="u" * 201)["user"]
    assert len(one) == len(other) == 64
    assert one != other


@pytest.mark.proves("CASE-48")
def test_vendor_fields_are_not_sent() -> None:
    asked = exchange(top_k=40, seed=7, provider={"order": ["x"]}, cache_control={"type": "ephemeral"})
    assert asked.request.body == PLAIN
    assert asked.request.dropped == []


@pytest.mark.proves("CHAT-stream-options")
@pytest.mark.parametrize(
    ("options", "inner"),
    [
        (None, {"include_obfuscation": False}),
        ({"include_usage": True}, {"include_obfuscation": False}),
        ({"include_obfuscation": True}, {"include_obfuscation": True}),
    ],
    ids=str,
)
def test_a_stream_asks_for_no_padding_unless_the_client_did(options: Json | None, inner: Json) -> None:
    asked = exchange(stream=True, stream_options=options)
    assert asked.request.stream is True
    assert asked.request.body == {**PLAIN, "stream": True, "stream_options": inner}


@pytest.mark.proves("CHAT-instructions")
def test_instructions_next_to_messages_become_the_first_developer_item() -> None:
    first = body_of(instructions="Be brief.")["input"][0]
    assert first == {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]}


@pytest.mark.proves("CASE-37")
def test_absent_tools_stay_absent_and_an_empty_list_stays_empty() -> None:
    assert "tools" not in body_of()
    assert body_of(tools=[])["tools"] == []


@pytest.mark.proves("CASE-38")
@pytest.mark.parametrize("tools", [None, []], ids=["absent", "empty"])
def test_parallel_tool_calls_goes_only_with_tools(tools: list[Json] | None) -> None:
    assert "parallel_tool_calls" not in body_of(tools=tools, parallel_tool_calls=True)
    assert body_of(tools=[TOOL], parallel_tool_calls=False)["parallel_tool_calls"] is False


def test_the_client_s_document_is_left_as_it_was() -> None:
    document = {"model": "m", "messages": [USER], "tools": [TOOL], "include": [], "logprobs": True, "text": {}}
    before = repr(document)
    DIALECT.decode(document, Choices())
    assert repr(document) == before
