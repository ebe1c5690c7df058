"""Large bodies are read where they stay, past the parser.

Most of what a body costs is being copied: from the read to the parser's, from there to a piece, from the pieces to the
whole. Of a body whose length was told nothing but its end has to be found. So once its head has been parsed, the system
reads the rest into its place, and a new parser takes what comes behind it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.inlet import buffer_of

if TYPE_CHECKING:
    from gateway.cli.cycle import Cycle
    from gateway.cli.protocol import Protocol

LEAST_BYTES = 64 * 1024
"""Of a body. With a shorter one it would cost more than it saves."""

READ_BYTES = 64 * 1024
"""Of a read of what is parsed. Few: what of a body is read with its head is copied."""


class Intake(asyncio.BufferedProtocol):
    """What a transport reads into, instead of `protocol`, from the first large body of its connection on."""

    __slots__ = ("_buffer", "_cycle", "_due", "_in_place", "_protocol")

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._buffer = buffer_of(protocol.loop)[:READ_BYTES]
        self._cycle: Cycle | None = None
        """Of the request whose body is read."""
        self._due = 0
        """Bytes of that body that have not come yet."""
        self._in_place = False
        """They come where the cycle wants them."""

    def begin(self, cycle: Cycle, due: int) -> None:
        """So many bytes of the body of `cycle` are due."""
        self._cycle, self._due = cycle, due

    def get_buffer(self, sizehint: int) -> memoryview:
        cycle = self._cycle
        if cycle is None:
            return self._buffer
        place = cycle.place(self._due)
        self._in_place = place is not None
        return self._buffer[: self._due] if place is None else place.rest()

    def buffer_updated(self, nbytes: int) -> None:
        cycle, protocol = self._cycle, self._protocol
        if cycle is None:
            protocol.data_received(self._buffer[:nbytes])
            return
        self._due -= nbytes
        if self._in_place:
            cycle.filled(nbytes, self._due)
        else:
            protocol.on_body(bytes(self._buffer[:nbytes]))
        if not self._due:
            self._cycle = None
            protocol.on_body_end()

    def eof_received(self) -> None:
        self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cycle = None
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()
