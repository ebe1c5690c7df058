"""Turns → messages that the strictest server takes: the order, the roles and the contents it insists on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.core.ids import derive
from gateway.dialects.chat.outbound.history import Call, Said, Turn
from gateway.dialects.chat.outbound.quirks import Quirks
from gateway.dialects.chat.outbound.toolmap import ToolMap

Json = dict[str, Any]


def write_messages(system: Sequence[str], spoken: Sequence[Said | Turn], tools: ToolMap, quirks: Quirks) -> list[Json]:
    """All messages of a request. `system`: texts that come before everything that was said."""
    messages = [_system_message("system", text, quirks) for text in system]
    for entry in spoken:
        if isinstance(entry, Turn):
            messages += _turn(entry, tools, quirks)
        elif entry.role == "user":
            messages.append({"role": "user", "content": entry.content})
        else:
            messages.append(_system_message(entry.role, str(entry.content), quirks))
    if quirks.merge_system:
        messages = _one_system_message(messages)
    if quirks.merge_user:
        messages = _one_user_message_at_a_time(messages)
    if quirks.assistant_after_tool:
        messages = _assistant_after_tool(messages, quirks.assistant_after_tool)
    return messages


def _system_message(role: str, text: str, quirks: Quirks) -> Json:
    return {"role": role if quirks.developer_role else "system", "content": text}


def _turn(turn: Turn, tools: ToolMap, quirks: Quirks) -> list[Json]:
    """The assistant message, a tool message per call, and what the tools gave back that is not text."""
    calls = _with_ids(turn.calls, tools)
    messages = [_assistant_message(turn, calls, quirks)]
    pictures: list[Json] = []
    for call_id, call in calls:
        message: Json = {"role": "tool", "tool_call_id": call_id, "content": call.output.text}
        if quirks.tool_names:
            message["name"] = call.name
        messages.append(message)
        pictures += call.output.others
    if pictures:
        messages.append({"role": "user", "content": pictures})
    return messages


def _with_ids(calls: Sequence[Call], tools: ToolMap) -> list[tuple[str, Call]]:
    """Each call under an id that no other call of the message has."""
    taken: dict[str, Call] = {}
    for call in calls:
        wire_id = tools.wire_call_id(call.call_id)
        if wire_id in taken:
            wire_id = tools.wire_call_id(derive("call", call.call_id, len(taken)))
        taken[wire_id] = call
    return list(taken.items())


def _assistant_message(turn: Turn, calls: Sequence[tuple[str, Call]], quirks: Quirks) -> Json:
    texts = turn.texts if quirks.refusal_field else [*turn.texts, *turn.refusals]
    content = "\n\n".join(texts)
    message: Json = {"role": "assistant", "content": content}
    if not content and quirks.null_content:
        message["content"] = None
    if turn.refusals and quirks.refusal_field:
        message["refusal"] = "\n\n".join(turn.refusals)
    if quirks.thoughts != "none" and (turn.thoughts or (calls and quirks.thoughts_needed)):
        message[quirks.thoughts] = "\n\n".join(turn.thoughts)
    if calls:
        message["tool_calls"] = [_tool_call(call_id, call, quirks) for call_id, call in calls]
        if quirks.call_signature:
            # Only the first of calls that were made together is signed.
            first = {"google": {"thought_signature": quirks.call_signature}}
            message["tool_calls"][0].setdefault("extra_content", first)
    return message


def _tool_call(call_id: str, call: Call, quirks: Quirks) -> Json:
    made: Json = {"id": call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    if call.extra is not None and quirks.call_signature:
        made["extra_content"] = call.extra
    return made


def _one_system_message(messages: Sequence[Json]) -> list[Json]:
    texts = [message["content"] for message in messages if message["role"] in ("system", "developer")]
    others = [message for message in messages if message["role"] not in ("system", "developer")]
    return [{"role": "system", "content": "\n\n".join(texts)}, *others] if texts else others


def _one_user_message_at_a_time(messages: Sequence[Json]) -> list[Json]:
    made: list[Json] = []
    for message in messages:
        if made and message["role"] == made[-1]["role"] == "user":
            made[-1] = {"role": "user", "content": _joined(made[-1]["content"], message["content"])}
        else:
            made.append(message)
    return made


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, str) and isinstance(second, str):
        return "\n\n".join(filter(None, (first, second)))
    return [*_as_parts(first), *_as_parts(second)]


def _as_parts(content: Any) -> list[Json]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _assistant_after_tool(messages: Sequence[Json], text: str) -> list[Json]:
    made: list[Json] = []
    for message in messages:
        if made and made[-1]["role"] == "tool" and message["role"] not in ("tool", "assistant"):
            made.append({"role": "assistant", "content": text})
        made.append(message)
    return made
