"""Answers of servers, made up: every kind of framing, with what may stand before, in and after it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BODYLESS = (204, 304)


@dataclass(frozen=True)
class Made:
    """An answer as bytes. `method` asked for it; `whole`: it says where it ends, or ends with the connection."""

    data: bytes
    method: str


NAMES = st.text(TOKEN, min_size=1, max_size=12).filter(
    lambda name: (
        name.lower() not in ("content-length", "transfer-encoding", "connection", "upgrade", "proxy-connection")
    )
)
VALUES = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f\x85\xa0", exclude_categories=["Cc"]),
    max_size=20,
).map(lambda text: text.encode("latin-1"))
FIELDS = st.tuples(
    NAMES.map(str.encode), st.sampled_from([b" ", b"", b"  \t"]), VALUES, st.sampled_from([b"", b" \t "])
)
REASONS = st.sampled_from([b" OK", b" ", b"", b" Not So \xe4 Fine"])
BODIES = st.one_of(st.binary(max_size=64), st.binary(min_size=1, max_size=32).map(lambda part: part * 500))


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """A body in chunks of any size, with extensions and trailers now and then."""
    out = bytearray()
    while body:
        size = draw(st.integers(1, max(1, min(len(body), 4000))))
        extension = draw(st.sampled_from([b"", b"", b";name", b';name="value"', b" "]))
        digits = draw(st.sampled_from([b"%x", b"%X", b"0%x"])) % size
        out += digits + extension + b"\r\n" + body[:size] + b"\r\n"
        body = body[size:]
    out += b"0\r\n"
    for name, pad, value, after in draw(st.lists(FIELDS, max_size=2)):
        out += name + b":" + pad + value + after + b"\r\n"
    return bytes(out + b"\r\n")


@st.composite
def answers(draw: st.DrawFn) -> Made:
    """An answer that is as HTTP/1.1 or HTTP/1.0 has it."""
    method = draw(st.sampled_from(["GET", "POST", "HEAD"]))
    end = draw(st.sampled_from([b"\r\n", b"\r\n", b"\n"]))
    out = bytearray()
    for status in draw(st.lists(st.sampled_from([100, 102, 103]), max_size=2)):
        out += b"HTTP/1.1 %d Wait%b" % (status, end)
        for name, pad, value, after in draw(st.lists(FIELDS, max_size=2)):
            out += name + b":" + pad + value + after + end
        out += end
    status = draw(st.sampled_from([200, 201, 204, 206, 301, 304, 400, 404, 429, 500, 503, 599]))
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.0"]))
    out += b"HTTP/" + version + b" %d" % status + draw(REASONS) + end
    fields = [name + b":" + pad + value + after for name, pad, value, after in draw(st.lists(FIELDS, max_size=5))]
    body = draw(BODIES)
    framing = draw(st.sampled_from(["length", "chunked", "close", "empty"]))
    coded = body
    if framing == "length":
        fields.append(b"content-Length: %d" % len(body))
    elif framing == "chunked":
        fields.append(b"Transfer-encoding: chunked")
        coded = draw(chunked(body))
    elif framing == "empty":
        fields.append(b"Content-Length:0")
        coded = b""
    if draw(st.booleans()):
        fields.append(b"Connection: " + draw(st.sampled_from([b"close", b"keep-alive", b"Close"])))
    for line in draw(st.permutations(fields)):
        out += line + end
    out += end
    if method != "HEAD" and status not in BODYLESS:
        out += coded
    return Made(bytes(out), method)


@st.composite
def cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The same bytes in pieces."""
    if draw(st.booleans()):
        return [data[at : at + 1] for at in range(len(data))]
    places = sorted(draw(st.sets(st.integers(0, len(data)), max_size=6)))
    ends = [0, *places, len(data)]
    return [data[start:stop] for start, stop in pairwise(ends) if stop > start]
