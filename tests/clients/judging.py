"""What a program read, judged by the types of the SDK for Python: those for Node are gone when a program runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from openai.types.conversations import ConversationItemList
from openai.types.responses import Response, ResponseItemList
from pydantic import BaseModel

from tests.clients.served import Json
from tests.sdk_shapes import typed
from tests.sdk_types import check_response

Shape = TypeVar("Shape", bound=BaseModel)


def judged(kind: type[Shape], document: Json) -> Shape:
    """The document as the SDK types it, strictly."""
    found: list[str] = []
    value = typed(kind, document, "$", found)
    assert value is not None and found == [], found
    return value


def judged_response(document: Json) -> Response:
    """A response, whole when it has come to its end; what the SDK for Node puts beside what was sent is left out."""
    sent = _sent({name: value for name, value in document.items() if name != "output_text"})
    return check_response(sent) if sent["status"] in ("completed", "incomplete") else judged(Response, sent)


_OF_THE_SDK = {"output_parsed", "parsed", "parsed_arguments"}


def _sent(value: Any) -> Any:
    if isinstance(value, list):
        return [_sent(entry) for entry in value]
    if isinstance(value, dict):
        return {name: _sent(entry) for name, entry in value.items() if name not in _OF_THE_SDK}
    return value


def judged_items(kind: type[ConversationItemList | ResponseItemList], items: Sequence[Json]) -> list[str]:
    """Items of a list; their types."""
    page = {"object": "list", "data": list(items), "first_id": "", "last_id": "", "has_more": False}
    return [item.type for item in judged(kind, page).data]
