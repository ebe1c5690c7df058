"""The one seam to the network: how bytes leave for an upstream and how its answer comes back, unread.

Calls go to the transport itself, with ready addresses and header lists. A client object between them would merge
headers, cookies and redirects that nobody wants here, at ten times the cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import httpx2

from gateway.errors import GatewayError
from gateway.upstreams import Join
from gateway.upstreams.answers import HTTPAnswer, RawHeaders
from gateway.upstreams.faults import Faults
from gateway.upstreams.http1 import Destination, Dialer, HTTP1Transport, Message
from gateway.upstreams.http1.message import WITH_BODY

if TYPE_CHECKING:
    from gateway.config import Settings

__all__ = ["HTTPAnswer", "Line", "Outgoing", "Patience", "RawHeaders", "build_transport", "destination"]

_REFUSAL_BYTES = 1024 * 1024
"""No error text is longer; a page that is can be cut."""

_IDLE_CONNECTION_SECONDS = 30
"""Below the keep-alive time of the usual servers (60 s and more), so that ours is the side that hangs up."""


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


@dataclass(slots=True)
class Outgoing:
    """A request. `wait` bounds silence, and the whole of `HTTPAnswer.read`; None: the patience for a stream.

    `length`: of a body that comes in pieces; None when nobody knows it yet, then it is sent in chunks.
    `codings`: content codings that the answer may have, and keeps; the destination tells the server of them.
    `join`: see `Call`.
    """

    method: str
    to: Destination
    headers: RawHeaders
    body: bytes | AsyncIterable[bytes] = b""
    wait: float | None = None
    length: int | None = None
    codings: tuple[str, ...] = ()
    join: Join | None = None

    def all_headers(self) -> RawHeaders:
        """All headers beside those of the destination: the request's own, and what tells where its body ends."""
        raw = [*self.headers]
        if not isinstance(self.body, bytes):
            told = self.length
            raw.append((b"Transfer-Encoding", b"chunked") if told is None else (b"Content-Length", b"%d" % told))
        elif self.body or self.method in WITH_BODY:
            raw.append((b"Content-Length", b"%d" % len(self.body)))
        return raw


class _Pieces(httpx2.AsyncByteStream):
    """A request body as it comes. What its source raises ends the call, whose connection is closed."""

    def __init__(self, source: AsyncIterable[bytes]) -> None:
        self._source = source

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._source)


def destination(url: httpx2.URL, common: RawHeaders | None = None, *, codings: tuple[str, ...] = ()) -> Destination:
    """Where requests go that have these headers in common. `codings`: content codings that answers may have."""
    # Compressed events would wait in the compressor, and cost both sides time.
    accepted = ", ".join(codings).encode("ascii") if codings else b"identity"
    return Destination(url, [(b"Host", url.netloc), *(common or ()), (b"Accept-Encoding", accepted)])


Refused = Callable[[HTTPAnswer], Awaitable[GatewayError]]
"""Reads an answer that is not what was asked for; the error to raise in its place."""


class Line:
    """The way to one upstream: a transport and the patience that goes with it."""

    def __init__(self, transport: httpx2.AsyncBaseTransport, patience: Patience) -> None:
        self._transport = transport
        self._patience = patience
        self._known_timeouts: dict[tuple[float | None, bool], dict[str, float]] = {}
        """By `wait` and whether the body is here; there are a handful of them."""

    def _timeouts(self, wait: float | None, whole: bool) -> dict[str, float]:
        """Those of requests with such a wait, whose body is here or comes in pieces, in the words of httpx2."""
        patience = self._patience
        silence = patience.idle if wait is None else wait
        made = self._known_timeouts[wait, whole] = {
            "connect": patience.connect,
            "pool": patience.connect,
            # A server may think long about a whole body, but not about its next piece.
            "write": silence if whole else patience.idle,
            "read": silence,
        }
        return made

    async def send(self, outgoing: Outgoing, refused: Refused | None = None) -> HTTPAnswer:
        """Send a request and return its answer, unread. `refused` is what to do with one that is not 2xx.

        Raises UpstreamUnavailable, UpstreamTimeout, UpstreamError, what a body that comes in pieces raises, and what
        `refused` gives.
        """
        patience, transport, to = self._patience, self._transport, outgoing.to
        kind = outgoing.wait, isinstance(outgoing.body, bytes)
        timeouts = self._known_timeouts.get(kind) or self._timeouts(*kind)
        try:
            if isinstance(transport, HTTP1Transport):
                # Whoever calls repeats a call that broke anyway; on a connection that had died unseen it is for free.
                message = Message(
                    outgoing.method,
                    to,
                    outgoing.headers,
                    outgoing.body,
                    length=outgoing.length,
                    again=True,
                    join=outgoing.join,
                )
                exchange = await transport.exchange(message, timeouts)
                stream: httpx2.AsyncByteStream = exchange
                status, headers = exchange.status, exchange.headers
            else:
                response = await transport.handle_async_request(_request(outgoing, timeouts))
                assert isinstance(response.stream, httpx2.AsyncByteStream)
                status, headers, stream = response.status_code, response.headers.raw, response.stream
        except Exception as error:
            told = Faults(to.host).told(error)
            if told is None:
                raise
            raise told from error
        whole = outgoing.wait or patience.whole
        answer = HTTPAnswer(
            status, headers, stream, to.host, limit=patience.answer_bytes, whole=whole, codings=outgoing.codings
        )
        if refused is None or 200 <= status < 300:
            return answer
        raise await refused(answer)

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


def _request(outgoing: Outgoing, timeouts: dict[str, float]) -> httpx2.Request:
    """The request for a transport of httpx2."""
    body = outgoing.body
    return httpx2.Request(
        outgoing.method,
        outgoing.to.url,
        headers=[*outgoing.to.common, *outgoing.all_headers()],
        stream=httpx2.ByteStream(body) if isinstance(body, bytes) else _Pieces(body),
        extensions={"timeout": timeouts, "resend": True},
    )
