"""Whose a stored thing is: the gateway's, its server's, or nobody's (`upstream.state`)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.live.origin import Exchange, Origin, playing
from tests.live.stack import CHAT_ONLY, CODEX, KEY, MODEL, NATIVE, TRANSLATED, Mode, Stack, only, running
from tests.sdk_types import check_error, check_response, check_response_stream

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]

WITH_ID = [
    ("GET", "/v1/responses/resp_1"),
    ("DELETE", "/v1/responses/resp_1"),
    ("POST", "/v1/responses/resp_1/cancel"),
    ("GET", "/v1/responses/resp_1/input_items"),
    ("GET", "/v1/conversations/conv_1"),
    ("POST", "/v1/conversations/conv_1"),
    ("DELETE", "/v1/conversations/conv_1"),
    ("GET", "/v1/conversations/conv_1/items"),
    ("POST", "/v1/conversations/conv_1/items"),
    ("GET", "/v1/conversations/conv_1/items/msg_1"),
    ("DELETE", "/v1/conversations/conv_1/items/msg_1"),
    ("GET", "/v1/chat/completions/chatcmpl-1"),
    ("POST", "/v1/chat/completions/chatcmpl-1"),
    ("DELETE", "/v1/chat/completions/chatcmpl-1"),
    ("GET", "/v1/chat/completions/chatcmpl-1/messages"),
]
WITHOUT_ID = [("POST", "/v1/conversations"), ("GET", "/v1/chat/completions")]
NARROW: Json = {"passthrough": []}
LOCAL: Json = {"mode": "openai_api", "dialects": ["chat"], "state": "gateway"}
"""A provider whose responses and conversations the gateway keeps."""


@asynccontextmanager
async def fronting(
    origin: Origin, workdir: Path, mode: Mode = NATIVE, upstream: Json | None = None, **changes: Any
) -> AsyncIterator[Stack]:
    """A gateway in front of the origin, that passes nothing through by its settings."""
    upstream = {**NARROW, **(upstream or {})}
    async with running(mode, workdir, upstream_url=origin.url, upstream=upstream, **changes) as stack:
        yield stack


async def ask(stack: Stack, method: str, path: str, **options: Any) -> Any:
    body = {"json": {"metadata": {"a": "b"}, "items": []}} if method == "POST" else {}
    return await stack.http.request(method, path, **{**body, **options})


# a server that keeps its own ------------------------------------------------------------------------------------------


@pytest.mark.proves("ELSEWHERE-theirs")
@pytest.mark.parametrize("mode", [NATIVE, TRANSLATED], ids=lambda mode: mode.name)
async def test_what_is_not_ours_is_asked_of_the_server(tmp_path: Path, mode: Mode) -> None:
    async with playing() as origin, fronting(origin, tmp_path, mode) as stack:
        for method, path in WITH_ID + WITHOUT_ID:
            origin.seen.clear()
            answer = await ask(stack, method, f"{path}?include[]=new.thing&limit=1000")
            [seen] = origin.seen
            assert (answer.status_code, answer.json()) == (200, {})
            assert (seen.method, seen.path) == (method, path)
            assert seen.scope["query_string"] == b"include[]=new.thing&limit=1000"
            assert seen.headers["authorization"] == "Bearer sk-simulated" and KEY not in str(seen.headers)


@pytest.mark.proves("ELSEWHERE-bytes")
async def test_a_body_for_the_server_is_judged_by_the_server(tmp_path: Path) -> None:
    raw = b'{ "items":[{"type":"of_tomorrow", "n":1.50}], "metadata":7, "model": "other/of-nobody" }'

    async def act(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.answer(b'{"object":"list" , "data":[]}')

    other: Json = {"mode": "openai_api", "base_url": "http://127.0.0.1:9", "state": "off", "dialects": ["chat"]}
    async with playing(act) as origin, fronting(origin, tmp_path, providers={"other": other}) as stack:
        for path in ("/v1/conversations", "/v1/conversations/conv_1/items"):
            answer = await stack.http.post(path, content=raw, headers={"content-type": "application/json"})
            assert answer.content == b'{"object":"list" , "data":[]}'
            assert origin.seen[-1].path == path
        assert origin.seen[0].body == origin.seen[1].body == raw


@pytest.mark.proves("ELSEWHERE-theirs")
async def test_a_stream_of_the_server_passes(tmp_path: Path) -> None:
    async def act(exchange: Exchange) -> None:
        await exchange.start(200, {"content-type": "text/event-stream"})
        await exchange.write(b'data: {"type":"response.in_progress"}\n\n')
        await exchange.end()

    async with playing(act) as origin, fronting(origin, tmp_path) as stack:
        answer = await stack.http.get("/v1/responses/resp_1?stream=true&starting_after=4")
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.content == b'data: {"type":"response.in_progress"}\n\n'


@pytest.mark.proves("ELSEWHERE-theirs")
async def test_the_servers_refusal_is_the_answer(tmp_path: Path) -> None:
    told = b'{"error":{"message":"Response gone","type":"invalid_request_error","code":"gone","param":null}}'

    async def act(exchange: Exchange) -> None:
        await exchange.answer(told, 404)

    async with playing(act) as origin, fronting(origin, tmp_path) as stack:
        answer = await stack.http.get("/v1/responses/resp_1")
    error = check_error(answer.content)
    assert (answer.status_code, error.message, error.code) == (404, "Response gone", "gone")


@pytest.mark.proves("ELSEWHERE-theirs")
async def test_a_server_without_the_route_says_what_it_has(tmp_path: Path) -> None:
    async with running(NATIVE, tmp_path) as stack:
        answer = await stack.http.get("/v1/chat/completions")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    check_error(answer.content)


@pytest.mark.proves("ELSEWHERE-theirs", "STATE-live")
@only(NATIVE, TRANSLATED)
async def test_responses_that_a_server_keeps_are_read_and_deleted_with_the_sdk(stack: Stack) -> None:
    for sdk in stack.sdks.values():
        made = await sdk.call("responses.create", model=MODEL, input="Reply with exactly: indigo")
        read = await sdk.call("responses.retrieve", response_id=made.id)
        assert (read.id, read.output_text) == (made.id, "indigo")
        [item] = (await sdk.call("responses.input_items.list", response_id=made.id)).data
        assert item.content[0].text == "Reply with exactly: indigo"
        await sdk.call("responses.delete", response_id=made.id)
        with pytest.raises(openai.NotFoundError):
            await sdk.call("responses.retrieve", response_id=made.id)
    assert len(stack.sim.calls("openai.stored")) == 8


@pytest.mark.proves("ELSEWHERE-path")
async def test_what_a_turn_left_is_below_the_path_of_turns(tmp_path: Path) -> None:
    paths = {"responses_path": "/api/turns/", "chat_completions_path": "/api/chat"}
    async with playing() as origin, fronting(origin, tmp_path, upstream=paths) as stack:
        for path in ("/v1/responses/resp_1/cancel", "/v1/chat/completions/chatcmpl-1", "/v1/conversations/conv_1"):
            await ask(stack, "POST", path)
    assert [seen.path for seen in origin.seen] == [
        "/api/turns/resp_1/cancel",
        "/api/chat/chatcmpl-1",
        "/v1/conversations/conv_1",
    ]


# ours in front of it --------------------------------------------------------------------------------------------------


@pytest.mark.proves("ELSEWHERE-ours")
@only(NATIVE, TRANSLATED)
async def test_a_background_response_is_ours_until_it_is_deleted(stack: Stack) -> None:
    asked = {"model": MODEL, "input": "Reply with exactly: indigo", "background": True, "stream": True}
    made = check_response_stream((await stack.http.post("/v1/responses", json=asked)).content)
    assert re.fullmatch("resp_[0-9a-z]{26}", made.id), "an id that is known as ours even while the store is down"
    path = f"/v1/responses/{made.id}"
    read = check_response((await stack.http.get(path)).content)
    assert (read.id, read.status, read.output_text) == (made.id, "completed", "indigo")
    assert check_response((await stack.http.post(f"{path}/cancel")).content).status == "completed"
    [item] = (await stack.http.get(f"{path}/input_items")).json()["data"]
    assert item["content"] == [{"type": "input_text", "text": "Reply with exactly: indigo"}]
    assert (await stack.http.delete(path)).json() == {"id": made.id, "object": "response", "deleted": True}
    assert stack.sim.calls("openai.stored") == []
    assert (await stack.http.get(path)).status_code == 404
    assert len(stack.sim.calls("openai.stored")) == 1, "what is not ours any more might be the server's"


@pytest.mark.proves("ELSEWHERE-ours", "ELSEWHERE-provider")
async def test_the_items_of_our_conversation_are_ours(tmp_path: Path) -> None:
    async with (
        playing() as origin,
        fronting(origin, tmp_path, providers={"local": {**LOCAL, "base_url": origin.url}}) as stack,
    ):
        item = {"type": "message", "role": "user", "content": "indigo"}
        made = await stack.http.post(
            "/v1/conversations", json={"items": [item]}, headers={"x-gateway-provider": "local"}
        )
        path = f"/v1/conversations/{made.json()['id']}"
        [kept] = (await stack.http.get(f"{path}/items")).json()["data"]
        assert (await stack.http.get(f"{path}/items/{kept['id']}")).json() == kept
        missing = await stack.http.get(f"{path}/items/msg_unknown")
        assert (await ask(stack, "POST", path)).json()["metadata"] == {"a": "b"}
        assert origin.seen == []
    assert (missing.status_code, check_error(missing.content).message) == (404, "Item with id 'msg_unknown' not found.")


@pytest.mark.proves("ELSEWHERE-provider")
async def test_the_provider_in_the_header_is_the_one_that_is_asked(tmp_path: Path) -> None:
    keeping: Json = {"mode": "openai_api", **NARROW}
    async with playing() as default, playing() as other:
        providers = {"other": {**keeping, "base_url": other.url}, "local": {**LOCAL, "base_url": other.url}}
        async with fronting(default, tmp_path, providers=providers) as stack:
            for method, path in WITH_ID:
                await ask(stack, method, path, headers={"x-gateway-provider": "other"})
                here = await ask(stack, method, path, headers={"x-gateway-provider": "local"})
                nobody = await ask(stack, method, path, headers={"x-gateway-provider": "nobody"})
                assert (here.status_code, nobody.status_code) == (404, 400)
                assert check_error(nobody.content).param == "x-gateway-provider"
            assert [(seen.method, seen.path) for seen in other.seen] == WITH_ID
        assert default.seen == []


# no store, no state ---------------------------------------------------------------------------------------------------


@pytest.mark.proves("ELSEWHERE-store-down")
async def test_a_store_that_cannot_be_used_keeps_nobody_from_the_servers_own(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").mkdir()
    async with playing() as origin, fronting(origin, tmp_path) as stack:
        for method, path in WITH_ID + WITHOUT_ID:
            assert (await ask(stack, method, path)).status_code == 200
        assert [(seen.method, seen.path) for seen in origin.seen] == WITH_ID + WITHOUT_ID


@pytest.mark.proves("ELSEWHERE-store-down")
async def test_what_is_ours_by_its_id_is_not_called_unknown_while_the_store_is_down(tmp_path: Path) -> None:
    ulid = "01k9x3v7c2e4g6j8m0p2r4t6w8"
    (tmp_path / "gateway.db").mkdir()
    async with playing() as origin, fronting(origin, tmp_path) as stack:
        for path in (f"/v1/responses/resp_{ulid}", f"/v1/conversations/conv_{ulid}/items"):
            answer = await stack.http.get(path)
            assert (answer.status_code, check_error(answer.content).code) == (503, "store_unavailable")
        assert origin.seen == []


@pytest.mark.proves("STATE-unavailable")
@pytest.mark.parametrize("mode", [CODEX, CHAT_ONLY], ids=lambda mode: mode.name)
async def test_a_store_that_cannot_be_used_is_told_where_the_gateway_keeps(tmp_path: Path, mode: Mode) -> None:
    (tmp_path / "gateway.db").mkdir()
    async with playing() as origin, fronting(origin, tmp_path, mode) as stack:
        for method, path in WITH_ID + WITHOUT_ID:
            answer = await ask(stack, method, path)
            assert (answer.status_code, check_error(answer.content).code) == (503, "store_unavailable")
        assert origin.seen == []


@pytest.mark.proves("ELSEWHERE-gateway")
@pytest.mark.parametrize("mode", [NATIVE, TRANSLATED, CHAT_ONLY], ids=lambda mode: mode.name)
async def test_with_state_gateway_the_server_is_never_asked(tmp_path: Path, mode: Mode) -> None:
    upstream = {"state": "gateway", "passthrough": ["*"]}
    async with playing() as origin, fronting(origin, tmp_path, mode, upstream) as stack:
        for method, path in WITH_ID:
            answer = await ask(stack, method, path)
            assert (answer.status_code, check_error(answer.content).code) == (404, None)
        for method, path in WITHOUT_ID:
            assert (await ask(stack, method, path)).status_code == 200
        assert origin.seen == []


THINGS = {
    "/v1/responses": "Response with id 'resp_1'",
    "/v1/conversations": "Conversation with id 'conv_1'",
    "/v1/chat": "Chat completion with id 'chatcmpl-1'",
}
OFF = [
    pytest.param(CODEX, {"state": "off"}, {}, "upstream.state is off", id="codex"),
    pytest.param(CHAT_ONLY, {"state": "off"}, {}, "upstream.state is off", id="chat"),
    pytest.param(NATIVE, {"state": "off", "passthrough": ["*"]}, {}, "upstream.state is off", id="responses"),
    pytest.param(CODEX, {}, {"enabled": False}, "store.enabled is false", id="codex, no store"),
    pytest.param(CHAT_ONLY, {}, {"enabled": False}, "store.enabled is false", id="chat, no store"),
    pytest.param(NATIVE, {"state": "gateway"}, {"enabled": False}, "store.enabled is false", id="responses, no store"),
]


@pytest.mark.proves("ELSEWHERE-off")
@pytest.mark.parametrize(("mode", "upstream", "store", "why"), OFF)
async def test_where_nothing_is_kept_a_refusal_names_the_setting(
    tmp_path: Path, mode: Mode, upstream: Json, store: Json, why: str
) -> None:
    async with playing() as origin, fronting(origin, tmp_path, mode, upstream, store=store) as stack:
        for method, path in WITH_ID:
            answer = await ask(stack, method, path)
            error = check_error(answer.content)
            assert (answer.status_code, error.code) == (404, None)
            thing = next(thing for prefix, thing in THINGS.items() if path.startswith(prefix))
            assert error.message == f"{thing} not found. Nothing is kept, because {why}."
        creation = await ask(stack, "POST", "/v1/conversations")
        error = check_error(creation.content)
        assert (creation.status_code, error.code) == (400, "unsupported_value")
        assert error.message == f"Conversations are not kept here. Nothing is kept, because {why}."
        listing = await ask(stack, "GET", "/v1/chat/completions")
        if store:
            assert (listing.status_code, check_error(listing.content).code) == (400, "unsupported_value")
        else:
            assert listing.json()["data"] == [], "what was kept before, or for a provider, can still be read"
        assert origin.seen == []
        gone = await stack.http.get("/v1/responses/compact")
        assert gone.status_code == 405, "no id, but a route of its own"


@pytest.mark.proves("ELSEWHERE-theirs")
async def test_a_server_that_keeps_needs_no_store_of_ours(tmp_path: Path) -> None:
    async with playing() as origin, fronting(origin, tmp_path, store={"enabled": False}) as stack:
        for method, path in WITH_ID + WITHOUT_ID:
            assert (await ask(stack, method, path)).status_code == 200
        assert [(seen.method, seen.path) for seen in origin.seen] == WITH_ID + WITHOUT_ID


@pytest.mark.proves("ELSEWHERE-theirs")
async def test_only_what_is_kept_passes_unasked(tmp_path: Path) -> None:
    async with playing() as origin, fronting(origin, tmp_path) as stack:
        for path in ("/v1/responses/resp_1/else", "/v1/conversations/conv_1/items/msg_1/else", "/v1/files", "/v1/else"):
            answer = await stack.http.get(path)
            assert (answer.status_code, check_error(answer.content).code) == (404, "unknown_url")
        for path in ("/v1/responses/..%2Ffiles", "/v1/conversations/%2e%2e/items"):
            assert (await stack.http.get(path)).status_code == 400
        assert (await stack.http.put("/v1/conversations/conv_1", json={})).status_code == 405
        assert origin.seen == []
