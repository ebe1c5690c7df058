"""`DIALECT`: requests checked for shape and passed on, answers completed and passed on."""

from __future__ import annotations

from typing import Any

from gateway.core import json
from gateway.core.request import Request
from gateway.core.response import complete_response, request_echo
from gateway.dialects import Choices, Exchange, Relayed
from gateway.dialects.responses.request import checked, items
from gateway.dialects.responses.stream import ResponsesEncoder
from gateway.errors import UnsupportedParameter

Json = dict[str, Any]


class ResponsesExchange:
    """One request and its answers.

    `echo` is what the client sent in fields that an upstream's profile may take out; answers show it again.
    """

    def __init__(self, request: Request, echo: Json) -> None:
        self.request = request
        self.echo = echo

    def encode_response(self, response: Json) -> bytes:
        """The whole object, with every field that strict decoders want."""
        return json.dumps(complete_response(response, self.echo))

    def stream_encoder(self, created: int) -> ResponsesEncoder:
        """An encoder of repaired frames."""
        return ResponsesEncoder(self.echo, created=created, model=self.request.model)

    def client_param(self, param: str | None) -> str | None:
        """The client speaks the inner language."""
        return param

    def headers(self) -> dict[str, str]:
        return {}


class Responses:
    """The `Dialect` of `/v1/responses`."""

    name = "responses"

    def decode(self, document: Json, choices: Choices) -> Exchange:
        """Check the shape and pass the body on; `input` becomes a list, and nothing else changes.

        Raises InvalidRequest with the path of the field in `param`.
        """
        checked(document)
        listed = items(document.get("input"))
        body = document if listed is document.get("input") else {**document, "input": listed}
        return ResponsesExchange(Request(body, stream=document.get("stream") is True), request_echo(document))

    def relay(self, document: Json, model: str | None) -> Relayed:
        """A server that speaks Responses gets the client's own bytes, or the document under another model name.

        The server judges what it gets, new fields and an empty body included. Only what it would run although nobody
        could fetch the result here is refused: UnsupportedParameter.
        """
        if document.get("background") is True and document.get("stream") is not True:
            raise UnsupportedParameter(
                "`background` is not supported without `stream`: this gateway has no route to fetch the result.",
                param="background",
            )
        body = None if model is None else {**document, "model": model}
        request = Request(document if body is None else body, stream=document.get("stream") is True)
        return Relayed(body, exchange=ResponsesExchange(request, {}))


DIALECT = Responses()
