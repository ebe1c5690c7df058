"""The chat dialect on the way out: inner requests for servers that speak chat completions only, and their answers.

Requests go `request` → `options`, `tools`, `history` → `messages`, with `parts` for contents; `toolmap` remembers what
was renamed. Answers come back through `inlet`, JSON ones through `answer`; of chunks of one `form` only the text is
read. What one kind of server wants said differently is in its `quirks`, and nowhere else.
"""

from __future__ import annotations

from typing import Any

from gateway.dialects.chat.outbound.answer import read_response
from gateway.dialects.chat.outbound.inlet import ChatInlet
from gateway.dialects.chat.outbound.params import inner_param
from gateway.dialects.chat.outbound.quirks import GENERIC, Quirks
from gateway.dialects.chat.outbound.request import Encoded, encode
from gateway.dialects.chat.outbound.toolmap import Original, ToolMap

__all__ = ["GENERIC", "ChatOutbound", "Encoded", "Original", "Quirks", "ToolMap", "encode"]

Json = dict[str, Any]


class ChatOutbound:
    """One request to a chat-only server, and the reading of its answer; an `Outbound`."""

    def __init__(self, encoded: Encoded, quirks: Quirks, inner: Json) -> None:
        """`inner`: the request's inner body, which its answer repeats in part."""
        self.body = encoded.body
        self.dropped = encoded.dropped
        self._tools = encoded.tools
        self._quirks = quirks
        self._inner = inner

    def response(self, document: Json, *, seed: str, created: int) -> Json:
        """The inner Response object of a `chat.completion`; its status may be failed."""
        return read_response(
            document, tools=self._tools, quirks=self._quirks, echo_body=self._inner, seed=seed, created=created
        )

    def inlet(self, *, seed: str, created: int, open_bytes: int) -> ChatInlet:
        """The reader of a chunk stream."""
        return ChatInlet(
            tools=self._tools,
            quirks=self._quirks,
            echo_body=self._inner,
            seed=seed,
            created=created,
            open_bytes=open_bytes,
        )

    def inner_param(self, param: str | None) -> str | None:
        """The inner name of a field that the server refused; None when the client sent nothing of the kind."""
        return inner_param(param)
