"""Where turns are run: one adapter per kind of upstream, behind one small interface.

An adapter is credential × base URL × header set × body profile. It opens calls and says what its server accepts;
it does not retry (the engine does, asking `delay` and `repair`), does not read streams and knows no client.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gateway.core.request import Request
from gateway.dialects import Outbound
from gateway.errors import GatewayError

Json = dict[str, Any]
Route = Literal["responses", "chat", "completions", "compact", "input_tokens"]
Taker = Callable[[bytes], bytes | None]
"""Takes a piece of an answer at the moment when it comes. Returns what is left of it for whoever waits for it: None for
nothing, so that he waits on, b"" to wake him."""

Join = Callable[[list[bytes]], bytes]
"""Makes one piece of several."""


@dataclass(slots=True)
class Call:
    """One upstream call. `session_id` is stable per conversation; upstreams use it for prompt caching.

    `lite`: the body has the reduced form of Codex (codex-upstream §5.9), which its backend wants announced.
    `join`: may be asked to make one piece of the body of an answer that comes whole, with its head.
    """

    route: Route
    body: bytes
    stream: bool
    request_id: str
    session_id: str = ""
    lite: bool = False
    join: Join | None = None


@dataclass(frozen=True, slots=True)
class Forward:
    """A request that is sent on as it is.

    `path`: below `/v1/`, in plain segments. `query`: as the client sent it, without the question mark. `headers`: the
    client's that the server may have. `length`: of a body that comes in pieces; None when it is not known.
    `codings`: content codings that the client reads.
    """

    method: str
    path: str
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes | AsyncIterable[bytes]
    request_id: str
    length: int | None = None
    codings: tuple[str, ...] = ()


@dataclass(slots=True)
class Hints:
    """What the client's request tells about the conversation it belongs to.

    `session_id`: an id the client sent in a header (`session-id`, `session_id`, `x-session-id`, `conversation_id`,
    `x-session-affinity`), else "". `owner`: who calls; keeps derived ids of two owners apart.
    """

    session_id: str = ""
    owner: str = "operator"


@dataclass(frozen=True, slots=True)
class Shaped:
    """A body that the server accepts, the session it belongs to, and what was left out (inner field names).

    `kept`: where the items of its `input` stood in the request, () when they all still stand there.
    `outbound`: the body is in another dialect than the inner one, to be sent on `route`; it reads the answer too.
    `lite`: see `Call`.
    """

    body: Json
    session_id: str
    dropped: tuple[str, ...] = ()
    kept: tuple[int, ...] = ()
    lite: bool = False
    route: Route = "responses"
    outbound: Outbound | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A row of `/v1/models`. `efforts`: the reasoning efforts it accepts; () when unknown."""

    id: str
    created: int = 0
    owned_by: str = "openai"
    hidden: bool = False
    efforts: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    document: Json | None = None
    """The server's own row, relayed as it is where the server speaks the OpenAI form."""


class Answer(Protocol):
    """A 2xx answer whose body has not been read. Must be closed, whatever happens."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""

    @property
    def over(self) -> bool:
        """All of the body has been read, as far as that is known without waiting for more."""
        ...

    def chunks(self, take: Taker | None = None) -> AsyncIterator[bytes]:
        """The body, one piece per network read.

        `take` may be asked first for a piece that comes while somebody waits for it; not every answer does.
        Raises UpstreamTimeout after `limits.idle_seconds` of silence, UpstreamUnavailable when the connection breaks.
        """
        ...

    def whole(self) -> bytes | None:
        """The whole body, if it came with the head, as most do, and `read` would give it: then the answer is closed."""
        ...

    async def read(self) -> bytes:
        """The whole body.

        Raises UpstreamError beyond `limits.response_bytes`, and what `chunks` raises.
        """
        ...

    async def aclose(self) -> None:
        """Give the connection back, or close it at once when the body was not read to its end."""
        ...


class Upstream(Protocol):
    """A place where turns are run."""

    @property
    def name(self) -> str: ...

    @property
    def native(self) -> frozenset[str]:
        """Names of the client dialects its server speaks itself (`chat`, `responses`)."""
        ...

    @property
    def streams_only(self) -> bool:
        """The server refuses `stream: false`; JSON answers are folded from its stream."""
        ...

    @property
    def trusted(self) -> bool:
        """Deltas of its streams need not be parsed to be believed."""
        ...

    @property
    def known(self) -> Sequence[Model]:
        """The models that are known now, without asking anybody."""
        ...

    @property
    def passthrough(self) -> tuple[str, ...] | None:
        """Paths below `/v1` that `forward` may be asked for ("*": all); None when its server has no such routes."""
        ...

    @property
    def account(self) -> str:
        """The account that the last call was made with; "" for servers that have none."""
        ...

    async def origin(self) -> str:
        """Whose encrypted content its server can read: the server and the account, as a digest; "" when unknown."""
        ...

    def secrets(self) -> tuple[str, ...]:
        """What it sends with its calls and a client must never see, so that an echo of it can be taken out."""
        ...

    def shape(self, request: Request, hints: Hints) -> Shaped:
        """The profile filter: the only place that knows what this server refuses.

        Raises UnsupportedParameter or UnsupportedValue with `param` in inner names.
        """
        ...

    def repair(self, body: Json, error: GatewayError) -> Json | None:
        """A changed body worth one more attempt after this refusal, or None."""
        ...

    def delay(self, attempt: int, error: GatewayError) -> float | None:
        """Seconds to wait before attempt number `attempt` (1 is the first retry), or None: give up."""
        ...

    def open(self, call: Call) -> Awaitable[Answer]:
        """Send one call and return its 2xx answer, unread.

        Raises OAuthUnavailable, UpstreamAuth, UpstreamRefusal (4xx, mapped and wrapped), UpstreamOverloaded,
        UpstreamError, UpstreamTimeout, UpstreamUnavailable. Recovers from one 401 by itself.
        """
        ...

    async def forward(self, forward: Forward) -> Answer:
        """Send a request on as it is and return its answer, unread: a 2xx, or a 304.

        Raises what `open` raises, and what a body that comes in pieces raises.
        """
        ...

    async def models(self) -> list[Model]:
        """Current models, hidden ones included; from memory while they are fresh."""
        ...

    async def check(self) -> None:
        """Raises a GatewayError when turns cannot be run now (no login, no way to the server). For /readyz."""
        ...

    async def aclose(self) -> None: ...
