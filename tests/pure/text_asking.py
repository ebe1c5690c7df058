"""Builders for tests of legacy completions: requests, the encoding of streams, and what the client reads of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from gateway.dialects import Bundle, Choices
from gateway.dialects.completions import DIALECT, CompletionsExchange
from tests.pure.chat_frames import frames
from tests.sdk_streams import TextJudge
from tests.sdk_types import check_completion_stream

Json = dict[str, Any]


def decoded(choices: Choices | None = None, /, **fields: Any) -> CompletionsExchange | Bundle:
    """Decode a body with one prompt and these fields."""
    return DIALECT.decode({"model": "m", "prompt": "Once", **fields}, choices or Choices())


def exchange(choices: Choices | None = None, /, **fields: Any) -> CompletionsExchange:
    """The exchange of a body with one prompt."""
    asked = decoded(choices, **fields)
    assert isinstance(asked, CompletionsExchange)
    return asked


def bundle(*prompts: str, **fields: Any) -> Bundle:
    """The exchanges of a body with several prompts."""
    asked = decoded(prompt=list(prompts), **fields)
    assert isinstance(asked, Bundle)
    return asked


def said(asked: CompletionsExchange, response: Json) -> Json:
    """The one choice of the JSON answer."""
    [choice] = json.loads(asked.encode_response(response))["choices"]
    assert isinstance(choice, dict)
    return choice


def encoded(asked: CompletionsExchange, events: Iterable[Json]) -> bytes:
    """The bytes of a stream; each event is one read."""
    encoder = asked.stream_encoder(5)
    return b"".join(encoder.feed([frame]) for frame in frames(events))


def streamed(asked: CompletionsExchange, events: Iterable[Json], *, usage: bool = False) -> TextJudge:
    """The same, judged as a whole stream."""
    return check_completion_stream(encoded(asked, events), usage)


def error_in(stream: bytes) -> Json:
    """The error that ends a stream."""
    payloads = [line.removeprefix("data: ") for line in stream.decode().split("\n\n") if line]
    assert payloads[-1] == "[DONE]"
    error = json.loads(payloads[-2])["error"]
    assert isinstance(error, dict)
    return error
