"""Which path asks for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.dialects import Choices
from gateway.surfaces.state.completions import Completions
from gateway.surfaces.state.conversations import Conversations
from gateway.surfaces.state.endpoint import Handler, StateEndpoint
from gateway.surfaces.state.responses import Responses

if TYPE_CHECKING:
    from gateway.config import Limits
    from gateway.store import Store


def routes(store: Store, limits: Limits, choices: Choices | None = None) -> dict[str, StateEndpoint]:
    """The endpoints by path, as `Router` takes them for `templates`.

    `/v1/chat/completions` is one that turns are posted to as well. `choices`: how chat answers are told.
    """
    responses = Responses(store)
    conversations = Conversations(store)
    completions = Completions(store, choices or Choices())
    one, items = "/v1/conversations/{conversation_id}", "/v1/conversations/{conversation_id}/items"
    chat = "/v1/chat/completions"
    tables: dict[str, dict[str, dict[str, Handler]]] = {
        "responses": {
            "/v1/responses/{response_id}": {"GET": responses.get, "DELETE": responses.delete},
            "/v1/responses/{response_id}/cancel": {"POST": responses.cancel},
            "/v1/responses/{response_id}/input_items": {"GET": responses.input_items},
        },
        "conversations": {
            "/v1/conversations": {"POST": conversations.create},
            one: {"GET": conversations.get, "POST": conversations.update, "DELETE": conversations.delete},
            items: {"GET": conversations.list_items, "POST": conversations.add_items},
            f"{items}/{{item_id}}": {"GET": conversations.get_item, "DELETE": conversations.delete_item},
        },
        "chat": {
            chat: {"GET": completions.page},
            f"{chat}/{{completion_id}}": {
                "GET": completions.get,
                "POST": completions.update,
                "DELETE": completions.delete,
            },
            f"{chat}/{{completion_id}}/messages": {"GET": completions.messages},
        },
    }
    return {
        path: StateEndpoint(surface, limits, handlers)
        for surface, table in tables.items()
        for path, handlers in table.items()
    }
