"""Legacy completions: prompts in, texts and chunk streams out, and the native relay of servers that still speak them.

`request` reads a body into one inner request a prompt; `response` (JSON) and `stream` write the answers, `text` is what
both make of the model's words, and `joint` makes one answer of several. Pure: no network, clock or settings. The
engine uses `DIALECT`; nobody else.
"""

from __future__ import annotations

import re
from typing import Any

from gateway.core.request import Request
from gateway.dialects import Bundle, Choices, Keeps, Relayed
from gateway.dialects.completions.joint import Joint
from gateway.dialects.completions.request import Prompt, decode
from gateway.dialects.completions.response import encode_response
from gateway.dialects.completions.stream import TextEncoder
from gateway.dialects.completions.wishes import Wishes
from gateway.dialects.relay import ChunkRelay, answers, edits

__all__ = ["DIALECT", "CompletionsDialect", "CompletionsExchange"]

Json = dict[str, Any]

_ROOT = re.compile(r"[^.\[]*")
_NAMES = {"max_output_tokens": "max_tokens", "include": "logprobs", "top_logprobs": "logprobs"}


class CompletionsExchange:
    """One prompt and the encoding of its answer; an `Exchange`."""

    def __init__(self, prompt: Prompt, sent: Json, joint: Joint | None) -> None:
        """`sent`: the client's body. `joint`: the stream that it shares with other prompts; None when it is alone."""
        self.request: Request = prompt.request
        self.wishes: Wishes = prompt.wishes
        self._path = prompt.path
        self._sent = sent
        self._joint = joint

    def encode_response(self, response: Json) -> bytes:
        """The `text_completion` for a response whose status is completed or incomplete."""
        return encode_response(response, self.wishes)

    def stream_encoder(self, created: int) -> TextEncoder:
        """An encoder for this choice. `created`: Unix seconds, used when the upstream tells none."""
        joint = self._joint or Joint(1, include_usage=self.wishes.include_usage)
        return TextEncoder(self.wishes, joint, created)

    def client_param(self, param: str | None) -> str | None:
        """The client's name for a field of the inner request; None when the client sent nothing of the kind."""
        root = _ROOT.match(param or "")
        name = root[0] if root else ""
        if name == "input":
            return self._path
        known = _NAMES.get(name, name)
        if self._sent.get(known) is None:
            return None
        return param if known == name else known

    def headers(self) -> dict[str, str]:
        """None of its own."""
        return {}


class CompletionsDialect:
    """The `Dialect` of `/v1/completions`."""

    name = "completions"
    keeps: Keeps = "never"
    continues = False

    def relay(self, document: Json, model: str | None) -> Relayed | None:
        """The client's own bytes, with at most the model and the wish for token counts edited.

        Token ids, `suffix`, several prompts: the server knows them all. None without a model: translating refuses it.
        """
        if not isinstance(document.get("model"), str):
            return None
        options = document.get("stream_options")
        include_usage = isinstance(options, dict) and options.get("include_usage") is True
        relay = ChunkRelay(include_usage=include_usage, choices=_answers(document))
        return Relayed(edits=edits(document, model=model), relay=relay)

    def decode(self, document: Json, choices: Choices) -> CompletionsExchange | Bundle:
        """Translate a parsed body; a bundle of exchanges when it holds several prompts.

        Raises InvalidRequest, UnsupportedParameter or UnsupportedValue, naming the client's field in `param`.
        """
        prompts = decode(document, choices)
        if len(prompts) == 1:
            return CompletionsExchange(prompts[0], document, None)
        joint = Joint(len(prompts), include_usage=prompts[0].wishes.include_usage)
        return Bundle(tuple(CompletionsExchange(prompt, document, joint) for prompt in prompts), joint)


def _answers(document: Json) -> int:
    """How many choices a server makes of this body: `n` for each prompt; one prompt may be an array of token ids."""
    prompt = document.get("prompt")
    several = isinstance(prompt, list) and not all(isinstance(token, int) for token in prompt)
    prompts = len(prompt) if isinstance(prompt, list) and several else 1
    return prompts * answers(document)


DIALECT = CompletionsDialect()
