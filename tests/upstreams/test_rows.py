"""Lists of models in the forms that servers give them."""

from __future__ import annotations

from typing import Any

import httpx2
import orjson
import pytest

from gateway.errors import UpstreamError
from gateway.upstreams import Model
from gateway.upstreams.rows import question, rows

HEADERS = [(b"User-Agent", b"us"), (b"Authorization", b"Bearer sk-1")]


def read(*found: Any) -> tuple[Model, ...]:
    return rows(orjson.dumps({"object": "list", "data": found}), "local")


@pytest.mark.proves("PROVIDERS-rows", "UPSTREAM-openai-models")
def test_a_sound_row_is_kept_as_it_is() -> None:
    row = {"id": "m", "object": "model", "created": 5, "owned_by": "me", "more": [1]}
    (model,) = read(row)
    assert model == Model("m", 5, "me", document=row)
    assert list(model.document or ()) == list(row), "in its own order"


@pytest.mark.proves("PROVIDERS-rows")
@pytest.mark.parametrize(
    ("row", "document"),
    [
        ({"id": "m"}, {"id": "m", "object": "model", "created": 0, "owned_by": "local"}),
        (
            {"type": "model", "id": "claude-x", "display_name": "X", "created_at": "2026-02-19T00:00:00Z"},
            {
                "type": "model",
                "id": "claude-x",
                "display_name": "X",
                "created_at": "2026-02-19T00:00:00Z",
                "object": "model",
                "created": 1_771_459_200,
                "owned_by": "local",
            },
        ),
        (
            {"id": "models/gemini-x", "object": "model", "owned_by": "google"},
            {"id": "gemini-x", "object": "model", "owned_by": "google", "created": 0},
        ),
        (
            {"id": "m", "object": "model", "created": 7.9, "owned_by": None},
            {"id": "m", "object": "model", "created": 7, "owned_by": "local"},
        ),
        (
            {"id": "m", "object": "model", "created": True, "created_at": "yesterday", "owned_by": "x"},
            {"id": "m", "object": "model", "created": 0, "created_at": "yesterday", "owned_by": "x"},
        ),
        (
            {"id": "models/", "object": "model", "created": 1e300, "owned_by": "x"},
            {"id": "models/", "object": "model", "created": 0, "owned_by": "x"},
        ),
    ],
    ids=["bare", "Anthropic", "Gemini", "fraction", "odd times", "odd name"],
)
def test_a_row_of_another_form_is_made_into_openais(row: dict[str, Any], document: dict[str, Any]) -> None:
    (model,) = read(row)
    assert model.document == document
    assert (model.id, model.created, model.owned_by) == (document["id"], document["created"], document["owned_by"])


@pytest.mark.proves("PROVIDERS-rows")
def test_what_is_no_row_is_left_out_and_what_is_no_list_is_an_error() -> None:
    assert read({"no": "id"}, 3, {"id": 4}) == ()
    assert [model.id for model in rows(b'[{"id": "m"}]', "local")] == ["m"]
    for body in (b"<html>", b'{"data": 3}', b'"x"'):
        with pytest.raises(UpstreamError):
            rows(body, "local")


@pytest.mark.proves("PROVIDERS-rows", "PROVIDERS-keys")
def test_anthropics_list_is_asked_for_in_its_own_way() -> None:
    url, headers = question(httpx2.URL("https://api.anthropic.com/v1/models"), HEADERS, "sk-1")
    assert str(url) == "https://api.anthropic.com/v1/models?limit=1000"
    assert headers == [(b"User-Agent", b"us"), (b"x-api-key", b"sk-1"), (b"anthropic-version", b"2023-06-01")]
    other = httpx2.URL("https://api.anthropic.com.example/v1/models")
    assert question(other, HEADERS, "sk-1") == (other, HEADERS)
