"""Calls that are cancelled or closed, wherever they are."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from tests.upstreams.http1.calls import CHUNKED, OK, Upload, body, paused, reading, sending, turns, upload
from tests.upstreams.http1.outcomes import places
from tests.upstreams.http1.wire import Network, request


@pytest.mark.parametrize("stage", ["source", "drain", "head", "body"])
@pytest.mark.proves("TRANSPORT-leaves")
async def test_a_cancelled_call_closes_its_connection_wherever_it_waits(stage: str) -> None:
    network = Network([])
    source = Upload(b"x")
    if stage == "drain":
        network.transport._opening = paused(network)

    async def call() -> None:
        asked = upload(source) if stage in ("source", "drain") else request()
        response = await network.transport.handle_async_request(asked)
        await reading(response)

    task = asyncio.create_task(call())
    await turns()
    if stage == "body":
        network.wires[0].receive(CHUNKED + b"1\r\nx\r\n")
        await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert network.wires[0].aborted and places(network.transport) == (0, 0)
    assert source.closed or stage in ("head", "body")


@pytest.mark.proves("TRANSPORT-leaves")
async def test_a_call_cancelled_while_it_connects_gives_its_place_back() -> None:
    network = Network([])

    async def never(connection: object, seconds: float | None) -> None:
        await asyncio.Event().wait()

    network.transport._opening = never
    task = sending(network, request())
    await turns()
    assert places(network.transport) == (1, 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert places(network.transport) == (0, 0)


@pytest.mark.proves("TRANSPORT-leaves")
async def test_closing_an_answer_wakes_whoever_reads_it() -> None:
    network = Network([])
    task = sending(network, request())
    await turns()
    network.wires[0].receive(CHUNKED)
    stream = body(await task)
    waiting = asyncio.create_task(anext(stream))
    await turns()
    await stream.aclose()
    with pytest.raises(httpx2.StreamClosed):
        await waiting
    with pytest.raises(httpx2.StreamClosed):
        await anext(stream)
    assert network.wires[0].aborted


@pytest.mark.proves("TRANSPORT-leaves")
async def test_an_answer_closed_unread_never_looks_whole() -> None:
    network = Network([OK])
    stream = body(await network.transport.handle_async_request(request()))
    await stream.aclose()
    with pytest.raises(httpx2.StreamClosed):
        await anext(stream)
    assert places(network.transport) == (1, 1)
    await network.transport.aclose()


@pytest.mark.proves("TRANSPORT-leaves")
async def test_closing_the_transport_ends_calls_in_flight() -> None:
    network = Network([])
    task = sending(network, request())
    await turns()
    await network.transport.aclose()
    with pytest.raises(httpx2.ReadError):
        await task
    assert places(network.transport) == (0, 0)


@pytest.mark.proves("TRANSPORT-leaves")
async def test_a_request_whose_connection_is_closed_in_the_same_turn_is_never_written() -> None:
    network = Network([], [])
    first = sending(network, request())
    await turns()
    network.wires[0].receive(OK)
    await first
    second = sending(network, request())
    asyncio.get_running_loop().call_soon(network.transport.pool.close)
    with pytest.raises(httpx2.ReadError):
        await second
    await turns()
    assert bytes(network.wires[0].written).count(b"GET ") == 1
    assert network.wires[0].aborted and places(network.transport) == (0, 0)


@pytest.mark.proves("TRANSPORT-leaves")
async def test_an_answer_that_comes_before_its_request_was_written_serves_nobody_after_it() -> None:
    network = Network([], [])
    first = sending(network, request())
    await turns()
    network.wires[0].receive(OK)
    await first
    second = sending(network, request())
    asyncio.get_running_loop().call_soon(network.wires[0].receive, OK)
    await second
    await turns()
    assert bytes(network.wires[0].written).count(b"GET ") == 1
    assert network.wires[0].aborted and places(network.transport) == (0, 0)
