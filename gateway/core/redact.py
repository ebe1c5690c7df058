"""What an upstream's error text must not carry to a client: credentials, whose account it was (translation §8.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.core.frames import Frame
from gateway.errors import GatewayError, UpstreamRefusal

Json = dict[str, Any]

SHORTEST_SECRET = 8
"""A shorter literal is a dummy key (`none`, `ollama`), and taking it out would only maim texts."""

_ERROR = b'"error"'
"""Where this is not, no error is told: quotes inside texts are escaped, so it is a key or a type."""

_SHAPES = (
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?"), "[token]"),
    (re.compile(r"\b(?:sk|rt|at|sess)[-_][\w.*-]{6,}"), "[token]"),
    (re.compile(r"(?i)\bbearer\s+[\w.~+/=-]{6,}"), "Bearer [token]"),
    (re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+"), "[e-mail]"),
    (re.compile(r"\b(?:org|acct|account|user|proj|ws|workspace)[-_](?=\w*\d)[A-Za-z0-9]{8,}\b"), "[account]"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "[id]"),
    (
        re.compile(r"(?i)\b(in organization|for organization|workspace named)\s+(?!\[)[^\s,.]+(?=\s+on\b|[\s,.])"),
        r"\1 [organization]",
    ),
)


def redact(text: str) -> str:
    """The text without tokens, e-mail addresses, account ids and names of organisations, known by their shape."""
    for pattern, stand_in in _SHAPES:
        text = pattern.sub(stand_in, text)
    return text


class Redaction:
    """Takes shapes and the given literals out of errors. Everything else passes as the same object."""

    __slots__ = ("_given",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._given = [*secrets]

    def know(self, secrets: Iterable[str]) -> None:
        """Take these literals out too, from now on."""
        self._given += secrets

    def text(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets():
            text = text.replace(secret, "[secret]")
        return redact(text)

    def _secrets(self) -> list[str]:
        """Looked at when an error is told, which is seldom."""
        return [secret for secret in self._given if len(secret) >= SHORTEST_SECRET]

    def error(self, error: GatewayError) -> GatewayError:
        """The same error, its texts redacted; a body that holds a secret is not relayed byte for byte."""
        error.message, error.detail = self.text(error.message), self.text(error.detail)
        if isinstance(error, UpstreamRefusal) and error.body is not None:
            body = error.body.decode("utf-8", "replace")
            if any(secret in body for secret in self._secrets()):
                error.body = None
        return error

    def frames(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """The frames, those that tell a failure redacted. Those of several events tell none (`core.deltas`)."""
        for frame in frames:
            if frame.count == 1 and frame.raw.rfind(_ERROR) >= 0:  # from behind is faster where it is not
                return [self._frame(frame) if frame.count == 1 else frame for frame in frames]
        return frames

    def _frame(self, frame: Frame) -> Frame:
        if frame.raw.rfind(_ERROR) < 0:
            return frame
        try:
            data = frame.data
        except ValueError:
            return frame
        clean = self._told(data)
        response = data.get("response")
        if isinstance(response, dict):
            clean["response"] = self._told(response)
        return frame if clean == data else frame.telling(clean)

    def _told(self, holder: Json) -> Json:
        """A copy of an object whose `error`, or whose own `message`, is redacted."""
        return {**holder, **{name: self._clean(holder[name]) for name in ("error", "message") if name in holder}}

    def _clean(self, value: Any) -> Any:
        """The value with all its texts redacted, however deep they stand: vendors nest what their own servers said."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._clean(entry) for entry in value]
        return {key: self._clean(entry) for key, entry in value.items()} if isinstance(value, dict) else value
