"""Items that clients write into a conversation, judged before they are kept: what no server could read would spoil
every later turn of it."""

from __future__ import annotations

from typing import Any

from gateway.core.fields import malformed, missing, need_object, need_text, read_list
from gateway.core.ids import valid_item_id
from gateway.errors import InvalidRequest, UnsupportedValue

Json = dict[str, Any]

MOST_ITEMS = 20
"""Of one request."""

_KINDS: dict[str, str] = {
    "id": "a non-empty string",
    "text": "a string",
    "list": "an array",
    "object": "an object",
    "flag": "a boolean",
    "output": "a string or an array",
}
_TYPES: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "text": (str,),
    "list": (list,),
    "object": (dict,),
    "flag": (bool,),
    "output": (str, list),
}

_CALL = {"call_id": "id"}
_NAMED = {"name": "id", "arguments": "text", "server_label": "id"}

_FIELDS: dict[str, dict[str, str]] = {
    "function_call": {**_CALL, "name": "id", "arguments": "text"},
    "function_call_output": {**_CALL, "output": "output"},
    "custom_tool_call": {**_CALL, "name": "id", "input": "text"},
    "custom_tool_call_output": {**_CALL, "output": "output"},
    "reasoning": {"summary": "list"},
    "compaction": {"encrypted_content": "id"},
    "web_search_call": {},
    "file_search_call": {"queries": "list"},
    "code_interpreter_call": {},
    "image_generation_call": {},
    "computer_call": _CALL,
    "computer_call_output": {**_CALL, "output": "object"},
    "local_shell_call": {**_CALL, "action": "object"},
    "local_shell_call_output": {"output": "text"},
    "shell_call": {**_CALL, "action": "object"},
    "shell_call_output": {**_CALL, "output": "list"},
    "apply_patch_call": {**_CALL, "operation": "object"},
    "apply_patch_call_output": _CALL,
    "tool_search_call": {},
    "tool_search_output": {"tools": "list"},
    "additional_tools": {"tools": "list"},
    "configuration_update": {},
    "mcp_list_tools": {"server_label": "id", "tools": "list"},
    "mcp_approval_request": _NAMED,
    "mcp_approval_response": {"approval_request_id": "id", "approve": "flag"},
    "mcp_call": _NAMED,
    "program": {**_CALL, "code": "text", "fingerprint": "text"},
    "program_output": {**_CALL, "result": "text"},
}
"""By type of the item: the fields without which nobody can use it. Messages have a reader of their own."""

_ROLES = ("user", "assistant", "system", "developer")
_TEXTS = ("input_text", "output_text", "text")
"""Parts of text; which of them a message may hold depends on its role, and programs mix them up."""

_PARTS: dict[str, dict[str, str]] = {
    "refusal": {"refusal": "text"},
    "input_image": {"image_url": "text", "file_id": "text"},
    "input_file": {"file_id": "text", "file_data": "text", "file_url": "text"},
    "input_audio": {"input_audio": "object"},
}
"""By type of the part: fields of which it needs one."""


def read_items(value: Any) -> list[Json]:
    """The items of a request, ready to be kept; null is none. Raises InvalidRequest with the path of the field."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise malformed("items", "an array of items", value)
    if len(value) > MOST_ITEMS:
        message = f"items must have at most {MOST_ITEMS} items at a time, not {len(value)}."
        raise InvalidRequest(message, param="items", code="array_above_max_length")
    return [_item(need_object(item, f"items[{place}]"), f"items[{place}]") for place, item in enumerate(value)]


def need_items(document: Json) -> list[Json]:
    """The items of a request that is for nothing else. Raises InvalidRequest."""
    if document.get("items") is None:
        raise missing("items", f"an array of up to {MOST_ITEMS} items")
    return read_items(document["items"])


def _item(item: Json, path: str) -> Json:
    kind = item.get("type")
    if kind is None and "role" in item:
        kind = "message"
    if kind == "item_reference" or (kind is None and item.get("id") is not None):
        raise UnsupportedValue(f"{path} must be an item with its type: references cannot be kept.", param=path)
    if kind is None:
        raise missing(f"{path}.type", "the type of the item, or a role for a message")
    if kind == "message":
        item = _message(item, path)
    elif isinstance(kind, str) and kind in _FIELDS:
        for name, wanted in _FIELDS[kind].items():
            _check(item, name, wanted, f"{path}.{name}")
        if kind == "reasoning":
            _check_thoughts(item, path)
    else:
        raise malformed(f"{path}.type", "one of message, " + ", ".join(_FIELDS), kind)
    # An id that nobody can send back later is none; the store gives it one of its own.
    kept = valid_item_id(kind, item.get("id"))
    return {name: entry for name, entry in item.items() if name != "id" or kept}


def _check(item: Json, name: str, wanted: str, path: str) -> None:
    value = item.get(name)
    if value is None:
        raise missing(path, _KINDS[wanted])
    if not isinstance(value, _TYPES[wanted]) or (wanted == "id" and not value):
        raise malformed(path, _KINDS[wanted], value)


def _check_thoughts(item: Json, path: str) -> None:
    for name in ("summary", "content"):
        for place, part in enumerate(read_list(item, name, f"{path}.{name}") or ()):
            _check(need_object(part, f"{path}.{name}[{place}]"), "text", "text", f"{path}.{name}[{place}].text")


def _message(message: Json, path: str) -> Json:
    role = need_text(message, "role", f"{path}.role")
    if role not in _ROLES:
        raise malformed(f"{path}.role", "one of " + ", ".join(_ROLES), role)
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "type": "message"}
    parts = read_list(message, "content", f"{path}.content")
    if parts is None:
        raise missing(f"{path}.content", "a string or an array of parts")
    read = [
        _part(need_object(part, f"{path}.content[{place}]"), role, f"{path}.content[{place}]")
        for place, part in enumerate(parts)
    ]
    return {**message, "type": "message", "content": read}


def _part(part: Json, role: str, path: str) -> Json:
    kind = need_text(part, "type", f"{path}.type")
    if kind in _TEXTS:
        _check(part, "text", "text", f"{path}.text")
        return {**part, "type": "output_text" if role == "assistant" else "input_text"}
    if kind not in _PARTS or (kind == "refusal") != (role == "assistant"):
        known = ("output_text", "refusal") if role == "assistant" else ("input_text", *list(_PARTS)[1:])
        raise malformed(f"{path}.type", f"one of {', '.join(known)} in a message of the {role}", kind)
    fields = _PARTS[kind]
    given = [name for name in fields if part.get(name) not in (None, "")]
    for name in given:
        _check(part, name, fields[name], f"{path}.{name}")
    if not given:
        named = next((name for name in fields if name in part), next(iter(fields)))
        raise missing(f"{path}.{named}", " or ".join(fields))
    return part
