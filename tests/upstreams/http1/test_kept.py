"""Connections that are used again: when, and what it costs when they are dead."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest

from tests.upstreams.http1.calls import OK, RESET, Upload, die, kept, reading, sending, turns, upload, upload_of_bytes
from tests.upstreams.http1.conftest import Clock
from tests.upstreams.http1.outcomes import places
from tests.upstreams.http1.wire import EOF, Network, request


@pytest.mark.proves("TRANSPORT-pool")
async def test_a_connection_is_free_as_soon_as_the_answer_is_here_read_or_not() -> None:
    network = Network([OK])
    first = await network.transport.handle_async_request(request())
    assert places(network.transport) == (1, 1)
    second = await network.transport.handle_async_request(request())
    assert len(network.wires) == 1
    assert (await reading(first), await reading(second)) == (b"ok", b"ok")
    await first.aclose()
    assert places(network.transport) == (1, 1)
    await network.transport.aclose()


@pytest.mark.parametrize("last", [EOF, RESET, b"HTTP/1.1 408 Request Timeout\r\n\r\n"], ids=["end", "reset", "answer"])
@pytest.mark.proves("TRANSPORT-idle")
async def test_what_happens_to_an_idle_connection_is_noticed_at_once(last: bytes) -> None:
    network = Network([OK], [OK])
    await network.transport.handle_async_request(request())
    [wire] = network.wires
    wire.reset() if last == RESET else wire.receive(last)
    await turns()
    assert places(network.transport) == (0, 0) and wire.closing
    await network.transport.handle_async_request(upload_of_bytes())
    assert len(network.wires) == 2
    await network.transport.aclose()


@pytest.mark.parametrize("how", [EOF, RESET], ids=["end", "reset"])
@pytest.mark.parametrize(
    ("asked", "again"),
    [
        pytest.param(request, True, id="GET"),
        pytest.param(upload_of_bytes, False, id="POST"),
        pytest.param(lambda: upload_of_bytes(resend=True), True, id="POST that may be resent"),
        pytest.param(lambda: upload(Upload(b"\r\n\r\n"), 4), False, id="stream"),
    ],
)
@pytest.mark.proves("TRANSPORT-resend")
async def test_a_dead_kept_connection_costs_a_second_try_where_that_is_allowed(
    asked: Callable[[], httpx2.Request], again: bool, how: bytes
) -> None:
    network = Network([], [OK])
    await kept(network)
    task = sending(network, asked())
    await turns()
    die(network.wires[0], how)
    if again:
        assert await reading(await task) == b"ok"
        assert network.wires[1].written == network.wires[0].written[len(b"GET /path HTTP/1.1\r\nHost: host\r\n\r\n") :]
    else:
        with pytest.raises(httpx2.TransportError):
            await task
        assert len(network.wires) == 1
    await network.transport.aclose()
    assert places(network.transport) == (0, 0)


@pytest.mark.proves("TRANSPORT-resend")
async def test_nothing_is_sent_again_once_an_answer_has_begun() -> None:
    network = Network([], [OK])
    await kept(network)
    task = sending(network, request())
    await turns()
    network.wires[0].receive(b"H")
    network.wires[0].receive(EOF)
    with pytest.raises(httpx2.RemoteProtocolError):
        await task
    assert len(network.wires) == 1


@pytest.mark.proves("TRANSPORT-resend")
async def test_nothing_is_sent_a_third_time() -> None:
    network = Network([], [EOF])
    await kept(network)
    task = sending(network, request())
    await turns()
    network.wires[0].receive(EOF)
    with pytest.raises(httpx2.RemoteProtocolError):
        await task
    assert len(network.wires) == 2
    assert places(network.transport) == (0, 0)


@pytest.mark.proves("TRANSPORT-resend")
async def test_what_breaks_later_was_being_worked_on_and_is_not_sent_again(clock: Clock) -> None:
    network = Network([], [OK])
    await kept(network)
    task = sending(network, upload_of_bytes(resend=True))
    await turns()
    await clock.skip(3)
    network.wires[0].receive(EOF)
    with pytest.raises(httpx2.RemoteProtocolError):
        await task
    assert len(network.wires) == 1


@pytest.mark.proves("TRANSPORT-resend")
async def test_a_new_connection_that_dies_is_an_error_at_once() -> None:
    network = Network([EOF])
    with pytest.raises(httpx2.RemoteProtocolError):
        await network.transport.handle_async_request(request())
    assert len(network.wires) == 1


@pytest.mark.proves("TRANSPORT-resend", "TRANSPORT-timeouts")
async def test_silence_is_no_reason_to_send_again(clock: Clock) -> None:
    network = Network([], [OK])
    await kept(network)
    task = sending(network, request())
    await turns()
    await clock.skip(6)
    with pytest.raises(httpx2.ReadTimeout):
        await task
    assert len(network.wires) == 1 and network.wires[0].aborted
