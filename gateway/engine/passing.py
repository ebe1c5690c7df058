"""Requests that are passed through: everything below `/v1/` that the gateway does not serve itself.

Nothing is translated or held. The steps are those of a turn: choose (which provider), call, relay.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from gateway.core.passing import RawHeaders, covers, is_state, told
from gateway.core.redact import Redaction
from gateway.engine.metrics import Metrics
from gateway.errors import GatewayError, InvalidRequest, RouteNotFound, UpstreamFault, UpstreamTimeout
from gateway.upstreams import Answer, Forward, Upstream
from gateway.upstreams.providers import Provider, Providers, section_of

if TYPE_CHECKING:
    from gateway.config import Limits

PROVIDER_HEADER = "x-gateway-provider"

_BODILESS = frozenset({204, 304})
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_SHOWN_CHARACTERS = 200


@dataclass(slots=True)
class Cargo:
    """A request body: `head`, then what `rest` gives, if anything.

    `length`: of both, None when it is not known. `model`: the name in it. `renamed`: the head with another name.
    """

    head: bytes = b""
    rest: AsyncIterable[bytes] | None = None
    length: int | None = None
    model: str | None = None
    renamed: Callable[[str], bytes] | None = None
    touched: bool = False
    """A piece of `rest` was taken: there is no second try."""

    def rename(self, model: str) -> None:
        """Put another model's name into the body."""
        assert self.renamed is not None
        head = self.renamed(model)
        if self.length is not None:
            self.length += len(head) - len(self.head)
        self.head, self.model = head, model

    def body(self) -> bytes | AsyncIterable[bytes]:
        """The body to send."""
        return self.head if self.rest is None else self._pieces(self.rest)

    async def _pieces(self, rest: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        self.touched = True
        if self.head:
            yield self.head
        async for piece in rest:
            yield piece


@dataclass(slots=True)
class Passage:
    """One request on its way through. `provider`: the one that the client asks for, "" when it leaves the choice.

    `headers`: those the server may have; `codings`: the content codings that the client reads. `facts` is what the log
    line will tell.
    """

    method: str
    path: str
    query: bytes
    headers: RawHeaders
    cargo: Cargo
    request_id: str
    provider: str = ""
    codings: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Keeper:
    """A provider, and who keeps its responses and conversations. `section`: the settings that say so."""

    name: str
    state: Literal["gateway", "upstream", "off"]
    section: str


class Outlet(Protocol):
    """Where the answer goes; the client's connection in practice."""

    async def start(self, status: int, headers: dict[str, str]) -> None: ...

    async def write(self, data: bytes) -> None:
        """Send a piece of the body; returns when there is room for the next one."""
        ...

    async def finish(self) -> None: ...


class Passing:
    """Sends requests on to the provider that takes them."""

    def __init__(
        self,
        providers: Providers,
        *,
        limits: Limits,
        metrics: Metrics,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._providers = providers
        self._idle_seconds = limits.idle_seconds
        self._metrics = metrics
        self._sleep = sleep

    def admit(self, method: str, path: str, provider: str) -> None:
        """Raises RouteNotFound when nobody takes such a path, InvalidRequest for a provider that does not exist."""
        if provider:
            self._check(method, path, self._named(provider))
        elif self._taker(path) is None:
            self._check(method, path, self._providers.default)

    def keeper(self, provider: str) -> Keeper:
        """Who keeps what; "" is the default provider. Raises InvalidRequest for one that does not exist."""
        found = self._named(provider) if provider else self._providers.default
        return Keeper(found.name, found.state, section_of(found.name))

    async def run(self, passage: Passage, outlet: Outlet) -> None:
        """Send a request on, and its answer back.

        Raises GatewayError; when the answer has begun, it must then not look complete.
        """
        try:
            provider = await self._choose(passage)
            answer = await self._answered(passage, provider.upstream)
            try:
                await self._relay(passage, provider.upstream, answer, outlet)
            finally:
                await answer.aclose()
        except GatewayError as error:
            passage.facts["error"] = error.code
            raise

    # choose ---------------------------------------------------------------------------------------------------------

    async def _choose(self, passage: Passage) -> Provider:
        """The provider; its own name for the model is put into the body."""
        provider, model = await self._target(passage)
        self._check(passage.method, passage.path, provider)
        cargo = passage.cargo
        if model is not None and model != cargo.model:
            cargo.rename(model)
        passage.facts.update(model=model, upstream=provider.upstream.name)
        return provider

    async def _target(self, passage: Passage) -> tuple[Provider, str | None]:
        """The provider of a request and the model's name there.

        The header first, then what the model's name means; a name that means no provider, or no name at all, leaves it
        to the first that takes such a path, in the operator's order. Raises ModelNotFound.
        """
        name, default = passage.cargo.model, self._providers.default
        if passage.provider:
            named = self._named(passage.provider)
            return named, name and _bare(named, name)
        if name is not None:
            target = await self._providers.choose(name)
            if target.provider is not default or default.claims(name) or _takes(default, passage.path):
                return target.provider, target.model
        taker = self._taker(passage.path) or default
        return taker, name and _bare(taker, name)

    def _taker(self, path: str) -> Provider | None:
        return next((provider for provider in self._providers if _takes(provider, path)), None)

    def _named(self, name: str) -> Provider:
        found = next((provider for provider in self._providers if provider.name == name), None)
        if found is None:
            known = ", ".join(provider.name for provider in self._providers)
            raise InvalidRequest(
                f"No provider {name[:_SHOWN_CHARACTERS]!r} is configured; there are: {known}.", param=PROVIDER_HEADER
            )
        return found

    def _check(self, method: str, path: str, provider: Provider) -> None:
        """Raises RouteNotFound when this provider does not take such a path; says what would help."""
        if _takes(provider, path):
            return
        lines = [f"Unknown request URL: {method} /v1/{path[:_SHOWN_CHARACTERS]}. /docs lists what there is."]
        if provider.upstream.passthrough is None:
            lines.append("The ChatGPT login that runs the models has no such route.")
        raise RouteNotFound(" ".join([*lines, self._help(path, provider)]))

    def _help(self, path: str, provider: Provider) -> str:
        """What the client or the operator can do about a path that a provider does not take."""
        taker = self._taker(path)
        if taker is not None:
            return f"The provider {taker.name!r} has: name it in the header {PROVIDER_HEADER} or in front of the model."
        for other in (provider, *self._providers):
            if other.upstream.passthrough is not None:
                return f"To have it sent on, add {path.partition('/')[0]!r} to {section_of(other.name)}.passthrough."
        return "A provider with an API key may have it: set OPENAI_API_KEY, or add one to `providers`."

    # call -----------------------------------------------------------------------------------------------------------

    async def _answered(self, passage: Passage, upstream: Upstream) -> Answer:
        """The answer, after further tries where they can help and nothing of a streamed body is gone yet."""
        retries = 0
        while True:
            try:
                answer = await upstream.forward(_forward(passage))
            except GatewayError as error:
                self._note(passage, upstream, error)
                delay = upstream.delay(retries + 1, error) if _may_repeat(passage, error) else None
                if delay is None:
                    raise Redaction(upstream.secrets()).error(error) from error.__cause__
                retries += 1
                self._metrics.retried(upstream.name)
                await self._sleep(delay)
            else:
                self._metrics.upstream_answer(upstream.name, answer.status)
                passage.facts["upstream_status"] = answer.status
                return answer

    def _note(self, passage: Passage, upstream: Upstream, error: GatewayError) -> None:
        if not isinstance(error, UpstreamFault):
            return  # the client's own fault, met while its body was read
        self._metrics.upstream_answer(upstream.name, error.answered)
        if error.answered:
            passage.facts["upstream_status"] = error.answered

    # relay ----------------------------------------------------------------------------------------------------------

    async def _relay(self, passage: Passage, upstream: Upstream, answer: Answer, outlet: Outlet) -> None:
        headers = told(answer.headers, upstream.secrets())
        if answer.status in _BODILESS:
            headers.pop("content-length", None)
        await outlet.start(answer.status, headers)
        if passage.method != "HEAD" and answer.status not in _BODILESS:
            chunks = answer.chunks()
            while (piece := await self._next(chunks, upstream)) is not None:
                await outlet.write(piece)
        await outlet.finish()

    async def _next(self, chunks: AsyncIterator[bytes], upstream: Upstream) -> bytes | None:
        """The next piece, None at the end. Raises UpstreamTimeout when it does not come."""
        try:
            async with asyncio.timeout(self._idle_seconds):
                return await anext(chunks, None)
        except TimeoutError as error:
            raise UpstreamTimeout(
                f"{upstream.name} sent nothing for {self._idle_seconds:g} seconds in the middle of its answer."
            ) from error


def _takes(provider: Provider, path: str) -> bool:
    """The operator allows it, or the server is the one that keeps such things."""
    return (provider.state == "upstream" and is_state(path)) or covers(provider.upstream.passthrough or (), path)


def _may_repeat(passage: Passage, error: GatewayError) -> bool:
    """Whether a second call does no harm: the body is still whole, and the server has not acted on the first one."""
    if passage.cargo.touched:
        return False
    answered = isinstance(error, UpstreamFault) and error.answered > 0
    named = any(name == b"idempotency-key" for name, _ in passage.headers)
    return answered or named or passage.method in _REPEATABLE


def _bare(provider: Provider, name: str) -> str:
    """A model's name as this provider knows it, whether or not the provider's own stands in front."""
    name = name.removeprefix(f"{provider.name}/")
    return provider.aliases.get(name, name)


def _forward(passage: Passage) -> Forward:
    cargo = passage.cargo
    return Forward(
        passage.method,
        passage.path,
        passage.query,
        tuple(passage.headers),
        cargo.body(),
        passage.request_id,
        cargo.length,
        passage.codings,
    )
