"""The model server of `make bench`: streams made beforehand, every event an HTTP chunk of its own.

`python -m bench.model PORT TLS_PORT CERTIFICATE`. A place is the first part of the path (`bench.places`). A burst is
one write, and no answer has a length, as with real model servers; nginx could not send that from a file.

`GET /count` tells how many events have been written one by one so far, so that what a proxy did can be shared out among
them. `GET /hold` makes the silent streams fall silent; `GET /release` lets them, and all that come later, go on.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import cast

import uvloop

from bench.answers import stream
from bench.places import PLACES, Place

PAUSE_SECONDS = 0.02
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@lru_cache(maxsize=8)  # the longest are 160 MB
def burst(place: Place) -> bytes:
    """The whole answer."""
    return b"".join([_HEAD, *map(chunk, stream(place)), _END])


@lru_cache(maxsize=16)
def events(place: Place) -> list[bytes]:
    """The parts of the answer that are written one by one."""
    if place.manner == "trickle":
        return [_HEAD, *(chunk(bytes([byte])) for event in stream(place) for byte in event), _END]
    return [_HEAD, *map(chunk, stream(place)), _END]


class Model(asyncio.Protocol):
    """One request after the other on a connection; the body is read to its length and not looked at."""

    written = 0
    held: set[Model] | None = None
    """Silent streams; None: let go on."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.buffer = b""
        self.rest: Iterator[bytes] = iter(())

    def connection_lost(self, exc: Exception | None) -> None:
        if Model.held is not None:
            Model.held.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length or b"0"):
            return
        self.buffer = b""
        method, _, path = head.partition(b"\r\n")[0].decode().partition(" ")
        self.answer(method, path.partition(" ")[0])

    def answer(self, method: str, path: str) -> None:
        place = PLACES.get(path.split("/")[1])
        if method == "GET":
            self.control(path)
        elif not place or not place.deltas or not path.endswith(place.route):
            self.transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        elif place.manner == "burst":
            self.transport.write(burst(place))
        else:
            self.rest = iter(events(place))
            self.transport.write(next(self.rest))
            {"paced": self.pace, "trickle": self.trickle, "silent": self.begin}[place.manner]()

    def control(self, path: str) -> None:
        if path == "/hold":
            Model.held = set()
        elif path == "/release":
            held, Model.held = Model.held or set(), None
            for stream in held:
                stream.finish()
        told = b"%d" % Model.written
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))

    def _next(self, again: Callable[[Callable[[], None]], object], step: Callable[[], None]) -> None:
        """Write the next part unless nobody listens, and see to it that `step` is called for the one after."""
        part = next(self.rest, None)
        if part is None or self.transport.is_closing():
            return
        self.transport.write(part)
        if part is not _END:
            Model.written += 1
            again(step)

    def pace(self) -> None:
        """An event each 20 ms; those before and after the deltas come as slowly."""
        loop = asyncio.get_running_loop()
        self._next(lambda step: loop.call_later(PAUSE_SECONDS, step), self.pace)

    def trickle(self) -> None:
        """A byte in each turn of the loop."""
        self._next(asyncio.get_running_loop().call_soon, self.trickle)

    def begin(self) -> None:
        """The role and the first delta; the rest when it is asked for."""
        self.transport.write(next(self.rest) + next(self.rest))
        if Model.held is None:
            self.finish()
        else:
            Model.held.add(self)

    def finish(self) -> None:
        self.transport.write(b"".join(self.rest))


async def _serve(port: int, tls_port: int, certificate: str) -> None:
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    await loop.create_server(Model, "127.0.0.1", port, backlog=2048)
    await loop.create_server(Model, "127.0.0.1", tls_port, backlog=2048, ssl=context)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
