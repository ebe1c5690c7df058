"""The `recall` step: what a request goes on from is put in front of its input (translation §7.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.core.history import call_of, is_empty_reasoning, is_reference, nameless, orphan
from gateway.core.ids import item_prefix
from gateway.dialects.responses.request import checked, items, known
from gateway.engine.state.wishes import Wish
from gateway.errors import InvalidRequest, NotFound, PreviousResponseNotFound
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

    `added`: what is new in its input. `before`: how many items of the input came out of the store. `origins`: see
    `Turn`. `previous` and `conversation` are keys. `shown`: what the answer says of all this.
    """

    document: Json
    added: Sequence[Json]
    origins: dict[int, str] = field(default_factory=dict)
    previous: str | None = None
    conversation: str | None = None
    shown: Json = field(default_factory=dict)


async def recall(store: Store, owner: str, document: Json, wish: Wish) -> Recalled | None:
    """The request with its history; None when it names ids that are not ours, and may be its server's.

    Raises InvalidRequest and NotFound, naming the field.
    """
    (checked if wish.turn else known)(document)
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
    stood, added, found = await _new_items(store, owner, given, names)
    if wish.continues:
        _check_outputs(stood, added, before)
    sent: list[Json] = []
    origins: dict[int, str] = {}
    for body, item in [*zip(before, history, strict=True), *((body, found.get(id(body))) for body in added)]:
        if item is None:
            sent.append(body)
        elif not is_empty_reasoning(body):
            if item.meta and ORIGIN in item.meta:
                origins[len(sent)] = item.meta[ORIGIN]
            sent.append(nameless(body))
    changed = {name: value for name, value in document.items() if name not in _OURS} | {"input": sent}
    shown = {name: document.get(name) for name in ("previous_response_id", "background") if document.get(name)}
    if conversation is not None:
        shown["conversation"] = {"id": wish.conversation}
    return Recalled(changed, added, origins, previous, conversation, shown)


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


async def _new_items(
    store: Store, owner: str, given: Sequence[Json], names: set[object]
) -> tuple[list[int], list[Json], dict[int, Item]]:
    """The input without what the history says already, references replaced by what they name where we have it.

    Clients that keep the history themselves send all of it again. Before the items: where each stood in the input.
    After them: by identity, which of them came out of the store.
    """
    stood = [place for place, item in enumerate(given) if not _is_known(item, names)]
    fresh = [given[place] for place in stood]
    wanted = {item["id"] for item in fresh if is_reference(item) and isinstance(item.get("id"), str)}
    referred = await store.responses.items(owner, wanted) if wanted else {}
    if not referred:
        return stood, fresh, {}
    bodies = {name: item.body() for name, item in referred.items()}
    resolved = [bodies.get(str(item["id"]), item) if is_reference(item) else item for item in fresh]
    return stood, resolved, {id(bodies[name]): item for name, item in referred.items()}


def _is_known(item: Json, names: set[object]) -> bool:
    name = item.get("id")
    return (isinstance(name, str) and name in names) or call_of(item) in names


def _check_outputs(stood: Sequence[int], added: Sequence[Json], before: Sequence[Json]) -> None:
    """Servers refuse the output of a call they do not see, and would be right: the whole history is here."""
    place = orphan(added, before)
    if place is not None:
        raise InvalidRequest(
            f"No tool call found for the output with call_id {added[place].get('call_id')!r}.",
            param=f"input[{stood[place]}].call_id",
        )


def readable_by(document: Json, origins: Mapping[int, str], origin: str) -> Json:
    """The document without reasoning that only another account, or another upstream, could read."""
    foreign = {place for place, other in origins.items() if other != origin}
    if not foreign:
        return document
    return {**document, "input": [item for place, item in enumerate(document["input"]) if place not in foreign]}
