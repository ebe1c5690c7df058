"""The ChatGPT plan behind a login: the Codex backend (codex-upstream §5 to §7)."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import httpx2
import zstandard

from gateway import __version__
from gateway.core import json
from gateway.core.ids import digest
from gateway.core.request import Request
from gateway.errors import GatewayError, RouteNotFound, UpstreamError
from gateway.oauth.hosts import require_token_host
from gateway.upstreams import Answer, Call, Forward, Hints, Json, Model, Shaped, repair, retry
from gateway.upstreams.catalogue import BUILT_IN
from gateway.upstreams.cookies import CookieJar
from gateway.upstreams.faults import refusal
from gateway.upstreams.profile import CODEX, Rules, shape
from gateway.upstreams.shelf import Listing, Shelf
from gateway.upstreams.transport import HTTPAnswer, Line, Outgoing, Patience, RawHeaders, destination
from gateway.upstreams.turnstile import Turnstile

if TYPE_CHECKING:
    from gateway.config import Settings

_MODELS_FRESH_SECONDS = 300
_MODELS_WAIT_SECONDS = 10
_COMPRESS_BYTES = 256 * 1024
"""Larger bodies are compressed: the edge has been seen to drop them (codex-upstream §5.11)."""
_DEAD_ACCOUNT = "account_deactivated"
_COMPACT_FIELDS = frozenset(
    {
        "model",
        "input",
        "instructions",
        "tools",
        "parallel_tool_calls",
        "reasoning",
        "service_tier",
        "prompt_cache_key",
        "text",
    }
)
"""What a compaction takes (codex-upstream §9): it refuses `store` and `stream`."""


class Login(Protocol):
    """What a call needs of a ChatGPT login."""

    @property
    def access_token(self) -> str: ...
    @property
    def account_id(self) -> str: ...
    @property
    def plan(self) -> str: ...
    @property
    def fedramp(self) -> bool: ...


class Tokens(Protocol):
    """Where logins come from; `gateway.oauth` has it."""

    async def credentials(self) -> Login:
        """A login that should work now. Raises OAuthUnavailable."""
        ...

    async def recover(self, rejected_access_token: str) -> Login:
        """Another login than the one the backend refused. Raises OAuthUnavailable when there is none."""
        ...


class CodexUpstream:
    """The adapter of `codex_oauth`. Its server needs every body reshaped, so nothing is native to it."""

    native: frozenset[str] = frozenset()
    streams_only = True
    trusted = True
    passthrough = None
    """Embeddings, audio, files and the like do not exist behind a login (codex-upstream §9)."""

    def __init__(
        self,
        settings: Settings,
        *,
        tokens: Tokens,
        transport: httpx2.AsyncBaseTransport,
        clock: Callable[[], float],
        now: Callable[[], float],
        random: Callable[[], float],
        name: str = "codex",
        section: str = "upstream",
    ) -> None:
        """`section`: the settings that errors point at.

        `clock` counts seconds and never goes back, `now` is Unix time, `random` a number in [0, 1).
        """
        upstream, limits = settings.upstream, settings.limits
        self.name = name
        self._section = section
        self._tokens = tokens
        self._token_hosts = settings.oauth.token_hosts
        self._line = Line(transport, Patience.of(settings))
        self._url = httpx2.URL(upstream.codex_base_url.rstrip("/") + upstream.codex_responses_path)
        self._responses = destination(self._url)
        self._compact = destination(self._url.copy_with(path=self._url.path.rstrip("/") + "/compact"))
        self._list = destination(
            self._url.copy_with(
                path=self._url.path.rpartition("/")[0] + "/models", params={"client_version": upstream.version}
            )
        )
        self._rules = Rules(CODEX, upstream.unsupported, upstream.default_instructions, upstream.aliases)
        self._identity = _identity(settings.oauth.originator, upstream.version)
        self._cookies = CookieJar(self._url)
        self._cool_down = retry.CoolDown(cap=limits.cool_down_seconds, clock=clock)
        self._turnstile = Turnstile(limits.parallel_calls)
        self._retries = limits.retries
        self._json_seconds = limits.json_seconds
        self._now, self._random = now, random
        self._account = ""
        self._sent: tuple[str, ...] = ()
        self._shelf = Shelf(self._fetch_models, clock=clock, fresh_seconds=_MODELS_FRESH_SECONDS, spare=BUILT_IN)

    @property
    def known(self) -> tuple[Model, ...]:
        return self._shelf.known

    @property
    def account(self) -> str:
        return self._account

    async def origin(self) -> str:
        try:
            login = await self._tokens.credentials()
        except GatewayError:
            return ""  # the call will say what is wrong with the login
        return digest(f"{self._url}\n{login.account_id}")[:16]

    def secrets(self) -> tuple[str, ...]:
        return self._sent

    def shape(self, request: Request, hints: Hints) -> Shaped:
        shaped = shape(request, hints, self._rules, self._shelf.known)
        if not request.compact:
            return shaped
        body = {name: value for name, value in shaped.body.items() if name in _COMPACT_FIELDS}
        return replace(shaped, body=body, route="compact")

    def repair(self, body: Json, error: GatewayError) -> Json | None:
        return repair.repair(body, error)

    def delay(self, attempt: int, error: GatewayError) -> float | None:
        # A plan limit can also come inside a stream, which only the engine reads.
        self._cool_down.note(self._account, error)
        return retry.delay(attempt, error, limit=self._retries, random=self._random)

    async def open(self, call: Call) -> Answer:
        return await self._turnstile.enter(lambda: self._open(call))

    async def _open(self, call: Call) -> Answer:
        login = await self._tokens.credentials()
        self._account = login.account_id
        body, encoding = await _compressed(call.body)
        compact = call.route == "compact"
        headers: RawHeaders = [
            (b"Accept", b"application/json" if compact else b"text/event-stream"),
            (b"Content-Type", b"application/json"),
            (b"X-Request-ID", call.request_id.encode("ascii", "replace")),
            *encoding,
        ]
        if call.lite:
            headers.append((b"x-openai-internal-codex-responses-lite", b"true"))
        if call.session_id:
            headers.append((b"session-id", call.session_id.encode("ascii", "replace")))
        with self._cool_down.watch(login.account_id):
            to, wait = (self._compact, self._json_seconds) if compact else (self._responses, None)
            answer = await self._send(Outgoing("POST", to, headers, body, wait), login)
            if not 200 <= answer.status < 300:
                raise await self._refused(answer)
            self._shelf.noticed(answer.headers.get("x-models-etag", ""))
            return answer if compact else await self._streaming(answer)

    async def forward(self, forward: Forward) -> Answer:
        raise RouteNotFound(f"A ChatGPT login has no /v1/{forward.path}.")

    async def models(self) -> list[Model]:
        await self._tokens.credentials()
        return await self._shelf.models()

    async def check(self) -> None:
        require_token_host(str(self._url), self._token_hosts)
        await self._tokens.credentials()
        await self._shelf.verify()

    async def aclose(self) -> None:
        """The transport belongs to whoever made it."""

    async def _send(self, outgoing: Outgoing, login: Login) -> HTTPAnswer:
        """Send with a login, and once more with another one when the backend refuses the first (401)."""
        answer = await self._send_as(login, outgoing)
        if answer.status != 401:
            return answer
        refused = await self._refused(answer)
        if _DEAD_ACCOUNT in refused.detail:
            raise refused
        login = await self._tokens.recover(login.access_token)
        return await self._send_as(login, outgoing)

    async def _send_as(self, login: Login, outgoing: Outgoing) -> HTTPAnswer:
        require_token_host(str(outgoing.to.url), self._token_hosts)
        credential: RawHeaders = [
            (b"Authorization", b"Bearer " + login.access_token.encode("ascii", "replace")),
            (b"ChatGPT-Account-ID", login.account_id.encode("ascii", "replace")),
        ]
        if login.fedramp:
            credential.append((b"X-OpenAI-Fedramp", b"true"))
        headers = [*self._identity, *credential, *self._cookies.header(), *outgoing.headers]
        self._sent = (login.access_token, login.account_id)
        answer = await self._line.send(replace(outgoing, headers=headers))
        self._cookies.keep(answer.set_cookie)
        return answer

    async def _streaming(self, answer: HTTPAnswer) -> Answer:
        """The answer, if it is the stream that was asked for; some failures come as JSON with status 200."""
        kind = answer.headers.get("content-type", "text/event-stream").partition(";")[0].strip().lower()
        if kind in ("", "text/event-stream"):
            return answer
        raise await self._refused(answer)

    async def _refused(self, answer: HTTPAnswer) -> GatewayError:
        body = await self._line.refusal_body(answer)
        return refusal(
            answer.status,
            answer.headers,
            body,
            upstream="codex",
            section=self._section,
            now=self._now(),
            models=self._shelf.known,
        )

    async def _fetch_models(self, etag: str) -> Listing | None:
        login = await self._tokens.credentials()
        headers: RawHeaders = [(b"Accept", b"application/json")]
        if etag:
            headers.append((b"If-None-Match", etag.encode("latin-1", "replace")))
        answer = await self._send(Outgoing("GET", self._list, headers, wait=_MODELS_WAIT_SECONDS), login)
        if answer.status == 304:
            await answer.aclose()
            return None
        if not 200 <= answer.status < 300:
            raise await self._refused(answer)
        return Listing(_rows(await answer.read(), login.plan), answer.headers.get("etag", ""))


def _identity(originator: str, version: str) -> RawHeaders:
    """Who we are, the same in every call: our own name, never another program's (codex-upstream §5.3)."""
    agent = f"codex-gateway/{__version__} ({platform.system()}; {platform.machine()})"
    return [
        (b"User-Agent", agent.encode("ascii", "replace")),
        (b"originator", originator.encode("ascii", "replace")),
        (b"version", version.encode("ascii", "replace")),
    ]


async def _compressed(body: bytes) -> tuple[bytes, RawHeaders]:
    if len(body) <= _COMPRESS_BYTES:
        return body, []
    packed = await asyncio.to_thread(zstandard.ZstdCompressor(level=3).compress, body)
    return packed, [(b"Content-Encoding", b"zstd")]


def _rows(body: bytes, plan: str) -> tuple[Model, ...]:
    """The backend's list in its own order, less what the plan does not have."""
    try:
        rows: Any = json.loads(body)["models"]
        found = sorted((row for row in rows if isinstance(row.get("slug"), str)), key=_priority)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UpstreamError("The list of models of the Codex backend cannot be read.") from error
    return tuple(_row(row) for row in found if _in_plan(row, plan))


def _priority(row: Json) -> float:
    priority = row.get("priority")
    return float(priority) if isinstance(priority, (int, float)) else float("inf")


def _in_plan(row: Json, plan: str) -> bool:
    plans = row.get("available_in_plans")
    return not plan or not isinstance(plans, list) or not plans or plan in plans


def _row(row: Json) -> Model:
    return Model(
        id=row["slug"],
        hidden=row.get("visibility", "list") != "list" or row.get("supported_in_api") is False,
        efforts=_texts(row.get("supported_reasoning_levels"), "effort"),
        tiers=_texts(row.get("service_tiers"), "id"),
    )


def _texts(entries: Any, key: str) -> tuple[str, ...]:
    """Names in a list of objects, or of plain strings."""
    if not isinstance(entries, list):
        return ()
    found = [entry.get(key) if isinstance(entry, dict) else entry for entry in entries]
    return tuple(name for name in found if isinstance(name, str))
