"""The Responses dialect: what is refused, what passes, and what the client gets back."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from openai import APIError, AsyncOpenAI

from gateway.core import json
from gateway.core.frames import Frame
from gateway.core.seal import REASONING, sealed
from gateway.dialects import Choices, Exchange
from gateway.dialects.responses import DIALECT
from gateway.errors import InvalidRequest, StreamTruncated, UpstreamTimeout
from tests.pure.invariants import check_response_stream, read
from tests.pure.streams import CLEAN, CORPUS, event, play

Json = dict[str, Any]

CODEX: Json = {
    "model": "gpt-6-codex",
    "input": [
        {
            "type": "additional_tools",
            "role": "developer",
            "tools": [{"type": "namespace", "name": "container", "tools": []}],
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "developer",
            "content": [{"type": "input_text", "text": "Be brief."}],
        },
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "gAAAA"},
        {"type": "function_call", "call_id": "call_1", "name": "shell", "arguments": "{}", "namespace": "container"},
        {"type": "function_call_output", "id": "fco_1", "call_id": "call_1", "output": "ok"},
        {"type": "custom_tool_call_output", "id": "ctco_1", "call_id": "call_2", "output": "ok"},
        {"type": "brand_new_item", "anything": [1]},
    ],
    "tools": [
        {"type": "namespace", "name": "mcp", "description": "", "tools": []},
        {"type": "web_search", "external_web_access": True},
        {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
        {"type": "tool_search"},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": {"effort": "high", "context": "all"},
    "text": {"verbosity": "low"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "thread-1",
    "client_metadata": {"a": "b"},
}


def decode(**fields: Any) -> Exchange:
    return DIALECT.decode({"model": "m", "input": "Hi", **fields}, Choices())


@pytest.mark.proves("RESPONSES-codex")
def test_a_request_of_codex_passes_untouched() -> None:
    before = json.dumps(CODEX)
    exchange = DIALECT.decode(CODEX, Choices())
    assert exchange.request.body is CODEX
    assert json.dumps(CODEX) == before
    assert exchange.request.stream is True
    assert (exchange.request.model, exchange.headers(), exchange.client_param("a.b")) == ("gpt-6-codex", {}, "a.b")


@pytest.mark.proves("RESPONSES-input")
def test_text_becomes_one_user_message_and_nothing_is_put_into_it() -> None:
    request = decode(stream=False, unknown_field=1).request
    assert request.body == {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": "Hi"}],
        "stream": False,
        "unknown_field": 1,
    }
    assert request.stream is False


@pytest.mark.parametrize("name", ["prompt", "previous_response_id", "conversation"])
def test_input_may_be_missing_when_something_stands_for_it(name: str) -> None:
    value: object = {"id": "pmpt_1"} if name == "prompt" else "x_1"
    assert DIALECT.decode({"model": "m", name: value}, Choices()).request.body["input"] == []


@pytest.mark.proves("RESPONSES-shape")
@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"model": None}, "model", "not null"),
        ({"model": ""}, "model", "non-empty"),
        ({"model": 7}, "model", "not an integer"),
        ({"input": None}, "input", "missing"),
        ({"input": {}}, "input", "not an object"),
        ({"input": ["x"]}, "input[0]", "not a string"),
        ({"input": [{}]}, "input[0]", "needs a `type`"),
        ({"input": [{"type": 1}]}, "input[0].type", "not an integer"),
        ({"input": [{"type": "message"}]}, "input[0].role", "not null"),
        ({"input": [{"role": 1}]}, "input[0].role", "not an integer"),
        ({"input": [{"role": "user", "content": 1.5}]}, "input[0].content", "not a number"),
        ({"input": [{"role": "user", "content": ["a"]}]}, "input[0].content[0]", "not a string"),
        ({"tools": {}}, "tools", "an array, not an object"),
        ({"tools": [{"name": "x"}]}, "tools[0]", "a `type`"),
        ({"tools": ["x"]}, "tools[0]", "a `type`"),
        ({"stream": "yes"}, "stream", "a boolean, not a string"),
        ({"temperature": True}, "temperature", "not a boolean"),
        ({"temperature": "hot"}, "temperature", "a number or an integer"),
        ({"max_output_tokens": 1.5}, "max_output_tokens", "an integer, not a number"),
        ({"metadata": []}, "metadata", "an object, not an array"),
        ({"conversation": 1}, "conversation", "a string or an object"),
        ({"conversation": {}}, "conversation.id", "a string, not null"),
        ({"conversation": {"id": 1}}, "conversation.id", "a string, not an integer"),
    ],
)
def test_what_no_server_could_read_is_refused_by_its_path(fields: Json, param: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode(**fields)
    assert (refused.value.status, refused.value.code, refused.value.param) == (400, "invalid_request", param)
    assert words in refused.value.message


def test_nulls_count_as_absent_and_items_may_lack_their_type() -> None:
    items = [{"role": "user", "content": None}, {"id": "msg_1"}, {"role": "user", "content": [{"type": "new"}]}]
    body = {"model": "m", "input": items, "instructions": None, "tools": [], "metadata": None, "temperature": 0}
    assert DIALECT.decode(body, Choices()).request.body is body


# relay --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("RESPONSES-relay")
def test_a_native_relay_keeps_the_clients_own_bytes() -> None:
    relayed = DIALECT.relay(CODEX, None)
    assert (relayed.body, relayed.relay) == (None, None)
    assert relayed.exchange is not None
    assert relayed.exchange.request.body is CODEX


@pytest.mark.proves("CHAT-ANSWER-sealed")
def test_a_native_relay_leaves_out_reasoning_that_only_a_chat_only_server_could_read() -> None:
    ours = {"type": "reasoning", "summary": [], "encrypted_content": sealed(REASONING, "hm")}
    theirs = {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}
    relayed = DIALECT.relay({"model": "m", "input": [ours, theirs, {"role": "user", "content": "?"}]}, None)
    assert relayed.body == {"model": "m", "input": [theirs, {"role": "user", "content": "?"}]}


def test_a_native_relay_changes_nothing_but_the_model() -> None:
    relayed = DIALECT.relay({"model": "a", "input": "Hi", "temperature": "odd"}, "b")
    assert relayed.body == {"model": "b", "input": "Hi", "temperature": "odd"}


@pytest.mark.parametrize("body", [{}, {"input": "x"}, {"model": 1}, {"model": "m", "input": 1}])
def test_a_native_relay_leaves_the_judgement_to_the_server(body: dict[str, Any]) -> None:
    relayed = DIALECT.relay(body, None)
    assert relayed.body is None
    assert relayed.exchange is not None
    assert relayed.exchange.request.body is body
    assert relayed.exchange.stream_encoder(1).finished is False


# JSON answers -------------------------------------------------------------------------------------------------------


@pytest.mark.proves("RESPONSES-echo")
def test_an_answer_shows_what_the_client_asked_for() -> None:
    exchange = decode(store=True, metadata={"a": "b"}, conversation="conv_1", max_output_tokens=9, user=None)
    answer = json.loads(
        exchange.encode_response({"id": "resp_1", "store": False, "output": [], "max_output_tokens": None})
    )
    assert answer["store"] is True
    assert answer["metadata"] == {"a": "b"}
    assert answer["conversation"] == {"id": "conv_1"}
    assert answer["max_output_tokens"] == 9
    assert "user" not in answer


@pytest.mark.proves("CASE-55")
def test_an_incomplete_answer_keeps_its_reason() -> None:
    details = {"reason": "content_filter"}
    answer = json.loads(
        decode().encode_response({"id": "resp_1", "status": "incomplete", "incomplete_details": details})
    )
    assert (answer["status"], answer["incomplete_details"]) == ("incomplete", details)


# streams ------------------------------------------------------------------------------------------------------------


def asked_as_shown(source: list[Frame], **fields: Any) -> Exchange:
    """An exchange whose request said what the stream shows of it."""
    shown = next(frame for frame in source if frame.type == "response.created").data["response"]
    return decode(**{name: shown.get(name) for name in ("instructions", "prompt_cache_key")}, **fields)


@pytest.mark.proves("RESPONSES-echo")
def test_what_the_gateway_put_into_the_request_is_not_shown_as_the_clients() -> None:
    shown = json.loads(decode().encode_response({"instructions": "You are helpful.", "prompt_cache_key": "made-up"}))
    assert (shown["instructions"], shown["prompt_cache_key"]) == (None, None)


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.proves("RESPONSES-clean")
def test_a_clean_stream_comes_out_byte_for_byte(name: str) -> None:
    source = read(CORPUS[name])
    _, frames = play(source, trusted=True)
    encoder = asked_as_shown(source).stream_encoder(1)
    assert (
        encoder.feed(frames[:3]) + encoder.feed(frames[3:])
        == b"".join(frame.raw for frame in source) + b"data: [DONE]\n\n"
    )
    assert encoder.finished


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.proves("RESPONSES-invariants")
def test_every_recorded_stream_comes_out_legal_and_with_its_end_mark(name: str) -> None:
    _, frames = play(CORPUS[name])
    data = decode(store=True).stream_encoder(1).feed(frames)
    events = check_response_stream(data, done_mark=True)
    shown = [event["response"] for event in events if "response" in event]
    assert all(response["store"] is True and "tools" in response for response in shown)


def test_only_lifecycle_frames_are_changed_for_the_echo() -> None:
    source = read(CORPUS["openai-text"])
    data = decode(metadata={"a": "b"}).stream_encoder(1).feed(source)
    sent = read(data)[:-1]
    changed = [one.type for one, other in zip(sent, source, strict=True) if one.raw != other.raw]
    assert changed == ["response.created", "response.in_progress", "response.completed"]
    assert {frame.data["response"]["metadata"]["a"] for frame in sent if "response" in frame.data} == {"b"}


def test_an_upstream_that_shows_the_same_values_is_left_alone() -> None:
    source = read(CORPUS["openai-text"])
    data = asked_as_shown(source, store=False, temperature=1.0, metadata={}).stream_encoder(1).feed(source)
    assert data == b"".join(frame.raw for frame in source) + b"data: [DONE]\n\n"


@pytest.mark.proves("RESPONSES-keep-alive")
def test_silence_is_filled_with_comments() -> None:
    encoder = decode().stream_encoder(1)
    assert encoder.keep_alive(15) == encoder.keep_alive(300) == b": keep-alive\n\n"
    assert read(encoder.keep_alive(15)) == []


@pytest.mark.proves("RESPONSES-fail")
def test_a_failure_before_anything_was_sent_is_a_whole_stream() -> None:
    encoder = decode().stream_encoder(7)
    events = check_response_stream(encoder.fail(UpstreamTimeout("Silence.")), done_mark=True)
    assert encoder.finished
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "error",
        "response.failed",
    ]
    assert (events[-1]["response"]["model"], events[-1]["response"]["created_at"]) == ("m", 7)


@pytest.mark.proves("RESPONSES-fail")
def test_a_failure_goes_on_where_the_stream_was() -> None:
    encoder = decode().stream_encoder(7)
    data = encoder.feed(read(CORPUS["openai-text"])[:2])
    events = check_response_stream(data + encoder.fail(UpstreamTimeout("Silence.")), done_mark=True)
    assert [event["type"] for event in events[2:]] == ["error", "response.failed"]
    assert events[-1]["response"] == {
        **events[1]["response"],
        "status": "failed",
        "error": {"code": "upstream_timeout", "message": "Silence."},
    }


# the SDK's own stream helper ----------------------------------------------------------------------------------------


def client(body: bytes) -> AsyncOpenAI:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    return AsyncOpenAI(
        api_key="k",
        base_url="http://gateway.test/v1",
        http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(answer)),
    )


def sent(name: str) -> bytes:
    _, frames = play(CORPUS[name])
    return decode().stream_encoder(1).feed(frames)


UNKNOWN_TO_THE_SDK = "codex-unknown-item"

ENDED = [
    name for name in CORPUS if name != UNKNOWN_TO_THE_SDK and play(CORPUS[name])[1][-1].type == "response.completed"
]


@pytest.mark.parametrize("name", ENDED)
@pytest.mark.proves("RESPONSES-sdk")
async def test_the_stream_helper_of_the_sdk_reads_every_stream_to_its_end(name: str) -> None:
    async with client(sent(name)) as openai, openai.responses.stream(model="m", input="Hi") as stream:
        events = [event async for event in stream]
        final = await stream.get_final_response()
    output = play(CORPUS[name])[1][-1].data["response"]["output"]
    assert [item.to_dict()["id"] for item in final.output] == [item["id"] for item in output]
    assert events[-1].type == "response.completed"


@pytest.mark.parametrize("name", ["codex-cut", "compat-flat-error", "openai-error-then-failed"])
@pytest.mark.proves("RESPONSES-sdk", "CASE-109")
async def test_a_failure_inside_a_stream_raises_in_the_sdk(name: str) -> None:
    async with client(sent(name)) as openai:
        with pytest.raises(APIError):
            async for _ in await openai.responses.create(model="m", input="Hi", stream=True):
                pass


@pytest.mark.proves("CASE-85")
async def test_a_failure_of_the_model_is_an_event_in_the_sdk() -> None:
    async with client(sent("openai-failed-after-text")) as openai:
        events = [event async for event in await openai.responses.create(model="m", input="Hi", stream=True)]
    assert events[-1].type == "response.failed"


def test_a_short_response_object_is_completed_in_the_stream() -> None:
    frames = [event("response.created", 0, response={"id": "resp_1", "output": []})]
    (made,) = read(decode(tools=[{"type": "web_search"}]).stream_encoder(1).feed(frames))
    assert made.data["response"]["tools"] == [{"type": "web_search"}]
    assert (made.data["response"]["id"], made.data["response"]["truncation"]) == ("resp_1", "disabled")


def test_frames_are_not_changed_in_place() -> None:
    frame = Frame.of(read(CORPUS["openai-text"])[0].data)
    before = json.dumps(frame.data)
    decode(store=True).stream_encoder(1).feed([frame])
    assert json.dumps(frame.data) == before


def test_an_abort_through_the_repair_is_the_usual_way_to_fail() -> None:
    machine, frames = play(read(CORPUS["openai-text"])[:5])
    assert machine.abort(StreamTruncated("again")) == []
    check_response_stream(decode().stream_encoder(1).feed(frames), done_mark=True)


def test_a_native_relay_passes_a_background_request_of_a_server_that_keeps_its_own() -> None:
    assert DIALECT.relay({"model": "m", "input": "x", "background": True, "stream": True}, None).body is None
