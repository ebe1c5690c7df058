"""The text of one choice, and its tokens in the legacy form (translation §6.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.core.prose import Prose, objects
from gateway.dialects.completions.wishes import Wishes

Json = dict[str, Any]
Emit = Callable[[str, "Json | None"], None]
"""Takes a piece of the text (never empty) and its logprobs, when they are known."""


class Text:
    """What the model says; its refusal, when it said nothing before.

    `prose` is to be fed; pieces of the text come back through `emit`, in their order.
    """

    def __init__(self, wishes: Wishes, emit: Emit) -> None:
        self.prose = Prose(wishes, self._take)
        self._emit = emit
        self._said = 0

    def _take(self, field: str, text: str, tokens: Sequence[Json] | None) -> None:
        """`field`: content or refusal; the third kind, reasoning, has no place here and never comes."""
        if field == "refusal" and self._said:
            return
        offset = self._said
        if field == "content":
            self._said += len(text)
        self._emit(text, legacy_logprobs(tokens, offset) if tokens else None)


def legacy_logprobs(tokens: Sequence[Json], offset: int) -> Json:
    """Lists side by side, an entry a token. `offset`: of the first token, in characters from the start of the text.

    The token that was chosen is always among its alternatives, as the legacy API has it.
    """
    told: Json = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    for token in tokens:
        text, logprob = _token(token)
        told["tokens"].append(text)
        told["token_logprobs"].append(logprob)
        others = dict(_token(other) for _, other in objects(token.get("top_logprobs")))
        told["top_logprobs"].append({text: logprob, **others})
        told["text_offset"].append(offset)
        offset += len(text)
    return told


def joined_logprobs(pieces: Sequence[Json]) -> Json | None:
    """The logprobs of a whole text; None when there are none."""
    if not pieces:
        return None
    return {name: [entry for piece in pieces for entry in piece[name]] for name in pieces[0]}


def _token(token: Json) -> tuple[str, float]:
    logprob = token.get("logprob")
    return str(token.get("token") or ""), float(logprob) if isinstance(logprob, int | float) else 0.0
