"""Another value for one key of a JSON text, and every other byte as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.splice import add_fields, replace_text

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('model\\"{}', max_size=6), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.proves("PASS-bytes")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"a/b","input":"x"}', b'{"model":"new","input":"x"}'),
        (b' { "input" : "x" ,\n "model" \t:\r\n "a" } ', b' { "input" : "x" ,\n "model" \t:\r\n "new" } '),
        (b'{"x":{"model":"inner"},"model":"a"}', b'{"x":{"model":"inner"},"model":"new"}'),
        (b'{"input":["model","a"],"model":"a"}', b'{"input":["model","a"],"model":"new"}'),
        (b'{"input":"\\"model\\":\\"no\\"","model":"a\\"b"}', b'{"input":"\\"model\\":\\"no\\"","model":"new"}'),
        (b'{"model":"first","model":"last"}', b'{"model":"first","model":"new"}'),
        (b'{"\\u006dodel":"a","n":1.0000000000000001}', b'{"\\u006dodel":"new","n":1.0000000000000001}'),
        (b'{"a":"model","b":"x","model":"y"}', b'{"a":"model","b":"x","model":"new"}'),
        (b'{"model":5,"other":"x"}', b'{"model":5,"other":"x"}'),
        (b'{"input":"x"}', b'{"input":"x"}'),
        (b'["model","a"]', b'["model","a"]'),
    ],
)
def test_only_the_value_at_the_top_is_changed(body: bytes, expected: bytes) -> None:
    assert replace_text(body, "model", "new") == expected


@pytest.mark.proves("PASS-bytes")
@given(st.dictionaries(st.text(max_size=6), VALUES, max_size=5), st.text(max_size=8), st.text(max_size=8))
def test_the_changed_text_says_the_same_but_for_the_key(document: dict[str, Any], old: str, new: str) -> None:
    document = {**document, "model": old}
    for spaced in (None, (",", ":")):
        body = json.dumps(document, separators=spaced).encode()
        assert json.loads(replace_text(body, "model", new)) == {**document, "model": new}


def test_a_value_that_needs_escapes_gets_them() -> None:
    assert json.loads(replace_text(b'{"model":"a"}', "model", 'b"\\')) == {"model": 'b"\\'}


@pytest.mark.proves("PASS-bytes")
@pytest.mark.parametrize("end", ["", "\n", " \t\r\n "])
@given(
    document=st.dictionaries(st.text(max_size=6), VALUES, min_size=1, max_size=5),
    more=st.dictionaries(st.text(max_size=6), VALUES, max_size=3),
)
def test_fields_are_added_behind_every_byte_that_was_there(
    end: str, document: dict[str, Any], more: dict[str, Any]
) -> None:
    fields = {name: value for name, value in more.items() if name not in document}
    for spaced in (None, (",", ":")):
        body = (json.dumps(document, separators=spaced) + end).encode()
        added = add_fields(body, fields)
        assert json.loads(added) == {**document, **fields}
        assert added.startswith(body.rstrip()[:-1])
        assert (added is body) == (not fields)
