"""Wrong settings, told all at once: where, what was expected, what was found. Never the value of a secret."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from gateway.config.fields import Location, dotted, field_at, holder_of, is_secret, leaves, member_of, section_of

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from gateway.config.tree import Section

_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list",
    "dict": "a map",
    "model": "a section with settings in it",
}
"""By the first word of pydantic's error type."""

_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_KINDS = {dict: "a map", list: "a list", tuple: "a list", str: "text", bool: "true or false", int: "a number"}


@dataclass(frozen=True, slots=True)
class Mistake:
    """`where`: a line of the file or a variable, "" when unknown. `path`: the dotted key, "" for the whole file."""

    path: str
    what: str
    where: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.path, self.what) if part)


class ConfigError(Exception):
    """The settings cannot be used. `mistakes` are all of them."""

    def __init__(self, source: str, mistakes: Sequence[Mistake]) -> None:
        mistakes = sorted(mistakes, key=_reading_order)
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__("\n".join([f"{count} in {source}", *(f"  {mistake}" for mistake in mistakes)]))
        self.mistakes = tuple(mistakes)


def _reading_order(mistake: Mistake) -> tuple[int, str]:
    """Lines of the file from top to bottom, then variables by name."""
    line = re.match(r"line (\d+)", mistake.where)
    return (int(line[1]), "") if line else (sys.maxsize, mistake.where)


def describe(error: ErrorDetails, tree: type[Section]) -> str:
    """What is wrong, in one line, without its place."""
    location, value = error["loc"], error["input"]
    if error["type"] == "extra_forbidden":
        return _unknown(location, tree)
    field = field_at(tree, location) if location else None
    sections = not location or section_of(field) is not None or member_of(field) is not None
    if error["type"] == "value_error" and sections:
        return f"expected {_expected(error)}"  # two settings that do not go together; the text names them
    hidden = is_secret(field) or field is None or sections
    return f"expected {_expected(error)}, found {_kind(value) if hidden else found(value)}"


def found(value: Any) -> str:
    """A value for a message: short, and without the password of a URL."""
    if isinstance(value, bool):
        return str(value).lower()  # as YAML writes it
    text = repr(mask_url(value)) if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def mask_url(text: str) -> str:
    """The text itself, with `***` for the credentials and the query when it is a URL that carries some."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "***"
    if not parts.netloc:
        # `user:password@host` without a scheme is not a URL, and still a secret.
        return "***" if "@" in text else text
    credentials, _, host = parts.netloc.rpartition("@")
    masked = parts._replace(netloc=f"***@{host}" if credentials else host, query="***" if parts.query else "")
    return urlunsplit(masked)


def _expected(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"one of {context['expected']}"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{words} {context[name]:g}"
    expected = _EXPECTED.get(kind.partition("_")[0], error["msg"])
    return "text (in quotes)" if expected == "text" and not isinstance(error["input"], dict | list) else expected


def _unknown(location: Location, tree: type[Section]) -> str:
    """Names the nearest key of the same section, else the place of a setting of that name elsewhere."""
    name, above = str(location[-1]), location[:-1]
    section = holder_of(tree, above)
    siblings = list(section.model_fields) if section is not None else []
    near = get_close_matches(name.lower(), siblings, n=1)
    if near:
        return f"unknown key; did you mean {dotted((*above, near[0]))}?"
    elsewhere = [path for path, _ in leaves(tree) if path.rpartition(".")[2] == name]
    if elsewhere:
        return f"unknown key; did you mean {' or '.join(elsewhere)}?"
    return f"unknown key; known here: {', '.join(siblings)}"


def _kind(value: Any) -> str:
    return next((words for kind, words in _KINDS.items() if isinstance(value, kind)), "something else")
