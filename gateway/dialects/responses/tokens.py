"""`/v1/responses/input_tokens`: what a create request would cost to read (translation §7.7).

`InputTokens` asks a server that speaks Responses. `Estimate` needs nobody: for upstreams that do not count, the gateway
answers with an estimate of its own and says so in a header.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.core import json
from gateway.core.estimate import input_tokens
from gateway.core.request import Request
from gateway.dialects import Bundle, Choices, Keeps, Relayed
from gateway.dialects.responses.dialect import renewed
from gateway.dialects.responses.request import checked
from gateway.dialects.responses.stream import ResponsesEncoder
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
    PreviousResponseNotFound,
    RouteNotFound,
    UnsupportedParameter,
)

Json = dict[str, Any]

ESTIMATE = {"x-gateway-estimate": "1"}

_NOT_NEEDED: Json = {"model": "any", "input": []}
"""What stands in for the fields that a create request must have, and this one may leave out."""


class CountExchange:
    """A request for a count, and its answer."""

    def __init__(self, request: Request) -> None:
        self.request = request

    def encode_response(self, response: Json) -> bytes:
        """The count. Raises RouteNotFound where there is none: some servers tell with status 200 that they lack it."""
        count = response.get("input_tokens")
        if type(count) is not int or count < 0:
            raise RouteNotFound("The upstream's answer holds no count.")
        return _answer(count)

    def stream_encoder(self, created: int) -> ResponsesEncoder:
        """Never asked for: a count is one document."""
        return ResponsesEncoder({}, created=created, model=self.request.model)

    def client_param(self, param: str | None) -> str | None:
        return param

    def headers(self) -> dict[str, str]:
        return {}


class Estimate:
    """The `Dialect` of a count that the gateway makes itself."""

    name = "estimate"
    keeps: Keeps = "never"
    continues = True

    def relay(self, document: Json, model: str | None) -> Relayed | None:
        """Never: nobody is asked."""
        return None

    def decode(self, document: Json, choices: Choices) -> Bundle:
        """The estimate, as a request that takes no turn.

        Raises InvalidRequest for what a create request is refused for; PreviousResponseNotFound and NotFound for a
        history that is not here; UnsupportedParameter for a template, which only its own server can read.
        """
        _check(document)
        return Bundle((), _Counted(input_tokens(document)), ESTIMATE)


class InputTokens(Estimate):
    """The `Dialect` of a count as OpenAI's own API has it."""

    name = "responses"

    def relay(self, document: Json, model: str | None) -> Relayed:
        """The client's own bytes, unless a name or a text of ours has to be put in other words."""
        body = renewed(document, model)
        request = Request(document if body is None else body, stream=False, counts=True)
        return Relayed(body, exchange=CountExchange(request))


class _Counted:
    """The `Joint` of no exchanges: the answer is there."""

    failed = False
    finished = True

    def __init__(self, count: int) -> None:
        self._count = count

    def join(self, bodies: Sequence[bytes]) -> bytes:
        return _answer(self._count)

    def fail(self, error: GatewayError) -> bytes:
        """Never asked for: there is no stream to end."""
        return b""


def _answer(count: int) -> bytes:
    return json.dumps({"object": "response.input_tokens", "input_tokens": count})


def _check(document: Json) -> None:
    checked({**_NOT_NEEDED, **{name: value for name, value in document.items() if value is not None}})
    personality = document.get("personality")
    if personality is not None and not isinstance(personality, str):
        raise InvalidRequest("`personality` must be a string.", param="personality")
    if document.get("prompt") is not None:
        raise UnsupportedParameter(
            "`prompt` cannot be counted here: only the server that keeps a template can read it.", param="prompt"
        )
    previous, conversation = document.get("previous_response_id"), document.get("conversation")
    if previous is not None:
        raise PreviousResponseNotFound(
            f"Previous response with id '{previous[:80]}' not found.", param="previous_response_id"
        )
    if conversation is not None:
        name = conversation["id"] if isinstance(conversation, dict) else conversation
        raise NotFound(f"Conversation with id '{name[:80]}' not found.", param="conversation")
