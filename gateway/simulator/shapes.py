"""Checks JSON values against shapes, and names the first place where something else stands. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

# What may stand at a place:
#   bool, int, float, str, list, dict   a value of that kind (float: any number); object: anything; None: null
#   a frozenset                         one of these texts
#   [shape]                             a list of such values
#   {key: shape}                        an object; other keys are free, or all of the shape of key "*"
#   (shape, shape)                      one of several, each of another kind
Shape: TypeAlias = (
    "type | frozenset[str] | Span | Most | Needed | By | list[Shape] | dict[str, Shape] | tuple[Shape, ...] | None"
)


@dataclass(frozen=True, slots=True)
class Span:
    """A number within bounds, both included; `kind` is int or float."""

    kind: type
    low: float
    high: float = float("inf")


@dataclass(frozen=True, slots=True)
class Most:
    """A list of at most so many values of a shape."""

    shape: Shape
    most: int


@dataclass(frozen=True, slots=True)
class Needed:
    """A key of an object that may not be left out."""

    shape: Shape


@dataclass(frozen=True, slots=True)
class By:
    """An object whose fields depend on what one of its keys holds; `other`: when the key holds none of these."""

    key: str
    fields: dict[str, dict[str, Shape]]
    other: dict[str, Shape]


class Misshapen(Exception):
    """A value of the wrong kind: `path` as in `messages[0].role`, `code` and message as the public API words them.

    `problem`: the message in a few words, without the path.
    """

    def __init__(self, path: str, code: str, message: str, problem: str) -> None:
        super().__init__(message)
        self.path = path
        self.code = code
        self.problem = problem


def check(value: Any, shape: Shape, path: str = "") -> None:
    """Compare a value with a shape. Raises Misshapen at the first difference."""
    shape = shape.shape if isinstance(shape, Needed) else shape
    choices = shape if isinstance(shape, tuple) else (shape,)
    fitting = [choice for choice in choices if _KINDS[_kind(choice)](value)]
    if not fitting:
        wanted = " or ".join(_NAMES[_kind(choice)] for choice in choices)
        text = f"Invalid type for '{path}': expected {wanted}, but got {_found(value)} instead."
        raise Misshapen(path, "invalid_type", text, f"must be {wanted}, is {_found(value)}")
    match fitting[0]:
        case frozenset() as words if value not in words:
            allowed = ", ".join(f"'{word}'" for word in sorted(words))
            text = f"Invalid value: '{value}'. Supported values are: {allowed}."
            raise Misshapen(path, "invalid_value", text, f"{value!r} is not one of {', '.join(sorted(words))}")
        case Span(kind, low, high) if not low <= value <= high:
            side, bound = ("below_min", f">= {low}") if value < low else ("above_max", f"<= {high}")
            text = f"Invalid '{path}': {value} is out of range. Expected a value {bound}."
            code = f"{'integer' if kind is int else 'decimal'}_{side}_value"
            raise Misshapen(path, code, text, f"must be {bound}, is {value}")
        case Most(_, most) if len(value) > most:
            text = f"Invalid '{path}': array too long. Expected an array with maximum length {most}."
            raise Misshapen(path, "array_above_max_length", text, f"must have at most {most} entries")
        case Most(inner, _):
            check(value, [inner], path)
        case [inner]:
            for index, part in enumerate(value):
                check(part, inner, f"{path}[{index}]")
        case dict() as fields:
            _check_fields(value, fields, path)
        case By(key, kinds, other):
            _check_fields(value, kinds.get(str(value.get(key)), other), path)


def _check_fields(value: dict[str, Any], fields: dict[str, Shape], path: str) -> None:
    for key, inner in fields.items():
        if isinstance(inner, Needed) and key not in value:
            place = _under(path, key)
            raise Misshapen(
                place, "missing_required_parameter", f"Missing required parameter: '{place}'.", "is missing"
            )
    for key, part in value.items():
        check(part, fields.get(key, fields.get("*", object)), _under(path, key))


def _under(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _kind(shape: Shape) -> Any:
    """The kind of value that a shape is about: a key of `_KINDS`."""
    match shape:
        case Span(kind, _, _):
            return kind
        case frozenset():
            return str
        case Most():
            return list
        case By():
            return dict
        case list() | dict():
            return type(shape)
        case _:
            return shape


def _beyond(value: Any) -> bool:
    return isinstance(value, float) and abs(value) >= _64_BITS


_64_BITS = 2.0**63
# JSON knows true and false apart from numbers, Python does not.
_KINDS: dict[Any, Any] = {
    None: lambda value: value is None,
    bool: lambda value: isinstance(value, bool),
    # orjson reads integers beyond 64 bits as floats; they are integers on the wire all the same.
    int: lambda value: not isinstance(value, bool) and (isinstance(value, int) or _beyond(value)),
    float: lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    str: lambda value: isinstance(value, str),
    list: lambda value: isinstance(value, list),
    dict: lambda value: isinstance(value, dict),
    object: lambda value: True,
}
_NAMES: dict[Any, str] = {
    None: "null", bool: "a boolean", int: "an integer", float: "a number", str: "a string", list: "an array",
    dict: "an object",
}  # fmt: skip


def _found(value: Any) -> str:
    return next(name for kind, name in _NAMES.items() if _KINDS[kind](value))
