"""Chat completions: request bodies in, completions and chunk streams out, and the native relay of chat upstreams.

Reading goes `request` → `messages`, `content`, `tools`, `options`; writing goes `response` (JSON) and `stream`, which
share `prose` and `calls`. Pure: no network, clock or settings. The engine uses `DIALECT` and `relay`; nobody else.
"""

from __future__ import annotations

from typing import Any

from gateway.core.request import Request
from gateway.core.response import complete_response
from gateway.dialects import Choices, Keeps, Relayed
from gateway.dialects.chat.params import Params
from gateway.dialects.chat.request import decode
from gateway.dialects.chat.response import encode_response
from gateway.dialects.chat.stream import ChunkEncoder
from gateway.dialects.chat.wishes import Wishes
from gateway.dialects.relay import ChunkRelay, answers, edits

__all__ = ["DIALECT", "ChatDialect", "ChatExchange"]

Json = dict[str, Any]


_UNFED = ChunkRelay(include_usage=False)
"""In the place of the relay of a stream, for answers that are none."""


class ChatExchange:
    """One chat request and the encoding of its answer; an `Exchange`."""

    def __init__(self, request: Request, wishes: Wishes, params: Params) -> None:
        self.request = request
        self.wishes = wishes
        self._params = params

    def encode_response(self, response: Json) -> bytes:
        """The `chat.completion` for a response whose status is completed or incomplete."""
        return encode_response(response, self.wishes)

    def stream_encoder(self, created: int) -> ChunkEncoder:
        """An encoder for this exchange's chunk stream. `created`: Unix seconds, used when the upstream tells none."""
        return ChunkEncoder(self.wishes, created)

    def client_param(self, param: str | None) -> str | None:
        """The client's name for a field of the inner request; None when the client sent nothing of the kind."""
        return self._params.client(param)

    def kept(self, response: Json) -> Json:
        """The response object, with the client's own metadata."""
        return complete_response(response, {"metadata": self.wishes.metadata or {}, "store": True})

    def not_kept(self) -> None:
        """Chat answers do not say whether they are kept."""

    def headers(self) -> dict[str, str]:
        """Says that a stream shows custom calls in the form of function calls, when it may hold any."""
        shown_as_function = self.wishes.custom_tools and not self.wishes.native_custom_calls
        return {"x-gateway-custom-calls": "as-function"} if shown_as_function and self.request.stream else {}


class ChatDialect:
    """The `Dialect` of `/v1/chat/completions`."""

    name = "chat"
    keeps: Keeps = "when_told"
    continues = False

    def relay(self, document: Json, model: str | None) -> Relayed | None:
        """A chat server gets the client's own bytes, with at most the model and the wish for token counts edited.

        None for a Responses body on the chat path and for a body without what every server needs: translating it
        serves the one and refuses the other.
        """
        if not isinstance(document.get("messages"), list) or not isinstance(document.get("model"), str):
            return None
        if document.get("stream") is not True:
            return Relayed(edits=edits(document, model=model), relay=_UNFED)
        options = document.get("stream_options")
        include_usage = isinstance(options, dict) and options.get("include_usage") is True
        relay = ChunkRelay(include_usage=include_usage, choices=answers(document))
        return Relayed(edits=edits(document, model=model), relay=relay)

    def decode(self, document: Json, choices: Choices) -> ChatExchange:
        """Translate a parsed body (translation §1).

        Raises InvalidRequest, UnsupportedParameter or UnsupportedValue, naming the client's field in `param`.
        """
        decoded = decode(document, choices)
        return ChatExchange(decoded.request, decoded.wishes, decoded.params)


DIALECT = ChatDialect()
