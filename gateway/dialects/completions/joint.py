"""What the choices of one stream have in common: the head of every chunk, the token counts, and the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.core import json, usage
from gateway.core.response import completion_id, created_at
from gateway.dialects.completions.response import PREFIX, join
from gateway.dialects.completions.wishes import Wishes
from gateway.errors import GatewayError
from gateway.wire.sse import END

Json = dict[str, Any]


class Joint:
    """One stream of one or several choices, each of a turn of its own; the `Joint` of a bundle.

    Whoever speaks first names id, time and model for all; whoever ends last ends the stream; a failure ends it for all.
    """

    def __init__(self, choices: int, *, include_usage: bool) -> None:
        self.finished = False
        self.failed = False
        self._head = b""
        self._open = choices
        self._include_usage = include_usage
        self._usage: Json | None = None
        self._uncounted = False

    def head(self, response: Json, wishes: Wishes, created: int) -> bytes:
        """The beginning of every chunk. `created`: Unix seconds, used when the response tells none."""
        if not self._head:
            skeleton: Json = {
                "id": completion_id(PREFIX, response, wishes.model),
                "object": "text_completion",
                "created": created_at(response, created),
                "model": response.get("model") or wishes.model,
            }
            self._head = b"data: " + json.dumps(skeleton)[:-1] + b',"choices":['
        return self._head

    def close(self, counted: object) -> bytes:
        """A choice has told its finish reason. `counted`: its inner usage.

        Returns what is owed after the last choice: the usage of all, if it was asked for and is known, and the end.
        """
        told = usage.complete(counted)
        self._uncounted = self._uncounted or told is None
        self._usage = usage.add(self._usage, told)
        self._open -= 1
        if self._open:
            return b""
        self.finished = True
        if not self._include_usage or self._uncounted:
            return END
        return self._head + b'],"usage":' + json.dumps(usage.chat_usage(self._usage)) + b"}\n\n" + END

    def abort(self, error: Json) -> bytes:
        """The error frame, then the end; nothing when the stream has ended."""
        if self.finished:
            return b""
        self.finished = self.failed = True
        return b"data: " + json.dumps({"error": error}) + b"\n\n" + END

    def fail(self, error: GatewayError) -> bytes:
        """The same for an error of ours."""
        return self.abort(error.error_object())

    def join(self, bodies: Sequence[bytes]) -> bytes:
        """The one JSON answer, from those of each choice in their order."""
        return join(bodies)
