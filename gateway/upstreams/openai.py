"""Any server that speaks OpenAI's API: OpenAI itself with an API key, or one that is compatible with it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2

from gateway import __version__
from gateway.core.ids import digest
from gateway.core.request import Request
from gateway.dialects.chat.outbound import ChatOutbound, encode
from gateway.errors import GatewayError, RouteNotFound
from gateway.upstreams import Answer, Call, Forward, Hints, Json, Model, Shaped, repair, retry
from gateway.upstreams.faults import refusal
from gateway.upstreams.profile import OPENAI, Rules, shape
from gateway.upstreams.rows import question, rows
from gateway.upstreams.servers import quirks_of
from gateway.upstreams.shelf import Listing, Shelf
from gateway.upstreams.transport import HTTPAnswer, Line, Outgoing, Patience, RawHeaders, destination

if TYPE_CHECKING:
    from gateway.config import Settings

_MODELS_FRESH_SECONDS = 60
_MODELS_WAIT_SECONDS = 10
_VERSION_SEGMENT = re.compile(r"v\d+[a-z0-9]*")


class OpenAIUpstream:
    """The adapter of `openai_api`: its own key or none at all; the ChatGPT token never comes here."""

    streams_only = False

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx2.AsyncBaseTransport,
        clock: Callable[[], float],
        now: Callable[[], float],
        random: Callable[[], float],
        name: str = "openai",
        section: str = "upstream",
    ) -> None:
        """`section`: the settings that errors point at.

        `clock` counts seconds and never goes back, `now` is Unix time, `random` a number in [0, 1).
        """
        upstream, limits = settings.upstream, settings.limits
        self.name = name
        self._section = section
        self.native = frozenset[str](upstream.dialects)
        self._transport = transport
        self._line = Line(transport, Patience.of(settings))
        responses = upstream.responses_path.rstrip("/")
        paths = {
            "responses": upstream.responses_path,
            "chat": upstream.chat_completions_path,
            "completions": upstream.completions_path,
            "compact": f"{responses}/compact",
            "input_tokens": f"{responses}/input_tokens",
        }
        self._base_url = upstream.base_url
        self._kept = {"responses/": upstream.responses_path, "chat/completions/": upstream.chat_completions_path}
        self.passthrough = upstream.passthrough
        self._models_url = join(upstream.base_url, upstream.models_path)
        self.trusted = self._models_url.scheme == "https" and self._models_url.host == "api.openai.com"
        self._rules = Rules(OPENAI, unsupported=upstream.unsupported, aliases=upstream.aliases)
        self._quirks = quirks_of(upstream.server, upstream.base_url)
        self._json_seconds = limits.json_seconds
        self._head_seconds = max(limits.json_seconds, limits.idle_seconds)
        self._retries = limits.retries
        self._now, self._random = now, random
        self._api_key = upstream.api_key.get_secret_value()
        self._secrets = (self._api_key,)
        self._headers = _headers(self._api_key)
        common = [*self._headers, (b"Content-Type", b"application/json")]
        self._routes = {
            (route, stream): destination(join(upstream.base_url, path), [*common, (b"Accept", kind)])
            for route, path in paths.items()
            for stream, kind in ((True, b"text/event-stream"), (False, b"application/json"))
        }
        self._shelf = Shelf(self._fetch_models, clock=clock, fresh_seconds=_MODELS_FRESH_SECONDS)

    @property
    def known(self) -> tuple[Model, ...]:
        return self._shelf.known

    @property
    def account(self) -> str:
        return ""  # a key is none to write down

    async def origin(self) -> str:
        return digest(f"{self._base_url}\n{self._api_key}")[:16]

    def secrets(self) -> tuple[str, ...]:
        return self._secrets

    def shape(self, request: Request, hints: Hints) -> Shaped:
        """As sent to a server that speaks Responses; in chat's words to one that speaks nothing else.

        Raises InvalidRequest, UnsupportedParameter, UnsupportedValue or PreviousResponseNotFound, and RouteNotFound
        where a compaction is asked of one that has none.
        """
        shaped = shape(request, hints, self._rules, self._shelf.known)
        if "responses" in self.native:
            return replace(shaped, route="compact") if request.compact else shaped
        if request.compact:
            raise RouteNotFound(f"{self.name} has no compaction.")
        encoded = encode(shaped.body, self._quirks, stream=request.stream, unsupported=self._rules.unsupported)
        outbound = ChatOutbound(encoded, self._quirks, shaped.body)
        return replace(shaped, body=encoded.body, dropped=encoded.dropped, route="chat", outbound=outbound)

    def repair(self, body: Json, error: GatewayError) -> Json | None:
        """Reasoning that this server cannot read is left out; of all else it says itself what is wrong with it."""
        return repair.without_foreign(body, error) if "responses" in self.native else None

    def delay(self, attempt: int, error: GatewayError) -> float | None:
        return retry.delay(attempt, error, limit=self._retries, random=self._random)

    def open(self, call: Call) -> Awaitable[Answer]:
        headers = [(b"X-Request-ID", call.request_id.encode("ascii", "replace"))]
        wait = None if call.stream else self._json_seconds
        to = self._routes[call.route, call.stream]
        return self._line.send(Outgoing("POST", to, headers, call.body, wait, join=call.join), self._refused)

    async def forward(self, forward: Forward) -> Answer:
        url = self._address(forward.path)
        outgoing = Outgoing(
            forward.method,
            destination(url.copy_with(query=forward.query) if forward.query else url, codings=forward.codings),
            [*self._headers, *forward.headers, (b"X-Request-ID", forward.request_id.encode("ascii", "replace"))],
            forward.body,
            self._head_seconds,  # whoever reads the answer bounds the silence in it
            forward.length,
            forward.codings,
        )
        answer = await self._line.send(outgoing)
        if 200 <= answer.status < 300 or answer.status == 304:
            return answer
        raise await self._refused(answer)

    def _address(self, path: str) -> httpx2.URL:
        """Where a path below `/v1/` is there; what a turn has left is below the route of the turn."""
        for prefix, route in self._kept.items():
            if path.startswith(prefix):
                return join(self._base_url, f"{route.rstrip('/')}/{path.removeprefix(prefix)}")
        return join(self._base_url, f"/v1/{path}")

    async def models(self) -> list[Model]:
        return await self._shelf.models()

    async def check(self) -> None:
        await self._shelf.verify()

    async def aclose(self) -> None:
        """The transport belongs to whoever made it."""

    async def _fetch_models(self, etag: str) -> Listing | None:
        # OpenAI's list has no version to ask with.
        url, headers = question(self._models_url, self._headers, self._api_key)
        answer = await self._line.send(Outgoing("GET", destination(url), headers, wait=_MODELS_WAIT_SECONDS))
        if answer.status in (404, 405, 501):
            await answer.aclose()
            return Listing(())  # A server without a list still runs models by their names.
        if not 200 <= answer.status < 300:
            raise await self._refused(answer)
        return Listing(rows(await answer.read(), self.name))

    async def _refused(self, answer: HTTPAnswer) -> GatewayError:
        body = await self._line.refusal_body(answer)
        return refusal(
            answer.status,
            answer.headers,
            body,
            upstream="openai",
            section=self._section,
            now=self._now(),
            models=self._shelf.known,
        )


def join(base: str, path: str) -> httpx2.URL:
    """An address of the server. A base that names a version already (`…/v1`) takes the place of the path's own."""
    base = base.rstrip("/")
    path = "/" + path.lstrip("/")
    first = path.split("/")[1]
    if _VERSION_SEGMENT.fullmatch(first):
        segments = httpx2.URL(base).path.split("/")
        if any(_VERSION_SEGMENT.fullmatch(segment) for segment in segments):
            path = path.removeprefix("/" + first)
    return httpx2.URL(base + path)


def _headers(api_key: str) -> RawHeaders:
    headers = [(b"User-Agent", f"codex-gateway/{__version__}".encode("ascii"))]
    if api_key:
        headers.append((b"Authorization", b"Bearer " + api_key.encode("utf-8")))
    return headers
