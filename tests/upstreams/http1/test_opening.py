"""Names and addresses: which of them is connected to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import httpx2
import pytest

from gateway.upstreams.http1 import Dialer, HTTP1Transport
from gateway.upstreams.http1.opening import Address, resolve
from tests.upstreams.http1.outcomes import places
from tests.upstreams.http1.server import Client, listening
from tests.upstreams.http1.wire import request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
IPV4 = socket.AF_INET


async def answering(client: Client) -> None:
    while await client.request() is not None:
        await client.say(OK)


def sender(*addresses: Address, head_start: float = 30.0) -> HTTP1Transport:
    """A transport for which every name has these addresses."""

    async def known(host: str, port: int) -> list[Address]:
        return list(addresses)

    opening = Dialer(httpx2.create_ssl_context(), resolve=known, head_start=head_start)
    return HTTP1Transport(connections=2, idle_seconds=30, opening=opening)


@contextlib.contextmanager
def refusing() -> Iterator[Address]:
    """An address where nobody is."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield IPV4, taken.getsockname()


@contextlib.contextmanager
def swallowing() -> Iterator[Address]:
    """An address that never answers: its queue of connections is full."""
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield IPV4, full.getsockname()


@pytest.mark.proves("TRANSPORT-addresses")
async def test_an_address_that_refuses_leads_to_the_next_at_once() -> None:
    async with listening(answering) as server:
        with refusing() as nobody:
            transport = sender(nobody, nobody, (IPV4, ("127.0.0.1", server.port)))
            response = await transport.handle_async_request(request())
            assert await response.aread() == b"ok"
            await transport.aclose()


@pytest.mark.proves("TRANSPORT-addresses")
async def test_an_address_that_swallows_everything_costs_a_head_start() -> None:
    async with listening(answering) as server:
        with swallowing() as hole:
            transport = sender(hole, (IPV4, ("127.0.0.1", server.port)), head_start=0.01)
            response = await transport.handle_async_request(request())
            assert await response.aread() == b"ok"
            await transport.aclose()


@pytest.mark.proves("TRANSPORT-addresses")
async def test_no_address_that_answers_is_a_connect_error() -> None:
    with refusing() as nobody:
        for addresses in ([nobody], [nobody, nobody], []):
            transport = sender(*addresses)
            with pytest.raises(httpx2.ConnectError):
                await transport.handle_async_request(request())
            assert places(transport) == (0, 0)


@pytest.mark.proves("TRANSPORT-addresses", "TRANSPORT-timeouts")
async def test_addresses_that_swallow_everything_are_a_connect_timeout() -> None:
    with swallowing() as hole:
        for addresses in ([hole], [hole, hole]):
            transport = sender(*addresses, head_start=0.01)
            asked = request()
            asked.extensions["timeout"] = {"connect": 0.05}
            with pytest.raises(httpx2.ConnectTimeout):
                await transport.handle_async_request(asked)
            assert places(transport) == (0, 0)


@pytest.mark.proves("TRANSPORT-addresses", "TRANSPORT-leaves")
async def test_who_leaves_while_it_connects_leaves_no_attempt_behind() -> None:
    with swallowing() as hole:
        transport = sender(hole, hole, head_start=0.001)
        task = asyncio.create_task(transport.handle_async_request(request()))
        before = asyncio.all_tasks()
        while len(asyncio.all_tasks() - before) < 2:  # noqa: ASYNC110 - there is nothing else to wait for
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == before - {task}
        assert places(transport) == (0, 0)


@pytest.mark.proves("TRANSPORT-addresses")
async def test_a_name_that_no_resolver_can_take_is_a_connect_error() -> None:
    transport = HTTP1Transport(connections=1, idle_seconds=30, opening=Dialer(httpx2.create_ssl_context()))
    asked = request()
    asked.url = httpx2.URL("http://%s.example/" % ("x" * 70))
    with pytest.raises(httpx2.ConnectError):
        await transport.handle_async_request(asked)


@pytest.mark.proves("TRANSPORT-addresses")
async def test_this_machine_has_addresses() -> None:
    addresses = await resolve("localhost", 80)
    assert (IPV4, ("127.0.0.1", 80)) in addresses
    assert await resolve("127.0.0.1", 80) == [(IPV4, ("127.0.0.1", 80))]
