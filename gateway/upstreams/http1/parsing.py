"""Answers out of bytes, with httptools (llhttp), and everything that makes one of them suspicious.

A push machine without a network: what one read brought goes in, the body in it comes out. It reads what
h11 and browsers read too (bare line feeds in heads, blanks behind the size of a chunk), and is strict about everything
that two readers could see differently.
"""

from __future__ import annotations

from collections.abc import Callable

import httptools
import httpx2

from gateway.upstreams.http1.exchange import Exchange
from gateway.upstreams.http1.headers import by_name

MAX_HEAD_BYTES = 128 * 1024
"""Of all that is not body: heads with the interim answers before them, trailers, extensions of chunks."""
MAX_HEADERS = 256

_LENGTH, _CHUNKED = 1, 2


class Odd(Exception):
    """Raised through the parser of C, which makes it an error of its own."""


class AnswerParser:
    """Reads the answers of one connection, one after the other, each into its exchange.

    `fault`: why there can be no more. `serves`: nothing about the answer speaks against another one after it.
    """

    __slots__ = (
        "_exchange",
        "_framing",
        "_head_bytes",
        "_headers",
        "_parser",
        "_parts",
        "_quiet",
        "_reason",
        "_strict",
        "fault",
        "serves",
    )

    def __init__(self) -> None:
        self.fault: httpx2.RemoteProtocolError | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        """Those of a head that is on its way; trailers, behind one that is here."""
        self._reason: list[bytes] = []
        self._parts: list[bytes] = []
        self._parser: httptools.HttpResponseParser | None = None
        self._strict = False
        self._exchange: Exchange | None = None

    def begin(self, exchange: Exchange) -> None:
        """The next answer is for this exchange."""
        self._exchange = exchange
        self._head_bytes = self._quiet = self._framing = 0
        self.serves = False
        parser = self._parser
        if parser is None:
            parser = self._parser = httptools.HttpResponseParser(_Callbacks(self))
            # A length beside chunks is ignored, and the connection not used again.
            parser.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True, lenient_chunked_length=True)
            self._strict = True
        if self._strict:
            parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)
            self._strict = False

    def feed(self, data: bytes | memoryview) -> list[bytes]:
        """The body in these bytes, in the pieces that the server made of it.

        Whether the head, or all, is here, the exchange knows; what went wrong, `fault`.
        """
        exchange, parser, parts = self._exchange, self._parser, self._parts
        assert exchange is not None and parser is not None
        self._quiet += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if exchange.complete:
                self.serves = False
            else:
                self._failed(error)
        if exchange.bodyless and exchange.complete:
            # The parser may wait for the body that the head spoke of.
            self.serves = self.serves and not parts and self._framing == _LENGTH
            parts.clear()
            self.forget()
        if parts:
            self._quiet = 0
            pieces = parts.copy()
            parts.clear()
            return pieces
        if self._quiet > MAX_HEAD_BYTES and not exchange.complete:
            self._failed(Odd("headers without end"))
        return []

    def finish(self) -> bool:
        """The server has closed: whether that is the end of the answer, as it is where no length was told."""
        exchange = self._exchange
        assert exchange is not None
        exchange.complete = bool(exchange.status) and not self._framing and self.fault is None
        return exchange.complete

    def forget(self) -> None:
        """Let go of the parser of C, which holds this object, and would leave both to the collector."""
        self._parser = None
        self._headers.clear()
        self._reason.clear()

    def _failed(self, error: Exception) -> None:
        reason = error.__context__ if isinstance(error.__context__, Odd) else error
        self.fault = httpx2.RemoteProtocolError(f"The answer is not HTTP/1.1 as it should be: {reason}")
        self.fault.__cause__ = error

    # what the parser of C calls ---------------------------------------------------------------------------------------

    def _message_begin(self) -> None:
        assert self._exchange is not None
        if self._exchange.complete:
            raise Odd("bytes behind the answer")

    def _headers_complete(self) -> None:
        exchange, parser, headers = self._exchange, self._parser, self._headers
        assert exchange is not None and parser is not None
        status = parser.get_status_code()
        version = parser.get_http_version()
        if status < 100 or status == 101 or version[0] != "1":
            raise Odd(f"HTTP/{version} with status {status}")
        if len(headers) > MAX_HEADERS or self._quiet > MAX_HEAD_BYTES:
            self._check_bounds()
        named = by_name(headers)
        if "content-length" in named:
            self._framing = _LENGTH
        if "transfer-encoding" in named:
            if named["transfer-encoding"].lower() != "chunked":
                raise Odd("a transfer coding that nobody asked for")
            self._framing |= _CHUNKED
        if status < 200:
            headers.clear()  # what an interim answer says is for nobody here
            self._reason.clear()
            return
        if self._framing & _CHUNKED:
            # Bare line feeds are for heads: among chunks they would hide a wrong size.
            parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=False)
            self._strict = True
        exchange.status = status
        exchange.headers = headers.copy()
        exchange.named = named
        exchange.reason = b"".join(self._reason)
        headers.clear()
        self._reason.clear()
        if version != "1.1":
            exchange.version = b"HTTP/" + version.encode()
        if exchange.bodyless:
            exchange.complete = True
            self.serves = parser.should_keep_alive()

    def _message_complete(self) -> None:
        exchange, parser = self._exchange, self._parser
        assert exchange is not None and parser is not None
        if self._headers:
            # Trailers: nobody asked for them, and none may change the head.
            self._check_bounds()
            self._headers.clear()
        if not exchange.status:
            exchange.interim += 1
            self._framing = 0
            return
        exchange.complete = True
        # A length beside chunks may be there to make two readers see two answers.
        self.serves = self._framing != _LENGTH | _CHUNKED and parser.should_keep_alive()

    def _check_bounds(self) -> None:
        """Raise if there are too many headers or they are too long, of a head or trailers that are whole.

        Those still on their way are bounded by what is read without a body.
        """
        headers = self._headers
        if len(headers) > MAX_HEADERS:
            raise Odd(f"more than {MAX_HEADERS} headers")
        if self._quiet > MAX_HEAD_BYTES:
            self._head_bytes += sum(len(name) + len(value) + 4 for name, value in headers)
            if self._head_bytes > MAX_HEAD_BYTES:
                raise Odd("headers without end")


class _Callbacks:
    """What the parser of C calls. Pieces go straight into lists: for a chunk of a body, no Python runs at all."""

    def __init__(self, answers: AnswerParser) -> None:
        self.on_message_begin = answers._message_begin
        self.on_status = answers._reason.append
        self.on_header = _collector(answers._headers)
        self.on_headers_complete = answers._headers_complete
        self.on_body = answers._parts.append
        self.on_message_complete = answers._message_complete


def _collector(headers: list[tuple[bytes, bytes]]) -> Callable[[bytes, bytes], None]:
    append = headers.append

    def collect(name: bytes, value: bytes) -> None:
        append((name, value.rstrip()))

    return collect
