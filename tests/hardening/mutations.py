"""One thing wrong with a sound body, in every place and every way: raw JSON texts, made in a fixed order.

The text is made by hand, because much of what is tried here no serialiser writes: numbers beyond every double, halves
of surrogate pairs, bytes that are not UTF-8, a key twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.hardening.bases import Base

Json = dict[str, Any]
Path = tuple[str | int, ...]

_HOLE = "@@hole@@"

VALUES: dict[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "zero": b"0",
    "integer": b"7",
    "negative": b"-1",
    "huge-integer": b"123456789012345678901234567890",
    "most-negative": b"-9223372036854775809",
    "float": b"-0.5",
    "tiny": b"1e-400",
    "empty-text": b'""',
    "text": b'"wrong"',
    "long-text": b'"' + b"y" * 2000 + b'"',
    "nul-text": b'"a\\u0000b"',
    "half-surrogate": b'"\\ud83d"',
    "odd-text": '" \u2028\u0085\ufeff\U0001f600\u0301"'.encode(),
    "list": b"[]",
    "list-of-null": b"[null]",
    "list-of-text": b'["wrong"]',
    "nested-lists": b"[[[[]]]]",
    "object": b"{}",
    "nested-object": b'{"type":{"type":null}}',
    "typed-object": b'{"type":"wrong","name":"wrong","id":"wrong","role":"wrong","text":"wrong"}',
}
"""What is put in place of a value: still a sound JSON document."""

UNREADABLE: dict[str, bytes] = {
    "infinite": b"1e400",
    "nan": b"NaN",
    "no-utf-8": b'"\xff\xfe"',
    "bare-control": b'"a\x00b"',
    "leading-zero": b"007",
    "cut": b'"\\u12"',
}
"""What makes the whole body unreadable: there is no field to name."""

DEEP = b"[" * 400 + b"]" * 400
"""Deeper than `limits.json_depth`, and less deep than what makes parsers give up."""


@dataclass(frozen=True, slots=True)
class Case:
    """A body with one thing wrong. `places`: the fields that are at fault; none when the body cannot be read."""

    base: Base
    kind: str
    body: bytes
    places: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.base.route} {self.base.name} {self.kind} at {' and '.join(self.places) or 'nowhere'}"


def cases(base: Base, *, stream: bool | None = None) -> Iterator[Case]:
    """Every case of a base. `stream` None: every second case is asked for as a stream."""
    for number, case in enumerate(_cases(base)):
        yield _streamed(case) if (number % 2 == 1 if stream is None else stream) else case


def _cases(base: Base) -> Iterator[Case]:
    whole = base.body
    for path, value in _walk(whole):
        place = path_of(path)
        for kind, raw in VALUES.items():
            if path:
                places = _around(path) if kind in ("null", "empty-text") else (place,)
                yield Case(base, kind, _filled(whole, path, raw), places)
        for kind, raw in UNREADABLE.items():
            yield Case(base, kind, _filled(whole, path, raw), ())
        if path:
            yield Case(base, "deep", _filled(whole, path, DEEP), (place,))
            yield Case(base, "missing", _without(whole, path), _around(path))
            yield Case(base, "twice", _filled(whole, path, _twice(path, value)), (_keyed(path),))
        if isinstance(value, dict):
            for key in ("unknown", "", "\0", "y" * 300):
                yield Case(base, f"extra key {key[:8]!r}", _with(whole, path, key), (_under(place, key), place))
        if isinstance(value, list) and value:
            yield Case(base, "repeated", _changed(whole, path, value * 3), (place,))
            yield Case(base, "reversed", _changed(whole, path, value[::-1]), (place,))
        yield from _swaps(base, path, value)


def _swaps(base: Base, path: Path, value: Any) -> Iterator[Case]:
    """Two fields of an object with each other's values."""
    names = list(value) if isinstance(value, dict) else []
    for one, two in pairwise(names):
        swapped = {**value, one: value[two], two: value[one]}
        places = (path_of((*path, one)), path_of((*path, two)))
        yield Case(base, "swapped", _changed(base.body, path, swapped), places)


def _streamed(case: Case) -> Case:
    body = case.body.replace(b'"stream":false', b'"stream":true', 1)
    return Case(case.base, case.kind + " streamed" * (body != case.body), body, case.places)


def _walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    yield path, value
    children: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in children:
        yield from _walk(inner, (*path, key))


def path_of(path: Path) -> str:
    """`("messages", 0, "role")` → `messages[0].role`."""
    shown = ""
    for key in path:
        shown = f"{shown}[{key}]" if isinstance(key, int) else _under(shown, key)
    return shown


def _under(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _changed(whole: Any, path: Path, value: Any) -> bytes:
    if not path:
        return dumped(value)
    made = _copied(whole)
    _holder(made, path)[path[-1]] = value
    return dumped(made)


def _filled(whole: Any, path: Path, raw: bytes) -> bytes:
    return _changed(whole, path, _HOLE).replace(dumped(_HOLE), raw, 1)


def _without(whole: Any, path: Path) -> bytes:
    made = _copied(whole)
    del _holder(made, path)[path[-1]]
    return dumped(made)


def _with(whole: Any, path: Path, key: str) -> bytes:
    made = _copied(whole)
    holder = made
    for step in path:
        holder = holder[step]
    holder[key] = {"a": [1]}
    return dumped(made)


def _around(path: Path) -> tuple[str, ...]:
    """The place of a value that is not there, and of what it is not in: another field may do as well."""
    return tuple(path_of(part) for part in (path, path[:-1]) if part)


def _keyed(path: Path) -> str:
    """The place of a value; of an element, which has no key to be given twice, the list it is in."""
    return path_of(path[:-1] if isinstance(path[-1], int) else path)


def _twice(path: Path, value: Any) -> bytes:
    """The right value, then the same key again with a wrong one; the last of them counts."""
    again = b"" if isinstance(path[-1], int) else dumped(path[-1]) + b":"
    return dumped(value) + b"," + again + b'{"twice":[7]}'


def _copied(whole: Any) -> Any:
    """A copy in which nothing stands in two places, as the same schema does in the bases."""
    return json.loads(json.dumps(whole))


def _holder(made: Any, path: Path) -> Any:
    for key in path[:-1]:
        made = made[key]
    return made
