"""How long is waited for what."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from tests.upstreams.http1.calls import CHUNKED, OK, Upload, body, kept, paused, protocol, sending, turns, upload
from tests.upstreams.http1.conftest import Clock
from tests.upstreams.http1.outcomes import places
from tests.upstreams.http1.wire import Network, request


@pytest.mark.proves("TRANSPORT-timeouts")
async def test_every_piece_has_the_whole_time_to_come(clock: Clock) -> None:
    network = Network([])
    task = sending(network, request())
    await turns()
    await clock.skip(4)
    network.wires[0].receive(CHUNKED)
    stream = body(await task)
    for _ in range(5):
        piece = asyncio.create_task(anext(stream))
        await clock.skip(4)
        network.wires[0].receive(b"1\r\nx\r\n")
        assert await piece == b"x"
    # Nobody waits: time passes for nothing.
    await clock.skip(100)
    network.wires[0].receive(b"1\r\ny\r\n")
    assert await anext(stream) == b"y"
    late = asyncio.create_task(anext(stream))
    await clock.skip(6)
    with pytest.raises(httpx2.ReadTimeout):
        await late
    assert network.wires[0].aborted and places(network.transport) == (0, 0)


@pytest.mark.proves("TRANSPORT-timeouts")
async def test_a_head_that_drips_is_late_all_the_same(clock: Clock) -> None:
    network = Network([])
    task = sending(network, request())
    await turns()
    for byte in b"HTTP/1.1":
        network.wires[0].receive(bytes([byte]))
        await clock.skip(1)
    with pytest.raises(httpx2.ReadTimeout):
        await task


@pytest.mark.proves("TRANSPORT-timeouts")
async def test_chunks_without_content_are_no_sign_of_life(clock: Clock) -> None:
    network = Network([])
    task = sending(network, request())
    await turns()
    network.wires[0].receive(CHUNKED + b"5;")
    late = asyncio.create_task(anext(body(await task)))
    for _ in range(6):
        await clock.skip(1)
        network.wires[0].receive(b"x")
    with pytest.raises(httpx2.ReadTimeout):
        await late


@pytest.mark.proves("TRANSPORT-timeouts")
async def test_an_interim_answer_is_a_sign_of_life(clock: Clock) -> None:
    network = Network([])
    task = sending(network, request())
    await turns()
    for _ in range(3):
        await clock.skip(4)
        network.wires[0].receive(b"HTTP/1.1 102 Processing\r\n\r\n")
    await clock.skip(4)
    network.wires[0].receive(OK)
    assert (await task).status_code == 200
    await network.transport.aclose()


@pytest.mark.proves("TRANSPORT-timeouts")
async def test_a_shorter_patience_counts_also_after_a_longer_one(clock: Clock) -> None:
    network = Network([])
    await kept(network)
    hasty = request()
    hasty.extensions["timeout"] = {"read": 1.0}
    task = sending(network, hasty)
    await turns()
    await clock.skip(2)
    with pytest.raises(httpx2.ReadTimeout):
        await task


@pytest.mark.proves("TRANSPORT-timeouts")
async def test_no_timeout_is_no_timeout(clock: Clock) -> None:
    network = Network([])
    patient = request()
    patient.extensions["timeout"] = {"read": None}
    task = sending(network, patient)
    await clock.skip(1_000_000)
    network.wires[0].receive(OK)
    assert (await task).status_code == 200
    await network.transport.aclose()


@pytest.mark.proves("TRANSPORT-timeouts")
async def test_a_server_that_takes_nothing_is_a_write_timeout(clock: Clock) -> None:
    network = Network([])
    task = sending(network, upload(Upload(b"x" * 1000), 2000))
    await turns()
    protocol(network).pause_writing()
    network.wires[0].unsent = 1000
    asked = task
    await turns()
    # The source still waits, which is not the server's fault.
    await clock.skip(100)
    assert not asked.done()
    await network.transport.aclose()
    with pytest.raises(httpx2.ReadError):
        await task

    network = Network([])
    source = Upload(b"x" * 1000, b"x" * 1000)
    network.transport._opening = paused(network)
    task = sending(network, upload(source, 2000))
    await turns()
    await clock.skip(6)
    with pytest.raises(httpx2.WriteTimeout):
        await task
    assert source.closed and source.asked == 1
