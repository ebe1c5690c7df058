"""Upstream frames in, client bytes out: the translated way and the native one behind one face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gateway.core.failures import error_of, failure
from gateway.core.frames import DONE, Frame
from gateway.core.repair import Repair
from gateway.dialects import Relay, StreamEncoder
from gateway.errors import GatewayError, StreamTruncated
from gateway.wire.sse import KEEP_ALIVE

Json = dict[str, Any]

_PRELUDE = frozenset(
    {"", "response.created", "response.queued", "response.in_progress", "response.metadata", "keepalive"}
)

_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.done", "response.cancelled"})

PROGRESS_SECONDS = 120.0
"""Codex gives a stream up after 300 s without an event, and comments are none: tell it again that work goes on."""


class Channel(Protocol):
    """One stream on its way to the client."""

    @property
    def finished(self) -> bool:
        """The client has all it needs."""
        ...

    @property
    def ended(self) -> bool:
        """The upstream has said its last word: what is left of its stream is worth nothing."""
        ...

    @property
    def usage(self) -> Json | None:
        """Token counts as the upstream told them."""
        ...

    @property
    def failed(self) -> str:
        """The code of the error that the client was told in the stream; "" when there was none."""
        ...

    def shows_output(self, frame: Frame) -> bool:
        """Whether this frame is worth sending the status line for."""
        ...

    def early_failure(self, frame: Frame) -> GatewayError | None:
        """The failure that this frame tells, as an HTTP error, while the status line can still say so."""
        ...

    def feed(self, frames: Sequence[Frame]) -> bytes: ...

    def end(self) -> bytes:
        """The upstream's stream is over; what is still owed to the client, an error if it was cut."""
        ...

    def fail(self, error: GatewayError) -> bytes: ...

    def keep_alive(self, silent_seconds: float) -> bytes: ...


def truncated() -> StreamTruncated:
    """The error for a stream without its terminal event."""
    return StreamTruncated("The upstream's stream ended before the response was complete.")


class TranslatedChannel:
    """Responses frames, repaired, then encoded for the client's dialect."""

    def __init__(self, repair: Repair, encoder: StreamEncoder, now: float) -> None:
        self.repair = repair
        self._encoder = encoder
        self._now = now
        self._progress_after = PROGRESS_SECONDS

    @property
    def finished(self) -> bool:
        return self._encoder.finished

    @property
    def ended(self) -> bool:
        return self.repair.terminal is not None

    @property
    def usage(self) -> Json | None:
        terminal = self.repair.terminal
        return (terminal.data.get("response") or {}).get("usage") if terminal else None

    @property
    def failed(self) -> str:
        terminal = self.repair.terminal
        return _code((terminal.data.get("response") or {}).get("error")) if terminal else ""

    def shows_output(self, frame: Frame) -> bool:
        return frame.type not in _PRELUDE and not frame.type.startswith("codex.")

    def early_failure(self, frame: Frame) -> GatewayError | None:
        return early_failure(frame, self._now)

    def feed(self, frames: Sequence[Frame]) -> bytes:
        return self.encode(self.repaired(frames))

    def repaired(self, frames: Sequence[Frame]) -> list[Frame]:
        """The first half of `feed`: what the client will be told."""
        self._progress_after = PROGRESS_SECONDS
        return self.repair.feed(frames)

    def encode(self, frames: Sequence[Frame]) -> bytes:
        """The second half of `feed`."""
        return self._encoder.feed(frames)

    def broken(self, error: GatewayError) -> bytes:
        """An error in place of the end that the stream would have had."""
        return self._encoder.fail(error)

    def response(self) -> Json:
        """The response that the terminal frame told."""
        assert self.repair.terminal is not None
        response: Json = self.repair.terminal.data["response"]
        return response

    def end(self) -> bytes:
        return b"" if self.finished else self.fail(truncated())

    def fail(self, error: GatewayError) -> bytes:
        return self._encoder.feed(self.repair.abort(error))

    def keep_alive(self, silent_seconds: float) -> bytes:
        comment = self._encoder.keep_alive(silent_seconds)
        if silent_seconds < self._progress_after:
            return comment
        self._progress_after = silent_seconds + PROGRESS_SECONDS
        return comment + self._encoder.feed(self.repair.in_progress_again())


class NativeChannel:
    """Chunks of the client's own dialect, passed on as they are and watched."""

    def __init__(self, relay: Relay, now: float) -> None:
        self.relay = relay
        self._now = now

    @property
    def finished(self) -> bool:
        return self.relay.finished

    @property
    def ended(self) -> bool:
        return self.relay.finished

    @property
    def usage(self) -> Json | None:
        return self.relay.usage

    @property
    def failed(self) -> str:
        return _code(self.relay.error)

    def shows_output(self, frame: Frame) -> bool:
        return self.relay.shows_output(frame)

    def early_failure(self, frame: Frame) -> GatewayError | None:
        if frame.event == "error" or frame.payload.startswith((b'{"error"', b'{"object":"error"')):
            return failure(_error_of(frame), now=self._now)
        return None

    def feed(self, frames: Sequence[Frame]) -> bytes:
        return self.relay.feed(frames)

    def end(self) -> bytes:
        return self.relay.finish()

    def fail(self, error: GatewayError) -> bytes:
        return self.relay.fail(error)

    def keep_alive(self, silent_seconds: float) -> bytes:
        return KEEP_ALIVE


def early_failure(frame: Frame, now: float) -> GatewayError | None:
    """The HTTP error for a frame that tells a failure; None for any other frame.

    The embedded status counts, whatever the event is called (translation §2.6).
    """
    if frame.type in ("error", "response.failed"):
        return failure(_error_of(frame), now=now)
    if frame.type in _TERMINAL and _status_of(frame) in ("failed", "cancelled"):
        return failure(_error_of(frame), now=now)
    if frame.type == DONE:
        return truncated()
    return None


def _status_of(frame: Frame) -> object:
    try:
        response = frame.data.get("response")
    except ValueError:
        return None
    return response.get("status") if isinstance(response, dict) else None


def _error_of(frame: Frame) -> Json | None:
    """The error object of a frame that tells one; None when proxies cut it beyond reading."""
    try:
        data = frame.data
    except ValueError:
        return None
    response = data.get("response")
    return error_of(response if isinstance(response, dict) else data)


def _code(error: object) -> str:
    """What an error object calls itself."""
    return str(error.get("code") or error.get("type") or "upstream_error") if isinstance(error, dict) else ""
