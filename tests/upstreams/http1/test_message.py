"""Requests as bytes: what a server reads, and what is never sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import h11
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstreams.http1.message import Destination, Message
from tests.upstreams.http1.answers import TOKEN

HOST = (b"Host", b"host")


class Pieces(httpx2.AsyncByteStream):
    """A body that comes in pieces."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"never asked for"


def message(
    *headers: tuple[bytes, bytes],
    method: str = "POST",
    url: str = "http://host/path?a=b",
    stream: httpx2.AsyncByteStream | None = None,
    **extensions: Any,
) -> Message:
    stream = httpx2.ByteStream(b"") if stream is None else stream
    return Message.of(httpx2.Request(method, url, headers=headers, stream=stream, extensions=extensions))


def read(data: bytes) -> tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes]:
    """Method, target, headers and body, as a server that is strict about everything reads them."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(data)
    head = server.next_event()
    assert isinstance(head, h11.Request)
    body = b""
    while isinstance(event := server.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert server.trailing_data == (b"", False)
    return bytes(head.method), bytes(head.target), head.headers.raw_items(), body


NAMES = st.text(TOKEN, min_size=1, max_size=20).map(str.encode)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20).map(str.encode)
FIELDS = st.lists(
    st.tuples(NAMES, VALUES).filter(
        lambda field: field[0].lower() not in (b"host", b"content-length", b"transfer-encoding")
    ),
    max_size=5,
)


@given(
    method=st.text(TOKEN, min_size=1, max_size=8).map(str.upper).filter(lambda method: method != "CONNECT"),
    fields=FIELDS,
    body=st.binary(max_size=100),
    chunked=st.booleans(),
)
@pytest.mark.proves("TRANSPORT-requests")
def test_a_server_reads_what_was_asked(
    method: str, fields: list[tuple[bytes, bytes]], body: bytes, chunked: bool
) -> None:
    framing = (b"Transfer-Encoding", b"chunked") if chunked else (b"Content-Length", b"%d" % len(body))
    made = message(HOST, *fields, framing, method=method, stream=httpx2.ByteStream(body))
    assert read(made.head + made.body) == (method.encode(), b"/path?a=b", [HOST, *fields, framing], body)


ANY_BYTES = st.one_of(
    st.binary(max_size=12), st.sampled_from([b"a\r\nX: y", b"a\nX: y", b"a\rb", b"a\x00b", b"", b"a b"])
)


@given(name=ANY_BYTES, value=ANY_BYTES)
@pytest.mark.proves("TRANSPORT-requests")
def test_a_header_of_any_bytes_is_one_header_or_refused(name: bytes, value: bytes) -> None:
    try:
        made = message(HOST, (name, value), (b"Content-Length", b"0"))
    except httpx2.LocalProtocolError:
        assert not name.isalnum() or not value.isalnum() or name.lower() in (b"host", b"content-length")
        return
    assert made.head.count(b"\r\n") == 5
    assert made.head == b"POST /path?a=b HTTP/1.1\r\nHost: host\r\n" + name + b": " + value + (
        b"\r\nContent-Length: 0\r\n\r\n"
    )


NOT_SENT = [
    pytest.param({"headers": [HOST, (b"X", b"a\r\nY: b")]}, id="a header in a header"),
    pytest.param({"headers": [HOST, (b"X", b"a\nY: b")]}, id="line feed"),
    pytest.param({"headers": [HOST, (b"X", b"a\rY: b")]}, id="carriage return"),
    pytest.param({"headers": [HOST, (b"X", b"a\x00")]}, id="NUL"),
    pytest.param({"headers": [HOST, (b"X", b"a\x7f")]}, id="control character"),
    pytest.param({"headers": [HOST, (b"X\r\nY", b"a")]}, id="a header in a name"),
    pytest.param({"headers": [HOST, (b"X y", b"a")]}, id="blank in a name"),
    pytest.param({"headers": [HOST, (b" X", b"a")]}, id="a name that continues the line before"),
    pytest.param({"headers": [HOST, (b"X:", b"a")]}, id="colon in a name"),
    pytest.param({"headers": [HOST, (b"", b"a")]}, id="no name"),
    pytest.param({"headers": [HOST, (b"\xc3\xa4", b"a")]}, id="a name that is not ASCII"),
    pytest.param({"headers": []}, id="no host"),
    pytest.param({"headers": [HOST, (b"host", b"other")]}, id="two hosts"),
    pytest.param({"headers": [HOST], "method": "GET / HTTP/1.1\r\nX:"}, id="method with a line"),
    pytest.param({"headers": [HOST], "method": "GET X"}, id="method with a blank"),
    pytest.param({"headers": [HOST], "method": "GE\u00e4"}, id="method that is not ASCII"),
    pytest.param({"headers": [HOST], "method": ""}, id="no method"),
    pytest.param({"headers": [HOST], "method": "CONNECT"}, id="CONNECT"),
    pytest.param({"headers": [HOST, (b"Content-Length", b"1")]}, id="shorter than told"),
    pytest.param({"headers": [HOST], "stream": httpx2.ByteStream(b"x")}, id="longer than told"),
    pytest.param({"headers": [HOST, (b"Content-Length", b"+0")]}, id="a length with a sign"),
    pytest.param({"headers": [HOST, (b"Content-Length", b"9" * 19)]}, id="a length beyond all bounds"),
    pytest.param({"headers": [HOST, (b"Content-Length", b"0"), (b"content-length", b"0")]}, id="two lengths"),
    pytest.param(
        {"headers": [HOST, (b"Content-Length", b"0"), (b"Transfer-Encoding", b"chunked")]}, id="both framings"
    ),
    pytest.param({"headers": [HOST, (b"Transfer-Encoding", b"gzip, chunked")]}, id="another coding"),
    pytest.param({"headers": [HOST, (b"Transfer-Encoding", b"identity")]}, id="no coding"),
]


@pytest.mark.parametrize("wrong", NOT_SENT)
@pytest.mark.proves("TRANSPORT-requests")
def test_what_could_be_read_in_two_ways_is_not_sent(wrong: dict[str, Any]) -> None:
    headers = wrong.pop("headers")
    with pytest.raises(httpx2.LocalProtocolError):
        message(*headers, **wrong)


@pytest.mark.proves("TRANSPORT-requests")
def test_a_target_that_has_to_be_escaped_is_escaped_or_refused() -> None:
    assert b" /a%20b?c%0D%0Ad " in message(HOST, url="http://host/a b?c%0D%0Ad").head
    url = httpx2.URL("http://host/")
    url._uri_reference = url._uri_reference._replace(path="/ HTTP/1.1\r\nX: y")
    with pytest.raises(httpx2.LocalProtocolError):
        Message.of(httpx2.Request("GET", url, headers=[HOST], stream=httpx2.ByteStream(b"")))


@pytest.mark.proves("TRANSPORT-requests")
def test_other_schemes_are_refused() -> None:
    for url in ("ftp://host/", "//host/", "ws://host/"):
        with pytest.raises(httpx2.UnsupportedProtocol):
            message(HOST, url=url)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://host/", ("http", b"host", 80)),
        ("https://HOST:444/", ("https", b"host", 444)),
        ("https://[::1]/", ("https", b"::1", 443)),
        ("http://bücher.example:80/", ("http", b"xn--bcher-kva.example", 80)),
    ],
)
@pytest.mark.proves("TRANSPORT-requests")
def test_an_origin_is_scheme_host_and_port(url: str, origin: tuple[str, bytes, int]) -> None:
    assert message(HOST, url=url).origin == origin


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        pytest.param({"method": "GET"}, True, id="GET"),
        pytest.param({"method": "POST"}, False, id="POST"),
        pytest.param({"method": "POST", "resend": True}, True, id="POST that may be resent"),
        pytest.param({"method": "POST", "resend": True, "stream": Pieces()}, False, id="a stream"),
        pytest.param({"method": "GET", "stream": Pieces()}, False, id="a stream with GET"),
    ],
)
@pytest.mark.proves("TRANSPORT-resend")
def test_only_what_may_be_repeated_is_sent_again(changes: dict[str, Any], again: bool) -> None:
    assert message(HOST, **changes).again is again


@pytest.mark.proves("SPEED-head-once")
@given(common=FIELDS, own=FIELDS)
def test_common_and_own_headers_make_the_head_that_all_of_them_would(common: Any, own: Any) -> None:
    url = httpx2.URL("http://host/path?a=b")
    to = Destination(url, [HOST, *common])
    for _ in range(2):
        made = Message("POST", to, own, b"body")
        assert made.head == Message("POST", Destination(url), [HOST, *common, *own], b"body").head
        assert read(made.head + made.body)[3] == b"body"


@pytest.mark.proves("SPEED-head-once")
@pytest.mark.parametrize(
    "common",
    [
        [],
        [HOST, HOST],
        [HOST, (b"X", b"a\r\nEvil: 1")],
        [HOST, (b"X y", b"a")],
        [HOST, (b"", b"a")],
        [HOST, (b"Content-Length", b"0")],
        [HOST, (b"Transfer-Encoding", b"chunked")],
    ],
)
def test_what_could_be_read_in_two_ways_is_not_sent_as_a_common_header_either(common: Any) -> None:
    to = Destination(httpx2.URL("http://host/"), common)
    for _ in range(2):
        with pytest.raises(httpx2.LocalProtocolError):
            Message("POST", to, [])


@pytest.mark.proves("TRANSPORT-requests")
@pytest.mark.parametrize("framing", [(b"Content-Length", b"4"), (b"transfer-encoding", b"chunked")])
def test_a_message_tells_itself_where_its_body_ends(framing: tuple[bytes, bytes]) -> None:
    to = Destination(httpx2.URL("http://host/"), [HOST])
    with pytest.raises(httpx2.LocalProtocolError):
        Message("POST", to, [framing], b"body")
    told = [read(Message(method, to, []).head)[2][1:] for method in ("GET", "POST")]
    assert told == [[], [(b"Content-Length", b"0")]]
    assert (b"Content-Length", b"7") in read(Message("GET", to, [], Pieces(), length=7).head + b"x" * 7)[2]
    assert (b"Transfer-Encoding", b"chunked") in read(Message("GET", to, [], Pieces()).head + b"0\r\n\r\n")[2]
