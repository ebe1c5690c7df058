"""Metadata as every route judges it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.metadata import need_metadata, read_metadata
from gateway.core.response import without_item_secrets
from gateway.errors import InvalidRequest


@pytest.mark.parametrize(
    ("value", "code", "param"),
    [
        ([], "invalid_request", "metadata"),
        ({"a": 1}, "invalid_request", "metadata.a"),
        ({str(number): "x" for number in range(17)}, "object_above_max_properties", "metadata"),
        ({"k" * 65: "x"}, "string_above_max_length", "metadata"),
        ({"k": "x" * 513}, "string_above_max_length", "metadata"),
    ],
)
def test_metadata_beyond_its_bounds_is_refused(value: Any, code: str, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_metadata(value)
    assert (refused.value.code, refused.value.param) == (code, param)


def test_metadata_within_them_is_what_it_was() -> None:
    pairs = {"k" * 64: "x" * 512}
    assert read_metadata(pairs) is pairs
    assert read_metadata(None) == {}
    assert need_metadata({"metadata": None}) == {}
    with pytest.raises(InvalidRequest, match="null to clear it"):
        need_metadata({})


@pytest.mark.proves("RECALL-secrets")
def test_items_are_kept_without_what_their_tools_tell_their_servers() -> None:
    tool = {"type": "mcp", "server_label": "s", "authorization": "x", "headers": {}}
    bare = {"type": "mcp", "server_label": "s"}
    kept = without_item_secrets({"type": "additional_tools", "tools": [tool, "odd"]})
    assert kept == {"type": "additional_tools", "tools": [bare, "odd"]}
    assert without_item_secrets(kept) is kept
    assert without_item_secrets({"type": "mcp_call", "id": "mcp_1", "headers": {}}) == {
        "type": "mcp_call",
        "id": "mcp_1",
    }
    said = {"role": "user", "content": "x"}
    assert without_item_secrets(said) is said
