"""A request as bytes. What could be read as another request, or as a second one, is refused before it is sent.

Source: RFC 9112 §3 (request line), §5.5 and §6.3 (which bytes a field may have, where a body ends).
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence

import httpx2

RawHeaders = Sequence[tuple[bytes, bytes]]
Origin = tuple[str, bytes, int]
"""Scheme, host and port."""
Start = tuple[bytes, int]
"""The first lines of a head, and how many of them are Host."""

_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VISIBLE = bytes(range(0x21, 0x7F))
_TEXT = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
"""What the lines of a head consist of, without their ends."""

_PORTS = {"http": 80, "https": 443}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
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
            if any(name.lower() in _FRAMING for name, _ in self.common):
                raise httpx2.LocalProtocolError("How long a body is cannot be the same for all.")
            lines = b"%b %b HTTP/1.1\r\n%b" % (verb, self.target, lines_of(self.common))
            start = self._starts[method] = (lines, sum(name.lower() == b"host" for name, _ in self.common))
        return start


class Message:
    """A request ready to be sent: `head` with its empty line, and either `body` or `stream`.

    `length`: of the body, as the head tells it; None when `chunked`. `bodyless`: the answer has no body, whatever its
    head says. `again`: may be sent a second time when a kept connection turns out to be dead: where the method is safe,
    or where whoever sends it allows it.
    """

    __slots__ = ("again", "body", "bodyless", "chunked", "head", "length", "origin", "stream")

    def __init__(
        self,
        method: str,
        to: Destination,
        headers: RawHeaders,
        body: bytes | AsyncIterable[bytes] = b"",
        *,
        again: bool = False,
    ) -> None:
        """`headers`: all beside the common ones; Host and what tells how long the body is must be in one of the two.

        Raises LocalProtocolError for what must not be sent, UnsupportedProtocol for an address that is not http(s).
        """
        self.origin = to.origin
        self.bodyless = method == "HEAD"
        self.length: int | None = 0
        self.chunked = False
        lines, hosts = to.start(method)
        self.head = b"%b%b\r\n" % (lines, lines_of(headers))
        self._frame(hosts, headers)
        if isinstance(body, bytes):
            self.body = body
            self.stream: AsyncIterable[bytes] | None = None
            self.again = again or method in _SAFE
            if self.length != len(body):
                self._fit()
        else:
            self.body, self.stream, self.again = b"", body, False

    @classmethod
    def of(cls, request: httpx2.Request) -> Message:
        """The message that a request of httpx2 is; its extension `resend` allows to send it again."""
        stream = request.stream
        if isinstance(stream, httpx2.ByteStream):
            body: bytes | AsyncIterable[bytes] = b"".join(stream)
        else:
            assert isinstance(stream, httpx2.AsyncByteStream)
            body = stream
        again = bool(request.extensions.get("resend"))
        return cls(request.method, Destination(request.url), request.headers.raw, body, again=again)

    def _frame(self, hosts: int, headers: RawHeaders) -> None:
        """Where the body ends, as the headers tell it. `hosts`: how many there are among the common ones."""
        framings = 0
        for name, value in headers:
            size = len(name)
            if size == 4:
                hosts += name.lower() == b"host"
            elif size == 14 and name.lower() == b"content-length":
                framings += 1
                if not value.isdigit() or len(value) > 18:
                    raise httpx2.LocalProtocolError("Content-Length is not a number.")
                self.length = int(value)
            elif size == 17 and name.lower() == b"transfer-encoding":
                framings += 1
                if value.lower() != b"chunked":
                    raise httpx2.LocalProtocolError("A body can be sent in chunks, in no other coding.")
                self.length, self.chunked = None, True
        if hosts != 1 or framings > 1:
            raise httpx2.LocalProtocolError("A request has one Host, and at most one header that says how long it is.")

    def _fit(self) -> None:
        """A whole body that is not as long as told: in chunks, one and the end."""
        size = len(self.body)
        if not self.chunked:
            raise httpx2.LocalProtocolError(f"The body has {size} bytes, and its head tells {self.length}.")
        self.body = b"%x\r\n%b\r\n0\r\n\r\n" % (size, self.body) if size else b"0\r\n\r\n"


def lines_of(headers: RawHeaders) -> bytes:
    """Headers as lines. Raises LocalProtocolError for a name or a value that would be read as something else."""
    names = [name for name, _ in headers]
    text = b"".join([b"%b: %b\r\n" % header for header in headers])
    if b"" in names or b"".join(names).translate(None, _TOKEN):
        raise httpx2.LocalProtocolError("A header has a name that cannot be sent.")
    # Every line has one end, the one written here: a value with an end of its own would start another line.
    if text.translate(None, _TEXT) != b"\r\n" * len(names):
        raise httpx2.LocalProtocolError("A header has a value that cannot be sent.")
    return text


def _verb(method: str) -> bytes:
    verb = method.encode("ascii", "replace")
    # A tunnel would make another protocol of the connection.
    if not verb or verb.translate(None, _TOKEN) or verb == b"CONNECT":
        raise httpx2.LocalProtocolError(f"{method!r} is not a method that can be sent.")
    return verb
