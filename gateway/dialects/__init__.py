"""Wire formats: a folder each, pure translators to and from the inner language (Responses requests and frames).

A dialect is a `Dialect`: it decodes a request into an `Exchange`, which remembers what that one client asked for
and encodes whatever comes back. No dialect imports another; what two share lives in `core`, or in `relay` where it
needs `wire`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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


class Keepable(Exchange, Protocol):
    """An exchange whose answer can be kept."""

    def kept(self, response: Json) -> Json:
        """The whole response object as it is kept: as this client is shown it."""
        ...

    def not_kept(self) -> None:
        """The answer could not be kept: it must not say that it was."""
        ...


Keeps = Literal["unless_told", "when_told", "never"]
"""Whether the answers of a dialect are kept: unless `store` is false, when it is true, or not at all."""


class Joint(Protocol):
    """The one answer that the exchanges of a bundle share."""

    failed: bool
    """An error was told in the stream, and its end: the other exchanges can be given up."""
    finished: bool
    """The client has all it needs."""

    def join(self, bodies: Sequence[bytes]) -> bytes:
        """One JSON body from those of each exchange, in their order."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """The error in the dialect's in-stream form, then the end of the stream; b"" when it has ended already."""
        ...


@dataclass(frozen=True, slots=True)
class Bundle:
    """A request that takes several turns: an exchange each, which may run side by side; or none, if it needs nobody.

    Their stream encoders know the joint: what they write, in whatever order, is one sound stream, which the last of
    them ends. `headers`: of the one answer, beside those of the exchanges.
    """

    exchanges: tuple[Exchange, ...]
    joint: Joint
    headers: Mapping[str, str] = field(default_factory=dict)


class Relay(Protocol):
    """A stream of the client's own dialect on its way through: passed on as it is, and watched."""

    usage: Json | None
    error: Json | None
    """The error object of a stream that failed."""
    finished: bool
    """The server has said its last word."""

    def opens(self, events: bytes) -> bool:
        """Whether whole events, the first of a stream, surely begin with output. False: `shows_output` says more."""
        ...

    def shows_output(self, frame: Frame) -> bool:
        """Whether a frame is worth telling the client of: from then on a failure is told in the stream."""
        ...

    def join(self, pieces: list[bytes], max_event_bytes: int) -> bytes:
        """A whole stream, in the pieces that its server made of it, as one: what is left of it for the client where
        that is seen at once (`has_joined`), else all of it."""
        ...

    def has_joined(self, stream: bytes) -> bool:
        """Whether this is what `join` has left of a whole stream, which is then over; it has only to be sent."""
        ...

    def pass_on(self, events: bytes, read: Callable[[bytes], Sequence[Frame]]) -> bytes:
        """As `feed`, for the whole events of one read; `read` frames those that must be looked at."""
        ...

    def feed(self, frames: Sequence[Frame]) -> bytes:
        """The bytes for the client, in one piece; what the gateway asked for on its own account is taken out."""
        ...

    def finish(self) -> bytes:
        """What is owed at the end of the upstream's stream: nothing, or the error of a cut stream."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """The error in the dialect's in-stream form, then the end of the stream."""
        ...


@dataclass(slots=True)
class Relayed:
    """How a request goes on to a server that speaks the client's own dialect.

    `body`: the document to send in place of the client's; None when that one goes, its bytes as they are but for the
    fields of `edits`. Exactly one of the others is set: `relay` watches native chunks; `exchange` serves the inner
    language's own dialect, whose frames need no translation.
    """

    body: Json | None = None
    relay: Relay | None = None
    exchange: Exchange | None = None
    edits: Json = field(default_factory=dict)


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

    def inlet(self, *, seed: str, created: int, open_bytes: int) -> Inlet:
        """The reader of a streamed answer. `open_bytes` bounds what it keeps of items that are not done."""
        ...

    def inner_param(self, param: str | None) -> str | None:
        """The inner name of a field that the server refused; None when the client sent nothing of the kind."""
        ...


class Dialect(Protocol):
    """A wire format that clients speak."""

    name: str
    keeps: Keeps
    continues: bool
    """Its requests may name what they go on from: `previous_response_id`, `conversation`."""

    def relay(self, document: Json, model: str | None) -> Relayed | None:
        """How to pass a request on natively; None when it has to be translated. `model` replaces the client's."""
        ...

    def decode(self, document: Json, choices: Choices) -> Exchange | Bundle:
        """Translate a parsed request body.

        Raises InvalidRequest, UnsupportedParameter or UnsupportedValue, naming the field in `param`.
        """
        ...
