"""Stored chat completions: a kept response, and the items it was asked with, in the words of chat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gateway.core.prose import objects
from gateway.dialects import Choices
from gateway.dialects.chat.calls import call_kind, whole_call
from gateway.dialects.chat.request import decode
from gateway.dialects.chat.response import PREFIX, completion
from gateway.dialects.chat.wishes import Wishes
from gateway.errors import InvalidRequest

Json = dict[str, Any]

_ANYTHING = [{"role": "user", "content": ""}]


def shown_id(wire_id: str) -> str:
    """The id of a completion for the bare id of its row."""
    return PREFIX + wire_id


def stored_completion(completion_id: str, request: Json, response: Json, metadata: Json, choices: Choices) -> Json:
    """The `chat.completion` that the client got. `request`: as the client sent it. `metadata`: as it is now."""
    wishes = replace(_wishes(request, response, choices), metadata=metadata)
    return {**completion(response, wishes), "id": completion_id}


def stored_messages(completion_id: str, request: Json, items: Iterable[Json], choices: Choices) -> list[Json]:
    """The messages that a completion was asked with. Message n has the id `<completion id>-<n>`."""
    wishes = _wishes(request, {}, choices)
    messages: list[Json] = []
    for place, item in enumerate(items):
        kind = call_kind(item)
        if kind:
            call = whole_call(item, kind, wishes, completion_id, place)
            if not messages or messages[-1]["role"] != "assistant":
                messages.append({"role": "assistant", "content": None})
            messages[-1].setdefault("tool_calls", []).append(call)
        elif str(item.get("type") or "message") == "message":
            messages.append(_message(item))
        elif item["type"] in ("function_call_output", "custom_tool_call_output"):
            result = _content(item.get("output"))
            messages.append({"role": "tool", "tool_call_id": item.get("call_id"), **result})
    whole = {"refusal": None, "content_parts": None}
    return [{"id": f"{completion_id}-{n}", **whole, **message} for n, message in enumerate(messages)]


def _wishes(request: Json, response: Json, choices: Choices) -> Wishes:
    """What the client asked about the form of the answer; the conversation itself says nothing of it."""
    told = {name: value for name, value in request.items() if name != "input"}
    try:
        wishes = decode({**told, "messages": _ANYTHING}, replace(choices, unsupported="lenient")).wishes
    except InvalidRequest:  # a server that speaks chat judged it, by rules of its own
        model = request.get("model") or response.get("model")
        return Wishes(model=model if isinstance(model, str) else "")
    return wishes


def _message(item: Json) -> Json:
    """A message item; what an assistant refused to say stands beside what it said."""
    content = item.get("content")
    refusals = [part for _, part in objects(content) if part.get("type") == "refusal"]
    message = {"role": item.get("role") or "user", **_content(content)}
    if refusals:
        message["refusal"] = "".join(str(part.get("refusal") or "") for part in refusals) or None
        message["content"] = message["content"] or None
    return message


def _content(content: Any) -> Json:
    """The text, and beside it all parts when text alone does not say it."""
    if isinstance(content, str):
        return {"content": content}
    parts = [_part(part) for _, part in objects(content) if part.get("type") != "refusal"]
    text = "".join(part["text"] for part in parts if part["type"] == "text")
    if len(parts) < 2 and all(part["type"] == "text" for part in parts):
        return {"content": text}
    return {"content": text or None, "content_parts": parts}


def _part(part: Json) -> Json:
    kind = part.get("type")
    if kind in ("input_text", "output_text"):
        return {"type": "text", "text": str(part.get("text") or "")}
    if kind == "input_image" and part.get("image_url"):
        return {
            "type": "image_url",
            "image_url": {"url": part["image_url"], "detail": part.get("detail") or "auto"},
        }
    if kind == "input_file":
        return {"type": "file", "file": {name: value for name, value in part.items() if name not in ("type", "detail")}}
    return part
