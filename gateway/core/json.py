"""JSON as servers and clients really send it: fast for sound text, and never a crash on lone surrogates.

orjson refuses the escape of half a surrogate pair (`"\\ud83d"`), which servers do send when they cut an emoji between
two deltas. The standard library reads and writes it, so it is the second try, in both directions.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import orjson


def loads(text: bytes) -> Any:
    """Parse strict JSON.

    Raises ValueError for anything else: NaN, infinities, trailing text, invalid UTF-8, nesting beyond about 1,000.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if not _is_about_halves(error):
            raise
    try:
        return json.loads(text.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def loads_served(text: bytes | memoryview) -> Any:
    """Parse what a server sent: a byte order mark is ignored, and bytes that are not UTF-8 become U+FFFD.

    One bad byte is no reason to lose an answer. Raises ValueError for what is no JSON even so.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _loads_mended(bytes(text))


def _loads_mended(text: bytes) -> Any:
    try:
        return loads(text)
    except ValueError:
        mended = text.decode("utf-8-sig", "replace").encode()
        if mended == text:
            raise
        return loads(mended)


def loads_whole(text: bytes) -> tuple[Any, bytes]:
    """Parse strict JSON of a client; half of a surrogate pair becomes U+FFFD. The value, and the text that says it.

    The text is the same object when no half was in it. Programs that cut texts by UTF-16 units send halves, and no
    server accepts one. In place of an error, because the half stays in the history and would end the conversation for
    good.

    Raises ValueError, as `loads` does.
    """
    try:
        return orjson.loads(text), text
    except orjson.JSONDecodeError as error:
        if not _is_about_halves(error):
            raise
    text = _ESCAPES.sub(_whole, text)
    return orjson.loads(text), text


def dumps(value: Any) -> bytes:
    """Serialise without spaces; text that is not valid Unicode is written as escapes."""
    try:
        return orjson.dumps(value)
    except TypeError:
        # Lone surrogates, integers beyond 64 bits: rare, and both written by the standard library.
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def strings(contents: Sequence[bytes]) -> list[str] | None:
    """The texts of JSON strings, each without its quotes; None when one is not sound, or has half of a surrogate pair.

    Read as one array, each in a line of its own: a string that goes beyond its line is no JSON, so no line has less
    than one text, and as many texts as lines are one in each.
    """
    try:
        found: list[str] = orjson.loads(b'["' + b'"\n,"'.join(contents) + b'"]')
    except orjson.JSONDecodeError:
        return None
    return found if len(found) == len(contents) and set(map(type, found)) == {str} else None


def rewritten(contents: Sequence[bytes]) -> Sequence[bytes]:
    """Sound contents of JSON strings as `dumps` writes them; the same object when they are written so."""
    texts = strings(contents) or []
    if orjson.dumps(texts) == b'["' + b'","'.join(contents) + b'"]':
        return contents
    return [orjson.dumps(text)[1:-1] for text in texts]


_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
"""Every escape, so that a backslash that is itself escaped begins none."""


def _whole(escape: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if escape["half"] else escape[0]


def _is_about_halves(error: ValueError) -> bool:
    return "surrogate" in str(error)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is not a finite number")
    return value
