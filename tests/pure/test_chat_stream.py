"""Inner frames → chunk streams (translation §3), with the defects that upstreams really have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.frames import Frame
from gateway.dialects import Choices
from gateway.dialects.chat import ChatExchange
from gateway.errors import StreamTruncated
from tests.pure.chat_frames import (
    CHAT_USAGE,
    USER,
    call,
    created,
    custom_call,
    events_of,
    exchange,
    frames,
    item_events,
    message,
    reasoning,
    response,
    stream,
    terminal,
    text_part,
)
from tests.pure.chat_invariants import Folded, fold, payloads

Json = dict[str, Any]
END = "data: [DONE]\n\n"


def asking(choices: Choices | None = None, /, **fields: Any) -> ChatExchange:
    return exchange(choices, stream=True, **fields)


def told(*events: Json, asked: ChatExchange | None = None, usage_asked: bool = False) -> Folded:
    return fold(stream(asked or asking(), events), usage_asked=usage_asked)


def delta(index: int, text: str, kind: str = "output_text", **more: Any) -> Json:
    return {"type": f"response.{kind}.delta", "output_index": index, "content_index": 0, "delta": text, **more}


def added(index: int, item: Json) -> Json:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index: int, item: Json) -> Json:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def function_call(name: str, arguments: str, call_id: str = "call_a") -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


ARGUMENTS = "function_call_arguments"
START = created(response())


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


@pytest.mark.proves("CASE-56")
def test_the_embedded_status_decides_not_the_event_s_name() -> None:
    final = response(message("Hi"), status="incomplete", incomplete_details={"reason": "max_tokens"})
    assert told(START, {"type": "response.completed", "response": final}).finish == "length"
    failed = response(status="failed", error={"code": "server_error", "message": "m"})
    assert told(START, {"type": "response.completed", "response": failed}).error is not None
    silent = {key: value for key, value in response(message("Hi")).items() if key != "status"}
    assert told(START, {"type": "response.incomplete", "response": silent}).finish == "length"
    assert told(START, {"type": "response.done", "response": silent}).finish == "stop"
    assert told(START, {"type": "response.completed"}).finish == "stop"


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


@pytest.mark.proves("CASE-73")
def test_calls_left_open_are_written_at_the_end() -> None:
    folded = told(
        START,
        added(0, call(arguments="")),
        added(1, call(call_id="call_b", arguments="")),
        delta(1, "[2]", ARGUMENTS),
        delta(0, "[1]", ARGUMENTS),
        terminal(response(status="incomplete")),
    )
    assert folded.calls == [function_call("get", "[1]"), function_call("get", "[2]", "call_b")]


@pytest.mark.proves("CASE-74", "CASE-89")
@pytest.mark.parametrize("start", [[], [added(0, {**call(), "name": "", "arguments": ""})]], ids=["never", "nameless"])
def test_a_call_told_only_at_its_end_is_whole(start: list[Json]) -> None:
    folded = told(START, *start, done(0, call(arguments='{"k":1}')), terminal(response()))
    assert folded.calls == [function_call("get", '{"k":1}')]
    assert len(folded.chunks) == 4


@pytest.mark.proves("CASE-89")
def test_arguments_wait_for_a_name_that_comes_late() -> None:
    nameless = {**call(), "name": None, "arguments": ""}
    events = [added(0, nameless), delta(0, '{"k"', ARGUMENTS), delta(0, ":1}", ARGUMENTS)]
    folded = told(START, *events, done(0, call(arguments='{"k":1}')), terminal(response()))
    assert folded.calls == [function_call("get", '{"k":1}')]


def test_a_call_that_never_gets_a_name_or_an_id_is_still_told() -> None:
    folded = told(START, delta(0, "[1]", ARGUMENTS), terminal(response()))
    assert folded.calls == [function_call("", "[1]", "call_resp_1_0")]


@pytest.mark.proves("CASE-75")
def test_deltas_and_then_the_whole_text_are_told_once() -> None:
    item = call(arguments='{"k":1}')
    finished = {"type": f"response.{ARGUMENTS}.done", "output_index": 0, "arguments": '{"k":1}'}
    late = [delta(0, "late", ARGUMENTS), {**finished, "arguments": '{"k":1}late'}, done(0, item)]
    early = [added(0, {**item, "arguments": ""}), delta(0, '{"k"', ARGUMENTS), finished, done(0, item)]
    assert told(START, *early, *late, terminal(response(item))).calls == [function_call("get", '{"k":1}')]


def test_arguments_that_come_with_the_start_count_as_deltas() -> None:
    item = call(arguments='{"k":1}')
    assert told(START, added(0, item), added(0, item), done(0, item), terminal(response(item))).calls == [
        function_call("get", '{"k":1}')
    ]


def test_a_whole_text_that_contradicts_its_deltas_is_ignored() -> None:
    item = call(arguments="[2]")
    folded = told(START, added(0, {**item, "arguments": ""}), delta(0, "[1]", ARGUMENTS), done(0, item),
                  delta(1, "one"), done(1, message("two")), terminal(response(item, message("two"))))  # fmt: skip
    assert (folded.calls, folded.content) == ([function_call("get", "[1]")], "one")


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


def test_the_terminal_finds_items_by_id_before_place() -> None:
    item = message("Hi", index=7)
    assert told(START, *item_events(1, item), terminal(response(item, "junk"))).content == "Hi"  # type: ignore[arg-type]


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


@pytest.mark.proves("CASE-83")
@pytest.mark.parametrize("cut", ["eof", "end-mark"])
def test_a_stream_that_ends_early_never_looks_complete(cut: str) -> None:
    encoder = asking().stream_encoder(5)
    seen = encoder.feed(frames([START, added(0, message()), delta(0, "Hi")]))
    if cut == "eof":
        seen += encoder.fail(StreamTruncated("cut"))
    else:
        seen += encoder.feed([Frame(b"data: [DONE]\n\n", b"[DONE]", "")])
    folded = fold(seen.decode())
    assert folded.content == "Hi"
    assert folded.error is not None
    assert folded.error["code"] == "upstream_stream_truncated"
    assert encoder.finished
    assert encoder.feed(frames([delta(0, "more")])) == b""
    assert encoder.fail(StreamTruncated("again")) == b""


@pytest.mark.proves("CASE-85", "CHAT-stream-errors")
@pytest.mark.parametrize(
    ("event", "error"),
    [
        (
            terminal(response(status="failed", error={"code": "rate_limit_exceeded", "message": "slow"})),
            {"message": "slow", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"},
        ),
        (
            {"type": "error", "error": {"type": "tokens", "code": "x", "message": "m", "param": "input"}},
            {"message": "m", "type": "tokens", "param": None, "code": "x"},
        ),
        (
            {"type": "error", "code": "context_length_exceeded", "message": "long", "param": None},
            {"message": "long", "type": "invalid_request_error", "param": None, "code": "context_length_exceeded"},
        ),
        (
            {"type": "error", "error": "text"},
            {"message": "text", "type": "server_error", "param": None, "code": "server_error"},
        ),
        (
            terminal(response(status="failed", error={"code": 429, "message": "m"})),
            {"message": "m", "type": "server_error", "param": None, "code": "429"},
        ),
    ],
    ids=["failed", "nested", "flat", "text", "number"],
)
def test_a_failure_after_text_is_an_error_frame_and_the_end(event: Json, error: Json) -> None:
    folded = told(START, delta(0, "Hi"), event, delta(0, "late"))
    assert (folded.content, folded.error) == ("Hi", error)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("insufficient_quota", "insufficient_quota"),
        ("usage_limit_reached", "rate_limit_error"),
        ("unsupported_country", "permission_error"),
        ("server_is_overloaded", "server_error"),
        ("invalid_api_key", "server_error"),
        ("invalid_prompt", "invalid_request_error"),
        ("something_new", "server_error"),
        (None, "server_error"),
    ],
)
def test_a_failure_has_the_type_that_sdks_know_for_its_code(code: str | None, kind: str) -> None:
    folded = told(START, terminal(response(status="failed", error={"code": code, "message": None})))
    assert folded.error is not None
    assert (folded.error["type"], bool(folded.error["message"])) == (kind, True)


def test_a_cancelled_response_is_an_error() -> None:
    final = response(message("Hi"), status="cancelled", error=None)
    folded = told(START, {"type": "response.completed", "response": final})
    assert folded.error is not None
    assert (folded.error["code"], folded.error["type"]) == ("response_cancelled", "invalid_request_error")


@pytest.mark.proves("CASE-87")
def test_events_that_say_nothing_to_a_chat_client_are_never_parsed() -> None:
    silent = ["keepalive", "codex.rate_limits", "response.metadata", "response.web_search_call.searching",
              "response.content_part.added", "response.image_generation_call.partial_image", "vendor.new"]  # fmt: skip
    encoder = asking().stream_encoder(5)
    unreadable = [Frame(b"", b'{"type":"%b", cut' % name.encode(), name) for name in silent]
    assert encoder.feed([*frames([START]), *unreadable]) == b""
    assert fold(encoder.feed(frames([delta(0, "Hi"), terminal(response())])).decode()).content == "Hi"


@pytest.mark.proves("CASE-88")
def test_an_item_whose_id_changes_is_one_item() -> None:
    item = call(arguments='{"k":1}')
    events = [added(0, {**item, "id": "fc_1", "arguments": ""}), delta(0, '{"k"', ARGUMENTS, item_id="fc_2")]
    folded = told(START, *events, done(0, {**item, "id": "fc_3"}), terminal(response({**item, "id": "fc_4"})))
    assert folded.calls == [function_call("get", '{"k":1}')]


def test_events_without_an_index_are_found_by_their_item() -> None:
    first, second = call(call_id="call_a", arguments=""), call(call_id="call_b", arguments="")
    lone = {"type": f"response.{ARGUMENTS}.delta", "item_id": "fc_call_b", "delta": "[2]"}
    folded = told(START, added(0, first), added(1, second), lone, done(0, first), done(1, second), terminal(response()))
    assert [entry["function"]["arguments"] for entry in folded.calls] == ["{}", "[2]"]


@pytest.mark.proves("CASE-90")
def test_emoji_and_line_separators_pass_and_halves_are_joined() -> None:
    whole = 'a\u2028b\u0085c"\\\n🌍'
    events = [delta(0, whole + "\ud83d"), delta(0, "\ude00!"), delta(1, "\ud83d"), done(1, message("\ud83d"))]
    encoder = asking().stream_encoder(5)
    data = encoder.feed(frames([START, *events, terminal(response(message(whole + "😀!"), message("\ud83d")))]))
    assert fold(data.decode()).content == whole + "😀!\n\n\ud83d"


@pytest.mark.proves("CASE-90")
@pytest.mark.parametrize("kind", ["refusal", "reasoning_text", ARGUMENTS, "custom_tool_call_input"])
def test_halves_are_joined_in_every_kind_of_text(kind: str) -> None:
    text = stream(asking(), [START, delta(0, "x\ud83d", kind), delta(0, "\ude00", kind), terminal(response())])
    assert "😀" in text
    lone = stream(asking(), [START, delta(0, "x\ud83d", kind), terminal(response())])
    assert "\\ud83d" in lone


@pytest.mark.proves("CASE-91")
def test_an_unreadable_lifecycle_event_is_skipped() -> None:
    encoder = asking().stream_encoder(5)
    cut = Frame(b"", b'{"type":"response.created","response":{"inst', "response.created")
    folded = fold(encoder.feed([cut, *frames([delta(0, "Hi"), terminal(response())])]).decode())
    assert (folded.content, folded.finish) == ("Hi", "stop")


@pytest.mark.proves("CASE-91")
@pytest.mark.parametrize(
    ("name", "finish", "code"),
    [
        ("response.completed", "stop", None),
        ("response.incomplete", "length", None),
        ("response.failed", None, "server_error"),
        ("response.output_text.delta", None, "upstream_bad_event"),
        ("error", None, "upstream_bad_event"),
    ],
)
def test_an_unreadable_event_ends_the_stream_as_its_name_says(name: str, finish: str | None, code: str | None) -> None:
    encoder = asking().stream_encoder(5)
    seen = encoder.feed([*frames([START, delta(0, "Hi")]), Frame(b"", b'{"cut', name)])
    folded = fold(seen.decode())
    assert (folded.content, folded.finish) == ("Hi", finish)
    assert (folded.error or {"code": None})["code"] == code


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.created"},
        {"type": "response.output_item.added", "item": None},
        {"type": "response.output_item.done"},
        {"type": "response.content_part.done", "part": 5},
        {"type": "response.output_text.delta", "delta": None},
        {"type": "response.output_text.done", "text": None},
        {"type": "response.refusal.delta"},
        {"type": "response.reasoning_text.delta", "delta": 5},
        {"type": "response.function_call_arguments.delta"},
        {"type": "response.output_text.annotation.added", "annotation": "x"},
        {"type": "response.reasoning_summary_part.done", "part": {}},
    ],
    ids=lambda event: event["type"],
)
def test_an_event_without_its_substance_says_nothing(event: Json) -> None:
    assert told(START, event, terminal(response(message("Hi")))).content == "Hi"


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


def test_hidden_reasoning_is_never_parsed() -> None:
    encoder = asking(Choices(reasoning="hide")).stream_encoder(5)
    unreadable = Frame(b"", b'{"cut', "response.reasoning_text.delta")
    part = {"type": "response.content_part.done", "output_index": 0, "part": {"type": "reasoning_text", "text": "x"}}
    assert encoder.feed([*frames([START, part]), unreadable]) == b""


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


@pytest.mark.proves("CASE-23", "CASE-24", "CHAT-stop")
def test_a_stop_string_over_two_deltas_ends_the_stream() -> None:
    asked = asking(stop=["###"], stream_options={"include_usage": True})
    encoder = asked.stream_encoder(5)
    first = encoder.feed(frames([START, added(0, message()), delta(0, "one#")]))
    assert b'"content":"one"' in first
    second = encoder.feed(frames([delta(0, "##two"), delta(0, "three"), terminal(response(message("one###two")))]))
    folded = fold((first + second).decode(), usage_asked=True)
    assert (folded.content, folded.finish, folded.usage) == ("one", "stop", None)
    assert encoder.finished


@pytest.mark.proves("CASE-24")
def test_what_was_held_back_for_a_stop_string_is_told_when_it_was_none() -> None:
    final = response(message("one##"), call(arguments='"###"'))
    folded = told(*events_of(final, 1), asked=asking(stop="###"))
    assert (folded.content, folded.finish) == ("one##", "tool_calls")
    assert folded.calls == [function_call("get", '"###"')]
    assert told(START, delta(0, "one#"), terminal(response()), asked=asking(stop="###")).content == "one#"


def test_a_stop_string_in_the_terminal_s_text_counts_too() -> None:
    folded = told(START, terminal(response(message("a###b"), message("c"))), asked=asking(stop="###"))
    assert (folded.content, folded.finish) == ("a", "stop")


def test_the_head_is_fixed_by_what_was_known_when_the_first_chunk_left() -> None:
    late = {**response(message("Hi"), model="other", service_tier="default"), "id": "resp_2"}
    early = created(response(service_tier="priority"))
    folded = told(early, delta(0, "Hi"), terminal(late))
    assert {(chunk["id"], chunk["model"], chunk["service_tier"]) for chunk in folded.chunks} == {
        ("chatcmpl-1", "gpt-x", "priority")
    }


def test_a_stream_that_tells_no_id_or_time_has_them_all_the_same() -> None:
    folded = told(delta(0, "Hi"), terminal({"status": "completed"}))
    assert folded.chunks[0]["id"].startswith("chatcmpl-")
    assert (folded.chunks[0]["created"], folded.chunks[0]["model"]) == (5, "m")


def test_an_empty_answer_is_a_role_and_a_finish() -> None:
    folded = told(START, terminal(response()))
    assert (folded.content, folded.finish, len(folded.chunks)) == ("", "stop", 2)


def test_one_read_gives_one_piece_of_bytes() -> None:
    encoder = asking(messages=[USER]).stream_encoder(5)
    events = events_of(response(message("Hello there")), 1)
    assert fold(encoder.feed(frames(events)).decode()).content == "Hello there"
    assert encoder.feed([]) == b""
