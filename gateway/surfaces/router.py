"""Which endpoint answers a path: an exact table first, then patterns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from starlette.routing import Route
from starlette.routing import Router as PatternRouter
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import MethodNotAllowed, RouteNotFound


class Endpoint(Protocol):
    """An ASGI application for one path, and the methods it takes."""

    @property
    def methods(self) -> Collection[str]: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Router:
    """Exact paths, then `prefix/{model}`-like paths, then Starlette routes; a JSON 404 for the rest."""

    def __init__(self, exact: Mapping[str, Endpoint], under: Mapping[str, tuple[str, Endpoint]], pages: list[Route]):
        """`under`: a path prefix → the name its rest gets in `path_params`, and the endpoint."""
        self.exact = dict(exact)
        self.under = dict(under)
        self.pages = pages
        self._rest: ASGIApp = PatternRouter(routes=pages, default=_not_found, redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        endpoint = self.exact.get(path)
        if endpoint is None:
            for prefix, (name, candidate) in self.under.items():
                if path.startswith(prefix):
                    scope["path_params"] = {name: path[len(prefix) :]}
                    endpoint = candidate
                    break
        if endpoint is None:
            await self._rest(scope, receive, send)
            return
        if scope["method"] not in endpoint.methods:
            allowed = ", ".join(endpoint.methods)
            raise MethodNotAllowed(f"{scope['method']} is not allowed here; use {allowed}.", headers={"Allow": allowed})
        await endpoint(scope, receive, send)


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    raise RouteNotFound(f"Unknown request URL: {scope['method']} {scope['path']}. /docs lists what there is.")
