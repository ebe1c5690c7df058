"""Lifecycle events as Responses clients see them: whole, or the very bytes when nothing is missing."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.frames import Frame
from gateway.core.response import complete_response
from gateway.dialects.responses.stream import ResponsesEncoder
from gateway.wire.sse import END, SSEReader

Json = dict[str, Any]

KEYS = frozenset(
    {
        "id",
        "object",
        "created_at",
        "completed_at",
        "status",
        "incomplete_details",
        "model",
        "previous_response_id",
        "instructions",
        "output",
        "error",
        "tools",
        "tool_choice",
        "truncation",
        "parallel_tool_calls",
        "text",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "top_logprobs",
        "temperature",
        "reasoning",
        "usage",
        "max_output_tokens",
        "max_tool_calls",
        "store",
        "background",
        "service_tier",
        "metadata",
        "safety_identifier",
        "prompt_cache_key",
    }
)
"""What Open Responses requires of every response object."""

SHORT: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1784.5,
    "model": "m",
    "status": "in_progress",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}],
    "temperature": None,
    "completed_at": None,
}


def shown(frame: Frame) -> bytes:
    return ResponsesEncoder({}, created=0, model="m").feed([frame])


@pytest.mark.proves("WS-events")
@pytest.mark.parametrize("kind", ["response.created", "response.in_progress", "response.completed"])
def test_every_lifecycle_event_has_every_field_with_numbers_where_numbers_belong(kind: str) -> None:
    [frame, *_] = SSEReader(10_000).feed(shown(Frame.of({"type": kind, "sequence_number": 0, "response": SHORT})))
    response = frame.data["response"]
    assert response.keys() >= KEYS
    assert {name: response[name] for name in ("temperature", "top_p", "presence_penalty", "top_logprobs")} == {
        "temperature": 1,
        "top_p": 1,
        "presence_penalty": 0,
        "top_logprobs": 0,
    }
    assert type(response["created_at"]) is int
    assert response["tools"] == [
        {"type": "function", "name": "f", "description": None, "parameters": None, "strict": None},
        {"type": "web_search"},
    ]


@pytest.mark.proves("WS-events")
def test_a_whole_lifecycle_event_passes_as_the_bytes_it_came_in() -> None:
    whole = complete_response({**SHORT, "created_at": 1784, "usage": None})
    data = Frame.of({"type": "response.completed", "response": whole}).raw.replace(b'"id"', b' "id"')
    [frame] = SSEReader(10_000).feed(data)
    assert shown(frame) == data + END
