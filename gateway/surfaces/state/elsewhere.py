"""Whose a stored thing is: ours, its server's, or nobody's (`upstream.state`).

A server that keeps responses and conversations itself is asked for what is not ours, whatever `upstream.passthrough`
says: to a program both are one API. It is also the one that makes conversations and lists completions.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.engine.passing import PROVIDER_HEADER, Keeper, Passing
from gateway.errors import NotFound, StoreUnavailable, UnsupportedValue
from gateway.surfaces.state.endpoint import StateEndpoint
from gateway.surfaces.state.routes import METHODS, SURFACES, routes

if TYPE_CHECKING:
    from gateway.config import Limits
    from gateway.dialects import Choices
    from gateway.store import Store

Knows = Callable[[str, str], Awaitable[object]]
"""What an owner has under a name; None for nothing."""

_OWN = re.compile("[A-Za-z]+[_-][0-9a-hjkmnp-tv-z]{26}")
"""An id that we have given to something: a ULID behind a prefix. No known server's ids look so."""

_KINDS = {"response_id": "Response", "conversation_id": "Conversation", "completion_id": "Chat completion"}
_PLURALS = {"conversations": "Conversations are", "chat": "Chat completions are"}


class Elsewhere:
    """An `Endpoint`: the one that has our rows where they are asked for, or the server that has its own.

    `here` is None without a store. `knows` looks for the id in the path, None where there is none. `there` passes
    requests on.
    """

    def __init__(
        self, path: str, here: StateEndpoint | None, knows: Knows | None, *, passing: Passing, there: ASGIApp
    ) -> None:
        self.methods = METHODS[path]
        self._surface = SURFACES[path]
        self._here = here
        self._knows = knows
        self._passing = passing
        self._there = there

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises NotFound and UnsupportedValue, which name the setting where nothing is kept; StoreUnavailable;
        InvalidRequest for a provider that does not exist."""
        scope["state"]["facts"]["surface"] = self._surface
        keeper = self._passing.keeper(_provider(scope))
        if keeper.state == "upstream" and not await self._is_ours(scope):
            named = (PROVIDER_HEADER.encode(), keeper.name.encode())  # the path decides, not a model in the body
            await self._there({**scope, "headers": [*scope["headers"], named]}, receive, send)
            return
        creates = scope["method"] == "POST" and not scope.get("path_params")
        if self._here is None or (creates and keeper.state == "off"):
            raise self._refusal(scope, keeper)
        try:
            await self._here(scope, receive, send)
        except NotFound as error:
            if keeper.state == "off":
                error.message = f"{error.message} {self._why(keeper)}"
            raise

    async def _is_ours(self, scope: Scope) -> bool:
        """Whether the id in the path is one of ours; an item belongs to its conversation.

        Raises StoreUnavailable for one that looks like ours: the server would say that it does not exist.
        """
        if self._here is None or self._knows is None:
            return False
        name = _id(scope)[1]
        try:
            return await self._knows(scope["state"]["owner"], name) is not None
        except StoreUnavailable:
            if _OWN.fullmatch(name):
                raise
            return False  # the server's own can be had all the same

    def _refusal(self, scope: Scope, keeper: Keeper) -> NotFound | UnsupportedValue:
        if not scope.get("path_params"):
            return UnsupportedValue(f"{_PLURALS[self._surface]} not kept here. {self._why(keeper)}")
        kind, name = _id(scope)
        return NotFound(f"{_KINDS[kind]} with id '{name[:80]}' not found. {self._why(keeper)}")

    def _why(self, keeper: Keeper) -> str:
        setting = "store.enabled is false" if self._here is None else f"{keeper.section}.state is off"
        return f"Nothing is kept, because {setting}."


def endpoints(
    store: Store | None, limits: Limits, choices: Choices, *, passing: Passing, there: ASGIApp
) -> dict[str, Elsewhere]:
    """By path, as `Router` takes them for `templates`; all of them also without a store. `there`: see `Elsewhere`."""
    here: Mapping[str, StateEndpoint] = {} if store is None else routes(store, limits, choices)
    return {
        path: Elsewhere(path, here.get(path), _knower(path, store), passing=passing, there=there) for path in METHODS
    }


def _knower(path: str, store: Store | None) -> Knows | None:
    if store is None or "{" not in path:
        return None
    return store.conversations.get if "{conversation_id}" in path else store.responses.response


def _id(scope: Scope) -> tuple[str, str]:
    """The kind and the name of what the path is about: the first id in it."""
    kind, name = next(iter(scope["path_params"].items()))
    return kind, name


def _provider(scope: Scope) -> str:
    header = PROVIDER_HEADER.encode()
    return next((value.decode("latin-1").strip() for name, value in scope["headers"] if name == header), "")
