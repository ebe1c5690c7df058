"""A frame knows its type without parsing, and its data when asked."""

from __future__ import annotations

import pytest

from gateway.core.frames import DONE, Frame


def frame(payload: bytes, event: str = "") -> Frame:
    return Frame(b"data: " + payload + b"\n\n", payload, event)


@pytest.mark.parametrize(
    ("payload", "event", "kind", "typed"),
    [
        pytest.param(b'{"type":"a","x":', "a", "a", True, id="first key, not even JSON"),
        pytest.param(b'{"type": "a"}', "", "a", True, id="with a space"),
        pytest.param(b'{"x":1,"type":"a"}', "a", "a", True, id="later key"),
        pytest.param(b'{"type":"a"}', "b", "a", False, id="another event name"),
        pytest.param(b'{"x":1}', "b", "b", False, id="event name only"),
        pytest.param(b'{"type":7}', "b", "b", False, id="type is not text"),
        pytest.param(b"{cut", "b", "b", False, id="not JSON"),
        pytest.param(b"[]", "b", "b", False, id="not an object"),
        pytest.param(b'{"type":"a\\u0062"}', "", "ab", True, id="escaped"),
        pytest.param(b"[DONE]", "", DONE, False, id="end mark"),
        pytest.param(b"{}", "", "", False, id="nothing"),
    ],
)
def test_the_type_is_the_datas_own_then_the_event_name(payload: bytes, event: str, kind: str, typed: bool) -> None:
    one, other = frame(payload, event), frame(payload, event)
    assert (one.type, one.typed) == (kind, typed)
    assert other.typed is typed


def test_a_frame_of_ours_has_one_canonical_form() -> None:
    made = Frame.of({"type": "a", "x": 1})
    assert made.raw == b'event: a\ndata: {"type":"a","x":1}\n\n'
    assert (made.type, made.typed, made.payload) == ("a", True, b'{"type":"a","x":1}')


def test_a_frame_from_the_network_keeps_its_bytes_and_is_parsed_once() -> None:
    read = frame(b'{"type":"a"}')
    assert read.raw == b'data: {"type":"a"}\n\n'
    assert read.data is read.data
    assert repr(read) == "Frame('a', 12 bytes)"


def test_data_that_is_no_object_is_refused() -> None:
    with pytest.raises(ValueError, match="object"):
        frame(b"[1]").data  # noqa: B018
