"""How a request's body is read: collected, decompressed and parsed, each within bounds."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

import orjson
import zstandard

from gateway.simulator.forms import Kept, form, is_form
from gateway.simulator.player import Receive

LARGEST = 64 * 1024 * 1024  # bytes of a body, compressed or not
_KEPT_OF_FORMS = 2 * 1024 * 1024  # bytes at their beginning
_TAIL_OF_FORMS = 64 * 1024  # bytes at their end: fields may stand behind the file
_BITE = 256  # bytes decompressed at a time: zstd makes at most 128 KiB of four
_NESTED = 100  # levels of a request; orjson writes at most 254, and answers wrap what they repeat
_HOLDERS = (dict, list)


class Unreadable(Exception):
    """A body nobody can read; the message says why. `raw`: as far as it was decompressed."""

    def __init__(self, reason: str, raw: bytes = b"") -> None:
        super().__init__(reason)
        self.raw = raw


async def collected(receive: Receive, headers: Mapping[str, str]) -> Kept | None:
    """The body as it came, or None when the client left before it was there. What is too large is not all kept."""
    most = _KEPT_OF_FORMS if is_form(headers.get("content-type", "")) else LARGEST
    head = bytearray()
    tail = b""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        piece = message.get("body", b"")
        size += len(piece)
        if len(head) <= most:
            head += piece
        else:
            tail = (tail + piece)[-_TAIL_OF_FORMS:]
        if not message.get("more_body"):
            whole = len(head) + len(tail) == size
            return Kept(bytes(head) + tail, size) if whole else Kept(bytes(head), size, tail)


def read(received: Kept, headers: Mapping[str, str]) -> tuple[bytes, Any]:
    """The decompressed bytes and the document in them: JSON, a dict for forms, None for no body. Raises Unreadable."""
    kind = headers.get("content-type", "")
    if is_form(kind):
        return received.head, form(received, kind)
    raw = _decompressed(received.head, headers.get("content-encoding", "identity").strip().lower())
    if not raw:
        return raw, None
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return raw, dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        half = "a \\u escape is one half of a surrogate pair: " if " surrogate in string" in str(error) else ""
        raise Unreadable(f"Invalid JSON: {half}{error}", raw) from error
    if _deeper(body, _NESTED):
        raise Unreadable(f"Invalid JSON: nested deeper than {_NESTED} levels", raw)
    return raw, body


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def _decompressed(raw: bytes, encoding: str) -> bytes:
    if len(raw) > LARGEST:
        raise Unreadable(_too_large())
    if encoding == "identity":
        return raw
    machine: _Decompressor
    if encoding == "zstd":
        machine = zstandard.ZstdDecompressor().decompressobj()
    elif encoding in {"gzip", "deflate"}:
        machine = zlib.decompressobj(wbits=47)
    else:
        raise Unreadable(f"Unsupported or incomplete content encoding: {encoding}")
    found = bytearray()
    try:
        for at in range(0, len(raw), _BITE):
            found += machine.decompress(raw[at : at + _BITE])
            if len(found) > LARGEST:
                raise Unreadable(_too_large())
            if machine.eof:
                break
    except (zstandard.ZstdError, zlib.error) as error:
        raise Unreadable(f"Could not decode the request body: {error}") from error
    if not machine.eof:
        raise Unreadable(f"Unsupported or incomplete content encoding: {encoding}")
    return bytes(found)


def _too_large() -> str:
    return f"The request body is larger than {LARGEST} bytes."


def _deeper(document: Any, levels: int) -> bool:
    """Lists and objects stand in each other more than `levels` deep."""
    layer = [document]
    for _ in range(levels):
        held = (value.values() if isinstance(value, dict) else value for value in layer if isinstance(value, _HOLDERS))
        layer = [inner for values in held for inner in values]
    return any(isinstance(value, _HOLDERS) for value in layer)
