"""The `recall` step: what a request goes on from is put in front of its input (translation §7.4)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.core.history import call_of, is_empty_reasoning, is_reference, is_tool_output, nameless, orphan
from gateway.core.ids import item_prefix
from gateway.core.metadata import read_metadata
from gateway.dialects.responses.request import checked, items, known
from gateway.engine.state.wishes import Wish
from gateway.errors import GatewayError, InvalidRequest, NotFound, PreviousResponseNotFound, UpstreamRefusal
from gateway.store.ids import body_of
from gateway.store.rows import Item

if TYPE_CHECKING:
    from gateway.store import Store

Json = dict[str, Any]

ORIGIN = "origin"
"""In `meta` of an item: who can read its encrypted content (`Upstream.origin`)."""

_OURS = ("previous_response_id", "conversation", "background")
_RUNNING = frozenset({"queued", "in_progress"})


@dataclass(slots=True)
class Recalled:
    """A request as it goes on: `document` stands for itself and needs no store.

    `added`: what is new in its input. `origins`, `places`: see `Turn`. `previous` and `conversation` are keys. `shown`:
    what the answer says of all this.
    """

    document: Json
    added: Sequence[Json]
    origins: dict[int, str] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)
    previous: str | None = None
    conversation: str | None = None
    shown: Json = field(default_factory=dict)


async def recall(store: Store, owner: str, document: Json, wish: Wish) -> Recalled | None:
    """The request with its history; None when it names ids that are not ours, and may be its server's.

    Raises InvalidRequest and NotFound, naming the field.
    """
    (checked if wish.turn else known)(document)
    if wish.keep and wish.turn:
        read_metadata(document.get("metadata"))
    for name in ("previous_response_id", "conversation"):
        if document.get(name) == "":
            raise InvalidRequest(f"{name} must be an id, not an empty text.", param=name, code="invalid_value")
    chain = await _chain(store, owner, document, wish)
    if chain is None:
        return None
    history, previous, conversation = chain
    before = [item.body() for item in history]
    names = _names(history, before)
    given = items(document.get("input"))
    stood = _unsaid(given, names, before)
    added, found = await _resolved(store, owner, [given[place] for place in stood])
    if wish.continues:
        _check_outputs(stood, added, before)
    sent: list[Json] = []
    places: list[int] = []
    origins: dict[int, str] = {}
    kept = ((-1, body, item) for body, item in zip(before, history, strict=True))
    new = ((place, body, found.get(id(body))) for place, body in zip(stood, added, strict=True))
    for place, body, item in [*kept, *new]:
        if item is not None and is_empty_reasoning(body):
            continue
        if item is not None and item.meta and ORIGIN in item.meta:
            origins[len(sent)] = item.meta[ORIGIN]
        sent.append(body if item is None else nameless(body))
        places.append(place)
    changed = {name: value for name, value in document.items() if name not in _OURS} | {"input": sent}
    shown = {name: document.get(name) for name in ("previous_response_id", "background") if document.get(name)}
    if conversation is not None:
        shown["conversation"] = {"id": wish.conversation}
    return Recalled(changed, added, origins, places, previous, conversation, shown)


async def _chain(
    store: Store, owner: str, document: Json, wish: Wish
) -> tuple[Sequence[Item], str | None, str | None] | None:
    """The items that the request goes on from, and the key of their response or conversation."""
    if wish.previous and wish.conversation:
        message = "previous_response_id and conversation cannot be used together: a conversation has its own history."
        raise InvalidRequest(message, param="previous_response_id", code="mutually_exclusive_parameters")
    if wish.previous:
        if wish.ours and body_of("response", wish.previous) is None:
            message = f"previous_response_id must be the id of a response (resp_…), not {wish.previous[:80]!r}."
            raise InvalidRequest(message, param="previous_response_id", code="invalid_value")
        history = await store.responses.history(owner, wish.previous)
        if history is None:
            if not wish.ours:
                return None
            raise PreviousResponseNotFound(
                f"Previous response with id '{wish.previous[:80]}' not found.", param="previous_response_id"
            )
        if not history.continuable:
            raise _not_continuable(wish.previous, history.status)
        if wish.turn and not document.get("input"):
            raise InvalidRequest("`input` is missing: a string or an array of items is needed.", param="input")
        return history.items, history.key, None
    if wish.conversation:
        conversation = await store.conversations.get(owner, wish.conversation)
        found = None if conversation is None else await store.conversations.items(owner, conversation.key)
        if conversation is not None and found is not None:
            return found, None, conversation.key
        if not wish.ours:
            return None
        if body_of("conversation", wish.conversation) is None:
            message = f"conversation must be the id of a conversation (conv_…), not {wish.conversation[:80]!r}."
            raise InvalidRequest(message, param="conversation", code="invalid_value")
        raise NotFound(f"Conversation with id '{wish.conversation[:80]}' not found.", param="conversation")
    return (), None, None


def _not_continuable(name: str, status: str) -> PreviousResponseNotFound:
    why = "still runs: wait for its end" if status in _RUNNING else f"has {_ENDS[status]}: continue the one before it"
    return PreviousResponseNotFound(
        f"Previous response with id '{name[:80]}' cannot be continued, because it {why}.", param="previous_response_id"
    )


_ENDS = {"failed": "failed", "cancelled": "been cancelled"}


def _names(history: Iterable[Item], before: Iterable[Json]) -> set[object]:
    """What the items of a history are known by: their ids, as they were and as lists show them, and their calls."""
    names: set[object] = {name for body in before for name in (body.get("id"), call_of(body)) if name}
    names.update(f"{item_prefix(item.type)}_{item.wire_id}" for item in history)
    return names


def _unsaid(given: Sequence[Json], names: set[object], before: Iterable[Json]) -> list[int]:
    """The places of what the history does not say already: clients that keep it themselves send all of it again.

    Some servers give the same `call_id` again and again: as long as such calls wait for outputs, the last are new.
    """
    waiting: Counter[object] = Counter()
    for item in before:
        if call_of(item) is not None:
            waiting[item["call_id"]] += -1 if is_tool_output(item) else 1
    stood = []
    for place in range(len(given) - 1, -1, -1):
        item = given[place]
        name, call = item.get("id"), call_of(item)
        if isinstance(name, str) and name in names:
            continue
        if call in names and not (is_tool_output(item) and waiting[item["call_id"]] > 0):
            continue
        if call is not None:
            waiting[item["call_id"]] -= is_tool_output(item)
        stood.append(place)
    return stood[::-1]


async def _resolved(store: Store, owner: str, fresh: list[Json]) -> tuple[list[Json], dict[int, Item]]:
    """The items with references replaced by what they name, where we have it.

    And, by identity, which of them came out of the store.
    """
    wanted = {item["id"] for item in fresh if is_reference(item) and isinstance(item.get("id"), str)}
    referred = await store.responses.items(owner, wanted) if wanted else {}
    if not referred:
        return fresh, {}
    bodies = {name: item.body() for name, item in referred.items()}
    resolved = [bodies.get(str(item["id"]), item) if is_reference(item) else item for item in fresh]
    return resolved, {id(bodies[name]): item for name, item in referred.items()}


def _check_outputs(stood: Sequence[int], added: Sequence[Json], before: Sequence[Json]) -> None:
    """Servers refuse the output of a call they do not see, and would be right: the whole history is here."""
    place = orphan(added, before)
    if place is not None:
        raise InvalidRequest(
            f"No tool call found for the output with call_id {added[place].get('call_id')!r}.",
            param=f"input[{stood[place]}].call_id",
        )


def in_client_places(error: GatewayError, places: Sequence[int]) -> GatewayError:
    """The error names an item of the input by its place in what the client sent; one of the history by no place.

    `places`: see `Turn`.
    """
    found = _ITEM.fullmatch(error.param or "")
    if found and places:
        number = int(found[1])
        place = places[number] if number < len(places) else -1
        _rename(error, "input" if place < 0 else f"input[{place}]{found[2]}")
    return error


def _rename(error: GatewayError, param: str) -> None:
    if param == error.param:
        return
    error.message = error.message.replace(f"'{error.param}'", f"'{param}'")
    error.param = param
    if isinstance(error, UpstreamRefusal):
        error.body = None


_ITEM = re.compile(r"input\[(\d+)\](.*)", re.DOTALL)
