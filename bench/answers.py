"""What the upstream of `make bench` answers and what is asked of it: the bytes of both, made once.

Every place is a directory below the upstream's address, and the name of the model that the gateway runs there, so that
one upstream and one gateway serve every kind of work and no body is changed on its way.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]

KEY = "sk-gw-bench-0123456789abcdef0123456789abcdef"
PLACES: dict[str, tuple[str, str]] = {
    "json": ("/v1/chat/completions", "application/json"),
    "kept": ("/v1/chat/completions", "application/json"),
    "burst200": ("/v1/chat/completions", "text/event-stream"),
    "inner200": ("/v1/responses", "text/event-stream"),
    "inner2000": ("/v1/responses", "text/event-stream"),
    "paced": ("/v1/chat/completions", "text/event-stream"),
    "pacedinner": ("/v1/responses", "text/event-stream"),
}
"""Place: the route that the server there has, and the type of its answer."""

PACED = ("paced", "pacedinner")
"""Places whose streams `bench/paced.py` writes; the answers of all others are files."""

USAGE = {"prompt_tokens": 600, "completion_tokens": 200, "total_tokens": 800}


def _dump(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def chat_answer(model: str) -> bytes:
    """A chat completion of about 1 KB."""
    message = {"role": "assistant", "content": "An answer of some length. " * 28}
    return _dump(
        {
            "id": "chatcmpl-bench0123456789",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": USAGE,
        }
    )


def chat_stream(model: str, deltas: int) -> bytes:
    """Chunks of about 250 bytes, numbered so that no two are the same, the usage and the end."""

    def chunk(**rest: Any) -> bytes:
        head = {"id": "chatcmpl-bench0123456789", "object": "chat.completion.chunk", "created": 1_700_000_000}
        body = {**head, "model": model, "system_fingerprint": "fp_0123456789abcdef", **rest}
        return b"data: " + _dump(body) + b"\n\n"

    def choice(delta: Json, finish: str | None = None) -> list[Json]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]

    parts = [chunk(choices=choice({"role": "assistant", "content": ""}))]
    parts += [chunk(choices=choice({"content": f" word {n}"})) for n in range(deltas)]
    parts += [chunk(choices=choice({}, "stop")), chunk(choices=[], usage=USAGE), b"data: [DONE]\n\n"]
    return b"".join(parts)


def responses_stream(model: str, deltas: int) -> bytes:
    """One message of so many text deltas, in the events and the order of the Responses API."""
    text = "".join(f" word {n}" for n in range(deltas))
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    item = {"id": "msg_bench0123456789", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    done_part = {**part, "text": text}
    done_item = {**item, "status": "completed", "content": [done_part]}
    response = {
        "id": "resp_bench0123456789",
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
    delta = {**where, "logprobs": [], "obfuscation": "0123456789abcdef"}
    events: list[Json] = [
        {"type": "response.created", "response": response},
        {"type": "response.in_progress", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **where, "part": part},
        *({"type": "response.output_text.delta", **delta, "delta": f" word {n}"} for n in range(deltas)),
        {"type": "response.output_text.done", **where, "logprobs": [], "text": text},
        {"type": "response.content_part.done", **where, "part": done_part},
        {"type": "response.output_item.done", "output_index": 0, "item": done_item},
        {
            "type": "response.completed",
            "response": {**response, "status": "completed", "output": [done_item], "usage": usage},
        },
    ]
    lines = (
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), _dump({**event, "sequence_number": number}))
        for number, event in enumerate(events)
    )
    return b"".join(lines)


def write_answers(root: Path) -> None:
    """The upstream's files: one for each place that has one, below its route."""
    answers = {
        "json": chat_answer("json"),
        "kept": chat_answer("kept"),
        "burst200": chat_stream("burst200", 200),
        "inner200": responses_stream("inner200", 200),
        "inner2000": responses_stream("inner2000", 2000),
    }
    for place, answer in answers.items():
        path = root / place / PLACES[place][0].lstrip("/")
        path.parent.mkdir(parents=True)
        path.write_bytes(answer)


def chat_request(model: str, *, stream: bool = False, size: int = 2800) -> bytes:
    """A chat request of about `size` bytes: a system message, a few turns, the long one last."""
    turns = [
        {"role": "system", "content": "Answer briefly and to the point."},
        {"role": "user", "content": "What is a gateway?"},
        {"role": "assistant", "content": "A door between networks."},
    ]
    filler = "Some words of a question that is as long as it has to be. "
    turns.append({"role": "user", "content": filler * max(1, (size - 400) // len(filler))})
    body: Json = {"model": model, "messages": turns, "temperature": 0.7, "stream": stream}
    return _dump(body)


def responses_request(model: str, *, store: bool) -> bytes:
    """The same length of request in the Responses dialect."""
    filler = "Some words of a question that is as long as it has to be. "
    return _dump({"model": model, "instructions": "Answer briefly.", "input": filler * 44, "store": store})
