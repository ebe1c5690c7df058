"""Inner frames → chunk streams (translation §3), with the defects that upstreams really have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects import Choices
from tests.pure.chat_frames import (
    ARGUMENTS,
    CHAT_USAGE,
    START,
    USER,
    added,
    asking,
    call,
    created,
    custom_call,
    delta,
    done,
    events_of,
    exchange,
    frames,
    function_call,
    item_events,
    message,
    reasoning,
    response,
    stream,
    terminal,
    text_part,
    told,
)
from tests.pure.chat_invariants import fold, payloads

Json = dict[str, Any]
END = "data: [DONE]\n\n"


@pytest.mark.proves("CHAT-golden", "CASE-70", "CASE-71", "CASE-72", "CASE-78", "CASE-79", "CASE-80", "CASE-81")
def test_a_whole_stream_byte_for_byte() -> None:
    """Reasoning hidden, text, two calls, usage asked: the golden trace of translation appendix D."""
    final = response(
        reasoning("hm"),
        message("Looking it up."),
        call(arguments='{"k":1}', call_id="call_a"),
        call(arguments='{"k":2}', call_id="call_b"),
    )
    asked = asking(Choices(reasoning="hide"), stream_options={"include_usage": True})
    head = '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-x"'
    head += ',"system_fingerprint":null'

    def chunk(delta: str, finish: str = "null") -> str:
        choice = f'{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}'
        return f'data: {head},"choices":[{choice}],"usage":null}}\n\n'

    def opened(index: int, call_id: str) -> str:
        function = '{"name":"get","arguments":""}'
        return chunk(f'{{"tool_calls":[{{"index":{index},"id":"{call_id}","type":"function","function":{function}}}]}}')

    def argued(index: int, text: str) -> str:
        return chunk(f'{{"tool_calls":[{{"index":{index},"function":{{"arguments":{json.dumps(text)}}}}}]}}')

    usage = json.dumps(CHAT_USAGE, separators=(",", ":"))
    assert stream(asked, events_of(final, 100)) == (
        chunk('{"role":"assistant","content":"","refusal":null}')
        + chunk('{"content":"Looking it up."}')
        + opened(0, "call_a")
        + argued(0, '{"k":1}')
        + opened(1, "call_b")
        + argued(1, '{"k":2}')
        + chunk("{}", '"tool_calls"')
        + f'data: {head},"choices":[],"usage":{usage}}}\n\n'
        + END
    )


@pytest.mark.proves("CASE-79")
def test_usage_never_appears_unless_it_was_asked_for() -> None:
    text = stream(asking(), events_of(response(message("Hi"))))
    assert "usage" not in text
    assert fold(text).content == "Hi"


@pytest.mark.proves("CASE-79", "CASE-86", "CASE-52")
def test_a_cut_answer_finishes_with_length_and_usage() -> None:
    final = response(message("Hi"), status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    asked = asking(stream_options={"include_usage": True})
    folded = told(*events_of(final), asked=asked, usage_asked=True)
    assert (folded.content, folded.finish, folded.usage) == ("Hi", "length", CHAT_USAGE)


def test_a_stream_without_counts_has_no_usage_chunk() -> None:
    asked = asking(stream_options={"include_usage": True})
    folded = told(*events_of(response(message("Hi"), usage=None)), asked=asked, usage_asked=True)
    assert (folded.finish, folded.usage) == ("stop", None)


@pytest.mark.proves("CASE-73")
def test_interleaved_calls_come_one_after_the_other() -> None:
    first, second = call(call_id="call_a", arguments='{"a":1}'), call(call_id="call_b", arguments='{"b":2}')
    bare = [{**item, "arguments": ""} for item in (first, second)]
    folded = told(
        START,
        added(0, bare[0]),
        added(1, bare[1]),
        delta(0, '{"a"', ARGUMENTS),
        delta(1, '{"b"', ARGUMENTS),
        delta(0, ":1}", ARGUMENTS),
        delta(1, ":2}", ARGUMENTS),
        done(1, second),
        done(0, first),
        terminal(response(first, second)),
    )
    assert folded.calls == [function_call("get", '{"a":1}'), function_call("get", '{"b":2}', "call_b")]
    assert folded.finish == "tool_calls"


@pytest.mark.proves("CASE-68")
def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert told(*events_of(response(call(arguments="")))).calls == [function_call("get", "{}")]


@pytest.mark.proves("CASE-76")
def test_the_terminal_s_snapshot_repeats_nothing() -> None:
    final = response(reasoning("hm"), message("Hi"), message("there", index=1), call(arguments='{"k":1}'))
    folded = told(*events_of(final))
    assert folded.texts == {"content": "Hi\n\nthere", "reasoning_content": "hm"}
    assert folded.calls == [function_call("get", '{"k":1}')]


@pytest.mark.proves("CHAT-terminal-only")
def test_what_only_the_terminal_tells_is_told() -> None:
    final = response(reasoning("hm"), message("Hi"), call(arguments='{"k":1}'))
    folded = told(START, terminal(final))
    assert folded.texts == {"content": "Hi", "reasoning_content": "hm"}
    assert (folded.calls, folded.finish) == ([function_call("get", '{"k":1}')], "tool_calls")


@pytest.mark.proves("CASE-77")
def test_no_finish_chunk_when_the_text_is_done() -> None:
    asked = asking().stream_encoder(5)
    final = response(message("Hi"), call())
    seen = asked.feed(frames([created(final), *item_events(0, final["output"][0])])).decode()
    assert [json.loads(text)["choices"][0]["finish_reason"] for text in payloads(seen)] == [None] * len(payloads(seen))
    assert not asked.finished


@pytest.mark.proves("CASE-82", "CASE-60")
def test_sources_come_in_one_chunk_before_the_end() -> None:
    cited = {"type": "url_citation", "start_index": 0, "end_index": 1, "url": "u", "title": "t"}
    final = response(
        message(text_part("one", annotations=[cited, {**cited, "url": "v"}])),
        message(text_part("two", annotations=[cited]), index=1),
    )
    folded = told(*events_of(final))
    assert [note["url_citation"]["url"] for note in folded.annotations] == ["u", "v", "u"]
    assert folded.annotations[2]["url_citation"]["start_index"] == len("one\n\n")


@pytest.mark.proves("CASE-90")
def test_emoji_and_line_separators_pass_and_halves_are_joined() -> None:
    whole = 'a\u2028b\u0085c"\\\n🌍'
    events = [delta(0, whole + "\ud83d"), delta(0, "\ude00!"), delta(1, "\ud83d"), done(1, message("\ud83d"))]
    encoder = asking().stream_encoder(5)
    data = encoder.feed(frames([START, *events, terminal(response(message(whole + "😀!"), message("\ud83d")))]))
    assert fold(data.decode()).content == whole + "😀!\n\n\ud83d"


@pytest.mark.proves("CASE-90")
@pytest.mark.parametrize("kind", ["output_text", "refusal", "reasoning_text", ARGUMENTS, "custom_tool_call_input"])
def test_halves_are_joined_in_every_kind_of_text(kind: str) -> None:
    text = stream(asking(), [START, delta(0, "x\ud83d", kind), delta(0, "\ude00", kind), terminal(response())])
    assert "😀" in text
    alone = [delta(0, "x", kind), delta(0, "\ud83d", kind), delta(0, "\ude00y", kind)]
    assert "😀y" in stream(asking(), [START, *alone, terminal(response())])
    lone = stream(asking(), [START, delta(0, "x\ud83d", kind), terminal(response())])
    assert "\\ud83d" in lone


@pytest.mark.proves("CASE-92", "CHAT-custom-calls")
def test_custom_calls_are_told_as_functions_and_the_header_says_so() -> None:
    tools = [{"type": "custom", "custom": {"name": "run"}}]
    final = response(custom_call(text="ls"), custom_call(text="", call_id="call_d"))
    asked = asking(tools=tools)
    assert asked.headers() == {"x-gateway-custom-calls": "as-function"}
    assert told(*events_of(final), asked=asked).calls == [
        function_call("run", "ls", "call_c"),
        function_call("run", "", "call_d"),
    ]
    assert exchange(tools=tools).headers() == {}
    assert asking().headers() == {}


@pytest.mark.proves("CASE-92", "CHAT-custom-calls")
def test_custom_calls_are_native_when_the_operator_says_so() -> None:
    asked = asking(Choices(custom_calls="native"), tools=[{"type": "custom", "custom": {"name": "run"}}])
    assert asked.headers() == {}
    final = response(custom_call(text="ls -l"))
    assert told(*events_of(final), asked=asked).calls == [
        {"id": "call_c", "type": "custom", "custom": {"name": "run", "input": "ls -l"}}
    ]


@pytest.mark.proves("CASE-93")
def test_silence_is_filled_with_a_comment() -> None:
    assert asking().stream_encoder(5).keep_alive(60.0) == b": keep-alive\n\n"


@pytest.mark.proves("CASE-95")
def test_think_tags_close_before_text_calls_and_the_end() -> None:
    choices = Choices(reasoning="think")
    folded = told(*events_of(response(reasoning("A", "B"), call())), asked=asking(choices))
    assert folded.content == "<think>A\n\nB</think>\n"
    order = [next(iter(chunk["choices"][0]["delta"]), None) for chunk in folded.chunks]
    assert order.index("tool_calls") > len(order) - 1 - order[::-1].index("content")
    text = response(
        reasoning("A"), message("Hi"), reasoning("B", index=1), message("you", index=1), reasoning("C", index=2)
    )
    assert told(*events_of(text), asked=asking(choices)).content == (
        "<think>A</think>\nHi<think>B</think>\n\n\nyou<think>C</think>\n"
    )
    again = [delta(0, "a"), delta(1, "b", "reasoning_text"), delta(0, "c"), terminal(response())]
    assert told(START, *again, asked=asking(choices)).content == "a<think>b</think>\nc"


@pytest.mark.proves("CASE-96")
def test_padding_is_neither_needed_nor_passed_on() -> None:
    assert "obfuscation" not in stream(asking(), [START, delta(0, "Hi", obfuscation="xxxx"), terminal(response())])


@pytest.mark.proves("CASE-66", "CHAT-reasoning-modes")
@pytest.mark.parametrize("kind", ["summary", "content"])
@pytest.mark.parametrize("size", [1, 100])
def test_reasoning_parts_and_items_are_parted_by_a_blank_line(kind: Any, size: int) -> None:
    final = response(reasoning("A1", "B2", kind=kind), reasoning("C3", kind=kind, index=1), message("Hi"))
    folded = told(*events_of(final, size))
    assert folded.texts == {"reasoning_content": "A1\n\nB2\n\nC3", "content": "Hi"}


def test_of_two_kinds_of_reasoning_the_first_is_told() -> None:
    both = {**reasoning("short"), "content": [{"type": "reasoning_text", "text": "long"}]}
    assert told(*events_of(response(both))).texts == {"reasoning_content": "short", "content": ""}


@pytest.mark.proves("CASE-39")
def test_a_legacy_stream_tells_the_first_call_only() -> None:
    asked = asking(functions=[{"name": "get"}])
    folded = told(*events_of(response(call(arguments='{"k":1}'), call("put", call_id="call_b"))), asked=asked)
    assert folded.function_call == {"name": "get", "arguments": '{"k":1}'}
    assert (folded.calls, folded.finish) == ([], "function_call")


@pytest.mark.proves("CASE-58")
def test_a_refusal_streams_into_its_own_field() -> None:
    folded = told(*events_of(response(message({"type": "refusal", "refusal": "No way."}))))
    assert (folded.texts, folded.finish) == ({"content": "", "refusal": "No way."}, "stop")
    late = delta(0, "late", "refusal")
    text = {"type": "response.refusal.done", "output_index": 0, "content_index": 0, "refusal": "No."}
    assert told(START, text, late, terminal(response())).texts["refusal"] == "No."


@pytest.mark.proves("CASE-59")
@pytest.mark.parametrize("told_late", [False, True], ids=["added", "done"])
def test_preambles_stream_as_reasoning_when_the_answer_is_json(told_late: bool) -> None:
    aside, main = message("On it.", phase="commentary"), message("{}", index=1, phase="final_answer")
    asked = asking(response_format={"type": "json_object"})
    events = [done(0, aside), done(1, main)] if told_late else [*item_events(0, aside), *item_events(1, main)]
    folded = told(START, *events, terminal(response(aside, main)), asked=asked)
    assert folded.texts == {"content": "{}", "reasoning_content": "On it."}


@pytest.mark.proves("CHAT-logprobs")
def test_logprobs_ride_on_the_chunk_of_their_text() -> None:
    token = {"token": "Hi", "logprob": -1, "top_logprobs": []}
    asked = asking(logprobs=True)
    text = stream(asked, [START, delta(0, "Hi", logprobs=[token]), delta(0, "!"), terminal(response(message("Hi!")))])
    second = json.loads(payloads(text)[1])["choices"][0]
    assert (second["delta"], second["logprobs"]["content"]) == ({"content": "Hi"}, [{**token, "bytes": [72, 105]}])
    assert fold(text).content == "Hi!"
    assert told(START, delta(0, "Hi", logprobs=[token]), terminal(response())).logprobs == []


def test_the_head_is_fixed_by_what_was_known_when_the_first_chunk_left() -> None:
    late = {**response(message("Hi"), model="other", service_tier="default"), "id": "resp_2"}
    early = created(response(service_tier="priority"))
    folded = told(early, delta(0, "Hi"), terminal(late))
    assert {(chunk["id"], chunk["model"], chunk["service_tier"]) for chunk in folded.chunks} == {
        ("chatcmpl-1", "gpt-x", "priority")
    }


def test_an_empty_answer_is_a_role_and_a_finish() -> None:
    folded = told(START, terminal(response()))
    assert (folded.content, folded.finish, len(folded.chunks)) == ("", "stop", 2)


def test_one_read_gives_one_piece_of_bytes() -> None:
    encoder = asking(messages=[USER]).stream_encoder(5)
    events = events_of(response(message("Hello there")), 1)
    assert fold(encoder.feed(frames(events)).decode()).content == "Hello there"
    assert encoder.feed([]) == b""
