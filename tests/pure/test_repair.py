"""One test a repair: what an upstream gets wrong, and what our client sees instead."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.failures import failure
from gateway.errors import StreamTruncated
from tests.pure.invariants import check_response_stream, read
from tests.pure.streams import CORPUS, event, of_type, output, play, repair, texts, types

Json = dict[str, Any]


# the terminal event ---------------------------------------------------------------------------------------------------


@pytest.mark.proves("CASE-97", "CASE-69", "FAIL-5")
@pytest.mark.parametrize("name", ["codex-text", "codex-tools"], ids=["empty list", "null"])
@pytest.mark.parametrize("trusted", [True, False])
def test_an_empty_terminal_output_is_filled_with_the_items_that_were_sent(name: str, trusted: bool) -> None:
    _, frames = play(CORPUS[name], trusted=trusted)
    done = [data["item"] for data in of_type(frames, "response.output_item.done")]
    assert output(frames) == done
    assert len(done) == 3
    unchanged = read(CORPUS[name])[-1].data["response"]
    assert frames[-1].data["response"] == {**unchanged, "output": done}


@pytest.mark.proves("CASE-56", "CASE-53", "CASE-52")
def test_the_embedded_status_names_the_terminal_event_and_the_reason_is_spelt_as_published() -> None:
    _machine, frames = play(CORPUS["vllm-reasoning"])
    response = frames[-1].data["response"]
    assert frames[-1].type == "response.incomplete"
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["usage"] == {
        "input_tokens": 5,
        "output_tokens": 6,
        "total_tokens": 11,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }


def test_response_done_ends_a_stream_as_completed() -> None:
    _, frames = play(CORPUS["compat-done-events-only"])
    assert frames[-1].type == "response.completed"
    assert frames[-1].data["response"]["status"] == "completed"


@pytest.mark.proves("CASE-57", "CASE-54")
def test_items_left_open_are_closed_as_they_are_before_the_terminal_event() -> None:
    _, frames = play(CORPUS["compat-items-left-open"])
    reasoning, message, call = output(frames)
    assert reasoning["type"] == "reasoning"
    assert (message["status"], texts([message])) == ("incomplete", ["left open"])
    assert (call["status"], call["arguments"]) == ("incomplete", '{"a')
    assert types(frames)[-4:] == ["content_part.done", "output_item.done", "output_item.done", "incomplete"]


def test_what_only_the_terminal_event_tells_is_streamed_before_it() -> None:
    _, frames = play(CORPUS["compat-output-only-at-the-end"])
    assert types(frames) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]


def test_a_terminal_output_that_repeats_an_item_under_another_id_adds_nothing() -> None:
    _, frames = play(CORPUS["compat-output-repeats-under-other-ids"])
    assert [item["id"] for item in output(frames)] == ["msg_54"]


def test_a_cut_terminal_event_still_ends_the_response() -> None:
    _, frames = play(CORPUS["compat-cut-terminal"])
    response = frames[-1].data["response"]
    assert (frames[-1].type, response["usage"], texts(response["output"])) == ("response.completed", None, ["Hi"])


def test_a_cancelled_response_is_a_failed_one() -> None:
    machine, frames = play([event("response.created", 0), event("response.cancelled", 1, response={})])
    assert machine.error is not None
    assert (frames[-1].type, machine.error["code"]) == ("response.failed", "response_cancelled")
    assert failure(machine.error).status == 400


# items ----------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("CASE-98")
def test_done_items_out_of_order_are_sorted_by_index() -> None:
    _, frames = play(CORPUS["compat-out-of-order"])
    assert texts(output(frames)) == ["first", "second"]


@pytest.mark.proves("CASE-99")
@pytest.mark.parametrize("trusted", [True, False])
def test_bare_text_deltas_get_an_item_and_a_part_around_them(trusted: bool) -> None:
    _, frames = play(CORPUS["compat-text-deltas-only"], trusted=trusted)
    assert types(frames) == [
        "created",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    (message,) = output(frames)
    assert message["id"].startswith("msg_")
    assert texts([message]) == ["Just text"]


@pytest.mark.proves("CASE-100")
def test_a_gap_in_output_index_is_closed() -> None:
    _, frames = play(CORPUS["compat-index-gap"])
    assert {frame.data["output_index"] for frame in frames if "output_index" in frame.data} == {0, 1}
    assert texts(output(frames)) == ["a", "b"]


def test_one_output_index_for_several_items_is_told_apart() -> None:
    _, frames = play(CORPUS["compat-same-index"])
    assert [item["type"] for item in output(frames)] == ["message", "function_call"]


@pytest.mark.proves("CASE-101", "CASE-88")
def test_an_item_keeps_the_id_it_was_added_under() -> None:
    _, frames = play(CORPUS["compat-other-item-id"])
    named = {frame.data["item_id"] for frame in frames if "item_id" in frame.data}
    assert named == {output(frames)[0]["id"]} == {"msg_44"}


@pytest.mark.proves("CASE-102", "FAIL-11")
def test_missing_and_over_long_ids_are_replaced_before_their_first_use() -> None:
    for name in ("compat-null-ids", "codex-long-ids"):
        _, frames = play(CORPUS[name], trusted=True)
        message, call = output(frames)
        assert message["id"].startswith("msg_")
        assert call["id"].startswith("fc_")
        assert max(len(message["id"]), len(call["id"])) <= 64
        assert play(CORPUS[name])[1][-1].data == frames[-1].data, "the same stream always gets the same ids"


@pytest.mark.proves("CASE-103")
def test_a_call_id_used_twice_is_changed_the_second_time() -> None:
    _, frames = play(CORPUS["compat-twin-call-ids"])
    first, second = output(frames)
    assert first["call_id"] == "call_46"
    assert second["call_id"] not in ("call_46", "")
    assert [item["arguments"] for item in (first, second)] == ['{"a":1}', '{"a":2}']


@pytest.mark.proves("CASE-89")
def test_a_call_whose_name_is_not_known_waits_for_it() -> None:
    _machine, frames = play(CORPUS["compat-name-in-done"])
    added = of_type(frames, "response.output_item.added")
    assert [(data["item"]["name"], data["item"]["call_id"]) for data in added] == [
        ("look", "call_50"),
        ("see", "call_51"),
    ]
    assert [item["arguments"] for item in output(frames)] == ['{"x":1}', "{}"]


def test_a_call_that_is_never_named_is_left_out() -> None:
    source = [
        event("response.created", 0, response={"id": "resp_1"}),
        event("response.function_call_arguments.delta", 1, output_index=0, delta="{}"),
        event("response.completed", 2, response={"status": "completed"}),
    ]
    machine, frames = play(source)
    check_response_stream(frames)
    assert (output(frames), machine.dropped) == ([], {"unnamed call": 1})


def test_a_call_named_by_its_arguments_event_is_shown_at_the_end() -> None:
    source = [
        event("response.created", 0, response={"id": "resp_1"}),
        event("response.function_call_arguments.delta", 1, output_index=0, delta="{}"),
        event("response.function_call_arguments.done", 2, output_index=0, arguments="{}", name="look"),
        event("response.completed", 3, response={"status": "completed"}),
    ]
    _, frames = play(source)
    check_response_stream(frames)
    (call,) = output(frames)
    assert (call["name"], call["arguments"], call["call_id"].startswith("call_")) == ("look", "{}", True)


def test_an_unnamed_call_may_not_hold_more_than_the_limit() -> None:
    machine = repair(open_item_bytes=400)
    frames = machine.feed([event("response.created", 0, response={"id": "resp_1"})])
    frames += machine.feed(
        event("response.function_call_arguments.delta", n, output_index=0, delta="x" * 90) for n in range(1, 9)
    )
    check_response_stream(frames)
    assert frames[-1].data["response"]["error"]["code"] == "upstream_error"


@pytest.mark.proves("RESPONSES-missing-deltas")
@pytest.mark.parametrize("trusted", [True, False])
def test_text_that_comes_only_in_done_events_is_streamed_too(trusted: bool) -> None:
    _, frames = play(CORPUS["codex-arguments-only-in-done"], trusted=trusted)
    (delta,) = of_type(frames, "response.function_call_arguments.delta")
    assert delta["delta"] == '{"a":1}'
    _, frames = play(CORPUS["compat-done-events-only"], trusted=trusted)
    assert [data["delta"] for data in of_type(frames, "response.output_text.delta")] == ["All at once"]
    assert [data["delta"] for data in of_type(frames, "response.reasoning_summary_text.delta")] == ["why"]


@pytest.mark.proves("CASE-75")
def test_text_told_by_deltas_and_done_events_is_there_once() -> None:
    _, frames = play(CORPUS["openai-text"])
    assert texts(output(frames)) == ["Hello, world."]
    assert "".join(data["delta"] for data in of_type(frames, "response.output_text.delta")) == "Hello, world."


def test_unknown_item_types_pass_and_unknown_events_do_not() -> None:
    machine, frames = play(CORPUS["codex-unknown-item"])
    assert output(frames) == [
        {"id": "sub_1", "type": "subagent_call", "status": "completed", "task": "look", "result": "seen"}
    ]
    assert machine.dropped == {"response.subagent_call.thinking": 1}


# parts ----------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("CASE-105")
def test_reasoning_parts_of_vllm_get_their_published_name() -> None:
    _, frames = play(CORPUS["vllm-reasoning"])
    (added, *_), (done, *_) = (
        of_type(frames, "response.content_part.added"),
        of_type(frames, "response.content_part.done"),
    )
    assert added["part"] == {"type": "reasoning_text", "text": ""}
    assert done["part"] == {"type": "reasoning_text", "text": "hm, ok"}


@pytest.mark.proves("CASE-108")
@pytest.mark.parametrize("trusted", [True, False])
def test_a_part_is_announced_before_its_first_delta(trusted: bool) -> None:
    _, frames = play(CORPUS["compat-no-part"], trusted=trusted)
    assert types(frames)[2:5] == ["output_item.added", "content_part.added", "output_text.delta"]


@pytest.mark.proves("CASE-90")
def test_an_emoji_cut_between_two_deltas_is_whole_in_the_rebuilt_item() -> None:
    source = [frame for frame in read(CORPUS["openai-emoji"]) if "done" not in frame.type]
    _, frames = play(source)
    assert texts(output(frames)) == ["😀a\u2028b\u0085"]
    assert [data["delta"] for data in of_type(frames, "response.output_text.delta")] == [
        "\ud83d",
        "\ude00",
        "a\u2028b\u0085",
    ]


# lifecycle ------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("CASE-104")
def test_the_first_response_id_is_kept() -> None:
    _, frames = play(CORPUS["compat-response-id-changes"])
    assert {frame.data["response"]["id"] for frame in frames if "response" in frame.data} == {"resp_0a41c7e2"}


@pytest.mark.proves("CASE-106", "CASE-84")
def test_a_stream_that_begins_with_its_failure_begins_with_created() -> None:
    machine, frames = play(CORPUS["compat-failed-first"])
    assert types(frames) == ["created", "in_progress", "failed"]
    error = failure(machine.error)
    assert (error.status, error.headers["Retry-After"], error.headers["retry-after-ms"]) == (429, "12", "11054")


@pytest.mark.proves("CASE-107", "CASE-87")
@pytest.mark.parametrize("trusted", [True, False])
def test_events_that_are_not_for_clients_leave_no_trace(trusted: bool) -> None:
    machine, frames = play(CORPUS["codex-keepalive-first"], trusted=trusted)
    assert frames[0].type == "response.created"
    machine, frames = play(CORPUS["codex-numbered-metadata"], trusted=trusted)
    events = check_response_stream(frames)
    assert not {"keepalive", "response.metadata", "responsesapi.websocket_timing"} & {data["type"] for data in events}
    assert not machine.dropped


@pytest.mark.proves("CASE-91")
def test_a_cut_lifecycle_event_is_skipped() -> None:
    machine, frames = play(CORPUS["compat-cut-lifecycle"])
    assert types(frames)[:2] == ["created", "output_item.added"]
    assert machine.dropped == {"response.in_progress": 1}
    assert frames[-1].type == "response.completed"


@pytest.mark.parametrize("trusted", [True, False])
def test_a_cut_delta_fails_the_stream(trusted: bool) -> None:
    _machine, frames = play(CORPUS["compat-cut-delta"], trusted=trusted)
    assert frames[-1].data["response"]["error"]["code"] == "upstream_bad_event"
    assert texts(output(frames)) == ["Hi"]


def test_types_that_only_the_event_line_tells_are_put_into_the_data() -> None:
    _, frames = play(CORPUS["compat-no-numbers"], trusted=True)
    deltas = of_type(frames, "response.output_text.delta")
    assert [(data["type"], data["delta"]) for data in deltas] == [
        ("response.output_text.delta", "Hi"),
        ("response.output_text.delta", " there"),
    ]


def test_an_untyped_delta_among_typed_ones_is_looked_at() -> None:
    source = read(CORPUS["openai-text"])
    untyped = read(source[4].raw.replace(b'"type":"response.output_text.delta",', b""))
    _, frames = play([*source[:4], *untyped, *source[5:]], trusted=True)
    assert check_response_stream(frames)[4]["delta"] == "Hello"


def test_numbers_that_do_not_begin_at_zero_are_ours() -> None:
    source = [
        event(
            frame.type,
            frame.data["sequence_number"] + 5,
            **{k: v for k, v in frame.data.items() if k not in ("type", "sequence_number")},
        )
        for frame in read(CORPUS["openai-text"])
    ]
    _, frames = play(source, trusted=True)
    check_response_stream(frames)


def test_a_trusted_stream_that_skips_numbers_among_its_deltas_goes_on_without_going_back() -> None:
    source = read(CORPUS["openai-text"])
    machine = repair(trusted=True)
    frames = machine.feed([*source[:5], *source[6:]])
    numbers = [frame.data["sequence_number"] for frame in frames]
    assert numbers == sorted(set(numbers))


def test_created_is_made_from_a_stream_that_begins_in_progress() -> None:
    source = read(CORPUS["openai-text"])
    _, frames = play(source[1:])
    assert check_response_stream(frames)[0]["response"] == source[0].data["response"]


def test_a_queued_response_passes() -> None:
    source = read(CORPUS["openai-text"])
    queued = event("response.queued", 1, response={**source[0].data["response"], "status": "queued"})
    _, frames = play([queued, *source[1:]])
    assert types(frames)[:3] == ["created", "in_progress", "queued"]


def test_events_of_no_item_pass() -> None:
    source = read(CORPUS["openai-text"])
    audio = event("response.audio.delta", 2, delta="aGk=")
    _, frames = play([*source[:2], audio, *source[2:]])
    assert frames[2] is audio
    check_response_stream(frames)


@pytest.mark.parametrize("trusted", [True, False])
def test_a_response_in_progress_can_be_repeated_in_a_silence(trusted: bool) -> None:
    source = read(CORPUS["openai-text"])
    machine = repair(trusted=trusted)
    assert machine.in_progress_again() == []
    frames = machine.feed(source[:6])
    (again,) = machine.in_progress_again()
    assert again.data == {"type": "response.in_progress", "sequence_number": 6, "response": source[1].data["response"]}
    frames += [again, *machine.feed(source[6:])]
    assert len(check_response_stream(frames)) == len(source) + 1
    assert machine.in_progress_again() == []


# a response that runs without its client ------------------------------------------------------------------------------


@pytest.mark.proves("ENGINE-own-id")
@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("name", sorted(CORPUS))
def test_a_response_gets_the_id_that_was_promised_and_numbers_without_a_gap(name: str, trusted: bool) -> None:
    _, before = play(CORPUS[name], trusted=trusted)
    machine = repair(trusted=trusted, response_id="resp_ours")
    frames = machine.feed(read(CORPUS[name]))
    if machine.terminal is None:
        frames += machine.abort(StreamTruncated("cut"))
    assert {frame.data["response"]["id"] for frame in frames if "response" in frame.data} == {"resp_ours"}
    assert [frame.data["sequence_number"] for frame in frames] == list(range(len(frames)))
    assert types(frames) == types(before)


@pytest.mark.proves("ENGINE-cancelled")
@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("name", ["openai-text", "codex-tools"])
def test_a_cancelled_stream_ends_at_once_with_what_there_is(name: str, trusted: bool) -> None:
    source = read(CORPUS[name])
    for cut in range(len(source)):
        machine = repair(trusted=trusted)
        frames = machine.feed(source[:cut])
        frames += machine.cancel()
        response = frames[-1].data["response"]
        assert (frames[-1].type, response["status"], response["error"]) == ("response.failed", "cancelled", None)
        assert machine.terminal is frames[-1]
        assert machine.cancel() == []
        assert all(item.get("status") != "in_progress" for item in response["output"])
        assert "error" not in types(frames)
