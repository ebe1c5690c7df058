"""Requests as the tests of the simulator send them, and what they read from its answers."""

from __future__ import annotations

from typing import Any

import orjson

from tests.sdk_types import sse_events

NOW = 1_800_000_000.0
CODEX = "/backend-api/codex/responses"
KEY = {"authorization": "Bearer sk-simulated"}
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CLOCK: dict[str, Any] = {"type": "function", "name": "get_time", "parameters": {"type": "object", "properties": {}}}


def headers_of(login: dict[str, Any], **more: str) -> dict[str, str]:
    """Headers of a Codex call."""
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return {
        "authorization": f"Bearer {login['access_token']}",
        "chatgpt-account-id": login["account_id"],
        "user-agent": "tests/1",
        "version": "0.160.0",
        **named,
    }


def user(text: str) -> dict[str, Any]:
    """A user message."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def turn(prompt: str = "Hello", /, **changes: Any) -> dict[str, Any]:
    """A Codex request that the backend takes."""
    body = {"model": "gpt-5.5", "instructions": "", "input": [user(prompt)], "store": False, "stream": True}
    return {**body, **changes}


def events_of(stream: bytes) -> list[dict[str, Any]]:
    """The events of a Responses stream."""
    return [orjson.loads(data) for _, data in sse_events(stream)]


def items_of(stream: bytes) -> list[dict[str, Any]]:
    """The finished items of a Responses stream, ids left out."""
    done = (event["item"] for event in events_of(stream) if event["type"] == "response.output_item.done")
    return [{key: value for key, value in item.items() if key not in {"id", "call_id"}} for item in done]


def text_of(stream: bytes) -> str:
    """All output text of a Responses stream."""
    return "".join(e["delta"] for e in events_of(stream) if e["type"] == "response.output_text.delta")
