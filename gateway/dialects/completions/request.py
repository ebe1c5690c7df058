"""A legacy completions body → one inner request a prompt (translation §6.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.core.fields import (
    found,
    malformed,
    missing,
    need_text,
    read_bool,
    read_integer,
    read_number,
    read_object,
    read_text,
)
from gateway.core.request import Request
from gateway.core.verdicts import Verdicts, read_limit, read_stop, read_user, refuse_sampling
from gateway.dialects import Choices
from gateway.dialects.completions.wishes import Wishes
from gateway.errors import InvalidRequest, UnsupportedParameter, UnsupportedValue

Json = dict[str, Any]

MOST_PROMPTS = 2048
"""Prompts of one request: each is a call that somebody pays for, so a slip must not become a million of them."""

_MOST_LOGPROBS = 5
_LOGPROBS = "message.output_text.logprobs"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt: its place in the body, the inner request it became, and how its answer is to look."""

    path: str
    request: Request
    wishes: Wishes


def decode(document: Json, choices: Choices) -> tuple[Prompt, ...]:
    """A request for every prompt, in their order.

    Raises InvalidRequest, UnsupportedParameter or UnsupportedValue, naming the client's field in `param`.
    """
    model = need_text(document, "model", "model")
    verdicts = Verdicts(choices)
    prompts = _read_prompts(document)
    stream = bool(read_bool(document, "stream", "stream"))
    stream_options = read_object(document, "stream_options", "stream_options") or {}
    options = _read_options(document, verdicts)
    if stream:
        # Padding against eavesdroppers doubles the bytes of a stream, and nobody here asked for it.
        wanted = read_bool(stream_options, "include_obfuscation", "stream_options.include_obfuscation")
        options["stream_options"] = {"include_obfuscation": bool(wanted)}
    include_usage = bool(read_bool(stream_options, "include_usage", "stream_options.include_usage"))
    echo = _read_echo(document, verdicts)
    stop = read_stop(document, verdicts)

    def asked(index: int, path: str, text: str) -> Prompt:
        said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        body = {"model": model, "input": [said], "stream": stream, "store": False, **options}
        wishes = Wishes(
            model=model,
            index=index,
            include_usage=include_usage,
            logprobs="include" in options,
            stop=stop,
            echo=text if echo else "",
        )
        return Prompt(path, Request(body=body, stream=stream, dropped=verdicts.dropped), wishes)

    return tuple(asked(index, path, text) for index, (path, text) in enumerate(prompts))


def _read_prompts(document: Json) -> list[tuple[str, str]]:
    """Path and text of each prompt."""
    prompt = document.get("prompt")
    expected = "a string or an array of strings"
    if prompt is None:
        raise missing("prompt", expected)
    if isinstance(prompt, str):
        return [("prompt", prompt)]
    if not isinstance(prompt, list):
        raise malformed("prompt", expected, prompt)
    if not prompt:
        raise InvalidRequest("prompt is an empty array: there is nothing to complete.", param="prompt")
    if _is_token(prompt[0]) or isinstance(prompt[0], list):
        message = "prompt must be text: token ids mean something to one model's own server only."
        raise UnsupportedValue(message, param="prompt")
    if len(prompt) > MOST_PROMPTS:
        raise InvalidRequest(f"prompt holds at most {MOST_PROMPTS} strings, not {len(prompt)}.", param="prompt")
    for index, text in enumerate(prompt):
        if not isinstance(text, str):
            raise malformed(f"prompt[{index}]", "a string", text)
    return [(f"prompt[{index}]", text) for index, text in enumerate(prompt)]


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _read_options(document: Json, verdicts: Verdicts) -> Json:
    """The fields of the inner body other than the prompt."""
    options: Json = {
        "temperature": read_number(document, "temperature", "temperature"),
        "top_p": read_number(document, "top_p", "top_p"),
        "max_output_tokens": read_limit(document, ("max_tokens",), verdicts),
        "user": read_user(document),
    }
    options = {name: value for name, value in options.items() if value is not None}
    logprobs = read_integer(document, "logprobs", "logprobs")
    if logprobs is not None:
        if not 0 <= logprobs <= _MOST_LOGPROBS:
            raise malformed("logprobs", f"between 0 and {_MOST_LOGPROBS}", logprobs)
        options |= {"include": [_LOGPROBS], "top_logprobs": logprobs}
    read_integer(document, "seed", "seed")  # best effort also where it is known: nothing is lost without it
    refuse_sampling(document, verdicts)
    _refuse_best_of(document, verdicts)
    if read_text(document, "suffix", "suffix"):
        message = "suffix is not supported here: no upstream of this kind fills in text."
        verdicts.refuse(UnsupportedParameter(message, param="suffix"))
    return options


def _refuse_best_of(document: Json, verdicts: Verdicts) -> None:
    best_of = read_integer(document, "best_of", "best_of")
    if best_of is None or best_of in (0, 1):
        return
    if best_of < 0:
        raise malformed("best_of", "1", best_of)
    message = f"best_of must be 1, not {found(best_of)}: one prompt is answered once here."
    verdicts.refuse(UnsupportedValue(message, param="best_of"))


def _read_echo(document: Json, verdicts: Verdicts) -> bool:
    echo = bool(read_bool(document, "echo", "echo"))
    if echo and document.get("logprobs") is not None:
        message = "echo cannot be combined with logprobs here: nobody tells the logprobs of a prompt."
        verdicts.refuse(UnsupportedParameter(message, param="echo"))
        return False
    return echo
