"""Finished responses → chat completions (translation §2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects import Choices
from gateway.dialects.chat import ChatExchange
from tests.pure.chat_frames import (
    CHAT_USAGE,
    CITED,
    USAGE,
    answer,
    call,
    custom_call,
    cut,
    exchange,
    message,
    reasoning,
    response,
    said,
    text_part,
)

Json = dict[str, Any]
JSON_FORMAT = {"type": "json_object"}


def finish(*output: Json, asked: ChatExchange | None = None, **more: Any) -> str:
    reason: str = answer(*output, asked=asked, **more)["choices"][0]["finish_reason"]
    return reason


@pytest.mark.proves("CHAT-completion", "CASE-64")
def test_a_whole_completion() -> None:
    asked = exchange(metadata={"a": "b"})
    more = {"service_tier": "default", "moderation": {"flagged": False}, "created_at": 1700000000.7}
    assert answer(message("Hi"), asked=asked, **more) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-x",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": CHAT_USAGE,
        "service_tier": "default",
        "system_fingerprint": None,
        "metadata": {"a": "b"},
        "moderation": {"flagged": False},
    }


@pytest.mark.proves("CHAT-completion")
def test_a_sparse_response_still_gives_a_whole_completion() -> None:
    made = answer(**dict.fromkeys(("id", "created_at", "model", "usage", "output", "service_tier")))
    assert made.pop("id").startswith("chatcmpl-")
    assert made == {
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "system_fingerprint": None,
    }


def test_metadata_is_echoed_only_to_who_sent_some() -> None:
    assert "metadata" not in answer(message("Hi"), metadata={"a": "b"})


def test_a_tier_that_chat_does_not_know_is_priority() -> None:
    assert answer(message("Hi"), service_tier="ultrafast")["service_tier"] == "priority"


@pytest.mark.proves("CASE-49", "CASE-50")
def test_a_call_has_its_call_id_and_no_text_means_null() -> None:
    assert said(call(arguments='{"k":1}', call_id="call_9")) == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "tool_calls": [{"id": "call_9", "type": "function", "function": {"name": "get", "arguments": '{"k":1}'}}],
    }
    assert finish(call()) == "tool_calls"


@pytest.mark.proves("CASE-51")
def test_text_and_calls_stand_next_to_each_other() -> None:
    output = (message("Looking."), call(call_id="call_1"), call(call_id="call_2"))
    made = said(*output)
    assert made["content"] == "Looking."
    assert [entry["id"] for entry in made["tool_calls"]] == ["call_1", "call_2"]
    assert finish(*output) == "tool_calls"


@pytest.mark.proves("CASE-68")
@pytest.mark.parametrize("arguments", ["", None], ids=repr)
def test_empty_arguments_are_an_empty_object(arguments: Any) -> None:
    assert said(call(arguments=arguments))["tool_calls"][0]["function"]["arguments"] == "{}"


@pytest.mark.proves("CASE-92")
def test_custom_calls_are_native_in_json() -> None:
    assert said(custom_call(), custom_call(text="", call_id="call_d"))["tool_calls"] == [
        {"id": "call_c", "type": "custom", "custom": {"name": "run", "input": "ls"}},
        {"id": "call_d", "type": "custom", "custom": {"name": "run", "input": ""}},
    ]


def test_a_call_without_an_id_gets_one_from_its_place() -> None:
    made = said(call(call_id=""), call(call_id=""))
    ids = [entry["id"] for entry in made["tool_calls"]]
    assert len(set(ids)) == 2
    assert all(call_id.startswith("call_") for call_id in ids)


def test_legacy_functions_show_the_first_call_only() -> None:
    made = said(call("a"), call("b"), asked=exchange(functions=[{"name": "a"}]))
    assert made["function_call"] == {"name": "a", "arguments": "{}"}


@pytest.mark.proves("CASE-65")
def test_calls_that_the_server_ran_are_no_tool_calls() -> None:
    output = ({"id": "ws_1", "type": "web_search_call", "status": "completed"}, message("Found."))
    assert said(*output) == {"role": "assistant", "content": "Found.", "refusal": None, "annotations": []}
    assert finish(*output) == "stop"


@pytest.mark.proves("CASE-52", "CASE-53", "CASE-55", "CASE-56", "CHAT-finish")
@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("max_output_tokens", "length"),
        ("max_tokens", "length"),
        ("max_messages", "length"),
        (None, "length"),
        ("content_filter", "content_filter"),
        ("steered", "stop"),
    ],
)
def test_an_incomplete_response_says_why(reason: str | None, expected: str) -> None:
    made = answer(message("Hi"), **cut(reason))
    assert made["choices"][0]["finish_reason"] == expected
    assert made["usage"] == CHAT_USAGE
    assert finish(message("Hi"), status="incomplete", incomplete_details=None) == "length"


@pytest.mark.proves("CASE-54")
def test_a_cut_in_the_middle_of_reasoning_is_an_empty_answer_of_length() -> None:
    made = answer(reasoning("hm"), **cut("max_output_tokens"))["choices"][0]
    assert (made["message"]["content"], made["finish_reason"]) == ("", "length")


@pytest.mark.proves("CASE-57")
def test_a_cut_call_is_listed_as_it_came() -> None:
    output = (call(call_id="call_1"), call(call_id="call_2", arguments='{"k":'))
    made = said(*output, **cut("max_output_tokens"))
    assert [entry["function"]["arguments"] for entry in made["tool_calls"]] == ["{}", '{"k":']
    assert finish(*output, **cut("max_output_tokens")) == "length"


@pytest.mark.proves("CASE-58")
def test_a_refusal_is_no_content() -> None:
    refusal = message({"type": "refusal", "refusal": "No."})
    assert said(refusal) == {"role": "assistant", "content": None, "refusal": "No.", "annotations": []}
    assert finish(refusal) == "stop"


@pytest.mark.proves("CASE-59")
def test_several_messages_are_joined_by_a_blank_line() -> None:
    output = (message("On it."), message("", index=1), message("Do", "ne.", index=2))
    assert said(*output)["content"] == "On it.\n\nDone."


@pytest.mark.proves("CASE-59")
@pytest.mark.parametrize(
    ("choices", "thoughts"),
    [
        (Choices(), {"reasoning_content": "On it."}),
        (Choices(reasoning="reasoning"), {"reasoning": "On it."}),
        (Choices(reasoning="think"), {"reasoning_content": "On it."}),
        (Choices(reasoning="hide"), {}),
    ],
    ids=["reasoning_content", "reasoning", "think", "hide"],
)
def test_preambles_are_no_part_of_a_json_answer(choices: Choices, thoughts: Json) -> None:
    output = (message("On it.", phase="commentary"), message('{"a":1}', index=1, phase="final_answer"))
    assert said(*output)["content"] == 'On it.\n\n{"a":1}'
    assert said(*output, asked=exchange(choices, response_format=JSON_FORMAT)) == {
        "role": "assistant",
        "content": '{"a":1}',
        "refusal": None,
        "annotations": [],
        **thoughts,
    }


@pytest.mark.proves("CASE-60", "CASE-61", "CASE-62")
def test_sources_are_nested_and_shifted_into_the_whole_text() -> None:
    """Offsets count code points, the blank line between messages included; other kinds of sources are left out."""
    output = (
        message(text_part("né 🌍", annotations=[CITED, CITED, {"type": "file_citation", "file_id": "f"}])),
        message("ab", text_part("cd", annotations=[CITED, {"type": "url_citation"}, 5]), index=1),
    )
    made = said(*output)
    assert made["content"] == "né 🌍\n\nabcd"
    assert made["annotations"] == [
        {"type": "url_citation", "url_citation": {"start_index": start, "end_index": end, "url": url, "title": title}}
        for start, end, url, title in [(0, 2, "https://x", "X"), (8, 10, "https://x", "X"), (8, 8, "", "")]
    ]


@pytest.mark.proves("CASE-61")
def test_only_foreign_sources_leave_an_empty_list() -> None:
    assert said(message(text_part("a", annotations=[{"type": "file_path"}])))["annotations"] == []


@pytest.mark.proves("CASE-63")
@pytest.mark.parametrize("usage", [None, 5], ids=repr)
def test_unknown_usage_is_left_out(usage: Any) -> None:
    assert "usage" not in answer(message("Hi"), usage=usage)


@pytest.mark.proves("CASE-64", "CHAT-usage")
@pytest.mark.parametrize(
    ("told", "prompt", "reasoned"),
    [
        (
            {"input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 5}},
            {"cached_tokens": 1, "cache_write_tokens": 5},
            4,
        ),
        (
            {"input_tokens_details": None, "output_tokens_details": None, "total_tokens": None},
            {"cached_tokens": 0, "cache_write_tokens": 0},
            0,
        ),
    ],
    ids=["all", "sparse"],
)
def test_token_details_are_filled(told: Json, prompt: Json, reasoned: int) -> None:
    made = answer(message("Hi"), usage={**USAGE, **told})["usage"]
    assert made == {
        **CHAT_USAGE,
        "prompt_tokens_details": {"audio_tokens": 0, **prompt},
        "completion_tokens_details": {**CHAT_USAGE["completion_tokens_details"], "reasoning_tokens": reasoned},
    }


@pytest.mark.proves("CASE-66", "CHAT-reasoning-modes")
@pytest.mark.parametrize(
    ("choices", "content", "thoughts"),
    [
        (Choices(), "Hi", {"reasoning_content": "A\n\nB"}),
        (Choices(reasoning="reasoning"), "Hi", {"reasoning": "A\n\nB"}),
        (Choices(reasoning="think"), "<think>A\n\nB</think>\nHi", {}),
        (Choices(reasoning="hide"), "Hi", {}),
    ],
    ids=["reasoning_content", "reasoning", "think", "hide"],
)
@pytest.mark.parametrize("kind", ["summary", "content"])
def test_reasoning_goes_into_one_field(choices: Choices, content: str, thoughts: Json, kind: Any) -> None:
    output = (reasoning("A", "", "B", kind=kind), message("Hi", index=1))
    assert said(*output, asked=exchange(choices)) == {
        "role": "assistant",
        "content": content,
        "refusal": None,
        "annotations": [],
        **thoughts,
    }


@pytest.mark.parametrize("fields", [{"reasoning": {"exclude": True}}, {"include_reasoning": False}], ids=repr)
def test_a_client_may_hide_reasoning(fields: Json) -> None:
    made = said(reasoning("A"), message("Hi"), asked=exchange(**fields))
    assert made == {"role": "assistant", "content": "Hi", "refusal": None, "annotations": []}


def test_full_thoughts_win_over_their_summary_and_empty_ones_are_absent() -> None:
    both = {**reasoning("short"), "content": [{"type": "reasoning_text", "text": "long"}]}
    assert said(both, message("Hi"))["reasoning_content"] == "long"
    assert "reasoning_content" not in said(reasoning(""), message("Hi"))
    emptied = {**reasoning("short"), "content": [{"type": "reasoning_text", "text": ""}, {"type": "reasoning_text"}]}
    assert said(emptied, message("Hi"))["reasoning_content"] == "short"


def test_encrypted_reasoning_never_reaches_a_chat_client() -> None:
    sealed = {"type": "reasoning", "summary": [], "encrypted_content": "SEALED"}
    assert b"SEALED" not in exchange().encode_response(response(sealed, message("Hi")))


@pytest.mark.proves("CASE-95")
def test_think_tags_close_before_a_call() -> None:
    asked = exchange(Choices(reasoning="think"))
    assert said(reasoning("A"), call(), asked=asked)["content"] == "<think>A</think>\n"
    assert said(reasoning("A"), message({"type": "refusal", "refusal": "No."}), asked=asked)["refusal"] == "No."


@pytest.mark.proves("CHAT-logprobs")
def test_logprobs_come_when_asked_with_the_bytes_that_chat_promises() -> None:
    token = {"token": "é", "logprob": -0.5, "top_logprobs": [{"token": "é", "logprob": -0.5, "bytes": [1]}]}
    spoken = message(text_part("é", logprobs=[token]))
    made = answer(spoken, asked=exchange(logprobs=True, top_logprobs=1))["choices"][0]["logprobs"]
    top = {"token": "é", "logprob": -0.5, "bytes": [1]}
    assert made == {
        "content": [{"token": "é", "logprob": -0.5, "bytes": [195, 169], "top_logprobs": [top]}],
        "refusal": None,
    }
    assert answer(spoken)["choices"][0]["logprobs"] is None
    assert answer(message("Hi"), asked=exchange(logprobs=True))["choices"][0]["logprobs"] is None


@pytest.mark.proves("CASE-90")
def test_half_an_emoji_is_escaped_not_a_crash() -> None:
    encoded = exchange().encode_response(response(message("a\ud83d")))
    assert b"\\ud83d" in encoded
    assert json.loads(encoded)["choices"][0]["message"]["content"] == "a\ud83d"


def test_items_and_parts_of_unknown_kinds_are_left_out() -> None:
    odd = {
        "type": "message",
        "content": [{"type": "hologram"}, "text", {"type": "output_text", "text": None}, text_part("Hi")],
    }
    assert said({"type": "oracle"}, odd, {"type": "reasoning"})["content"] == "Hi"
    assert said(message(text_part("Hi", logprobs=["x"])), asked=exchange(logprobs=True))["content"] == "Hi"
