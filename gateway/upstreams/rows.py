"""A server's own list of models: how it is asked for, and what its rows say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx2

from gateway.core import json
from gateway.errors import UpstreamError
from gateway.upstreams import Json, Model
from gateway.upstreams.transport import RawHeaders

_ANTHROPIC = "api.anthropic.com"
_GEMINI = "models/"
"""What stands in front of Gemini's own names. Its chat route takes them without, and so do its users."""


def question(url: httpx2.URL, headers: RawHeaders, api_key: str) -> tuple[httpx2.URL, RawHeaders]:
    """Where and with what headers to ask for the list.

    Anthropic's list is not part of its OpenAI-compatible face: it wants the key in its own header, and comes in pages.
    """
    if url.host != _ANTHROPIC:
        return url, headers
    own = [(b"x-api-key", api_key.encode("utf-8")), (b"anthropic-version", b"2023-06-01")]
    kept = [(name, value) for name, value in headers if name.lower() != b"authorization"]
    return url.copy_with(params={"limit": "1000"}), [*kept, *own]


def rows(body: bytes, owner: str) -> tuple[Model, ...]:
    """The models of an answer; `owner` is said to own those of which it says nothing.

    Raises UpstreamError when it is no list.
    """
    try:
        document: Any = json.loads(body)
    except ValueError as error:
        raise UpstreamError("The upstream's list of models is not JSON.") from error
    found = document.get("data") if isinstance(document, Mapping) else document
    if not isinstance(found, list):
        raise UpstreamError("The upstream's list of models has no rows.")
    return tuple(_row(row, owner) for row in found if isinstance(row, dict) and isinstance(row.get("id"), str))


def _row(row: Json, owner: str) -> Model:
    name = row["id"].removeprefix(_GEMINI) or row["id"]
    told = row.get("owned_by")
    form = {
        "id": name,
        "object": "model",
        "created": _created(row),
        "owned_by": told if isinstance(told, str) else owner,
    }
    # The row itself where it has the form that SDKs read, with what is missing put in where not.
    sound = all(row.get(key) == value for key, value in form.items())
    return Model(name, form["created"], form["owned_by"], document=row if sound else {**row, **form})


def _created(row: Json) -> int:
    """Unix seconds; 0 when nothing that can be read tells them."""
    created = row.get("created")
    if isinstance(created, (int, float)) and not isinstance(created, bool) and abs(created) < 2**53:
        return int(created)
    try:
        return int(datetime.fromisoformat(str(row.get("created_at"))).timestamp())
    except (ValueError, OverflowError):
        return 0
