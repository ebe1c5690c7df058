"""Messages → input items, in order (translation §1.2). One message may give several items, or none.

Only what the inner form knows is emitted: `name`, `refusal: null`, `reasoning_content` and vendor keys stay behind,
because servers answer unknown keys with 400. Call items carry no `id`: ids of another server are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.core import json
from gateway.core.fields import (
    found,
    malformed,
    missing,
    need_object,
    need_text,
    read_list,
    read_object,
    read_text,
)
from gateway.core.ids import wire_call_id
from gateway.dialects.chat.content import read_input, read_output, read_result
from gateway.dialects.chat.tools import Toolbox
from gateway.errors import InvalidRequest, UnsupportedValue

Json = dict[str, Any]

_PHASES = ("commentary", "final_answer")
_OUTPUTS = {"function": "function_call_output", "custom": "custom_tool_call_output"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an input item came from in the client's body.

    `path`: `messages[2]` or `messages[2].tool_calls[0]`. `fields`: the item's fields in the client's words.
    `parts`: each content part in the client's words: `content[1]`, `refusal`, or `content` where that was a string.
    `inner`: the client sent the item itself, so that all of its fields keep their names.
    """

    path: str
    fields: dict[str, str]
    parts: tuple[str, ...] = ()
    inner: bool = False


_MESSAGE_FIELDS = {"role": "role", "content": "content"}
_CALL_FIELDS = {
    "function": {"call_id": "id", "name": "function.name", "arguments": "function.arguments"},
    "custom": {"call_id": "id", "name": "custom.name", "input": "custom.input"},
}
_LEGACY_CALL_FIELDS = {"name": "name", "arguments": "arguments"}
_RESULT_FIELDS = {"call_id": "tool_call_id", "output": "content"}
_LEGACY_RESULT_FIELDS = {"call_id": "name", "output": "content"}


class History:
    """Collects the input items of a conversation and remembers where each came from."""

    def __init__(self, box: Toolbox, *, open_ended: bool = False) -> None:
        """`open_ended`: earlier turns are kept elsewhere, so a result may answer a call that is not here."""
        self.items: list[Json] = []
        self.origins: list[Origin] = []
        self._box = box
        self._open_ended = open_ended
        self._calls: dict[str, str] = {}
        self._waiting: dict[str, list[str]] = {}

    def add(self, message: Any, path: str) -> None:
        """Append one message's items. Raises InvalidRequest, UnsupportedValue."""
        holder = need_object(message, path)
        role = holder.get("role")
        reader = _READERS.get(role) if isinstance(role, str) else None
        if reader is None:
            if role is None:
                raise missing(f"{path}.role", "one of " + ", ".join(_READERS))
            raise malformed(f"{path}.role", "one of " + ", ".join(_READERS), role)
        reader(self, holder, path)

    def add_developer(self, text: str, path: str) -> None:
        """Append a developer message that stands elsewhere in the client's body (`instructions`)."""
        content = [{"type": "input_text", "text": text}]
        self.items.append({"type": "message", "role": "developer", "content": content})
        self.origins.append(Origin(path, {}))

    def add_item(self, item: Json, path: str) -> None:
        """Append an item that is in the inner form already: its names, call ids and item id are made safe.

        Raises InvalidRequest.
        """
        made = dict(item)
        if item.get("type") != "item_reference":
            made.pop("id", None)
        kind = {"function_call": "function", "custom_tool_call": "custom"}.get(str(item.get("type")))
        call_id = item.get("call_id")
        if isinstance(call_id, str):
            made["call_id"] = wire_call_id(call_id)
        if kind:
            made["name"] = self._box.names.wire(need_text(item, "name", f"{path}.name"))
            self._calls[wire_call_id(need_text(item, "call_id", f"{path}.call_id"))] = kind
        elif item.get("type") in _OUTPUTS.values():
            self._kind_of(need_text(item, "call_id", f"{path}.call_id"), f"{path}.call_id")
        self.items.append(made)
        self.origins.append(Origin(path, {}, inner=True))

    def _input_message(self, message: Json, path: str) -> None:
        content = message.get("content")
        parts, indexes = read_input(content, f"{path}.content")
        self._append_message(message["role"], parts, path, _part_names(content, indexes))

    def _append_message(self, role: str, parts: list[Json], path: str, names: list[str]) -> None:
        self.items.append({"type": "message", "role": role, "content": parts})
        self.origins.append(Origin(path, _MESSAGE_FIELDS, tuple(names)))

    def _assistant_message(self, message: Json, path: str) -> None:
        content = message.get("content")
        parts, indexes = read_output(content, f"{path}.content")
        names = _part_names(content, indexes)
        refusal = read_text(message, "refusal", f"{path}.refusal")
        if refusal:
            parts.append({"type": "refusal", "refusal": refusal})
            names.append("refusal")
        if parts:
            self._append_message("assistant", parts, path, names)
            if message.get("phase") in _PHASES:
                self.items[-1]["phase"] = message["phase"]
        calls = read_list(message, "tool_calls", f"{path}.tool_calls") or []
        for index, call in enumerate(calls):
            self._call(call, f"{path}.tool_calls[{index}]")
        legacy = read_object(message, "function_call", f"{path}.function_call")
        if legacy is not None:
            self._legacy_call(legacy, f"{path}.function_call")
        if message.get("audio") is not None and not (parts or calls or legacy):
            raise UnsupportedValue(f"{path}.audio: a spoken answer cannot be replayed.", param=f"{path}.audio")

    def _call(self, call: Any, path: str) -> None:
        holder = need_object(call, path)
        kind = read_text(holder, "type", f"{path}.type") or ("custom" if "custom" in holder else "function")
        if kind not in _OUTPUTS:
            raise malformed(f"{path}.type", "function or custom", kind)
        call_id = wire_call_id(need_text(holder, "id", f"{path}.id"))
        body = need_object(holder.get(kind), f"{path}.{kind}")
        name = self._box.names.wire(need_text(body, "name", f"{path}.{kind}.name"))
        text = body.get("arguments" if kind == "function" else "input")
        # Streams show custom calls as function calls, so the declaration of the tool decides, not the replay.
        declared = self._box.kinds.get(name, kind)
        self._calls[call_id] = declared
        self.items.append(self._call_item(declared, call_id, name, text))
        self.origins.append(Origin(path, _CALL_FIELDS[kind]))

    def _call_item(self, kind: str, call_id: str, name: str, text: Any) -> Json:
        if kind == "custom":
            raw = text if isinstance(text, str) else "" if text is None else json.dumps(text).decode()
            return {"type": "custom_tool_call", "call_id": call_id, "name": name, "input": raw}
        item: Json = {"type": "function_call", "call_id": call_id, "name": name, "arguments": _arguments(text)}
        if name in self._box.namespaces and name not in self._box.kinds:
            item["namespace"] = self._box.namespaces[name]
        return item

    def _legacy_call(self, call: Json, path: str) -> None:
        name = need_text(call, "name", f"{path}.name")
        # Legacy calls have no id; their place in the history is one, and it stays the same on every later turn.
        call_id = f"call_legacy_{len(self.items)}"
        self._waiting.setdefault(name, []).append(call_id)
        self._calls[call_id] = "function"
        self.items.append(self._call_item("function", call_id, self._box.names.wire(name), call.get("arguments")))
        self.origins.append(Origin(path, _LEGACY_CALL_FIELDS))

    def _tool_message(self, message: Json, path: str) -> None:
        call_id = need_text(message, "tool_call_id", f"{path}.tool_call_id")
        kind = self._kind_of(call_id, f"{path}.tool_call_id")
        output = read_result(message.get("content"), f"{path}.content")
        self.items.append({"type": _OUTPUTS[kind], "call_id": wire_call_id(call_id), "output": output})
        self.origins.append(Origin(path, _RESULT_FIELDS))

    def _kind_of(self, call_id: str, param: str) -> str:
        kind = self._calls.get(wire_call_id(call_id))
        if kind is None and not self._open_ended:
            message = f"{param} is {call_id!r}, but no earlier message holds a call with that id."
            raise InvalidRequest(message, param=param)
        return kind or "function"

    def _function_message(self, message: Json, path: str) -> None:
        name = need_text(message, "name", f"{path}.name")
        waiting = self._waiting.get(name)
        if not waiting:
            raise InvalidRequest(f"{path}.name: no call of {name!r} is waiting for a result.", param=f"{path}.name")
        output = read_result(message.get("content"), f"{path}.content")
        self.items.append({"type": "function_call_output", "call_id": waiting.pop(), "output": output})
        self.origins.append(Origin(path, _LEGACY_RESULT_FIELDS))


def _part_names(content: Any, indexes: list[int]) -> list[str]:
    """The client's name of each content part."""
    return [f"content[{index}]" if isinstance(content, list) else "content" for index in indexes]


def _arguments(value: Any) -> str:
    """Arguments as text; objects that some programs send are serialised, and nothing at all is an empty object."""
    if value is None:
        return "{}"
    text = value if isinstance(value, str) else json.dumps(value).decode()
    return text if text.strip() else "{}"


_READERS: dict[str, Callable[[History, Json, str], None]] = {
    "developer": History._input_message,
    "system": History._input_message,
    "user": History._input_message,
    "assistant": History._assistant_message,
    "tool": History._tool_message,
    "function": History._function_message,
}


def read_messages(document: Json, box: Toolbox, instructions: str) -> History:
    """The conversation of a chat body, with `instructions` in front as a developer message.

    Raises InvalidRequest, UnsupportedValue.
    """
    messages = document.get("messages")
    if messages is None:
        raise missing("messages", "a non-empty array")
    if not isinstance(messages, list) or not messages:
        shown = "an empty array" if messages == [] else found(messages)
        raise InvalidRequest(f"messages must be a non-empty array, not {shown}.", param="messages")
    history = History(box)
    if instructions:
        history.add_developer(instructions, "instructions")
    for index, message in enumerate(messages):
        history.add(message, f"messages[{index}]")
    if not history.items:
        raise InvalidRequest("messages holds no text and no call: there is nothing to answer.", param="messages")
    return history


def _kind_of_item(item: Json, path: str) -> str:
    """The type of an item in the inner form; one without a type is a message, or a reference if it is just an id."""
    if item.get("type") is not None:
        return need_text(item, "type", f"{path}.type")
    if "role" in item:
        return "message"
    if item.get("id") and item.keys() <= {"id", "type"}:
        return "item_reference"
    raise missing(f"{path}.role", "a role to be a message, or a type to be another item")


def read_inner_input(document: Json, box: Toolbox) -> History:
    """The conversation of a body in Responses form: messages of either form, and inner items.

    Raises InvalidRequest, UnsupportedValue.
    """
    value = document["input"]
    chained = document.get("previous_response_id") is not None or document.get("conversation") is not None
    history = History(box, open_ended=chained)
    if isinstance(value, str):
        history.add({"role": "user", "content": value}, "input")
        return history
    if not isinstance(value, list):
        raise malformed("input", "a string or an array of items", value)
    for index, item in enumerate(value):
        path = f"input[{index}]"
        kind = _kind_of_item(need_object(item, path), path)
        if kind == "message":
            history.add(item, path)
        else:
            history.add_item({**item, "type": kind}, path)
    if not history.items and not chained:
        raise InvalidRequest("input is empty: there is nothing to answer.", param="input")
    return history
