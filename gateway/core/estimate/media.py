"""How many tokens an image or a file has, about.

Images: OpenAI's tiles of 512 pixels, as for GPT-4o, GPT-4.1 and o1. Later models count in patches of 32 pixels or have
other prices for a tile: from two thirds of this to half as much again. Where the size is not known, it is taken to be
1024 × 1024. Files: texts as what they say, all else by the byte, which can be wrong by several times.
"""

from __future__ import annotations

import base64
from math import ceil
from typing import NamedTuple

IMAGE_BASE, IMAGE_TILE = 85, 170
UNKNOWN_FILE = 1500
"""Tokens of a file that is not in the request: a page or two of text."""

_TILE, _LONGEST, _SHORTEST = 512, 2048, 768
_PATCH, _MOST_PATCHES = 32, 10_000
"""With detail `original` nothing is made smaller up to 10,000 patches."""

_HEAD_CHARACTERS = 256 * 1024
"""Of base64: a JPEG's size stands behind its preview and colour profile."""

_BYTES_PER_TOKEN = 40
"""Of documents: a page of a PDF has about 60 kB, its text and its image about 1,500 tokens."""

_SNIFFED = 1024
_BINARY = (b"%PDF", b"PK\x03\x04", b"{\\rtf", b"\xd0\xcf\x11\xe0")
"""How documents begin that are no plain text: PDF, those of offices, RTF."""


class Size(NamedTuple):
    """Of an image, in pixels."""

    width: int
    height: int


_UNKNOWN = Size(1024, 1024)


def image_tokens(image: object, detail: object) -> int:
    """The tokens of an image. `image`: its URL, or its bytes in base64. `detail`: as in the API; all else is auto."""
    if detail == "low":
        return IMAGE_BASE
    width, height = (size_of(head(image)) if isinstance(image, str) else None) or _UNKNOWN
    if detail == "original":
        return min(ceil(width / _PATCH) * ceil(height / _PATCH), _MOST_PATCHES)
    scale = min(1.0, _LONGEST / max(width, height))
    scale = min(scale, _SHORTEST / min(width, height))
    tiles = ceil(width * scale / _TILE) * ceil(height * scale / _TILE)
    return IMAGE_BASE + IMAGE_TILE * tiles


def file_tokens(data: str) -> tuple[int, str]:
    """What a file in base64 has: tokens of its own, and text to be counted."""
    payload = _payload(data)
    start = _decoded(payload[: _SNIFFED * 4 // 3 // 4 * 4])
    if start.startswith(_BINARY) or b"\0" in start:
        return len(payload) * 3 // 4 // _BYTES_PER_TOKEN, ""
    return 0, _decoded(payload).decode("utf-8", "replace")


def head(image: str) -> bytes:
    """The first bytes of an image in a data URL or in bare base64; b"" of one that is somewhere else."""
    if image.startswith("data:") or ":" not in image[:_SNIFFED]:
        return _decoded(_payload(image, _HEAD_CHARACTERS))
    return b""


def size_of(data: bytes) -> Size | None:
    """The size that the head of a PNG, GIF, WebP or JPEG tells; None for all else, and for sizes that cannot be."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        size = _size(data[16:20], data[20:24])
    elif data.startswith((b"GIF87a", b"GIF89a")):
        size = _size(data[7:5:-1], data[9:7:-1])
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        size = _webp(data)
    elif data.startswith(b"\xff\xd8"):
        size = _jpeg(data)
    else:
        return None
    return size if size.width and size.height else None


def _size(width: bytes, height: bytes) -> Size:
    """Of numbers whose first byte is the greatest."""
    return Size(int.from_bytes(width, "big"), int.from_bytes(height, "big"))


def _webp(data: bytes) -> Size:
    """The three kinds of WebP: lossy, lossless, and with extras."""
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[start : start + 3], "little") for start in (24, 27))
        return Size(width + 1, height + 1)
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    width, height = (int.from_bytes(data[start : start + 2], "little") & 0x3FFF for start in (26, 28))
    return Size(width, height)


def _jpeg(data: bytes) -> Size:
    """The size in the first frame header; none when it lies behind the part that was read."""
    place = 2
    for _ in range(_MOST_SEGMENTS):
        marker = data[place + 1 : place + 2]
        if marker in _FRAMES:
            return _size(data[place + 7 : place + 9], data[place + 5 : place + 7])
        # Any number of 0xFF may stand before a marker; a segment's length counts itself.
        place += 1 if marker == b"\xff" else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return Size(0, 0)


_MOST_SEGMENTS = 256
_FRAMES = frozenset(bytes([code]) for code in range(0xC0, 0xD0) if code not in (0xC4, 0xC8, 0xCC))
"""Markers of frame headers: every coding of JPEG has its own."""


def _payload(data: str, most: int | None = None) -> str:
    """The base64 in a data URL, or the text itself; at most `most` characters."""
    start = data.find(",") + 1 if data.startswith("data:") else 0
    return data[start:] if most is None else data[start : start + most]


def _decoded(payload: str) -> bytes:
    """The bytes; those of the part that can be read when there is an end missing, b"" for what is no base64."""
    try:
        return base64.b64decode(payload[: len(payload) // 4 * 4].encode())
    except ValueError:
        return b""
