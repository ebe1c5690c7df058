"""JSON as servers and clients really send it: fast for sound text, and never a crash on lone surrogates.

orjson refuses the escape of half a surrogate pair (`"\\ud83d"`), which servers do send when they cut an emoji between
two deltas. The standard library reads and writes it, so it is the second try, in both directions.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import orjson


def loads(text: bytes) -> Any:
    """Parse strict JSON.

    Raises ValueError for anything else: NaN, infinities, trailing text, invalid UTF-8, nesting beyond about 1,000.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "surrogate" not in str(error):
            raise
    try:
        return json.loads(text.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def dumps(value: Any) -> bytes:
    """Serialise without spaces; text that is not valid Unicode is written as escapes."""
    try:
        return orjson.dumps(value)
    except TypeError:
        # Lone surrogates, integers beyond 64 bits: rare, and both written by the standard library.
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is not a finite number")
    return value
