"""Builders for chat tests: requests, finished items, the events of their stream, and what the client reads of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from gateway.core.frames import Frame
from gateway.dialects import Choices
from gateway.dialects.chat import DIALECT, ChatExchange
from tests.pure.chat_invariants import Folded, fold

Json = dict[str, Any]

CITED: Json = {"type": "url_citation", "start_index": 0, "end_index": 2, "url": "https://x", "title": "X"}
ARGUMENTS = "function_call_arguments"
USER: Json = {"role": "user", "content": "hi"}
TOOL: Json = {"type": "function", "function": {"name": "get", "parameters": {"type": "object", "properties": {}}}}
USAGE: Json = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 29,
}
CHAT_USAGE: Json = {
    "prompt_tokens": 9,
    "completion_tokens": 20,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 4,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}


def exchange(choices: Choices | None = None, /, **fields: Any) -> ChatExchange:
    """Decode a chat body with one user message and these fields."""
    return DIALECT.decode({"model": "m", "messages": [USER], **fields}, choices or Choices())


def body_of(choices: Choices | None = None, /, **fields: Any) -> Json:
    return exchange(choices, **fields).request.body


def items_of(*messages: Json, **fields: Any) -> list[Json]:
    """The input items of these messages."""
    items: list[Json] = body_of(messages=list(messages), **fields)["input"]
    return items


def text_part(text: str, **more: Any) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], **more}


def message(*parts: Json | str, index: int = 0, **more: Any) -> Json:
    content = [text_part(part) if isinstance(part, str) else part for part in parts]
    return {"id": f"msg_{index}", "type": "message", "role": "assistant", "content": content, **more}


def call(name: str = "get", arguments: str = "{}", call_id: str = "call_a", **more: Any) -> Json:
    item: Json = {"id": f"fc_{call_id}", "type": "function_call", "call_id": call_id, "name": name}
    return {**item, "arguments": arguments, **more}


def custom_call(name: str = "run", text: str = "ls", call_id: str = "call_c") -> Json:
    return {"id": f"ctc_{call_id}", "type": "custom_tool_call", "call_id": call_id, "name": name, "input": text}


def reasoning(*texts: str, kind: Literal["summary", "content"] = "summary", index: int = 0) -> Json:
    tag = "summary_text" if kind == "summary" else "reasoning_text"
    item: Json = {"id": f"rs_{index}", "type": "reasoning", "summary": []}
    return {**item, kind: [{"type": tag, "text": text} for text in texts]}


def response(*output: Json, **more: Any) -> Json:
    made: Json = {"id": "resp_1", "object": "response", "created_at": 1700000000, "model": "gpt-x"}
    return {**made, "status": "completed", "output": list(output), "usage": USAGE, **more}


def frames(events: Iterable[Json]) -> list[Frame]:
    return [Frame.of(event) for event in events]


def created(final: Json) -> Json:
    return {"type": "response.created", "response": {**final, "status": "in_progress", "output": [], "usage": None}}


def terminal(final: Json) -> Json:
    return {"type": f"response.{final['status']}", "response": final}


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def events_of(final: Json, size: int = 3, *, empty_output: bool = False) -> list[Json]:
    """The whole stream of a response, its texts in pieces of `size`. `empty_output`: the terminal repeats nothing."""
    told: list[Json] = [created(final)]
    for index, item in enumerate(final["output"]):
        told += item_events(index, item, size)
    return [*told, terminal({**final, "output": []} if empty_output else final)]


def item_events(index: int, item: Json, size: int = 3) -> list[Json]:
    here = {"output_index": index, "item_id": item.get("id")}
    empty: Json = {"content": [], "summary": [], "arguments": "", "input": ""}
    bare = {**item, **{key: nothing for key, nothing in empty.items() if key in item}}
    told: list[Json] = [{"type": "response.output_item.added", "output_index": index, "item": bare}]
    for position, part in enumerate(item.get("summary") or []):
        where = {**here, "summary_index": position}
        told += _text_events("response.reasoning_summary_text", where, "text", part["text"], size)
        told.append({"type": "response.reasoning_summary_part.done", **where, "part": part})
    for position, part in enumerate(item.get("content") or []):
        told += _part_events({**here, "content_index": position}, part, size)
    for key, name in (("arguments", "function_call_arguments"), ("input", "custom_tool_call_input")):
        if key in item:
            told += _text_events(f"response.{name}", here, key, item[key], size)
    return [*told, {"type": "response.output_item.done", "output_index": index, "item": item}]


def _part_events(where: Json, part: Json, size: int) -> list[Json]:
    name, key = {
        "output_text": ("output_text", "text"),
        "refusal": ("refusal", "refusal"),
        "reasoning_text": ("reasoning_text", "text"),
    }[part["type"]]
    told: list[Json] = [{"type": "response.content_part.added", **where, "part": {**part, key: "", "annotations": []}}]
    told += _text_events(f"response.{name}", where, key, part[key], size)
    for at, annotation in enumerate(part.get("annotations") or []):
        added = {"annotation_index": at, "annotation": annotation}
        told.append({"type": "response.output_text.annotation.added", **where, **added})
    return [*told, {"type": "response.content_part.done", **where, "part": part}]


def _text_events(name: str, where: Json, key: str, text: str, size: int) -> list[Json]:
    deltas: list[Json] = [{"type": f"{name}.delta", **where, "delta": piece} for piece in pieces(text, size)]
    return [*deltas, {"type": f"{name}.done", **where, key: text}]


def stream(asked: ChatExchange, events: Sequence[Json]) -> str:
    """What the client reads for these events."""
    return asked.stream_encoder(5).feed(frames(events)).decode()


def asking(choices: Choices | None = None, /, **fields: Any) -> ChatExchange:
    return exchange(choices, stream=True, **fields)


def told(*events: Json, asked: ChatExchange | None = None, usage_asked: bool = False) -> Folded:
    return fold(stream(asked or asking(), events), usage_asked=usage_asked)


def delta(index: int, text: str, kind: str = "output_text", **more: Any) -> Json:
    return {"type": f"response.{kind}.delta", "output_index": index, "content_index": 0, "delta": text, **more}


def added(index: int, item: Json) -> Json:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index: int, item: Json) -> Json:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def function_call(name: str, arguments: str, call_id: str = "call_a") -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def answer(*output: Json, asked: ChatExchange | None = None, **more: Any) -> Json:
    document: Json = json.loads((asked or exchange()).encode_response(response(*output, **more)))
    return document


def said(*output: Json, asked: ChatExchange | None = None, **more: Any) -> Json:
    found: Json = answer(*output, asked=asked, **more)["choices"][0]["message"]
    return found


def cut(reason: str | None) -> Json:
    return {"status": "incomplete", "incomplete_details": {"reason": reason}}


START = created(response())
