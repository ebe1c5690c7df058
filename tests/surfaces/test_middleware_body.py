"""Reading request bodies within limits."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable

import httpx2
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from gateway.config import Limits
from gateway.errors import GatewayError, InvalidRequest, RequestTimeout, RequestTooLarge, UnsupportedEncoding
from gateway.surfaces.headers import told_length
from gateway.surfaces.middleware.body import _SHORT_BYTES, ClientLeft, parse_json, read_body
from tests.serving import serving
from tests.surfaces.stack import Stack, error_of

Pack = Callable[[bytes], bytes]
DOCUMENT = b'{"model": "gpt-5.5", "input": "hello"}'


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def streamed_zstd(data: bytes) -> bytes:
    """A frame that does not tell its size, as streaming clients send."""
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(data) + packer.flush()


PACKS: dict[str, tuple[str, Pack]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare_deflate),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress),
    "streamed zstd": ("zstd", streamed_zstd),
}
packed = pytest.mark.parametrize(("encoding", "pack"), PACKS.values(), ids=PACKS)


class Arriving:
    """A request body that arrives in pieces; counts how many were asked for."""

    def __init__(self, *pieces: bytes, leaves: bool = False) -> None:
        self.read = 0
        self._messages: list[Message] = [
            {"type": "http.request", "body": piece, "more_body": leaves or position < len(pieces) - 1}
            for position, piece in enumerate(pieces)
        ]
        if leaves:
            self._messages.append({"type": "http.disconnect"})

    async def __call__(self) -> Message:
        self.read += 1
        return self._messages[self.read - 1]


async def read(receive: Receive, *encodings: str, length: int | None = None, limit: int = 1000) -> bytes:
    headers = [(b"content-encoding", encoding.encode("latin-1")) for encoding in encodings]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    return await read_body({"type": "http", "headers": headers, "state": {}}, receive, Limits(body_bytes=limit))


@pytest.mark.proves("HTTP-body")
async def test_a_body_is_the_join_of_its_pieces() -> None:
    assert await read(Arriving(b"one ", b"", b"two")) == b"one two"
    assert await read(Arriving(b"")) == b""


@pytest.mark.proves("HTTP-body", "SPEED-in-place")
async def test_a_body_that_came_in_one_piece_is_not_copied() -> None:
    body = b"one" * 100
    assert await read(Arriving(b"", b"", body, b"")) is body


@pytest.mark.proves("HTTP-body")
async def test_a_byte_order_mark_is_taken_off() -> None:
    assert await read(Arriving(b"\xef\xbb\xbf" + DOCUMENT)) == DOCUMENT


@pytest.mark.proves("HTTP-body-limit")
@pytest.mark.parametrize(
    ("value", "length"),
    [
        (b"0", 0),
        (b"17", 17),
        (b" 0017\t", 17),
        (b"0" * 5000, 0),
        (b"0" * 5000 + b"17", 17),
        (b"9" * 5000, int("9" * 20)),
        *((odd, None) for odd in (b"", b"+5", b"-5", b"5_0", b"5.0", b"0x5", b"5, 5", "\u0665".encode())),
    ],
)
def test_a_length_is_told_by_digits_alone(value: bytes, length: int | None) -> None:
    assert told_length({b"content-length": value}) == length


@pytest.mark.proves("HTTP-body-limit")
async def test_a_body_announced_too_large_is_refused_unread() -> None:
    body = Arriving(b"x")
    with pytest.raises(RequestTooLarge):
        await read(body, length=1001)
    assert body.read == 0


@pytest.mark.proves("HTTP-body-limit")
async def test_reading_stops_with_the_piece_that_is_too_much() -> None:
    body = Arriving(b"x" * 600, b"x" * 600, b"x" * 600)
    with pytest.raises(RequestTooLarge):
        await read(body)
    assert body.read == 2


@pytest.mark.proves("HTTP-body-limit")
async def test_a_body_of_exactly_the_limit_is_read() -> None:
    assert len(await read(Arriving(b"x" * 1000), length=1000)) == 1000


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await read_body(scope, receive, Limits(body_bytes=100_000))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(len(body)).encode()})


@pytest.mark.proves("HTTP-body-limit")
@pytest.mark.parametrize("chunked", [False, True], ids=["with length", "chunked"])
async def test_a_client_that_sends_too_much_reads_its_413_and_may_go_on(chunked: bool) -> None:
    async def pieces() -> object:
        for _ in range(64):
            yield b"x" * 65_536

    async with serving(Stack(echo)) as base_url, httpx2.AsyncClient() as client:
        content = pieces() if chunked else b"x" * 4_194_304
        refused = await client.post(f"{base_url}/v1/responses", content=content)  # type: ignore[arg-type]  # untyped generator
        accepted = await client.post(f"{base_url}/v1/responses", content=b"x" * 100_000)
    assert error_of(refused) == (413, "gateway_error", "request_too_large")
    assert accepted.text == "100000"


@pytest.mark.proves("HTTP-body-left")
async def test_a_client_that_leaves_while_sending_is_told_apart() -> None:
    with pytest.raises(ClientLeft):
        await read(Arriving(b"half", leaves=True))


@pytest.mark.proves("HTTP-body-left")
async def test_a_client_that_stops_in_the_middle_of_its_body_is_told() -> None:
    asked = 0

    async def stuck() -> Message:
        nonlocal asked
        asked += 1
        if asked == 1:
            return {"type": "http.request", "body": b"half", "more_body": True}
        return await asyncio.Future()

    with pytest.raises(RequestTimeout) as stopped:
        await read_body({"headers": [], "state": {}}, stuck, Limits(idle_seconds=0.01))
    assert (stopped.value.status, stopped.value.code) == (408, "request_timeout")


@pytest.mark.proves("HTTP-encoding")
@packed
async def test_a_compressed_body_is_decompressed(encoding: str, pack: Pack) -> None:
    assert await read(Arriving(pack(DOCUMENT)), encoding) == DOCUMENT
    assert await read(Arriving(b""), encoding) == b""


@pytest.mark.proves("HTTP-encoding")
@packed
@settings(max_examples=25)
@given(body=st.binary(max_size=5000))
async def test_whatever_was_compressed_comes_back(encoding: str, pack: Pack, body: bytes) -> None:
    body = b"." + body  # no byte order mark
    assert await read(Arriving(pack(body)), encoding, limit=10_000) == body


@pytest.mark.proves("HTTP-encoding")
async def test_several_encodings_come_off_in_reverse_order() -> None:
    body = zstandard.ZstdCompressor().compress(gzip.compress(DOCUMENT))
    assert await read(Arriving(body), "GZIP, identity, zstd") == DOCUMENT
    assert await read(Arriving(body), "gzip", "zstd") == DOCUMENT


@pytest.mark.proves("HTTP-encoding")
@pytest.mark.parametrize(("encoding", "pack"), [PACKS["gzip"], PACKS["zstd"]], ids=["gzip", "zstd"])
async def test_a_body_of_several_members_is_joined(encoding: str, pack: Pack) -> None:
    assert await read(Arriving(pack(b"one ") + pack(b"two")), encoding) == b"one two"


@pytest.mark.proves("HTTP-bomb")
@packed
async def test_a_decompression_bomb_is_refused(encoding: str, pack: Pack) -> None:
    bomb = pack(b"\0" * 10_000_000)
    assert len(bomb) < 20_000
    with pytest.raises(RequestTooLarge):
        await read(Arriving(bomb), encoding, limit=100_000)


@pytest.mark.proves("HTTP-bomb")
async def test_a_zstd_frame_that_wants_a_huge_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = packer.compress(b"x" * 1000) + packer.flush()
    with pytest.raises(InvalidRequest):
        await read(Arriving(body), "zstd", limit=10_000)


@pytest.mark.proves("HTTP-corrupt")
@packed
@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda data: b"\xff" * len(data)], ids=["cut", "noise"])
async def test_corrupt_compression_is_a_400(encoding: str, pack: Pack, damage: Pack) -> None:
    with pytest.raises(InvalidRequest):
        await read(Arriving(damage(pack(DOCUMENT * 10))), encoding)


@pytest.mark.proves("HTTP-encoding-unknown")
@pytest.mark.parametrize("encoding", ["br", "gzip, snappy", "gzip, gzip, gzip, gzip, gzip"])
async def test_an_unknown_encoding_is_a_415_that_names_the_known_ones(encoding: str) -> None:
    body = Arriving(b"x")
    with pytest.raises(UnsupportedEncoding) as caught:
        await read(body, encoding)
    assert (caught.value.status, caught.value.headers) == (415, {"accept-encoding": "zstd, gzip, deflate"})
    assert body.read == 0


def refused(body: bytes, depth: int = 8) -> GatewayError:
    with pytest.raises(InvalidRequest) as caught:
        parse_json(body, depth)
    assert (caught.value.status, caught.value.code) == (400, "invalid_request")
    return caught.value


@pytest.mark.proves("HTTP-json")
def test_a_json_object_is_parsed_and_of_repeated_keys_the_last_counts() -> None:
    assert parse_json(DOCUMENT, 8) == {"model": "gpt-5.5", "input": "hello"}
    assert parse_json(b'{"a": 1, "a": 2}', 8) == {"a": 2}


@pytest.mark.proves("HTTP-json")
def test_half_a_surrogate_pair_is_no_reason_to_refuse() -> None:
    assert parse_json(b'{"a": "x\\ud83d"}', 8) == {"a": "x\ufffd"}


@pytest.mark.proves("HTTP-json")
@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a": 1,}', b"{'a': 1}", b'{"a": NaN}', b'{"a": 1} x', b'{"a": "\xff"}', b"a=1", b"[" * 5000]
)
def test_anything_but_json_is_a_400(body: bytes) -> None:
    refused(body)


@pytest.mark.proves("HTTP-json")
def test_the_message_says_where_the_mistake_is_and_repeats_nothing() -> None:
    message = refused(b'{\n "a": sk-secret}').message
    assert "line 2" in message
    assert "secret" not in message


@pytest.mark.proves("HTTP-json")
@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"[]", "an array"), (b'"x"', "a string"), (b"1", "a number"), (b"true", "a boolean"), (b"null", "null")],
)
def test_anything_but_an_object_is_a_400_that_says_what_it_was(body: bytes, kind: str) -> None:
    assert kind in refused(body).message


def nested(depth: int) -> bytes:
    """An object whose innermost container is at this depth, alternating objects and arrays."""
    value: object = 1
    for level in range(depth):
        value = {"a": value} if (depth - level) % 2 else [value]
    return json.dumps(value).encode()


@pytest.mark.proves("HTTP-depth")
def test_nesting_is_allowed_to_the_limit_and_refused_beyond() -> None:
    assert parse_json(nested(8), 8) == json.loads(nested(8))
    assert "8 levels" in refused(nested(9)).message


@pytest.mark.proves("HTTP-depth")
@given(depth=st.integers(1, 12), noise=st.lists(st.sampled_from(["[", "]", "{", "}", '"[', "[{}]"]), max_size=20))
def test_brackets_in_strings_and_siblings_do_not_count_as_depth(depth: int, noise: list[str]) -> None:
    body = json.dumps({"noise": noise, "siblings": [[] for _ in range(20)], "a": json.loads(nested(depth))}).encode()
    if depth + 1 > 8:
        refused(body)
    else:
        assert parse_json(body, 8) == json.loads(body)


@pytest.mark.proves("HTTP-depth")
@pytest.mark.parametrize("long", [_SHORT_BYTES - 100, _SHORT_BYTES, _SHORT_BYTES * 4])
def test_depth_is_seen_in_long_bodies_too(long: int) -> None:
    def body(depth: int) -> bytes:
        return json.dumps({"text": "[{" * (long // 2), "a": json.loads(nested(depth - 1)), "b": [[]] * 3}).encode()

    assert parse_json(body(8), 8) == json.loads(body(8))
    assert refused(body(9)).param == "a"
    assert refused(json.dumps({"a": [1] * long, "b": [[[[[[[[[1]]]]]]]]]}).encode()).param == "b"
    values: list[object] = [1, [], {"x": [1]}]
    for value in values:
        assert parse_json(json.dumps({"a": [value] * long}).encode(), 8) == {"a": [value] * long}
    assert refused(json.dumps({"a": [1] * long, "b": [{"x": [[]] * long, "y": [[[[[[[]]]]]]]}]}).encode()).param == "b"
