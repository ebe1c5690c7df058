"""Responses over a WebSocket that the gateway stores: known everywhere, and continued like those it does not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.live.sockets import Socket, connected, text_of
from tests.live.stack import CODEX, MODEL, NATIVE, Mode, Stack, only, running
from tests.live.test_websocket import KEEPS, TOOL, talk

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

stored_here = only(*KEEPS)


def say(word: str) -> str:
    return f"Reply with exactly: {word}"


async def over_http(stack: Stack, **body: Any) -> Json:
    answered = await stack.http.post("/v1/responses", json={"model": MODEL, **body})
    assert answered.status_code == 200, answered.text
    response: Json = answered.json()
    return response


async def fetched(stack: Stack, response_id: str) -> Json:
    """The response as it is stored, as soon as it is."""
    async with asyncio.timeout(5):
        while (answered := await stack.http.get(f"/v1/responses/{response_id}")).status_code == 404:
            pass
    assert answered.status_code == 200, answered.text
    response: Json = answered.json()
    return response


async def its_input(stack: Stack, response_id: str) -> list[str]:
    """What was new in the input of a stored response."""
    listed = (await stack.http.get(f"/v1/responses/{response_id}/input_items", params={"order": "asc"})).json()
    return ["".join(part["text"] for part in item["content"]) for item in listed["data"]]


async def begun(socket: Socket, **event: Any) -> str:
    """Ask for a turn that does not end, and read to its first text; the id of its response."""
    await socket.send(**event)
    created = await socket.event()
    while (await socket.event())["type"] != "response.output_text.delta":
        pass
    name: str = created["response"]["id"]
    return name


# where it is known ----------------------------------------------------------------------------------------------------


@pytest.mark.proves("WS-stored")
@stored_here
@pytest.mark.parametrize("store", [{}, {"store": True}], ids=["omitted", "true"])
async def test_a_stored_response_is_known_to_other_connections_and_over_http(stack: Stack, store: Json) -> None:
    async with connected(stack) as one, connected(stack) as other:
        first = await one.answer(input=say("one"), **store)
        assert first["store"] is True
        second = await other.answer(previous_response_id=first["id"], input=say("two"), **store)
    assert await fetched(stack, first["id"]) == first
    third = await over_http(stack, previous_response_id=second["id"], input=say("three"))
    assert talk(stack.sent("responses")[-1]) == [say("one"), "one", say("two"), "two", say("three")]
    assert third["previous_response_id"] == second["id"]


@pytest.mark.proves("WS-stored")
@stored_here
async def test_a_conversation_goes_on_after_the_client_has_connected_again(stack: Stack) -> None:
    over = await over_http(stack, input=say("one"))
    async with connected(stack) as socket:
        second = await socket.answer(previous_response_id=over["id"], input=say("two"))
    async with connected(stack) as socket:
        third = await socket.answer(previous_response_id=second["id"], input=say("three"))
    assert (text_of(third), third["previous_response_id"]) == ("three", second["id"])
    assert talk(stack.sent("responses")[-1]) == [say("one"), "one", say("two"), "two", say("three")]


@pytest.mark.proves("WS-stored")
@stored_here
async def test_a_stored_chain_is_stored_turn_by_turn(stack: Stack) -> None:
    async with connected(stack) as socket:
        first = await socket.answer(input=say("one"))
        second = await socket.answer(previous_response_id=first["id"], input=say("two"))
        third = await socket.answer(previous_response_id=second["id"], input=say("three"))
    for response, word in ((first, "one"), (second, "two"), (third, "three")):
        assert await its_input(stack, response["id"]) == [say(word)]
    assert len({response["id"] for response in (first, second, third)}) == 3


@pytest.mark.proves("WS-stored")
@stored_here
async def test_a_tool_loop_over_stored_responses_sends_the_calls_with_their_outputs(stack: Stack) -> None:
    async with connected(stack) as socket:
        first = await socket.answer(input="What is the weather?", tools=[TOOL])
        call = first["output"][-1]
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "18 degrees"}
        await socket.answer(previous_response_id=first["id"], input=[output], tools=[TOOL])
        orphan = {**output, "call_id": "call_nobody"}
        [refused] = await socket.turn(previous_response_id=first["id"], input=[orphan])
        assert (refused["status"], refused["error"]["param"]) == (400, "input[0].call_id")
        await socket.answer(previous_response_id=first["id"], input=[output], tools=[TOOL])
    assert len(stack.sent("responses")) == 3
    assert "18 degrees" in str(stack.sent("responses")[-1])


@pytest.mark.proves("WS-stored")
@stored_here
async def test_an_output_that_is_only_named_needs_its_call_too(stack: Stack) -> None:
    async with connected(stack) as socket:
        first = await socket.answer(input="What is the weather?", tools=[TOOL])
        output = {"type": "function_call_output", "call_id": first["output"][-1]["call_id"], "output": "18 degrees"}
        second = await socket.answer(previous_response_id=first["id"], input=[output], tools=[TOOL])
        listed = (await stack.http.get(f"/v1/responses/{second['id']}/input_items")).json()
        named = {"type": "item_reference", "id": listed["data"][0]["id"]}
        other = await socket.answer(input="hi")
        given = [{"role": "user", "content": "hi"}, named]
        [refused] = await socket.turn(previous_response_id=other["id"], input=given)
    assert (refused["status"], refused["error"]["param"]) == (400, "input[1].call_id")


@pytest.mark.proves("WS-stored", "WS-evict")
@stored_here
async def test_a_failed_continuation_leaves_a_stored_response_as_it_was(stack: Stack) -> None:
    async with connected(stack) as socket:
        first = await socket.answer(input=say("one"))
        stack.play("responses", "failed:server_error")
        failed = await socket.turn(previous_response_id=first["id"], input="hi")
        assert failed[-1]["type"] in ("response.failed", "error")
        again = await socket.answer(previous_response_id=first["id"], input=say("two"))
    assert text_of(again) == "two"


@pytest.mark.proves("WS-stored", "WS-bounds")
@pytest.mark.parametrize("limit", [{"websocket_responses": 1}, {"websocket_bytes": 600}], ids=["number", "bytes"])
async def test_what_is_stored_takes_no_room_in_the_connection(tmp_path: Path, limit: Json) -> None:
    async with running(CODEX, tmp_path, limits=limit) as stack, connected(stack) as socket:
        kept = await socket.answer(input=say("kept"), store=False)
        first = await socket.answer(input=say("a" * 100))
        await socket.answer(input=say("b" * 100))
        assert text_of(await socket.answer(previous_response_id=first["id"], input=say("c"))) == "c"
        assert text_of(await socket.answer(previous_response_id=kept["id"], input=say("d"), store=False)) == "d"


@pytest.mark.proves("WS-stored")
@pytest.mark.parametrize("mode", KEEPS, ids=lambda mode: mode.name)
async def test_a_connection_remembers_what_the_store_could_not_take(tmp_path: Path, mode: Mode) -> None:
    (tmp_path / "gateway.db").mkdir()
    async with running(mode, tmp_path) as stack, connected(stack) as socket:
        first = await socket.answer(input=say("one"))
        assert first["store"] is False
        second = await socket.answer(previous_response_id=first["id"], input=say("two"))
        assert (text_of(second), second["previous_response_id"]) == ("two", first["id"])
        [refused] = await socket.turn(previous_response_id="resp_nobody", input="hi")
    assert talk(stack.sent("responses")[-1]) == [say("one"), "one", say("two")]
    assert (refused["status"], refused["error"]["code"]) == (503, "store_unavailable")


# chains of both kinds -------------------------------------------------------------------------------------------------


@pytest.mark.proves("WS-mixed")
@stored_here
@pytest.mark.parametrize("kinds", ["mskm", "smms", "mmss", "smsm", "sssm"])
async def test_stored_responses_and_others_follow_each_other_in_any_order(stack: Stack, kinds: str) -> None:
    """`s` is stored, `m` is in the memory of the connection, `k` says nothing of `store`."""
    words = ["one", "two", "three", "four"]
    ids: list[str] = []
    whole: list[str] = []
    async with connected(stack) as socket:
        for word, kind in zip(words, kinds, strict=True):
            ask: Json = {"input": say(word)}
            if ids:
                ask["previous_response_id"] = ids[-1]
            if kind != "k":
                ask["store"] = kind == "s"
            response = await socket.answer(**ask)
            assert (response["store"], response["previous_response_id"]) == (kind != "m", ids[-1] if ids else None)
            ids.append(response["id"])
            whole += [say(word), word]
            assert talk(stack.sent("responses")[-1]) == whole[:-1]
    for place, (name, kind) in enumerate(zip(ids, kinds, strict=True)):
        answered = await stack.http.get(f"/v1/responses/{name}")
        assert answered.status_code == (404 if kind == "m" else 200)
        if kind != "m":
            assert answered.json()["previous_response_id"] == (ids[place - 1] if place else None)
            assert await its_input(stack, name) == expected_input(kinds, place, whole)


def expected_input(kinds: str, place: int, whole: list[str]) -> list[str]:
    """A stored response holds what was said since the stored one before it."""
    before = max((number for number in range(place) if kinds[number] != "m"), default=-1)
    return whole[2 * (before + 1) : 2 * place + 1]


@pytest.mark.proves("WS-mixed")
@stored_here
async def test_the_end_of_a_mixed_chain_is_gone_on_from_over_http(stack: Stack) -> None:
    async with connected(stack) as socket:
        first = await socket.answer(input=say("one"))
        second = await socket.answer(previous_response_id=first["id"], input=say("two"), store=False)
        third = await socket.answer(previous_response_id=second["id"], input=say("three"))
    await over_http(stack, previous_response_id=third["id"], input=say("four"))
    assert talk(stack.sent("responses")[-1]) == [
        *(say("one"), "one", say("two"), "two", say("three"), "three"),
        say("four"),
    ]


@pytest.mark.proves("WS-mixed")
@stored_here
async def test_an_error_names_what_the_client_sent_whatever_was_put_before_it(stack: Stack) -> None:
    async with connected(stack) as socket:
        first = await socket.answer(input=say("one"))
        second = await socket.answer(previous_response_id=first["id"], input=say("two"), store=False)
        orphan = {"type": "function_call_output", "call_id": "call_nobody", "output": "x"}
        given = [{"role": "user", "content": "hi"}, orphan]
        [refused] = await socket.turn(previous_response_id=second["id"], input=given)
        assert (refused["status"], refused["error"]["param"]) == (400, "input[1].call_id")
        refusal = {"message": "Bad item.", "type": "invalid_request_error", "code": "invalid_value"}
        for place, told in ((2, "input[0]"), (0, "input")):
            third = await socket.answer(input="hi", store=False)
            stack.play("responses", {"status": 400, "body": {"error": {**refusal, "param": f"input[{place}]"}}})
            [refused] = await socket.turn(previous_response_id=third["id"], input="more", store=False)
            assert (refused["status"], refused["error"]["param"]) == (400, told)


@pytest.mark.proves("WS-mixed", "WS-warm-up")
@stored_here
async def test_what_follows_a_warm_up_is_stored_with_the_input_of_both(stack: Stack) -> None:
    developer = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be terse."}]}
    async with connected(stack) as socket:
        warm = (await socket.turn(generate=False, input=[developer]))[-1]["response"]
        first = await socket.answer(previous_response_id=warm["id"], input=say("one"))
        again = (await socket.turn(generate=False, previous_response_id=first["id"], input=say("x")))[-1]["response"]
        await socket.answer(previous_response_id=again["id"], input=say("two"))
    assert (await stack.http.get(f"/v1/responses/{warm['id']}")).status_code == 404
    assert await its_input(stack, first["id"]) == ["Be terse.", say("one")]
    assert talk(stack.sent("responses")[-1]) == ["Be terse.", say("one"), "one", say("x"), say("two")]


@pytest.mark.proves("WS-stored")
@stored_here
async def test_turns_in_a_conversation_of_the_gateway(stack: Stack) -> None:
    conversation = (await stack.http.post("/v1/conversations", json={})).json()["id"]
    async with connected(stack) as socket:
        await socket.answer(conversation=conversation, input=say("one"))
        await socket.answer(conversation=conversation, input=say("two"), store=False)
        last = await socket.answer(conversation={"id": conversation}, input=say("three"))
    assert last["conversation"] == {"id": conversation}
    assert talk(stack.sent("responses")[-1]) == [say("one"), "one", say("two"), "two", say("three")]


@pytest.mark.proves("WS-stored")
@only(NATIVE)
async def test_what_a_server_of_responses_stores_is_left_to_it(stack: Stack) -> None:
    async with connected(stack) as socket:
        first = await socket.answer(input=say("one"))
    assert stack.sent("responses")[-1].get("store") is not False
    async with connected(stack) as socket:
        await socket.answer(previous_response_id=first["id"], input=say("two"))
    assert stack.sent("responses")[-1]["previous_response_id"] == first["id"]


# what was cut off -----------------------------------------------------------------------------------------------------


@pytest.mark.proves("WS-stored", "WS-client-left")
@stored_here
async def test_a_response_whose_client_left_is_stored_as_cancelled(stack: Stack) -> None:
    stack.play("responses", "stall")
    async with connected(stack) as socket:
        name = await begun(socket, input="hi")
    kept = await fetched(stack, name)
    assert (kept["status"], kept["error"]) == ("cancelled", None)
    assert text_of(kept) != ""
    async with connected(stack) as socket:
        [refused] = await socket.turn(previous_response_id=name, input="go on")
    assert refused["error"]["code"] == "previous_response_not_found"


@pytest.mark.proves("WS-stored", "WS-stopping")
async def test_a_response_that_a_stop_cut_off_is_stored_as_its_client_was_told(tmp_path: Path) -> None:
    async with running(CODEX, tmp_path) as stack:
        async with connected(stack) as socket:
            stack.play("responses", "stall")
            name = await begun(socket, input="hi")
            stack.stop()
            told = (await socket.rest())[-1]["response"]
        kept = await fetched(stack, name)
    assert (told["id"], told["status"], told["error"]["code"]) == (name, "failed", "shutting_down")
    assert (kept["status"], kept["error"]) == ("failed", told["error"])
    assert kept["output"] == told["output"] != []
