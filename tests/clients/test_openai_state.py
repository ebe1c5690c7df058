"""The openai SDK for Node on stored responses and conversations, wherever the gateway keeps them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.conversations import Conversation, ConversationDeletedResource, ConversationItemList
from openai.types.responses import CompactedResponse, InputTokenCountResponse, ResponseItemList

from tests.clients.judging import judged, judged_items, judged_response
from tests.clients.served import Json, Served
from tests.live.stack import MODEL
from tests.live.test_responses import WEATHER, user
from tests.sdk_types import check_response_stream

pytestmark = pytest.mark.asyncio(loop_scope="session")


def exactly(text: str) -> str:
    return f"Reply with exactly: {text}"


async def called(gateway: Served, method: str, *params: Any) -> Any:
    """What a method of the SDK returns."""
    return (await gateway.run("openai.create", method=method, params=list(params)))["data"]


async def created(gateway: Served, given: Any, **more: Any) -> Json:
    response: Json = await called(gateway, "responses.create", {"model": MODEL, "input": given, **more})
    judged_response(response)
    return response


async def retrieved(gateway: Served, response_id: str) -> Json:
    response: Json = await called(gateway, "responses.retrieve", response_id)
    judged_response(response)
    return response


async def ended(gateway: Served, response_id: str) -> Json:
    """A background response once it has ended, as the SDK's users poll for it."""
    while (response := await retrieved(gateway, response_id))["status"] in ("queued", "in_progress"):
        pass
    return response


async def pages(gateway: Served, method: str, *params: Any) -> list[Json]:
    """All of a list, through the SDK's pager."""
    found: list[Json] = await gateway.run("openai.pages", method=method, params=list(params))
    return found


async def unknown(gateway: Served, method: str, *params: Any) -> None:
    """The SDK raises that there is no such thing."""
    error = await gateway.refused("openai.create", method=method, params=list(params))
    assert (error["class"], error["status"]) == ("NotFoundError", 404)


def texts(items: list[Json]) -> list[str]:
    return [part["text"] for item in items for part in item.get("content") or ()]


def same(one: Json, other: Json) -> bool:
    return {**one, "output_text": ""} == {**other, "output_text": ""}


# responses ------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("CLIENTS-openai-stored")
async def test_a_response_is_retrieved_and_deleted(keeper: Served) -> None:
    response = await created(keeper, exactly("kept"), metadata={"a": "b"})
    assert (response["store"], response["metadata"]) == (True, {"a": "b"})
    assert same(await retrieved(keeper, response["id"]), response)
    await called(keeper, "responses.delete", response["id"])
    await unknown(keeper, "responses.retrieve", response["id"])
    await unknown(keeper, "responses.delete", response["id"])


@pytest.mark.proves("CLIENTS-openai-stored")
async def test_a_response_that_is_not_stored_cannot_be_retrieved(keeper: Served) -> None:
    response = await created(keeper, exactly("gone"), store=False)
    await unknown(keeper, "responses.retrieve", response["id"])


@pytest.mark.proves("CLIENTS-openai-stored")
async def test_the_input_of_a_response_is_listed(keeper: Served) -> None:
    given = [user("one"), {"role": "developer", "content": "two"}, user(exactly("three"))]
    response = await created(keeper, given)
    for query in ({"limit": 1}, {"limit": 2, "order": "desc"}, {}):
        items = await pages(keeper, "responses.inputItems.list", response["id"], query)
        assert judged_items(ResponseItemList, items) == ["message"] * 3
        said = ["one", "two", exactly("three")]
        assert texts(items) == (said if query.get("order", "desc") == "asc" else said[::-1])
    assert texts(await pages(keeper, "responses.inputItems.list", response["id"], {"limit": 1, "order": "asc"})) == said


@pytest.mark.proves("CLIENTS-openai-stored")
async def test_a_conversation_goes_on_by_previous_response_id_and_may_branch(keeper: Served) -> None:
    first = await created(keeper, exactly("one"))
    second = await created(keeper, exactly("two"), previous_response_id=first["id"])
    branch = await created(keeper, exactly("other"), previous_response_id=first["id"])
    assert [second["output_text"], branch["output_text"]] == ["two", "other"]
    assert second["previous_response_id"] == first["id"]
    _, *after = keeper.asked("responses")
    assert [asked.said for asked in after] == [["one"], ["one"]]
    assert not any("previous_response_id" in asked.body for asked in after)


@pytest.mark.proves("CLIENTS-openai-stored")
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_tool_loop_sends_only_the_outputs(keeper: Served, stream: bool) -> None:
    answer = await keeper.run(
        "openai.chain",
        params={"model": MODEL, "input": "What is the weather in Paris?", "tools": [WEATHER]},
        outputs={"get_weather": "18C-SUNNY"},
        stream=stream,
    )
    assert "18C-SUNNY" in answer["text"]
    first, second = [judged_response(response) for response in answer["answers"]]
    assert second.previous_response_id == first.id
    _, asked = keeper.asked("responses")
    assert [call.name for call in asked.calls] == ["get_weather"]
    assert [output.content for output in asked.outputs] == ["18C-SUNNY"]


@pytest.mark.proves("CLIENTS-openai-stored")
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_an_unknown_previous_response_is_refused_by_name(keeper: Served, stream: bool) -> None:
    params = {"model": MODEL, "input": "hi", "previous_response_id": "resp_nobody", "stream": stream}
    error = await keeper.refused("openai.create", method="responses.create", params=params)
    assert (error["status"], error["code"], error["param"]) == (
        400,
        "previous_response_not_found",
        "previous_response_id",
    )
    assert keeper.sent("responses") == []


@pytest.mark.proves("CLIENTS-openai-stored")
async def test_a_stream_is_stored_as_it_was_told(keeper: Served) -> None:
    params = {"model": MODEL, "input": exactly("one two three"), "stream": True}
    answer = await keeper.run("openai.events", method="responses.create", params=params)
    last = answer["events"][-1]["response"]
    assert same(await retrieved(keeper, last["id"]), last)


# in the background ----------------------------------------------------------------------------------------------------


@pytest.mark.proves("CLIENTS-openai-background")
async def test_a_response_in_the_background_is_polled(keeper: Served) -> None:
    response = await created(keeper, exactly("later"), background=True)
    assert (response["status"], response["output"], response["background"]) == ("queued", [], True)
    done = await ended(keeper, response["id"])
    assert (done["status"], done["output_text"], done["background"]) == ("completed", "later", True)


@pytest.mark.proves("CLIENTS-openai-background")
async def test_a_response_in_the_background_is_cancelled(keeper: Served) -> None:
    keeper.play("responses", "stall")
    response = await created(keeper, "hi", background=True)
    route = keeper.mode.route("responses")
    await keeper.sim.until(lambda: bool(keeper.sim.calls(route)))
    cancelled = await called(keeper, "responses.cancel", response["id"])
    assert judged_response(cancelled).status == "cancelled"
    [call] = keeper.sim.calls(route)
    await keeper.ended(call)
    assert call.closed_early
    assert (await called(keeper, "responses.cancel", response["id"]))["status"] == "cancelled"
    plain = await created(keeper, exactly("waited for"))
    error = await keeper.refused("openai.create", method="responses.cancel", params=plain["id"])
    assert (error["class"], error["status"]) == ("BadRequestError", 400)


@pytest.mark.proves("CLIENTS-openai-background")
async def test_a_stream_in_the_background_goes_on_without_its_client(keeper: Served) -> None:
    gate = keeper.sim.gate("client has left")
    keeper.play("responses", {"text": ["one ", {"gate": "client has left"}, "two"]})
    params = {"model": MODEL, "input": "hi", "background": True, "stream": True}
    left = await keeper.run("openai.events", method="responses.create", params=params, leaveAfter=3)
    name = left["events"][0]["response"]["id"]
    gate.set()
    assert (await ended(keeper, name))["output_text"] == "one two"
    after = left["events"][-1]["sequence_number"]
    query = {"stream": True, "starting_after": after}
    rest = await keeper.run("openai.events", method="responses.retrieve", params=[name, query])
    events = [*left["events"], *rest["events"]]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    judged_stream(events)


@pytest.mark.proves("CLIENTS-openai-background")
async def test_the_stream_helper_takes_up_a_response(keeper: Served) -> None:
    params = {"model": MODEL, "input": exactly("one two three four"), "background": True, "stream": True}
    whole = (await keeper.run("openai.events", method="responses.create", params=params))["events"]
    judged_stream(whole)
    name, after = whole[0]["response"]["id"], 5
    given = {"response_id": name, "starting_after": after}
    taken = await keeper.run("openai.helped", method="responses.stream", params=given)
    assert taken["final"]["output_text"] == "one two three four"
    assert [event["sequence_number"] for event in taken["heard"]["event"]] == list(range(after + 1, len(whole)))
    assert taken["heard"]["event"][-1] == whole[-1]


def judged_stream(events: list[Json]) -> None:
    blocks = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
    check_response_stream("".join([*blocks, "data: [DONE]\n\n"]).encode())


# compaction and counts ------------------------------------------------------------------------------------------------


@pytest.mark.proves("CLIENTS-openai-stored")
async def test_a_history_is_made_short_and_gone_on_from(keeper: Served) -> None:
    first = await created(keeper, exactly("one"))
    for given in ({"input": [user("one"), user("two")]}, {"input": [user("two")], "previous_response_id": first["id"]}):
        compacted = await called(keeper, "responses.compact", {"model": MODEL, **given})
        # The messages before it are of users, which the type has no room for.
        judged(CompactedResponse, {**compacted, "output": compacted["output"][-1:]})
        assert compacted["output"][-1]["type"] == "compaction"
        after = await created(keeper, [*compacted["output"], user(exactly("on"))])
        assert after["output_text"] == "on"


@pytest.mark.proves("CLIENTS-openai-stored")
async def test_tokens_are_counted_with_the_history(keeper: Served) -> None:
    first = await created(keeper, "word " * 200)
    counts = []
    for more in ({}, {"previous_response_id": first["id"]}):
        told = await called(keeper, "responses.inputTokens.count", {"model": MODEL, "input": "hi", **more})
        counts.append(judged(InputTokenCountResponse, told).input_tokens)
    assert counts[1] > counts[0] + 100


# conversations --------------------------------------------------------------------------------------------------------


@pytest.mark.proves("CLIENTS-openai-conversations")
async def test_a_conversation_is_made_read_changed_and_deleted(keeper: Served) -> None:
    made = await called(keeper, "conversations.create", {"items": [user("one")], "metadata": {"topic": "tea"}})
    name = judged(Conversation, made).id
    assert await called(keeper, "conversations.retrieve", name) == made
    changed = await called(keeper, "conversations.update", name, {"metadata": {"topic": "rice"}})
    assert judged(Conversation, changed).metadata == {"topic": "rice"}
    gone = await called(keeper, "conversations.delete", name)
    assert judged(ConversationDeletedResource, gone).deleted
    await unknown(keeper, "conversations.retrieve", name)
    await unknown(keeper, "conversations.items.list", name)


@pytest.mark.proves("CLIENTS-openai-conversations")
async def test_items_are_added_listed_read_and_taken_out(keeper: Served) -> None:
    name = (await called(keeper, "conversations.create", {}))["id"]
    items = [user("one"), user("two"), user("three")]
    added = await called(keeper, "conversations.items.create", name, {"items": items})
    assert texts(judged(ConversationItemList, added).model_dump()["data"]) == ["one", "two", "three"]
    listed = await pages(keeper, "conversations.items.list", name, {"limit": 1, "order": "asc"})
    assert judged_items(ConversationItemList, listed) == ["message"] * 3
    assert listed == added["data"]
    given = {"conversation_id": name}
    assert await called(keeper, "conversations.items.retrieve", listed[1]["id"], given) == listed[1]
    left = await called(keeper, "conversations.items.delete", listed[1]["id"], given)
    assert judged(Conversation, left).id == name
    assert texts(await pages(keeper, "conversations.items.list", name)) == ["three", "one"]
    await unknown(keeper, "conversations.items.retrieve", listed[1]["id"], given)


@pytest.mark.proves("CLIENTS-openai-conversations")
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_turns_go_on_in_a_conversation_and_stand_in_it(keeper: Served, stream: bool) -> None:
    name = (await called(keeper, "conversations.create", {"items": [user("before")]}))["id"]
    ask = {"model": MODEL, "tools": [WEATHER], "conversation": name}
    answer = await keeper.run(
        "openai.chain",
        params={**ask, "input": "What is the weather in Paris?"},
        outputs={"get_weather": "18C-SUNNY"},
        stream=stream,
    )
    for response in answer["answers"]:
        judged_response(response)
        assert response["conversation"] == {"id": name}
    assert "18C-SUNNY" in answer["text"]
    assert all("before" in asked.text for asked in keeper.asked("responses"))
    listed = await pages(keeper, "conversations.items.list", name, {"order": "asc", "limit": 2})
    kinds = ["message", "message", "function_call", "function_call_output", "message"]
    assert judged_items(ConversationItemList, listed) == kinds
    assert listed[-1]["content"][0]["text"] == answer["text"]


@pytest.mark.proves("CLIENTS-openai-conversations")
async def test_an_unknown_conversation_is_not_found(keeper: Served) -> None:
    params = {"model": MODEL, "input": "hi", "conversation": "conv_nobody"}
    error = await keeper.refused("openai.create", method="responses.create", params=params)
    assert (error["class"], error["status"], error["param"]) == ("NotFoundError", 404, "conversation")
    assert keeper.sent("responses") == []
