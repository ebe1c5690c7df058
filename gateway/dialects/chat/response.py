"""A finished response → a `chat.completion` (translation §2)."""

from __future__ import annotations

from typing import Any

from gateway.core import json
from gateway.core.prose import Prose, objects
from gateway.core.response import completion_id, created_at
from gateway.core.usage import chat_usage
from gateway.dialects.chat.calls import call_kind, whole_call
from gateway.dialects.chat.outcome import finish_reason
from gateway.dialects.chat.wishes import Wishes

Json = dict[str, Any]

PREFIX = "chatcmpl-"


def encode_response(response: Json, wishes: Wishes) -> bytes:
    """The JSON body for a response whose status is completed or incomplete."""
    return json.dumps(completion(response, wishes))


def completion(response: Json, wishes: Wishes) -> Json:
    """The `chat.completion` for a response whose status is completed or incomplete."""
    message, logprobs, stopped = _message(response, wishes)
    calls = "tool_calls" in message or "function_call" in message
    answer: Json = {
        "id": completion_id(PREFIX, response, wishes.model),
        "object": "chat.completion",
        "created": created_at(response, 0),
        "model": response.get("model") or wishes.model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": {"content": logprobs, "refusal": None} if logprobs else None,
                "finish_reason": finish_reason(response, wishes, calls=calls, stopped=stopped),
            }
        ],
    }
    usage = chat_usage(response.get("usage"))
    if usage is not None:
        answer["usage"] = usage
    tier = service_tier(response)
    if tier is not None:
        answer["service_tier"] = tier
    answer["system_fingerprint"] = None
    if wishes.metadata is not None:
        answer["metadata"] = wishes.metadata
    if response.get("moderation") is not None:
        answer["moderation"] = response["moderation"]
    return answer


def _message(response: Json, wishes: Wishes) -> tuple[Json, list[Json], bool]:
    """The message, its logprobs, and whether a stop string cut it."""
    said: dict[str, list[str]] = {"content": [], "refusal": []}
    logprobs: list[Json] = []

    def emit(field: str, text: str, tokens: list[Json] | None) -> None:
        said.setdefault(field, []).append(text)
        logprobs.extend(chat_logprobs(tokens or []))

    prose = Prose(wishes, emit)
    calls: list[Json] = []
    answer_id = str(response.get("id") or "")
    for index, item in objects(response.get("output")):
        if kind := call_kind(item):
            prose.close_tag()
            calls.append(whole_call(item, kind, wishes, answer_id, index))
        else:
            prose.item(index, item)
        if prose.stopped:
            break
    prose.close()

    text, refusal = "".join(said.pop("content")), "".join(said.pop("refusal"))
    message: Json = {
        "role": "assistant",
        "content": None if not text and (calls or refusal) else text,
        "refusal": refusal or None,
        "annotations": prose.annotations(),
        **{field: "".join(pieces) for field, pieces in said.items()},
    }
    if calls and wishes.legacy_functions:
        message["function_call"] = calls[0]["function"]
    elif calls:
        message["tool_calls"] = calls
    return message, logprobs, prose.stopped


def service_tier(response: Json) -> str | None:
    """The tier in a word that chat knows."""
    tier = response.get("service_tier")
    return ("priority" if tier == "ultrafast" else tier) if isinstance(tier, str) else None


def chat_logprobs(tokens: list[Json]) -> list[Json]:
    """Token logprobs with the `bytes` and `top_logprobs` that chat promises; stream deltas leave them out."""
    return [
        {**_token(token), "top_logprobs": [_token(top) for _, top in objects(token.get("top_logprobs"))]}
        for token in tokens
    ]


def _token(token: Json) -> Json:
    text = str(token.get("token") or "")
    known = token.get("bytes")
    return {
        "token": text,
        "logprob": token.get("logprob") or 0.0,
        "bytes": known if isinstance(known, list) else list(text.encode("utf-8", "surrogatepass")),
    }
