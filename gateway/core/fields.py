"""Reading typed fields of a client's JSON, with messages that name the field, what was expected and what was found."""

from __future__ import annotations

from typing import Any

from gateway.errors import InvalidRequest

Json = dict[str, Any]

_KINDS = {dict: "an object", list: "an array", bool: "a boolean", int: "an integer", float: "a number"}


def found(value: Any) -> str:
    """A JSON value in the words of an error message; long strings are cut."""
    if value is None:
        return "null"
    if isinstance(value, str):
        shown = value if len(value) <= 40 else value[:40] + "…"
        return f"the string {shown!r}"
    kind = _KINDS.get(type(value), "something else")
    return kind if isinstance(value, dict | list) else f"{kind} ({value})"


def malformed(param: str, expected: str, value: Any) -> InvalidRequest:
    """The error for a field of the wrong shape. To be raised by the caller."""
    return InvalidRequest(f"{param} must be {expected}, not {found(value)}.", param=param)


def missing(param: str, expected: str) -> InvalidRequest:
    """The error for a required field that is not there. To be raised by the caller."""
    return InvalidRequest(f"{param} is required: {expected}.", param=param)


def read_bool(holder: Json, key: str, param: str) -> bool | None:
    """A boolean; None when absent or null. Raises InvalidRequest."""
    value = holder.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise malformed(param, "a boolean", value)


def read_text(holder: Json, key: str, param: str) -> str | None:
    """A string; None when absent or null. Raises InvalidRequest."""
    value = holder.get(key)
    if value is None or isinstance(value, str):
        return value
    raise malformed(param, "a string", value)


def read_number(holder: Json, key: str, param: str) -> float | None:
    """A number, not a boolean; None when absent or null. Raises InvalidRequest."""
    value = holder.get(key)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise malformed(param, "a number", value)


def read_integer(holder: Json, key: str, param: str) -> int | None:
    """An integer, also written `100.0`; None when absent or null. Raises InvalidRequest."""
    value = holder.get(key)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise malformed(param, "an integer", value)


def read_object(holder: Json, key: str, param: str) -> Json | None:
    """An object; None when absent or null. Raises InvalidRequest."""
    value = holder.get(key)
    if value is None or isinstance(value, dict):
        return value
    raise malformed(param, "an object", value)


def read_list(holder: Json, key: str, param: str) -> list[Any] | None:
    """An array; None when absent or null. Raises InvalidRequest."""
    value = holder.get(key)
    if value is None or isinstance(value, list):
        return value
    raise malformed(param, "an array", value)


def need_text(holder: Json, key: str, param: str) -> str:
    """A non-empty string. Raises InvalidRequest."""
    value = holder.get(key)
    if isinstance(value, str) and value:
        return value
    if value is None:
        raise missing(param, "a non-empty string")
    raise malformed(param, "a non-empty string", value)


def need_object(value: Any, param: str) -> Json:
    """The value itself, an object. Raises InvalidRequest."""
    if isinstance(value, dict):
        return value
    raise malformed(param, "an object", value)
