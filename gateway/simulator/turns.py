"""Runs one turn: request and script → the answer of a Responses route, streamed or as one document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.simulator.answers import answer
from gateway.simulator.asks import Ask
from gateway.simulator.player import Answer, document
from gateway.simulator.scenario import Script
from gateway.simulator.scripts import Beat, Composer, Event, Hold, Raw, Stop

SSE = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


def played(script: Script | None, ask: Ask) -> Script:
    """The script to play: the given one, completed by the default answer where it says nothing about the stream."""
    if script is None:
        return answer(ask)
    return script.over(answer(ask)) if script.steps is None else script


def response_object(body: Mapping[str, Any], number: int, created: int, usage: Mapping[str, Any]) -> dict[str, Any]:
    """A response in progress that echoes its request, with every field that the public API sends."""
    text = dict(body.get("text") or {})
    reasoning = dict(body.get("reasoning") or {})
    return {
        "id": f"resp_{number:032x}",
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": body.get("background") or False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": body.get("max_tool_calls"),
        "model": body.get("model"),
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": "default",
        "store": body.get("store") is not False,
        "temperature": _or(body.get("temperature"), 1.0),
        "text": {
            **text,
            "format": text.get("format") or {"type": "text"},
            "verbosity": text.get("verbosity", "medium"),
        },
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": list(body.get("tools") or ()),
        "top_logprobs": body.get("top_logprobs") or 0,
        "top_p": _or(body.get("top_p"), 1.0),
        "truncation": body.get("truncation") or "disabled",
        "usage": dict(usage),
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
    }


def input_usage(read: int, cached: int) -> dict[str, Any]:
    """The input half of a usage object."""
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read,
    }


def streamed(composer: Composer, script: Script) -> Answer:
    """The turn as server-sent events."""
    return Answer(200, {**SSE, **_headers(script)}, _opened(composer.beats()), script, stream=True)


def whole(composer: Composer, script: Script) -> Answer:
    """The turn as one document, after the pauses of its script. A cut or an empty end breaks off the document."""
    beats = composer.beats()
    reply = document(composer.response)
    held: list[Beat] = [beat for beat in beats if isinstance(beat, Hold)]
    broken: list[Beat] = [Raw(b'{"id"'), Stop(cut=True)] if any(isinstance(beat, Stop) for beat in beats) else []
    if composer.response["status"] == "failed" and composer.response["error"] is not None:
        return failed(composer.response["error"], script)
    return Answer(200, {**reply.headers, **_headers(script)}, [*held, *(broken or reply.beats)], script)


def numbers(start: int = 1) -> Iterator[int]:
    """Item numbers of one simulator."""
    while True:
        yield start
        start += 1


def _opened(beats: list[Beat]) -> list[Beat]:
    """In-progress events show no usage yet; the composer's object carries the input's share from the beginning."""
    shown: list[Beat] = []
    for beat in beats:
        if isinstance(beat, Event) and beat.name in {"response.created", "response.in_progress"}:
            data = {**beat.data, "response": {**beat.data["response"], "usage": None}}
            beat = Event(beat.name, data)  # noqa: PLW2901  the same beat, corrected
        shown.append(beat)
    return shown


def failed(error: Mapping[str, Any], script: Script) -> Answer:
    """The HTTP answer of a turn that fails before anything was sent."""
    statuses = {"rate_limit_exceeded": 429, "insufficient_quota": 429, "usage_limit_reached": 429}
    statuses |= {"server_is_overloaded": 503, "slow_down": 503, "server_error": 500}
    code = error["code"]
    kind = "server_error" if statuses.get(code, 400) >= 500 else "invalid_request_error"
    reply = document({"error": {"type": kind, "param": None, **error}}, statuses.get(code, 400))
    return Answer(reply.status, {**reply.headers, **_headers(script)}, reply.beats, script)


def _headers(script: Script) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in script.headers.items()}


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
