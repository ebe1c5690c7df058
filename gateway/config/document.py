"""A YAML settings file as plain values, and the line of every key in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from gateway.config.fields import Location, dotted
from gateway.config.mistakes import Mistake


@dataclass(slots=True)
class Document:
    """`lines` holds 1-based lines by location. `mistakes` are those that only the text shows, duplicate keys."""

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Location, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


def parse(text: str) -> Document:
    """Read a settings file. Nothing is raised: what cannot be read is one mistake and no values."""
    document = Document()
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        document.mistakes.append(Mistake("", f"not YAML: {_problem(error)}", where))
        return document
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # ValueError: a date such as 2026-13-45; RecursionError: thousands of brackets.
        document.mistakes.append(Mistake("", f"not YAML: {str(error) or 'nested too deeply'}"))
        return document
    if node is None or values is None:
        return document
    if not isinstance(node, yaml.MappingNode) or not isinstance(values, dict):
        document.mistakes.append(Mistake("", "expected a map of sections at the top", "line 1"))
        return document
    document.values = values
    for location, line in _keys(node, (), set()):
        if location in document.lines:
            what = f"this key is set twice (first on line {document.lines[location]})"
            document.mistakes.append(Mistake(dotted(location), what, f"line {line}"))
        else:
            document.lines[location] = line
    return document


def _problem(error: yaml.MarkedYAMLError) -> str:
    """The parser's words, except where they would quote a value: an unquoted password may begin with `*` or `!`."""
    problem = error.problem or error.context or ""
    if "alias" in problem or "tag" in problem or "anchor" in problem:
        return "a value that begins with *, & or ! needs quotes"
    return problem


def _keys(node: yaml.Node, above: Location, seen: set[int]) -> Iterator[tuple[Location, int]]:
    """Every key and list item below a node with its line. An aliased node is walked once, so cycles end."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            location = (*above, str(key.value))
            yield location, key.start_mark.line + 1
            yield from _keys(value, location, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*above, index), value.start_mark.line + 1
            yield from _keys(value, (*above, index), seen)
