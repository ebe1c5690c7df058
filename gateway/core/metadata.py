"""Metadata: up to 16 pairs of short texts."""

from __future__ import annotations

from typing import Any

from gateway.core.fields import malformed, missing
from gateway.errors import InvalidRequest

Json = dict[str, Any]

PAIRS = 16
LONGEST_KEY = 64
LONGEST_VALUE = 512


def read_metadata(value: Any) -> dict[str, str]:
    """The pairs; null is none. Raises InvalidRequest."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise malformed("metadata", "an object of texts", value)
    if len(value) > PAIRS:
        message = f"metadata must have at most {PAIRS} pairs, not {len(value)}."
        raise InvalidRequest(message, param="metadata", code="object_above_max_properties")
    for key, text in value.items():
        if len(key) > LONGEST_KEY:
            raise _too_long(f"The keys of metadata must have at most {LONGEST_KEY} characters, not {len(key)}.")
        if not isinstance(text, str):
            raise malformed(f"metadata.{key}", "a string", text)
        if len(text) > LONGEST_VALUE:
            raise _too_long(f"metadata.{key} must have at most {LONGEST_VALUE} characters, not {len(text)}.")
    return value


def need_metadata(document: Json) -> dict[str, str]:
    """The metadata of an update, where null clears it. Raises InvalidRequest."""
    if "metadata" not in document:
        raise missing("metadata", "an object of texts, or null to clear it")
    return read_metadata(document["metadata"])


def _too_long(message: str) -> InvalidRequest:
    return InvalidRequest(message, param="metadata", code="string_above_max_length")
