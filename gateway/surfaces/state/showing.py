"""How rows look to clients: items, responses and conversations in the form that every SDK reads."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from gateway.core.include import project, project_response
from gateway.core.items import complete_part, finished
from gateway.core.response import complete_response
from gateway.store.rows import Conversation, Item, StoredResponse

Json = dict[str, Any]

_WITHOUT_STATUS = frozenset(
    {
        "reasoning",
        "compaction",
        "additional_tools",
        "configuration_update",
        "program",
        "mcp_list_tools",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
    }
)
"""Types of items that have none, or need not have one."""


def conversation(row: Conversation) -> Json:
    return {
        "id": f"conv_{row.wire_id}",
        "object": "conversation",
        "created_at": row.created // 1000,
        "metadata": row.metadata,
    }


def item(row: Item, wanted: Collection[str]) -> Json:
    """An item as lists have it: with an id, a status and lists of parts, whatever the client left out."""
    body = {"type": "message", **row.shown()}
    if body["type"] == "message":
        body["content"] = _content(body)
    if body["type"] not in _WITHOUT_STATUS:
        body.setdefault("status", "completed")
    return project(finished(body), wanted)


def _content(message: Json) -> list[Any]:
    content = message.get("content")
    assistant = message.get("role") == "assistant"
    if isinstance(content, str):
        return [complete_part({"type": "output_text" if assistant else "input_text", "text": content})]
    return [
        {"detail": "auto", **part} if isinstance(part, dict) and part.get("type") == "input_image" else part
        for part in content or ()
    ]


def response(row: StoredResponse, wanted: Collection[str]) -> Json:
    """The response object as of now."""
    told = {
        "object": "response",
        "created_at": row.created // 1000,
        "model": row.model,
        "store": True,
        "background": row.background,
        **row.result,
        "id": _id(row),
    }
    if row.status == "failed" and not told.get("error") and row.error is not None:
        told["error"] = {name: row.error.get(name) for name in ("code", "message")}
    return complete_response(project_response(told, wanted))


def _id(row: StoredResponse) -> str:
    """With our prefix, unless its server gave an id of another kind."""
    return row.wire_id if row.result.get("id") == row.wire_id else f"resp_{row.wire_id}"
