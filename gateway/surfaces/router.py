"""Which endpoint answers a path: an exact table first, then patterns."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping
from typing import Protocol
from urllib.parse import quote, unquote

from starlette.routing import Route
from starlette.routing import Router as PatternRouter
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import MethodNotAllowed, RouteNotFound


class Endpoint(Protocol):
    """An ASGI application for one path, and the methods it takes."""

    @property
    def methods(self) -> Collection[str]: ...

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]: ...


class ByMethod:
    """Several endpoints of one path. None of their methods is another's."""

    def __init__(self, *endpoints: Endpoint) -> None:
        self.endpoints = {method: endpoint for endpoint in endpoints for method in endpoint.methods}
        self.methods = tuple(self.endpoints)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self.endpoints[scope["method"]](scope, receive, send)


class Router:
    """Exact paths, templates, then `prefix/{model}`-like paths, then Starlette routes; then what takes the rest, or a
    JSON 404."""

    def __init__(
        self,
        exact: Mapping[str, Endpoint],
        under: Mapping[str, tuple[str, Endpoint]],
        pages: list[Route],
        sockets: Mapping[str, ASGIApp] | None = None,
        rest: ASGIApp | None = None,
        *,
        templates: Mapping[str, Endpoint] | None = None,
    ) -> None:
        """`under`: a path prefix → the name its rest gets in `path_params`, and the endpoint. `sockets`: by path.

        `rest`: what is asked for a path below `/v1/` that nobody here has. `templates`: paths in which `{name}` is one
        segment, unescaped into `path_params`; one without names is an exact path, or adds methods to it.
        """
        self.exact = dict(exact)
        self.templates = {path: endpoint for path, endpoint in (templates or {}).items() if "{" in path}
        self._templates = [(path.split("/"), endpoint) for path, endpoint in self.templates.items()]
        for path, endpoint in (templates or {}).items():
            if "{" not in path:
                known = self.exact.get(path)
                self.exact[path] = endpoint if known is None else ByMethod(known, endpoint)
        self._known = {
            (method, path): endpoint.endpoints[method] if isinstance(endpoint, ByMethod) else endpoint
            for path, endpoint in self.exact.items()
            for method in endpoint.methods
        }
        self.under = dict(under)
        self.pages = pages
        self.sockets = dict(sockets or {})
        self.rest = rest or _not_found
        self._pages: ASGIApp = PatternRouter(routes=pages, default=self._anything_else, redirect_slashes=False)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        path: str = scope["path"]
        if scope["type"] == "websocket":
            return self.sockets.get(path, _no_socket)(scope, receive, send)
        known = self._known.get((scope["method"], path))
        if known is not None:
            return known(scope, receive, send)
        endpoint = self.exact.get(path) or self._of_template(scope)
        if endpoint is None:
            for prefix, (name, candidate) in self.under.items():
                if path.startswith(prefix):
                    scope["path_params"] = {name: path[len(prefix) :]}
                    endpoint = candidate
                    break
        if endpoint is None:
            return self._pages(scope, receive, send)
        if scope["method"] not in endpoint.methods:
            allowed = ", ".join(endpoint.methods)
            raise MethodNotAllowed(f"{scope['method']} is not allowed here; use {allowed}.", headers={"Allow": allowed})
        return endpoint(scope, receive, send)

    def _of_template(self, scope: Scope) -> Endpoint | None:
        """The endpoint of the first template that fits; an escaped slash does not end a segment."""
        raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
        segments = raw.decode("latin-1").rstrip("/").split("/")
        for template, endpoint in self._templates:
            found = _fit(template, segments)
            if found is not None:
                scope["path_params"] = found
                return endpoint
        return None

    def _anything_else(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        app = self.rest if scope["path"].startswith("/v1/") else _not_found
        return app(scope, receive, send)


def _fit(template: list[str], segments: list[str]) -> dict[str, str] | None:
    """The values of the names, or None when the path is another one. No value is empty."""
    if len(template) != len(segments):
        return None
    found: dict[str, str] = {}
    for wanted, segment in zip(template, segments, strict=True):
        if wanted.startswith("{") and segment:
            found[wanted[1:-1]] = unquote(segment)
        elif wanted != segment:
            return None
    return found


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    raise RouteNotFound(f"Unknown request URL: {scope['method']} {scope['path']}. /docs lists what there is.")


async def _no_socket(scope: Scope, receive: Receive, send: Send) -> None:
    raise RouteNotFound(f"{scope['path']} takes no WebSocket.")
