"""What the Codex profile makes of a request, field by field."""

from __future__ import annotations

import copy
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.request import Request
from gateway.core.seal import REASONING, sealed
from gateway.errors import InvalidRequest, PreviousResponseNotFound, UnsupportedParameter, UnsupportedValue
from gateway.upstreams import Hints, Model, Shaped
from gateway.upstreams.profile import CODEX, OPENAI, Rules, shape

SOL = Model("gpt-6-sol", efforts=("low", "medium", "high", "xhigh", "max"), tiers=("priority",))
PLAIN = Model("gpt-5.2", efforts=("low", "medium", "high"))
HELLO = {"role": "user", "content": "Hello"}


def shaped(
    body: dict[str, Any],
    unsupported: Literal["default", "strict", "lenient"] = "default",
    *,
    profile: Any = CODEX,
    stream: bool = True,
) -> Shaped:
    """The shaped request; shows on the way that the client's own body is not touched."""
    sent = {"model": "gpt-6-sol", "input": [HELLO], **body}
    before = copy.deepcopy(sent)
    rules = Rules(profile, unsupported, "You are a helpful assistant.", {"fast-one": "gpt-5.2"})
    made = shape(Request(sent, stream), Hints(session_id="talk-1"), rules, [SOL, PLAIN])
    assert sent == before
    return made


def input_of(*items: Any, **body: Any) -> list[Any]:
    items_sent: list[Any] = shaped({"input": list(items), **body}).body["input"]
    return items_sent


@pytest.mark.proves("FAIL-4", "UPSTREAM-codex-body")
def test_the_smallest_request_becomes_the_body_the_backend_demands() -> None:
    assert shaped({}, stream=False) == Shaped(
        body={
            "model": "gpt-6-sol",
            "instructions": "You are a helpful assistant.",
            "input": [HELLO],
            "store": False,
            "stream": True,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": "talk-1",
        },
        session_id="talk-1",
        dropped=(),
    )


@pytest.mark.proves("UPSTREAM-codex-body")
def test_everything_the_backend_knows_passes_unchanged() -> None:
    body = {
        "instructions": "Be brief.",
        "tools": [
            {"type": "function", "name": "f", "description": "d", "parameters": {}, "strict": False},
            {"type": "custom", "name": "patch", "format": {"type": "text"}},
            {"type": "namespace", "name": "mcp__x", "description": "", "tools": []},
            {"type": "tool_search"},
            {"type": "web_search", "search_context_size": "low"},
            {"type": "image_generation", "output_format": "png"},
            {"type": "some_new_tool"},
        ],
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": False,
        "reasoning": {"effort": "high", "summary": "detailed", "context": "all_turns"},
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "strict": True, "schema": {}}},
        "service_tier": "priority",
        "prompt_cache_key": "key-1",
        "client_metadata": {"x-codex-installation-id": "i"},
        "stream_options": {"reasoning_summary_delivery": "sequential_cutoff"},
    }
    made = shaped(body)
    assert {name: made.body[name] for name in body} == body
    assert (made.session_id, made.dropped) == ("key-1", ())


@pytest.mark.proves("FAIL-1", "CASE-16", "CASE-17", "CASE-48")
def test_fields_the_backend_refuses_are_left_out_and_named() -> None:
    made = shaped(
        {
            "max_output_tokens": 16,
            "temperature": 0,
            "top_p": 0.5,
            "store": True,
            "top_k": 5,
            "max_tool_calls": 3,
        }
    )
    assert made.dropped == (
        "max_output_tokens",
        "temperature",
        "top_p",
        "store",
        "top_k",
        "max_tool_calls",
    )
    assert made.body == shaped({}).body


@pytest.mark.proves("UPSTREAM-codex-silent")
def test_labels_defaults_and_nulls_are_left_out_without_a_word() -> None:
    made = shaped(
        {
            "metadata": {"a": "b"},
            "user": "u",
            "safety_identifier": "s",
            "prompt_cache_retention": "24h",
            "prompt_cache_options": {},
            "truncation": "auto",
            "background": False,
            "store": False,
            "top_logprobs": 0,
            "temperature": None,
            "reasoning": None,
            "service_tier": "auto",
            "stream_options": {"include_obfuscation": False},
            "previous_response_id": None,
        }
    )
    assert made == shaped({})


@pytest.mark.parametrize("name", ["background", "conversation", "prompt", "top_logprobs"])
@pytest.mark.proves("UPSTREAM-codex-refused", "CASE-148")
def test_what_nothing_else_can_stand_for_is_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        shaped({name: {"id": "x"}})
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "unsupported_parameter", name)


@pytest.mark.proves("FAIL-27", "CASE-128")
def test_an_earlier_response_is_not_found() -> None:
    with pytest.raises(PreviousResponseNotFound) as caught:
        shaped({"previous_response_id": "resp_1"})
    assert caught.value.error_object() == {
        "message": "Previous response with id 'resp_1' not found.",
        "type": "gateway_error",
        "code": "previous_response_not_found",
        "param": "previous_response_id",
    }


@pytest.mark.parametrize("body", [{"temperature": 1}, {"store": True}, {"top_k": 1}, {"service_tier": "flex"}])
@pytest.mark.proves("UPSTREAM-strict")
def test_strict_refuses_what_would_be_left_out(body: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        shaped(body, "strict")
    assert caught.value.param == next(iter(body))


@pytest.mark.proves("UPSTREAM-strict")
def test_lenient_leaves_log_probabilities_out_instead_of_refusing_them() -> None:
    logprobs = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    with pytest.raises(UnsupportedParameter):
        shaped(logprobs)
    made = shaped(logprobs, "lenient")
    assert set(made.dropped) == {"include", "top_logprobs"}
    assert made.body == shaped({}).body
    with pytest.raises(UnsupportedParameter):
        shaped({"background": True}, "lenient")


@pytest.mark.parametrize(
    ("body", "instructions"),
    [
        pytest.param({}, "You are a helpful assistant.", id="nobody says anything"),
        pytest.param({"instructions": "Mine"}, "Mine", id="as sent"),
        pytest.param({"instructions": ""}, "You are a helpful assistant.", id="an empty text says nothing"),
        pytest.param({"input": [{"role": "system", "content": "S"}, HELLO]}, "", id="system text"),
        pytest.param(
            {"input": [HELLO, {"role": "developer", "content": [{"type": "input_text", "text": "D"}]}]},
            "",
            id="developer text",
        ),
        pytest.param({"input": [{"role": "system", "content": ""}]}, "You are a helpful assistant.", id="empty system"),
        pytest.param(
            {"input": [{"type": "additional_tools", "role": "developer", "tools": []}]},
            "You are a helpful assistant.",
            id="tools are no text",
        ),
    ],
)
@pytest.mark.proves("FAIL-2", "UPSTREAM-default-instructions")
def test_instructions_are_always_a_string_and_the_default_only_fills_silence(
    body: dict[str, Any], instructions: str
) -> None:
    assert shaped(body).body["instructions"] == instructions


@pytest.mark.proves("FAIL-2")
def test_instructions_that_are_no_text_are_refused() -> None:
    with pytest.raises(UnsupportedValue) as caught:
        shaped({"instructions": [HELLO]})
    assert caught.value.param == "instructions"


@pytest.mark.proves("FAIL-3", "CASE-32")
def test_system_becomes_developer_wherever_it_stands() -> None:
    system = {"type": "message", "role": "system", "content": "S"}
    developer = {**system, "role": "developer"}
    assert input_of(system, HELLO, system) == [developer, HELLO, developer]


@pytest.mark.proves("FAIL-11", "CASE-43")
def test_ids_and_states_of_replayed_items_are_left_out() -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "call_1", "output": "1"}
    message = {"type": "message", "role": "assistant", "phase": "commentary", "content": []}
    assert input_of(
        {**message, "id": "chatcmpl-tool-1", "status": "completed"},
        {**call, "id": "fc_" + "x" * 400, "status": "completed"},
        {**output, "id": "fco_1"},
    ) == [message, call, output]


@pytest.mark.proves("CASE-44")
def test_replayed_reasoning_lives_by_its_encrypted_content_only() -> None:
    kept = {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}
    assert input_of(
        {**kept, "id": "rs_1", "status": "completed"}, HELLO, {"type": "reasoning", "id": "rs_2", "summary": []}, HELLO
    ) == [kept, HELLO, HELLO]


@pytest.mark.proves("CHAT-ANSWER-sealed")
def test_reasoning_that_the_gateway_sealed_is_not_sent_to_a_backend_that_cannot_open_it() -> None:
    ours = {"type": "reasoning", "summary": [], "encrypted_content": sealed(REASONING, "hm")}
    assert input_of(ours, HELLO) == [HELLO]


@pytest.mark.proves("CASE-45")
def test_reasoning_for_an_item_that_is_left_out_goes_with_it() -> None:
    reasoning = {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}
    reference = {"type": "item_reference", "id": "rs_9"}
    assert input_of(HELLO, reasoning, reference) == [HELLO]
    assert input_of(reasoning, HELLO, reference) == [reasoning, HELLO]


@pytest.mark.proves("CASE-45")
def test_a_row_of_reasoning_goes_with_what_it_leads_to() -> None:
    row = [{"type": "reasoning", "summary": [], "encrypted_content": f"g{number}"} for number in range(3)]
    reference = {"type": "item_reference", "id": "rs_9"}
    assert input_of(*row, HELLO, *row, reference, *row) == [*row, HELLO, *row]


@pytest.mark.proves("FAIL-11")
def test_a_reference_to_anything_but_reasoning_is_refused() -> None:
    for reference in ({"type": "item_reference", "id": "msg_1"}, {"id": "msg_1"}):
        with pytest.raises(InvalidRequest) as caught:
            shaped({"input": [HELLO, reference]})
        assert (caught.value.param, caught.value.code) == ("input[1]", "invalid_request")


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "input_audio", "input_audio": {}}, "input[0].content[0]"),
        ({"type": "input_image", "file_id": "file_1"}, "input[0].content[0].file_id"),
        ({"type": "input_file", "file_id": "file_1"}, "input[0].content[0].file_id"),
    ],
)
@pytest.mark.proves("UPSTREAM-codex-refused")
def test_content_the_backend_cannot_read_is_refused(part: dict[str, Any], param: str) -> None:
    with pytest.raises(UnsupportedValue) as caught:
        shaped({"input": [{"role": "user", "content": [part]}]})
    assert (caught.value.param, caught.value.code) == (param, "unsupported_value")


@pytest.mark.proves("UPSTREAM-codex-body")
def test_images_and_files_by_url_pass_also_in_tool_outputs() -> None:
    parts = [
        {"type": "input_text", "text": "t"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "auto"},
        {"type": "input_file", "file_url": "https://files.example/a.pdf"},
    ]
    message = {"role": "user", "content": parts}
    output = {"type": "function_call_output", "call_id": "c", "output": parts}
    assert input_of(message, output) == [message, output]


@pytest.mark.proves("CASE-47")
def test_cache_breakpoints_are_taken_out_at_any_depth() -> None:
    marked = {"type": "input_text", "text": "t", "prompt_cache_breakpoint": {"ttl": 1}}
    clean = {"type": "input_text", "text": "t"}
    assert input_of(
        {"role": "user", "content": [marked], "prompt_cache_breakpoint": {}},
        {"type": "custom_tool_call_output", "call_id": "c", "output": [{"type": "x", "inner": [marked]}]},
    ) == [
        {"role": "user", "content": [clean]},
        {"type": "custom_tool_call_output", "call_id": "c", "output": [{"type": "x", "inner": [clean]}]},
    ]


@pytest.mark.proves("UPSTREAM-call-ids")
def test_call_ids_the_backend_refuses_are_replaced_alike_on_both_sides() -> None:
    long = "call_" + "x" * 80
    call, output, other = input_of(
        {"type": "function_call", "call_id": long, "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": long, "output": ""},
        {"type": "function_call_output", "call_id": long + "y", "output": ""},
    )
    assert call["call_id"] == output["call_id"] != other["call_id"]
    assert len(call["call_id"]) <= 64
    assert input_of({"type": "function_call_output", "call_id": "toolu.1:2", "output": ""})[0]["call_id"] != "toolu.1:2"


@pytest.mark.proves("UPSTREAM-namespaces")
def test_the_namespace_of_a_call_stays_only_if_the_request_declares_it() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    spaced = {**call, "namespace": "mcp__x"}
    space = {"type": "namespace", "name": "mcp__x", "tools": []}
    assert input_of(spaced) == [call]
    assert input_of(spaced, tools=[space]) == [spaced]
    added = {"type": "additional_tools", "role": "developer", "tools": [space]}
    assert input_of(added, spaced) == [added, spaced]


@pytest.mark.proves("UPSTREAM-unknown-items")
def test_items_nobody_here_knows_pass() -> None:
    items = [{"type": "compaction", "encrypted_content": "x"}, {"type": "tomorrow", "deep": {"er": [1]}}]
    assert input_of(*items) == items


@pytest.mark.proves("UPSTREAM-tools")
def test_older_names_of_web_search_are_renamed_in_tools_and_choice() -> None:
    made = shaped(
        {
            "tools": [{"type": "web_search_preview_2025_03_11", "search_context_size": "low"}],
            "tool_choice": {"type": "web_search_preview"},
        }
    ).body
    assert made["tools"] == [{"type": "web_search", "search_context_size": "low"}]
    assert made["tool_choice"] == {"type": "web_search"}
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search_preview"}]}
    assert shaped({"tool_choice": allowed}).body["tool_choice"] == {**allowed, "tools": [{"type": "web_search"}]}
    assert shaped({"tool_choice": "none"}).body["tool_choice"] == "none"


@pytest.mark.parametrize("kind", ["file_search", "code_interpreter", "computer_use_preview", "computer", "mcp"])
@pytest.mark.proves("UPSTREAM-tools")
def test_hosted_tools_the_backend_lacks_are_refused(kind: str) -> None:
    with pytest.raises(UnsupportedValue) as caught:
        shaped({"tools": [{"type": "function", "name": "f"}, {"type": kind}]})
    assert caught.value.param == "tools[1].type"


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        pytest.param({"effort": "high"}, {"effort": "high", "summary": "auto"}, id="summary by default"),
        pytest.param({"effort": "high", "summary": None}, {"effort": "high"}, id="no summary was asked for"),
        pytest.param({"effort": "high", "summary": "none"}, {"effort": "high"}, id="none is said by silence"),
        pytest.param({"effort": "ultra"}, {"effort": "max", "summary": "auto"}, id="ultra"),
        pytest.param({"effort": "minimal"}, {"effort": "low", "summary": "auto"}, id="weaker than the weakest"),
        pytest.param({"effort": None}, None, id="null is refused by the backend"),
        pytest.param({"effort": "galactic"}, {"effort": "galactic", "summary": "auto"}, id="unknown"),
        pytest.param({"generate_summary": "concise"}, {"summary": "concise"}, id="the older name"),
        pytest.param({}, None, id="nothing"),
    ],
)
@pytest.mark.proves("UPSTREAM-reasoning")
def test_reasoning_is_said_as_the_model_understands_it(asked: dict[str, Any], sent: dict[str, Any] | None) -> None:
    assert shaped({"reasoning": asked}).body.get("reasoning") == sent


@pytest.mark.proves("UPSTREAM-reasoning")
def test_no_summary_is_asked_for_where_there_is_no_reasoning() -> None:
    assert shaped({"model": "unknown-model", "reasoning": {"effort": "none"}}).body["reasoning"] == {"effort": "none"}


@pytest.mark.parametrize(
    ("body", "model", "effort"),
    [
        ({"model": "gpt-6-sol-high"}, "gpt-6-sol", "high"),
        ({"model": "gpt-6-sol(low)", "reasoning": {"effort": "high"}}, "gpt-6-sol", "high"),
        ({"model": "fast-one"}, "gpt-5.2", None),
        ({"model": "gpt-5.2", "reasoning": {"effort": "max"}}, "gpt-5.2", "high"),
    ],
)
@pytest.mark.proves("UPSTREAM-model-names")
def test_the_name_of_a_model_may_carry_an_effort(body: dict[str, Any], model: str, effort: str | None) -> None:
    made = shaped(body).body
    assert (made["model"], made.get("reasoning", {}).get("effort")) == (model, effort)


@pytest.mark.parametrize(
    ("model", "tier", "sent", "dropped"),
    [
        ("gpt-6-sol", "fast", "priority", ()),
        ("gpt-6-sol", "priority", "priority", ()),
        ("gpt-6-sol", "flex", None, ("service_tier",)),
        ("gpt-6-sol", "ultrafast", None, ("service_tier",)),
        ("gpt-5.2", "fast", None, ("service_tier",)),
        ("unknown-model", "fast", "priority", ()),
        ("gpt-6-sol", "default", None, ()),
    ],
)
@pytest.mark.proves("FAIL-26", "CASE-46")
def test_only_tiers_the_model_has_are_sent(model: str, tier: str, sent: str | None, dropped: tuple[str, ...]) -> None:
    made = shaped({"model": model, "service_tier": tier})
    assert (made.body.get("service_tier"), made.dropped) == (sent, dropped)


@pytest.mark.proves("UPSTREAM-include")
def test_other_extras_of_an_answer_are_not_asked_for() -> None:
    made = shaped({"include": ["reasoning.encrypted_content", "web_search_call.action.sources"]})
    assert (made.body["include"], made.dropped) == (["reasoning.encrypted_content"], ("include",))


@pytest.mark.proves("UPSTREAM-client-metadata")
def test_client_metadata_keeps_to_the_limits_of_the_backend() -> None:
    own = {"session_id": "s" * 500, "turn_id": "t"}
    extras = {f"key{number}": "v" for number in range(20)}
    made = shaped({"client_metadata": {**own, "long": "v" * 129, "number": 1, **extras}})
    assert made.body["client_metadata"] == {**own, **dict(list(extras.items())[:16])}
    assert made.dropped == ("client_metadata",)


@pytest.mark.proves("CASE-17", "UPSTREAM-openai-as-sent")
def test_a_server_of_its_own_dialect_gets_what_the_client_sent() -> None:
    body = {
        "temperature": 0,
        "store": True,
        "previous_response_id": "resp_1",
        "tools": [{"type": "file_search"}],
        "vendor": {"x": 1},
        "stream": True,
        "input": [{"type": "item_reference", "id": "msg_1"}, {"role": "system", "content": "S"}],
    }
    assert shaped(body, profile=OPENAI).body == {"model": "gpt-6-sol", **body}
    assert shaped({**body, "model": "fast-one"}, profile=OPENAI).body["model"] == "gpt-5.2"
    assert shaped({"stream": True}, profile=OPENAI, stream=False).body["stream"] is False
    assert shaped({"model": "gpt-6-sol-high"}, profile=OPENAI).body["reasoning"] == {"effort": "high"}


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
_items = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["message", "reasoning", "function_call", "function_call_output", "other"])},
        optional={
            "id": st.text(max_size=3),
            "role": st.sampled_from(["system", "user", "assistant", "developer"]),
            "content": _json,
            "output": _json,
            "call_id": st.text(max_size=70),
            "encrypted_content": st.text(max_size=3),
            "status": st.just("completed"),
        },
    ),
    max_size=5,
)


@settings(max_examples=80, deadline=None)
@given(items=_items, extra=st.dictionaries(st.text(min_size=1, max_size=6), _json, max_size=4))
@pytest.mark.proves("UPSTREAM-codex-body")
def test_whatever_is_sent_the_body_holds_only_what_the_backend_accepts(
    items: list[dict[str, Any]], extra: dict[str, Any]
) -> None:
    body = shaped({"input": items, **{f"x_{name}": value for name, value in extra.items()}}).body
    assert body.keys() <= {name for name, field in (CODEX.fields or {}).items() if field.verdict == "pass"} | {
        "store",
        "stream",
        "prompt_cache_key",
    }
    assert not any({"id", "status"} & item.keys() or item.get("role") == "system" for item in body["input"])
    again = shaped({**body, "store": False})
    assert again.body == body
