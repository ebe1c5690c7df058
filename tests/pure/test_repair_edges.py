"""Streams that only a broken server sends. None of them may break ours."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.frames import Frame
from gateway.core.repair import Repair
from tests.pure.invariants import check_response_stream, read
from tests.pure.streams import CORPUS, event, of_type, play

Json = dict[str, Any]

CREATED = event("response.created", 0, response={"id": "resp_1", "status": "in_progress"})
END = event("response.completed", 99, response={"id": "resp_1", "status": "completed", "output": []})
MESSAGE: Json = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
AT: Json = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
EMPTY: Json = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}


def added(item: Json = MESSAGE, index: int | None = 0) -> Frame:
    return event("response.output_item.added", 1, output_index=index, item=item)


def done(item: Json, index: int = 0) -> Frame:
    return event("response.output_item.done", 9, output_index=index, item=item)


def run(*frames: Frame) -> tuple[Repair, list[Json]]:
    machine, sent = play([CREATED, *frames, END])
    return machine, check_response_stream(sent)


def output(events: list[Json]) -> list[Json]:
    found: list[Json] = events[-1]["response"]["output"]
    return found


def test_a_summary_part_that_does_not_say_what_it_is_is_a_summary() -> None:
    at = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
    source = [
        event("response.created", 0, response={"id": "resp_1"}),
        event("response.output_item.added", 1, output_index=0, item={"id": "rs_1", "type": "reasoning", "summary": []}),
        event("response.reasoning_summary_part.added", 2, **at, part={"type": None, "text": ""}),
        event("response.reasoning_summary_text.delta", 3, **at, delta="why"),
        event("response.completed", 4, response={"status": "completed"}),
    ]
    _, frames = play(source)
    check_response_stream(frames)
    (added,) = of_type(frames, "response.reasoning_summary_part.added")
    assert added["part"]["type"] == "summary_text"


@pytest.mark.parametrize("kind", ["added", "done"])
@pytest.mark.parametrize("item", [None, [], {}, {"type": 7}])
def test_an_item_that_is_none_is_dropped(kind: str, item: object) -> None:
    machine, events = run(event(f"response.output_item.{kind}", 1, output_index=0, item=item))
    assert output(events) == []
    assert machine.dropped == {f"response.output_item.{kind}": 1}


def test_empty_done_texts_are_filled_from_the_deltas() -> None:
    _, events = run(
        added(),
        event("response.content_part.added", 2, **AT, part=EMPTY),
        event("response.output_text.delta", 3, **AT, delta="all"),
        event("response.output_text.done", 4, **AT, text=""),
        event("response.content_part.done", 5, **AT, part=EMPTY),
        done({**MESSAGE, "status": "completed"}),
    )
    assert [data["text"] for data in events if data["type"] == "response.output_text.done"] == ["all"]
    assert [data["part"]["text"] for data in events if data["type"] == "response.content_part.done"] == ["all"]
    assert output(events)[0]["content"][0]["text"] == "all"


def test_a_part_done_event_brings_the_text_event_that_is_missing() -> None:
    _, events = run(
        added(),
        event("response.content_part.added", 2, **AT, part={**EMPTY, "text": "early"}),
        event("response.content_part.done", 5, **AT, part={**EMPTY, "text": "whole"}),
    )
    assert [data["type"].removeprefix("response.") for data in events[2:6]] == [
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
    ]
    assert (events[2]["part"]["text"], events[3]["delta"]) == ("", "whole")


def test_arguments_that_only_their_done_event_tells_are_streamed() -> None:
    call = {"id": "fc_1", "type": "function_call", "call_id": "c", "name": "n", "arguments": ""}
    where: Json = {"item_id": "fc_1", "output_index": 0}
    machine, events = run(
        added(call),
        event("response.function_call_arguments.done", 2, **where, arguments="{}"),
        event("response.function_call_arguments.done", 3, **where, arguments="{}"),
        event("response.function_call_arguments.delta", 4, **where, delta="late"),
        event("response.function_call_arguments.delta", 4, output_index=0, delta=None),
    )
    assert [data["delta"] for data in events if data["type"].endswith("arguments.delta")] == ["{}"]
    assert output(events)[0]["arguments"] == "{}"
    assert machine.dropped.total() == 3


@pytest.mark.parametrize(
    "stray",
    [
        event("response.output_text.delta", 3, **{**AT, "content_index": 500}, delta="x"),
        event("response.output_text.delta", 3, **{**AT, "content_index": -1}, delta="x"),
        event("response.output_text.delta", 3, **AT, delta=None),
        event("response.refusal.delta", 3, **AT, delta="x"),
        event("response.reasoning_text.delta", 3, **AT, delta="x"),
        event("response.content_part.added", 3, **AT, part=EMPTY),
        event("response.content_part.added", 3, **{**AT, "content_index": 90}, part=EMPTY),
        event("response.content_part.added", 3, **{**AT, "content_index": 1}, part=None),
        event("response.content_part.done", 3, **{**AT, "content_index": 9}, part={"type": "odd"}),
        event("response.content_part.done", 3, **AT, part=None),
        event("response.content_part.done", 3, **AT, part={"type": "refusal", "refusal": "x"}),
        event("response.output_text.annotation.added", 3, **{**AT, "content_index": 99}, annotation={}),
        event("response.output_text.done", 3, **{**AT, "content_index": 99}, text="x"),
        event("response.content_part.added", 3, item_id="msg_7", output_index=7, part={"type": "odd"}),
        event("response.content_part.done", 3, item_id="msg_7", output_index=7, part={"type": "odd"}),
        event("response.web_search_call.searching", 3, item_id="ws_1", output_index=5),
    ],
    ids=lambda frame: frame.payload.decode()[9:90],
)
def test_an_event_that_cannot_be_placed_is_dropped(stray: Frame) -> None:
    machine, events = run(
        added(),
        event("response.content_part.added", 2, **AT, part=EMPTY),
        event("response.output_text.delta", 3, **AT, delta="kept"),
        stray,
    )
    assert output(events)[0]["content"][0]["text"] == "kept"
    assert machine.dropped == {stray.type: 1}


def test_events_after_the_end_of_their_part_are_dropped() -> None:
    part = {**EMPTY, "text": "x"}
    machine, events = run(
        added(),
        event("response.content_part.added", 2, **AT, part=EMPTY),
        event("response.output_text.delta", 3, **AT, delta="x"),
        event("response.output_text.done", 4, **AT, text="x"),
        event("response.output_text.done", 4, **AT, text="x"),
        event("response.content_part.done", 5, **AT, part=part),
        event("response.content_part.done", 5, **AT, part=part),
        event("response.output_text.annotation.added", 6, **AT, annotation={}),
        done({**MESSAGE, "content": [part]}),
        event("response.custom_tool_call_input.delta", 7, **AT, delta="x"),
        event("response.custom_tool_call_input.done", 8, **AT, input="x"),
        event("response.refusal.done", 8, **AT, refusal="x"),
        event("response.output_text.annotation.added", 8, **AT, annotation={}),
    )
    assert output(events)[0]["content"] == [part]
    assert machine.dropped.total() == 7


def test_parts_of_unknown_types_pass_and_are_closed() -> None:
    odd = {"type": "output_hologram", "url": "x"}
    where: Json = {**AT, "content_index": 1}
    _, events = run(
        added(),
        event("response.content_part.added", 2, **AT, part=odd),
        event("response.content_part.added", 3, **where, part=odd),
        event("response.content_part.done", 4, **where, part={**odd, "size": 2}),
        done({**MESSAGE, "content": [odd, {**odd, "size": 2}, {"type": "another"}, EMPTY]}),
    )
    closed = [data["part"] for data in events if data["type"] == "response.content_part.done"]
    assert closed == [{**odd, "size": 2}, odd]
    assert len(output(events)[0]["content"]) == 4


def test_parts_before_an_announced_one_are_announced() -> None:
    where: Json = {**AT, "content_index": 2}
    _, events = run(
        added(),
        event("response.content_part.added", 2, **where, part=EMPTY),
        event("response.output_text.delta", 3, **{**AT, "content_index": 4}, delta="x"),
    )
    places = [data["content_index"] for data in events if data["type"] == "response.content_part.added"]
    assert places == [0, 1, 2, 3, 4]


def test_events_without_an_index_find_their_item_by_its_id_or_as_the_last_one() -> None:
    call = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "c", "name": "n", "input": ""}
    _, events = run(
        added(MESSAGE, None),
        event("response.output_item.added", 2, item=call),
        event("response.output_text.delta", 3, item_id="msg_1", delta="x"),
        event("response.custom_tool_call_input.delta", 4, delta="y"),
        event("response.output_item.done", 5, item={**call, "input": "y"}),
        event("response.output_item.done", 6, item={"type": "message", "content": [{**EMPTY, "text": "new"}]}),
    )
    assert [item.get("input") or item["content"][0]["text"] for item in output(events)] == ["x", "y", "new"]


def test_an_item_of_another_type_at_the_same_index_is_another_item() -> None:
    reasoning = {"id": "rs_1", "type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "r"}]}
    _, events = run(added(), done(reasoning), done(reasoning))
    assert [item["type"] for item in output(events)] == ["message", "reasoning"]


def test_reasoning_that_is_told_at_once_is_begun_empty() -> None:
    reasoning = {"id": "rs_1", "type": "reasoning", "summary": [], "content": [{"type": "reasoning_text"}]}
    _, events = run(added(reasoning), done(reasoning))
    assert events[1]["item"] == {**reasoning, "content": []}


def test_a_message_without_a_list_of_parts_gets_one() -> None:
    _, events = run(done({"id": "msg_1", "type": "message", "content": None}))
    assert output(events) == [{**MESSAGE, "status": "completed"}]


def test_the_terminals_items_are_found_by_their_call_ids() -> None:
    call = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "n", "arguments": "{}"}
    other = {**call, "id": "fc_2", "call_id": "c2"}
    told = [None, {**call, "id": "x", "arguments": "[]"}, {**other, "id": None}]
    end = event("response.completed", 99, response={"id": "resp_1", "status": "completed", "output": told})
    _, sent = play([CREATED, done(call), done(other, 1), end])
    assert [item["id"] for item in output(check_response_stream(sent))] == ["fc_1", "fc_2"]


def test_an_open_item_is_closed_with_what_the_terminal_tells_of_it() -> None:
    told = {**MESSAGE, "status": "completed", "content": [{**EMPTY, "text": "all"}]}
    end = event("response.completed", 99, response={"id": "resp_1", "status": "completed", "output": [told]})
    _, sent = play([CREATED, added(), end])
    events = check_response_stream(sent)
    assert [data["delta"] for data in of_type(sent, "response.output_text.delta")] == ["all"]
    assert output(events) == [told]


def test_a_frame_that_a_trusted_server_cut_fails_the_stream_when_it_is_needed() -> None:
    source = read(CORPUS["openai-text"])
    broken = read(b'event: response.content_part.added\ndata: {"type":"response.content_part.added",}\n\n' + END.raw)[0]
    machine, sent = play([*source[:3], broken, source[4], END], trusted=True)
    assert machine.error is not None
    assert machine.error["code"] == "upstream_bad_event"
    assert sent[-1].type == "response.failed"


def test_a_broken_progress_event_is_dropped() -> None:
    broken = read(b'data: {"type":"response.web_search_call.searching",}\n\n' + END.raw)[0]
    machine, _events = run(broken)
    assert machine.dropped == {"response.web_search_call.searching": 1}


def test_an_event_without_a_type_or_an_error_is_dropped() -> None:
    machine, _ = run(read(b'data: {"hello":1}\n\n')[0])
    assert machine.dropped == {"": 1}


@pytest.mark.parametrize("trusted", [True, False])
def test_a_second_item_may_begin_before_the_first_is_done(trusted: bool) -> None:
    call = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "n", "arguments": ""}
    other = {**call, "id": "fc_2", "call_id": "c2"}
    _, sent = play(
        [
            CREATED,
            added(call),
            event("response.function_call_arguments.delta", 2, item_id="fc_1", output_index=0, delta="{}"),
            event("response.function_call_arguments.done", 3, item_id="fc_1", output_index=0, arguments="{}"),
            event("response.output_item.added", 4, output_index=1, item=other),
            event("response.output_item.done", 5, output_index=1, item={**other, "arguments": "[]"}),
            event("response.output_item.done", 6, output_index=0, item={**call, "arguments": "{}"}),
            END,
        ],
        trusted=trusted,
    )
    assert [item["arguments"] for item in output(check_response_stream(sent))] == ["{}", "[]"]
    assert [data["delta"] for data in of_type(sent, "response.function_call_arguments.delta")] == ["{}", "[]"]


def test_progress_and_text_of_items_we_do_not_know_pass() -> None:
    item = {"id": "sub_1", "type": "subagent_call", "status": "in_progress"}
    _, events = run(
        added(item),
        event("response.shell_call_command.added", 2, output_index=0, command_index=0, command=""),
        event("response.output_text.delta", 3, item_id="sub_1", output_index=0, content_index=0, delta="x"),
        done({**item, "status": "completed"}),
    )
    assert [data["type"].removeprefix("response.") for data in events[2:5]] == [
        "shell_call_command.added",
        "content_part.added",
        "output_text.delta",
    ]


def test_a_terminal_that_tells_another_message_adds_it() -> None:
    first, other = (
        {**MESSAGE, "id": name, "status": "completed", "content": [{**EMPTY, "text": name}]}
        for name in ("msg_1", "msg_2")
    )
    end = event("response.completed", 99, response={"id": "resp_1", "status": "completed", "output": [other]})
    _, sent = play([CREATED, done(first), end])
    assert output(check_response_stream(sent)) == [first, other]


def test_a_part_event_without_a_place_follows_the_parts_before_it() -> None:
    where = {"item_id": "msg_1", "output_index": 0}
    _, events = run(added(), *(event("response.content_part.added", n, **where, part=EMPTY) for n in (2, 3)))
    assert [data["content_index"] for data in events if data["type"] == "response.content_part.added"] == [0, 1]


def test_one_index_for_several_items_that_are_never_done_or_never_added() -> None:
    told = [{**MESSAGE, "id": f"msg_{n}", "status": "completed"} for n in range(4)]
    _, events = run(added(told[0]), added(told[1]), done(told[1]), done(told[2]), done(told[3]))
    assert [item["id"] for item in output(events)] == ["msg_0", "msg_1", "msg_2", "msg_3"]


@pytest.mark.parametrize("text", [7, True, 1.5, [], {"a": 1}])
def test_a_finished_part_whose_text_is_none_says_nothing(text: object) -> None:
    _, events = run(
        added(),
        event("response.output_text.delta", 2, **AT, delta="all"),
        event("response.content_part.done", 3, **AT, part={**EMPTY, "text": text}),
    )
    assert [part["text"] for part in output(events)[0]["content"]] == ["all"]


def test_a_type_that_only_the_event_name_tells_is_put_into_the_data() -> None:
    spoilt = b'event: response.output_text.delta\ndata: {"type":7,"output_index":0,"content_index":0,"delta":"all"}\n\n'
    bare = b'event: response.output_text.delta\ndata: {"output_index":0,"content_index":0,"delta":"!"}\n\n'
    _, events = run(added(), *read(spoilt), *read(bare))
    assert [data["delta"] for data in events if data["type"] == "response.output_text.delta"] == ["all", "!"]
