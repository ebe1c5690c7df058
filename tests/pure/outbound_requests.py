"""Inner requests on their way to a chat-only server, and what every such server demands of the messages."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from gateway.dialects.chat.outbound import GENERIC, Encoded, Quirks, encode
from gateway.errors import InvalidRequest

Json = dict[str, Any]

HELLO: Json = {"type": "message", "role": "user", "content": "hi"}
TOOL: Json = {"type": "function", "name": "look", "description": "Looks", "parameters": {"type": "object"}}
WIRE_TOOL: Json = {
    "type": "function",
    "function": {"name": "look", "description": "Looks", "parameters": {"type": "object"}},
}


def call(call_id: str, name: str = "look", arguments: str = '{"at":1}', **others: Any) -> Json:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments, **others}


def output(call_id: str, result: Any = "seen") -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": result}


def said(role: str, text: str) -> Json:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def wire_call(call_id: str, name: str = "look", arguments: str = '{"at":1}') -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def encoded(
    *items: Json,
    quirks: Quirks = GENERIC,
    stream: bool = False,
    unsupported: Literal["default", "strict", "lenient"] = "default",
    **fields: Any,
) -> Encoded:
    body = {"model": "m", "input": list(items) or [HELLO], **fields}
    return encode(body, quirks, stream=stream, unsupported=unsupported)


def messages(*items: Json, quirks: Quirks = GENERIC, **fields: Any) -> list[Json]:
    made: list[Json] = encoded(*items, quirks=quirks, **fields).body["messages"]
    check_messages(made, quirks)
    return made


def refused(*items: Json, **fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        encoded(*items, **fields)
    return caught.value


def check_messages(messages: list[Json], quirks: Quirks) -> None:
    """What strict servers refuse: gaps between calls and outputs, empty turns, misplaced or neighbouring messages."""
    assert messages
    waiting: list[str] = []
    for index, message in enumerate(messages):
        role = message["role"]
        before = messages[index - 1]["role"] if index else ""
        if role == "tool":
            assert waiting, "a tool message without its call"
            assert message["tool_call_id"] == waiting.pop(0), "outputs come in the order of the calls"
            assert isinstance(message["content"], str)
            assert ("name" in message) == quirks.tool_names
            continue
        assert not waiting, "a call without its output"
        if role == "assistant":
            assert before != "assistant", "two assistant messages in a row"
            calls = message.get("tool_calls", [])
            assert calls or message["content"] or message.get("refusal"), "an empty assistant message"
            waiting = [one["id"] for one in calls]
            assert len(set(waiting)) == len(waiting), "two calls of one id"
            assert message["content"] is None or isinstance(message["content"], str)
        elif role == "user":
            assert message["content"] == "" or message["content"]
            assert not (quirks.merge_user and before == "user")
        else:
            assert role in (("system", "developer") if quirks.developer_role else ("system",))
            assert isinstance(message["content"], str)
            assert not (quirks.merge_system and index), "system text after the first message"
        if quirks.assistant_after_tool:
            assert before != "tool" or role == "assistant"
    assert not waiting, "a call without its output"
