"""The transport on real sockets: what only the kernel and the loop can get wrong."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.upstreams.http1 import HTTP1Transport
from gateway.upstreams.http1.connection import HIGH_WATER
from gateway.upstreams.http1.exchange import Exchange
from gateway.upstreams.transport import build_transport
from tests.upstreams.http1.answers import Made, answers, cuts
from tests.upstreams.http1.outcomes import Outcome, outcome, places
from tests.upstreams.http1.server import Client, Received, Server, listening
from tests.upstreams.http1.wire import request

KINDS: tuple[Literal["own", "httpx2"], ...] = ("own", "httpx2")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def transport(connections: int = 10) -> AsyncIterator[HTTP1Transport]:
    made = build_transport(proxy_url="", connections=connections)
    assert isinstance(made, HTTP1Transport)
    try:
        yield made
    finally:
        await made.aclose()
        assert places(made) == (0, 0)


async def answering(client: Client) -> None:
    """Every request gets the same answer."""
    while await client.request() is not None:
        await client.say(OK)


@given(data=st.data(), made=answers(), body=st.binary(max_size=100))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.proves("TRANSPORT-same", "TRANSPORT-requests")
async def test_both_transports_say_and_hear_the_same(data: st.DataObject, made: Made, body: bytes) -> None:
    pieces = data.draw(cuts(made.data))
    cut = data.draw(st.sampled_from([len(pieces), len(pieces), len(pieces) // 2]))
    seen: list[Received] = []

    async def script(client: Client) -> None:
        received = await client.request()
        assert received is not None
        seen.append(received)
        await client.say(*pieces[:cut])
        client.writer.close()

    found: list[Outcome] = []
    async with listening(script) as server:
        for kind in KINDS:
            sender = build_transport(proxy_url="", connections=2, kind=kind)
            asked = request(made.method, server.url("/a%20b?c=d"), headers={"X-Own": "1"}, content=body)
            found.append(await outcome(sender, asked))
            await sender.aclose()
    assert found[0] == found[1]
    assert seen[0] == seen[1]


@pytest.mark.proves("TRANSPORT-pool")
async def test_five_hundred_callers_share_fifty_connections() -> None:
    async def script(client: Client) -> None:
        while received := await client.request():
            await asyncio.sleep(0)
            await client.say(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(received.target), received.target)
            )

    async def call(sender: HTTP1Transport, url: str, number: int) -> None:
        response = await sender.handle_async_request(request("GET", f"{url}{number}"))
        assert await response.aread() == b"/%d" % number

    async with listening(script) as server, transport(50) as sender:
        async with asyncio.TaskGroup() as group:
            for number in range(500):
                group.create_task(call(sender, server.url(), number))
        assert (server.came, server.most, places(sender)) == (50, 50, (50, 50))


@pytest.mark.proves("TRANSPORT-idle")
async def test_a_server_that_closes_kept_connections_costs_no_call() -> None:
    async def script(client: Client) -> None:
        assert await client.request() is not None
        await client.say(OK)

    async with listening(script) as server, transport() as sender:
        for _ in range(30):
            response = await sender.handle_async_request(request("GET", server.url()))
            assert await response.aread() == b"ok"
        assert server.came > 1


@pytest.mark.proves("TRANSPORT-backpressure")
async def test_two_hundred_megabytes_for_a_slow_reader_never_pile_up() -> None:
    size, piece = 200_000_000, b"x" * 250_000
    sent = 0

    async def script(client: Client) -> None:
        nonlocal sent
        await client.request()
        client.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent < size:
            client.writer.write(piece)
            await client.writer.drain()
            sent += len(piece)
        await client.left()

    async with listening(script) as server, transport() as sender:
        response = await sender.handle_async_request(request("GET", server.url()))
        stream = response.stream
        assert isinstance(stream, Exchange)
        for _ in range(1000):
            await asyncio.sleep(0)
        # What the server got rid of waits in the kernel; here no more than two reads.
        assert sent < size / 4
        read = 0
        async for part in stream:
            assert len(part) <= 3 * HIGH_WATER
            read += len(part)
            await asyncio.sleep(0)
            assert stream.held <= 3 * HIGH_WATER
        assert read == size


@pytest.mark.parametrize("size", [10, 20_000, 5_000_000])
@pytest.mark.proves("TRANSPORT-requests")
async def test_bodies_of_every_size_arrive_as_they_are(size: int) -> None:
    body = bytes(range(250)) * (size // 250) + b"!" * (size % 250)
    seen: list[Received] = []

    async def script(client: Client) -> None:
        while received := await client.request():
            seen.append(received)
            await client.say(OK)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, size, 70_000):
            yield body[at : at + 70_000]

    async with listening(script) as server, transport() as sender:
        for content in (body, pieces()):
            response = await sender.handle_async_request(request("POST", server.url(), content=content))
            assert await response.aread() == b"ok"
        assert server.came == 1
    assert [received.body == body for received in seen] == [True, True]


@pytest.mark.proves("TRANSPORT-early")
async def test_a_refused_upload_is_answered_while_it_still_runs() -> None:
    asked = 0

    async def script(client: Client) -> None:
        await client.head()
        await client.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nsorry")
        await client.left()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b"x" * 100_000

    async with listening(script) as server, transport() as sender:
        response = await sender.handle_async_request(request("POST", server.url(), content=endless()))
        assert (response.status_code, await response.aread()) == (413, b"sorry")
        assert places(sender) == (0, 0) and asked < 1000


@pytest.mark.parametrize("stage", ["head", "body", "upload"])
@pytest.mark.proves("TRANSPORT-leaves")
async def test_the_server_sees_at_once_that_a_caller_has_left(stage: str) -> None:
    begun, left = asyncio.Event(), asyncio.Event()

    async def script(client: Client) -> None:
        assert await client.head() is not None
        if stage == "body":
            await client.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
        begun.set()
        try:
            await client.left()
        finally:
            left.set()

    async def stalled() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async def call(sender: HTTP1Transport, server: Server) -> None:
        content = stalled() if stage == "upload" else b""
        await (await sender.handle_async_request(request("POST", server.url(), content=content))).aread()

    async with listening(script) as server, transport() as sender:
        task = asyncio.create_task(call(sender, server))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert places(sender) == (0, 0)
        await left.wait()


@pytest.mark.proves("TRANSPORT-leaves")
async def test_calls_cancelled_at_any_moment_leave_nothing_behind() -> None:
    async def call(sender: HTTP1Transport, server: Server) -> None:
        response = await sender.handle_async_request(request("GET", server.url()))
        await response.aread()

    async with listening(answering) as server, transport(3) as sender:
        for turns in range(60):
            tasks = [asyncio.create_task(call(sender, server)) for _ in range(6)]
            for _ in range(turns % 20):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(result is None for result in results[1::2])
        assert places(sender)[0] == places(sender)[1] <= 3


@pytest.mark.proves("TRANSPORT-same")
async def test_nobody_at_the_address_is_a_connect_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with transport(1) as sender:
            for _ in range(3):
                with pytest.raises(httpx2.ConnectError):
                    await sender.handle_async_request(request("GET", f"http://127.0.0.1:{port}/"))


@pytest.mark.proves("TRANSPORT-same")
async def test_small_writes_are_not_held_back() -> None:
    async with listening(answering) as server, transport() as sender:
        await (await sender.handle_async_request(request("GET", server.url()))).aread()
        [connection] = sender.pool._open
        line = connection._transport.get_extra_info("socket")
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.proves("TRANSPORT-same")
async def test_a_client_of_httpx2_works_on_it() -> None:
    async def script(client: Client) -> None:
        while received := await client.request():
            moved = received.target == b"/moved"
            await client.say(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n" if moved else OK)

    async with listening(script) as server, transport() as sender:
        async with httpx2.AsyncClient(transport=sender, follow_redirects=True) as client:
            response = await client.post(server.url("/moved"), json={"a": 1})
            assert (response.text, response.http_version, response.reason_phrase) == ("ok", "HTTP/1.1", "OK")
            async with client.stream("GET", server.url()) as streamed:
                assert [piece async for piece in streamed.aiter_bytes()] == [b"ok"]
            assert streamed.elapsed.total_seconds() >= 0
        assert server.came == 1
