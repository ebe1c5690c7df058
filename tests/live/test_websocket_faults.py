"""WebSockets when things go wrong: refusals, broken turns, unreadable messages, ends of connections."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed

from tests.live.sockets import Socket, as_stream, connected, text_of
from tests.live.stack import CODEX, NATIVE, Stack, only, running
from tests.sdk_types import check_failed_response_stream
from tests.serving import MESSAGE_BYTES

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]


async def raw(socket: Socket, message: str | bytes) -> Json:
    """The event that answers a message which is no turn."""
    await socket.connection.send(message)
    return await socket.event()


async def raw_send(socket: Socket, *messages: str | bytes) -> None:
    for message in messages:
        await socket.connection.send(message)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("WS-errors")
@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ("usage_limit_reached", 429, "usage_limit_reached"),
        ("overloaded", 503, "server_is_overloaded"),
        ("first:context_length_exceeded", 400, "context_length_exceeded"),
        ("server_error", 502, "upstream_error"),
    ],
)
async def test_a_failure_before_the_first_output_is_the_error_that_http_answers(
    stack: Stack, script: str, status: int, code: str
) -> None:
    stack.play("responses", script, script)
    body = {"model": "gpt-5.5", "input": "hi", "stream": True}
    async with connected(stack) as socket:
        [event] = await socket.turn(input="hi")
        answered = await stack.http.post("/v1/responses", json=body)
        assert text_of(await socket.answer(input="Reply with exactly: fine")) == "fine"
    assert (event["type"], event["status"], event["error"]["code"]) == ("error", status, code)
    assert answered.status_code == status
    told = answered.json()["error"]
    assert {**event["error"], "resets_at": 0} == {**told, "code": code, "resets_at": 0} | (
        {} if "resets_at" in told else {"resets_at": 0}
    )
    for name in ("retry-after", "x-should-retry"):
        assert event.get("headers", {}).get(name) == answered.headers.get(name)


@pytest.mark.proves("WS-errors")
async def test_no_way_to_the_upstream_is_an_error_event(tmp_path: Path) -> None:
    async with (
        running(NATIVE, tmp_path, upstream_url="http://127.0.0.1:9") as stack,
        connected(stack) as socket,
    ):
        [event] = await socket.turn(input="hi")
    assert (event["status"], event["error"]["code"]) == (502, "upstream_unavailable")


@pytest.mark.proves("WS-errors")
async def test_background_is_refused_by_name(stack: Stack) -> None:
    async with connected(stack) as socket:
        [event] = await socket.turn(input="hi", background=True)
        assert (event["status"], event["error"]["code"], event["error"]["param"]) == (
            400,
            "unsupported_parameter",
            "background",
        )
        await socket.answer(input="hi", background=False)


@pytest.mark.proves("WS-broken")
@pytest.mark.parametrize(
    "finish", ["cut", "end", {"failed": "server_error"}, {"error": "server_is_overloaded"}], ids=str
)
async def test_a_turn_that_breaks_ends_in_one_failed_response_and_the_next_one_works(stack: Stack, finish: Any) -> None:
    stack.play("responses", {"steps": [{"text": ["half", " of it"]}], "finish": finish})
    async with connected(stack) as socket:
        await socket.send(input="hi")
        events = await socket.rest()
        after = await socket.turn(input="Reply with exactly: whole")
    assert events[-1]["type"] == "response.failed"
    assert "error" not in [event["type"] for event in events]
    assert events[-1]["response"]["error"]["code"]
    assert check_failed_response_stream(as_stream(events))
    assert after[0]["type"] == "response.created"
    assert text_of(after[-1]["response"]) == "whole"


# messages that are no turn --------------------------------------------------------------------------------------------


@pytest.mark.proves("WS-malformed")
@pytest.mark.parametrize(
    ("message", "param"),
    [
        pytest.param("{", None, id="no JSON"),
        pytest.param("[]", None, id="no object"),
        pytest.param("", None, id="empty"),
        pytest.param("{}", "type", id="no type"),
        pytest.param('{"type": "session.update"}', "type", id="another type"),
        pytest.param('{"type": ["response.create"]}', "type", id="no name"),
        pytest.param('{"type": "response.create", "stream_id": 7}', "stream_id", id="a number for a lane"),
        pytest.param('{"type": "response.create", "generate": 1}', "generate", id="a number for a wish"),
    ],
)
async def test_a_message_that_is_no_request_is_named_and_the_connection_goes_on(
    stack: Stack, message: str, param: str | None
) -> None:
    async with connected(stack) as socket:
        event = await raw(socket, message)
        assert (event["type"], event["status"], event["error"]["param"]) == ("error", 400, param)
        assert event["error"]["code"] == "invalid_request"
        await socket.answer(input="hi")


@pytest.mark.proves("WS-malformed", "WS-lanes")
@pytest.mark.parametrize(
    "field", [{"type": "session.update"}, {"type": None}, {"generate": 1}, {"background": True}], ids=str
)
async def test_a_message_that_is_no_request_is_refused_under_its_own_mark(stack: Stack, field: Json) -> None:
    message = {"type": "response.create", "stream_id": "s1", **field}
    async with connected(stack) as socket:
        event = await raw(socket, json.dumps(message))
    assert (event["type"], event["error"]["param"], event["stream_id"]) == ("error", next(iter(field)), "s1")


@pytest.mark.proves("WS-malformed")
async def test_a_body_that_no_server_reads_is_refused_by_name_in_a_continuation(stack: Stack) -> None:
    async with connected(stack) as socket:
        first = await socket.answer(input="hi")
        [event] = await socket.turn(previous_response_id=first["id"], input=[7])
        assert (event["status"], event["error"]["param"]) == (400, "input[0]")


@pytest.mark.proves("WS-malformed")
async def test_half_of_a_character_is_no_end_of_the_conversation(stack: Stack) -> None:
    async with connected(stack) as socket:
        await socket.connection.send(r'{"type":"response.create","model":"gpt-5.5","input":"\ud83d"}')
        assert (await socket.rest())[-1]["type"] == "response.completed"


@pytest.mark.proves("WS-malformed")
async def test_steering_is_answered_with_the_input_that_was_not_taken(stack: Stack) -> None:
    steer = {"type": "response.steer", "previous_response_id": "resp_1", "input": "more"}
    async with connected(stack) as socket:
        event = await raw(socket, json.dumps(steer))
    assert (event["type"], event["error"]["code"]) == ("response.steer.failed", "steering_not_supported")
    assert event["steer"] == {"previous_response_id": "resp_1", "input": "more"}


@pytest.mark.proves("WS-malformed")
async def test_a_binary_message_is_named_and_closes_the_connection(stack: Stack) -> None:
    async with connected(stack) as socket:
        event = await raw(socket, b"\x00")
        assert (event["type"], event["status"]) == ("error", 400)
        assert await socket.closed() == 1003


@pytest.mark.proves("WS-malformed")
@only(CODEX)
@pytest.mark.parametrize("pieces", [1, 4], ids=["whole", "in fragments"])
async def test_a_message_that_is_too_large_closes_the_connection(stack: Stack, pieces: int) -> None:
    async with connected(stack) as socket:
        size = (MESSAGE_BYTES + 1) // pieces + 1
        await socket.connection.send("x" * size if pieces == 1 else ["x" * size] * pieces)
        assert await socket.closed() == 1009


@pytest.mark.proves("WS-queue", "WS-bounds")
async def test_more_requests_than_a_connection_holds_are_refused_and_the_others_answered(stack: Stack) -> None:
    gate = stack.sim.gate("queue is full")
    stack.play("responses", {"gate": "queue is full", "text": ["0"]})
    async with connected(stack) as socket:
        await socket.send(input="hi")
        await gate.reached.wait()
        for number in range(1, 19):
            await socket.send(input=f"Reply with exactly: {number}")
        for _ in range(2):
            refused = await socket.event()
            assert (refused["status"], refused["error"]["code"]) == (429, "websocket_queue_full")
        gate.set()
        answers = [text_of((await socket.rest())[-1]["response"]) for _ in range(17)]
    assert answers == [str(number) for number in range(17)]


@pytest.mark.proves("WS-queue", "WS-lanes")
async def test_a_request_that_finds_the_queue_full_is_refused_under_its_own_mark(stack: Stack) -> None:
    gate = stack.sim.gate("queue is full of marks")
    stack.play("responses", {"gate": "queue is full of marks"})
    lanes = [f"s{number}" for number in range(20)]
    async with connected(stack) as socket:
        await socket.send(input="hi", stream_id=lanes[0])
        await gate.reached.wait()
        for lane in lanes[1:]:
            await socket.send(input="hi", stream_id=lane)
        await raw_send(socket, "{", "[]", b"0", '{"type":"response.create","stream_id":7}')
        refused = [await socket.event() for _ in range(7)]
        assert {event["error"]["code"] for event in refused} == {"websocket_queue_full"}
        assert [event.get("stream_id") for event in refused] == [*lanes[17:], *[None] * 4]
        gate.set()
        ends = [(await socket.rest())[-1] for _ in range(17)]
    assert [(end["stream_id"], end["type"]) for end in ends] == [(lane, "response.completed") for lane in lanes[:17]]


@pytest.mark.proves("WS-queue", "WS-bounds")
async def test_requests_that_wait_are_bounded_in_bytes_too(tmp_path: Path) -> None:
    async with running(CODEX, tmp_path, limits={"body_bytes": 2000}) as stack, connected(stack) as socket:
        gate = stack.sim.gate("queue is heavy")
        stack.play("responses", {"gate": "queue is heavy"})
        await socket.send(input="hi")
        await gate.reached.wait()
        for _ in range(2):
            await socket.send(input="x" * 1500)
        assert (await socket.event())["error"]["code"] == "websocket_queue_full"
        gate.set()
        for _ in range(2):
            assert (await socket.rest())[-1]["type"] == "response.completed"


# the end --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("WS-life", "FAIL-29")
async def test_an_idle_connection_ends_with_the_code_that_clients_reconnect_on(tmp_path: Path) -> None:
    async with running(CODEX, tmp_path, limits={"websocket_seconds": 0.05}) as stack, connected(stack) as socket:
        event = await socket.event()
        assert (event["type"], event["status"]) == ("error", 400)
        assert event["error"]["code"] == "websocket_connection_limit_reached"
        assert await socket.closed() == 1001


@pytest.mark.proves("WS-life", "FAIL-29")
async def test_a_turn_that_runs_may_end_before_the_connection_does(tmp_path: Path) -> None:
    async with running(CODEX, tmp_path, limits={"websocket_seconds": 0.2}) as stack, connected(stack) as socket:
        gate = stack.sim.gate("turn outlives")
        stack.play("responses", {"steps": [{"text": ["one ", {"wait": 0.3}, {"gate": "turn outlives"}, "two"]}]})
        await socket.send(input="hi")
        await socket.send(input="too late")
        await gate.reached.wait()
        gate.set()
        assert text_of((await socket.rest())[-1]["response"]) == "one two"
        assert (await socket.event())["error"]["code"] == "websocket_connection_limit_reached"
        assert await socket.closed() == 1001
        assert len(stack.sim.calls(stack.upstream_route)) == 1


@pytest.mark.proves("WS-stopping")
async def test_a_stop_tells_the_running_turn_and_closes(tmp_path: Path) -> None:
    async with running(CODEX, tmp_path) as stack, connected(stack) as socket, connected(stack) as idle:
        stack.play("responses", "stall")
        await socket.send(input="hi")
        while (await socket.event())["type"] != "response.output_text.delta":
            pass
        stack.stop()
        last = (await socket.rest())[-1]
        assert (last["type"], last["response"]["error"]["code"]) == ("response.failed", "shutting_down")
        assert [await socket.closed(), await idle.closed()] == [1012, 1012]
        await stack.sim.until(lambda: stack.sim.open_streams == 0)


@pytest.mark.proves("WS-stopping", "WS-lanes")
async def test_a_stop_fails_the_running_turn_and_each_that_waits_under_its_own_mark(tmp_path: Path) -> None:
    async with running(CODEX, tmp_path) as stack, connected(stack) as socket:
        stack.play("responses", "stall")
        await socket.send(input="hi", stream_id="a")
        while (await socket.event())["type"] != "response.output_text.delta":
            pass
        for lane in "bc":
            await socket.send(input="hi", stream_id=lane)
        await (await socket.connection.ping())  # answered behind what was sent before it
        stack.stop()
        ends = [(await socket.rest())[-1] for _ in range(3)]
        assert [(end["stream_id"], end["type"]) for end in ends] == [
            ("a", "response.failed"),
            ("b", "error"),
            ("c", "error"),
        ]
        assert {end["error"]["code"] for end in ends[1:]} == {"shutting_down"}
        with pytest.raises(ConnectionClosed):
            await socket.event()
        assert await socket.closed() == 1012


@pytest.mark.proves("WS-stopping")
async def test_a_stop_before_any_output_is_an_error_event(tmp_path: Path) -> None:
    async with running(NATIVE, tmp_path) as stack, connected(stack) as socket:
        gate = stack.sim.gate("stopped early")
        stack.play("responses", {"gate": "stopped early"})
        await socket.send(input="hi")
        await gate.reached.wait()
        stack.stop()
        event = await socket.event()
        assert (event["type"], event["status"], event["error"]["code"]) == ("error", 503, "shutting_down")
        assert event["headers"]["retry-after"] == "2"
        assert await socket.closed() == 1012


# the log --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("WS-log")
async def test_connections_and_their_turns_are_logged_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(CODEX, tmp_path) as stack:
        async with connected(stack, additional_headers={"x-request-id": "mine"}) as socket:
            await socket.answer(input="hi")
            await socket.turn(previous_response_id="resp_x", input="hi")
            assert "gateway_open_websockets 1.0" in await metrics(stack.http)
            stack.play("responses", "stall")
            await socket.send(input="hi")
            while (await socket.event())["type"] != "response.output_text.delta":
                pass
        await stack.sim.until(lambda: stack.sim.open_streams == 0)
        counted = await metrics(stack.http)
    assert "gateway_open_websockets 0.0" in counted
    assert 'gateway_requests_total{method="WEBSOCKET",status="2xx",surface="responses"} 2.0' in counted
    assert 'gateway_requests_total{method="WEBSOCKET",status="4xx",surface="responses"} 1.0' in counted
    assert "gateway_cancelled_total 1.0" in counted
    lines = [line for line in capsys.readouterr().out.splitlines() if "mine" in line]
    for line, words in zip(
        lines,
        [
            ("turn ", "request_id=mine-1 ", "status=200", "outcome=completed", "model=gpt-5.5", "tokens="),
            ("turn ", "request_id=mine-2 ", "status=400", "outcome=refused", "error=previous_response_not_found"),
            ("turn ", "request_id=mine-3 ", "outcome=client_left"),
            ("websocket ", "request_id=mine ", "status=101", "outcome=client_left", "turns=3"),
        ],
        strict=True,
    ):
        assert all(word in f"{line} " for word in words), line


async def metrics(http: httpx2.AsyncClient) -> str:
    return (await http.get("/metrics")).text


@pytest.mark.proves("WS-deflate")
@only(CODEX)
async def test_messages_are_compressed_for_clients_that_offer_it(stack: Stack) -> None:
    async with connected(stack) as deflated, connected(stack, compression=None) as plain:
        assert "permessage-deflate" in (deflated.connection.response.headers["sec-websocket-extensions"])  # type: ignore[union-attr]  # there is one by now
        assert "sec-websocket-extensions" not in plain.connection.response.headers  # type: ignore[union-attr]
        answers = await asyncio.gather(deflated.answer(input="hello " * 1000), plain.answer(input="hello " * 1000))
    assert text_of(answers[0]) == text_of(answers[1])
