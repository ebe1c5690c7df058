"""Answers out of bytes, with httptools (llhttp), and everything that makes one of them suspicious.

A push machine without a network: what one read brought goes in, the body in it comes out as one piece. It reads what
h11 and browsers read too (bare line feeds in heads, blanks behind the size of a chunk), and is strict about everything
that two readers could see differently.
"""

from __future__ import annotations

import httptools
import httpx2

from gateway.upstreams.http1.exchange import Exchange

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

    __slots__ = ("_exchange", "_framing", "_head_bytes", "_keeps", "_odd", "_parser", "_parts", "_quiet", "fault")

    def __init__(self) -> None:
        self.fault: httpx2.RemoteProtocolError | None = None
        self._parts: list[bytes] = []
        self._parser: httptools.HttpResponseParser | None = None
        self._exchange: Exchange | None = None

    def begin(self, exchange: Exchange) -> None:
        """The next answer is for this exchange."""
        self._exchange = exchange
        self._head_bytes = self._quiet = self._framing = 0
        self._keeps = self._odd = False
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(_Callbacks(self))
            # A length beside chunks is ignored, and the connection not used again.
            self._parser.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True, lenient_chunked_length=True)
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)

    def feed(self, data: bytes) -> bytes:
        """The body in these bytes. Whether the head, or all, is here, the exchange knows; what went wrong, `fault`."""
        exchange, parser, parts = self._exchange, self._parser, self._parts
        assert exchange is not None and parser is not None
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if exchange.complete:
                self._odd = True
            else:
                self._failed(error)
        if exchange.complete and exchange.bodyless:
            # The parser may wait for the body that the head spoke of.
            self._odd = self._odd or bool(parts) or self._framing != _LENGTH
            parts.clear()
            self.forget()
        if parts:
            self._quiet = 0
            piece = parts[0] if len(parts) == 1 else b"".join(parts)
            parts.clear()
            return piece
        self._quiet += len(data)
        if self._quiet > MAX_HEAD_BYTES and not exchange.complete:
            self._failed(Odd("headers without end"))
        return b""

    def finish(self) -> bool:
        """The server has closed: whether that is the end of the answer, as it is where no length was told."""
        exchange = self._exchange
        assert exchange is not None
        exchange.complete = bool(exchange.status) and not self._framing and self.fault is None
        return exchange.complete

    @property
    def serves(self) -> bool:
        """Whether the next answer can be told from the rest of this one."""
        return self._keeps and not self._odd

    def forget(self) -> None:
        """Let go of the parser of C, which holds this object, and would leave both to the collector."""
        self._parser = None

    def _failed(self, error: Exception) -> None:
        reason = error.__context__ if isinstance(error.__context__, Odd) else error
        self.fault = httpx2.RemoteProtocolError(f"The answer is not HTTP/1.1 as it should be: {reason}")
        self.fault.__cause__ = error

    # what the parser of C calls ---------------------------------------------------------------------------------------

    def _message_begin(self) -> None:
        assert self._exchange is not None
        if self._exchange.complete:
            raise Odd("bytes behind the answer")

    def _status(self, part: bytes) -> None:
        assert self._exchange is not None
        self._exchange.reason += part

    def _header(self, name: bytes, value: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None
        size = len(name)
        self._head_bytes += size + len(value) + 4
        if self._head_bytes > MAX_HEAD_BYTES:
            raise Odd("headers without end")
        if exchange.status:
            return  # A trailer: nobody asked for one, and none may change the head.
        value = value.rstrip()
        headers = exchange.headers
        headers.append((name, value))
        if len(headers) > MAX_HEADERS:
            raise Odd(f"more than {MAX_HEADERS} headers")
        if size == 14:
            if name.lower() == b"content-length":
                self._framing |= _LENGTH
        elif size == 17 and name.lower() == b"transfer-encoding":
            if self._framing & _CHUNKED or value.lower() != b"chunked":
                raise Odd("a transfer coding that nobody asked for")
            self._framing |= _CHUNKED

    def _headers_complete(self) -> None:
        exchange, parser = self._exchange, self._parser
        assert exchange is not None and parser is not None
        status = parser.get_status_code()
        version = parser.get_http_version()
        if status < 100 or status == 101 or version[0] != "1":
            raise Odd(f"HTTP/{version} with status {status}")
        if status < 200:
            return
        # Bare line feeds are for heads: among chunks they would hide a wrong size.
        parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=False)
        exchange.status = status
        exchange.version = b"HTTP/1.1" if version == "1.1" else b"HTTP/" + version.encode()
        if exchange.bodyless:
            exchange.complete = True
            self._keeps = parser.should_keep_alive()

    def _message_complete(self) -> None:
        exchange, parser = self._exchange, self._parser
        assert exchange is not None and parser is not None
        if not exchange.status:
            # An interim answer: what it says is for nobody here.
            exchange.headers.clear()
            exchange.reason = b""
            exchange.interim += 1
            self._framing = 0
            return
        exchange.complete = True
        # A length beside chunks may be there to make two readers see two answers.
        self._keeps = self._framing != _LENGTH | _CHUNKED and parser.should_keep_alive()


class _Callbacks:
    """What the parser of C calls. Pieces of a body go straight into a list: no Python runs for a chunk."""

    def __init__(self, answers: AnswerParser) -> None:
        self.on_message_begin = answers._message_begin
        self.on_status = answers._status
        self.on_header = answers._header
        self.on_headers_complete = answers._headers_complete
        self.on_body = answers._parts.append
        self.on_message_complete = answers._message_complete
