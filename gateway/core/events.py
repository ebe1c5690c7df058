"""The events of a Responses stream: THE table of what may be sent to a client, and where each event's text belongs.

An event type that is not in the table is not passed on: the stream helpers of the openai-node SDK throw on types they
do not know (clients.md), so what reaches a client is a closed set.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    """What an event does to the response that is being built."""

    LIFECYCLE = auto()
    TERMINAL = auto()
    ITEM_ADDED = auto()
    ITEM_DONE = auto()
    PART_ADDED = auto()
    PART_DONE = auto()
    TEXT_DELTA = auto()
    TEXT_DONE = auto()
    ANNOTATION = auto()
    FIELD_DELTA = auto()
    FIELD_DONE = auto()
    PROGRESS = auto()
    """Belongs to an open item, carries nothing that is kept."""
    LOOSE = auto()
    """Belongs to no item."""
    ERROR = auto()
    RENAMED = auto()
    """A wrong name for another event."""


class Channel(NamedTuple):
    """A place in an item that text is streamed into: a part of a list, or a field of the item itself (`places` "")."""

    item: str
    """The item type that such text implies."""
    places: str
    position: str
    """The name of the field that counts the parts: `content_index`."""
    part: str
    field: str
    event: str
    part_event: str


class Event(NamedTuple):
    """A row of the table."""

    kind: Kind
    channel: Channel | None = None


_CONTENT = ("content", "content_index")
_CONTENT_PART = "response.content_part"

TEXT = Channel("message", *_CONTENT, "output_text", "text", "response.output_text", _CONTENT_PART)
REFUSAL = Channel("message", *_CONTENT, "refusal", "refusal", "response.refusal", _CONTENT_PART)
REASONING = Channel("reasoning", *_CONTENT, "reasoning_text", "text", "response.reasoning_text", _CONTENT_PART)
SUMMARY = Channel(
    "reasoning",
    "summary",
    "summary_index",
    "summary_text",
    "text",
    "response.reasoning_summary_text",
    "response.reasoning_summary_part",
)
PARTS: dict[str, Channel] = {channel.part: channel for channel in (TEXT, REFUSAL, REASONING, SUMMARY)}
"""By part type."""

FIELDS: dict[str, Channel] = {
    kind: Channel(kind, "", "", "", field, event, "")
    for kind, field, event in (
        ("function_call", "arguments", "response.function_call_arguments"),
        ("custom_tool_call", "input", "response.custom_tool_call_input"),
        ("mcp_call", "arguments", "response.mcp_call_arguments"),
        ("code_interpreter_call", "code", "response.code_interpreter_call_code"),
    )
}
"""By item type: the field of the item that is streamed."""

_PROGRESS = {
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
    "compaction": ("compacting",),
    "file_search_call": ("in_progress", "searching", "completed"),
    "image_generation_call": ("in_progress", "generating", "partial_image", "completed"),
    "mcp_call": ("in_progress", "completed", "failed"),
    "mcp_list_tools": ("in_progress", "completed", "failed"),
    "shell_call_command": ("added", "delta", "done"),
    "shell_call_output_content": ("delta", "done"),
    "web_search_call": ("in_progress", "searching", "completed"),
}


def _table() -> dict[str, Event]:
    table = {f"response.{name}": Event(Kind.LIFECYCLE) for name in ("created", "queued", "in_progress")}
    table |= {f"response.{name}": Event(Kind.TERMINAL) for name in ("completed", "incomplete", "failed", "cancelled")}
    table["response.output_item.added"] = Event(Kind.ITEM_ADDED)
    table["response.output_item.done"] = Event(Kind.ITEM_DONE)
    for part_event in (_CONTENT_PART, SUMMARY.part_event):
        table[f"{part_event}.added"] = Event(Kind.PART_ADDED)
        table[f"{part_event}.done"] = Event(Kind.PART_DONE)
    for channel in PARTS.values():
        table[f"{channel.event}.delta"] = Event(Kind.TEXT_DELTA, channel)
        table[f"{channel.event}.done"] = Event(Kind.TEXT_DONE, channel)
    table["response.output_text.annotation.added"] = Event(Kind.ANNOTATION, TEXT)
    for channel in FIELDS.values():
        table[f"{channel.event}.delta"] = Event(Kind.FIELD_DELTA, channel)
        table[f"{channel.event}.done"] = Event(Kind.FIELD_DONE, channel)
    for item, steps in _PROGRESS.items():
        table |= {f"response.{item}.{step}": Event(Kind.PROGRESS) for step in steps}
    for name in ("audio.delta", "audio.done", "audio.transcript.delta", "audio.transcript.done"):
        table[f"response.{name}"] = Event(Kind.LOOSE)
    table["error"] = Event(Kind.ERROR)
    table |= {name: Event(Kind.RENAMED) for name in RENAMED}
    return table


RENAMED = {
    "response.done": "response.completed",  # then by the embedded status, as for every terminal event
    "response.reasoning_part.added": "response.content_part.added",  # vLLM
    "response.reasoning_part.done": "response.content_part.done",
    "response.reasoning.delta": "response.reasoning_text.delta",  # Open Responses
    "response.reasoning.done": "response.reasoning_text.done",
}

EVENTS: dict[str, Event] = _table()

QUIET = frozenset({"keepalive", "response.metadata", "responsesapi.websocket_timing"})
"""Known not to be for clients, like everything that begins with `codex.`: left out without a word."""

TERMINALS = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    "cancelled": "response.failed",  # there is no event for it
}
"""The terminal event by the response's own status, which servers get right more often than the event's name."""
