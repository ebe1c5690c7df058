"""What chat servers say in words: texts, thoughts, refusals, sources, log probabilities."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.frames import Frame
from gateway.core.seal import REASONING, opened
from gateway.dialects.chat.outbound.quirks import Quirks
from tests.pure.inlet_streams import END, chunk, final, fragment, play, summary, types
from tests.pure.outbound_requests import call, messages, output
from tests.pure.outbound_requests import said as said_by

Json = dict[str, Any]

STOP = chunk("stop")
TAGS = Quirks(think_tags=True)
LOGPROBS = ["message.output_text.logprobs"]


def said(*frames: Frame, quirks: Quirks | None = None) -> list[tuple[str, ...]]:
    return summary(final(play([*frames, STOP, END], quirks)))


@pytest.mark.proves("CHAT-ANSWER-summaries")
def test_reasoning_is_a_summary_for_clients_that_ask_for_one() -> None:
    frames = [chunk(reasoning_content="hm"), chunk(content="Hi"), STOP, END]
    item = final(play(frames, reasoning={"effort": "low", "summary": "auto"}))["output"][0]
    assert item["summary"] == [{"type": "summary_text", "text": "hm"}]
    for asked in (None, {"effort": "low", "summary": None}):
        item = final(play(frames, reasoning=asked))["output"][0]
        assert (item["summary"], item["content"]) == ([], [{"type": "reasoning_text", "text": "hm"}])


@pytest.mark.proves("CHAT-ANSWER-sealed")
def test_reasoning_is_sealed_for_clients_that_send_back_only_that() -> None:
    thought, text = [chunk(reasoning_content="hm"), chunk(reasoning_content=" so")], chunk(content="Hi")
    asked = final(play([*thought, text, STOP, END], include=["reasoning.encrypted_content"]))["output"][0]
    assert opened(REASONING, asked["encrypted_content"]) == "hm so"
    echoed = {**asked, "content": None}
    sent = messages(said_by("user", "?"), echoed, call("call_1"), output("call_1"), quirks=Quirks(thoughts="reasoning"))
    assert sent[1]["reasoning"] == "hm so"
    unasked = final(play([*thought, text, STOP, END]))["output"][0]
    assert "encrypted_content" not in unasked


@pytest.mark.proves("CHAT-ANSWER-golden", "CASE-117")
def test_reasoning_text_and_a_call_are_told_in_the_published_order() -> None:
    frames = play(
        [
            chunk(role="assistant", content="", reasoning_content=""),
            chunk(reasoning_content="hm"),
            chunk(content="Hi"),
            chunk(tool_calls=[fragment(0, "get", "{}", id="call_a", type="function")]),
            chunk("tool_calls"),
            END,
        ]
    )
    assert types(frames) == [
        "created", "in_progress",
        "output_item.added", "content_part.added", "reasoning_text.delta",
        "reasoning_text.done", "content_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    events = [frame.data for frame in frames]
    assert events[0]["response"] == events[1]["response"]
    rs, msg, fc = (events[place]["item"]["id"] for place in (2, 8, 14))
    assert (rs[:3], msg[:4], fc[:3]) == ("rs_", "msg_", "fc_")
    thought = {"type": "reasoning_text", "text": "hm"}
    text = {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}
    at = {"item_id": msg, "output_index": 1, "content_index": 0}
    fields = [{name: value for name, value in event.items() if name != "sequence_number"} for event in events]
    assert fields[2:8] == [
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {"id": rs, "type": "reasoning", "status": "in_progress", "summary": [], "content": []},
        },
        {
            "type": "response.content_part.added",
            "item_id": rs,
            "output_index": 0,
            "content_index": 0,
            "part": {**thought, "text": ""},
        },
        {
            "type": "response.reasoning_text.delta",
            "item_id": rs,
            "output_index": 0,
            "content_index": 0,
            "delta": "hm",
        },
        {"type": "response.reasoning_text.done", "item_id": rs, "output_index": 0, "content_index": 0, "text": "hm"},
        {"type": "response.content_part.done", "item_id": rs, "output_index": 0, "content_index": 0, "part": thought},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {"id": rs, "type": "reasoning", "status": "completed", "summary": [], "content": [thought]},
        },
    ]
    assert fields[9:13] == [
        {"type": "response.content_part.added", **at, "part": {**text, "text": ""}},
        {"type": "response.output_text.delta", **at, "delta": "Hi", "logprobs": []},
        {"type": "response.output_text.done", **at, "text": "Hi", "logprobs": []},
        {"type": "response.content_part.done", **at, "part": text},
    ]
    call = {"id": fc, "type": "function_call", "call_id": "call_a", "name": "get"}
    at_call = {"item_id": fc, "output_index": 2}
    assert fields[14:18] == [
        {
            "type": "response.output_item.added",
            "output_index": 2,
            "item": {**call, "status": "in_progress", "arguments": ""},
        },
        {"type": "response.function_call_arguments.delta", **at_call, "delta": "{}"},
        {"type": "response.function_call_arguments.done", **at_call, "name": "get", "arguments": "{}"},
        {
            "type": "response.output_item.done",
            "output_index": 2,
            "item": {**call, "status": "completed", "arguments": "{}"},
        },
    ]


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning": "hm", "reasoning_content": "hm"},
        {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "h"}, {"summary": "m"}, {"data": "x"}, 3]},
        {"reasoning_content": None, "reasoning": "hm"},
        {"reasoning_content": {"x": 1}, "reasoning": "hm"},
        {"content": [{"type": "thinking", "thinking": "hm"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}, {"text": None}]}]},
    ],
)
@pytest.mark.proves("CHAT-ANSWER-thoughts")
def test_thoughts_are_found_wherever_servers_put_them(delta: Json) -> None:
    assert said(chunk(**delta), chunk(content="Hi")) == [("reasoning", "hm"), ("message", "Hi")]


@pytest.mark.proves("CHAT-ANSWER-thoughts")
def test_thoughts_can_be_shown_as_a_summary() -> None:
    frames = play([chunk(reasoning="hm"), chunk(content="Hi"), STOP], Quirks(reasoning_as="summary"))
    assert types(frames)[2:8] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]
    assert frames[4].data["summary_index"] == 0
    done = final(frames)["output"][0]
    assert done["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert "content" not in done


@pytest.mark.proves("CASE-118", "CHAT-ANSWER-blanks")
def test_blanks_before_a_call_are_no_message() -> None:
    call = chunk(tool_calls=[fragment(0, "get", "{}", id="c")])
    assert said(chunk(reasoning="hm"), chunk(content="\n"), chunk(content="\n"), call) == [
        ("reasoning", "hm"),
        ("function_call", "c", "get", "{}"),
    ]
    assert said(chunk(content="\n\n"), call, chunk(content="\n")) == [("function_call", "c", "get", "{}")]


@pytest.mark.proves("CHAT-ANSWER-blanks")
def test_blanks_before_a_text_are_part_of_it() -> None:
    assert said(chunk(content=" "), chunk(content="\n"), chunk(content="Hi"), chunk(content=" ")) == [
        ("message", " \nHi ")
    ]


@pytest.mark.proves("CHAT-ANSWER-blanks")
def test_blank_thoughts_are_none() -> None:
    assert said(chunk(reasoning="\n\n"), chunk(content="Hi")) == [("message", "Hi")]
    assert said(chunk(reasoning="\n"), chunk(content="\n"), chunk(reasoning="hm"), chunk(content="Hi")) == [
        ("reasoning", "\nhm"),
        ("message", "Hi"),
    ]


@pytest.mark.proves("CHAT-ANSWER-blanks")
def test_an_answer_of_blanks_alone_is_a_message_of_blanks() -> None:
    assert said(chunk(content="\n"), chunk(content=" ")) == [("message", "\n ")]
    assert said(chunk(reasoning="hm"), chunk(content="\n")) == [("reasoning", "hm"), ("message", "\n")]


@pytest.mark.proves("CHAT-ANSWER-empty")
def test_an_answer_of_nothing_is_an_empty_message() -> None:
    assert said(chunk(role="assistant", content="", refusal="", reasoning="", tool_calls=[])) == [("message", "")]
    assert said(chunk(reasoning="hm")) == [("reasoning", "hm")]


@pytest.mark.parametrize(
    "pieces",
    [
        ["<think>hm</think>\n\nHi"],
        ["\n<think>hm</think>Hi"],
        list("<think>hm</think>\n\nHi"),
        ["<thi", "nk>", "hm", "</", "think>", "\n", "\n", "Hi"],
        ["<think>h", "m</think>", "Hi"],
    ],
)
@pytest.mark.proves("CHAT-ANSWER-think-tags")
def test_a_leading_think_tag_holds_the_thoughts(pieces: list[str]) -> None:
    assert said(*[chunk(content=piece) for piece in pieces], quirks=TAGS) == [("reasoning", "hm"), ("message", "Hi")]


@pytest.mark.parametrize(
    ("pieces", "items"),
    [
        (["Hi <think>hm</think>"], [("message", "Hi <think>hm</think>")]),
        (["<thing", ">"], [("message", "<thing>")]),
        (["<thi"], [("message", "<thi")]),
        (["<", "b>"], [("message", "<b>")]),
        (["<think>hm", " < 3", " </thin", "g> </thi"], [("reasoning", "hm < 3 </thing> </thi")]),
        (["<think>\n\n</think>", "\n\nHi"], [("message", "Hi")]),
        (["<think></think>Hi"], [("message", "Hi")]),
        (["<think>hm</think>Hi</think>"], [("reasoning", "hm"), ("message", "Hi</think>")]),
        (["  ", " x"], [("message", "   x")]),
    ],
)
@pytest.mark.proves("CHAT-ANSWER-think-tags")
def test_other_tags_are_text(pieces: list[str], items: list[tuple[str, ...]]) -> None:
    assert said(*[chunk(content=piece) for piece in pieces], quirks=TAGS) == items


@pytest.mark.proves("CHAT-ANSWER-think-tags")
def test_a_call_ends_the_thoughts() -> None:
    call = chunk(tool_calls=[fragment(0, "get", "{}", id="c")])
    assert said(chunk(content="<think>hm</th"), call, chunk(content="Hi"), quirks=TAGS) == [
        ("reasoning", "hm</th"),
        ("function_call", "c", "get", "{}"),
        ("message", "Hi"),
    ]


@pytest.mark.proves("CHAT-ANSWER-think-tags")
def test_tags_are_text_for_a_server_that_has_no_such_quirk() -> None:
    assert said(chunk(content="<think>hm</think>Hi")) == [("message", "<think>hm</think>Hi")]


@pytest.mark.proves("CASE-126")
def test_the_markup_of_a_call_in_the_text_is_text() -> None:
    leaked = '<tool_call>{"name":"get","arguments":{}}</tool_call>'
    assert said(chunk(content=leaked)) == [("message", leaked)]


@pytest.mark.proves("CHAT-ANSWER-refusal")
def test_a_refusal_is_a_part_of_the_message() -> None:
    frames = play([chunk(content="Hm."), chunk(refusal="No"), chunk(refusal="."), chunk(content="But"), STOP])
    (item,) = final(frames)["output"]
    assert item["content"] == [
        {"type": "output_text", "text": "Hm.", "annotations": [], "logprobs": []},
        {"type": "refusal", "refusal": "No."},
        {"type": "output_text", "text": "But", "annotations": [], "logprobs": []},
    ]
    assert [frame.data["content_index"] for frame in frames if frame.type == "response.refusal.delta"] == [1, 1]


@pytest.mark.parametrize("content", [[5], [{"type": "image_url"}], {"text": 5}, 5, True])
def test_content_that_says_nothing_is_nothing(content: Any) -> None:
    assert said(chunk(content=content), chunk(content=[{"type": "text", "text": "Hi"}])) == [("message", "Hi")]


SOURCE = {"url": "https://example.org", "title": "E", "start_index": 0, "end_index": 2}
FLAT = {"type": "url_citation", **SOURCE}


@pytest.mark.proves("CHAT-ANSWER-sources")
def test_sources_are_annotations_of_the_text() -> None:
    nested = {"type": "url_citation", "url_citation": {**SOURCE, "deep": [1], "type": "other"}}
    frames = play([chunk(content="Hi"), chunk(annotations=[nested, FLAT, {"type": 3}, 4]), STOP])
    told = [frame.data for frame in frames if frame.type == "response.output_text.annotation.added"]
    assert [(event["annotation_index"], event["annotation"]) for event in told] == [(0, FLAT), (1, FLAT)]
    assert final(frames)["output"][0]["content"][0]["annotations"] == [FLAT, FLAT]


@pytest.mark.proves("CHAT-ANSWER-sources")
def test_sources_wait_for_the_text() -> None:
    frames = play([chunk(annotations=[FLAT]), chunk(reasoning="hm"), chunk(content="Hi"), STOP])
    assert final(frames)["output"][1]["content"][0]["annotations"] == [FLAT]
    assert said(chunk(annotations=[FLAT]), chunk(refusal="No")) == [("message", "No")]


@pytest.mark.proves("CHAT-ANSWER-sources")
def test_each_part_has_its_own_sources() -> None:
    frames = play([chunk(annotations=[FLAT]), chunk(content="Hi", refusal="No"), chunk(content="But"), STOP])
    parts = final(frames)["output"][0]["content"]
    assert [len(part.get("annotations", ())) for part in parts] == [1, 0, 0]


def token(text: str, **more: Any) -> Json:
    return {"token": text, "logprob": -0.5, **more}


def with_tokens(content: Any, *tokens: Any) -> Frame:
    return chunk(content=content, choice={"logprobs": {"content": list(tokens), "refusal": None}})


@pytest.mark.proves("CHAT-ANSWER-logprobs")
def test_log_probabilities_are_passed_to_a_client_that_asked() -> None:
    chunks = [
        with_tokens("\n", token("\n")),
        with_tokens("Hé", token("Hé", id=7, top_logprobs=[token("Hé", bytes=[1]), {"token": 3}]), "x"),
        chunk(content="!"),
        STOP,
    ]
    first = {"token": "\n", "bytes": [10], "logprob": -0.5, "top_logprobs": []}
    second = {
        "token": "Hé",
        "bytes": [72, 195, 169],
        "logprob": -0.5,
        "top_logprobs": [
            {"token": "Hé", "bytes": [1], "logprob": -0.5},
            {"token": "", "bytes": [], "logprob": 0.0},
        ],
    }
    frames = play(chunks, include=LOGPROBS)
    deltas = [frame.data for frame in frames if frame.type == "response.output_text.delta"]
    assert [(event["delta"], event["logprobs"]) for event in deltas] == [("\nHé", [first, second]), ("!", [])]
    (part,) = final(frames)["output"][0]["content"]
    assert part["logprobs"] == [first, second]
    (done,) = [frame.data for frame in frames if frame.type == "response.output_text.done"]
    assert done["logprobs"] == [first, second]


@pytest.mark.proves("CHAT-ANSWER-logprobs")
def test_each_part_has_its_own_log_probabilities() -> None:
    frames = play([with_tokens("Hi", token("Hi")), chunk(refusal="No"), chunk(content="But"), STOP], include=LOGPROBS)
    parts = final(frames)["output"][0]["content"]
    assert [len(part.get("logprobs", ())) for part in parts] == [1, 0, 0]


@pytest.mark.proves("CHAT-ANSWER-logprobs")
def test_log_probabilities_go_to_nobody_else() -> None:
    frames = play([with_tokens("Hi", token("Hi")), STOP])
    assert final(frames)["output"][0]["content"][0]["logprobs"] == []


@pytest.mark.proves("CHAT-ANSWER-logprobs")
def test_log_probabilities_of_thoughts_are_left_out() -> None:
    frames = play([with_tokens("<think>hm</think>", token("x")), with_tokens("Hi"), STOP], TAGS, include=LOGPROBS)
    assert final(frames)["output"][1]["content"][0]["logprobs"] == []
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hi"}]
    frames = play([with_tokens(parts, token("Hi")), STOP], include=LOGPROBS)
    assert [entry["token"] for entry in final(frames)["output"][1]["content"][0]["logprobs"]] == ["Hi"]
