"""Which path asks for what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from gateway.dialects import Choices
from gateway.surfaces.state.completions import Completions
from gateway.surfaces.state.conversations import Conversations
from gateway.surfaces.state.endpoint import Asked, StateEndpoint
from gateway.surfaces.state.responses import Responses

if TYPE_CHECKING:
    from gateway.config import Limits
    from gateway.store import Store

T = TypeVar("T")
Table = Mapping[str, Mapping[str, Callable[[T, Asked], Awaitable[None]]]]
"""By path and method: what a `T` does."""

_RESPONSE = "/v1/responses/{response_id}"
_CONVERSATION = "/v1/conversations/{conversation_id}"
_COMPLETION = "/v1/chat/completions/{completion_id}"

_RESPONSES: Table[Responses] = {
    _RESPONSE: {"GET": Responses.get, "DELETE": Responses.delete},
    f"{_RESPONSE}/cancel": {"POST": Responses.cancel},
    f"{_RESPONSE}/input_items": {"GET": Responses.input_items},
}
_CONVERSATIONS: Table[Conversations] = {
    "/v1/conversations": {"POST": Conversations.create},
    _CONVERSATION: {"GET": Conversations.get, "POST": Conversations.update, "DELETE": Conversations.delete},
    f"{_CONVERSATION}/items": {"GET": Conversations.list_items, "POST": Conversations.add_items},
    f"{_CONVERSATION}/items/{{item_id}}": {"GET": Conversations.get_item, "DELETE": Conversations.delete_item},
}
_COMPLETIONS: Table[Completions] = {
    "/v1/chat/completions": {"GET": Completions.page},
    _COMPLETION: {"GET": Completions.get, "POST": Completions.update, "DELETE": Completions.delete},
    f"{_COMPLETION}/messages": {"GET": Completions.messages},
}

_TABLES: dict[str, Mapping[str, Mapping[str, object]]] = {
    "responses": _RESPONSES,
    "conversations": _CONVERSATIONS,
    "chat": _COMPLETIONS,
}

METHODS = {path: tuple(handlers) for table in _TABLES.values() for path, handlers in table.items()}
"""Of every path of the state routes. `/v1/chat/completions` is one that turns are posted to as well."""

SURFACES = {path: surface for surface, table in _TABLES.items() for path in table}
"""How logs call the paths."""


def routes(store: Store, limits: Limits, choices: Choices | None = None) -> dict[str, StateEndpoint]:
    """The endpoints by path, as `Router` takes them for `templates`. `choices`: how chat answers are told."""
    return {
        **_endpoints(_RESPONSES, Responses(store), limits),
        **_endpoints(_CONVERSATIONS, Conversations(store), limits),
        **_endpoints(_COMPLETIONS, Completions(store, choices or Choices()), limits),
    }


def _endpoints(table: Table[T], having: T, limits: Limits) -> dict[str, StateEndpoint]:
    return {
        path: StateEndpoint(SURFACES[path], limits, {name: partial(act, having) for name, act in handlers.items()})
        for path, handlers in table.items()
    }
