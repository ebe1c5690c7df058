"""The transport of a connection as its answers see it."""

from __future__ import annotations

import asyncio

from gateway.outlet import HELD_BYTES, outlet_of


class Outbox:
    """What is written in one turn of the loop goes out together at its end."""

    __slots__ = ("_held", "_loop", "_outlet", "_size", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._outlet = outlet_of(loop)
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > HELD_BYTES:
            self.flush()
            self._transport.write(data)
        else:
            if not self._held:
                self._outlet.soon(self, self._loop)
            self._held.append(data)

    def flush(self) -> None:
        """Write what is held. A client that has left gets nothing."""
        held = self._held
        self._size = 0
        if held:
            self._held = []
            if not self._transport.is_closing():
                self._transport.write(b"".join(held))

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()
