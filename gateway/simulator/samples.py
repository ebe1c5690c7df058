"""JSON schema → a value that is valid against it. Deterministic: texts come from the words handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from gateway.simulator.bodies import SCHEMA
from gateway.simulator.shapes import Misshapen, check

_FORMATS = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "duration": "PT1H",
    "email": "simulated@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_DEPTH = 8  # a schema may refer to itself; below this only required properties are made, and null where it may be
_DEEPEST = 32  # below this everything is null: the schema has no finite value
_LONGEST, _MOST, _LARGEST = 10_000, 100, 2**53  # characters, elements, number: more is not worth sampling
_FOLLOWED = 50  # references and joined schemas on the way to one schema
_WEIGHT = 100  # bytes of a text or a given value that weigh as much as one value


class Sampler:
    """Makes sample values. `words` are handed to string properties in order; the last one serves all the rest.

    `most`: how many values are made, and schemas looked at. A schema of a few lines can ask for billions; what comes
    after so many is null, valid or not.
    """

    def __init__(self, root: dict[str, Any], words: tuple[str, ...], most: int = 10_000) -> None:
        self._root = root
        self._left = most
        self._looked_up: dict[str, Any] = {}
        self._words: Iterator[str] = iter(words)
        self._word = "simulated"

    def value(self, schema: Any = None, depth: int = 0) -> Any:
        """A value for a schema (the root when left out). `true`, `{}` and what is unknown become a text."""
        if depth > _DEEPEST or self._left <= 0:
            return None
        self._left -= 1
        schema = self._resolve(self._root if schema is None else schema)
        for key in ("const", "enum", "examples"):
            if schema.get(key) not in (None, []):
                given = schema[key] if key == "const" else schema[key][0]
                return given if self._affords(len(orjson.dumps(given))) else None
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                rest = {name: part for name, part in schema.items() if name != key}
                return self.value({**rest, **self._first(schema[key], depth)}, depth + 1)
        makers: dict[str, Callable[[dict[str, Any], int], Any]] = {
            "object": self._object,
            "array": self._array,
            "integer": self._number,
            "number": self._number,
            "string": self._string,
            "boolean": lambda _schema, _depth: True,
            "null": lambda _schema, _depth: None,
        }
        kind = _kind(schema, shortest=depth >= _DEPTH)
        return makers[kind](schema, depth) if kind in makers else self._string(schema, depth)

    def _resolve(self, schema: Any, followed: frozenset[str] = frozenset(), depth: int = 0) -> dict[str, Any]:
        """Follow `$ref` inside the document and join `allOf`; `followed`: references on the way here."""
        if not isinstance(schema, dict) or depth > _FOLLOWED or self._left <= 0:
            return {}
        self._left -= 1
        target = schema.get("$ref")
        if isinstance(target, str) and target.startswith("#"):
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            found = {} if target in followed else self._resolve(self._found(target), followed | {target}, depth + 1)
            return {**found, **rest}
        joined = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema.get("allOf", ()):
            other = self._resolve(part, followed, depth + 1)
            joined = {
                **joined,
                **other,
                "properties": {**joined.get("properties", {}), **other.get("properties", {})},
                "required": [*joined.get("required", ()), *other.get("required", ())],
            }
        return joined

    def _found(self, target: str) -> Any:
        """What a reference names; {} for nothing, and for something that is no schema."""
        if target not in self._looked_up:
            self._looked_up[target] = self._look_up(target)
        return self._looked_up[target]

    def _look_up(self, target: str) -> Any:
        found: Any = self._root
        for part in target.lstrip("#/").split("/") if target != "#" else ():
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
        try:
            check(found, SCHEMA)
        except Misshapen:
            return {}
        return found

    def _first(self, variants: list[Any], depth: int) -> dict[str, Any]:
        """The first variant that is not null; deep inside the first that is."""
        resolved = [self._resolve(variant) for variant in variants]
        null = depth >= _DEPTH
        return next((variant for variant in resolved if (variant.get("type") == "null") is null), resolved[0])

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties: dict[str, Any] = schema.get("properties") or {}
        required = schema.get("required")
        names = list(properties) if required is None and depth < _DEPTH else list(required or ())
        if not self._affords(sum(map(len, names))):
            return {}
        return {name: self.value(properties.get(name, {}), depth + 1) for name in dict.fromkeys(names)}

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        least = schema.get("minItems", 0 if depth >= _DEPTH else 1)
        count = int(min(max(least, 0 if depth >= _DEPTH else 1), schema.get("maxItems", max(least, 1)), _MOST))
        prefix = schema.get("prefixItems") or []
        items = schema.get("items", {})
        return [self.value(prefix[i] if i < len(prefix) else items, depth + 1) for i in range(max(count, len(prefix)))]

    def _number(self, schema: dict[str, Any], _depth: int) -> int | float:
        step = schema.get("multipleOf", 1)
        value: int | float = step
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        if low is not None and (value < low or value == schema.get("exclusiveMinimum")):
            value = -(-low // step) * step
            value += step if value == schema.get("exclusiveMinimum") else 0
        if high is not None and (value > high or value == schema.get("exclusiveMaximum")):
            value = high // step * step
            value -= step if value == schema.get("exclusiveMaximum") else 0
        value = value if abs(value) <= _LARGEST else 0  # also what is no number any more
        return int(value) if _kind(schema) == "integer" else value

    def _string(self, schema: dict[str, Any], _depth: int) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        if isinstance(schema.get("default"), str) and "pattern" in schema:
            return str(schema["default"]) if self._affords(len(schema["default"])) else ""
        self._word = next(self._words, self._word)
        most = int(min(schema.get("maxLength", len(self._word) + _LONGEST), len(self._word) + _LONGEST))
        padded = self._word.ljust(int(min(schema.get("minLength", 0), _LONGEST)), "x")[:most]
        return padded if self._affords(len(padded)) else ""

    def _affords(self, size: int) -> bool:
        """There is room for so many bytes; they are counted. False ends the making of values."""
        self._left -= size // _WEIGHT
        return self._left >= 0


def _kind(schema: dict[str, Any], *, shortest: bool = False) -> str:
    """The type to make; of several the first that is not null, or null if `shortest`."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = "null" if shortest and "null" in kind else next((name for name in kind if name != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)
