"""Heads of answers: what is in a name or a value cannot become another line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.heads import Starts, lines_of

INJECTED = b"\r\nset-cookie: a=b"
CONTROLS = [bytes([code]) for code in (*range(0x20), 0x7F) if code != 0x09]


@pytest.mark.proves("HTTP-header-injection")
@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("place", [b"%b", b"%bx", b"x%b", b"a%bb"])
def test_no_control_character_gets_into_a_value(control: bytes, place: bytes) -> None:
    for headers in ([(b"x", place % control)], [(b"a", b"b"), (b"x", place % control), (b"c", b"")]):
        with pytest.raises(RuntimeError, match="value"):
            lines_of(headers)


@pytest.mark.proves("HTTP-header-injection")
@pytest.mark.parametrize(
    "name", [b"x" + INJECTED, b"x: y", b"x y", b"x\t", b"\nx", b"x\r", b"x\0", b"x:", "ä".encode()]
)
def test_no_name_is_more_than_a_token(name: bytes) -> None:
    with pytest.raises(RuntimeError, match="name"):
        lines_of([(b"a", b"b"), (name, b"c")])


@pytest.mark.proves("HTTP-header-injection")
@given(st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=6)), max_size=5))
def test_lines_say_the_headers_and_nothing_else_or_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    try:
        lines, _ = lines_of(headers)
    except RuntimeError:
        return
    told = [line.split(b": ", 1) for line in lines.split(b"\r\n")]
    assert [(name, value) for name, value in told[:-1]] == [(name.lower(), value) for name, value in headers]
    assert told[-1] == [b""]


@pytest.mark.proves("HTTP-header-injection")
def test_tabs_and_bytes_beyond_ascii_are_values() -> None:
    assert lines_of([(b"x", b"a\tb \xff")]) == (b"x: a\tb \xff\r\n", [])


@pytest.mark.proves("HTTP-framing")
def test_headers_that_say_where_an_answer_ends_are_found_however_they_are_spelled() -> None:
    headers = [(b"Content-Length", b"1"), (b"X-Length", b"2"), (b"CONNECTION", b"Close"), (b"transfer-encoding", b"x")]
    lines, framing = lines_of(headers)
    assert framing == [(b"content-length", b"1"), (b"connection", b"Close"), (b"transfer-encoding", b"x")]
    assert lines == b"content-length: 1\r\nx-length: 2\r\nconnection: Close\r\ntransfer-encoding: x\r\n"


@pytest.mark.proves("SPEED-head-once")
def test_what_all_answers_have_is_joined_once_until_it_changes() -> None:
    starts, first, second = Starts(), [(b"date", b"one")], [(b"date", b"two"), (b"server", b"x")]
    assert starts.of(200, first) == b"HTTP/1.1 200 OK\r\ndate: one\r\n"
    assert starts.of(200, first) is starts.of(200, first)
    assert starts.of(404, first) == b"HTTP/1.1 404 Not Found\r\ndate: one\r\n"
    assert starts.of(200, second) == b"HTTP/1.1 200 OK\r\ndate: two\r\nserver: x\r\n"
    assert starts.of(200, []) == b"HTTP/1.1 200 OK\r\n"
