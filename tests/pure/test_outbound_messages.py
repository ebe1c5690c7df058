"""Input items → the messages of a chat-only server (translation §5.3)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.compaction import sealed
from gateway.dialects.chat.outbound import GENERIC, Quirks
from tests.pure.outbound_requests import HELLO, call, encoded, messages, output, refused, said, wire_call

Json = dict[str, Any]

PLAIN = Quirks(merge_system=False)
USER: Json = {"role": "user", "content": "hi"}
SEEN: Json = {"role": "tool", "tool_call_id": "c1", "content": "seen"}
PICTURE: Json = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"}
WIRE_PICTURE: Json = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def calling(*calls: Json, content: str | None = None, **others: Any) -> Json:
    return {"role": "assistant", "content": content, "tool_calls": list(calls), **others}


@pytest.mark.proves("CASE-110")
def test_calls_made_together_are_one_message_and_their_outputs_follow_in_their_order() -> None:
    made = messages(HELLO, call("c1"), call("c2"), output("c2", "two"), output("c1", "one"))
    assert made == [
        USER,
        calling(wire_call("c1"), wire_call("c2")),
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
    ]


@pytest.mark.proves("CASE-111")
def test_what_was_said_between_a_call_and_its_output_comes_after_the_output() -> None:
    made = messages(HELLO, call("c1"), said("user", "wait"), output("c1"))
    assert made == [USER, calling(wire_call("c1")), SEEN, {"role": "user", "content": "wait"}]


@pytest.mark.proves("CASE-111")
def test_assistant_text_between_a_call_and_its_output_joins_the_next_turn() -> None:
    made = messages(
        call("c1"), said("assistant", "One"), output("c1"), said("assistant", "Two"), call("c2"), output("c2")
    )
    assert made[:3] == [calling(wire_call("c1")), SEEN, calling(wire_call("c2"), content="One\n\nTwo")]


def test_an_output_ends_the_turn_so_that_the_next_call_is_a_turn_of_its_own() -> None:
    made = messages(call("c1"), output("c1"), call("c2"), output("c2"))
    assert [message["role"] for message in made] == ["assistant", "tool", "assistant", "tool"]


def test_text_and_the_calls_after_it_are_one_message() -> None:
    made = messages(said("assistant", "Looking."), call("c1"), output("c1"))
    assert made == [calling(wire_call("c1"), content="Looking."), SEEN]


def test_an_output_may_stand_before_its_call() -> None:
    assert messages(output("c1"), call("c1")) == [calling(wire_call("c1")), SEEN]


@pytest.mark.proves("CASE-112")
def test_an_output_without_its_call_is_refused() -> None:
    error = refused(HELLO, output("c9"))
    assert (error.code, error.param) == ("invalid_request", "input[1].call_id")
    assert error.message == "No tool call found for function call output with call_id c9."


@pytest.mark.proves("CASE-112")
def test_a_call_without_its_output_is_refused() -> None:
    error = refused(call("c1"), call("c2"), output("c1"))
    assert (error.param, error.message) == ("input", "No tool output found for function call c2.")


def test_ids_that_come_again_in_every_turn_are_matched_turn_by_turn() -> None:
    made = messages(call("c1"), output("c1", "one"), HELLO, call("c1"), output("c1", "two"))
    assert [message["content"] for message in made if message["role"] == "tool"] == ["one", "two"]
    assert [message["tool_call_id"] for message in made if message["role"] == "tool"] == ["c1", "c1"]


def test_two_calls_of_one_id_in_one_turn_are_told_apart() -> None:
    made = messages(call("c1"), call("c1"), output("c1", "one"), output("c1", "two"))
    first, second = (one["id"] for one in made[0]["tool_calls"])
    assert first == "c1" != second
    assert [message["content"] for message in made[1:]] == ["one", "two"]


def test_of_two_outputs_for_one_call_the_last_one_counts_and_that_is_told() -> None:
    made = encoded(call("c1"), output("c1", "old"), output("c1", "new"))
    assert made.body["messages"][1]["content"] == "new"
    assert made.dropped == ("input",)
    assert refused(call("c1"), output("c1"), output("c1"), unsupported="strict").param == "input"


@pytest.mark.proves("CASE-113")
def test_all_system_texts_are_one_leading_message_for_strict_templates() -> None:
    items = (said("developer", "One"), HELLO, said("system", "Two"))
    joined = {"role": "system", "content": "Zero\n\nOne\n\nTwo"}
    assert messages(*items, instructions="Zero") == [joined, USER]


def test_system_texts_stay_in_place_where_the_server_takes_them_there() -> None:
    items = (said("developer", "One"), HELLO, said("system", "Two"))
    system = [{"role": "system", "content": text} for text in ("Zero", "One", "Two")]
    assert messages(*items, quirks=PLAIN, instructions="Zero") == [*system[:2], USER, system[2]]


def test_a_developer_stays_one_where_the_server_knows_the_role() -> None:
    made = messages(said("developer", "One"), HELLO, quirks=Quirks(merge_system=False, developer_role=True))
    assert made[0] == {"role": "developer", "content": "One"}


def test_system_text_alone_is_a_conversation_but_nothing_is_none() -> None:
    assert messages(said("system", "Go")) == [{"role": "system", "content": "Go"}]
    error = refused(said("system", ""), instructions="Be brief")
    assert error.param == "input"


@pytest.mark.parametrize("content", [[], None, "", [{"type": "output_text", "text": ""}]])
def test_an_empty_assistant_message_is_left_out(content: Any) -> None:
    empty = {"type": "message", "role": "assistant", "content": content}
    assert messages(HELLO, empty, said("user", "there?")) == [USER, {"role": "user", "content": "there?"}]


def test_parts_of_an_assistant_message_are_one_text() -> None:
    parts = [{"type": "output_text", "text": "A", "annotations": []}, {"type": "output_text", "text": "B"}]
    assert messages(HELLO, {"role": "assistant", "content": parts})[1] == {"role": "assistant", "content": "AB"}


def test_a_refusal_is_text_unless_the_server_has_a_field_for_it() -> None:
    item = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    assert messages(HELLO, item)[1] == {"role": "assistant", "content": "No."}
    told = messages(HELLO, item, quirks=Quirks(refusal_field=True))[1]
    assert told == {"role": "assistant", "content": None, "refusal": "No."}


def test_content_of_a_message_that_only_calls_is_null_or_empty_as_the_server_wants() -> None:
    assert messages(call("c1"), output("c1"))[0]["content"] is None
    assert messages(call("c1"), output("c1"), quirks=Quirks(null_content=False))[0]["content"] == ""


def test_an_item_without_a_type_is_a_message() -> None:
    assert messages({"role": "user", "content": "hi"}) == [USER]


def test_neighbouring_user_messages_are_joined_for_templates_that_take_turns() -> None:
    quirks = Quirks(merge_user=True)
    assert messages(HELLO, said("user", "you"), quirks=quirks) == [{"role": "user", "content": "hi\n\nyou"}]
    shown = {"type": "message", "role": "user", "content": [PICTURE]}
    both = [{"type": "text", "text": "hi"}, WIRE_PICTURE]
    assert messages(HELLO, shown, quirks=quirks) == [{"role": "user", "content": both}]
    assert messages(shown, said("user", ""), quirks=quirks) == [{"role": "user", "content": [WIRE_PICTURE]}]


@pytest.mark.proves("CASE-114")
def test_a_picture_that_a_tool_gave_back_follows_all_tool_messages() -> None:
    result = [{"type": "input_text", "text": "one"}, PICTURE, {"type": "input_text", "text": "two"}]
    made = messages(call("c1"), call("c2"), output("c1", result), output("c2", "three"))
    assert made[1:] == [
        {"role": "tool", "tool_call_id": "c1", "content": "one\ntwo"},
        {"role": "tool", "tool_call_id": "c2", "content": "three"},
        {"role": "user", "content": [WIRE_PICTURE]},
    ]


@pytest.mark.parametrize(
    ("result", "content"),
    [(None, ""), ("", ""), ([], ""), ({"a": 1}, '{"a":1}'), ([{"type": "text", "text": "t"}], "t"), (3, "3")],
)
def test_a_result_of_any_form_is_text(result: Any, content: str) -> None:
    assert messages(call("c1"), output("c1", result))[1]["content"] == content


def test_the_server_may_want_the_name_in_tool_messages_and_a_word_after_them() -> None:
    quirks = Quirks(tool_names=True, assistant_after_tool="Understood.")
    made = messages(call("c1"), output("c1"), HELLO, quirks=quirks)
    assert made[1:] == [{**SEEN, "name": "look"}, {"role": "assistant", "content": "Understood."}, USER]
    made = messages(call("c1"), output("c1"), said("assistant", "So"), quirks=quirks)
    assert [message["role"] for message in made] == ["assistant", "tool", "assistant"]


@pytest.mark.proves("CHAT-SERVER-call-ids")
def test_call_ids_pass_unchanged_unless_the_server_has_narrow_rules() -> None:
    items = (call("functions.look:0"), output("functions.look:0"))
    assert messages(*items)[1]["tool_call_id"] == "functions.look:0"
    safe = messages(*items, quirks=Quirks(call_ids="safe"))[1]["tool_call_id"]
    assert safe.startswith("call_")
    assert len(safe) <= 40
    nine = messages(*items, quirks=Quirks(call_ids="nine"))[1]["tool_call_id"]
    assert len(nine) == 9
    assert nine.isalnum()
    assert messages(*items, quirks=Quirks(call_ids="nine"))[1]["tool_call_id"] == nine
    assert messages(call("abcDEF123"), output("abcDEF123"), quirks=Quirks(call_ids="nine"))[1]["tool_call_id"] == (
        "abcDEF123"
    )


@pytest.mark.proves("CHAT-SERVER-call-ids")
def test_a_renamed_call_id_has_a_way_back() -> None:
    made = encoded(call("functions.look:0"), output("functions.look:0"), quirks=Quirks(call_ids="nine"))
    wire_id = made.body["messages"][1]["tool_call_id"]
    assert made.tools.client_call_id(wire_id) == "functions.look:0"
    assert made.tools.client_call_id("never-sent") == "never-sent"


@pytest.mark.proves("CHAT-SERVER-reasoning")
def test_thoughts_are_left_out_unless_the_server_wants_them_back() -> None:
    reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "x"}
    items = (HELLO, reasoning, said("assistant", "Yes"))
    assert messages(*items)[1] == {"role": "assistant", "content": "Yes"}
    made = messages(*items, quirks=Quirks(thoughts="reasoning_content"))
    assert made[1] == {"role": "assistant", "content": "Yes", "reasoning_content": "Hm"}


@pytest.mark.proves("CHAT-SERVER-reasoning")
def test_thoughts_go_to_the_turn_that_follows_them() -> None:
    def thought(text: str) -> Json:
        return {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": text}]}

    items = (thought("a"), call("c1"), thought("b"), call("c2"), output("c1"), thought("c"), output("c2"), call("c3"))
    made = messages(HELLO, *items, output("c3"), quirks=Quirks(thoughts="reasoning"))
    assert [message["reasoning"] for message in made if message["role"] == "assistant"] == ["a\n\nb", "c"]
    made = messages(thought("lost"), HELLO, said("assistant", "Yes"), quirks=Quirks(thoughts="reasoning"))
    assert made[1] == {"role": "assistant", "content": "Yes"}


@pytest.mark.parametrize(
    "item",
    [
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "x"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": ""}, "odd", {}]},
        {"type": "reasoning"},
    ],
)
def test_reasoning_without_readable_text_says_nothing(item: Json) -> None:
    made = messages(item, said("assistant", "Yes"), quirks=Quirks(thoughts="reasoning"))
    assert made == [{"role": "assistant", "content": "Yes"}]


def test_a_server_that_needs_thoughts_at_every_call_gets_empty_ones() -> None:
    quirks = Quirks(thoughts="reasoning_content", thoughts_needed=True)
    assert messages(call("c1"), output("c1"), quirks=quirks)[0]["reasoning_content"] == ""
    assert messages(said("assistant", "Yes"), quirks=quirks) == [{"role": "assistant", "content": "Yes"}]


def test_a_server_that_signs_its_calls_gets_its_signature_back_or_one_in_its_place() -> None:
    quirks = Quirks(call_signature="none-kept")
    own = {"google": {"thought_signature": "s"}}
    calls = messages(call("c1"), call("c2"), output("c1"), output("c2"), quirks=quirks)[0]["tool_calls"]
    assert calls[0]["extra_content"] == {"google": {"thought_signature": "none-kept"}}
    assert "extra_content" not in calls[1]
    calls = messages(call("c1", extra_content=own), output("c1"), quirks=quirks)[0]["tool_calls"]
    assert calls[0]["extra_content"] == own
    assert messages(call("c1", extra_content=own), output("c1"))[0]["tool_calls"] == [wire_call("c1")]


@pytest.mark.proves("CHAT-SERVER-arguments")
@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ('{"b":1, "a":2}', '{"b":1, "a":2}'),
        ("", "{}"),
        (" ", "{}"),
        (None, "{}"),
        ({"a": 1}, '{"a":1}'),
        ([1], '{"arguments":[1]}'),
        ('{"a":', '{"arguments":"{\\"a\\":"}'),
        ("[1]", '{"arguments":"[1]"}'),
        ("\ud83d", '{"arguments":"\\ud83d"}'),
    ],
)
def test_arguments_are_always_the_text_of_an_object(arguments: Any, sent: str) -> None:
    made = messages(call("c1", arguments=arguments), output("c1"))
    assert made[0]["tool_calls"][0]["function"]["arguments"] == sent


@pytest.mark.proves("CASE-123")
def test_a_custom_call_of_the_history_is_a_function_call_with_input() -> None:
    custom = {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "*** Begin"}
    answer = {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"}
    made = messages(custom, answer)
    assert made[0] == calling(wire_call("c1", "patch", '{"input":"*** Begin"}'))
    assert made[1]["content"] == "done"
    empty = messages({**custom, "input": None}, answer)
    assert json.loads(empty[0]["tool_calls"][0]["function"]["arguments"]) == {"input": ""}


@pytest.mark.proves("CASE-126")
def test_markup_of_calls_in_a_text_stays_text() -> None:
    text = '<tool_call>{"name": "look"}</tool_call>'
    assert messages(HELLO, said("assistant", text))[1] == {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    "kind",
    [
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "image_generation_call",
        "mcp_call",
        "mcp_list_tools",
        "mcp_approval_request",
        "mcp_approval_response",
        "tool_search_call",
        "tool_search_output",
        "additional_tools",
    ],
)
def test_what_a_server_did_on_its_own_is_left_out_of_the_history(kind: str) -> None:
    assert messages(HELLO, {"type": kind, "id": "x_1"}, said("assistant", "So"))[1:] == [
        {"role": "assistant", "content": "So"}
    ]


@pytest.mark.parametrize("kind", ["compaction", "compaction_summary"])
@pytest.mark.proves("CHAT-SERVER-compacted")
def test_a_summary_of_the_gateway_is_told_as_text(kind: str) -> None:
    item = {"type": kind, "id": "cmp_1", "encrypted_content": sealed("They like pears.")}
    for quirks, role in ((PLAIN, "system"), (Quirks(merge_system=False, developer_role=True), "developer")):
        first, second = messages(item, HELLO, quirks=quirks)
        assert (first["role"], second) == (role, USER)
        assert first["content"].endswith("They like pears.")
    (merged, _) = messages(HELLO, item, instructions="Be brief.")
    assert (merged["role"], merged["content"].startswith("Be brief.\n\n")) == ("system", True)
    assert "They like pears." in merged["content"]


@pytest.mark.proves("CHAT-SERVER-items")
@pytest.mark.parametrize(
    ("item", "param", "code"),
    [
        ({"type": "item_reference", "id": "msg_1"}, "input[1]", "invalid_request"),
        ({"id": "fc_1"}, "input[1]", "invalid_request"),
        ({"type": "compaction", "encrypted_content": "x"}, "input[1]", "unsupported_value"),
        ({"type": "compaction_summary", "encrypted_content": None}, "input[1]", "unsupported_value"),
        ({"type": "compaction", "encrypted_content": "gateway-summary.%"}, "input[1]", "unsupported_value"),
        ({"type": "local_shell_call", "call_id": "c"}, "input[1].type", "unsupported_value"),
        ({"type": "computer_call_output", "call_id": "c"}, "input[1].type", "unsupported_value"),
        ({"type": "telepathy"}, "input[1].type", "unsupported_value"),
        ({"type": 3}, "input[1].type", "invalid_request"),
        ("text", "input[1]", "invalid_request"),
        ({"type": "message"}, "input[1].role", "invalid_request"),
        ({"role": "tool", "content": "x"}, "input[1].role", "invalid_request"),
        ({"role": "user", "content": 3}, "input[1].content", "invalid_request"),
        ({"role": "assistant", "content": {}}, "input[1].content", "invalid_request"),
        ({"role": "assistant", "content": ["x"]}, "input[1].content[0]", "invalid_request"),
        ({"role": "assistant", "content": [PICTURE]}, "input[1].content[0].type", "invalid_request"),
        ({"role": "assistant", "content": [{"type": "refusal"}]}, "input[1].content[0].refusal", "invalid_request"),
        ({"role": "system", "content": [PICTURE]}, "input[1].content[0].type", "invalid_request"),
        ({"role": "system", "content": 1}, "input[1].content", "invalid_request"),
        ({"role": "user", "content": [{"type": "input_text"}]}, "input[1].content[0].text", "invalid_request"),
        ({"type": "function_call", "call_id": "c"}, "input[1].name", "invalid_request"),
        ({"type": "function_call", "name": "f", "call_id": ""}, "input[1].call_id", "invalid_request"),
        (
            {"type": "function_call", "name": "f", "call_id": "c", "namespace": 1},
            "input[1].namespace",
            "invalid_request",
        ),
        ({"type": "custom_tool_call", "name": "f", "call_id": "c", "input": 1}, "input[1].input", "invalid_request"),
        ({"type": "function_call_output"}, "input[1].call_id", "invalid_request"),
        (output("c", [{"type": "video"}]), "input[1].output[0].type", "invalid_request"),
        ({"type": "reasoning", "summary": "x"}, "input[1].summary", "invalid_request"),
    ],
)
def test_an_item_that_cannot_be_told_is_refused_by_its_place(item: Any, param: str, code: str) -> None:
    error = refused(HELLO, item)
    assert (error.param, error.code) == (param, code)


def test_a_reference_to_reasoning_is_of_no_use_and_of_no_harm() -> None:
    assert messages(HELLO, {"type": "item_reference", "id": "rs_1"}) == [USER]


def test_there_must_be_something_to_answer() -> None:
    assert refused(input=[]).param == "input"
    assert refused(input=None).param == "input"
    assert refused(input="text").param == "input"
    assert messages(HELLO, quirks=GENERIC, instructions=None) == [USER]
