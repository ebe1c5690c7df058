"""Native relay: a chat client in front of a chat server. Watched, not translated (design §2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.core import json
from gateway.core.frames import Frame
from gateway.errors import GatewayError, StreamTruncated
from gateway.wire.sse import END

Json = dict[str, Any]

_FINISHED = (b'"finish_reason":"', b'"finish_reason": "')
_NO_USAGE = (b'"usage":null', b'"usage": null')


class ChatRelay:
    """A `Relay`: passes a server's chunk stream on as bytes.

    A frame is parsed only when its bytes name `usage` or `error`. Quotes inside texts are escaped, so the searched
    bytes can only be keys.
    """

    def __init__(self, *, include_usage: bool) -> None:
        """`include_usage`: the client asked for the usage chunk; else it is taken out when the gateway asked."""
        self.finished = False
        self.usage: Json | None = None
        """The server's last token counts, in its own (chat) form."""
        self.error: Json | None = None
        """The error object of a stream that failed."""
        self._include_usage = include_usage
        self._answered = False

    def feed(self, frames: Sequence[Frame]) -> bytes:
        """The bytes for the frames of one upstream read."""
        out: list[bytes] = []
        for frame in frames:
            if self.finished:
                break
            out.append(self._pass(frame))
        return b"".join(out)

    def finish(self) -> bytes:
        """The server closed its stream: b"" after a whole answer, the end mark if it left only that out.

        An answer without a finish reason and without an end mark was cut: the client gets an error, then the end.
        """
        if self.finished:
            return b""
        if self._answered:
            self.finished = True
            return END
        return self.fail(StreamTruncated("The upstream's stream ended before its answer was complete."))

    def fail(self, error: GatewayError) -> bytes:
        """The error frame, then the end."""
        return b"" if self.finished else self._abort(error.error_object())

    def _pass(self, frame: Frame) -> bytes:
        payload = frame.payload
        if payload == b"[DONE]":
            self.finished = True
            return frame.raw
        if b'"error"' in payload and (error := _object(frame).get("error")):
            if isinstance(error, dict):
                self.error = error
                self.finished = True
                return frame.raw + END
            # SDKs raise on objects only; a bare text they hand to the program as if it were a chunk.
            return self._abort({"message": str(error), "type": "server_error", "param": None, "code": "upstream_error"})
        if any(mark in payload for mark in _FINISHED):
            self._answered = True
        if b'"usage"' in payload and not any(mark in payload for mark in _NO_USAGE):
            chunk = _object(frame)
            usage = chunk.get("usage")
            if isinstance(usage, dict):
                self.usage = usage
                if chunk.get("choices") == [] and not self._include_usage:
                    return b""
        return frame.raw

    def _abort(self, error: Json) -> bytes:
        self.error = error
        self.finished = True
        return b"data: " + json.dumps({"error": error}) + b"\n\n" + END


def prepare(document: Json, *, model: str | None) -> Json | None:
    """The body for the server, or None when the client's own bytes can be sent.

    `model`: the server's name of the model, None when it is what the client said. A stream's tokens are counted by the
    server also when the client did not ask for it.
    """
    edits: Json = {}
    if model is not None and model != document.get("model"):
        edits["model"] = model
    if document.get("stream") is True:
        options = document.get("stream_options")
        options = options if isinstance(options, dict) else {}
        if options.get("include_usage") is not True:
            edits["stream_options"] = {**options, "include_usage": True}
    return {**document, **edits} if edits else None


def _object(frame: Frame) -> Json:
    """The parsed chunk; empty when the server sent something else."""
    try:
        return frame.data
    except ValueError:
        return {}
