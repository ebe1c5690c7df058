"""What a call through a transport costs the process that makes it: `python -m bench.upstream_transport [rounds]`.

A small server in a process of its own answers with bytes made beforehand. Counted is the CPU time of the client, which
does nothing but call: a JSON answer, a stream of deltas that comes in one burst, and one with ten times as many, whose
difference is the price of a delta. Rounds of the transports alternate, so that a busy machine is busy for all.
"""
# ruff: noqa: T201 - a program for a terminal

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection
from typing import Literal, cast

import httpx2
import uvloop

from gateway.upstreams.transport import build_transport

KINDS: tuple[Literal["own", "httpx2"], ...] = ("own", "httpx2")
_EVENT = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"word ","pad":"%b"}\n\n'
)
_JSON = b'{"id":"resp_1","object":"response","text":"' + b"x" * 950 + b'"}'


def _stream(deltas: int) -> bytes:
    event = _EVENT % (b"p" * 180)
    chunks = (b"%x\r\n%b\r\n" % (len(event), event)) * deltas
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunks
        + b"0\r\n\r\n"
    )


ANSWERS = {
    b"j": b"HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
    b"Content-Type: application/json\r\n"
    b"X-Request-Id: abc\r\nContent-Length: %d\r\n\r\n%b" % (len(_JSON), _JSON),
    b"s": _stream(200),
    b"l": _stream(2000),
}


class _Server(asyncio.Protocol):
    """Takes whatever ends in the body's mark for a request; its path is one letter."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.path = b""

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"}"):
            at = data.find(b"/")
            self.path = data[at + 1 : at + 2] if data.startswith(b"POST") else self.path
            self.transport.write(ANSWERS[self.path])
        elif data.startswith(b"POST"):
            self.path = data[6:7]


def _serve(port: Connection) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    uvloop.run(run())


async def _calls(transport: httpx2.AsyncBaseTransport, url: httpx2.URL, calls: int, connections: int) -> float:
    """CPU seconds for so many calls, over so many connections at a time."""
    body = b'{"model":"m","input":"' + b"q" * 2700 + b'"}'
    headers = [
        (b"Host", url.netloc),
        (b"Authorization", b"Bearer " + b"k" * 40),
        (b"Content-Type", b"application/json"),
        (b"Accept-Encoding", b"identity"),
        (b"Content-Length", b"%d" % len(body)),
    ]
    timeouts: dict[str, float | None] = {"connect": 5, "pool": 5, "write": 5, "read": 5}

    async def work(times: int) -> None:
        for _ in range(times):
            request = httpx2.Request(
                "POST", url, headers=headers, stream=httpx2.ByteStream(body), extensions={"timeout": timeouts}
            )
            response = await transport.handle_async_request(request)
            stream = response.stream
            assert isinstance(stream, httpx2.AsyncByteStream)
            async for _piece in stream:
                pass
            await response.aclose()

    await work(connections)
    begun = time.process_time()
    await asyncio.gather(*(work(calls // connections) for _ in range(connections)))
    return time.process_time() - begun


async def _measure(port: int, rounds: int) -> None:
    counts = {"j": 4000, "s": 800, "l": 160}
    found: dict[tuple[str, str, int], list[float]] = {}
    for _ in range(rounds):
        for kind in KINDS:
            for connections in (1, 16):
                for path, calls in counts.items():
                    share = calls if kind == "own" else calls // 8
                    transport = build_transport(proxy_url="", connections=100, kind=kind)
                    url = httpx2.URL(f"http://127.0.0.1:{port}/{path}")
                    seconds = await _calls(transport, url, share, connections)
                    await transport.aclose()
                    found.setdefault((kind, path, connections), []).append(seconds / share * 1e6)
    for (who, path, connections), values in found.items():
        name = {"j": "JSON", "s": "stream of 200", "l": "stream of 2000"}[path]
        middle = statistics.median(values)
        spread = f"{min(values):.1f}-{max(values):.1f}"
        print(f"{who:7} {connections:3} connections  {name:15} {middle:9.1f} µs CPU  ({spread})")
    for kind in KINDS:
        for connections in (1, 16):
            long, short = (statistics.median(found[kind, path, connections]) for path in "ls")
            print(f"{kind:7} {connections:3} connections  a delta of a burst: {(long - short) / 1800:.3f} µs")


def main(rounds: int = 5) -> None:
    """Measure, and print medians with the least and the most."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    server.start()
    try:
        uvloop.run(_measure(here.recv(), rounds))
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
