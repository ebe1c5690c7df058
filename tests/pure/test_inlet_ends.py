"""How answers of chat servers begin and end: lifecycle, finish reasons, counts, failures."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.failures import error_of, failure
from gateway.core.frames import Frame
from gateway.dialects.chat.outbound.quirks import Quirks
from gateway.wire.sse import SSEReader
from tests.pure.inlet_streams import END, chunk, final, fragment, inlet, play, raw, repaired, summary, types, usage

Json = dict[str, Any]

HI = chunk(content="Hi")
STOP = chunk("stop")
CALL = chunk(tool_calls=[fragment(0, "get", '{"k":', id="x")])


@pytest.mark.proves("CASE-127", "CHAT-ANSWER-whole-object")
def test_the_response_shows_what_the_client_asked_for() -> None:
    told = {"created": 1795000000, "model": "served"}
    tool: Json = {"type": "function", "name": "get", "description": None, "parameters": {}, "strict": None}
    frames = play(
        [chunk(content="Hi", top={**told, "service_tier": "flex"}), STOP, END],
        tools=[tool],
        temperature=0.5,
        metadata={"a": "b"},
        text={"verbosity": "low"},
    )
    begun, ended = frames[0].data["response"], final(frames)
    assert begun["status"] == "in_progress"
    assert ended == {**begun, "status": "completed", "output": ended["output"], "service_tier": "flex"}
    expected = {
        "object": "response",
        "created_at": 1795000000,
        "model": "served",
        "instructions": "Be brief.",
        "tools": [tool],
        "temperature": 0.5,
        "metadata": {"a": "b"},
        "text": {"format": {"type": "text"}, "verbosity": "low"},
        "usage": None,
        "error": None,
        "incomplete_details": None,
    }
    assert {name: ended[name] for name in expected} == expected
    assert ended["id"].startswith("resp_")


@pytest.mark.parametrize("told", [{}, {"created": 0, "model": ""}, {"created": "x", "model": 4}])
@pytest.mark.proves("CHAT-ANSWER-whole-object")
def test_time_and_model_are_ours_where_the_server_tells_none(told: Json) -> None:
    response = final(play([chunk(content="Hi", top=told), STOP]))
    assert (response["created_at"], response["model"]) == (1790000000, "asked-for")


@pytest.mark.parametrize(
    ("reason", "status", "details"),
    [
        *[(reason, "completed", None) for reason in ("stop", "tool_calls", "function_call", "eos", "end_turn", "STOP")],
        ("a_new_word", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("max_tokens", "incomplete", "max_output_tokens"),
        ("model_length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("SAFETY", "incomplete", "content_filter"),
    ],
)
@pytest.mark.proves("CHAT-ANSWER-finish", "CASE-120")
def test_the_finish_reason_decides_the_status(reason: str, status: str, details: str | None) -> None:
    frames = play([HI, chunk(reason), END])
    response = final(frames)
    assert (frames[-1].type, response["status"]) == (f"response.{status}", status)
    assert response["incomplete_details"] == (details and {"reason": details})
    assert response["output"][-1]["status"] == status


@pytest.mark.parametrize(
    "reason", ["error", "abort", "insufficient_system_resource", "function_call_filter: MALFORMED_FUNCTION_CALL"]
)
@pytest.mark.proves("CHAT-ANSWER-finish")
def test_a_finish_reason_can_be_a_failure(reason: str) -> None:
    response = final(play([HI, chunk(reason), END]))
    assert (response["status"], response["error"]["code"]) == ("failed", "server_error")
    assert reason in response["error"]["message"]


@pytest.mark.proves("CASE-120")
def test_only_what_was_cut_is_incomplete() -> None:
    whole = chunk(tool_calls=[fragment(0, "get", "{}", id="w")])
    cut = chunk(tool_calls=[fragment(1, "get", '{"k"', id="c")])
    empty = chunk(tool_calls=[fragment(2, "get", "", id="e")])
    last = chunk(tool_calls=[fragment(3, "get", "{}", id="l")])
    assert summary(final(play([HI, whole, cut, empty, last, chunk("length"), END]))) == [
        ("message", "Hi"),
        ("function_call", "w", "get", "{}"),
        ("function_call", "c", "get", '{"k"', "incomplete"),
        ("function_call", "e", "get", "{}"),
        ("function_call", "l", "get", "{}", "incomplete"),
    ]


@pytest.mark.proves("CASE-125")
def test_a_filter_that_left_nothing_is_a_refusal() -> None:
    (item,) = final(play([chunk(role="assistant", content="\n"), chunk("content_filter"), END]))["output"]
    (part,) = item["content"]
    assert part["type"] == "refusal"
    assert "filter" in part["refusal"]
    assert summary(final(play([HI, chunk("content_filter"), END]))) == [("message", "Hi", "incomplete")]
    assert len(final(play([CALL, chunk("content_filter"), END]))["output"]) == 1


COUNTS = {"prompt_tokens": 9, "completion_tokens": 20, "total_tokens": 29}
INNER = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 29,
}


@pytest.mark.parametrize(
    ("told", "inner"),
    [
        (COUNTS, INNER),
        ({"prompt_tokens": 9, "completion_tokens": 20}, INNER),
        (
            {
                **COUNTS,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            {
                **INNER,
                "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
                "output_tokens_details": {"reasoning_tokens": 5},
            },
        ),
        (
            {**COUNTS, "prompt_cache_hit_tokens": 3, "prompt_tokens_details": None},
            {**INNER, "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0}},
        ),
        ({**COUNTS, "cached_tokens": True, "prompt_tokens_details": 5}, INNER),
        ({"total_tokens": 29}, {**INNER, "input_tokens": 0, "output_tokens": 0}),
        ({"queue_time": 0.5}, None),
        ({"prompt_tokens": "9"}, None),
    ],
)
@pytest.mark.proves("CHAT-ANSWER-usage", "CASE-121")
def test_counts_come_in_the_words_of_the_inner_language(told: Json, inner: Json | None) -> None:
    assert final(play([HI, STOP, usage(**told), END]))["usage"] == inner


@pytest.mark.parametrize(
    "last",
    [
        chunk("stop", top={"usage": COUNTS}),
        chunk("stop", top={"x_groq": {"usage": COUNTS}}),
        chunk("stop", choice={"usage": COUNTS}),
        chunk("stop", top={"usage": COUNTS, "x_groq": 5}),
    ],
    ids=["top", "groq", "moonshot", "both"],
)
@pytest.mark.proves("CHAT-ANSWER-usage")
def test_counts_are_found_wherever_servers_put_them(last: Frame) -> None:
    assert final(play([HI, last, chunk(content="", top={"usage": None, "x_groq": 5}), END]))["usage"] == INNER


@pytest.mark.proves("CHAT-ANSWER-usage")
def test_no_counts_are_no_counts() -> None:
    assert final(play([HI, chunk("stop", top={"usage": 5}), END]))["usage"] is None


@pytest.mark.proves("CASE-121", "CHAT-ANSWER-terminal")
def test_the_end_waits_for_the_counts_and_for_nothing_else() -> None:
    machine = inlet()
    assert "response.completed" not in [frame.type for frame in machine.feed([usage(**COUNTS), HI, STOP])]
    assert machine.feed([usage(**COUNTS)])[-1].type == "response.completed"
    assert machine.feed([END]) == machine.finish() == []
    counted = chunk("stop", top={"usage": COUNTS})  # Gemini: both with every chunk
    assert summary(final(play([HI, counted, chunk("stop", content="!"), END]))) == [("message", "Hi!")]


@pytest.mark.proves("CHAT-ANSWER-terminal")
def test_text_behind_a_finish_reason_still_counts() -> None:
    """Some servers give a finish reason with every chunk."""
    frames = play([chunk("stop", content="Hi"), chunk("length", content=" you"), END])
    assert summary(final(frames)) == [("message", "Hi you", "incomplete")]


@pytest.mark.parametrize(
    ("chunks", "status"),
    [
        ([HI, END], "completed"),
        ([chunk(tool_calls=[fragment(0, "get", "", id="x")]), END], "completed"),
        ([END], "failed"),
        ([chunk(role="assistant"), END], "failed"),
        ([CALL, END], "failed"),
        ([HI, chunk(tool_calls=[fragment(0, "", "{}", id="x")]), END], "failed"),
    ],
)
@pytest.mark.proves("CHAT-ANSWER-end-mark")
def test_an_end_mark_without_a_reason_ends_what_is_whole(chunks: list[Frame], status: str) -> None:
    response = final(play(chunks))
    assert response["status"] == status
    assert (response["error"] or {}).get("code") == (None if status == "completed" else "server_error")


@pytest.mark.parametrize("chunks", [[], [chunk(role="assistant")], [HI], [HI, CALL], [HI, usage(**COUNTS)]])
@pytest.mark.proves("CHAT-ANSWER-cut")
def test_a_stream_without_an_end_is_a_failure(chunks: list[Frame]) -> None:
    frames = play(chunks)
    assert types(frames)[-2:] == ["error", "failed"]
    assert final(frames)["error"]["code"] == "stream_incomplete"
    assert all(item["status"] == "incomplete" for item in final(frames)["output"][-1:])


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (raw({"error": {"message": "no", "code": "insufficient_quota", "param": "messages"}}), "insufficient_quota"),
        (raw({"error": {"message": "no", "code": 429}}), "rate_limit_exceeded"),
        (raw({"error": {"message": "no", "code": "503"}}), "service_unavailable"),
        (raw({"error": {"message": "no", "code": 422}}), "invalid_request"),
        (
            raw({"error": {"message": "This model's maximum context length is 8", "code": 400}}),
            "context_length_exceeded",
        ),
        (raw({"error": {"message": "no", "code": 500, "type": "InternalServerError"}}), "server_error"),
        (raw({"error": {"message": "no"}}), "server_error"),
        (raw({"error": {"message": "no", "code": {}}}), "server_error"),
        (raw({"error": "no"}), "server_error"),
        (raw({"object": "error", "message": "no", "code": 404}), "not_found"),
        (raw({"message": "no", "code": "x"}, "error"), "x"),
        (raw({"error": None, "message": "no"}, "error"), "server_error"),
        (raw({}, "error"), "server_error"),
        (raw({"type": "error", "message": "no"}), "server_error"),
        (chunk("error", choice={"error": {"message": "no", "code": 502}}), "server_error"),
        (raw({"choices": [{"delta": {"content": "!"}}], "error": {"message": "no", "code": "x"}}), "x"),
        (Frame(b"data: {\n\n", b"{", ""), "upstream_bad_event"),
        (raw([1]), "upstream_bad_event"),
        (raw(None, "error"), "upstream_bad_event"),
    ],
)
@pytest.mark.proves("CHAT-ANSWER-errors")
def test_an_error_ends_the_stream(frame: Frame, code: str) -> None:
    frames = play([HI, frame, HI, STOP, END])
    assert types(frames)[-3:] == ["output_item.done", "error", "failed"]
    error, response = frames[-2].data, final(frames)
    assert error == {
        "type": "error",
        "sequence_number": len(frames) - 2,
        "code": code,
        "message": error["message"],
        "param": None,
        "error": {"type": error["error"]["type"], "code": code, "message": error["message"], "param": None},
    }
    assert response["error"] == {"code": code, "message": error["message"]}
    assert summary(response) == [("message", "Hi", "incomplete")]
    assert [one.raw for one in repaired(frames, trusted=True)] == [one.raw for one in frames]


@pytest.mark.proves("CHAT-ANSWER-errors")
def test_nothing_of_a_chunk_counts_behind_its_error() -> None:
    broken = {"delta": {"content": "!"}, "error": {"message": "no", "code": "x"}}
    frames = play([raw({"choices": [broken, {"delta": {"content": "?"}}], "service_tier": "flex"}), END])
    assert summary(final(frames)) == [("message", "!", "incomplete")]
    assert [one.raw for one in repaired(frames, trusted=True)] == [one.raw for one in frames]


@pytest.mark.parametrize(
    ("code", "status"), [(429, 429), (401, 502), (402, 429), (403, 403), (404, 404), (400, 400), (500, 502), (529, 503)]
)
@pytest.mark.proves("CHAT-ANSWER-errors")
def test_an_early_error_keeps_its_meaning(code: int, status: int) -> None:
    """Before any output the engine answers with an HTTP status made from the error event."""
    frames = play([raw({"error": {"message": "no", "code": code}})])
    assert types(frames) == ["created", "in_progress", "error", "failed"]
    assert failure(error_of(frames[2].data)).status == status


@pytest.mark.parametrize("value", [None, "", {}, False])
def test_an_empty_error_is_none(value: Any) -> None:
    assert final(play([chunk(content="Hi", top={"error": value}), STOP]))["status"] == "completed"


@pytest.mark.parametrize(
    "noise",
    [
        raw({}),
        raw({"choices": None}),
        raw({"choices": {}}),
        raw({"choices": [None, 5, {}]}),
        raw({"choices": [{"delta": None}]}),
        raw({"choices": [{"delta": "x", "finish_reason": 5}]}),
        raw({"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}]}),
        raw({"type": "ping"}),
        raw({"id": "", "object": "", "choices": [], "prompt_filter_results": []}),
        chunk(role="assistant", audio={"id": "x"}, refusal=5, function_call="x"),
    ],
)
@pytest.mark.proves("CHAT-ANSWER-any")
def test_chunks_that_say_nothing_are_nothing(noise: Frame) -> None:
    plain = [frame.raw for frame in play([HI, STOP, END])]
    assert [frame.raw for frame in play([HI, noise, STOP, noise, END])] == plain
    assert [frame.raw for frame in play([noise, HI, STOP, END])] == plain


@pytest.mark.proves("CHAT-ANSWER-bounded")
def test_a_text_that_never_ends_fails() -> None:
    reader = SSEReader(1 << 20)
    chunks = reader.feed(chunk(content="x" * 90).raw * 3)
    frames = play([*chunks, STOP], open_bytes=200)
    assert final(frames)["error"]["code"] == "upstream_error"
    assert summary(final(frames)) == [("message", "x" * 180, "incomplete")]
    blanks = play([chunk(content=" " * 150), chunk(content=" " * 150), STOP], open_bytes=200)
    assert final(blanks)["status"] == "failed"
    sources = chunk(annotations=[{"type": "url_citation", "url": "u" * 150}])
    assert final(play([sources, sources, STOP], open_bytes=200))["status"] == "failed"


@pytest.mark.proves("CHAT-ANSWER-bounded")
def test_what_waited_is_counted_once() -> None:
    blank = chunk(content=" " * 90)
    assert final(play([blank, chunk(content="x" * 90), STOP], open_bytes=200))["status"] == "completed"
    sources = chunk(annotations=[{"type": "url_citation", "url": "u" * 90}])
    assert final(play([sources, HI, STOP], open_bytes=200))["status"] == "completed"


@pytest.mark.proves("CHAT-ANSWER-bounded")
def test_what_waits_for_the_end_is_bounded_too() -> None:
    tagged = [chunk(content=" " * 195), chunk(content="<think"), STOP]
    assert final(play(tagged, Quirks(think_tags=True), open_bytes=200))["status"] == "failed"
