"""Request bodies: read within limits, decompressed within limits, parsed as a JSON object. All in linear time."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import zstandard

from gateway.core import json
from gateway.errors import InvalidRequest, RequestTimeout, RequestTooLarge, UnsupportedEncoding
from gateway.surfaces.headers import by_name, told_length
from gateway.surfaces.middleware.patience import Patience

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

    from gateway.surfaces.errors import RawHeaders

WHOLE = "gateway.whole"
"""Where in the scope a server may put a function that gives the whole body, when all of it has come and nobody has
received of it; None where it has not. `receive` does not tell it again."""

_BOM = b"\xef\xbb\xbf"
_MAX_ENCODINGS = 4
"""Nobody compresses more often; each round may cost the whole limit."""

_SLICE = 1024
"""Compressed bytes decoded at once: at the worst ratio of zstd (32,000) they become 32 MiB, of zlib one."""

_ZSTD_WINDOW = 8 * 1024 * 1024
"""The largest window of the HTTP content coding (RFC 9659)."""

_SHORT_BYTES = 16 * 1024
"""Up to here all brackets are counted; beyond, one is found after the other, and no more than are needed."""

_FEW_VALUES = 1000
"""To walk them takes less time than to look for brackets in a long body."""

_SHOWN_CHARACTERS = 100
"""Of a field's name: the client made it up."""


class ClientLeft(Exception):
    """The client closed the connection before its request was read. There is nobody to answer."""


class Bounds(Protocol):
    """The limits of a request body (`config.Limits`)."""

    @property
    def body_bytes(self) -> int: ...
    @property
    def idle_seconds(self) -> float: ...


async def read_body(scope: Scope, receive: Receive, limits: Bounds) -> bytes:
    """The whole request body, decompressed, without a byte order mark. b"" when there is none.

    Raises RequestTooLarge (as sent or decompressed beyond `limits.body_bytes`; reading stops there),
    UnsupportedEncoding, InvalidRequest (corrupt compression), RequestTimeout (a client that sends no more for
    `limits.idle_seconds`) and ClientLeft.
    """
    body = body_at_hand(scope, limits)
    if body is not None:
        return body
    limit = limits.body_bytes
    seen = by_name(scope)
    if (told_length(seen) or 0) > limit:
        raise _too_large(limit)
    decoders = _decoders(_encodings(scope["headers"])) if b"content-encoding" in seen else ()
    body = await _received(receive, limit, limits.idle_seconds)
    for encoding, decoder in decoders:
        body = _decoded(body, encoding, decoder, limit)
    return body.removeprefix(_BOM)


def body_at_hand(scope: Scope, limits: Bounds) -> bytes | None:
    """What `read_body` gives, if all of it has come and is not compressed; None otherwise. Raises RequestTooLarge."""
    if b"content-encoding" in by_name(scope):
        return None
    whole: Callable[[], bytes | None] = scope.get(WHOLE, _not_yet)
    body = whole()
    if body is None:
        return None
    if len(body) > limits.body_bytes:
        raise _too_large(limits.body_bytes)
    return body.removeprefix(_BOM)


def parse_json(body: bytes, depth: int) -> dict[str, Any]:
    """The JSON object in a body, as `parse_body` reads it."""
    return parse_body(body, depth)[0]


def parse_body(body: bytes, depth: int) -> tuple[dict[str, Any], bytes]:
    """The JSON object in a body, and the bytes that say it: the body itself, if every server can read it.

    Of keys that repeat, the last counts. Half of a surrogate pair becomes U+FFFD, in the bytes too.
    Raises InvalidRequest when it is not JSON, not an object, or nested deeper than `depth`.
    """
    try:
        document, body = json.loads_whole(body)
    except ValueError as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequest(f"The request body must be a JSON object, not {_kind(document)}.")
    if _may_nest(document, body, depth) and _deeper(document, depth):
        raise _too_deep(document, depth)
    return document, body


def _too_deep(document: dict[str, Any], depth: int) -> InvalidRequest:
    """Names the first field that nests too deep."""
    name = next(name for name, value in document.items() if _deeper({name: value}, depth))
    shown = name if len(name) <= _SHOWN_CHARACTERS else f"{name[:_SHOWN_CHARACTERS]}…"
    return InvalidRequest(f"{shown} is nested too deep: a body must have at most {depth} levels.", param=shown)


def _not_yet() -> None:
    """Of a server that does not tell whether the body has come."""


def _encodings(headers: RawHeaders) -> list[str]:
    """The content codings in the order they were applied, without identity."""
    told = b",".join([value for name, value in headers if name == b"content-encoding"])
    words = [word.strip() for word in told.decode("latin-1").lower().split(",")]
    return [word for word in words if word not in ("", "identity")]


async def _received(receive: Receive, limit: int, patience: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        try:
            with Patience(patience):
                message = await receive()
        except TimeoutError as error:
            raise RequestTimeout(f"The rest of the request body did not come within {patience:g} seconds.") from error
        if message["type"] == "http.disconnect":
            raise ClientLeft
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        if piece:  # else it only says that something came
            pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)  # which copies no piece that is alone


class _Decoder(Protocol):
    """What zlib and zstandard share. One decoder reads one frame (zstd) or member (gzip)."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


_NewDecoder = Callable[[bytes], _Decoder]
"""Makes a decoder for data that begins with these bytes."""


def _gzip(_: bytes) -> _Decoder:
    return zlib.decompressobj(wbits=31)


def _deflate(start: bytes) -> _Decoder:
    """zlib data as RFC 9110 has it, or the bare deflate data that some clients send."""
    wrapped = len(start) > 1 and start[0] & 0x0F == 8 and int.from_bytes(start[:2]) % 31 == 0
    return zlib.decompressobj(wbits=15 if wrapped else -15)


def _zstd(_: bytes) -> _Decoder:
    return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()


_DECODERS: dict[str, _NewDecoder] = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "zstd": _zstd}


def _decoders(encodings: list[str]) -> list[tuple[str, _NewDecoder]]:
    """The decoders in the order they are needed: the coding applied last comes off first."""
    offer = {"accept-encoding": "zstd, gzip, deflate"}
    unknown = [word for word in encodings if word not in _DECODERS]
    if unknown:
        raise UnsupportedEncoding(
            f"Content-Encoding {unknown[0][:40]!r} is not supported, only zstd, gzip and deflate.", headers=offer
        )
    if len(encodings) > _MAX_ENCODINGS:
        raise UnsupportedEncoding(f"More than {_MAX_ENCODINGS} content encodings are not supported.", headers=offer)
    return [(word, _DECODERS[word]) for word in reversed(encodings)]


def _decoded(data: bytes, encoding: str, new_decoder: _NewDecoder, limit: int) -> bytes:
    """Decompress in small steps, so that a bomb is noticed when it has grown little beyond the limit."""
    if not data:
        return data
    pieces: list[bytes] = []
    size = 0
    decoder = new_decoder(data[:2])
    try:
        for start in range(0, len(data), _SLICE):
            rest = data[start : start + _SLICE]
            while rest:
                if decoder.eof:
                    decoder = new_decoder(rest[:2])
                piece = decoder.decompress(rest)
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                pieces.append(piece)
                rest = decoder.unused_data
    except (zlib.error, zstandard.ZstdError) as error:
        raise InvalidRequest(f"The request body is not valid {encoding} data.", detail=str(error)) from error
    if not decoder.eof:
        raise InvalidRequest(f"The request body ends in the middle of its {encoding} data.")
    return b"".join(pieces)


def _brackets(body: bytes, enough: int) -> int:
    """How many brackets open in a long body; no more than `enough` and one of a kind are counted."""
    found = 0
    for bracket in (b"{", b"["):
        at = body.find(bracket)
        while at >= 0 and found <= enough:
            found += 1
            at = body.find(bracket, at + 1)
    return found


def _may_nest(document: dict[str, Any], body: bytes, depth: int) -> bool:
    """Whether a body may nest deeper than `depth`. For that it needs so many brackets: most need not be walked."""
    if len(body) <= _SHORT_BYTES:  # `count` looks at each byte by itself
        return len(body) - len(body.replace(b"{", b"").replace(b"[", b"")) > depth
    values = 0
    level: list[Any] = [document]
    for _ in range(depth):
        values += sum(map(len, level))
        if values > _FEW_VALUES:
            return _brackets(body, depth) > depth
        level = _within(level)
        if not level:
            return False
    return True


def _deeper(document: dict[str, Any], depth: int) -> bool:
    """Whether containers nest deeper than `depth`, looked at level by level: no recursion, each value once."""
    level: list[Any] = [document]
    for _ in range(depth):
        level = _within(level)
        if not level:
            return False
    return True


def _within(containers: list[Any]) -> list[Any]:
    """The containers directly within these."""
    return [
        value
        for container in containers
        for value in (container.values() if type(container) is dict else container)
        if type(value) is dict or type(value) is list
    ]


def _kind(value: object) -> str:
    if value is None:
        return "null"
    return {list: "an array", str: "a string", bool: "a boolean"}.get(type(value), "a number")


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"The request body is larger than {limit} bytes (limits.body_bytes).")
