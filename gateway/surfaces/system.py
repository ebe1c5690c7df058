"""What is not the API: health, readiness, metrics, the API's description and its pages, and the front page."""

from __future__ import annotations

import asyncio
import html
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from gateway import __version__
from gateway.core import json
from gateway.engine.metrics import CONTENT_TYPE, Metrics
from gateway.errors import GatewayError, OAuthUnavailable, UpstreamAuth, UpstreamFault, UpstreamTimeout

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Check = Callable[[], Awaitable[GatewayError | None]]

WEB = Path(__file__).parent.parent / "web"
VIEWERS = "fastapi_offline"
"""The installed package that brings Swagger UI and Redoc. Only its files are used; it is never imported."""

READY_FOR_SECONDS = 5.0
"""How long an answer of `/readyz` is kept: probes come every few seconds, from several places."""
CHECK_SECONDS = 10.0

_ONE_DAY = {"cache-control": "public, max-age=86400"}

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
# Both viewers put their styles into the page while they run; Redoc searches in a worker made from a blob.
_VIEWER_POLICY = _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'") + "; worker-src blob:"


@dataclass(frozen=True, slots=True)
class System:
    """What these routes need.

    `check` raises a GatewayError when no upstream can run turns now; it returns what is wrong with the default one when
    another can.
    """

    check: Check
    metrics: Metrics
    clock: Callable[[], float] = time.monotonic


def routes(system: System) -> list[Route]:
    """The routes, for Starlette's router."""
    description = WEB / "openapi.yaml"

    def get(path: str, endpoint: ASGIApp) -> Route:
        return Route(path, endpoint, methods=["GET"])

    return [
        Route("/healthz", Health()),  # answers other methods itself
        get("/readyz", Readiness(system.check, system.clock)),
        get("/metrics", Scrape(system.metrics)),
        get("/openapi.yaml", File(description, "application/yaml")),
        get("/openapi.json", File(description, "application/json", _as_json)),
        get("/docs", Page("docs.html", _VIEWER_POLICY)),
        get("/redoc", Page("redoc.html", _VIEWER_POLICY)),
        get("/assets/redoc.standalone.js", File(_redoc(), "text/javascript", _without_logo, _ONE_DAY)),
        get("/assets/{path:path}", Assets()),
        get("/", Front()),
    ]


class Health:
    """`/healthz`: the process answers. Other methods get 405 with an empty body, as monitors of the original expect."""

    _ok = Response(b'{"status":"ok"}', media_type="application/json")
    _refused = Response(status_code=405, headers={"allow": "GET, HEAD"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._ok if scope["method"] in ("GET", "HEAD") else self._refused
        await answer(scope, receive, send)


class Readiness:
    """`/readyz`: whether turns can be run now, on any of the upstreams.

    Public, so it names what fails by its error code and nothing more.
    """

    def __init__(self, check: Check, clock: Callable[[], float]) -> None:
        self._check = check
        self._clock = clock
        self._lock = asyncio.Lock()
        self._answer: Response | None = None
        self._fresh_until = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._lock:  # probes that come together ask once
            if self._answer is None or self._clock() >= self._fresh_until:
                self._answer = await self._ask()
                self._fresh_until = self._clock() + READY_FOR_SECONDS
            answer = self._answer
        await answer(scope, receive, send)

    async def _ask(self) -> Response:
        ready, failure = False, None
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                failure = await self._check()
                ready = True
        except TimeoutError:
            failure = UpstreamTimeout("The upstream did not answer in time.")
        except GatewayError as error:
            failure = error
        body = json.dumps({"status": "ready" if ready else "not_ready", "checks": _checks(failure, ready=ready)})
        return Response(body, 200 if ready else 503, {"cache-control": "no-store"}, media_type="application/json")


def _checks(failure: GatewayError | None, *, ready: bool) -> dict[str, str]:
    """`ok`, an error code, or `unknown` for what could not be asked because of the other."""
    if failure is None:
        return {"login": "ok", "upstream": "ok"}
    code = failure.code or "failed"
    if ready:  # by another upstream
        return {"login": code if isinstance(failure, OAuthUnavailable) else "ok", "upstream": "ok"}
    if isinstance(failure, UpstreamFault) and not isinstance(failure, UpstreamAuth):
        return {"login": "ok", "upstream": code}
    return {"login": code, "upstream": "unknown"}


class Scrape:
    """`/metrics`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Response(self._metrics.render(), headers={"content-type": CONTENT_TYPE})(scope, receive, send)


class File:
    """One file, changed on the way if `change` is given; read when first asked for, then kept."""

    def __init__(
        self,
        path: Path,
        media_type: str,
        change: Callable[[bytes], bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._path = path
        self._change = change
        self._headers = {**(headers or {}), "content-type": media_type}
        self._answer: Response | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._answer is None:
            self._answer = await asyncio.to_thread(self._read)
        await self._answer(scope, receive, send)

    def _read(self) -> Response:
        content = self._path.read_bytes()
        return Response(content if self._change is None else self._change(content), headers=self._headers)


class Assets:
    """Scripts and styles of the pages: our own (`gateway/web`) and the installed viewers'."""

    def __init__(self) -> None:
        self._files = StaticFiles(directory=WEB, packages=[(VIEWERS, "static")])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._files.get_response(scope["path_params"]["path"], scope)
        answer.headers.update(_ONE_DAY)
        await answer(scope, receive, send)


class Page:
    """A page of `gateway/web` under a Content-Security-Policy."""

    def __init__(self, name: str, policy: str) -> None:
        self._file = WEB / name
        self._headers = _page_headers(policy)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        content = await asyncio.to_thread(self._file.read_bytes)
        await Response(content, headers=self._headers)(scope, receive, send)


class Front:
    """`GET /`: a status page for people, JSON for programs. Neither tells a secret."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"localhost").decode("latin-1")
        base_url = f"{scope['scheme']}://{host}{scope.get('root_path', '')}"
        if b"text/html" in headers.get(b"accept", b""):
            page = _status_page().substitute(version=__version__, base_url=html.escape(base_url))
            answer = Response(page, headers=_page_headers(_POLICY))
        else:
            answer = Response(json.dumps(_card(base_url)), media_type="application/json")
        answer.headers["vary"] = "Accept"
        await answer(scope, receive, send)


def _card(base_url: str) -> dict[str, str]:
    return {
        "name": "codex-gateway",
        "version": __version__,
        "base_url": f"{base_url}/v1",
        "docs": f"{base_url}/docs",
        "redoc": f"{base_url}/redoc",
        "openapi": f"{base_url}/openapi.yaml",
        "health": f"{base_url}/healthz",
        "ready": f"{base_url}/readyz",
    }


@cache
def _status_page() -> Template:
    return Template((WEB / "status.html").read_text("utf-8"))


def _page_headers(policy: str) -> dict[str, str]:
    return {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }


def _as_json(description: bytes) -> bytes:
    import yaml  # noqa: PLC0415 - only for those who want the description as JSON

    return json.dumps(yaml.safe_load(description))


def _redoc() -> Path:
    """Redoc in one file. Its package is looked up, not imported."""
    spec = find_spec(VIEWERS)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "static" / "redoc.standalone.js"


def _without_logo(script: bytes) -> bytes:
    """Redoc without the picture it would load from its makers' server."""
    return script.replace(
        b'"https://cdn.redoc.ly/redoc/logo-mini.svg"',
        b"\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>\"",
    )
