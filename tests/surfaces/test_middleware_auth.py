"""Who may call what."""

from __future__ import annotations

import pytest
from starlette.types import Receive, Scope, Send

from tests.surfaces.stack import Stack, error_of, hello

KEY = "sk-gw-right"
PUBLIC = ["/", "/healthz", "/readyz", "/docs", "/redoc", "/openapi.yaml", "/openapi.json", "/assets/docs.js"]


async def owner(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the owner of the request."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["state"].get("owner", "nobody").encode()})


@pytest.mark.proves("HTTP-key")
@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER   {KEY} "])
async def test_the_right_key_lets_in_as_operator(header: str) -> None:
    response = await Stack(owner, key=KEY).get("/v1/models", headers={"authorization": header})
    assert (response.status_code, response.text) == (200, "operator")


@pytest.mark.proves("HTTP-key")
@pytest.mark.parametrize(
    ("headers", "word"),
    [
        pytest.param({}, "No API key", id="missing"),
        pytest.param({"authorization": "Bearer"}, "No API key", id="empty"),
        pytest.param({"authorization": f"Basic {KEY}"}, "No API key", id="other scheme"),
        pytest.param({"authorization": KEY}, "No API key", id="bare"),
        pytest.param({"x-api-key": KEY}, "No API key", id="other header"),
        pytest.param({"authorization": "Bearer wrong"}, "not a key", id="wrong"),
        pytest.param({"authorization": f"Bearer {KEY}x"}, "not a key", id="longer"),
        pytest.param({"authorization": f"Bearer {KEY[:-1]}"}, "not a key", id="shorter"),
    ],
)
async def test_without_the_right_key_nothing_below_v1_answers(headers: dict[str, str], word: str) -> None:
    response = await Stack(hello, key=KEY).get("/v1/models", headers=headers)
    assert error_of(response) == (401, "gateway_error", "invalid_api_key")
    assert response.headers["www-authenticate"] == "Bearer"
    assert word in response.json()["error"]["message"]


@pytest.mark.proves("HTTP-key")
async def test_the_wrong_key_is_neither_echoed_nor_logged() -> None:
    stack = Stack(hello, key=KEY)
    response = await stack.get("/v1/models", headers={"authorization": "Bearer sk-wrong-key"})
    assert "sk-wrong-key" not in response.text + str(response.headers) + str(stack.lines)


@pytest.mark.proves("HTTP-public")
@pytest.mark.parametrize("path", PUBLIC)
async def test_public_paths_need_no_key(path: str) -> None:
    assert (await Stack(hello, key=KEY, loopback=False).get(path)).status_code == 200


@pytest.mark.proves("HTTP-metrics-key")
@pytest.mark.parametrize(("loopback", "status"), [(True, 200), (False, 401)])
async def test_metrics_need_the_key_unless_only_this_machine_can_connect(loopback: bool, status: int) -> None:
    stack = Stack(hello, key=KEY, loopback=loopback)
    assert (await stack.get("/metrics")).status_code == status
    assert (await stack.get("/metrics", headers={"authorization": f"Bearer {KEY}"})).status_code == 200


@pytest.mark.proves("HTTP-open")
async def test_without_a_configured_key_everybody_is_the_operator() -> None:
    stack = Stack(owner)
    anonymous = await stack.get("/v1/models")
    dummy = await stack.get("/v1/models", headers={"authorization": "Bearer dummy"})
    assert (anonymous.text, dummy.text) == ("operator", "operator")


@pytest.mark.proves("HTTP-closed")
@pytest.mark.parametrize("key", ["", KEY], ids=["open", "with key"])
@pytest.mark.parametrize("path", ["/new-surface", "/v1", "/v1x/models", "/docs/more", "//v1/models"])
async def test_a_path_that_nobody_listed_does_not_exist_even_if_the_app_knows_it(path: str, key: str) -> None:
    response = await Stack(hello, key=key).get(f"http://127.0.0.1{path}", headers={"authorization": f"Bearer {KEY}"})
    assert error_of(response) == (404, "gateway_error", "unknown_url")


@pytest.mark.proves("HTTP-closed")
async def test_an_unknown_path_below_v1_asks_for_the_key_first() -> None:
    assert error_of(await Stack(hello, key=KEY).get("/v1/nowhere"))[0] == 401
