"""The shape of a create request. What is known is checked by type; what is unknown passes: the server may know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.errors import InvalidRequest

Json = dict[str, Any]

_NAMES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    list: "an array",
    dict: "an object",
    type(None): "null",
}

_TYPES: Mapping[str, tuple[type, ...]] = {
    "background": (bool,),
    "client_metadata": (dict,),
    "conversation": (str, dict),
    "include": (list,),
    "instructions": (str, list),
    "max_output_tokens": (int,),
    "max_tool_calls": (int,),
    "metadata": (dict,),
    "parallel_tool_calls": (bool,),
    "previous_response_id": (str,),
    "prompt": (dict,),
    "prompt_cache_key": (str,),
    "reasoning": (dict,),
    "safety_identifier": (str,),
    "service_tier": (str,),
    "store": (bool,),
    "stream": (bool,),
    "stream_options": (dict,),
    "temperature": (float, int),
    "text": (dict,),
    "tool_choice": (str, dict),
    "tools": (list,),
    "top_logprobs": (int,),
    "top_p": (float, int),
    "truncation": (str,),
    "user": (str,),
}
"""Known fields; null is as good as absent for each of them."""

_TEXTS: Mapping[str, tuple[str, ...]] = {
    "reasoning": ("effort", "summary", "generate_summary"),
    "text": ("verbosity",),
}
"""Known texts inside of known objects; null is as good as absent."""

_TRUNCATIONS = (None, "auto", "disabled")

_INSTEAD_OF_INPUT = ("prompt", "previous_response_id", "conversation")


def checked(document: Json) -> None:
    """Raises InvalidRequest for the first field that no server could read; `param` is its path."""
    needed(document)
    known(document)


def known(document: Json) -> None:
    """The same for a body that need not have a model or an input."""
    for name, kinds in _TYPES.items():
        value = document.get(name)
        if value is not None and not _is_one_of(value, kinds):
            raise _wrong(name, " or ".join(_NAMES[kind] for kind in kinds), value)
    _check_nested(document)
    given = document.get("input")
    for place, item in enumerate(given if isinstance(given, list) else ()):
        _check_item(item, f"input[{place}]")
    for place, tool in enumerate(document.get("tools") or ()):
        if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
            raise InvalidRequest(f"`tools[{place}]` must be an object with a `type`.", param=f"tools[{place}]")


def _check_nested(document: Json) -> None:
    """What stands inside of known fields; some of it no server judges, because profiles take it out."""
    for name, fields in _TEXTS.items():
        for field in fields:
            _text(document.get(name), field, f"{name}.{field}")
    conversation = document.get("conversation")
    if isinstance(conversation, dict) and not isinstance(conversation.get("id"), str):
        raise _wrong("conversation.id", "a string", conversation.get("id"))
    for place, wish in enumerate(document.get("include") or ()):
        if not isinstance(wish, str):
            raise _wrong(f"include[{place}]", "a string", wish)
    for key, value in (document.get("metadata") or {}).items():
        if not isinstance(value, str):
            raise _wrong(f"metadata.{key}", "a string", value)
    if document.get("truncation") not in _TRUNCATIONS:
        raise InvalidRequest("`truncation` must be auto or disabled.", param="truncation")


def _text(holder: Json | None, field: str, path: str) -> None:
    value = None if holder is None else holder.get(field)
    if value is not None and not isinstance(value, str):
        raise _wrong(path, "a string", value)


def _wrong(path: str, wanted: str, value: object) -> InvalidRequest:
    return InvalidRequest(f"`{path}` must be {wanted}, not {_named(value)}.", param=path)


def needed(document: Json) -> None:
    """Raises InvalidRequest when what every server of this dialect needs is not there."""
    model = document.get("model")
    if not isinstance(model, str) or not model:
        found = "an empty one" if model == "" else _named(model)
        raise InvalidRequest(f"`model` must be a non-empty string, not {found}.", param="model")
    given = document.get("input")
    if given is None:
        if not any(document.get(name) for name in _INSTEAD_OF_INPUT):
            raise InvalidRequest("`input` is missing: a string or an array of items is needed.", param="input")
    elif not isinstance(given, str | list):
        raise _wrong("input", "a string or an array of items", given)


def items(given: object) -> list[Any]:
    """The input as a list of items; the same object when it is one already. Text is one user message."""
    if isinstance(given, list):
        return given
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return []


def _check_item(item: object, path: str) -> None:
    if not isinstance(item, dict):
        raise _wrong(path, "an object", item)
    kind = item.get("type")
    if kind is not None and not isinstance(kind, str):
        raise _wrong(f"{path}.type", "a string", kind)
    # An item without a type is a message when it has a role, and a reference when it has nothing but an id.
    if not kind and "role" not in item and not (item.get("id") and item.keys() <= {"id", "type"}):
        raise InvalidRequest(f"`{path}` needs a `type`, or a `role` to be a message.", param=path)
    if kind == "message" or (not kind and "role" in item):
        _check_message(item, path)


def _check_message(item: Json, path: str) -> None:
    role, content = item.get("role"), item.get("content")
    if not isinstance(role, str):
        raise _wrong(f"{path}.role", "a string", role)
    if content is not None and not isinstance(content, str | list):
        raise _wrong(f"{path}.content", "a string or an array of parts", content)
    for place, part in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(part, dict):
            raise _wrong(f"{path}.content[{place}]", "an object", part)


def _is_one_of(value: object, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds)


def _named(value: object) -> str:
    return _NAMES[type(value)]
