"""A chat server's JSON answer → a finished response (translation §5.6): read as a stream of one chunk."""

from __future__ import annotations

import sys
from typing import Any

from gateway.core.frames import DONE, Frame
from gateway.dialects.chat.outbound.inlet import ChatInlet
from gateway.dialects.chat.outbound.quirks import Quirks
from gateway.dialects.chat.outbound.reading import objects
from gateway.dialects.chat.outbound.toolmap import ToolMap

Json = dict[str, Any]

_END = Frame(b"data: [DONE]\n\n", DONE.encode(), "")


def read_response(document: Json, *, tools: ToolMap, quirks: Quirks, echo_body: Json, seed: str, created: int) -> Json:
    """The whole Response object. Its status may be failed; then `error` says why.

    `echo_body`: the inner request. `created`: Unix seconds, where the server tells none.
    """
    inlet = ChatInlet(
        tools=tools,
        quirks=quirks,
        echo_body=echo_body,
        seed=seed,
        created=created,
        open_bytes=sys.maxsize,  # the answer was bounded when it was read
    )
    response: Json = inlet.feed([Frame.of(_chunk(document)), _END])[-1].data["response"]
    return response


def _chunk(document: Json) -> Json:
    """The answer in the form of a chunk."""
    choices = objects(document.get("choices"))
    if not choices:
        told = document.get("error") or document.get("object") == "error"
        return document if told else {"error": {"message": "The upstream's answer has no choices."}}
    return {**document, "choices": [{**choices[0], "index": 0}]}
