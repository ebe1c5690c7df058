"""A client's message → what it asks for, and its place in a chain of responses. Pure.

A `response.create` is the body of `POST /v1/responses` beside `type`, and a few fields that only this transport has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.core import json
from gateway.core.history import orphan
from gateway.dialects.responses.request import checked, items
from gateway.errors import GatewayError, InvalidRequest, UnsupportedParameter, UpstreamRefusal
from gateway.surfaces.websocket.memory import Link, Memory, history

Json = dict[str, Any]

CREATE = "response.create"
STEER = "response.steer"

_ITEM = re.compile(r"input\[(\d+)\](.*)", re.DOTALL)

_TRANSPORT = frozenset({"type", "stream", "stream_id", "generate"})
"""Fields of the message that are not of the body; it is streamed whatever `stream` says."""


@dataclass(frozen=True, slots=True)
class Create:
    """One request. `lane`: the client's own mark, repeated in each event of the answer."""

    document: Json
    generate: bool = True
    lane: str | None = None


@dataclass(frozen=True, slots=True)
class Continuation:
    """A request as it goes on to the engine.

    `previous`: the id that the client sent, when its chain is known here and stands in front of the input now. `chain`
    and `base` are what the new response follows (see `memory`); `added` are the items it brings itself, `before` is how
    many of the history stand in front of them.
    """

    document: Json
    added: Sequence[Any]
    previous: str = ""
    chain: Link | None = None
    base: str = ""
    before: int = 0

    def in_client_places(self, error: GatewayError) -> GatewayError:
        """Name an item of the input by its place in what the client sent; one of the history by no place."""
        found = _ITEM.match(error.param or "")
        if found and self.before:
            place = int(found[1]) - self.before
            error.param = f"input[{place}]{found[2]}" if place >= 0 else "input"
            if isinstance(error, UpstreamRefusal):
                error.body = None
        return error


def read_create(event: Json) -> Create:
    """Raises InvalidRequest or UnsupportedParameter, naming the field."""
    kind = event.get("type")
    if kind != CREATE:
        raise InvalidRequest(f"`type` must be {CREATE!r} or {STEER!r}, not {kind!r}.", param="type")
    generate, lane = event.get("generate"), event.get("stream_id")
    if generate is not None and not isinstance(generate, bool):
        raise InvalidRequest("`generate` must be a boolean.", param="generate")
    if lane is not None and not isinstance(lane, str):
        raise InvalidRequest("`stream_id` must be a string.", param="stream_id")
    if event.get("background") is True:
        raise UnsupportedParameter(
            "`background` is not supported over a WebSocket: a response ends with its connection.", param="background"
        )
    document = {name: value for name, value in event.items() if name not in _TRANSPORT}
    return Create({**document, "stream": True}, generate is not False, lane)


def lane_of(event: Any) -> str | None:
    """The client's mark of a message, whatever else is wrong with it; None when there is none to repeat."""
    lane = event.get("stream_id") if isinstance(event, dict) else None
    return lane if isinstance(lane, str) else None


def lane_in(text: str) -> str | None:
    """The mark of a message that is refused unread. Parses it, so ask once."""
    try:
        event, _ = json.loads_whole(text.encode("utf-8", "replace"))
    except ValueError:
        return None
    return lane_of(event)


def continued(create: Create, memory: Memory) -> Continuation:
    """The request with the history of its `previous_response_id` in front, when that response is known here.

    Any other id stays where it is: the engine knows what the gateway has stored, and a server what it stored itself.
    Raises InvalidRequest for a body that nobody could read, and for the output of a call that was never made.
    """
    document = create.document
    previous = document.get("previous_response_id")
    chain = memory.chain(previous) if isinstance(previous, str) else None
    if chain is None or document.get("conversation") is not None:  # a response and a conversation are refused together
        base = previous if isinstance(previous, str) else ""
        return Continuation(document, items(document.get("input")), base=base)
    checked(document)
    before, base = history(chain)
    added = items(document.get("input"))
    if not base:
        _check_outputs(added, before)
    document = {name: value for name, value in document.items() if name != "previous_response_id"}
    document["input"] = [*before, *added]
    if base:
        document["previous_response_id"] = base
    return Continuation(document, added, str(previous), chain, before=len(before))


def _check_outputs(added: Sequence[Json], before: Sequence[Any]) -> None:
    """Upstreams refuse the output of a call they do not see, and would be right: the whole chain is here."""
    place = orphan(added, before)
    if place is not None:
        raise InvalidRequest(
            f"No tool call found for the output with call_id {added[place].get('call_id')!r}.",
            param=f"input[{place}].call_id",
        )
