"""The transport of a connection as its answers see it."""

from __future__ import annotations

import asyncio

from gateway.outlet import HELD_BYTES, outlet_of

JOINED_BYTES = 16 * 1024
"""Up to here pieces are joined to be written; beyond, the copy would be dearer than to write them as they are."""


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

    def write_chunk(self, data: bytes, last: bool) -> None:
        """A piece of a body that is sent in chunks; `last`: and its end, which is all there is of an empty one."""
        end = b"0\r\n\r\n" if last else b""
        if len(data) > JOINED_BYTES:
            self.write(b"%x\r\n" % len(data))
            self.write(data)
            self.write(b"\r\n" + end)
        elif data:
            self.write(b"%x\r\n%b\r\n%b" % (len(data), data, end))
        elif last:
            self.write(end)

    def flush(self) -> None:
        """Write what is held. A client that has left gets nothing."""
        held = self._held
        size, self._size = self._size, 0
        if held:
            self._held = []
            if self._transport.is_closing():
                return
            if size <= JOINED_BYTES:
                self._transport.write(b"".join(held))
            else:
                self._transport.writelines(held)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()
