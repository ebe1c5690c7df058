"""The last resort of `/v1/*`: what the gateway does not serve itself is sent on, if a provider takes it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.types import Receive, Scope, Send

from gateway.core import json
from gateway.core.multipart import FieldFinder, boundary_of
from gateway.core.passing import asked, codings, path_below, sound_query
from gateway.core.splice import replace_text
from gateway.engine.passing import PROVIDER_HEADER, Cargo, Passage, Passing
from gateway.errors import InvalidRequest, MethodNotAllowed
from gateway.surfaces.client import Client, serve, too_large
from gateway.surfaces.headers import by_name, told_length
from gateway.surfaces.middleware.body import read_body

if TYPE_CHECKING:
    from gateway.config import Limits

Json = dict[str, Any]


class PassthroughEndpoint:
    """Every method of every path below `/v1/` that no other endpoint has."""

    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

    def __init__(self, passing: Passing, limits: Limits) -> None:
        self._passing = passing
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises RouteNotFound and MethodNotAllowed, InvalidRequest for a path that servers could read differently."""
        method = scope["method"]
        if method not in self.methods:
            allowed = ", ".join(self.methods)
            raise MethodNotAllowed(f"{method} is not allowed here; use {allowed}.", headers={"Allow": allowed})
        path = path_below(scope.get("raw_path") or quote(scope["path"]).encode())
        headers = _Headers(scope)
        self._passing.admit(method, path, headers.provider)
        if headers.length is not None and headers.length > self._limits.upload_bytes:
            raise too_large(self._limits.upload_bytes)
        state = scope["state"]
        state["facts"]["surface"] = "passthrough"
        passage = Passage(
            method,
            path,
            sound_query(scope["query_string"]),
            asked(scope["headers"], encoded=not headers.is_json),
            Cargo(),
            state["request_id"],
            headers.provider,
            headers.codings,
            state["facts"],
        )
        if headers.is_json and headers.has_body:
            body = await read_body(scope, receive, self._limits)
            passage.cargo = _json_cargo(body, passage)
        await serve(scope, receive, send, self._limits, partial(self._pass, passage, headers))

    async def _pass(self, passage: Passage, headers: _Headers, client: Client) -> None:
        if headers.has_body and not headers.is_json:
            passage.cargo = await _streamed_cargo(headers, client)
        await self._passing.run(passage, client)


class _Headers:
    """What of the request headers decides how the request is handled."""

    def __init__(self, scope: Scope) -> None:
        found = {name: value.decode("latin-1") for name, value in scope["headers"]}
        self.content_type = found.get(b"content-type", "")
        self.provider = found.get(PROVIDER_HEADER.encode(), "").strip()
        self.length = told_length(by_name(scope))
        self.has_body = bool(self.length) or b"transfer-encoding" in found
        kind = self.content_type.partition(";")[0].strip().lower()
        self.is_json = kind == "application/json" or kind.endswith("+json")
        self.is_encoded = found.get(b"content-encoding", "identity").strip().lower() not in ("", "identity")
        self.codings = () if self._may_stream(found) else codings(found.get(b"accept-encoding", ""))

    def _may_stream(self, found: dict[bytes, str]) -> bool:
        """Events may come, and they would wait in a compressor. Forms say so in a field; their answers are short."""
        return "text/event-stream" in found.get(b"accept", "") or boundary_of(self.content_type) is not None


def _json_cargo(body: bytes, passage: Passage) -> Cargo:
    """A body that was read whole, for the sake of its model. Raises InvalidRequest when it is not JSON."""
    if not body:
        return Cargo()
    try:
        document, body = json.loads_whole(body)
    except ValueError as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}") from error
    cargo = Cargo(body)
    if isinstance(document, dict):
        if isinstance(document.get("model"), str):
            cargo.model = document["model"]
            cargo.renamed = partial(replace_text, body, "model")
        if document.get("stream") is True:
            passage.codings = ()
    passage.facts["bytes_up"] = len(body)
    return cargo


async def _streamed_cargo(headers: _Headers, client: Client) -> Cargo:
    """A body that is sent on while it comes, and only looked into as far as a form's fields go."""
    boundary = None if headers.is_encoded else boundary_of(headers.content_type)
    if boundary is None:
        return Cargo(rest=client, length=headers.length)
    finder = FieldFinder(boundary, "model")
    async for piece in client:
        finder.feed(piece)
        if finder.done:
            break
    return Cargo(finder.head, client, headers.length, finder.value, finder.renamed)
