"""One field at the beginning of a form that streams by."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.multipart import FieldFinder, boundary_of

BOUNDARY = b"b0undary"


def field(name: str, value: bytes) -> bytes:
    return b'--b0undary\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)


def file(content: bytes = b"\x00\xff") -> bytes:
    about = b'--b0undary\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n'
    return about + b"Content-Type: audio/mpeg\r\n\r\n" + content + b"\r\n"


END = b"--b0undary--\r\n"


def found(body: bytes, *, cuts: list[int] | None = None, window: int = 64 * 1024) -> FieldFinder:
    finder = FieldFinder(BOUNDARY, "model", window)
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts or []), len(body)]
    fed = 0
    for start, end in itertools.pairwise(edges):
        if finder.done:
            break
        finder.feed(body[start:end])
        fed = end
    assert finder.head == body[:fed]
    return finder


FORMS = {
    "first": (field("model", b"openai/whisper-1") + file() + END, "openai/whisper-1"),
    "behind others": (field("language", b"en") + field("prompt", b"a\r\n--b0x\r\n") + field("model", b"m") + END, "m"),
    "empty": (field("model", b"") + END, ""),
    "with a type": (
        b"--b0undary\r\nContent-Type: text/plain\r\ncontent-disposition:form-data;name=model\r\n\r\nm\r\n" + END,
        "m",
    ),
    "behind a preamble": (b"To whom it may concern\r\n" + field("model", b"m") + END, "m"),
    "behind a file": (file() + field("model", b"m") + END, None),
    "of another name": (field("models", b"m") + field("xmodel", b"m") + END, None),
    "in a nameless part": (b"--b0undary\r\n\r\nmodel\r\n" + field("model", b"m") + END, "m"),
    "after the end": (field("a", b"b") + END + field("model", b"m"), None),
    "cut": (field("a", b"b") + b'--b0undary\r\nContent-Disposition: form-data; name="model"\r\n\r\nmod', None),
    "no form": (b'{"model":"m"}', None),
    "nothing": (b"", None),
}


@pytest.mark.proves("PASS-model")
@pytest.mark.parametrize(("body", "expected"), FORMS.values(), ids=FORMS)
def test_a_field_is_found_before_the_first_file(body: bytes, expected: str | None) -> None:
    finder = found(body)
    assert finder.value == expected


@pytest.mark.proves("PASS-model")
@given(st.sampled_from(list(FORMS.values())), st.lists(st.integers(0, 400), max_size=8))
def test_pieces_of_any_size_tell_the_same(form: tuple[bytes, str | None], cuts: list[int]) -> None:
    body, expected = form
    assert found(body, cuts=cuts).value == expected


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_field_beyond_the_window_is_not_found_whatever_the_pieces_are(size: int) -> None:
    body = field("prompt", b"x" * 300) + field("model", b"m") + END
    finder = found(body, cuts=list(range(0, len(body), size)), window=300)
    assert (finder.done, finder.value) == (True, None)
    assert found(body, cuts=list(range(0, len(body), size)), window=1000).value == "m"


@pytest.mark.proves("PASS-bytes")
@given(st.sampled_from([form for form in FORMS.values() if form[1] is not None]), st.text(max_size=20))
def test_renaming_changes_nothing_else(form: tuple[bytes, str], name: str) -> None:
    body, value = form
    finder = found(body)
    renamed = finder.renamed(name)
    assert len(renamed) - len(finder.head) == len(name.encode()) - len(value)
    old = finder.head.rindex(b"\r\n\r\n" + value.encode() + b"\r\n") + 4
    assert renamed == finder.head[:old] + name.encode() + finder.head[old + len(value) :]


def test_a_file_ends_the_search_at_its_headers() -> None:
    finder = FieldFinder(BOUNDARY, "model")
    finder.feed(file()[:-3])
    assert finder.done


def test_the_end_of_the_form_ends_the_search() -> None:
    finder = FieldFinder(BOUNDARY, "model")
    finder.feed(field("a", b"b") + b"--b0undary")
    assert not finder.done
    finder.feed(b"--\r\n")
    assert finder.done


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; Boundary="a b/c"; x=y', b"a b/c"),
        ("multipart/form-data;boundary=----WebKitFormBoundary7MA4", b"----WebKitFormBoundary7MA4"),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=" + "x" * 70, b"x" * 70),
        ("multipart/form-data; boundary=" + "x" * 71, None),
        ("multipart/mixed; boundary=abc", None),
        ("application/json", None),
        ("", None),
    ],
)
def test_the_boundary_of_a_content_type(content_type: str, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary
