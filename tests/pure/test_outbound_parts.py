"""Content of inner messages → content of chat messages (translation §5.3)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gateway.dialects.chat.outbound import Quirks
from tests.pure.outbound_requests import call, encoded, output, refused

Json = dict[str, Any]

DATA = "data:image/png;base64,AA=="
PDF = "data:application/pdf;base64,AA=="
ALL = Quirks(files=True, file_ids=True, audio=True)
AUDIO: Json = {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}


def content_of(*parts: Any, quirks: Quirks = ALL) -> Any:
    return encoded({"role": "user", "content": list(parts)}, quirks=quirks).body["messages"][0]["content"]


def text(words: str) -> Json:
    return {"type": "input_text", "text": words}


def test_a_lone_text_is_a_string_and_empty_texts_are_left_out() -> None:
    assert content_of(text("a")) == "a"
    assert content_of(text(""), text("a")) == "a"
    assert content_of(text("")) == content_of() == ""
    assert content_of(text("a"), text("b")) == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def test_a_server_without_images_gets_texts_as_one_string() -> None:
    assert content_of(text("a"), text("b"), quirks=Quirks(images="none")) == "a\nb"


@pytest.mark.proves("CHAT-SERVER-parts")
@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ({"type": "output_text", "text": "t", "annotations": []}, {"type": "text", "text": "t"}),
        (
            {"type": "input_image", "image_url": DATA, "detail": "auto"},
            {"type": "image_url", "image_url": {"url": DATA}},
        ),
        ({"type": "input_image", "image_url": DATA}, {"type": "image_url", "image_url": {"url": DATA}}),
        (
            {"type": "input_image", "image_url": "https://x.example/a.png", "detail": "low"},
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
        ),
        (
            {"type": "input_image", "image_url": DATA, "detail": "original"},
            {"type": "image_url", "image_url": {"url": DATA, "detail": "high"}},
        ),
        (
            {"type": "input_file", "file_data": PDF, "filename": "a.pdf"},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}},
        ),
        ({"type": "input_file", "file_data": PDF}, {"type": "file", "file": {"filename": "file", "file_data": PDF}}),
        ({"type": "input_file", "file_id": "file-1"}, {"type": "file", "file": {"file_id": "file-1"}}),
        ({**AUDIO, "prompt_cache_breakpoint": {}}, AUDIO),
    ],
)
def test_every_part_has_one_chat_form(part: Json, sent: Json) -> None:
    assert content_of(text("see"), part) == [{"type": "text", "text": "see"}, sent]


@pytest.mark.proves("CHAT-SERVER-parts")
@pytest.mark.parametrize("kind", ["text/plain", "text/csv;charset=utf-8", "application/json", "application/ld+json"])
def test_files_of_plain_text_are_text_where_the_server_reads_no_files(kind: str) -> None:
    data = base64.b64encode("a,b\nä".encode()).decode()
    part = {"type": "input_file", "file_data": f"data:{kind};base64,{data}", "filename": "a.csv"}
    assert content_of(part, quirks=Quirks()) == "a.csv:\na,b\nä"


@pytest.mark.proves("CHAT-SERVER-parts")
@pytest.mark.parametrize("data", ["text/plain;base64,/w==", "text/plain;base64,A", "text/plain,x", ";base64,eA=="])
def test_files_that_only_look_like_text_are_refused_there(data: str) -> None:
    part = {"type": "input_file", "file_data": f"data:{data}"}
    error = refused({"role": "user", "content": [text("see"), part]}, quirks=Quirks())
    assert (error.code, error.param) == ("unsupported_value", "input[0].content[1].type")


@pytest.mark.proves("CHAT-SERVER-parts")
@pytest.mark.parametrize(
    ("part", "quirks", "field"),
    [
        ({"type": "input_image", "image_url": DATA}, Quirks(images="none"), "type"),
        ({"type": "input_image", "image_url": "https://x.example/a.png"}, Quirks(images="data"), "image_url"),
        ({"type": "input_image", "file_id": "file-1"}, ALL, "file_id"),
        ({"type": "input_file", "file_id": "file-1"}, Quirks(files=True), "file_id"),
        ({"type": "input_file", "file_data": PDF}, Quirks(), "type"),
        ({"type": "input_file", "file_url": "https://x.example/a.pdf"}, ALL, "file_url"),
        (AUDIO, Quirks(), "type"),
    ],
)
def test_what_the_server_cannot_read_is_refused_and_never_left_out(part: Json, quirks: Quirks, field: str) -> None:
    for item, path in (
        ({"role": "user", "content": [text("see"), part]}, "input[0].content[1]"),
        (output("c1", [text("see"), part]), "input[0].output[1]"),
    ):
        error = refused(item, call("c1"), quirks=quirks)
        assert (error.code, error.param) == ("unsupported_value", f"{path}.{field}")


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ("x", ""),
        ({"type": "refusal", "refusal": "no"}, ".type"),
        ({"type": "video_url"}, ".type"),
        ({"type": []}, ".type"),
        ({"type": "input_image"}, ".image_url"),
        ({"type": "input_image", "image_url": {"url": DATA}}, ".image_url"),
        ({"type": "input_image", "image_url": DATA, "detail": 1}, ".detail"),
        ({"type": "input_file"}, ".file_data"),
        ({"type": "input_file", "file_id": 1}, ".file_id"),
        ({"type": "input_file", "file_data": PDF, "filename": 1}, ".filename"),
        ({"type": "input_audio"}, ".input_audio"),
        ({"type": "input_audio", "input_audio": {"format": "wav"}}, ".input_audio.data"),
        ({"type": "input_audio", "input_audio": {"data": "AA=="}}, ".input_audio.format"),
    ],
)
def test_a_malformed_part_is_refused_by_its_place(part: Any, param: str) -> None:
    error = refused({"role": "user", "content": [part]}, quirks=ALL)
    assert (error.code, error.param) == ("invalid_request", f"input[0].content[0]{param}")
