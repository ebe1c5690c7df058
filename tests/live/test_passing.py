"""Requests that pass through, on real sockets, in front of a server that does as it is told."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway import __version__
from tests.live.origin import Exchange, Origin, between, echo, playing
from tests.live.stack import KEY, NATIVE, running
from tests.sdk_types import check_error

Json = dict[str, Any]
FORM = "multipart/form-data; boundary=b0"


# headers --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PASS-headers")
async def test_exactly_the_listed_headers_arrive(tmp_path: Path) -> None:
    sent = {
        "accept": "application/json",
        "accept-encoding": "br, gzip",
        "content-type": "application/json",
        "cookie": "session=1",
        "idempotency-key": "idem-1",
        "if-match": '"a"',
        "openai-beta": "assistants=v2",
        "openai-organization": "org-of-the-client",
        "openai-project": "proj-of-the-client",
        "origin": "http://localhost:3000",
        "range": "bytes=0-5",
        "user-agent": "OpenAI/Python 1.0",
        "x-api-key": "sk-of-the-client",
        "x-forwarded-for": "10.1.2.3",
        "x-gateway-provider": "upstream",
        "x-request-id": "trace-1",
        "x-stainless-lang": "python",
    }
    async with playing() as origin, between(origin, tmp_path) as stack:
        answer = await stack.http.post("/v1/embeddings?a=b%2Fc&x[]=1&y", content=b'{"a":1}', headers=sent)
        [seen] = origin.seen
        assert answer.status_code == 200
        assert (seen.path, seen.scope["query_string"], seen.body) == ("/v1/embeddings", b"a=b%2Fc&x[]=1&y", b'{"a":1}')
        assert seen.headers == {
            "host": origin.url.removeprefix("http://"),
            "user-agent": f"codex-gateway/{__version__}",
            "authorization": "Bearer sk-simulated",
            "accept": "application/json",
            "accept-encoding": "gzip",
            "content-length": "7",
            "content-type": "application/json",
            "idempotency-key": "idem-1",
            "if-match": '"a"',
            "openai-beta": "assistants=v2",
            "range": "bytes=0-5",
            "x-request-id": "trace-1",
        }


@pytest.mark.proves("PASS-headers")
async def test_exactly_the_listed_headers_come_back(tmp_path: Path) -> None:
    passed = {
        "content-type": "audio/mpeg",
        "content-disposition": 'attachment; filename="a.mp3"',
        "cache-control": "private",
        "etag": '"v1"',
        "last-modified": "Mon, 02 Nov 2026 10:00:00 GMT",
        "openai-processing-ms": "12",
        "x-ratelimit-remaining-requests": "9",
    }
    kept = {
        "location": "http://127.0.0.1:1/elsewhere",
        "openai-organization": "org-1",
        "openai-version": "echo of sk-simulated",
        "set-cookie": "a=b",
        "via": "1.1 proxy",
        "x-powered-by": "magic",
        "x-request-id": "theirs",
    }

    async def act(exchange: Exchange) -> None:
        await exchange.answer(b"sound", headers={**passed, **kept})

    async with playing(act) as origin, between(origin, tmp_path) as stack:
        answer = await stack.http.get("/v1/sounds/1", headers={"x-request-id": "ours"})
    own = {"content-security-policy": "sandbox", "x-content-type-options": "nosniff", "x-request-id": "ours"}
    assert dict(answer.headers) == {**passed, **own, "content-length": "5"}


@pytest.mark.proves("PASS-headers")
async def test_without_a_key_none_is_sent_and_never_the_clients(tmp_path: Path) -> None:
    async with playing() as origin, between(origin, tmp_path, upstream={"api_key": ""}) as stack:
        await stack.http.get("/v1/files")
        assert KEY not in str(origin.seen[0].scope["headers"])
        assert "authorization" not in origin.seen[0].headers


# bodies ---------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PASS-bytes")
@pytest.mark.parametrize(
    ("method", "content", "kind", "framing"),
    [
        ("POST", b' { "input" : 1.50, "model":"m" , "vendor":[1] }', "application/json", {"content-length": "47"}),
        ("POST", b"[1, 2]", "application/json", {"content-length": "6"}),
        ("POST", bytes(range(256)), "application/octet-stream", {"content-length": "256"}),
        ("PUT", b"a=b", "application/x-www-form-urlencoded", {"content-length": "3"}),
        ("PATCH", b"{}", "application/merge-patch+json", {"content-length": "2"}),
        ("POST", b"", "", {"content-length": "0"}),
        ("POST", b"", "application/json", {"content-length": "0"}),
        ("DELETE", b"", "", {}),
        ("GET", b"", "application/json", {}),
    ],
)
async def test_a_body_arrives_byte_for_byte(
    tmp_path: Path, method: str, content: bytes, kind: str, framing: Json
) -> None:
    async with playing() as origin, between(origin, tmp_path) as stack:
        headers = {"content-type": kind} if kind else {}
        answer = await stack.http.request(method, "/v1/things", content=content, headers=headers)
        [seen] = origin.seen
        assert (answer.status_code, seen.method, seen.body) == (200, method, content)
        told = {name: seen.headers[name] for name in ("content-length", "transfer-encoding") if name in seen.headers}
        assert told == framing
        assert seen.headers.get("content-type", "") == kind


@pytest.mark.proves("PASS-bytes")
async def test_a_body_of_unknown_length_arrives_in_chunks(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(50):
            yield b"%d," % number * 1000

    async with playing() as origin, between(origin, tmp_path) as stack:
        await stack.http.post("/v1/things", content=pieces(), headers={"content-type": "text/csv"})
        [seen] = origin.seen
    assert seen.body == b"".join([piece async for piece in pieces()])
    assert seen.headers["transfer-encoding"] == "chunked" and "content-length" not in seen.headers


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "application/json"), (b"", FORM), (b"no parts at all", FORM), (b"--b0\r\nheaders without end", FORM)],
)
async def test_a_body_in_which_nothing_can_be_found_passes_all_the_same(
    tmp_path: Path, content: bytes, kind: str
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    async with playing() as origin, between(origin, tmp_path) as stack:
        answer = await stack.http.post("/v1/things", content=pieces(), headers={"content-type": kind})
        assert (answer.status_code, origin.seen[0].body) == (200, content)


@pytest.mark.proves("PASS-bytes")
async def test_a_compressed_body_is_read_when_it_is_json_and_else_passes_as_it_is(tmp_path: Path) -> None:
    plain = b'{"model": "m"}'
    packed = gzip.compress(plain)
    async with playing() as origin, between(origin, tmp_path) as stack:
        for kind in ("application/json", "text/csv", FORM):
            headers = {"content-type": kind, "content-encoding": "gzip"}
            assert (await stack.http.post("/v1/things", content=packed, headers=headers)).status_code == 200
        got = [(seen.body, seen.headers.get("content-encoding")) for seen in origin.seen]
    assert got == [(plain, None), (packed, "gzip"), (packed, "gzip")]


async def test_json_that_is_none_is_refused_here(tmp_path: Path) -> None:
    async with playing() as origin, between(origin, tmp_path) as stack:
        answer = await stack.http.post("/v1/x", content=b"{", headers={"content-type": "application/json"})
        assert origin.seen == []
    assert (answer.status_code, check_error(answer.content).code) == (400, "invalid_request")


# answers --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PASS-bytes")
async def test_a_compressed_answer_passes_when_the_client_reads_it_and_is_unpacked_when_not(tmp_path: Path) -> None:
    packed = gzip.compress(b"text" * 1000)

    async def act(exchange: Exchange) -> None:
        await exchange.answer(packed, headers={"content-type": "text/plain", "content-encoding": "gzip"})

    async with playing(act) as origin, between(origin, tmp_path) as stack:
        for asked, accepted, body, encoding in (
            ({"accept-encoding": "gzip"}, "gzip", packed, "gzip"),
            ({"accept-encoding": "identity"}, "identity", b"text" * 1000, None),
            ({"accept-encoding": "gzip", "accept": "text/event-stream"}, "identity", b"text" * 1000, None),
        ):
            async with stack.http.stream("GET", "/v1/x", headers=asked) as answer:
                got = b"".join([piece async for piece in answer.aiter_raw()])
            assert (got, answer.headers.get("content-encoding")) == (body, encoding)
            assert answer.headers.get("content-length") == (str(len(packed)) if encoding else None)
            assert origin.seen[-1].headers["accept-encoding"] == accepted


@pytest.mark.parametrize("body", [{"stream": True}, {}], ids=["json", "form"])
async def test_what_may_be_a_stream_of_events_is_not_compressed(tmp_path: Path, body: Json) -> None:
    sent: Json = {"json": body} if body else {"files": {"image": b"x"}, "data": {"stream": "true"}}
    async with playing() as origin, between(origin, tmp_path) as stack:
        await stack.http.post("/v1/images/edits", headers={"accept-encoding": "gzip"}, **sent)
        assert origin.seen[0].headers["accept-encoding"] == "identity"


@pytest.mark.proves("PASS-bytes")
@pytest.mark.parametrize(
    ("method", "status", "headers", "told"),
    [
        ("HEAD", 200, {"content-length": "12345"}, "12345"),
        ("DELETE", 204, {}, None),
        ("GET", 304, {"etag": '"a"', "content-length": "12345"}, None),
    ],
)
async def test_answers_without_a_body_have_none(
    tmp_path: Path, method: str, status: int, headers: Json, told: str | None
) -> None:
    head = b"HTTP/1.1 %d X\r\n" % status + b"".join(f"{n}: {v}\r\n".encode() for n, v in headers.items()) + b"\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with between(Origin(), tmp_path, upstream={"base_url": f"http://127.0.0.1:{port}"}) as stack:
        got = await stack.http.request(method, "/v1/files/1/content")
        assert (got.status_code, got.content, got.headers.get("content-length")) == (status, b"", told)
        assert (await stack.http.get("/healthz")).status_code == 200, "the connection is still in step"
    server.close()
    await server.wait_closed()


async def test_a_range_of_a_file_passes(tmp_path: Path) -> None:
    async with running(NATIVE, tmp_path, upstream={"passthrough": ["files"]}) as stack:
        part = await stack.http.get("/v1/files/file-made-1000000/content", headers={"range": "bytes=300-309"})
        again = await stack.http.get(
            "/v1/files/file-made-1000000/content", headers={"if-none-match": part.headers["etag"]}
        )
    assert (part.status_code, part.content) == (206, bytes(range(44, 54)))
    assert part.headers["content-range"] == "bytes 300-309/1000000"
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.proves("PASS-at-once")
async def test_an_event_arrives_before_the_next_one_is_sent(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def act(exchange: Exchange) -> None:
        await exchange.start(200, {"content-type": "text/event-stream"})
        await exchange.write(b"data: 1\n\n")
        await gate.wait()
        await exchange.write(b"data: 2\n\n")
        await exchange.end()

    async with (
        playing(act) as origin,
        between(origin, tmp_path) as stack,
        stack.http.stream("POST", "/v1/audio/speech", json={"stream": True}) as answer,
    ):
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"data: 1\n\n"
        gate.set()
        assert await anext(pieces) == b"data: 2\n\n"


@pytest.mark.proves("PASS-at-once")
async def test_a_piece_of_a_body_arrives_before_the_next_one_is_sent(tmp_path: Path) -> None:
    arrived = asyncio.Event()

    async def act(exchange: Exchange) -> None:
        await exchange.read(whole=False)
        arrived.set()
        await echo(exchange)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await arrived.wait()
        yield b"second"

    async with playing(act) as origin, between(origin, tmp_path) as stack:
        answer = await stack.http.post("/v1/uploads", content=pieces(), headers={"content-type": "audio/wav"})
        assert (answer.status_code, origin.seen[0].body) == (200, b"firstsecond")
