"""How bytes flow through: back-pressure, who leaves and what ends then, silence, limits, breaks. On real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from tests.live.origin import Exchange, echo, passing, raw
from tests.live.stack import Stack
from tests.sdk_types import check_error

MEBIBYTE = b"\x00" * (1 << 20)
IN_FLIGHT_BYTES = 32 << 20
"""What the buffers of the kernel may hold on two loopback connections, and a little for everybody's own."""


async def endless(exchange: Exchange) -> None:
    """A download that never ends."""
    leaving = asyncio.ensure_future(exchange.until_left())
    await exchange.start(200, {"content-type": "video/mp4"})
    while not leaving.done():
        await exchange.write(MEBIBYTE)
    await leaving


async def deaf(exchange: Exchange) -> None:
    """Takes nothing of the body: only the server's own buffer fills."""
    await exchange.read(whole=False)
    await asyncio.Event().wait()


def upload(size: int) -> bytes:
    """The head of an upload of so many bytes."""
    return b"POST /v1/uploads HTTP/1.1\r\n{auth}\r\ncontent-type: audio/wav\r\ncontent-length: %d\r\n\r\n" % size


@asynccontextmanager
async def stalled_reader(stack: Stack) -> AsyncIterator[asyncio.StreamReader]:
    """A client that asks for a download and takes nothing of it until somebody reads."""
    url = httpx2.URL(stack.url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, (url.host, url.port))
    reader, writer = await asyncio.open_connection(sock=client, limit=1024)
    authorization = stack.http.headers["authorization"]
    writer.write(f"GET /v1/videos/1 HTTP/1.1\r\nhost: localhost\r\nauthorization: {authorization}\r\n\r\n".encode())
    try:
        yield reader
    finally:
        writer.transport.abort()


@pytest.mark.proves("PASS-back-pressure", "PASS-silence")
async def test_a_client_that_takes_nothing_stops_the_server_and_is_cut_off(tmp_path: Path) -> None:
    async with passing(endless, tmp_path, limits={"idle_seconds": 0.5}) as (origin, stack), stalled_reader(stack):
        seen = await origin.asked()
        await seen.left.wait()
    assert len(MEBIBYTE) <= seen.sent < IN_FLIGHT_BYTES


@pytest.mark.proves("PASS-back-pressure")
async def test_a_client_that_reads_again_gets_the_rest(tmp_path: Path) -> None:
    total = 40

    async def act(exchange: Exchange) -> None:
        await exchange.start(200, {"content-length": str(total * len(MEBIBYTE))})
        for _ in range(total):
            await exchange.write(MEBIBYTE)
        await exchange.end()

    async with passing(act, tmp_path) as (origin, stack), stalled_reader(stack) as reader:
        seen = await origin.asked()
        got = len((await reader.readuntil(b"\r\n\r\n")).rpartition(b"\r\n\r\n")[2])
        while got < 1 << 20:
            got += len(await reader.read(64 * 1024))
        assert seen.sent < total * len(MEBIBYTE), "the server still waits for room"
        while got < total * len(MEBIBYTE):
            got += len(await reader.read(1 << 20))
    assert got == total * len(MEBIBYTE)


@pytest.mark.proves("PASS-back-pressure", "PASS-silence")
async def test_a_server_that_takes_nothing_stops_the_client_and_is_a_504(tmp_path: Path) -> None:
    taken = 0

    async def push(writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        while True:
            writer.write(MEBIBYTE)
            await writer.drain()
            taken += len(MEBIBYTE)

    limits = {"idle_seconds": 0.5}
    async with passing(deaf, tmp_path, limits=limits) as (_, stack), raw(stack, upload(1 << 30)) as (reader, writer):
        pushing = asyncio.ensure_future(push(writer))
        head = await reader.readuntil(b"\r\n\r\n")
        pushing.cancel()
    assert head.startswith(b"HTTP/1.1 504")
    assert taken < IN_FLIGHT_BYTES


# who leaves -----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PASS-client-left")
async def test_a_client_that_leaves_a_download_ends_it(tmp_path: Path) -> None:
    async with passing(endless, tmp_path) as (origin, stack):
        async with stack.http.stream("GET", "/v1/videos/1") as answer:
            await anext(answer.aiter_raw())
        await origin.seen[0].left.wait()
        metrics = (await stack.http.get("/metrics")).text
    assert "gateway_cancelled_total 1.0" in metrics


@pytest.mark.proves("PASS-client-left")
async def test_a_client_that_leaves_a_silent_download_ends_it(tmp_path: Path) -> None:
    async def act(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.write(b"some")
        await exchange.until_left()

    async with passing(act, tmp_path) as (origin, stack):
        async with stack.http.stream("GET", "/v1/videos/1") as answer:
            await anext(answer.aiter_raw())
        await origin.seen[0].left.wait()


@pytest.mark.proves("PASS-client-left")
@pytest.mark.parametrize("announced", [True, False], ids=["length", "chunks"])
async def test_a_client_that_leaves_in_the_middle_of_its_body_ends_the_call(tmp_path: Path, announced: bool) -> None:
    framing = b"content-length: 1000000" if announced else b"transfer-encoding: chunked"
    head = b"POST /v1/uploads HTTP/1.1\r\n{auth}\r\n" + framing + b"\r\n\r\n5\r\nhello\r\n"
    async with passing(echo, tmp_path) as (origin, stack):
        async with raw(stack, head):
            seen = await origin.asked()
        await seen.left.wait()
    assert seen.size < 1000


@pytest.mark.proves("PASS-client-left")
@pytest.mark.parametrize("body", [b"", b'{"model":"m"}'], ids=["none", "json"])
async def test_a_client_that_leaves_before_the_answer_ends_the_call(tmp_path: Path, body: bytes) -> None:
    async def act(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.until_left()

    head = b"POST /v1/embeddings HTTP/1.1\r\n{auth}\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    async with passing(act, tmp_path) as (origin, stack):
        async with raw(stack, head % len(body) + body):
            seen = await origin.asked()
        await seen.left.wait()


@pytest.mark.proves("PASS-cut")
@pytest.mark.parametrize("headers", [{"content-length": "1000"}, {}], ids=["length", "chunks"])
async def test_a_download_that_breaks_is_seen_to_break(tmp_path: Path, headers: dict[str, str]) -> None:
    async def act(exchange: Exchange) -> None:
        await exchange.start(200, headers)
        await exchange.write(b"x" * 100)

    async with passing(act, tmp_path) as (_, stack):
        got = b""
        with pytest.raises(httpx2.RemoteProtocolError):
            async with stack.http.stream("GET", "/v1/files/1/content") as answer:
                async for piece in answer.aiter_raw():
                    got += piece
    assert got == b"x" * 100


@pytest.mark.proves("PASS-cut")
async def test_a_gateway_that_stops_cuts_a_download_and_refuses_what_has_not_begun(tmp_path: Path) -> None:
    async def act(exchange: Exchange) -> None:
        if exchange.path.endswith("content"):
            await exchange.start()
            await exchange.write(b"some")
        await exchange.until_left()

    async with passing(act, tmp_path) as (origin, stack):
        waiting = asyncio.ensure_future(stack.http.get("/v1/files/2"))
        await origin.asked()
        with pytest.raises(httpx2.RemoteProtocolError):
            async with stack.http.stream("GET", "/v1/files/1/content") as answer:
                async for _ in answer.aiter_raw():
                    stack.stop()
        refused = await waiting
        assert [await seen.left.wait() for seen in origin.seen] == [True, True]
    assert (refused.status_code, check_error(refused.content).code) == (503, "shutting_down")


# silence --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PASS-silence")
async def test_a_client_that_sends_no_more_is_a_408_and_ends_the_call(tmp_path: Path) -> None:
    async with (
        passing(echo, tmp_path, limits={"idle_seconds": 0.2}) as (origin, stack),
        raw(stack, upload(1000) + b"some") as (reader, _),
    ):
        head = await reader.readuntil(b"\r\n\r\n")
        seen = await origin.asked()
        await seen.left.wait()
    assert head.startswith(b"HTTP/1.1 408") and seen.body == b"some"


@pytest.mark.proves("PASS-silence")
async def test_a_server_that_falls_silent_in_its_answer_is_cut_off(tmp_path: Path) -> None:
    async def act(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.write(b"some")
        await exchange.until_left()

    async with passing(act, tmp_path, limits={"idle_seconds": 0.2}) as (origin, stack):
        with pytest.raises(httpx2.RemoteProtocolError):
            await stack.http.get("/v1/files/1/content")
        await origin.seen[0].left.wait()


@pytest.mark.proves("PASS-silence")
async def test_a_server_that_never_answers_is_a_504(tmp_path: Path) -> None:
    async with passing(Exchange.until_left, tmp_path, limits={"idle_seconds": 0.1, "json_seconds": 0.2}) as (
        origin,
        stack,
    ):
        answer = await stack.http.get("/v1/files/1/content")
        await origin.seen[0].left.wait()
    assert (answer.status_code, check_error(answer.content).code) == (504, "upstream_timeout")


@pytest.mark.proves("PASS-silence")
async def test_the_patience_for_a_json_answer_does_not_end_a_long_download(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()

    async def act(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.write(b"some")
        later = asyncio.Event()
        loop.call_later(0.3, later.set)  # the setting is about time, so some has to pass
        await later.wait()
        await exchange.write(b" more")
        await exchange.end()

    async with passing(act, tmp_path, limits={"json_seconds": 0.05}) as (_, stack):
        assert (await stack.http.get("/v1/files/1/content")).content == b"some more"


# limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("PASS-too-large")
async def test_a_body_announced_too_large_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    async with passing(echo, tmp_path, limits={"upload_bytes": 1000}) as (origin, stack):
        head = upload(1001).replace(b"\r\n\r\n", b"\r\nexpect: 100-continue\r\n\r\n")
        async with raw(stack, head) as (reader, _):
            answer = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        assert origin.seen == []
        fits = await stack.http.post("/v1/uploads", content=b"x" * 1000)
    assert answer.startswith(b"HTTP/1.1 413") and "limits.upload_bytes" in check_error(body).message
    assert fits.status_code == 200


@pytest.mark.proves("PASS-too-large")
async def test_a_body_that_turns_out_too_large_is_refused_and_the_call_ends(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    async with passing(echo, tmp_path, limits={"upload_bytes": 50_000}) as (origin, stack):
        answer = await stack.http.post("/v1/uploads", content=pieces())
        for seen in origin.seen:
            await seen.left.wait()
    assert (answer.status_code, check_error(answer.content).code) == (413, "request_too_large")


@pytest.mark.proves("PASS-too-large")
async def test_json_is_read_whole_and_bounded_as_everywhere(tmp_path: Path) -> None:
    async with passing(echo, tmp_path, limits={"body_bytes": 100}) as (origin, stack):
        answer = await stack.http.post("/v1/embeddings", json={"input": "x" * 100})
        assert origin.seen == []
    assert "limits.body_bytes" in check_error(answer.content).message and answer.status_code == 413


@pytest.mark.proves("PASS-errors")
async def test_a_refusal_in_the_middle_of_a_body_is_told(tmp_path: Path) -> None:
    async def act(exchange: Exchange) -> None:
        await exchange.read(whole=False)
        await exchange.answer(b'{"error":{"message":"not that"}}', 400)

    async with passing(act, tmp_path) as (_, stack):
        answer = await stack.http.post("/v1/uploads", content=b"x" * 5_000_000)
    assert (answer.status_code, check_error(answer.content).message) == (400, "not that")


@pytest.mark.proves("PASS-told")
async def test_the_log_line_and_the_metrics_tell_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with passing(echo, tmp_path) as (_, stack):
        await stack.http.post("/v1/uploads", content=b"x" * 1234)
        metrics = (await stack.http.get("/metrics")).text
    [line] = [line for line in capsys.readouterr().out.splitlines() if "/v1/uploads" in line]
    for fact in ("bytes_up=1234", "bytes=2", "surface=passthrough", "upstream=openai", "upstream_status=200"):
        assert fact in line.split()
    assert 'gateway_requests_total{method="POST",status="2xx",surface="passthrough"} 1.0' in metrics
    assert 'gateway_upstream_answers_total{status="200",upstream="openai"} 1.0' in metrics
