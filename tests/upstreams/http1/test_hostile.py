"""Servers that are broken or mean no good."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from gateway.upstreams.http1.parsing import MAX_HEAD_BYTES, MAX_HEADERS
from tests.upstreams.http1.hostile import Case, End, Method, Verdict, compare, judge, make, play

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SIZED = HEAD + b"Content-Length: 2\r\n\r\n"


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.mark.parametrize("block", range(4))
@pytest.mark.proves("TRANSPORT-hostile")
def test_no_answer_breaks_a_connection_or_is_read_in_two_ways(block: int, loop: asyncio.AbstractEventLoop) -> None:
    found: Counter[str] = Counter()
    for seed in range(block * 1000, (block + 1) * 1000):
        case = make(Random(seed))
        try:
            compare(case, play(case, loop), judge(case), found)
        except Exception as error:
            error.add_note(f"seed {seed}: {case!r}")
            raise
    assert found["both: answer"] > 100
    assert found["we: RemoteProtocolError; h11: RemoteProtocolError"] > 100


def verdict(loop: asyncio.AbstractEventLoop, *pieces: bytes, method: Method = "GET", end: End = "open") -> Verdict:
    return play(Case(method, pieces, end), loop)


@pytest.mark.parametrize(
    ("start", "repeated"),
    [
        pytest.param(HEAD, b"X: y\r\n", id="headers"),
        pytest.param(HEAD + b"X: ", b"y" * 1000, id="one header"),
        pytest.param(HEAD + b"X", b"y" * 1000, id="one name"),
        pytest.param(b"HTTP/1.1 200 ", b"y" * 1000, id="reason"),
        pytest.param(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", id="interim answers"),
        pytest.param(CHUNKED + b"0\r\n", b"T: y\r\n", id="trailers"),
        pytest.param(CHUNKED + b"0\r\nT: ", b"y" * 1000, id="one trailer"),
        pytest.param(CHUNKED + b"5;", b"y" * 1000, id="extension"),
        pytest.param(b"", b"\r\n", id="empty lines"),
    ],
)
@pytest.mark.parametrize("size", [700, 64 * 1024, 10_000_000], ids=["small reads", "large reads", "one read"])
@pytest.mark.proves("TRANSPORT-hostile")
def test_what_is_not_body_has_an_end(start: bytes, repeated: bytes, size: int, loop: asyncio.AbstractEventLoop) -> None:
    data = start + repeated * (3 * MAX_HEAD_BYTES // len(repeated))
    found = verdict(loop, *(data[at : at + size] for at in range(0, len(data), size)))
    assert found.error == "RemoteProtocolError"


@pytest.mark.proves("TRANSPORT-hostile")
def test_the_longest_head_and_the_most_headers_that_are_taken(loop: asyncio.AbstractEventLoop) -> None:
    assert verdict(loop, HEAD + b"X: y\r\n" * (MAX_HEADERS - 1) + b"Content-Length: 0\r\n\r\n").error == ""
    assert verdict(loop, HEAD + b"X: y\r\n" * MAX_HEADERS + b"Content-Length: 0\r\n\r\n").error == "RemoteProtocolError"
    long = b"y" * (MAX_HEAD_BYTES - 100)
    assert verdict(loop, HEAD + b"X: " + long + b"\r\nContent-Length: 0\r\n\r\n").error == ""


@pytest.mark.proves("TRANSPORT-hostile")
def test_a_long_stream_of_small_chunks_is_no_long_head(loop: asyncio.AbstractEventLoop) -> None:
    chunk = b"1;" + b"e" * 50 + b"\r\nx\r\n"
    found = verdict(loop, CHUNKED, *([chunk] * 20_000), b"0\r\n\r\n")
    assert (len(found.body), found.error, found.kept) == (20_000, "", True)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", id="upgrade"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", id="101"),
        pytest.param(b"HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n", id="099"),
        pytest.param(b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", id="HTTP/2.0"),
        pytest.param(b"HTTP/3 200 OK\r\n\r\n", id="HTTP/3"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another protocol"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x46", id="TLS alert"),
        pytest.param(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="gzip inside of chunks"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="twice"),
        pytest.param(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", id="two lengths"),
        pytest.param(HEAD + b"Content-Length: -1\r\n\r\n", id="negative length"),
        pytest.param(HEAD + b"Content-Length: 18446744073709551616\r\n\r\n", id="2**64"),
        pytest.param(HEAD + b"A: b\r\n folded: c\r\nContent-Length: 0\r\n\r\n", id="folded"),
        pytest.param(HEAD + b"A : b\r\nContent-Length: 0\r\n\r\n", id="blank before the colon"),
        pytest.param(HEAD + b"A: b\x00c\r\nContent-Length: 0\r\n\r\n", id="NUL"),
        pytest.param(HEAD + b"A: b\rc\r\nContent-Length: 0\r\n\r\n", id="bare CR"),
        pytest.param(CHUNKED + b"g\r\n", id="size that is none"),
        pytest.param(CHUNKED + b"6\r\nhello\r\n0\r\n\r\n", id="chunk too short"),
        pytest.param(CHUNKED + b"4\r\nhello\r\n0\r\n\r\n", id="chunk too long"),
        pytest.param(CHUNKED + b"10000000000000000\r\n", id="chunk of 2**64"),
    ],
)
@pytest.mark.proves("TRANSPORT-hostile")
def test_what_is_not_http_is_refused(answer: bytes, loop: asyncio.AbstractEventLoop) -> None:
    assert verdict(loop, answer, end="eof").error == "RemoteProtocolError"
    pieces = [answer[at : at + 1] for at in range(len(answer))]
    assert verdict(loop, *pieces, end="eof").error == "RemoteProtocolError"


@pytest.mark.parametrize(
    ("answer", "method"),
    [
        pytest.param(SIZED + b"okHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET", id="another answer"),
        pytest.param(SIZED + b"ok!", "GET", id="a byte too many"),
        pytest.param(HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", "GET", id="close"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "GET", id="HTTP/1.0"),
        pytest.param(
            HEAD + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "GET", id="both"
        ),
        pytest.param(SIZED + b"ok", "HEAD", id="body for HEAD"),
        pytest.param(CHUNKED + b"0\r\n\r\n", "HEAD", id="chunks for HEAD"),
        pytest.param(HEAD + b"\r\nok", "HEAD", id="no length and a body for HEAD"),
        pytest.param(b"HTTP/1.1 204 No\r\n\r\nok", "GET", id="body for 204"),
    ],
)
@pytest.mark.proves("TRANSPORT-hostile")
def test_an_answer_that_may_have_more_behind_it_ends_its_connection(
    answer: bytes, method: Method, loop: asyncio.AbstractEventLoop
) -> None:
    found = verdict(loop, answer, method=method)
    assert (found.error, found.kept) == ("", False)
    assert found.body in (b"ok", b"") and (found.body == b"ok") == (method == "GET" and found.status == 200)


@pytest.mark.parametrize(
    ("answer", "method"),
    [
        pytest.param(SIZED + b"ok", "GET", id="length"),
        pytest.param(CHUNKED + b"2;x=y\r\nok\r\n0\r\nT: 1\r\n\r\n", "GET", id="chunks"),
        pytest.param(CHUNKED.replace(b"chunked", b"Chunked") + b"2 \r\nok\r\n0\r\n\r\n", "GET", id="Chunked"),
        pytest.param(SIZED.replace(b"\r", b"") + b"ok", "GET", id="bare line feeds"),
        pytest.param(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "GET", id="HTTP/1.0"),
        pytest.param(SIZED, "HEAD", id="HEAD"),
        pytest.param(b"HTTP/1.1 204 No\r\n\r\n", "GET", id="204"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", id="304"),
        pytest.param(b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nX: y\r\n\r\n" + SIZED + b"ok", "GET", id="interim"),
    ],
)
@pytest.mark.proves("TRANSPORT-hostile")
def test_an_answer_that_is_over_leaves_its_connection_to_the_next(
    answer: bytes, method: Method, loop: asyncio.AbstractEventLoop
) -> None:
    found = verdict(loop, answer, method=method)
    assert (found.error, found.kept) == ("", True)


@pytest.mark.proves("TRANSPORT-hostile")
def test_bytes_that_come_while_nothing_was_asked_end_the_connection(loop: asyncio.AbstractEventLoop) -> None:
    found = verdict(loop, SIZED + b"ok", b"HTTP/1.1 200 OK\r\n")
    assert (found.body, found.error, found.kept) == (b"ok", "", False)


@pytest.mark.parametrize("end", ["eof", "reset"])
@pytest.mark.proves("TRANSPORT-hostile")
def test_an_answer_until_the_end_is_whole_only_at_an_orderly_end(end: End, loop: asyncio.AbstractEventLoop) -> None:
    found = verdict(loop, HEAD + b"\r\nhello", b", world", end=end)
    assert (found.body, found.error) == (b"hello, world", "" if end == "eof" else "ReadError")
