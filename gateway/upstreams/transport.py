"""The one seam to the network: how bytes leave for an upstream and how its answer comes back, unread.

Calls go to the transport itself, with ready URLs and header lists. A client object between them would merge headers,
cookies and redirects that nobody wants here, at ten times the cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from types import AsyncGeneratorType
from typing import TYPE_CHECKING, Literal

import httpx2

from gateway.errors import GatewayError, UpstreamError, UpstreamTimeout
from gateway.upstreams.faults import faults
from gateway.upstreams.http1 import Dialer, HTTP1Transport

if TYPE_CHECKING:
    from gateway.config import Settings

RawHeaders = list[tuple[bytes, bytes]]

_REFUSAL_BYTES = 1024 * 1024
"""No error text is longer; a page that is can be cut."""

_IDLE_CONNECTION_SECONDS = 30
"""Below the keep-alive time of the usual servers (60 s and more), so that ours is the side that hangs up."""

_DECODED = frozenset({"gzip", "x-gzip", "deflate"})
_PLAIN = frozenset({"", "identity"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""Methods of which servers demand a Content-Length even when there is nothing to send."""


def build_transport(
    *,
    proxy_url: str,
    connections: int,
    trust_environment: bool = False,
    kind: Literal["own", "httpx2"] = "own",
) -> httpx2.AsyncBaseTransport:
    """The transport of upstream calls: the one place that chooses it.

    `kind`: HTTP/1.1 as `gateway.upstreams.http1` speaks it, or httpx2's own transport, which is also what goes through
    a proxy. `proxy_url`: http, https, socks5 or socks5h; "" for none. `trust_environment` lets `SSL_CERT_FILE` and
    `SSL_CERT_DIR` name the trusted certificates. Proxy variables of the environment are never read.
    Raises ValueError for a proxy address that cannot be used.
    """
    if kind == "own" and not proxy_url:
        return HTTP1Transport(
            connections=connections,
            idle_seconds=_IDLE_CONNECTION_SECONDS,
            opening=Dialer(httpx2.create_ssl_context(trust_env=trust_environment)),
        )
    limits = httpx2.Limits(
        max_connections=connections,
        max_keepalive_connections=connections,
        keepalive_expiry=_IDLE_CONNECTION_SECONDS,
    )
    proxy = httpx2.Proxy(proxy_url) if proxy_url else None
    return httpx2.AsyncHTTPTransport(trust_env=trust_environment, limits=limits, proxy=proxy)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds, and how much to hold, in bytes."""

    connect: float
    """For a connection, and for the body of a refusal."""
    idle: float
    """For the head of an answer, and between two pieces of a stream."""
    whole: float
    """For an answer that is not a stream."""
    answer_bytes: int
    """The longest answer that is read into memory."""

    @classmethod
    def of(cls, settings: Settings) -> Patience:
        """What the settings say."""
        limits = settings.limits
        return cls(settings.upstream.timeout_seconds, limits.idle_seconds, limits.json_seconds, limits.response_bytes)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request. `wait` bounds silence, and the whole of `HTTPAnswer.read`; None: the patience for a stream.

    `length`: of a body that comes in pieces; None when nobody knows it yet, then it is sent in chunks.
    `codings`: content codings that the answer may have, and keeps.
    """

    method: str
    url: httpx2.URL
    headers: RawHeaders
    body: bytes | AsyncIterable[bytes] = b""
    wait: float | None = None
    length: int | None = None
    codings: tuple[str, ...] = ()

    def framing(self) -> RawHeaders:
        """The headers that say where the body ends."""
        if isinstance(self.body, bytes):
            told = self.body or self.method in _WITH_BODY
            return [(b"Content-Length", b"%d" % len(self.body))] if told else []
        if self.length is None:
            return [(b"Transfer-Encoding", b"chunked")]
        return [(b"Content-Length", b"%d" % self.length)]


class _Pieces(httpx2.AsyncByteStream):
    """A request body as it comes. What its source raises ends the call, whose connection is closed."""

    def __init__(self, source: AsyncIterable[bytes]) -> None:
        self._source = source

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._source)


class Line:
    """The way to one upstream: a transport and the patience that goes with it."""

    def __init__(self, transport: httpx2.AsyncBaseTransport, patience: Patience) -> None:
        self._transport = transport
        self._patience = patience

    async def send(self, outgoing: Outgoing) -> HTTPAnswer:
        """Send a request and return its answer, unread, whatever its status is.

        Raises UpstreamUnavailable, UpstreamTimeout, UpstreamError, and what a body that comes in pieces raises.
        """
        patience = self._patience
        silence = patience.idle if outgoing.wait is None else outgoing.wait
        body = outgoing.body
        request = httpx2.Request(
            outgoing.method,
            outgoing.url,
            headers=[
                (b"Host", outgoing.url.netloc),
                *outgoing.headers,
                # Compressed events would wait in the compressor, and cost both sides time.
                (b"Accept-Encoding", ", ".join(outgoing.codings or ("identity",)).encode("ascii")),
                *outgoing.framing(),
            ],
            stream=httpx2.ByteStream(body) if isinstance(body, bytes) else _Pieces(body),
            extensions={
                "timeout": {
                    "connect": patience.connect,
                    "pool": patience.connect,
                    # A server may think long about a whole body, but not about its next piece.
                    "write": silence if isinstance(body, bytes) else patience.idle,
                    "read": silence,
                },
                # Whoever calls repeats a call that broke anyway; on a connection that had died unseen it is for free.
                "resend": True,
            },
        )
        with faults(outgoing.url.netloc.decode()):
            response = await self._transport.handle_async_request(request)
        return HTTPAnswer(
            response,
            host=outgoing.url.netloc.decode(),
            limit=patience.answer_bytes,
            whole=outgoing.wait or patience.whole,
            codings=outgoing.codings,
        )

    async def refusal_body(self, answer: HTTPAnswer) -> bytes:
        """The body of an answer that is not 2xx, as much of it as can be had; closes the answer."""
        pieces: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._patience.connect):
                async for piece in answer.chunks():
                    pieces.append(piece)
                    size += len(piece)
                    if size >= _REFUSAL_BYTES:
                        break
        except (TimeoutError, GatewayError):
            pass  # The status already says what happened; the text is only an addition.
        finally:
            await answer.aclose()
        return b"".join(pieces)[:_REFUSAL_BYTES]


class HTTPAnswer:
    """An answer over HTTP whose body has not been read (`gateway.upstreams.Answer`).

    `headers` are about the body as `chunks` gives it: where a coding is taken off, they do not speak of it.
    """

    status: int
    headers: Mapping[str, str]

    def __init__(
        self, response: httpx2.Response, *, host: str, limit: int, whole: float, codings: tuple[str, ...] = ()
    ) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._encodings: set[str] = set()
        if "content-encoding" in response.headers:
            self._encodings = _codings(response.headers["content-encoding"], codings)
            if self._encodings:
                self.headers = response.headers.copy()
                for name in ("content-encoding", "content-length"):
                    self.headers.pop(name, None)
        self.set_cookie = response.headers.get_list("set-cookie")
        self._response = response
        self._host = host
        self._limit = limit
        self._whole = whole
        self._pieces: AsyncGenerator[bytes] | None = None

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, decompressed if the server compressed it unasked."""
        self._pieces = self._read()
        return self._pieces

    async def _read(self) -> AsyncGenerator[bytes]:
        with faults(self._host):
            if not self._encodings:
                stream = self._response.stream
                assert isinstance(stream, httpx2.AsyncByteStream)
                async for piece in stream:
                    yield piece
            elif self._encodings <= _DECODED:
                async for piece in self._response.aiter_bytes():
                    yield piece
            else:
                raise UpstreamError(f"{self._host} answered in an encoding it was not asked for.")

    async def read(self) -> bytes:
        """The whole body, in at most `limits.json_seconds` and `limits.response_bytes`."""
        pieces: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._whole):
                async for piece in self.chunks():
                    size += len(piece)
                    if size > self._limit:
                        raise UpstreamError(f"The answer of {self._host} is longer than {self._limit} bytes.")
                    pieces.append(piece)
        except TimeoutError as error:
            raise UpstreamTimeout(f"{self._host} took longer than {self._whole:g} seconds to answer.") from error
        finally:
            await self.aclose()
        return b"".join(pieces)

    async def aclose(self) -> None:
        """End the answer: an unread body closes its connection, so that the server sees that nobody listens."""
        await self._response.aclose()
        if isinstance(self._pieces, AsyncGeneratorType) and not self._pieces.ag_running:
            await self._pieces.aclose()


def _codings(header: str, kept: tuple[str, ...]) -> set[str]:
    """The codings of a Content-Encoding that have to be taken off: all of them, unless all may stay."""
    found = {name.strip().lower() for name in header.split(",")} - _PLAIN
    return set() if found <= set(kept) else found
