"""Back pressure both ways, and pieces as they come."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from gateway.upstreams.http1.connection import HIGH_WATER
from tests.upstreams.http1.calls import CHUNKED, OK, Upload, body, paused, protocol, sending, turns, upload
from tests.upstreams.http1.outcomes import places
from tests.upstreams.http1.wire import Network, request


@pytest.mark.proves("TRANSPORT-backpressure")
async def test_a_reader_who_does_not_read_stops_the_server() -> None:
    network = Network([])
    task = sending(network, request())
    await turns()
    [wire] = network.wires
    wire.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
    stream = body(await task)
    received = 0
    while wire.reading:
        wire.receive(b"x" * 10_000)
        received += 10_000
        assert stream.held <= HIGH_WATER + 20_000
    assert received > HIGH_WATER - 20_000
    assert len(await anext(stream)) == received
    assert wire.reading and stream.held == 0
    await stream.aclose()
    assert wire.aborted


@pytest.mark.proves("TRANSPORT-backpressure")
async def test_many_small_pieces_count_too() -> None:
    network = Network([])
    task = sending(network, request())
    await turns()
    [wire] = network.wires
    wire.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
    stream = body(await task)
    count = 0
    while wire.reading:
        wire.receive(b"x")
        count += 1
    assert count < 5000
    assert await anext(stream) == b"x" * count
    await stream.aclose()


@pytest.mark.proves("TRANSPORT-backpressure")
async def test_a_connection_that_was_stopped_reads_again_when_it_serves_the_next() -> None:
    network = Network([])
    task = sending(network, request())
    await turns()
    [wire] = network.wires
    wire.receive(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (HIGH_WATER + 2) + b"x" * (HIGH_WATER + 1))
    stream = body(await task)
    assert not wire.reading
    assert len(await anext(stream)) == HIGH_WATER + 1
    wire.receive(b"x")
    assert wire.reading and places(network.transport) == (1, 1)
    assert await anext(stream) == b"x"
    await network.transport.aclose()


@pytest.mark.proves("TRANSPORT-backpressure")
async def test_what_one_read_brought_is_one_piece() -> None:
    network = Network([])
    task = sending(network, request())
    await turns()
    network.wires[0].receive(CHUNKED)
    stream = body(await task)
    network.wires[0].receive(b"3\r\nabc\r\n2\r\nde\r\n4\r\nfg")
    assert await anext(stream) == b"abcdefg"
    waiting = asyncio.create_task(anext(stream))
    await turns()
    network.wires[0].receive(b"hi\r\n1\r\nj\r\n0\r\n\r\n")
    assert await waiting == b"hij"
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    await network.transport.aclose()


@pytest.mark.proves("TRANSPORT-backpressure")
async def test_a_server_that_does_not_read_stops_the_source() -> None:
    network = Network([])
    source = Upload(*[b"x" * 100] * 5, None)
    network.transport._opening = paused(network)
    task = sending(network, upload(source))
    await turns()
    assert source.asked == 1
    protocol(network).resume_writing()
    await turns()
    assert source.asked == 6 and source.closed
    network.wires[0].receive(OK)
    assert (await task).status_code == 200
    assert network.wires[0].written.partition(b"\r\n\r\n")[2] == (b"64\r\n" + b"x" * 100 + b"\r\n") * 5 + b"0\r\n\r\n"
    await network.transport.aclose()


@pytest.mark.proves("TRANSPORT-same")
async def test_what_came_before_a_fault_is_given_before_it() -> None:
    network = Network([])
    task = sending(network, request())
    await turns()
    network.wires[0].receive(CHUNKED + b"2\r\nok\r\nnonsense\r\n")
    stream = body(await task)
    assert await anext(stream) == b"ok"
    with pytest.raises(httpx2.RemoteProtocolError):
        await anext(stream)
    with pytest.raises(httpx2.RemoteProtocolError):
        await anext(stream)
