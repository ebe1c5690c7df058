"""What the upstream of `make bench` answers: the bytes of a JSON answer, and the events of a stream.

The sizes are those of real servers: a delta is an event of 250 to 300 bytes, and no two are the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.places import PLACES, Place

Json = dict[str, Any]

USAGE = {"prompt_tokens": 600, "completion_tokens": 200, "total_tokens": 800}
_CHAT_ID = "chatcmpl-BenchAbCdEfGhIjKlMnOpQrStUvW"
_MESSAGE_ID = "msg_0b1e2n3c4h5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718"


def dump(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def chat_answer(model: str) -> bytes:
    """A chat completion of about 1 KB."""
    message = {"role": "assistant", "content": "An answer of some length. " * 28}
    return dump(
        {
            "id": _CHAT_ID,
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": USAGE,
        }
    )


def chat_stream(model: str, texts: list[str]) -> list[bytes]:
    """The role, a chunk for each text, the finish, the usage and the end."""

    def chunk(**rest: Any) -> bytes:
        head = {"id": _CHAT_ID, "object": "chat.completion.chunk", "created": 1_700_000_000}
        body = {**head, "model": model, "service_tier": "default", "system_fingerprint": "fp_0123456789abcdef", **rest}
        return b"data: " + dump(body) + b"\n\n"

    def choice(delta: Json, finish: str | None = None) -> list[Json]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]

    return [
        chunk(choices=choice({"role": "assistant", "content": ""})),
        *(chunk(choices=choice({"content": text})) for text in texts),
        chunk(choices=choice({}, "stop")),
        chunk(choices=[], usage=USAGE),
        b"data: [DONE]\n\n",
    ]


def responses_stream(model: str, texts: list[str]) -> list[bytes]:
    """One message of so many text deltas, in the events and the order of the Responses API; the text is told again in
    the four events that end it."""
    text = "".join(texts)
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    item = {"id": _MESSAGE_ID, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    done_part = {**part, "text": text}
    done_item = {**item, "status": "completed", "content": [done_part]}
    response = {
        "id": "resp_0b1e2n3c4h5f60718293a4b5c6d7e8f90a1b2c3d4e5f6071",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "in_progress",
        "model": model,
        "output": [],
    }
    usage = {
        "input_tokens": 600,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 200,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 800,
    }
    where = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    delta = {**where, "logprobs": [], "obfuscation": "AbCdEf"}
    events: list[Json] = [
        {"type": "response.created", "response": response},
        {"type": "response.in_progress", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **where, "part": part},
        *({"type": "response.output_text.delta", **delta, "delta": text} for text in texts),
        {"type": "response.output_text.done", **where, "logprobs": [], "text": text},
        {"type": "response.content_part.done", **where, "part": done_part},
        {"type": "response.output_item.done", "output_index": 0, "item": done_item},
        {
            "type": "response.completed",
            "response": {**response, "status": "completed", "output": [done_item], "usage": usage},
        },
    ]
    return [
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), dump({**event, "sequence_number": number}))
        for number, event in enumerate(events)
    ]


def stream(place: Place) -> list[bytes]:
    """The events of a place's stream."""
    if place.text_bytes:
        sentence = f"A long event at {place.name}. "
        texts = [(sentence * (place.text_bytes // len(sentence) + 1))[: place.text_bytes]] * place.deltas
    else:
        texts = [f" word {number}" for number in range(place.deltas)]
    return (chat_stream if place.dialect == "chat" else responses_stream)(place.name, texts)


def write_files(root: Path) -> None:
    """The JSON answers, as the files of nginx: one for each place that has one, below its route."""
    for place in PLACES.values():
        if not place.deltas:
            path = root / place.name / place.route.lstrip("/")
            path.parent.mkdir(parents=True)
            path.write_bytes(chat_answer(place.name))
