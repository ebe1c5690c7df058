"""`/v1/responses/{id}`: stored responses with the openai package."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.core import usage
from gateway.store.rows import NewItem
from gateway.surfaces.state.endpoint import StateEndpoint
from gateway.surfaces.state.responses import Responses
from tests.sdk_types import check_response
from tests.store.home import Home, answer, call, ending, message, response, running
from tests.surfaces.stack import Stack
from tests.surfaces.state.conftest import LIMITS, World
from tests.surfaces.state.test_conversations import body

Json = dict[str, Any]

THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"}
SAID = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [
        {
            "type": "output_text",
            "text": "hello",
            "annotations": [],
            "logprobs": [{"token": "hello", "logprob": -1.0, "bytes": [104], "top_logprobs": []}],
        }
    ],
}


def result(**fields: Any) -> Json:
    counted = usage.complete({"input_tokens": 3, "output_tokens": 2})
    return {"id": "resp_1", "object": "response", "created_at": 5, "model": "m", "usage": counted, **fields}


async def saved(world: World, **fields: Any) -> None:
    told = result(metadata={"k": "v"}, instructions="be short", previous_response_id=None)
    new = response("resp_1", result=told, metadata={"k": "v"}, model="m", **fields)
    await world.store.responses.save(new, [message("hi", id="msg_0"), NewItem(THOUGHT), NewItem(SAID)])


@pytest.mark.proves("STATE-responses")
async def test_a_stored_response_is_read_whole(world: World) -> None:
    await saved(world)
    document = await body(world, "GET", "/v1/responses/resp_1")
    found = check_response(document)
    assert (found.id, found.created_at, found.model, found.output_text) == ("resp_1", 5, "m", "hello")
    assert (found.metadata, found.instructions, found.status) == ({"k": "v"}, "be short", "completed")
    assert document["store"] is True
    assert await world.client.responses.retrieve("resp_1") == found
    for name in ("run_1", "chatcmpl-1", "1"):
        assert (await world.client.responses.retrieve(name)).id == "resp_1"


@pytest.mark.proves("STATE-include")
async def test_what_was_produced_is_shown_when_asked_for(world: World) -> None:
    await saved(world)
    plain = await body(world, "GET", "/v1/responses/resp_1")
    assert "encrypted_content" not in plain["output"][0]
    assert plain["output"][1]["content"][0]["logprobs"] == []
    full = await world.client.responses.retrieve(
        "resp_1", include=["reasoning.encrypted_content", "message.output_text.logprobs"]
    )
    assert [item.model_dump(exclude_unset=True) for item in full.output] == [THOUGHT, SAID]


@pytest.mark.proves("STATE-responses")
async def test_a_response_that_failed_is_readable_with_its_error(world: World) -> None:
    error = {"code": "server_error", "message": "broken"}
    new = response("resp_1", status="failed", result=result(), error=error)
    await world.store.responses.save(new, [])
    found = await world.client.responses.retrieve("resp_1")
    assert found.status == "failed"
    assert found.error is not None
    assert found.error.model_dump(exclude_unset=True) == error


@pytest.mark.proves("STATE-responses")
async def test_a_response_that_runs_is_shown_as_far_as_it_is_and_says_when_to_ask_again(world: World) -> None:
    await world.store.responses.begin(running("resp_1", status="queued"), [message("hi")])
    raw = await world.client.responses.with_raw_response.retrieve("resp_1")
    found = raw.parse()
    assert (found.status, found.output, found.usage, found.background) == ("queued", [], None, True)
    assert found.created_at == 1_800_000_000
    assert int(raw.headers["openai-poll-after-ms"]) > 0


@pytest.mark.proves("STATE-responses")
async def test_the_id_of_a_server_with_ids_of_its_own_is_shown_as_it_was(world: World) -> None:
    new = response("4f1c-88", result={"id": "4f1c-88", "object": "response"})
    await world.store.responses.save(new, [])
    assert (await world.client.responses.retrieve("4f1c-88")).id == "4f1c-88"
    assert (await body(world, "DELETE", "/v1/responses/4f1c-88"))["id"] == "4f1c-88"


@pytest.mark.proves("STATE-responses")
async def test_an_id_that_was_given_twice_means_the_newest_and_the_older_is_shown_under_another(world: World) -> None:
    key = await world.store.responses.save(response("resp_1"), [])
    await world.store.responses.save(response("resp_1", result=result(model="new")), [])
    assert (await world.client.responses.retrieve("resp_1")).model == "new"
    assert (await world.client.responses.retrieve(f"resp_{key}")).id == f"resp_{key}"


@pytest.mark.proves("STATE-responses", "STATE-not-found")
async def test_a_deleted_response_is_as_unknown_as_any(world: World) -> None:
    await saved(world)
    await saved_child(world)
    await world.client.responses.delete("resp_1")
    for name in ("resp_1", "resp_unknown", "conv_1", "msg_1"):
        for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
            status, error = await world.refused(method, f"/v1/responses/{name}{rest}")
            assert (status, error["code"], error["param"]) == (404, None, None)
            assert error["message"] == f"Response with id '{name}' not found."
    assert (await body(world, "DELETE", "/v1/responses/run_2")) == {
        "id": "resp_2",
        "object": "response",
        "deleted": True,
    }


async def saved_child(world: World) -> None:
    await world.store.responses.save(response("resp_2", previous="resp_1"), [message("go on")])


@pytest.mark.proves("STATE-input-items", "CASE-136")
async def test_input_items_are_listed_newest_first_in_pages(world: World) -> None:
    drafts = [message("one", id="msg_1"), message("two"), message("three"), answer("reply")]
    await world.store.responses.save(response("resp_1"), drafts)
    first = await world.client.responses.input_items.list("resp_1", limit=1)
    pages = [page async for page in first.iter_pages()]
    assert [page.has_more for page in pages] == [True, True, False]
    texts = [[item.content[0].text for item in page.data] for page in pages]  # type: ignore[index, union-attr]
    assert texts == [["three"], ["two"], ["one"]]
    oldest = (await world.client.responses.input_items.list("resp_1", order="asc")).data[0]
    assert (oldest.id, oldest.type) == ("msg_1", "message")


@pytest.mark.proves("STATE-include")
async def test_the_address_of_an_image_is_shown_when_asked_for(world: World) -> None:
    parts = [{"type": "input_image", "image_url": "https://images.test/a.png"}]
    item = NewItem({"type": "message", "role": "user", "content": parts}, step=0)
    await world.store.responses.save(response("resp_1"), [item])
    shown = {
        wanted: (await body(world, "GET", f"/v1/responses/resp_1/input_items{wanted}"))["data"][0]["content"]
        for wanted in ("", "?include[]=message.input_image.image_url")
    }
    image = {"type": "input_image", "detail": "auto"}
    assert list(shown.values()) == [[{**image, "image_url": None}], [{**image, **parts[0]}]]


@pytest.mark.proves("CASE-137")
async def test_a_response_without_input_has_an_empty_list(world: World) -> None:
    await world.store.responses.save(response("resp_1"), [])
    listed = await body(world, "GET", "/v1/responses/resp_1/input_items")
    assert (listed["data"], listed["first_id"], listed["last_id"], listed["has_more"]) == ([], "", "", False)


# cancelling -----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("CASE-135")
async def test_a_synchronous_response_cannot_be_cancelled(world: World) -> None:
    await saved(world)
    status, error = await world.refused("POST", "/v1/responses/resp_1/cancel")
    assert (status, error["message"]) == (400, "Cannot cancel a synchronous response.")


@pytest.mark.proves("CASE-135", "STATE-cancel")
async def test_a_cancel_reaches_who_runs_the_response_and_waits_for_the_end(world: World, home: Home) -> None:
    async with home.store() as elsewhere:
        key = await elsewhere.responses.begin(running("resp_1"), [message("hi")])

        async def run() -> None:
            await elsewhere.responses.cancelled(key)
            await elsewhere.responses.finish(key, ending("cancelled", answer("as far as it came")))

        runner = asyncio.create_task(run())
        async with asyncio.timeout(20):
            first = await world.client.responses.cancel("resp_1")
            await runner
    assert (first.status, first.output_text) == ("cancelled", "as far as it came")
    assert await world.client.responses.cancel("resp_1") == first


@pytest.mark.proves("CASE-135")
async def test_cancelling_what_has_ended_changes_nothing(world: World) -> None:
    await saved(world, background=True)
    found = await world.client.responses.cancel("resp_1")
    assert found.status == "completed"
    assert found == await world.client.responses.retrieve("resp_1")


@pytest.mark.proves("STATE-cancel")
async def test_a_cancel_that_nobody_obeys_is_answered_with_the_response_as_it_is(world: World) -> None:
    key = await world.store.responses.begin(running("resp_1"))
    responses = Responses(world.store, cancel_seconds=0.01)
    endpoint = StateEndpoint("responses", LIMITS, {"POST": responses.cancel})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["path_params"] = {"response_id": "resp_1"}
        await endpoint(scope, receive, send)

    found = await Stack(app).request("POST", "/v1/responses/resp_1/cancel")
    assert (found.status_code, found.json()["status"]) == (200, "in_progress")
    assert "openai-poll-after-ms" in found.headers
    row = await world.store.responses.by_key(key)
    assert row is not None
    assert row.cancel_asked


@pytest.mark.proves("STATE-owners", "CASE-143")
async def test_a_response_of_another_owner_is_unknown(world: World) -> None:
    await saved(world)
    await world.store.responses.begin(running("resp_2"), [call("c")])
    headers = {"x-owner": "visitor"}
    for name in ("resp_1", "resp_2"):
        for method, rest in (
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/cancel"),
            ("GET", "/input_items"),
            ("GET", "?stream=true"),
        ):
            status, error = await world.refused(method, f"/v1/responses/{name}{rest}", headers=headers)
            assert (status, error["message"]) == (404, f"Response with id '{name}' not found.")
    row = await world.store.responses.response("operator", "resp_2")
    assert row is not None
    assert not row.cancel_asked


@pytest.mark.proves("STATE-unavailable")
async def test_a_store_that_is_closed_is_503(world: World) -> None:
    await world.store.aclose()
    for path in ("/v1/responses/resp_1", "/v1/chat/completions", "/v1/conversations/conv_1"):
        status, error = await world.refused("GET", path)
        assert (status, error["code"]) == (503, "store_unavailable")


@pytest.mark.proves("STATE-paths")
async def test_ids_in_paths_are_unescaped(world: World) -> None:
    odd = "a/b c?d#é%2F"
    await world.store.responses.save(response(odd, result={"id": odd}), [message("hi", id="msg_1")])
    assert (await world.client.responses.retrieve(odd)).id == odd
    assert (await world.client.responses.input_items.list(odd)).data[0].id == "msg_1"
    assert (await world.http.delete("/v1/responses/a%2Fb%20c%3Fd%23%C3%A9%252F")).status_code == 200
    assert (await world.refused("GET", "/v1/responses/%FF%00"))[0] == 404
