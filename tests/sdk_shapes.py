"""Strict validation of values against the types of the installed openai package.

The SDK itself reads almost anything. Here a wrong type, a missing field and a field without a name in the type are all
violations.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar

from openai.types.responses import ResponseStreamEvent
from pydantic import BaseModel, ConfigDict, ValidationError

Json = dict[str, Any]
Body = bytes | str | Json
Shape = TypeVar("Shape", bound=BaseModel)

TOLERATED = frozenset(
    {
        # The real service sends these; the types of the SDK do not name them.
        ("Response", "store"),
        ("Response", "presence_penalty"),
        ("Response", "frequency_penalty"),
        ("ResponseCustomToolCall", "status"),
        # Reasoning text of chat answers: not OpenAI's, but what every client of reasoning models reads.
        ("ChatCompletionMessage", "reasoning_content"),
        ("ChoiceDelta", "reasoning_content"),
        # Citations have no other place in a chunk stream (translation §3.4a).
        ("ChoiceDelta", "annotations"),
        # The name of the function: other types of the same event have it (translation §5.7).
        ("ResponseFunctionCallArgumentsDoneEvent", "name"),
        # A stream's error event is flat in the types and nested in what the SDK's code reads; both are sent.
        ("ResponseErrorEvent", "error"),
    }
)


class ErrorObject(BaseModel):
    model_config = ConfigDict(extra="allow")
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The error envelope of every OpenAI-shaped route: all four keys, always."""

    model_config = ConfigDict(extra="allow")
    error: ErrorObject


def typed(kind: type[Shape], document: Json, where: str, found: list[str]) -> Shape | None:
    """Validate strictly, and report fields that the type does not name; None when it does not validate."""
    try:
        value = kind.model_validate(document, strict=True)
    except ValidationError as error:
        found += [f"{where}: {problem}" for problem in _problems(error)]
        return None
    found += [f"{where}{path}: not in the SDK's type" for path in _extras(value, "")]
    return value


def _problems(error: ValidationError) -> list[str]:
    """What is wrong, without the variants of a union that the value's own `type` rules out."""
    problems = error.errors(include_url=False, include_input=False)
    ruled_out = [p["loc"][:-1] for p in problems if p["type"] == "literal_error" and p["loc"][-1] in ("type", "object")]
    told = [p for p in problems if not any(p["loc"][: len(prefix)] == prefix for prefix in ruled_out)]
    return [f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in (told or problems)[:20]]


def _extras(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            if (type(value).__name__, name) not in TOLERATED:
                yield f"{path}.{name} ({type(value).__name__})"
        for name in value.model_fields_set - (value.model_extra or {}).keys():
            yield from _extras(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _extras(entry, f"{path}[{index}]")


@cache
def variants() -> dict[str, type[BaseModel]]:
    """The SDK's class of each event type."""
    union = typing.get_args(ResponseStreamEvent)[0]
    return {typing.get_args(kind.model_fields["type"].annotation)[0]: kind for kind in typing.get_args(union)}


def document_of(body: Body) -> Json:
    if isinstance(body, dict):
        return body
    try:
        document = json.loads(body)
    except ValueError as error:
        raise AssertionError(f"not JSON: {body[:80]!r}") from error
    assert isinstance(document, dict), f"not an object: {body[:80]!r}"
    return document


def check_arguments(text: str, where: str, found: list[str]) -> None:
    try:
        json.loads(text)
    except ValueError:
        found.append(f"{where}: arguments are not JSON: {text[:80]!r}")
