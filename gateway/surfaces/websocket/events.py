"""What the gateway itself says on a connection: errors, and the answer to a warm-up. Pure."""

from __future__ import annotations

from typing import Any

from gateway.core import json, usage
from gateway.core.ids import derive
from gateway.core.response import complete_response, request_echo
from gateway.errors import GatewayError, InvalidRequest
from gateway.surfaces.errors import render_error

Json = dict[str, Any]

_ABOUT_THE_BODY = frozenset({"content-type", "content-length"})


class LifeOver(InvalidRequest):
    """The connection has reached its age; the word is OpenAI's, and clients know what to do: connect again."""

    code = "websocket_connection_limit_reached"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"This WebSocket is older than {seconds:g} seconds. Open a new one and send the whole input.")


class QueueFull(GatewayError):
    """More requests wait for their turn than a connection may hold."""

    status, code, source = 429, "websocket_queue_full", "client"


class ConnectionsFull(GatewayError):
    """As many connections as the settings allow are open."""

    status, code = 503, "websocket_connections_full"


def error_event(error: GatewayError, lane: str | None = None) -> Json:
    """The error as HTTP would answer it: status, object, and the headers that advise on a retry.

    `lane`: the mark of a request that has no sink to put it into the answer.
    """
    status, headers, body = render_error(error)
    told = json.loads(body)["error"]
    event: Json = {
        "type": "error",
        "status": status,
        # Never null: the schema of Open Responses wants text.
        "error": {**told, "code": told.get("code") or told.get("type") or error.type},
    }
    advice = {name.decode(): value.decode("latin-1") for name, value in headers}
    advice = {name: value for name, value in advice.items() if name not in _ABOUT_THE_BODY}
    if advice:
        event["headers"] = advice
    if lane is not None:
        event["stream_id"] = lane
    return event


def steer_failed(event: Json) -> Json:
    """The answer to `response.steer`: no upstream here takes input into a running response."""
    return {
        "type": "response.steer.failed",
        "sequence_number": 0,
        "error": {
            "type": "invalid_request_error",
            "code": "steering_not_supported",
            "message": "This gateway does not steer running responses. Send the input with the next response.create.",
        },
        "steer": {name: event.get(name) for name in ("previous_response_id", "input")},
    }


def warm_up(document: Json, *, seed: str, created: int) -> list[Json]:
    """The events of a response without output: what `generate: false` asks for."""
    base: Json = {"id": derive("resp", seed), "object": "response", "created_at": created, "model": document["model"]}
    echo = request_echo(document)
    begun = complete_response({**base, "status": "in_progress", "output": []}, echo)
    done = {"status": "completed", "completed_at": created, "output": [], "usage": usage.complete({})}
    return [
        {"type": "response.created", "sequence_number": 0, "response": begun},
        {"type": "response.completed", "sequence_number": 1, "response": complete_response({**base, **done}, echo)},
    ]
