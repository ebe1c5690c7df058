"""A finished response → a `text_completion` (translation §6.2); several of them → one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from gateway.core import json
from gateway.core.outcome import ending
from gateway.core.prose import objects
from gateway.core.response import completion_id, created_at
from gateway.core.usage import chat_usage
from gateway.dialects.completions.text import Text, joined_logprobs
from gateway.dialects.completions.wishes import Wishes

Json = dict[str, Any]

PREFIX = "cmpl-"


def encode_response(response: Json, wishes: Wishes) -> bytes:
    """The JSON body for a response whose status is completed or incomplete."""
    answer: Json = {
        "id": completion_id(PREFIX, response, wishes.model),
        "object": "text_completion",
        "created": created_at(response, 0),
        "model": response.get("model") or wishes.model,
        "choices": [_choice(response, wishes)],
    }
    usage = chat_usage(response.get("usage"))
    if usage is not None:
        answer["usage"] = usage
    return json.dumps(answer)


def join(bodies: Sequence[bytes]) -> bytes:
    """One completion from those of each prompt: choices in their order, token counts added up.

    Where the counts of one prompt are not known, none are told: a part of them would look like all.
    """
    answers: list[Json] = [json.loads(body) for body in bodies]
    whole = {**answers[0], "choices": [choice for answer in answers for choice in answer["choices"]]}
    whole.pop("usage", None)
    if all("usage" in answer for answer in answers):
        whole["usage"] = reduce(_sum, (answer["usage"] for answer in answers))
    return json.dumps(whole)


def _choice(response: Json, wishes: Wishes) -> Json:
    pieces: list[str] = [wishes.echo]
    logprobs: list[Json] = []

    def emit(piece: str, tokens: Json | None) -> None:
        pieces.append(piece)
        if tokens is not None:
            logprobs.append(tokens)

    prose = Text(wishes, emit).prose
    for index, item in objects(response.get("output")):
        prose.item(index, item)
        if prose.stopped:
            break
    prose.close()
    return {
        "text": "".join(pieces),
        "index": wishes.index,
        "logprobs": joined_logprobs(logprobs),
        "finish_reason": "stop" if prose.stopped else ending(response),
    }


def _sum(left: Json, right: Json) -> Json:
    """Two usage objects of the same form, added up."""
    return {
        name: _sum(count, right[name]) if isinstance(count, dict) else count + right[name]
        for name, count in left.items()
    }
