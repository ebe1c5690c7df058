"""Native relay: a client of chat or legacy completions in front of a server that speaks the same (design §2).

Its chunk streams are watched, not translated.
"""

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


class ChunkRelay:
    """A `Relay`: passes a server's chunk stream on as bytes.

    A frame is parsed only when its bytes name `usage`, `error` or a finish reason. Quotes inside texts are escaped, so
    the searched bytes can only be keys.
    """

    def __init__(self, *, include_usage: bool, choices: int = 1) -> None:
        """`include_usage`: the client asked for the usage chunk; else it is taken out when the gateway asked.

        `choices`: how many answers there will be. The stream is whole when each has told its finish reason.
        """
        self.finished = False
        self.usage: Json | None = None
        """The server's last token counts, in its own form."""
        self.error: Json | None = None
        """The error object of a stream that failed."""
        self._include_usage = include_usage
        self._choices = choices
        self._told: set[str] = set()
        self._passed = False
        """A chunk went through."""

    def feed(self, frames: Sequence[Frame]) -> bytes:
        """The bytes for the frames of one upstream read."""
        out: list[bytes] = []
        for frame in frames:
            if self.finished:
                break
            out.append(self._pass(frame))
        return b"".join(out)

    def shows_output(self, frame: Frame) -> bool:
        """Whether a frame has more in it than the beginning of an answer, which some servers send before they fail."""
        choices = _object(frame).get("choices")
        if not isinstance(choices, list) or not choices:
            return frame.payload == b"[DONE]"
        return any(_says_something(choice) for choice in choices)

    def finish(self) -> bytes:
        """The server closed its stream: b"" after a whole answer, the end mark if it left only that out.

        An answer without a finish reason and without an end mark was cut: the client gets an error, then the end.
        """
        if self.finished:
            return b""
        if len(self._told) >= self._choices:
            self.finished = True
            return END
        return self.fail(StreamTruncated("The upstream's stream ended before its answer was complete."))

    def fail(self, error: GatewayError) -> bytes:
        """The error frame, then the end."""
        return b"" if self.finished else self._abort(error.error_object())

    def _pass(self, frame: Frame) -> bytes:
        payload = frame.payload
        if payload == b"[DONE]":
            return self._end(frame)
        if (b'"error"' in payload or frame.event == "error") and (error := _error_in(frame)):
            if error is not _object(frame).get("error") or frame.event:
                return self._abort(error)
            self.error = error
            self.finished = True
            return frame.raw + END
        if any(mark in payload for mark in _FINISHED):
            self._told |= _finished(_object(frame))
        if b'"usage"' in payload and not any(mark in payload for mark in _NO_USAGE):
            chunk = _object(frame)
            usage = chunk.get("usage")
            if isinstance(usage, dict):
                self.usage = usage
                if chunk.get("choices") == [] and not self._include_usage:
                    return b""
        self._passed = True
        return frame.raw

    def _end(self, frame: Frame) -> bytes:
        """The end mark. It is believed of a server that tells no finish reasons at all, once it has said something."""
        if len(self._told) < self._choices and (self._told or not self._passed):
            return self.fail(StreamTruncated("The upstream ended its stream before its answer was complete."))
        self.finished = True
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


def answers(document: Json) -> int:
    """How many answers this body asks a server for, to each of its prompts."""
    count = document.get("n")
    return count if isinstance(count, int) and count > 0 else 1


def _says_something(choice: Any) -> bool:
    if not isinstance(choice, dict) or choice.get("finish_reason") or choice.get("text"):
        return True
    delta = choice.get("delta")
    return not isinstance(delta, dict) or any(value for name, value in delta.items() if name != "role")


def _error_in(frame: Frame) -> Json | None:
    """The error that a frame tells: the server's own object, or one around its words.

    SDKs raise on the envelope only; a bare text, or an error in another form, they hand to the program as a chunk.
    """
    told = _object(frame)
    error = told.get("error")
    if isinstance(error, dict):
        return error
    if not error and frame.event != "error" and told.get("object") != "error":
        return None
    message = error or told.get("message") or "The upstream reported an error."
    return {"message": str(message), "type": "server_error", "param": None, "code": "upstream_error"}


def _finished(chunk: Json) -> set[str]:
    """The indexes of the answers that end in this chunk."""
    choices = chunk.get("choices")
    ended = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    return {str(choice.get("index")) for choice in ended if choice.get("finish_reason")}


def _object(frame: Frame) -> Json:
    """The parsed chunk; empty when the server sent something else."""
    try:
        return frame.data
    except ValueError:
        return {}
