"""Input tokens without a tokenizer: what images and files are judged to have."""

from __future__ import annotations

import base64
import random
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.estimate import input_tokens
from gateway.core.estimate.media import IMAGE_BASE, IMAGE_TILE, UNKNOWN_FILE, Size, file_tokens, image_tokens, size_of
from gateway.core.estimate.request import ANSWER, CALL, MESSAGE

Json = dict[str, Any]


def of_input(item: Json) -> int:
    """The tokens of an item, without the beginning of the answer."""
    return input_tokens({"input": [item]}) - ANSWER


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x06\0\0\0"


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0\0\0"


def jpeg(width: int, height: int, before: bytes = b"") -> bytes:
    frame = struct.pack(">2sHBHHB", b"\xff\xc2", 17, 8, height, width, 3)
    return b"\xff\xd8" + before + frame


def segment(size: int) -> bytes:
    """Application data of a JPEG."""
    return b"\xff\xe1" + struct.pack(">H", size + 2) + b"\xff" * size


def webp(kind: bytes, head: bytes) -> bytes:
    return b"RIFF\0\0\0\0WEBP" + kind + struct.pack("<I", len(head)) + head


def lossy(width: int, height: int) -> bytes:
    return webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height))


def lossless(width: int, height: int) -> bytes:
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14))


def extended(width: int, height: int) -> bytes:
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return webp(b"VP8X", b"\0\0\0\0" + size)


def url(data: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


HEADS = [
    pytest.param(png, id="PNG"),
    pytest.param(gif, id="GIF"),
    pytest.param(jpeg, id="JPEG"),
    pytest.param(
        lambda width, height: jpeg(width, height, segment(60_000) + b"\xff\xff" + segment(9)), id="JPEG with data"
    ),
    pytest.param(lossy, id="lossy WebP"),
    pytest.param(lossless, id="lossless WebP"),
    pytest.param(extended, id="extended WebP"),
]


@pytest.mark.proves("ESTIMATE-media")
@pytest.mark.parametrize("made", HEADS)
@given(width=st.integers(1, 16_000), height=st.integers(1, 16_000))
@settings(max_examples=30)
def test_the_head_of_an_image_tells_its_size(made: Any, width: int, height: int) -> None:
    assert size_of(made(width, height)) == Size(width, height)


@pytest.mark.proves("ESTIMATE-media")
@pytest.mark.parametrize("made", HEADS)
def test_a_head_that_is_cut_tells_nothing_or_the_same(made: Any) -> None:
    whole = made(640, 480)
    for length in range(0, len(whole), 1 + len(whole) // 50):
        cut = size_of(whole[:length])
        assert cut is None or cut.width <= 640


@pytest.mark.proves("ESTIMATE-bounded")
def test_a_jpeg_without_a_frame_is_given_up_soon() -> None:
    assert size_of(b"\xff\xd8" + b"\xff" * 100_000) is None
    assert size_of(b"\xff\xd8" + b"\0" * 100_000) is None
    assert size_of(b"BM" + b"\0" * 100) is None


PRICED = [
    pytest.param(Size(1024, 1024), "high", 765, id="square"),
    pytest.param(Size(2048, 4096), "high", 1105, id="tall"),
    pytest.param(Size(512, 512), "auto", IMAGE_BASE + IMAGE_TILE, id="one tile"),
    pytest.param(Size(513, 10), None, IMAGE_BASE + 2 * IMAGE_TILE, id="two tiles"),
    pytest.param(Size(16_000, 1), "high", IMAGE_BASE + 4 * IMAGE_TILE, id="a line"),
    pytest.param(Size(4096, 8192), "low", 85, id="low"),
    pytest.param(Size(1024, 1024), "original", 1024, id="original"),
    pytest.param(Size(8000, 8000), "original", 10_000, id="a great original"),
]


@pytest.mark.proves("ESTIMATE-media")
@pytest.mark.parametrize(("size", "detail", "count"), PRICED)
def test_an_image_costs_its_tiles(size: Size, detail: str | None, count: int) -> None:
    data = png(*size)
    assert image_tokens(url(data), detail) == count
    assert image_tokens(base64.b64encode(data).decode(), detail) == count


@pytest.mark.proves("ESTIMATE-media")
def test_an_image_whose_size_is_not_known_is_a_square() -> None:
    for image in ("https://x.test/a.png", "data:image/png;base64,%%%", "data:image/svg+xml,<svg/>", "", None, "\ud83d"):
        assert image_tokens(image, "high") == 765
    assert image_tokens(None, "low") == 85


@pytest.mark.proves("ESTIMATE-media")
def test_images_count_wherever_they_stand() -> None:
    picture = url(png(512, 512))
    tile = IMAGE_BASE + IMAGE_TILE
    part = {"type": "input_image", "image_url": picture, "detail": "high"}
    assert of_input({"role": "user", "content": [part]}) == MESSAGE + tile
    assert of_input({"type": "function_call_output", "call_id": "c", "output": [part]}) == CALL + tile
    shot = {"type": "computer_screenshot", "image_url": picture}
    assert of_input({"type": "computer_call_output", "call_id": "c", "output": shot}) == pytest.approx(
        CALL + tile, abs=4
    )
    nested = {"type": "image_url", "image_url": {"url": picture, "detail": "low"}}
    assert of_input({"role": "user", "content": [nested]}) == MESSAGE + IMAGE_BASE
    made = {"type": "image_generation_call", "id": "ig_1", "result": base64.b64encode(png(512, 512)).decode()}
    assert of_input({**made, "revised_prompt": "one two"}) == CALL + tile + 2
    assert of_input({"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}) == MESSAGE + 765


@pytest.mark.proves("ESTIMATE-media")
def test_a_file_counts_as_its_text_or_by_the_byte() -> None:
    assert file_tokens(url(b"one two three", "text/plain")) == (0, "one two three")
    assert file_tokens(base64.b64encode("größer".encode()).decode()) == (0, "größer")
    document = b"%PDF-1.7\n" + random.Random(1).randbytes(400_000)
    assert file_tokens(url(document, "application/pdf"))[0] == pytest.approx(10_000, rel=0.01)
    assert file_tokens(url(b"\1\2\0\3" * 1000)) == (100, "")
    assert file_tokens("") == (0, "")

    def of_file(**fields: Any) -> int:
        return of_input({"role": "user", "content": [{"type": "input_file", **fields}]}) - MESSAGE

    assert of_file(file_data=url(b"one two three", "text/plain"), filename="notes") == 4
    assert of_file(file_id="file-1") == of_file(file_url="https://x.test/a.pdf") == UNKNOWN_FILE
