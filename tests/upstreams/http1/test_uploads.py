"""Requests whose bodies are streams, and answers that come before their end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.upstreams.http1.calls import OK, RESET, Upload, die, paused, reading, sending, turns, upload
from tests.upstreams.http1.outcomes import places
from tests.upstreams.http1.wire import EOF, Network, request


@pytest.mark.parametrize("length", [None, 40_002], ids=["chunks", "length"])
@pytest.mark.proves("TRANSPORT-requests")
async def test_a_streamed_body_is_framed_as_its_head_says(length: int | None) -> None:
    network = Network([])
    source = Upload(b"a", b"", b"x" * 40_000, b"b", None)
    task = sending(network, upload(source, length))
    await turns(10)
    sent = bytes(network.wires[0].written).partition(b"\r\n\r\n")[2]
    whole = b"a" + b"x" * 40_000 + b"b"
    chunks = b"1\r\na\r\n9c40\r\n" + b"x" * 40_000 + b"\r\n1\r\nb\r\n0\r\n\r\n"
    assert sent == (chunks if length is None else whole)
    network.wires[0].receive(OK)
    await task
    assert places(network.transport) == (1, 1)
    await network.transport.aclose()


@pytest.mark.proves("TRANSPORT-requests", "TRANSPORT-pool")
async def test_an_answer_to_all_that_was_told_keeps_the_connection_whatever_the_source_does() -> None:
    network = Network([])
    source = Upload(b"abc")
    task = sending(network, upload(source, 3))
    await turns()
    network.wires[0].receive(OK)
    assert await reading(await task) == b"ok"
    assert source.closed and places(network.transport) == (1, 1)
    await network.transport.aclose()


@pytest.mark.parametrize("pieces", [(b"abcd", b"ef"), (b"abc",)], ids=["longer", "shorter"])
@pytest.mark.proves("TRANSPORT-requests")
async def test_a_streamed_body_of_another_length_than_told_ends_the_call(pieces: tuple[bytes, ...]) -> None:
    network = Network([])
    source = Upload(*pieces, None)
    with pytest.raises(httpx2.LocalProtocolError):
        await network.transport.handle_async_request(upload(source, 5))
    assert network.wires[0].aborted and source.closed
    assert len(network.wires[0].written.partition(b"\r\n\r\n")[2]) <= 5
    assert places(network.transport) == (0, 0)


@pytest.mark.proves("TRANSPORT-requests")
async def test_what_a_source_raises_ends_the_call() -> None:
    class Broken(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"x"
            raise TimeoutError("the client is slow")

    network = Network([])
    with pytest.raises(TimeoutError, match="the client is slow"):
        await network.transport.handle_async_request(upload(Broken()))
    assert network.wires[0].aborted


@pytest.mark.parametrize("waits", ["for its source", "for the server"])
@pytest.mark.proves("TRANSPORT-early")
async def test_an_early_answer_is_given_at_once(waits: str) -> None:
    network = Network([])
    source = Upload(b"x", b"y")
    if waits == "for the server":
        network.transport._opening = paused(network)
    task = sending(network, upload(source))
    await turns()
    [wire] = network.wires
    wire.receive(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\n")
    response = await task
    assert response.status_code == 413 and source.closed
    assert not task.cancelling()
    wire.receive(b"sorry")
    assert await reading(response) == b"sorry"
    assert wire.aborted and places(network.transport) == (0, 0)
    assert not wire.written.endswith(b"0\r\n\r\n")


@pytest.mark.proves("TRANSPORT-early")
async def test_an_early_answer_that_is_whole_at_once_is_given_too() -> None:
    network = Network([])
    source = Upload(b"x")
    task = sending(network, upload(source))
    await turns()
    network.wires[0].receive(OK)
    assert await reading(await task) == b"ok"
    assert network.wires[0].aborted and source.closed


@pytest.mark.proves("TRANSPORT-early")
async def test_an_early_answer_to_bytes_is_given_and_the_connection_not_kept() -> None:
    network = Network([])
    network.transport._opening = paused(network)
    task = sending(network, request("POST", headers={"Host": "host"}, content=b"x" * 1_000_000))
    await turns()
    network.wires[0].unsent = 500_000
    network.wires[0].receive(OK)
    assert await reading(await task) == b"ok"
    assert network.wires[0].aborted and places(network.transport) == (0, 0)


@pytest.mark.proves("TRANSPORT-early")
async def test_an_interim_answer_does_not_end_an_upload() -> None:
    network = Network([])
    source = Upload(b"x")
    task = sending(network, upload(source))
    await turns()
    network.wires[0].receive(b"HTTP/1.1 100 Continue\r\n\r\n")
    await turns()
    assert not task.done() and not source.closed
    source.pieces.put_nowait(None)
    await turns()
    network.wires[0].receive(OK)
    assert (await task).status_code == 200
    assert places(network.transport) == (1, 1)
    await network.transport.aclose()


@pytest.mark.parametrize("how", [EOF, RESET], ids=["end", "reset"])
@pytest.mark.proves("TRANSPORT-early")
async def test_a_connection_that_breaks_under_an_upload_is_an_error_at_once(how: bytes) -> None:
    network = Network([])
    source = Upload(b"x")
    task = sending(network, upload(source))
    await turns()
    die(network.wires[0], how)
    with pytest.raises(httpx2.RemoteProtocolError if how == EOF else httpx2.WriteError):
        await task
    assert source.closed
