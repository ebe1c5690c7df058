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

_INSTEAD_OF_INPUT = ("prompt", "previous_response_id", "conversation")


def checked(document: Json) -> None:
    """Raises InvalidRequest for the first field that no server could read; `param` is its path."""
    needed(document)
    for name, kinds in _TYPES.items():
        value = document.get(name)
        if value is not None and not _is_one_of(value, kinds):
            wanted = " or ".join(_NAMES[kind] for kind in kinds)
            raise InvalidRequest(f"`{name}` must be {wanted}, not {_named(value)}.", param=name)
    given = document.get("input")
    for place, item in enumerate(given if isinstance(given, list) else ()):
        _check_item(item, f"input[{place}]")
    for place, tool in enumerate(document.get("tools") or ()):
        if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
            raise InvalidRequest(f"`tools[{place}]` must be an object with a `type`.", param=f"tools[{place}]")


def needed(document: Json) -> None:
    """Raises InvalidRequest when what every server of this dialect needs is not there."""
    model = document.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequest(f"`model` must be a non-empty string, not {_named(model)}.", param="model")
    given = document.get("input")
    if given is None:
        if not any(document.get(name) for name in _INSTEAD_OF_INPUT):
            raise InvalidRequest("`input` is missing: a string or an array of items is needed.", param="input")
    elif not isinstance(given, str | list):
        raise InvalidRequest(f"`input` must be a string or an array of items, not {_named(given)}.", param="input")


def items(given: object) -> list[Any]:
    """The input as a list of items; the same object when it is one already. Text is one user message."""
    if isinstance(given, list):
        return given
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return []


def _check_item(item: object, path: str) -> None:
    if not isinstance(item, dict):
        raise InvalidRequest(f"`{path}` must be an object, not {_named(item)}.", param=path)
    kind = item.get("type")
    if kind is not None and not isinstance(kind, str):
        raise InvalidRequest(f"`{path}.type` must be a string, not {_named(kind)}.", param=f"{path}.type")
    # An item without a type is a message when it has a role, and a reference when it has nothing but an id.
    if kind is None and "role" not in item and "id" not in item:
        raise InvalidRequest(f"`{path}` needs a `type`, or a `role` to be a message.", param=path)
    if kind == "message" or (kind is None and "role" in item):
        _check_message(item, path)


def _check_message(item: Json, path: str) -> None:
    role, content = item.get("role"), item.get("content")
    if not isinstance(role, str):
        raise InvalidRequest(f"`{path}.role` must be a string, not {_named(role)}.", param=f"{path}.role")
    if content is not None and not isinstance(content, str | list):
        message = f"`{path}.content` must be a string or an array of parts, not {_named(content)}."
        raise InvalidRequest(message, param=f"{path}.content")
    for place, part in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(part, dict):
            where = f"{path}.content[{place}]"
            raise InvalidRequest(f"`{where}` must be an object, not {_named(part)}.", param=where)


def _is_one_of(value: object, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds)


def _named(value: object) -> str:
    return _NAMES[type(value)]
