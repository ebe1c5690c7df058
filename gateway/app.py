"""THE wiring: settings in, one ASGI application out. Nothing else in the package connects two rooms.

    edge (request id, log line, metrics, Host, CORS; errors, the one renderer) → auth → router → surface → engine

`create_app` is also a factory: `uvicorn --factory gateway.app:create_app`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import __version__, logs
from gateway.config import Settings, listeners, load_workdir
from gateway.config import Upstream as UpstreamSection
from gateway.dialects import Choices, chat, completions, responses
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.passing import Passing
from gateway.errors import StoreUnavailable
from gateway.logs import get_logger
from gateway.oauth.source import TokenSource
from gateway.store import Store
from gateway.surfaces import state, system
from gateway.surfaces.compact import CompactEndpoint
from gateway.surfaces.input_tokens import InputTokensEndpoint
from gateway.surfaces.middleware.auth import Auth
from gateway.surfaces.middleware.edge import Edge
from gateway.surfaces.openai import ModelsEndpoint, RunEndpoint
from gateway.surfaces.passthrough import PassthroughEndpoint
from gateway.surfaces.router import Router
from gateway.surfaces.websocket.endpoint import WebSocketEndpoint
from gateway.surfaces.websocket.journal import Journal
from gateway.upstreams import Upstream
from gateway.upstreams.codex import CodexUpstream, Tokens
from gateway.upstreams.demo import SimulatedLogin, UntilLogin
from gateway.upstreams.openai import OpenAIUpstream
from gateway.upstreams.providers import DEFAULT, Provider, Providers, section_of
from gateway.upstreams.transport import build_transport

TOKEN_FILE = "oauth-token.json"  # noqa: S105 - a file name


class App:
    """The gateway as an ASGI application; owns what has to be opened at start and closed at the end."""

    def __init__(self, settings: Settings, workdir: Path, *, demo: bool) -> None:
        self._settings = settings
        self._workdir = workdir
        self.metrics = Metrics(
            ("codex", "openai", DEFAULT, *settings.providers), directory=os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
        )
        self.transports: dict[str, httpx2.AsyncBaseTransport] = {}
        self._tokens: TokenSource | None = None
        self._control = httpx2.AsyncClient(
            transport=self._transport(settings.upstream),
            headers={"User-Agent": f"codex-gateway/{__version__}"},
            follow_redirects=False,
            trust_env=False,
        )
        self._demo = demo
        default = self._provider(DEFAULT, settings.upstream)
        self.upstream = default.upstream
        self.providers = Providers(
            default, [self._provider(name, section) for name, section in settings.providers.items()]
        )
        self.store = Store(settings.store, workdir) if settings.store.enabled else None
        self.engine = Engine(self.providers, limits=settings.limits, metrics=self.metrics, store=self.store)
        self.router = self._make_router()
        self.requests = self._wrap(self.router)
        """All but the lifespan. A server that calls this saves a coroutine for each request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await self.requests(scope, receive, send)

    # the rooms --------------------------------------------------------------------------------------------------------

    def _provider(self, name: str, section: UpstreamSection) -> Provider:
        chat = self._settings.chat
        return Provider(
            name,
            self._make_upstream(name, section),
            choices=Choices(unsupported=section.unsupported, reasoning=chat.reasoning, custom_calls=chat.custom_calls),
            aliases=section.aliases,
            models=section.models,
            fallback=section.fallback,
            codex=section.mode == "codex_oauth",
            state="off" if section.keeper == "gateway" and not self._settings.store.enabled else section.keeper,
        )

    def _make_upstream(self, name: str, section: UpstreamSection) -> Upstream:
        settings = self._settings.model_copy(update={"upstream": section})
        place = section_of(name)
        if section.mode == "openai_api":
            return OpenAIUpstream(
                settings,
                name=self._shown("openai") if name == DEFAULT else name,
                section=place,
                transport=self._transport(section),
                clock=time.monotonic,
                now=time.time,
                random=random.random,
            )
        shown = self._shown("codex") if name == DEFAULT else name
        real = self._codex(settings, self._login(), self._transport(section), name=shown, section=place)
        if not self._demo or name != DEFAULT:
            return real
        return UntilLogin(real, (self._workdir / TOKEN_FILE).exists)

    def _transport(self, section: UpstreamSection) -> httpx2.AsyncBaseTransport:
        """The transport that a section asks for: one for all who want the same, with all its connections."""
        kind = section.transport
        if kind not in self.transports:
            self.transports[kind] = build_transport(
                proxy_url=self._settings.network.proxy_url.get_secret_value(),
                connections=self._settings.limits.upstream_connections,
                trust_environment=True,
                kind=kind,
            )
        return self.transports[kind]

    def _shown(self, kind: str) -> str:
        """How logs and metrics call the default upstream: by its kind, as long as no provider has that name."""
        return DEFAULT if kind in self._settings.providers else kind

    def _login(self) -> TokenSource:
        """The one ChatGPT login of the work directory, however many upstreams use it."""
        if self._tokens is None:
            self._tokens = TokenSource(
                self._workdir / TOKEN_FILE,
                settings=self._settings.oauth,
                client=self._control,
                on_refresh=self.metrics.token_refresh,
            )
        return self._tokens

    @staticmethod
    def _codex(
        settings: Settings,
        tokens: Tokens,
        transport: httpx2.AsyncBaseTransport,
        *,
        name: str = "codex",
        section: str = "upstream",
    ) -> CodexUpstream:
        return CodexUpstream(
            settings,
            name=name,
            section=section,
            tokens=tokens,
            transport=transport,
            clock=time.monotonic,
            now=time.time,
            random=random.random,
        )

    def _make_router(self) -> Router:
        limits = self._settings.limits
        models = ModelsEndpoint(self.engine)
        passing = Passing(self.providers, limits=limits, metrics=self.metrics)
        rest = PassthroughEndpoint(passing, limits)
        choices = self.providers.default.choices
        return Router(
            exact={
                "/v1/chat/completions": RunEndpoint(self.engine, chat.DIALECT, limits),
                "/v1/completions": RunEndpoint(self.engine, completions.DIALECT, limits),
                "/v1/responses": RunEndpoint(self.engine, responses.DIALECT, limits, may_be_empty=True),
                "/v1/responses/compact": CompactEndpoint(self.engine, limits),
                "/v1/responses/input_tokens": InputTokensEndpoint(self.engine, limits),
                "/v1/models": models,
            },
            under={"/v1/models/": ("model", models)},
            rest=rest,
            templates=state.endpoints(self.store, limits, choices, passing=passing, there=rest),
            pages=system.routes(system.System(check=self.engine.check, metrics=self.metrics)),
            sockets={
                "/v1/responses": WebSocketEndpoint(self.engine, limits, Journal(self.metrics, get_logger("gateway")))
            },
        )

    def _wrap(self, app: ASGIApp) -> ASGIApp:
        """The two layers of middleware, outermost last."""
        settings = self._settings
        log = get_logger("gateway")
        loopback = all(address.is_loopback for address in listeners(settings))
        app = Auth(app, key=settings.auth.downstream_api_key.get_secret_value(), loopback=loopback)
        return Edge(
            app,
            loopback=loopback,
            allowed_hosts=settings.server.allowed_hosts,
            cors=settings.cors,
            metrics=self.metrics,
            log=log,
        )

    # opening and closing ----------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for transport in self.transports.values():
                stack.push_async_callback(transport.aclose)
            for provider in self.providers:
                stack.push_async_callback(provider.upstream.aclose)
            if self._tokens is not None:
                self._tokens.start()
                stack.push_async_callback(self._tokens.aclose)
            await stack.enter_async_context(self._keeping())
            if isinstance(self.upstream, UntilLogin):
                self.upstream.simulated = await stack.enter_async_context(self._simulating())
            yield

    @contextlib.asynccontextmanager
    async def _keeping(self) -> AsyncIterator[None]:
        """The store, open, and what works on it beside requests. One that cannot be opened stops nothing else."""
        if self.store is None or self.engine.state is None:
            yield
            return
        try:
            await self.store.open()
        except StoreUnavailable as error:
            get_logger("gateway").error("the store cannot be used", reason=error.message, detail=error.detail)
        restarts = asyncio.create_task(self.engine.keep_restarting())
        try:
            yield
        finally:
            restarts.cancel()
            await asyncio.wait([restarts])
            await self.engine.state.aclose()
            await self.store.aclose()

    @contextlib.asynccontextmanager
    async def _simulating(self) -> AsyncIterator[CodexUpstream]:
        """The built-in simulator on a loopback port, as an upstream of the same kind as the real one."""
        from gateway.simulator import Simulator  # noqa: PLC0415 - only the demo pays for it
        from gateway.simulator.inprocess import InProcess  # noqa: PLC0415

        # Ids of an earlier run are kept in the store.
        simulator = Simulator(keep=100, first_id=time.time_ns())
        login = simulator.issue_tokens()
        async with InProcess(simulator) as server, build_transport(proxy_url="", connections=100) as transport:
            upstream = self._settings.upstream.model_copy(update={"codex_base_url": server.base_url})
            tokens = SimulatedLogin(login["access_token"], login["account_id"])
            yield self._codex(self._settings.model_copy(update={"upstream": upstream}), tokens, transport)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self._open():
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except OSError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        logs.settle()  # uvicorn's workers end by the signal that stopped them
        await send({"type": "lifespan.shutdown.complete"})


def create_app(settings: Settings | None = None, *, workdir: Path | None = None, demo: bool = False) -> App:
    """The gateway. Without arguments the settings come from the environment and the work directory it names.

    `demo` answers from the built-in simulator until somebody has logged in. Without settings the log is set up too:
    whoever calls a factory has not done it. Raises ConfigError when the settings are wrong.
    """
    if settings is None:
        settings, found = load_workdir(os.environ)
        logs.configure(settings.logging, workdir or found)
        workdir = workdir or found
        demo = demo or os.environ.get("CODEX_GATEWAY_DEMO") == "1"
    return App(settings, workdir or Path.cwd(), demo=demo)
