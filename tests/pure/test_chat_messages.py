"""Messages → input items, in order (translation §1.2, §1.3)."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import InvalidRequest, UnsupportedValue
from tests.pure.chat_frames import TOOL, USER, body_of, items_of

Json = dict[str, Any]
HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
CALL = {"id": "call_1", "type": "function", "function": {"name": "get", "arguments": '{"k":1}'}}
CALL_ITEM = {"type": "function_call", "call_id": "call_1", "name": "get", "arguments": '{"k":1}'}
ASKED = {"role": "assistant", "content": None, "tool_calls": [CALL]}


def tool(content: Any, call_id: str = "call_1") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def said(role: str, *parts: Json) -> Json:
    return {"type": "message", "role": role, "content": list(parts)}


def refused(*messages: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        items_of(*messages)
    return caught.value


@pytest.mark.proves("CASE-30")
def test_roles_and_places_are_kept_also_for_a_late_system_message() -> None:
    items = items_of(USER, {"role": "system", "content": "a"}, {"role": "developer", "content": "b"})
    one, two = ({"type": "input_text", "text": text} for text in "ab")
    assert items == [HI, said("system", one), said("developer", two)]


@pytest.mark.proves("CASE-29", "CASE-42")
def test_only_what_the_inner_form_knows_is_emitted() -> None:
    """What litellm and the SDKs echo: unknown keys inside messages are tolerated and stay behind."""
    echoed: Json = {
        "role": "assistant",
        "content": "ok",
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
        "tool_calls": None,
        "reasoning_content": "because",
        "provider_specific_fields": {"refusal": None},
        "phase": "final_answer",
    }
    items = items_of({**USER, "name": "ann", "vendor": 1}, echoed)
    answer = {**said("assistant", {"type": "output_text", "text": "ok"}), "phase": "final_answer"}
    assert items == [HI, answer]


@pytest.mark.proves("CASE-4")
@pytest.mark.parametrize(
    "content",
    [
        "ok",
        [{"type": "text", "text": "ok"}],
        [{"type": "input_text", "text": "ok"}],
        [{"type": "output_text", "text": "ok"}],
    ],
    ids=["text", "part", "input-part", "output-part"],
)
def test_assistant_text_becomes_output_text(content: Any) -> None:
    items = items_of(USER, {"role": "assistant", "content": content})
    assert items[1] == said("assistant", {"type": "output_text", "text": "ok"})


@pytest.mark.proves("CASE-5", "CASE-6")
@pytest.mark.parametrize("content", [None, "", [], [{"type": "text", "text": ""}]], ids=repr)
def test_calls_without_text_give_no_empty_message(content: Any) -> None:
    assert items_of(USER, {**ASKED, "content": content}, tool("x"))[1:2] == [CALL_ITEM]


@pytest.mark.proves("CASE-5")
def test_a_message_without_a_content_key_is_like_null() -> None:
    assert items_of(USER, {"role": "assistant", "tool_calls": [CALL]})[1] == CALL_ITEM


@pytest.mark.proves("CASE-7", "CASE-9")
def test_text_and_two_calls_keep_their_order_and_so_do_their_results() -> None:
    second = {"id": "call_2", "type": "function", "function": {"name": "get", "arguments": "{}"}}
    items = items_of(
        USER,
        {"role": "assistant", "content": "Looking.", "tool_calls": [CALL, second]},
        tool("two", "call_2"),
        tool("one", "call_1"),
    )
    assert items == [
        HI,
        said("assistant", {"type": "output_text", "text": "Looking."}),
        CALL_ITEM,
        {"type": "function_call", "call_id": "call_2", "name": "get", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_2", "output": "two"},
        {"type": "function_call_output", "call_id": "call_1", "output": "one"},
    ]


@pytest.mark.proves("CASE-8")
def test_long_call_ids_are_hashed_alike_on_both_sides_and_stay_different() -> None:
    ids = ["c" * 64 + tail for tail in ("a" * 26, "b" * 26)]
    calls = [{**CALL, "id": call_id} for call_id in ids]
    items = items_of(USER, {"role": "assistant", "tool_calls": calls}, *(tool(call_id[-1], call_id) for call_id in ids))
    one, two, first, second = items[1:]
    assert one["call_id"] == first["call_id"] != two["call_id"] == second["call_id"]
    assert all(len(item["call_id"]) <= 64 for item in items[1:])
    assert [first["output"], second["output"]] == ["a", "b"]


@pytest.mark.proves("CASE-8")
@pytest.mark.parametrize("call_id", ["call.1", "ünïcode", "with space", "\ud83d"], ids=ascii)
def test_a_call_id_with_foreign_characters_is_hashed(call_id: str) -> None:
    items = items_of(USER, {"role": "assistant", "tool_calls": [{**CALL, "id": call_id}]}, tool("x", call_id))
    assert items[1]["call_id"] == items[2]["call_id"]
    assert items[1]["call_id"].startswith("call_")
    assert len(items[1]["call_id"]) == 45


@pytest.mark.proves("CASE-10", "CASE-11")
@pytest.mark.parametrize(
    ("content", "output"),
    [
        ("18C", "18C"),
        (None, ""),
        ([], ""),
        ([{"type": "text", "text": ""}], ""),
        ([{"type": "text", "text": "18C"}], "18C"),
        (
            [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}],
        ),
        (
            [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:x"}}],
            [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "data:x", "detail": "auto"}],
        ),
        ([{"type": "input_text", "text": "a", "prompt_cache_breakpoint": True}],
         [{"type": "input_text", "text": "a", "prompt_cache_breakpoint": True}]),
        ({"temperature": 18}, '{"temperature":18}'),
        ([{"type": "resource", "uri": "x"}], '[{"type":"resource","uri":"x"}]'),
        (["a", 1], '["a",1]'),
        (18, "18"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_tool_result_is_text_where_text_says_it_all(content: Any, output: Any) -> None:
    assert items_of(USER, ASKED, tool(content))[2] == {
        "type": "function_call_output",
        "call_id": "call_1",
        "output": output,
    }


def test_a_tool_result_without_content_is_empty() -> None:
    assert items_of(USER, ASKED, {"role": "tool", "tool_call_id": "call_1"})[2]["output"] == ""


@pytest.mark.proves("CASE-12")
def test_a_result_without_its_call_is_refused() -> None:
    error = refused(USER, tool("x", "call_9"))
    assert (error.code, error.param) == ("invalid_request", "messages[1].tool_call_id")
    assert "call_9" in error.message


@pytest.mark.proves("CASE-13")
def test_a_custom_call_and_its_result_stay_custom() -> None:
    asked = {
        "role": "assistant",
        "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "run", "input": "ls"}}],
    }
    assert items_of(USER, asked, tool("ok", "c1"))[1:] == [
        {"type": "custom_tool_call", "call_id": "c1", "name": "run", "input": "ls"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
    ]


@pytest.mark.proves("CASE-13", "CASE-92")
@pytest.mark.parametrize(("arguments", "text"), [("ls", "ls"), (None, ""), ({"a": 1}, '{"a":1}')], ids=repr)
def test_a_custom_call_replayed_as_a_function_is_known_by_its_declaration(arguments: Any, text: str) -> None:
    replayed = {"id": "c1", "type": "function", "function": {"name": "run", "arguments": arguments}}
    tools = [{"type": "custom", "custom": {"name": "run"}}]
    items = items_of(USER, {"role": "assistant", "tool_calls": [replayed]}, tool("ok", "c1"), tools=tools)
    assert items[1:] == [
        {"type": "custom_tool_call", "call_id": "c1", "name": "run", "input": text},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ("", "{}"),
        ("  ", "{}"),
        (None, "{}"),
        ({"a": [1]}, '{"a":[1]}'),
        ("not json", "not json"),
    ],
    ids=repr,
)
@pytest.mark.proves("CHAT-call-arguments")
def test_arguments_are_always_text(arguments: Any, text: str) -> None:
    asked = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "get", "arguments": arguments}}]}
    assert items_of(USER, asked)[1] == {"type": "function_call", "call_id": "c", "name": "get", "arguments": text}


@pytest.mark.proves("CHAT-namespace")
def test_a_replayed_call_of_a_namespace_names_it_again() -> None:
    tools = [{"type": "namespace", "name": "files", "tools": [{"type": "function", "name": "get"}]}]
    assert items_of(USER, ASKED, tools=tools)[1] == {**CALL_ITEM, "namespace": "files"}


@pytest.mark.proves("CASE-39")
def test_a_legacy_call_gets_an_id_that_its_result_shares() -> None:
    def asked(name: str) -> Json:
        return {"role": "assistant", "content": None, "function_call": {"name": name, "arguments": "{}"}}

    def answered(name: str, text: str) -> Json:
        return {"role": "function", "name": name, "content": text}

    items = items_of(
        USER, asked("a"), asked("b"), answered("a", "1"), answered("b", "2"), asked("a"), answered("a", "3")
    )
    calls = {item["call_id"]: item["name"] for item in items if item["type"] == "function_call"}
    outputs = [(calls[item["call_id"]], item["output"]) for item in items if item["type"] == "function_call_output"]
    assert len(calls) == 3
    assert outputs == [("a", "1"), ("b", "2"), ("a", "3")]


@pytest.mark.proves("CHAT-refusal")
def test_refusals_of_the_history_become_refusal_parts() -> None:
    parts = [{"type": "refusal", "refusal": "No."}, {"type": "refusal", "refusal": ""}]
    items = items_of(
        USER, {"role": "assistant", "content": None, "refusal": "No."}, {"role": "assistant", "content": parts}
    )
    assert items[1:] == [said("assistant", {"type": "refusal", "refusal": "No."})] * 2


@pytest.mark.proves("CHAT-thoughts")
def test_thoughts_replayed_as_parts_are_left_out() -> None:
    content = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "ok"},
        {"type": "reasoning", "text": "x"},
    ]
    items = items_of(USER, {"role": "assistant", "content": content})
    assert items[1] == said("assistant", {"type": "output_text", "text": "ok"})


@pytest.mark.proves("CHAT-empty-parts")
@pytest.mark.parametrize("content", ["", [], [{"type": "text", "text": ""}]], ids=repr)
def test_a_user_message_without_text_keeps_its_turn(content: Any) -> None:
    assert items_of({"role": "user", "content": content}) == [said("user", {"type": "input_text", "text": ""})]


@pytest.mark.proves("CHAT-empty-parts")
def test_empty_parts_are_left_out_of_lists() -> None:
    content = [{"type": "text", "text": ""}, {"type": "text", "text": "a"}]
    assert items_of({"role": "user", "content": content}) == [said("user", {"type": "input_text", "text": "a"})]


@pytest.mark.proves("CASE-27", "CASE-28", "CHAT-parts")
@pytest.mark.parametrize(
    ("part", "inner"),
    [
        (
            {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
            {"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"},
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "high"}},
            {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "high"},
        ),
        ({"type": "image_url", "image_url": "u"}, {"type": "input_image", "image_url": "u", "detail": "auto"}),
        (
            {"type": "input_image", "image_url": {"url": "u", "detail": "low"}},
            {"type": "input_image", "image_url": "u", "detail": "low"},
        ),
        (
            {"type": "input_image", "image_url": "u", "detail": "low"},
            {"type": "input_image", "image_url": "u", "detail": "low"},
        ),
        ({"type": "input_image", "file_id": "f"}, {"type": "input_image", "file_id": "f", "detail": "auto"}),
        (
            {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
            {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
        ),
        ({"type": "file", "file": {"file_id": "f"}}, {"type": "input_file", "file_id": "f"}),
        (
            {"type": "file", "file": {"file_data": "data:text/plain;base64,aGk=", "filename": "a.txt"}},
            {"type": "input_file", "file_data": "data:text/plain;base64,aGk=", "filename": "a.txt"},
        ),
        (
            {"type": "file", "file": {"file_data": "aGk=", "filename": "notes.MD"}},
            {"type": "input_file", "file_data": "data:text/markdown;base64,aGk=", "filename": "notes.MD"},
        ),
        (
            {"type": "file", "file": {"file_data": "JVBERi0xLjQ="}},
            {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0xLjQ=", "filename": "file.pdf"},
        ),
        (
            {"type": "file", "file": {"file_data": "aGk="}},
            {"type": "input_file", "file_data": "data:application/octet-stream;base64,aGk=", "filename": "file.bin"},
        ),
        (
            {"type": "file", "file": {"file_data": "data:image/jpeg;base64,AA=="}},
            {"type": "input_file", "file_data": "data:image/jpeg;base64,AA==", "filename": "file.jpg"},
        ),
        ({"type": "input_file", "file_url": "u", "x": 1}, {"type": "input_file", "file_url": "u"}),
        ({"type": "output_text", "text": "a"}, {"type": "input_text", "text": "a"}),
        (
            {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "x"}, "cache_control": {}},
            {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "x"}},
        ),
    ],
    ids=repr,
)
def test_a_part_has_one_inner_form(part: Json, inner: Json) -> None:
    assert items_of({"role": "user", "content": [part]}) == [said("user", inner)]


@pytest.mark.proves("CHAT-malformed-messages")
@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "user"}, "content"),
        ({"role": "user", "content": 5}, "content"),
        ({"role": "system", "content": None}, "content"),
        ({"role": "user", "content": ["hi"]}, "content[0]"),
        ({"role": "user", "content": [{"text": "hi"}]}, "content[0].type"),
        ({"role": "user", "content": [{"type": "video_url", "video_url": {}}]}, "content[0].type"),
        ({"role": "user", "content": [{"type": ["text"]}]}, "content[0].type"),
        ({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text"}]}, "content[1].text"),
        ({"role": "user", "content": [{"type": "refusal", "refusal": "x"}]}, "content[0].type"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "content[0].image_url"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, "content[0].image_url.url"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u", "detail": 1}}]},
         "content[0].image_url.detail"),
        ({"role": "user", "content": [{"type": "input_image"}]}, "content[0].image_url"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "content[0].input_audio"),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "x"}}]},
         "content[0].input_audio.format"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "content[0].file.file_data"),
        ({"role": "user", "content": [{"type": "input_file", "filename": "x"}]}, "content[0].file_id"),
        ({"role": "assistant", "content": 5}, "content"),
        ({"role": "assistant", "content": [{"type": "image_url", "image_url": "u"}]}, "content[0].type"),
        ({"role": "assistant", "tool_calls": {}}, "tool_calls"),
        ({"role": "assistant", "tool_calls": [5]}, "tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [{"id": "a", "type": "other"}]}, "tool_calls[0].type"),
        ({"role": "assistant", "tool_calls": [{"function": {"name": "x"}}]}, "tool_calls[0].id"),
        ({"role": "assistant", "tool_calls": [{"id": "", "function": {"name": "x"}}]}, "tool_calls[0].id"),
        ({"role": "assistant", "tool_calls": [{"id": "a", "type": "function"}]}, "tool_calls[0].function"),
        ({"role": "assistant", "tool_calls": [{"id": "a", "function": {}}]}, "tool_calls[0].function.name"),
        ({"role": "assistant", "tool_calls": [{"id": "a", "custom": {"name": 5}}]}, "tool_calls[0].custom.name"),
        ({"role": "assistant", "function_call": "x"}, "function_call"),
        ({"role": "assistant", "function_call": {}}, "function_call.name"),
        ({"role": "tool", "content": "x"}, "tool_call_id"),
        ({"role": "function", "content": "x"}, "name"),
        ({"role": "function", "name": "x", "content": "x"}, "name"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_malformed_message_is_refused_by_path(message: Json, param: str) -> None:
    error = refused(USER, message)
    assert (type(error), error.param) == (InvalidRequest, f"messages[1].{param}")


@pytest.mark.proves("CHAT-spoken-history")
def test_a_spoken_answer_alone_cannot_be_replayed_but_next_to_text_it_is_left_out() -> None:
    spoken = {"role": "assistant", "audio": {"id": "audio_1"}}
    error = refused(USER, spoken)
    assert (type(error), error.param) == (UnsupportedValue, "messages[1].audio")
    assert items_of(USER, {**spoken, "content": "ok"})[1] == said("assistant", {"type": "output_text", "text": "ok"})
    assert items_of(USER, {**spoken, "tool_calls": [CALL]})[1] == CALL_ITEM


def test_a_real_tool_turn_of_a_coding_agent() -> None:
    """The second request of a tool loop, as SDKs send it."""
    body = body_of(messages=[USER, ASKED, tool("18C-SUNNY")], tools=[TOOL], tool_choice="auto")
    output = {"type": "function_call_output", "call_id": "call_1", "output": "18C-SUNNY"}
    assert body["input"] == [HI, CALL_ITEM, output]
    assert body["tool_choice"] == "auto"
