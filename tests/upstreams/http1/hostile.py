"""Answers of servers that are broken or mean no good, and what a connection must keep to whatever it is sent.

No loop and no sockets: the protocol is fed directly. `bench/fuzz_transport.py` runs as many as one likes, the tests a
few thousand; a number is all it takes to see one again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Literal

import h11
import httpx2

from gateway.upstreams.http1.connection import HIGH_WATER, Connection
from gateway.upstreams.http1.exchange import PIECE_COST, Exchange
from gateway.upstreams.http1.message import Message
from gateway.upstreams.http1.parsing import MAX_HEAD_BYTES, MAX_HEADERS

End = Literal["eof", "reset", "open"]
Method = Literal["GET", "HEAD"]

_STATUSES = (b"200", b"200", b"204", b"304", b"400", b"503", b"100", b"101", b"099", b"600", b"2x0", b"20", b"2000")
_HEADERS = (
    b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: 4", b"Content-Length: -1", b"Content-Length: 5, 5",
    b"Content-Length: +5", b"Content-Length: 0x5", b"Content-Length:", b"Content-Length: 99999999999999999999",
    b"content-length : 5", b"Content-Length: 5\x0b", b"Transfer-Encoding: chunked", b"Transfer-Encoding: CHUNKED",
    b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked, gzip", b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity", b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding: chunked, chunked",
    b"Connection: close", b"Connection: keep-alive", b"Connection: upgrade\r\nUpgrade: h2c", b"X: y", b"X: \xff",
    b"X: a\x00b", b"X: a\rb", b" X: folded", b": nameless", b"X y: 1", b"X", b"Trailer: T", b"X:" + b"y" * 3000,
)  # fmt: skip
_BODIES = (
    b"hello", b"", b"5\r\nhello\r\n0\r\n\r\n", b"5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n",
    b"fffffffffffffffff\r\nhello", b"-5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n",
    b"6\r\nhello\r\n0\r\n\r\n", b"4\r\nhello\r\n0\r\n\r\n", b"05\r\nhello\r\n00\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n", b"5\r\nhello\r\n0\r\nContent-Length: 7\r\n\r\n", b"hello, and more than was told",
    b"5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"\r\nhello",
    b"5\r\n\r\n" * 3, b"hello" * 2000,
)  # fmt: skip
_TOKENS = (
    b"\r\n", b"\n", b"\r", b"\x00", b" ", b"\t", b":", b"0", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0", b"HTTP/2.0", b"\xff",
    b"\r\n\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b";", b",", b"\x0b", b"\x0c", b"\x7f",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What a server sends, in which pieces, and what becomes of the connection then."""

    method: Method
    pieces: tuple[bytes, ...]
    end: End


@dataclass(frozen=True)
class Verdict:
    """What was made of it. `kept`: the connection would be used again."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    error: str
    kept: bool


def make(random: Random) -> Case:
    """The case of these dice: an answer put together of good and bad parts, then damaged, or left alone."""
    data = bytearray()
    for _ in range(random.choice((0, 0, 0, 0, 1, 2))):
        data += b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    data += b"HTTP/1.1" if random.random() < 0.8 else random.choice((b"HTTP/1.0", b"HTTP/2.0", b"ICY", b"http/1.1"))
    data += b" " + (random.choice(_STATUSES) if random.random() < 0.2 else b"200")
    data += random.choice((b" OK", b"", b" ", b" \xe9", b"  ")) + b"\r\n"
    if random.random() < 0.5:
        data += random.choice((b"Content-Length: 5", b"Transfer-Encoding: chunked")) + b"\r\n"
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        data += random.choice(_HEADERS) + b"\r\n"
    data += b"\r\n" + random.choice(_BODIES)
    if random.random() < 0.02:
        data += random.choice((b"A: b\r\n", b"5;" + b"x" * 90, b"HTTP/1.1 100 C\r\n\r\n")) * random.choice((50, 5000))
    for _ in range(random.choice((0, 0, 0, 1, 1, 3))):
        _damage(data, random)
    return Case(
        random.choice(("GET", "GET", "GET", "HEAD")), _cut(bytes(data), random), random.choice(("eof", "reset", "open"))
    )


def _damage(data: bytearray, random: Random) -> None:
    at = random.randrange(len(data) + 1)
    match random.randrange(6):
        case 0:
            data[at : at + 1] = bytes([random.randrange(256)])
        case 1:
            data[at:at] = random.choice(_TOKENS)
        case 2:
            del data[at : at + random.choice((1, 1, 2, 10))]
        case 3:
            data[at:at] = data[at : at + random.choice((1, 4, 40))]
        case 4:
            del data[at:]
        case _:
            data[at:at] = random.randbytes(random.choice((1, 3, 20)))


def _cut(data: bytes, random: Random) -> tuple[bytes, ...]:
    how = random.randrange(3)
    if how == 0 or not data:
        return (data,) if data else ()
    if how == 1 and len(data) < 1000:
        return tuple(data[at : at + 1] for at in range(len(data)))
    pieces = []
    while data:
        size = random.choice((1, 2, 5, 20, 100, 100_000))
        pieces.append(data[:size])
        data = data[size:]
    return tuple(pieces)


class _Line(asyncio.Transport):
    """A transport that does nothing but remember."""

    def __init__(self) -> None:
        super().__init__()
        self.reading, self.over = True, False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Nobody reads it."""

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.over

    def close(self) -> None:
        self.over = True

    def abort(self) -> None:
        self.over = True


class _Owner:
    """Counts what comes back."""

    def __init__(self) -> None:
        self.given = self.gone_ = 0

    def give(self, connection: Connection) -> None:
        self.given += 1

    def gone(self, connection: Connection) -> None:
        self.gone_ += 1


_MESSAGES = {method: Message.of(httpx2.Request(method, "http://host/")) for method in ("GET", "HEAD")}


def play(case: Case, loop: asyncio.AbstractEventLoop) -> Verdict:
    """Feed a case to a connection. Raises AssertionError for anything that no connection may do."""
    owner, line = _Owner(), _Line()
    connection = Connection(("http", b"host", 80), loop)
    connection.connection_made(line)
    connection.owner = owner
    exchange = connection.begin(_MESSAGES[case.method], None)
    exchange.sent = True
    body = bytearray()
    for piece in case.pieces:
        if line.over:
            break
        if not line.reading:
            body += _taken(exchange)
        connection.data_received(piece)
        assert exchange.held <= HIGH_WATER + len(piece) + PIECE_COST, "more is held than may be"
    kept = not line.over and owner.given == 1
    if kept:
        _next(connection)
    if not line.over and case.end != "open":
        if case.end == "eof":
            connection.eof_received()
        connection.connection_lost(ConnectionResetError() if case.end == "reset" else None)
    elif line.over:
        connection.connection_lost(None)
    body += _taken(exchange)
    _examine(exchange, owner, line, case, kept)
    error = "" if exchange.complete else type(exchange.error).__name__ if exchange.error is not None else "waits"
    return Verdict(exchange.status, tuple(exchange.headers) if exchange.status else (), bytes(body), error, kept)


def _next(connection: Connection) -> None:
    """The next exchange on a connection that was kept is as the first on a new one."""
    exchange = connection.begin(_MESSAGES["GET"], None)
    exchange.sent = True
    connection.data_received(b"HTTP/1.1 201 Next\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    assert exchange.complete and not exchange.connection, "the answer before reaches into the next"
    found = (exchange.status, exchange.reason, len(exchange.headers), _taken(exchange))
    assert found == (201, b"Next", 2, b"ok"), "the answer before reaches into the next"


def _taken(exchange: Exchange) -> bytes:
    """What the next step of an iteration over the body would give without waiting."""
    if not exchange.held:
        return b""
    try:
        exchange.__anext__().send(None)
    except StopIteration as done:
        return bytes(done.value)
    raise AssertionError("what is there has to be waited for")


def _examine(exchange: Exchange, owner: _Owner, line: _Line, case: Case, kept: bool) -> None:
    over = exchange.complete or exchange.error is not None
    assert over == (exchange.connection is None), "who is over has let go"
    assert not (exchange.complete and exchange.error), "complete and failed at once"
    assert over or case.end == "open", "the end was not noticed"
    assert owner.given <= 1 + kept and owner.gone_ <= 1 and (owner.given or owner.gone_ or not over)
    assert line.over or not owner.gone_, "the owner was told of an end that was none"
    assert len(exchange.headers) <= MAX_HEADERS + 1
    assert sum(len(name) + len(value) for name, value in exchange.headers) <= 2 * MAX_HEAD_BYTES
    assert exchange.error is None or isinstance(exchange.error, httpx2.TransportError)


def judge(case: Case) -> Verdict:
    """What h11, which is what httpx2 reads with, makes of the same bytes."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=100 * 1024)
    connection.send(h11.Request(method=case.method, target="/", headers=[("Host", "host")]))
    connection.send(h11.EndOfMessage())
    status, old, body = 0, False, bytearray()
    headers: tuple[tuple[bytes, bytes], ...] = ()
    pieces = [*case.pieces, *([b""] if case.end == "eof" else [])]
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                if not pieces:
                    return Verdict(status, headers, bytes(body), "waits", kept=False)
                data = pieces.pop(0)
                if data == b"" and connection.their_state is h11.SEND_RESPONSE:
                    return Verdict(0, (), b"", "RemoteProtocolError", kept=False)
                connection.receive_data(data)
            elif isinstance(event, h11.Response):
                status, headers = event.status_code, tuple(event.headers.raw_items())
                old = event.http_version == b"1.0" and any(b"keep-alive" in value.lower() for _, value in headers)
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                # Stray line ends are skipped here, and HTTP/1.0 kept alive where it asks for it; h11 does neither.
                rest = connection.trailing_data[0] + b"".join(pieces)
                kept = not rest.strip(b"\r\n") and (connection.their_state is h11.DONE or old)
                return Verdict(status, headers, bytes(body), "", kept)
            elif event is h11.PAUSED or (isinstance(event, h11.InformationalResponse) and event.status_code == 101):
                return Verdict(101, (), b"", "upgrade", kept=False)
    except h11.RemoteProtocolError:
        return Verdict(status, headers, bytes(body), "RemoteProtocolError", kept=False)


def compare(case: Case, ours: Verdict, theirs: Verdict, found: Counter[str]) -> None:
    """Two readers may differ in what they refuse. What both accept they must see alike, or one is deceived."""
    if ours.error or theirs.error:
        found[f"we: {ours.error or 'answer'}; h11: {theirs.error or 'answer'}"] += 1
        return
    found["both: answer"] += 1
    lowered = [tuple((n.lower(), v.lower()) for n, v in verdict.headers) for verdict in (ours, theirs)]
    assert (ours.status, ours.body, lowered[0]) == (theirs.status, theirs.body, lowered[1]), "two readers, two answers"
    assert theirs.kept or not ours.kept, "kept, with more to come"
