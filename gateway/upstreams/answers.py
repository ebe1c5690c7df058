"""An answer over HTTP on its way to whoever reads it: whole or in pieces, within limits, its failures as our errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence, Set
from functools import cached_property
from types import AsyncGeneratorType

import httpx2

from gateway.errors import UpstreamError, UpstreamTimeout
from gateway.upstreams.faults import Faults
from gateway.upstreams.http1 import Exchange, by_name

RawHeaders = list[tuple[bytes, bytes]]

_DECODED = frozenset({"gzip", "x-gzip", "deflate"})
_PLAIN = frozenset({"", "identity"})
_NONE: Set[str] = frozenset()
_ABOUT_CODING = ("content-encoding", "content-length")


class HTTPAnswer:
    """An answer whose body has not been read (`gateway.upstreams.Answer`).

    `headers`, by their names in lower case, are about the body as `chunks` gives it: where a coding is taken off, they
    do not speak of it.
    """

    def __init__(
        self,
        status: int,
        raw: Sequence[tuple[bytes, bytes]],
        stream: httpx2.AsyncByteStream,
        host: str,
        *,
        limit: int,
        whole: float,
        codings: tuple[str, ...] = (),
    ) -> None:
        """`host`: who answers, for errors (`Faults`). `limit`, `whole`: bytes and seconds of `read`.

        `codings`: content codings that may stay.
        """
        self.status = status
        self._raw = raw
        self._stream = stream
        self._host = host
        self._limit = limit
        self._whole = whole
        self.headers: Mapping[str, str] = stream.named if isinstance(stream, Exchange) else by_name(raw)
        self._encodings: Set[str] = _NONE
        if "content-encoding" in self.headers:
            self._encodings = _codings(self.headers["content-encoding"], codings)
            if self._encodings:
                self.headers = {name: value for name, value in self.headers.items() if name not in _ABOUT_CODING}
        self._pieces: AsyncGenerator[bytes] | None = None

    @property
    def set_cookie(self) -> list[str]:
        """Every Set-Cookie as it came: they cannot be joined."""
        if "set-cookie" not in self.headers:
            return []
        return [value.decode("latin-1") for name, value in self._raw if name.lower() == b"set-cookie"]

    @cached_property
    def _decoding(self) -> AsyncIterator[bytes]:
        return httpx2.Response(self.status, headers=list(self._raw), stream=self._stream).aiter_bytes()

    @property
    def over(self) -> bool:
        """Whether the whole body has been read; where that cannot be known without waiting, False."""
        return isinstance(self._stream, Exchange) and self._stream.complete and not self._stream.held

    def chunks(self, take: Callable[[bytes], bytes | None] | None = None) -> AsyncIterator[bytes]:
        """The body as it comes, decompressed if the server compressed it unasked."""
        stream = self._stream
        if isinstance(stream, Exchange) and not self._encodings:
            stream.taker = take
            stream.told = Faults(self._host).told
            stream.headers = self._raw = ()  # a stream is open for long, and nobody asks for them any more
            return stream
        self._pieces = self._read()
        return self._pieces

    async def _read(self) -> AsyncGenerator[bytes]:
        with Faults(self._host):
            if not self._encodings:
                async for piece in self._stream:
                    yield piece
                    del piece  # the next one may be long in coming
            elif self._encodings <= _DECODED:
                async for piece in self._decoding:
                    yield piece
            else:
                raise UpstreamError(f"{self._host} answered in an encoding it was not asked for.")

    def whole(self) -> bytes | None:
        """The whole body, if it came in one read with its head, as most do, and is not too long for `read`."""
        stream = self._stream
        if not isinstance(stream, Exchange) or not stream.complete or self._encodings or stream.held > self._limit:
            return None
        return stream.rest()

    async def read(self) -> bytes:
        """The whole body, in at most `limits.json_seconds` and `limits.response_bytes`."""
        body = self.whole()
        if body is not None:
            return body
        pieces: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._whole):
                async for piece in self.chunks():
                    size += len(piece)
                    if size > self._limit:
                        raise self._too_long()
                    pieces.append(piece)
        except TimeoutError as error:
            raise UpstreamTimeout(f"{self._host} took longer than {self._whole:g} seconds to answer.") from error
        finally:
            await self.aclose()
        return b"".join(pieces)

    def _too_long(self) -> UpstreamError:
        return UpstreamError(f"The answer of {self._host} is longer than {self._limit} bytes.")

    async def aclose(self) -> None:
        """End the answer: an unread body closes its connection, so that the server sees that nobody listens."""
        stream = self._stream
        if isinstance(stream, Exchange):
            stream.end()
        else:
            await stream.aclose()
        if isinstance(self._pieces, AsyncGeneratorType) and not self._pieces.ag_running:
            await self._pieces.aclose()


def _codings(header: str, kept: tuple[str, ...]) -> set[str]:
    """The codings of a Content-Encoding that have to be taken off: all of them, unless all may stay."""
    found = {name.strip().lower() for name in header.split(",")} - _PLAIN
    return set() if found <= set(kept) else found
