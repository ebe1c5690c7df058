"""What is refused on the way through: by the server, and by the gateway before it asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.live.origin import Exchange, Origin, between, playing, raw
from tests.live.stack import Stack
from tests.sdk_types import check_error

Json = dict[str, Any]


# refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PASS-errors")
@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (302, {"location": "/v1/elsewhere"}, b"", (502, "upstream_error")),
        (308, {"location": "http://127.0.0.1:1/v1/elsewhere"}, b"", (502, "upstream_error")),
        (401, {}, b'{"error":{"message":"bad key sk-simulated"}}', (502, "upstream_auth")),
        (403, {}, b'{"error":{"message":"no access"}}', (502, "upstream_auth")),
        (404, {}, b"<html><b>Not here</b></html>", (404, "upstream_error")),
        (413, {"content-type": "text/html"}, b"<h1>too large</h1>", (413, "request_too_large")),
        (418, {}, b'{"detail":"key sk-simulated is a teapot"}', (418, None)),
        (429, {"retry-after": "7"}, b'{"error":{"message":"slow down"}}', (429, "rate_limit_exceeded")),
        (500, {}, b"oops", (502, "upstream_error")),
        (503, {}, b'{"error":{"message":"busy"}}', (503, "server_is_overloaded")),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
async def test_refusals_are_those_of_turns(
    tmp_path: Path, status: int, headers: Json, body: bytes, expected: tuple[int, str | None]
) -> None:
    async def act(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.answer(body, status, headers)

    async with playing(act) as origin, between(origin, tmp_path) as stack:
        answer = await stack.http.post("/v1/embeddings", json={"input": "x"})
        assert len(origin.seen) == 1, "redirects are not followed"
    assert (answer.status_code, check_error(answer.content).code) == expected
    assert "sk-simulated" not in answer.text and "location" not in answer.headers
    assert status != 429 or answer.headers["retry-after"] == "7"


@pytest.mark.proves("PASS-errors")
async def test_a_server_that_is_not_there_is_a_502(tmp_path: Path) -> None:
    async with playing() as origin:
        pass
    async with between(origin, tmp_path) as stack:
        answer = await stack.http.post("/v1/files", files={"file": b"x" * 200_000})
    assert (answer.status_code, check_error(answer.content).code) == (502, "upstream_unavailable")


@pytest.mark.proves("PASS-retries")
@pytest.mark.parametrize(
    ("sent", "calls"),
    [({"json": {"input": "x"}}, 2), ({}, 2), ({"content": b"x", "headers": {"content-type": "audio/wav"}}, 1)],
    ids=["held", "none", "streamed"],
)
async def test_a_call_is_tried_again_only_while_its_whole_body_is_there(tmp_path: Path, sent: Json, calls: int) -> None:
    async def act(exchange: Exchange) -> None:
        await exchange.read()
        if len(origin.seen) == 1:
            await exchange.answer(b"{}", 429, {"retry-after": "0"})
        else:
            await exchange.answer()

    async with playing(act) as origin, between(origin, tmp_path, limits={"retries": 2}) as stack:
        answer = await stack.http.post("/v1/embeddings", **sent)
        assert len(origin.seen) == calls
    assert answer.status_code == (200 if calls == 2 else 429)


@pytest.mark.proves("PASS-retries")
@pytest.mark.parametrize(
    ("method", "headers", "tries"),
    [("GET", {}, 2), ("DELETE", {}, 2), ("POST", {}, 1), ("POST", {"idempotency-key": "k"}, 2)],
    ids=["read", "delete", "make", "make once"],
)
async def test_what_may_have_had_an_effect_is_not_done_twice(
    tmp_path: Path, method: str, headers: Json, tries: int
) -> None:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        if len(heads) == 2:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with between(Origin(), tmp_path, upstream={"base_url": url}, limits={"retries": 1}) as stack:
        got = await stack.http.request(method, "/v1/batches", headers=headers)
    server.close()
    await server.wait_closed()
    assert (len(heads), got.status_code) == (tries, 200 if tries == 2 else 502)


# paths ----------------------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def one_path(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Origin, Stack]]:
    """A gateway that sends embeddings on, and nothing else."""
    async with (
        playing() as origin,
        between(origin, tmp_path_factory.mktemp("narrow"), upstream={"passthrough": ["embeddings"]}) as stack,
    ):
        yield origin, stack


@pytest.fixture
def narrow(one_path: tuple[Origin, Stack]) -> tuple[Origin, Stack]:
    one_path[0].seen.clear()
    return one_path


@pytest.mark.proves("PASS-paths")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/embeddings/../files", 400),
        ("/v1/embeddings/%2e%2e/files", 400),
        ("/v1/embeddings%2f..%2ffiles", 400),
        ("/v1/embeddings//files", 400),
        ("/v1/embeddings/..;/files", 400),
        ("/v1/embeddings/%252e%252e/files", 400),
        ("/v1/..%2fadmin", 400),
        ("/v1//embeddings", 400),
        ("/v1/embeddings?a=\xa0", 400),
        ("/v1/files", 404),
        ("/v1/%66iles", 404),
        ("/v1/embeddingsx", 404),
        ("/V1/embeddings", 404),
        ("/v1", 404),
        ("//v1/embeddings", 404),
        ("/v1/../v1/embeddings", 400),
    ],
)
@pytest.mark.asyncio(loop_scope="session")
async def test_no_spelling_reaches_what_is_not_allowed(narrow: tuple[Origin, Stack], path: str, status: int) -> None:
    origin, stack = narrow
    request = f"GET {path} HTTP/1.1\r\n".encode("latin-1") + b"{auth}\r\nconnection: close\r\n\r\n"
    async with raw(stack, request) as (reader, _):
        answer = await reader.read()
    assert origin.seen == []
    assert answer.startswith(b"HTTP/1.1 %d" % status)
    check_error(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.proves("PASS-paths")
@pytest.mark.parametrize("path", ["/v1/embeddings/", "/v1/%65mbeddings", "/v1/embeddings"])
@pytest.mark.asyncio(loop_scope="session")
async def test_what_is_allowed_arrives_in_its_plain_form(narrow: tuple[Origin, Stack], path: str) -> None:
    origin, stack = narrow
    request = f"GET {path} HTTP/1.1\r\n".encode() + b"{auth}\r\nconnection: close\r\n\r\n"
    async with raw(stack, request) as (reader, _):
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
    assert [seen.path for seen in origin.seen] == ["/v1/embeddings"]


@pytest.mark.proves("PASS-paths")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/v1/chat/completions", 405),
        ("PUT", "/v1/chat%2Fcompletions", 405),
        ("GET", "/v1/responses", 405),
        ("PATCH", "/v1/responses/resp_1", 405),
        ("GET", "/v1/conversations", 405),
        ("DELETE", "/v1/models/gpt-5.5", 405),
        ("POST", "/v1/models", 405),
        ("OPTIONS", "/v1/embeddings", 405),
        ("GET", "/healthz", 200),
        ("GET", "/v2/embeddings", 404),
    ],
    ids=str,
)
async def test_routes_of_the_gateway_and_odd_methods_are_never_sent_on(
    tmp_path: Path, method: str, path: str, status: int
) -> None:
    async with playing() as origin, between(origin, tmp_path) as stack:
        answer = await stack.http.request(method, path)
        assert (answer.status_code, origin.seen) == (status, [])


@pytest.mark.proves("PASS-not-allowed")
async def test_a_key_is_asked_for_first(tmp_path: Path) -> None:
    async with playing() as origin, between(origin, tmp_path) as stack:
        answer = await stack.http.post("/v1/embeddings", json={}, headers={"authorization": "Bearer wrong"})
        assert (answer.status_code, origin.seen) == (401, [])
