"""What models are told of the tools they have.

OpenAI does not send JSON schemas to models: it writes them as TypeScript, which is what its models were trained on. The
same is written here and counted as text: within some 10 % for functions. What hosted tools add is not published.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.core import json

Json = dict[str, Any]

HEADER = 12
"""Tokens around all functions: a heading, the namespace they are in, and its end."""

HOSTED = 250
"""Tokens of what a model is told about a tool of its server. A guess: some have a sentence, some have a page."""

_NOT_TOLD = frozenset({"type", "properties", "required", "items", "enum", "const", "description", "title"}) | frozenset(
    {"additionalProperties", "anyOf", "oneOf", "allOf", "$schema", "$id", "$defs", "definitions"}
)
"""Keywords of a schema that have a form of their own in TypeScript, or none."""


def declared(tools: Iterable[object], texts: list[str]) -> int:
    """Put what models read about these tools into `texts`, and return the tokens that have no text."""
    tokens = 0
    for tool in tools:
        if not isinstance(tool, dict):
            continue
        kind = tool.get("type")
        if kind == "namespace":
            texts.append(f"{_comment(tool)}namespace {tool.get('name')} ")
            nested = tool.get("tools")
            tokens += declared(nested if isinstance(nested, list) else (), texts)
        elif kind == "function":
            texts.append(_function(tool))
        elif kind == "custom":
            texts.append(f"{_comment(tool)}type {tool.get('name')} = {_written(tool.get('format'))}")
        else:
            tokens += HOSTED
            texts += [_written({name: value}) for name, value in tool.items() if name != "type"]
    return tokens


def _function(tool: Json) -> str:
    parameters = tool.get("parameters")
    out = [f"{_comment(tool)}type {tool.get('name')} = ("]
    if isinstance(parameters, dict) and parameters.get("properties"):
        out.append("_: ")
        _type(parameters, out)
    out.append(") => any;\n\n")
    return "".join(out)


def _type(schema: object, out: list[str]) -> None:
    """The schema as a type; nests as deep as the request does."""
    if not isinstance(schema, dict):
        out.append("any")
        return
    for name in ("anyOf", "oneOf", "allOf"):
        if isinstance(options := schema.get(name), list):
            for option in options:
                _type(option, out)
                out.append(" | ")
            return
    properties = schema.get("properties")
    if isinstance(schema.get("enum"), list):
        out.append(" | ".join(map(_written, schema["enum"])))
    elif isinstance(properties, dict):
        _properties(properties, schema.get("required"), out)
    elif "items" in schema:
        _type(schema["items"], out)
        out.append("[]")
    else:
        out.append(_named(schema))
    for name in ("$defs", "definitions"):
        if isinstance(defined := schema.get(name), dict):
            _properties(defined, list(defined), out)


def _properties(properties: Json, required: object, out: list[str]) -> None:
    needed = set(map(str, required)) if isinstance(required, list) else set[str]()
    out.append("{\n")
    for name, schema in properties.items():
        if isinstance(schema, dict):
            out.append(_comment(schema))
            out += [f"// {word}: {_written(value)}\n" for word, value in schema.items() if word not in _NOT_TOLD]
        out.append(f"{name}: " if name in needed else f"{name}?: ")
        _type(schema, out)
        out.append(",\n")
    out.append("}")


def _named(schema: Json) -> str:
    """A type in a word or two."""
    if "const" in schema:
        return _written(schema["const"])
    kind = schema.get("type", "any")
    return " | ".join(map(str, kind)) if isinstance(kind, list) else str(kind)


def _comment(holder: Json) -> str:
    text = holder.get("description")
    return f"// {text}\n" if text else ""


def _written(value: object) -> str:
    return "" if value is None else json.dumps(value).decode()
