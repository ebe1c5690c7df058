"""Who may open a WebSocket, and what those are told who may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.live.sockets import connected
from tests.live.stack import CODEX, KEY, Stack, only, running

pytestmark = pytest.mark.asyncio(loop_scope="session")

sharing = only(CODEX)

Json = dict[str, Any]
PAGE = "https://page.example"


async def refused(stack: Stack, **options: Any) -> tuple[int, Json, Any]:
    """Status, error object and headers of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as caught:
        async with connected(stack, **options):
            pass
    response = caught.value.response
    assert response.headers["content-type"] == "application/json"
    return response.status_code, json.loads(response.body)["error"], response.headers


@pytest.mark.proves("WS-handshake", "WS-key")
@pytest.mark.parametrize("key", ["", "wrong"])
@sharing
async def test_without_the_key_the_handshake_is_a_401_in_the_envelope(stack: Stack, key: str) -> None:
    status, error, headers = await refused(stack, key=key, additional_headers={"x-request-id": "mine"})
    assert (status, error["code"]) == (401, "invalid_api_key")
    assert (headers["x-request-id"], headers["www-authenticate"]) == ("mine", "Bearer")


@pytest.mark.proves("WS-handshake")
@pytest.mark.parametrize("path", ["/v1/nowhere", "/v1/chat/completions", "/nowhere", "/healthz"])
@sharing
async def test_a_path_without_a_websocket_is_a_404_in_the_envelope(stack: Stack, path: str) -> None:
    status, error, _ = await refused(stack, path=path)
    assert (status, error["code"]) == (404, "unknown_url")


@pytest.mark.proves("WS-handshake")
@pytest.mark.parametrize("path", ["/v1/responses", "/v1/responses/", "/v1/responses?model=gpt-5.5"])
@sharing
async def test_an_accepted_handshake_carries_the_request_id(stack: Stack, path: str) -> None:
    async with connected(stack, path=path, additional_headers={"x-request-id": "mine"}) as socket:
        response = socket.connection.response
        assert response is not None
        assert response.headers["x-request-id"] == "mine"
        assert "sec-websocket-protocol" not in response.headers
        await socket.answer(input="hi")


@pytest.mark.proves("WS-key")
@pytest.mark.parametrize("offered", [["realtime"], ["realtime", "openai-beta.responses-v1"], []])
@sharing
async def test_a_page_may_put_its_key_into_a_subprotocol_which_is_not_repeated(
    stack: Stack, offered: list[Any]
) -> None:
    protocols = [*offered, f"openai-insecure-api-key.{KEY}"]
    async with connected(stack, key="", subprotocols=protocols) as socket:
        assert socket.connection.subprotocol == (offered[0] if offered else None)
        await socket.answer(input="hi")


@pytest.mark.proves("WS-key")
@pytest.mark.parametrize("name", ["openai-insecure-api-key.wrong", "openai-insecure-api-key.", "realtime"])
@sharing
async def test_a_wrong_key_in_a_subprotocol_is_a_401(stack: Stack, name: Any) -> None:
    status, error, _ = await refused(stack, key="", subprotocols=[name])
    assert (status, error["code"]) == (401, "invalid_api_key")


@pytest.mark.proves("WS-origin")
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"origin": PAGE}, id="another site"),
        pytest.param({"origin": "null"}, id="a sandbox"),
        pytest.param({"origin": "http://localhost", "sec-fetch-site": "cross-site"}, id="told by the browser"),
        pytest.param({"host": "rebound.example"}, id="under another name"),
    ],
)
@pytest.mark.parametrize("subprotocols", [None, ["realtime", f"openai-insecure-api-key.{KEY}"]], ids=["bare", "key"])
async def test_a_page_of_another_site_is_refused_even_in_open_mode(
    tmp_path: Path, headers: Json, subprotocols: Any
) -> None:
    async with running(CODEX, tmp_path, auth={"downstream_api_key": ""}) as stack:
        status, error, _ = await refused(stack, key="", additional_headers=headers, subprotocols=subprotocols)
    assert (status, error["code"]) == (403, "host_not_allowed")


@pytest.mark.proves("WS-origin")
@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000", "vscode-webview://abc"])
async def test_allowed_pages_local_ones_and_apps_are_let_in(tmp_path: Path, origin: str) -> None:
    async with (
        running(CODEX, tmp_path, auth={"downstream_api_key": ""}, cors={"allow_origins": [PAGE]}) as stack,
        connected(stack, key="", additional_headers={"origin": origin}) as socket,
    ):
        await socket.answer(input="hi")


@pytest.mark.proves("WS-origin")
@sharing
async def test_a_program_with_a_key_may_say_any_origin(stack: Stack) -> None:
    async with connected(stack, additional_headers={"origin": PAGE}) as socket:
        await socket.answer(input="hi")


@pytest.mark.proves("WS-connections")
async def test_no_more_connections_than_the_settings_allow(tmp_path: Path) -> None:
    async with running(CODEX, tmp_path, limits={"websocket_connections": 1}) as stack:
        async with connected(stack) as socket:
            status, error, headers = await refused(stack)
            assert (status, error["code"], headers["retry-after"]) == (503, "websocket_connections_full", "5")
            await socket.answer(input="hi")
        while "gateway_open_websockets 0.0" not in (await stack.http.get("/metrics")).text:
            pass
        async with connected(stack) as socket:
            await socket.answer(input="hi")


@pytest.mark.proves("WS-handshake")
@sharing
async def test_over_plain_http_the_route_says_what_it_takes(stack: Stack) -> None:
    answer = await stack.http.get("/v1/responses")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
