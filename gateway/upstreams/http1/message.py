"""A request as bytes. What could be read as another request, or as a second one, is refused before it is sent.

Source: RFC 9112 §3 (request line), §5.5 and §6.3 (which bytes a field may have, where a body ends).
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Sequence
from functools import lru_cache
from typing import Literal

import httpx2

RawHeaders = Sequence[tuple[bytes, bytes]]
Origin = tuple[str, bytes, int]
"""Scheme, host and port."""
Start = tuple[bytes, int]
"""Lines of a head, and how many of them are Host."""

_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VISIBLE = bytes(range(0x21, 0x7F))
_TEXT = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
"""What the lines of a head consist of, without their ends."""

_LINE = b"%b: %b\r\n".__mod__
"""A header as a line."""

_PORTS = {"http": 80, "https": 443}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""Methods of which servers demand a Content-Length even when there is nothing to send."""
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_VERBS = {name: name.encode() for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}


class Destination:
    """An address, and what all requests that go there have in their heads: worked out once for all of them.

    `netloc`: what the header Host says of the address.
    """

    __slots__ = ("_starts", "common", "host", "netloc", "origin", "target", "url")

    def __init__(self, url: httpx2.URL, common: RawHeaders = ()) -> None:
        self.url = url
        self.netloc = url.netloc
        self.host = url.netloc.decode("ascii", "replace")
        self.target = url.raw_path
        self.origin: Origin = (url.scheme, url.raw_host, url.port or _PORTS.get(url.scheme, 0))
        self.common = common
        self._starts: dict[str, Start] = {}

    def start(self, method: str) -> Start:
        """The request line and the common headers. Raises as a `Message` does."""
        start = self._starts.get(method)
        if start is None:
            verb = _VERBS.get(method) or _verb(method)
            if self.origin[0] not in _PORTS:
                raise httpx2.UnsupportedProtocol(f"An address of http or https is needed, not {self.origin[0]!r}.")
            if not self.target or self.target.translate(None, _VISIBLE):
                raise httpx2.LocalProtocolError("The address of the request has characters that cannot be sent.")
            lines, hosts = _lines_of(self.common)
            start = self._starts[method] = (b"%b %b HTTP/1.1\r\n%b" % (verb, self.target, lines), hosts)
        return start


class Message:
    """A request ready to be sent: `head` with its empty line, and either `body` or `stream`.

    `length`: of the body, as the head tells it; None when `chunked`. `bodyless`: the answer has no body, whatever its
    head says. `again`: may be sent a second time when a kept connection turns out to be dead: where the method is safe,
    or where whoever sends it allows it. `join`: see `Exchange`.
    """

    __slots__ = ("again", "body", "bodyless", "chunked", "head", "join", "length", "origin", "stream")

    def __init__(
        self,
        method: str,
        to: Destination,
        headers: RawHeaders,
        body: bytes | AsyncIterable[bytes] = b"",
        *,
        length: int | None = None,
        chunked: bool = False,
        framed: bool = False,
        again: bool = False,
        join: Callable[[list[bytes]], bytes] | None = None,
    ) -> None:
        """`headers`: all beside the common ones; Host is in one of the two.

        `length`: of a body that comes in pieces; None when nobody knows it yet, then it is sent in chunks. A body that
        is here needs none: one that is told must be right. `chunked`: it is sent as one chunk. `framed`: the headers
        say where the body ends, the same as these two; else none of them does.
        Raises LocalProtocolError for what must not be sent, UnsupportedProtocol for an address that is not http(s).
        """
        self.origin = to.origin
        self.bodyless = method == "HEAD"
        lines, hosts = to.start(method)
        own, own_hosts = _lines_of(headers, framed=framed)
        if hosts + own_hosts != 1:
            raise httpx2.LocalProtocolError("A request has one Host.")
        self.stream: AsyncIterable[bytes] | None = None
        if not isinstance(body, bytes):
            self.body, self.stream, self.again = b"", body, False
            chunked = length is None
        else:
            size = len(body)
            if length is not None and length != size:
                raise httpx2.LocalProtocolError(f"The body has {size} bytes, and not the {length} told.")
            if not chunked and (size or method in WITH_BODY):
                length = size
            self.body = _chunk(body) if chunked else body
            self.again = again or method in _SAFE
        self.length, self.chunked, self.join = length, chunked, join
        if framed:
            self.head = b"%b%b\r\n" % (lines, own)
        elif chunked:
            self.head = b"%b%bTransfer-Encoding: chunked\r\n\r\n" % (lines, own)
        elif length is not None:
            self.head = b"%b%bContent-Length: %d\r\n\r\n" % (lines, own, length)
        else:
            self.head = b"%b%b\r\n" % (lines, own)

    @classmethod
    def of(cls, request: httpx2.Request) -> Message:
        """The message that a request of httpx2 is; its extension `resend` allows to send it again."""
        headers = request.headers.raw
        framings = [header for header in headers if header[0].lower() in _FRAMING]
        length, chunked = _told(framings)
        stream = request.stream
        if isinstance(stream, httpx2.ByteStream):
            body: bytes | AsyncIterable[bytes] = b"".join(stream)
        else:
            assert isinstance(stream, httpx2.AsyncByteStream)
            body = stream
        if body and length is None and not chunked:
            length = 0  # without a word about its body, a request has none
        return cls(
            request.method,
            Destination(request.url),
            headers,
            body,
            length=length,
            chunked=chunked,
            framed=bool(framings),
            again=bool(request.extensions.get("resend")),
        )


def _told(framings: RawHeaders) -> tuple[int | None, bool]:
    """How long a body is as its headers tell it, and whether it is in chunks."""
    if not framings:
        return None, False
    if len(framings) > 1:
        raise httpx2.LocalProtocolError("A request has at most one header that says how long it is.")
    name, value = framings[0]
    if name.lower() == b"transfer-encoding":
        if value.lower() != b"chunked":
            raise httpx2.LocalProtocolError("A body can be sent in chunks, in no other coding.")
        return None, True
    if not value.isdigit() or len(value) > 18:
        raise httpx2.LocalProtocolError("Content-Length is not a number.")
    return int(value), False


def _chunk(body: bytes) -> bytes:
    """A whole body in chunks: one, and the end."""
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"


def _lines_of(headers: RawHeaders, *, framed: bool = False) -> Start:
    """Headers as lines. `framed`: they may say where the body ends.

    Raises LocalProtocolError for a name or a value that would be read as something else.
    """
    hosts = 0
    for name, _ in headers:
        kind = _kind(name)
        if kind == "host":
            hosts += 1
        elif kind == "framing" and not framed:
            raise httpx2.LocalProtocolError("How long a body is is not for its headers to say.")
    text = b"".join(map(_LINE, headers))
    # Every line has one end, the one written here: a value with an end of its own would start another line.
    if text.translate(None, _TEXT) != b"\r\n" * len(headers):
        raise httpx2.LocalProtocolError("A header has a value that cannot be sent.")
    return text, hosts


@lru_cache(maxsize=256)
def _kind(name: bytes) -> Literal["host", "framing", "other"]:
    """What a name says of a header. Raises LocalProtocolError for one that would be read as something else."""
    if not name or name.translate(None, _TOKEN):
        raise httpx2.LocalProtocolError("A header has a name that cannot be sent.")
    name = name.lower()
    return "host" if name == b"host" else "framing" if name in _FRAMING else "other"


def _verb(method: str) -> bytes:
    verb = method.encode("ascii", "replace")
    # A tunnel would make another protocol of the connection.
    if not verb or verb.translate(None, _TOKEN) or verb == b"CONNECT":
        raise httpx2.LocalProtocolError(f"{method!r} is not a method that can be sent.")
    return verb
