"""A request as bytes. What could be read as another request, or as a second one, is refused before it is sent.

Source: RFC 9112 §3 (request line), §5.5 and §6.3 (which bytes a field may have, where a body ends).
"""

from __future__ import annotations

from collections.abc import AsyncIterable

import httpx2

Origin = tuple[str, bytes, int]
"""Scheme, host and port."""

_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VISIBLE = bytes(range(0x21, 0x7F))
_TEXT = bytes([0x09, 0x0A, 0x0D, *range(0x20, 0x7F), *range(0x80, 0x100)])
"""What a head consists of. Where its line ends may stand, they are counted."""

_PORTS = {"http": 80, "https": 443}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_VERBS = {name: name.encode() for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}


class Message:
    """A request ready to be sent: `head` with its empty line, and either `body` or `stream`.

    `length`: of the body, as the head tells it; None when `chunked`. `bodyless`: the answer has no body, whatever its
    head says. `again`: may be sent a second time when a kept connection turns out to be dead: where the method is safe,
    or the extension `resend` of the request allows it.

    Raises LocalProtocolError for what must not be sent, UnsupportedProtocol for an address that is not http or https.
    """

    __slots__ = ("again", "body", "bodyless", "chunked", "head", "length", "origin", "stream")

    def __init__(self, request: httpx2.Request) -> None:
        url = request.url
        scheme = url.scheme
        if scheme not in _PORTS:
            raise httpx2.UnsupportedProtocol(f"An address of http or https is needed, not {scheme!r}.")
        self.origin: Origin = (scheme, url.raw_host, url.port or _PORTS[scheme])
        self.bodyless = request.method == "HEAD"
        self.length: int | None = 0
        self.chunked = False
        self.head = self._head(request.method, url.raw_path, request.headers.raw)
        self.body = b""
        self.stream: AsyncIterable[bytes] | None = None
        stream = request.stream
        if isinstance(stream, httpx2.ByteStream):
            self.body = b"".join(stream)
            self._fits(len(self.body))
        else:
            assert isinstance(stream, httpx2.AsyncByteStream)
            self.stream = stream
        self.again = self.stream is None and (request.method in _SAFE or bool(request.extensions.get("resend")))

    def _head(self, method: str, target: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
        verb = _VERBS.get(method) or _verb(method)
        if not target or target.translate(None, _VISIBLE):
            raise httpx2.LocalProtocolError("The address of the request has characters that cannot be sent.")
        lines = [verb + b" " + target + b" HTTP/1.1"]
        names = []
        hosts = framings = 0
        for name, value in headers:
            names.append(name)
            lines.append(name + b": " + value)
            size = len(name)
            if size == 4:
                hosts += name.lower() == b"host"
            elif size == 14 and name.lower() == b"content-length":
                framings += 1
                self._told(value)
            elif size == 17 and name.lower() == b"transfer-encoding":
                framings += 1
                self._coded(value)
        lines += (b"", b"")
        head = b"\r\n".join(lines)
        if b"" in names or b"".join(names).translate(None, _TOKEN):
            raise httpx2.LocalProtocolError("A header has a name that cannot be sent.")
        # Every line has one end, the one written here: a value with an end of its own would start another line.
        ends = len(lines) - 1
        if head.count(b"\n") != ends or head.count(b"\r") != ends or head.translate(None, _TEXT):
            raise httpx2.LocalProtocolError("A header has a value that cannot be sent.")
        if hosts != 1 or framings > 1:
            raise httpx2.LocalProtocolError("A request has one Host, and at most one header that says how long it is.")
        return head

    def _told(self, value: bytes) -> None:
        if not value.isdigit() or len(value) > 18:
            raise httpx2.LocalProtocolError("Content-Length is not a number.")
        self.length = int(value)

    def _coded(self, value: bytes) -> None:
        if value.lower() != b"chunked":
            raise httpx2.LocalProtocolError("A body can be sent in chunks, in no other coding.")
        self.length, self.chunked = None, True

    def _fits(self, size: int) -> None:
        if self.chunked:
            # All of it is here: one chunk, and the end.
            self.body = b"%x\r\n%b\r\n0\r\n\r\n" % (size, self.body) if size else b"0\r\n\r\n"
        elif size != self.length:
            raise httpx2.LocalProtocolError(f"The body has {size} bytes, and its head tells {self.length}.")


def _verb(method: str) -> bytes:
    verb = method.encode("ascii", "replace")
    # A tunnel would make another protocol of the connection.
    if not verb or verb.translate(None, _TOKEN) or verb == b"CONNECT":
        raise httpx2.LocalProtocolError(f"{method!r} is not a method that can be sent.")
    return verb
