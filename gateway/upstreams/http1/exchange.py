"""One answer on its way from a connection to its reader: the stream of an `httpx2.Response`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from gateway.upstreams.http1.connection import Connection

PIECE_COST = 64
"""What a waiting piece costs beside its bytes: many small ones count too."""


class Exchange(httpx2.AsyncByteStream):
    """An answer as far as it came. `connection` is None as soon as the two have nothing more to do with each other.

    `headers` are as they came, `named` by their names in lower case.
    `begun`: when, on the clock of the loop. `status` is 0 until the head is whole. `heard`: something came back, so
    the request must not be sent again. `interim`: answers of 1xx before the one that counts. `broken`: the connection
    ended, nobody ended it here. `sent`: the whole request is written.
    A body that was received whole needs its connection no longer, even if nobody has read it yet.
    `told`: says an error, as the reader is told of it, in other words; None for one that it has none for.
    `join`: makes one piece of a body that comes whole, with its head; None where nothing is to be seen in that.
    `taker`: asked first for a piece that comes while the reader waits for it. It returns what is left for the reader:
    None for nothing, so that he waits on, b"" to wake him.
    """

    # What an object does not set is as it is here: most answers set little of it.
    connection: Connection | None
    status = 0
    version = b"HTTP/1.1"
    reason = b""
    headers: Sequence[tuple[bytes, bytes]] = ()
    named: dict[str, str] = {}  # noqa: RUF012 - replaced, never changed
    sent = heard = broken = complete = False
    error: Exception | None = None
    join: Callable[[list[bytes]], bytes] | None = None
    taker: Callable[[bytes], bytes | None] | None = None
    told: Callable[[Exception], Exception | None] | None = None
    interim = 0
    held = 0

    def __init__(self, connection: Connection, bodyless: bool, read_timeout: float | None, begun: float) -> None:
        self.connection = connection
        self.bodyless = bodyless
        self.read_timeout = read_timeout
        self.begun = begun
        self._pieces: list[bytes] = []

    def put(self, piece: bytes) -> int:
        """Keep a piece for the reader; returns how much waits for him, in bytes."""
        self._pieces.append(piece)
        self.held += len(piece) + PIECE_COST
        return self.held

    def __aiter__(self) -> Exchange:
        return self

    async def __anext__(self) -> bytes:
        """What has come since the last time, as one piece.

        Raises ReadTimeout, ReadError, RemoteProtocolError, and StreamClosed when the answer has been closed here.
        """
        while True:
            pieces = self._pieces
            if pieces:
                piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
                pieces.clear()
                self.held = 0
                if self.connection is not None:
                    self.connection.taken()
                return piece
            if self.complete:
                raise StopAsyncIteration
            connection = self.connection
            if connection is None:
                raise self._failure()
            try:
                await connection.news(self.read_timeout, httpx2.ReadTimeout)
            except BaseException:
                connection.abandon(self)
                raise

    def _failure(self) -> Exception:
        """Why there is no more, in the words of whoever reads."""
        error = self.error
        assert error is not None
        told = None if self.told is None else self.told(error)
        if told is None:
            return error
        told.__cause__ = error
        return told

    def rest(self) -> bytes:
        """All that nobody has read of an answer that is complete."""
        pieces = self._pieces
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.held = 0
        return piece

    async def aclose(self) -> None:
        """End the answer. One that is not complete ends its connection, so that the server sees that nobody listens."""
        self.end()

    def end(self) -> None:
        """The same; nothing in it waits."""
        self.taker = None
        if self.complete and not self._pieces:
            return  # read to its end
        self._pieces.clear()
        if self.connection is not None:
            self.connection.abandon(self)
        if self.error is None:
            self.complete, self.error = False, httpx2.StreamClosed()
