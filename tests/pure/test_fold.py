"""Frames to a finished response, without a repair in front: the fold believes little."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.fold import Fold, complete_response, joined, match, merged
from gateway.core.frames import Frame, KnownFrame
from gateway.errors import UpstreamError
from tests.pure.invariants import read
from tests.pure.streams import CORPUS, event

Json = dict[str, Any]


def fold(*frames: Frame, limit: int = 1 << 20) -> Json:
    machine = Fold(open_item_bytes=limit)
    machine.feed(frames)
    return machine.response()


def text_of(item: Json) -> str:
    return "".join(part["text"] for part in item["content"])


END = event("response.completed", response={"id": "resp_1", "status": "completed", "output": []})
AT: Json = {"output_index": 0, "content_index": 0}
ADDED = event("response.output_item.added", output_index=0, item={"id": "msg_1", "type": "message", "content": []})


@pytest.mark.proves("CASE-69")
def test_an_empty_terminal_output_is_rebuilt_from_done_items() -> None:
    response = fold(*read(CORPUS["codex-text"]))
    assert [item["id"] for item in response["output"]] == ["rs_01", "msg_11", "msg_12"]
    assert response["usage"]["input_tokens_details"] == {"cached_tokens": 64, "cache_write_tokens": 0}


@pytest.mark.proves("CASE-98")
def test_done_items_are_sorted_by_index() -> None:
    assert [text_of(item) for item in fold(*read(CORPUS["compat-out-of-order"]))["output"]] == ["first", "second"]


@pytest.mark.proves("CASE-75")
def test_a_full_value_replaces_its_deltas() -> None:
    response = fold(
        ADDED,
        event("response.output_text.delta", **AT, delta="Hal"),
        event("response.output_text.done", **AT, text="Hello"),
        event("response.output_text.delta", **AT, delta="!"),
        END,
    )
    assert text_of(response["output"][0]) == "Hello!"


def test_items_and_parts_of_bare_deltas_are_implied() -> None:
    response = fold(
        event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="why"),
        event("response.refusal.delta", output_index=1, content_index=0, delta="No"),
        event("response.function_call_arguments.delta", output_index=2, delta="{}"),
        event("response.content_part.added", output_index=3, part={"type": "output_text", "text": "x"}),
        END,
    )
    assert response["output"] == [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "why"}]},
        {
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "refusal", "refusal": "No"}],
        },
        {"type": "function_call", "name": "", "arguments": "{}", "status": "completed"},
        {
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "x", "annotations": [], "logprobs": []}],
        },
    ]


def test_a_done_item_without_its_text_keeps_what_was_streamed() -> None:
    response = fold(
        ADDED,
        event("response.content_part.added", **AT, part={"type": "output_text", "text": "", "annotations": []}),
        event("response.output_text.delta", **AT, delta="kept"),
        event("response.output_text.annotation.added", **AT, annotation_index=0, annotation={"type": "url_citation"}),
        event("response.content_part.done", **AT, part={"type": "output_text", "text": ""}),
        event("response.output_item.done", output_index=0, item={"id": "msg_1", "type": "message", "content": []}),
        END,
    )
    (part,) = response["output"][0]["content"]
    assert (part["text"], part["annotations"]) == ("kept", [{"type": "url_citation"}])


def test_a_part_done_event_with_text_counts() -> None:
    response = fold(ADDED, event("response.content_part.done", **AT, part={"type": "output_text", "text": "all"}), END)
    assert text_of(response["output"][0]) == "all"


def test_a_done_item_may_tell_more_parts_than_were_streamed() -> None:
    part = {"type": "output_text", "text": "two"}
    item = {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": ""}, part]}
    response = fold(
        ADDED,
        event("response.output_text.delta", **AT, delta="one"),
        event("response.output_item.done", output_index=0, item=item),
        END,
    )
    assert [part["text"] for part in response["output"][0]["content"]] == ["one", "two"]


@pytest.mark.proves("CASE-90")
def test_halves_of_a_surrogate_pair_are_joined() -> None:
    assert joined(["a\ud83d", "\ude00"]) == "a😀"
    assert joined(["\ud83d"]) == "\ud83d"


def test_items_that_are_not_done_follow_the_response() -> None:
    cut = event("response.incomplete", response={"id": "resp_1", "status": "incomplete"})
    delta = event("response.output_text.delta", **AT, delta="ha")
    assert fold(ADDED, delta, cut)["output"][0]["status"] == "incomplete"
    assert fold(ADDED, delta, END)["output"][0]["status"] == "completed"
    assert fold(ADDED, delta)["output"][0]["status"] == "incomplete"


def test_what_makes_no_sense_is_ignored() -> None:
    response = fold(
        event("response.created", response=None),
        event("codex.rate_limits"),
        event("response.web_search_call.searching", output_index=0),
        event("response.output_item.added", output_index=None, item={}),
        event("response.output_item.done", output_index=0, item=None),
        event("response.output_text.delta", output_index="0", delta="x"),
        event("response.output_text.delta", **AT, delta=7),
        event("response.output_text.done", **AT, text=""),
        event("response.content_part.added", **AT, part={"type": "odd"}),
        END,
    )
    assert [text_of(item) for item in response["output"]] == [""]


def test_a_late_delta_of_a_done_item_changes_nothing() -> None:
    done = event("response.output_item.done", output_index=0, item={"id": "msg_1", "type": "message", "content": []})
    other = event("response.output_item.added", output_index=1, item={"id": "msg_2", "type": "message", "content": []})
    response = fold(other, ADDED, done, done, event("response.output_text.delta", **AT, delta="late"), END)
    assert [text_of(item) for item in response["output"]] == ["", ""]


def test_settling_an_item_nobody_announced_changes_nothing() -> None:
    item: Json = {"type": "message", "content": []}
    assert Fold(open_item_bytes=10).settle(3, item) is item


@pytest.mark.proves("RESPONSES-bounded")
def test_frames_over_the_limit_are_read_and_text_over_it_is_refused() -> None:
    machine = Fold(open_item_bytes=300)
    machine.feed([ADDED])
    machine.feed(event("response.output_text.delta", **AT, delta="x") for _ in range(100))
    assert text_of(machine.item(0)) == "x" * 100
    with pytest.raises(UpstreamError):
        machine.feed(event("response.output_text.delta", **AT, delta="x" * 100) for _ in range(10))


def test_a_frame_that_is_not_json_is_refused_after_the_others_were_read() -> None:
    cut = read(b'data: {"type":"response.output_text.delta","output_index":0,\n\n' + END.raw)[0]
    machine = Fold(open_item_bytes=1 << 20)
    machine.feed([ADDED, cut, event("response.output_text.delta", **AT, delta="x"), cut])
    with pytest.raises(UpstreamError) as failure:
        machine.item(0)
    assert failure.value.code == "upstream_bad_event"
    assert text_of(machine.item(0)) == "x"


# the terminal event's own output ------------------------------------------------------------------------------------


def test_the_terminals_items_are_matched_by_id_call_id_and_content() -> None:
    message = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "a"}]}
    call = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "n", "arguments": "{}"}
    assert match({**message, "content": []}, [call, message]) is message
    assert match({**call, "id": None}, [message, call]) is call
    assert match({**message, "id": "msg_9"}, [call, message]) is message
    assert match({**call, "id": "fc_9", "call_id": "c9"}, [message, call]) is call
    assert match({"type": "message", "content": "odd"}, [message, call]) is None


def test_two_equal_messages_stay_two() -> None:
    one: Json = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "ok"}]}
    two: Json = {**one, "id": "msg_2"}
    assert merged([{**one, "id": "x"}, {**one, "id": "y"}, None], [one, two]) == [one, two]
    assert merged([one, {**one, "id": "z"}], [one]) == [one, {**one, "id": "z"}]


# the whole object ---------------------------------------------------------------------------------------------------


REQUIRED_KEYS = {
    "id",
    "object",
    "created_at",
    "completed_at",
    "status",
    "incomplete_details",
    "model",
    "previous_response_id",
    "instructions",
    "output",
    "error",
    "tools",
    "tool_choice",
    "truncation",
    "parallel_tool_calls",
    "text",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "top_logprobs",
    "temperature",
    "reasoning",
    "usage",
    "max_output_tokens",
    "max_tool_calls",
    "store",
    "background",
    "service_tier",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
}


@pytest.mark.proves("RESPONSES-complete")
def test_a_short_response_is_completed_with_every_required_field() -> None:
    response = complete_response({"id": "resp_1", "status": "completed", "output": [], "temperature": None})
    assert set(response) == REQUIRED_KEYS
    numbers = ("top_p", "presence_penalty", "frequency_penalty", "top_logprobs", "temperature")
    assert {name: response[name] for name in numbers} == {
        "top_p": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "top_logprobs": 0,
        "temperature": 1,
    }
    assert response["usage"] is None
    assert response["reasoning"] == {"effort": None, "summary": None}


def test_a_whole_response_is_left_alone() -> None:
    response = complete_response({"id": "resp_1"})
    assert complete_response(response) is response


@pytest.mark.proves("RESPONSES-echo")
def test_the_clients_own_values_are_shown_again() -> None:
    tool = {"type": "function", "name": "look"}
    echo = {
        "store": True,
        "metadata": {"a": "b"},
        "tools": [tool, {"type": "web_search"}],
        "text": {"verbosity": "low"},
    }
    response = complete_response({"id": "resp_1", "store": False, "metadata": {}, "reasoning": {"effort": "low"}}, echo)
    assert (response["store"], response["metadata"]) == (True, {"a": "b"})
    assert response["tools"] == [
        {**tool, "description": None, "parameters": None, "strict": None},
        {"type": "web_search"},
    ]
    assert response["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert response["reasoning"] == {"effort": "low", "summary": None}


def test_odd_nested_values_of_an_upstream_stay() -> None:
    response = complete_response({"id": "resp_1", "tools": {}, "text": "x", "reasoning": 1})
    assert (response["tools"], response["text"], response["reasoning"]) == ({}, "x", 1)


def test_a_done_item_nobody_announced_counts() -> None:
    item = {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": "x"}, {"type": "odd"}]}
    response = fold(event("response.output_item.done", output_index=0, item=item), END)
    assert [part["type"] for part in response["output"][0]["content"]] == ["output_text", "odd"]


THOUGHT: Json = {"id": "rs_1", "type": "reasoning", "summary": []}
THINKING = event("response.output_item.added", output_index=0, item=THOUGHT)
WHY: Json = {"output_index": 0, "summary_index": 0}
SUMMARY = "response.reasoning_summary"


def thought(*parts: Any) -> Frame:
    return event("response.output_item.done", output_index=0, item={**THOUGHT, "summary": list(parts)})


def summary(place: int, text: str) -> list[Frame]:
    where = {**WHY, "summary_index": place}
    part = event(f"{SUMMARY}_part.added", **where, part={"type": "summary_text", "text": ""})
    return [part, event(f"{SUMMARY}_text.delta", **where, delta=text)]


@pytest.mark.proves("RUN-short")
def test_deltas_of_a_summary_that_the_done_item_repeats_are_never_read() -> None:
    kind = f"{SUMMARY}_text.delta"
    raw = b'event: %b\ndata: {"type":"%b","delta":"no JSON}\n\n' % (kind.encode(), kind.encode())
    unreadable = KnownFrame(raw, raw.index(b"{"), kind)
    part = {"type": "summary_text", "text": "why"}
    machine = Fold(open_item_bytes=1000)
    machine.feed([THINKING, *summary(0, "why"), unreadable, thought(part), END])
    assert machine.response()["output"] == [{**THOUGHT, "summary": [part]}]


@pytest.mark.parametrize(
    ("told", "texts"),
    [
        ([{"type": "summary_text", "text": "one"}], ["one", "two"]),
        ([{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": ""}], ["one", "two"]),
        ([{"type": "summary_text", "text": "ONE"}, {"type": "summary_text", "text": "TWO"}], ["ONE", "TWO"]),
        ([None, {"type": "summary_text", "text": "TWO"}], ["one", "TWO"]),
        ([], ["one", "two"]),
    ],
    ids=["a part less", "an empty part", "other words", "a part that is none", "nothing"],
)
def test_a_summary_is_what_the_done_item_tells_and_what_was_streamed_where_it_tells_nothing(
    told: list[Any], texts: list[str]
) -> None:
    (item,) = fold(THINKING, *summary(0, "one"), *summary(1, "two"), thought(*told), END)["output"]
    assert [part["text"] for part in item["summary"]] == texts


def test_reasoning_text_beside_a_summary_is_not_lost() -> None:
    said_aloud = event("response.reasoning_text.delta", output_index=0, content_index=0, delta="so")
    part = {"type": "summary_text", "text": "one"}
    (item,) = fold(THINKING, *summary(0, "one"), said_aloud, thought(part), END)["output"]
    assert text_of(item) == "so"


def test_text_that_goes_on_belongs_to_its_item_alone() -> None:
    machine = Fold(open_item_bytes=1000)
    other = event("response.output_item.added", output_index=1, item={**ADDED.data["item"], "id": "msg_2"})
    whole = {**ADDED.data["item"], "content": [{"type": "output_text", "text": "told"}]}
    machine.feed([ADDED, other, event("response.output_text.delta", **AT, delta="He")])
    machine.keep("llo", 3)
    machine.feed([event("response.output_item.done", output_index=0, item=whole)])
    machine.feed([event("response.output_text.delta", **{**AT, "output_index": 1}, delta="Yo")])
    machine.keep("u", 1)
    machine.feed([END])
    assert [text_of(item) for item in machine.response()["output"]] == ["told", "You"]


def test_a_summary_beside_an_open_item_is_whole() -> None:
    other = event("response.output_item.added", output_index=1, item={**ADDED.data["item"]})
    part = {"type": "summary_text", "text": "one"}
    output = fold(THINKING, other, *summary(0, "one"), thought(part), END)["output"]
    assert output[0]["summary"] == [part]
