"""A network in memory: every byte, pause and end is in the hands of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import httpx2

from gateway.upstreams.http1 import HTTP1Transport
from gateway.upstreams.http1.connection import Connection

EOF = b""
"""In a script: the server closes its side."""


class Wire(asyncio.Transport):
    """One connection, as asyncio shows it to a protocol. `written` has what the client sent."""

    def __init__(self, protocol: Connection, on_write: Callable[[Wire], None]) -> None:
        super().__init__()
        self._protocol = protocol
        self._on_write = on_write
        self.loop = asyncio.get_running_loop()
        self.written = bytearray()
        self.reading = True
        self.unsent = 0
        """What `get_write_buffer_size` tells."""
        self.closing = False
        self.aborted = False
        self.waiting: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.closing:
            self.written += data
            self._on_write(self)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self._end(None)

    def abort(self) -> None:
        self.aborted = True
        self._end(None)

    def _end(self, error: Exception | None) -> None:
        if not self.closing:
            self.closing = True
            self.loop.call_soon(self._protocol.connection_lost, error)

    # what the server and the network do -------------------------------------------------------------------------------

    def play(self, script: Sequence[bytes]) -> None:
        """Let the pieces arrive, each in a turn of the loop of its own, as far as the client reads."""
        self.waiting.extend(script)
        self.loop.call_soon(self._arrive)

    def _arrive(self) -> None:
        if self.waiting and not self.closing:
            if self.reading:
                self.receive(self.waiting.pop(0))
            self.loop.call_soon(self._arrive)

    def receive(self, data: bytes) -> None:
        """Let these bytes arrive now."""
        if data == EOF:
            self._protocol.eof_received()
            self._end(None)
        else:
            self._protocol.data_received(data)

    def reset(self) -> None:
        """Let the connection break."""
        self._end(ConnectionResetError(104, "Connection reset by peer"))


class Network:
    """A server on the other side: the n-th connection answers each request with its script of pieces."""

    def __init__(self, *scripts: Sequence[bytes], ends: bytes = b"\r\n\r\n") -> None:
        self._scripts = list(scripts)
        self._ends = ends
        self.wires: list[Wire] = []
        self.transport = HTTP1Transport(connections=10, idle_seconds=30, opening=self._open)

    async def _open(self, connection: Connection, seconds: float | None) -> None:
        script = self._scripts[min(len(self.wires), len(self._scripts) - 1)] if self._scripts else ()

        def answer(wire: Wire) -> None:
            if script and wire.written.endswith(self._ends):
                wire.play(script)

        wire = Wire(connection, answer)
        self.wires.append(wire)
        connection.connection_made(wire)


def request(method: str = "GET", url: str = "http://host/path", **changes: Any) -> httpx2.Request:
    """A request with patience for five seconds."""
    request = httpx2.Request(method, url, **changes)
    request.extensions.setdefault("timeout", dict.fromkeys(("connect", "pool", "read", "write"), 5.0))
    return request
