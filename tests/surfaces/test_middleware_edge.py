"""The outermost layer: request ids, the log line, metrics, Host check, CORS."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
from starlette.types import Message, Receive, Scope, Send

from gateway.config import Cors
from gateway.engine.metrics import Metrics
from gateway.errors import OAuthUnavailable
from gateway.logs import get_logger, settle
from gateway.surfaces.middleware.edge import Edge
from tests.serving import serving
from tests.surfaces.stack import Stack, error_of, hello, raising, telling
from tests.surfaces.test_logs import lines_of, logging_to

PAGE = "https://page.example"


@pytest.mark.proves("HTTP-request-id")
@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        pytest.param("abc-123", "abc-123", id="kept"),
        pytest.param("  padded  ", "padded", id="trimmed"),
        pytest.param("two words", "two words", id="inner space"),
        pytest.param("x" * 128, "x" * 128, id="longest"),
        pytest.param("x" * 129, "made-id", id="too long"),
        pytest.param("", "made-id", id="empty"),
        pytest.param("caf\u00e9", "made-id", id="not ascii"),
        pytest.param("a\tb", "made-id", id="control character"),
    ],
)
async def test_a_sane_request_id_is_echoed_and_any_other_replaced(sent: str, echoed: str) -> None:
    response = await Stack(hello).get("/healthz", headers={"x-request-id": sent.encode("latin-1")})
    assert response.headers.get_list("x-request-id") == [echoed]


@pytest.mark.proves("HTTP-request-id")
async def test_a_made_request_id_is_32_hex_characters_and_new_each_time() -> None:
    app = Edge(hello, loopback=True, allowed_hosts=(), cors=Cors(), metrics=Metrics(), log=structlog.get_logger())
    seen = set()
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for _ in range(2):
            seen.add((await client.get("/")).headers["x-request-id"])
    assert len(seen) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", request_id) for request_id in seen)


@pytest.mark.proves("HTTP-request-id")
@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/models"])
async def test_errors_carry_the_request_id_too(path: str) -> None:
    stack = Stack(raising(OAuthUnavailable("log in")), key="right")
    response = await stack.get(path, headers={"x-request-id": "mine"})
    assert (response.is_success, response.headers["x-request-id"]) == (False, "mine")


@pytest.mark.proves("HTTP-request-id")
async def test_streams_carry_the_request_id_and_arrive_piece_by_piece() -> None:
    """Over a real socket: the app ends only when the client, who has read the first piece, leaves."""

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await receive()
        await receive()  # the client leaves
        scope["state"]["facts"]["outcome"] = "client_left"

    stack = Stack(stream)
    async with (
        serving(stack) as base_url,
        httpx2.AsyncClient() as client,
        client.stream("GET", f"{base_url}/healthz", headers={"x-request-id": "mine"}) as response,
    ):
        assert response.headers["x-request-id"] == "mine"
        assert await anext(response.aiter_raw()) == b"one"
    assert [(line["outcome"], line["bytes"]) for line in stack.lines] == [("client_left", 3)]
    assert b"gateway_cancelled_total 1.0" in stack.metrics.render()


@pytest.mark.proves("HTTP-log-line")
async def test_each_request_makes_one_log_line_with_what_the_handlers_found_out() -> None:
    ticks = iter([10.0, 10.25, 12.0])
    facts: dict[str, Any] = {
        "model": "gpt-5.5",
        "dialect": "responses",
        "upstream": "codex",
        "upstream_status": 200,
        "tokens": {"input": 7, "output": 5, "reasoning": 2},
        "dropped": None,
    }
    stack = Stack(telling(**facts), clock=lambda: next(ticks))
    await stack.get("/v1/responses?secret=1", headers={"x-request-id": "mine"})
    assert stack.lines == [
        {
            "level": "info",
            "event": "request",
            "method": "GET",
            "path": "/v1/responses",
            "status": 200,
            "bytes": 5,
            "duration_ms": 2000.0,
            "ttfb_ms": 250.0,
            "request_id": "mine",
            "key": "open",
            "model": "gpt-5.5",
            "dialect": "responses",
            "upstream": "codex",
            "upstream_status": 200,
            "tokens": {"input": 7, "output": 5, "reasoning": 2},
            "outcome": "completed",
        }
    ]


@pytest.mark.proves("HTTP-log-line")
async def test_the_log_line_of_a_failure_is_a_warning_with_its_code_and_detail() -> None:
    stack = Stack(raising(OAuthUnavailable("log in", detail="the file is gone")))
    await stack.get("/v1/models")
    line = stack.lines[0]
    assert (line["level"], line["status"], line["error"], line["detail"]) == (
        "warning",
        503,
        "oauth_unavailable",
        "the file is gone",
    )


@pytest.mark.proves("HTTP-log-line")
async def test_an_answer_that_is_never_finished_is_logged_as_cut() -> None:
    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    stack = Stack(half)
    await stack({"type": "http", "method": "GET", "path": "/healthz", "headers": []}, receive, send)
    assert [line["outcome"] for line in stack.lines] == ["cut"]


@pytest.mark.proves("HTTP-metrics")
async def test_requests_are_counted_by_surface_method_and_status_class() -> None:
    stack = Stack(hello, key="right")
    await stack.get("/v1/responses", headers={"authorization": "Bearer right"})
    await stack.get("/v1/responses")
    await stack.get("/v1/made-up-by-a-client")
    await stack.request("BREW", "/healthz")
    counted = [line for line in stack.metrics.render().decode().splitlines() if "requests_total{" in line]
    assert sorted(counted) == [
        'gateway_requests_total{method="GET",status="2xx",surface="responses"} 1.0',
        'gateway_requests_total{method="GET",status="4xx",surface="other"} 1.0',
        'gateway_requests_total{method="GET",status="4xx",surface="responses"} 1.0',
        'gateway_requests_total{method="other",status="2xx",surface="system"} 1.0',
    ]


@pytest.mark.proves("HTTP-slash")
@pytest.mark.parametrize(
    ("path", "seen"), [("/v1/models/", "/v1/models"), ("/v1/models", "/v1/models"), ("/", "/"), ("//", "/")]
)
async def test_a_trailing_slash_is_taken_off_without_a_redirect(path: str, seen: str) -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    response = await Stack(echo).get(f"http://127.0.0.1{path}")
    assert (response.status_code, response.text) == (200, seen)


@pytest.mark.proves("HTTP-host")
@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8080",
        "localhost.:8080",
        "app.localhost",
        "127.0.0.1:8080",
        "127.3.2.1",
        "[::1]:8080",
        "[::ffff:127.0.0.1]",
        "gateway.lan:80",
    ],
)
async def test_a_loopback_listener_answers_to_loopback_names_and_allowed_hosts(host: str) -> None:
    stack = Stack(hello, allowed_hosts=["gateway.lan"])
    assert (await stack.get("/healthz", headers={"host": host})).status_code == 200


@pytest.mark.proves("HTTP-host")
@pytest.mark.parametrize(
    "host",
    ["rebound.example", "rebound.example:8080", "192.168.1.5:8080", "localhost.example", "127.0.0.1.example", ""],
)
async def test_a_loopback_listener_refuses_other_names(host: str) -> None:
    stack = Stack(hello)
    response = await stack.get("/v1/models", headers={"host": host})
    assert error_of(response) == (403, "gateway_error", "host_not_allowed")
    assert stack.lines[0]["error"] == "host_not_allowed"


@pytest.mark.proves("HTTP-host")
@pytest.mark.parametrize("order", [1, -1], ids=["last", "first"])
async def test_none_of_several_hosts_may_be_another_one(order: int) -> None:
    hosts = [("host", "localhost"), ("host", "rebound.example")][::order]
    response = await Stack(hello).get("/v1/models", headers=hosts)
    assert error_of(response) == (403, "gateway_error", "host_not_allowed")


@pytest.mark.proves("HTTP-log-line")
async def test_work_that_goes_on_after_an_answer_adds_nothing_to_its_line(tmp_path: Path) -> None:
    kept: list[dict[str, Any]] = []

    async def keeping(scope: Scope, receive: Receive, send: Send) -> None:
        kept.append(scope["state"]["facts"])
        await hello(scope, receive, send)

    stream = io.StringIO()
    with logging_to(stream, tmp_path):
        log = get_logger("gateway")
        app = Edge(keeping, loopback=True, allowed_hosts=(), cors=Cors(), metrics=Metrics(), log=log)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://localhost") as client:
            for _ in range(3):
                await client.get("/v1/models")
        for facts in kept:
            facts["late"] = True
        settle()
    assert [line.get("late") for line in lines_of(stream)] == [None] * 3


@pytest.mark.proves("HTTP-host")
async def test_clients_of_a_unix_socket_may_name_any_host() -> None:
    """No web page reaches a socket in the file system."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/healthz",
        "query_string": b"",
        "headers": [(b"host", b"gateway")],
        "server": ("/run/gateway.sock", None),
    }
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    await Stack(hello).app(scope, receive, send)
    assert sent[0]["status"] == 200


@pytest.mark.proves("HTTP-host")
async def test_a_public_listener_answers_to_any_name() -> None:
    assert (await Stack(hello, loopback=False, key="k").get("/healthz", headers={"host": "any.example"})).is_success


@pytest.mark.proves("HTTP-forged-post")
@pytest.mark.parametrize(
    ("headers", "origins", "status"),
    [
        pytest.param({"sec-fetch-site": "cross-site", "origin": PAGE}, (), 403, id="another site's page"),
        pytest.param(
            {"sec-fetch-site": "same-site", "origin": "http://localhost:3"}, (), 403, id="another port's page"
        ),
        pytest.param({"sec-fetch-site": "cross-site", "origin": PAGE}, (PAGE,), 200, id="allowed page"),
        pytest.param({"origin": PAGE}, (), 403, id="another site's page in an old browser"),
        pytest.param({"origin": "http://localhost:3000"}, (), 200, id="local page in an old browser"),
        pytest.param({"origin": "vscode-webview://x"}, (), 200, id="app"),
        pytest.param({"sec-fetch-site": "same-origin"}, (), 200, id="own page"),
        pytest.param({"sec-fetch-site": "none"}, (), 200, id="typed by the user"),
        pytest.param({"sec-fetch-mode": "cors"}, (), 200, id="node program"),
        pytest.param(
            {"sec-fetch-site": "cross-site", "authorization": "Bearer x"}, (), 200, id="desktop app with a key"
        ),
    ],
)
async def test_pages_of_other_sites_cannot_spend_quota_blindly(
    headers: dict[str, str], origins: tuple[str, ...], status: int
) -> None:
    """Such a POST needs no preflight, so that CORS alone would not stop it."""
    response = await Stack(hello, origins=origins).request("POST", "/v1/responses", headers=headers)
    assert response.status_code == status


def preflight(**more: str) -> dict[str, str]:
    asked = {"access-control-request-" + name.replace("_", "-"): value for name, value in more.items()}
    return {"origin": PAGE, "access-control-request-method": "POST", **asked}


@pytest.mark.proves("HTTP-cors")
async def test_cors_is_off_by_default() -> None:
    stack = Stack(hello)
    plain = await stack.get("/v1/models", headers={"origin": PAGE})
    asked = await stack.request("OPTIONS", "/v1/models", headers=preflight())
    names = {name for response in (plain, asked) for name in response.headers}
    assert not {name for name in names if name.startswith("access-control") or name == "vary"}


@pytest.mark.proves("HTTP-cors")
async def test_an_allowed_preflight_needs_no_key_and_gets_the_headers_it_asks_for() -> None:
    stack = Stack(hello, key="right", origins=(PAGE,))
    wanted = "authorization,content-type,x-request-id,x-stainless-arch,x-stainless-lang"
    response = await stack.request(
        "OPTIONS", "/v1/responses", headers=preflight(headers=wanted, private_network="true")
    )
    answered = {name: value for name, value in response.headers.items() if name.startswith("access-control-allow")}
    assert response.status_code == 204
    assert answered == {
        "access-control-allow-origin": PAGE,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": wanted,
        "access-control-allow-private-network": "true",
    }
    assert response.headers["access-control-max-age"] == "600"
    assert "Origin" in response.headers.get_list("vary", split_commas=True)


@pytest.mark.proves("HTTP-cors")
async def test_answers_and_errors_can_be_read_by_an_allowed_page() -> None:
    stack = Stack(raising(OAuthUnavailable("log in")), origins=(PAGE,))
    response = await stack.get("/v1/models", headers={"origin": PAGE})
    exposed = response.headers.get_list("access-control-expose-headers", split_commas=True)
    assert response.headers["access-control-allow-origin"] == PAGE
    assert response.headers["vary"] == "Origin"
    assert {"x-request-id", "x-gateway-dropped", "retry-after", "x-should-retry"} <= set(exposed)


@pytest.mark.proves("HTTP-cors")
async def test_any_origin_is_allowed_without_credentials() -> None:
    response = await Stack(hello, origins=("*",)).get("/v1/models", headers={"origin": PAGE})
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers
    assert "vary" not in response.headers


@pytest.mark.proves("HTTP-cors")
async def test_other_origins_are_told_nothing_but_that_the_answer_varies() -> None:
    stack = Stack(hello, key="right", origins=(PAGE,))
    response = await stack.get("/healthz", headers={"origin": "https://other.example"})
    refused = await stack.request("OPTIONS", "/v1/models", headers={**preflight(), "origin": "https://other.example"})
    assert "access-control-allow-origin" not in response.headers
    assert response.headers["vary"] == "Origin"
    assert refused.status_code == 401


@pytest.mark.proves("HTTP-websocket")
@pytest.mark.parametrize("extension", [True, False], ids=["answered", "bare"])
async def test_a_refused_websocket_is_answered_in_http_where_the_server_can(extension: bool) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope: Scope = {"type": "websocket", "path": "/v1/responses", "headers": [], "subprotocols": []}
    if extension:
        scope["extensions"] = {"websocket.http.response": {}}
    await Stack(hello, key="right")(scope, receive, send)
    if extension:
        assert [message["type"] for message in sent] == [
            "websocket.http.response.start",
            "websocket.http.response.body",
        ]
        assert sent[0]["status"] == 401
        assert (b"x-request-id", b"made-id") in sent[0]["headers"]
    else:
        assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.proves("HTTP-websocket")
async def test_a_bug_closes_an_accepted_websocket() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        raise ValueError

    scope: Scope = {"type": "websocket", "path": "/v1/responses", "headers": [], "subprotocols": []}
    stack = Stack(broken)
    await stack(scope, receive, send)
    assert [(message["type"], message.get("code")) for message in sent] == [
        ("websocket.accept", None),
        ("websocket.close", 1011),
    ]
    assert [line["event"] for line in stack.lines] == ["internal error", "answer cut short", "websocket"]
    assert stack.lines[-1]["outcome"] == "failed"
