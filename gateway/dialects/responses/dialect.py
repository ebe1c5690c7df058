"""`DIALECT`: requests checked for shape and passed on, answers completed and passed on."""

from __future__ import annotations

from typing import Any

from gateway.core import json
from gateway.core.compaction import expanded
from gateway.core.request import Request
from gateway.core.response import complete_response, request_echo
from gateway.core.seal import REASONING, is_ours
from gateway.dialects import Choices, Exchange, Keeps, Relayed
from gateway.dialects.responses.request import checked, items
from gateway.dialects.responses.stream import ResponsesEncoder

Json = dict[str, Any]


_SET_BY_US: Json = {"instructions": None, "prompt_cache_key": None}
"""What an upstream is told although the client said nothing of it; the answer shows the client's own words."""


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

    def kept(self, response: Json) -> Json:
        return complete_response(response, self.echo)

    def not_kept(self) -> None:
        self.echo["store"] = False

    def stream_encoder(self, created: int) -> ResponsesEncoder:
        """An encoder of repaired frames."""
        return ResponsesEncoder(self.echo, created=created, model=self.request.model)

    def client_param(self, param: str | None) -> str | None:
        """The client speaks the inner language."""
        return param

    def headers(self) -> dict[str, str]:
        return {}


class Responses:
    """The `Dialect` of `/v1/responses`.

    `shown`: fields that answers show whatever the upstream says, for a request that was changed before it came here.
    """

    name = "responses"
    keeps: Keeps = "unless_told"
    continues = True

    def __init__(self, shown: Json | None = None) -> None:
        self.shown = shown or {}

    def showing(self, shown: Json) -> Responses:
        """The same, with more to show. What it shows already is nearer to the client's own words, and stays."""
        return Responses({**shown, **self.shown})

    def decode(self, document: Json, choices: Choices) -> Exchange:
        """Check the shape and pass the body on; `input` becomes a list, and nothing else changes.

        Raises InvalidRequest with the path of the field in `param`.
        """
        checked(document)
        given = items(document.get("input"))
        listed = expanded(given) or given
        body = document if listed is document.get("input") else {**document, "input": listed}
        echo = {**_SET_BY_US, **request_echo(document), **self.shown}
        return ResponsesExchange(Request(body, stream=document.get("stream") is True), echo)

    def relay(self, document: Json, model: str | None) -> Relayed:
        """A server that speaks Responses gets the client's own bytes, or the document under another model name.

        The server judges what it gets, new fields and an empty body included.
        """
        body = renewed(document, model)
        request = Request(document if body is None else body, stream=document.get("stream") is True)
        return Relayed(body, exchange=ResponsesExchange(request, dict(self.shown)))


def renewed(document: Json, model: str | None) -> Json | None:
    """The document under the server's name of the model, with what we sealed in words or left out; None if all is well.

    Reasoning that we sealed came from a chat-only server; this one would refuse it.
    """
    changes: Json = {} if model is None else {"model": model}
    given = document.get("input")
    if isinstance(given, list):
        mended = [item for item in expanded(given) or given if not _is_sealed_reasoning(item)]
        if mended != given:
            changes["input"] = mended
    return {**document, **changes} if changes else None


def _is_sealed_reasoning(item: object) -> bool:
    return isinstance(item, dict) and is_ours(REASONING, item.get("encrypted_content"))


DIALECT = Responses()
