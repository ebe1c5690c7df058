"""Wire formats: a folder each, pure translators to and from the inner language (Responses requests and frames).

A dialect is a `Dialect`: it decodes a request into an `Exchange`, which remembers what that one client asked for
and encodes whatever comes back. No dialect imports another; what two share lives in `core`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gateway.core.frames import Frame
from gateway.core.request import Request
from gateway.errors import GatewayError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choices:
    """What the operator decided about translation.

    `unsupported`: parameters that cannot be honoured are reported in a header (default), refused (strict) or, even
    when refusing is the default, reported (lenient). `reasoning`: how chat answers carry reasoning text.
    """

    unsupported: Literal["default", "strict", "lenient"] = "default"
    reasoning: Literal["reasoning_content", "reasoning", "think", "hide"] = "reasoning_content"
    custom_calls: Literal["as-function", "native"] = "as-function"


class StreamEncoder(Protocol):
    """Frames in, bytes for the client out. One instance a stream; never used again after `finished`."""

    finished: bool
    """True once the last byte the client needs was returned: the upstream call can be ended."""

    def feed(self, frames: Sequence[Frame]) -> bytes:
        """The bytes for the frames of one upstream read, in one piece; may be empty."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """An error in the dialect's in-stream form, then the end of the stream. It never looks complete."""
        ...

    def keep_alive(self, silent_seconds: float) -> bytes:
        """What to send when nothing was sent for so long: an SSE comment, or a harmless repeated event."""
        ...


class Exchange(Protocol):
    """One request and the encoding of its answer."""

    request: Request

    def encode_response(self, response: Json) -> bytes:
        """The JSON body for a finished inner Response object (status completed or incomplete)."""
        ...

    def stream_encoder(self, created: int) -> StreamEncoder:
        """An encoder for this exchange's stream. `created`: Unix seconds, used when the upstream tells none."""
        ...

    def client_param(self, param: str | None) -> str | None:
        """The client's name for a field of the inner request (`max_output_tokens` → `max_completion_tokens`)."""
        ...

    def headers(self) -> dict[str, str]:
        """Extra response headers of this dialect."""
        ...


class Relay(Protocol):
    """A stream of the client's own dialect on its way through: passed on as it is, and watched."""

    usage: Json | None
    finished: bool
    """The server has said its last word."""

    def feed(self, frames: Sequence[Frame]) -> bytes:
        """The bytes for the client, in one piece; what the gateway asked for on its own account is taken out."""
        ...

    def finish(self) -> bytes:
        """What is owed at the end of the upstream's stream: nothing, or the error of a cut stream."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """The error in the dialect's in-stream form, then the end of the stream."""
        ...


@dataclass(frozen=True, slots=True)
class Relayed:
    """How a request goes on to a server that speaks the client's own dialect.

    `body`: the document with the edits the gateway needs; None when the client's bytes can go as they are.
    Exactly one of the others is set: `relay` watches native chunks; `exchange` serves the inner language's own dialect,
    whose frames need no translation.
    """

    body: Json | None
    relay: Relay | None = None
    exchange: Exchange | None = None


class Inlet(Protocol):
    """A foreign stream on its way in: frames of a server's dialect become frames of the inner language."""

    def feed(self, frames: Sequence[Frame]) -> list[Frame]:
        """The inner frames for the server's frames of one read. Failures are told in them, never raised."""
        ...

    def finish(self) -> list[Frame]:
        """The inner frames still owed when the server's stream is over; nothing after a terminal one went out."""
        ...


class Outbound(Protocol):
    """A request put into the dialect of a server that does not speak the inner language, and the reading of its answer.

    `seed` makes the ids of what is read; `created` (Unix seconds) is used where the server tells no time.
    """

    body: Json
    dropped: tuple[str, ...]
    """Inner fields that the server cannot honour and that were left out."""

    def response(self, document: Json, *, seed: str, created: int) -> Json:
        """The inner Response object of a JSON answer; its status may be failed."""
        ...

    def inlet(self, *, seed: str, created: int) -> Inlet:
        """The reader of a streamed answer."""
        ...


class Dialect(Protocol):
    """A wire format that clients speak."""

    name: str

    def relay(self, document: Json, model: str | None) -> Relayed | None:
        """How to pass a request on natively; None when it has to be translated. `model` replaces the client's."""
        ...

    def decode(self, document: Json, choices: Choices) -> Exchange:
        """Translate a parsed request body.

        Raises InvalidRequest, UnsupportedParameter or UnsupportedValue, naming the field in `param`.
        """
        ...
