"""What the code does with one field of a request, in the words of docs/dialects.md.

sent: in the upstream's body, perhaps under another name. reported: left out, named in x-gateway-dropped. refused: 400
that names it. gateway: the gateway does it. left out: the answer is the same without it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.core.request import Request
from gateway.dialects import Choices, Dialect, Exchange, chat, completions, responses
from gateway.dialects.chat import ChatExchange
from gateway.dialects.chat.names import Names
from gateway.dialects.chat.outbound import GENERIC, encode
from gateway.dialects.chat.wishes import Wishes
from gateway.dialects.completions import CompletionsExchange
from gateway.engine.state.wishes import wish_of
from gateway.errors import InvalidRequest
from gateway.upstreams import Hints, Shaped
from gateway.upstreams.catalogue import BUILT_IN
from gateway.upstreams.profile import CODEX, OPENAI, Profile, Rules, shape

Json = dict[str, Any]

CHAT_BASE: Json = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hi"}]}
RESPONSES_BASE: Json = {"model": "gpt-5.5", "input": "Hi"}

_TOOL = {"type": "function", "function": {"name": "look"}}
_FLAT_TOOL = {"type": "function", "name": "look"}

CHAT_SAMPLES: dict[str, Any] = {
    "model": "gpt-5.6-sol",
    "messages": [{"role": "user", "content": "Hello"}],
    "input": "Hi",
    "instructions": "Be brief.",
    "stream": True,
    "stream_options": {"include_usage": True},
    "store": True,
    "metadata": {"a": "b"},
    "max_completion_tokens": 100,
    "max_tokens": 100,
    "max_output_tokens": 100,
    "temperature": 0.2,
    "top_p": 0.2,
    "n": 2,
    "stop": ["END"],
    "reasoning_effort": "high",
    "reasoning": {"effort": "high"},
    "reasoning_summary": "detailed",
    "include_reasoning": False,
    "enable_thinking": False,
    "thinking": {"type": "disabled"},
    "verbosity": "low",
    "text": {"verbosity": "low"},
    "include": ["file_search_call.results"],
    "response_format": {"type": "json_object"},
    "tools": [_TOOL],
    "functions": [{"name": "look"}],
    "tool_choice": "auto",
    "function_call": "auto",
    "parallel_tool_calls": False,
    "web_search_options": {},
    "logprobs": True,
    "top_logprobs": 3,
    "logit_bias": {"50256": -100},
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "wav"},
    "prediction": {"type": "content", "content": "x"},
    "seed": 7,
    "moderation": {"model": "auto"},
    "user": "somebody",
    "safety_identifier": "somebody",
    "prompt_cache_key": "talk-1",
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"mode": "auto"},
    "service_tier": "priority",
    "background": True,
    "conversation": "conv_1",
    "previous_response_id": "resp_1",
    "prompt": {"id": "pmpt_1"},
    "truncation": "auto",
    "context_management": [{"type": "compaction"}],
    "max_tool_calls": 3,
    "top_k": 40,
}
"""A value of each field that is not its default, so that it makes a difference where it can."""

TEXT_BASE: Json = {"model": "gpt-5.5", "prompt": "Once"}

TEXT_SAMPLES: dict[str, Any] = {
    "model": "gpt-5.6-sol",
    "prompt": "Twice",
    "suffix": "the end",
    "echo": True,
    "max_tokens": 100,
    "temperature": 0.2,
    "top_p": 0.2,
    "stop": ["END"],
    "stream": True,
    "stream_options": {"include_usage": True},
    "logprobs": 3,
    "n": 2,
    "best_of": 2,
    "logit_bias": {"50256": -100},
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "seed": 7,
    "user": "somebody",
    "top_k": 40,
}

RESPONSES_SAMPLES: dict[str, Any] = {
    "model": "gpt-5.6-sol",
    "input": "Hello",
    "instructions": "Be brief.",
    "stream": True,
    "stream_options": {"include_obfuscation": False},
    "store": True,
    "metadata": {"a": "b"},
    "client_metadata": {"session_id": "s"},
    "max_output_tokens": 100,
    "max_tool_calls": 3,
    "temperature": 0.2,
    "top_p": 0.2,
    "truncation": "auto",
    "context_management": [{"type": "compaction"}],
    "moderation": {"model": "auto"},
    "reasoning": {"effort": "high"},
    "text": {"verbosity": "low"},
    "include": ["file_search_call.results"],
    "tools": [_FLAT_TOOL],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "service_tier": "priority",
    "user": "somebody",
    "safety_identifier": "somebody",
    "prompt_cache_key": "talk-1",
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"mode": "auto"},
    "background": True,
    "conversation": "conv_1",
    "previous_response_id": "resp_1",
    "prompt": {"id": "pmpt_1"},
    "top_logprobs": 3,
    "some_new_field": 1,
}

_NEEDS: dict[str, Json] = {
    "tool_choice": {"tools": [_TOOL]},
    "parallel_tool_calls": {"tools": [_TOOL]},
    "function_call": {"functions": [{"name": "look"}]},
    "top_logprobs": {"logprobs": True},
}
"""Fields that mean nothing in a chat body without another."""

_NO_NAMES = Names()


def chat_verdict(field: str, profile: Profile) -> str:
    """What becomes of a field of a chat body that is translated for this kind of server."""
    base = {**CHAT_BASE, **_NEEDS.get(field, {})}
    document = {**base, field: CHAT_SAMPLES[field]}
    if profile is CODEX and _is_kept(chat.DIALECT, document, field):
        return "gateway"
    try:
        exchange, shaped = _chat(document, profile)
    except InvalidRequest as error:
        return "refused" if (error.param or "").startswith(field) else f"refused as {error.param}"
    known = (exchange.client_param(name) or name for name in shaped.dropped)
    if field in (*exchange.request.dropped, *known):
        return "reported"
    without = {name: value for name, value in document.items() if name != field}
    plain, plainly = _chat({**CHAT_BASE, **without}, profile)
    if _sent(shaped) != _sent(plainly):
        return "sent"
    return "left out" if _promised(exchange) == _promised(plain) else "gateway"


def text_verdict(field: str, profile: Profile) -> str:
    """What becomes of a field of a legacy completions body that is translated for this kind of server."""
    try:
        exchange, shaped = _text({**TEXT_BASE, field: TEXT_SAMPLES[field]}, profile)
    except InvalidRequest as error:
        return "refused" if error.param == field else f"refused as {error.param}"
    if field in (*exchange.request.dropped, *map(exchange.client_param, shaped.dropped)):
        return "reported"
    plain, plainly = _text(TEXT_BASE, profile)
    if _sent(shaped) != _sent(plainly):
        return "sent"
    same = (exchange.wishes, exchange.request.stream) == (plain.wishes, plain.request.stream)
    return "left out" if same else "gateway"


def _text(document: Json, profile: Profile) -> tuple[CompletionsExchange, Shaped]:
    exchange = completions.DIALECT.decode(document, Choices())
    assert isinstance(exchange, CompletionsExchange)
    return exchange, _shaped(exchange, profile)


def responses_verdict(field: str) -> str:
    """What becomes of a field of a Responses body on its way to the Codex backend."""
    document = {**RESPONSES_BASE, field: RESPONSES_SAMPLES[field]}
    if _is_kept(responses.DIALECT, document, field):
        return "gateway"
    request = responses.DIALECT.decode(document, Choices()).request
    try:
        shaped = _shape(request, CODEX)
    except InvalidRequest as error:
        return "refused" if error.param == field else f"refused as {error.param}"
    if field in shaped.dropped:
        return "reported"
    without = {name: value for name, value in document.items() if name != field}
    plain = responses.DIALECT.decode({**RESPONSES_BASE, **without}, Choices()).request
    if _sent(shaped) != _sent(_shape(plain, CODEX)):
        return "sent"
    return "left out" if _honoured(request) == _honoured(plain) else "gateway"


def chat_server_verdict(field: str) -> str:
    """What becomes of a field of a Responses body on its way to a chat-only server that nobody knows."""
    needs = {"tools": [_FLAT_TOOL]} if field in ("tool_choice", "parallel_tool_calls") else {}
    sample = {"text": {"format": {"type": "json_object"}}}.get(field, RESPONSES_SAMPLES[field])
    document = {**RESPONSES_BASE, **needs, field: sample}
    if _is_kept(responses.DIALECT, document, field):
        return "gateway"
    request = _inner(document)
    try:
        encoded = encode(request.body, GENERIC, stream=request.stream)
    except InvalidRequest as error:
        return "refused" if error.param == field else f"refused as {error.param}"
    if field in encoded.dropped:
        return "reported"
    plain = _inner({**RESPONSES_BASE, **{name: value for name, value in document.items() if name != field}})
    if _unflagged(encoded.body) != _unflagged(encode(plain.body, GENERIC, stream=plain.stream).body):
        return "sent"
    return "left out" if _honoured(request) == _honoured(plain) else "gateway"


def _is_kept(dialect: Dialect, document: Json, field: str) -> bool:
    """Whether it is the store's to do what the field asks for, where the gateway keeps responses."""
    wish = wish_of(dialect, document, "gateway")
    if wish is None:
        return False
    wants = {
        "store": wish.keep,
        "background": wish.background,
        "conversation": wish.conversation == document.get("conversation"),
        "previous_response_id": wish.previous == document.get("previous_response_id"),
    }
    return wants.get(field, False)


def _honoured(request: Request) -> tuple[bool, Any]:
    """What the engine does itself."""
    return request.stream, request.body.get("truncation")


def _inner(document: Json) -> Request:
    return responses.DIALECT.decode(document, Choices()).request


def _chat(document: Json, profile: Profile) -> tuple[ChatExchange, Shaped]:
    exchange = chat.DIALECT.decode(document, Choices())
    return exchange, _shaped(exchange, profile)


def _shaped(exchange: Exchange, profile: Profile) -> Shaped:
    try:
        return _shape(exchange.request, profile)
    except InvalidRequest as error:
        error.param = exchange.client_param(error.param)
        raise


def _promised(exchange: ChatExchange) -> tuple[Wishes, bool]:
    """What the gateway has to do itself; the register of tool names has no equality of its own."""
    return replace(exchange.wishes, names=_NO_NAMES), exchange.request.stream


def _shape(request: Request, profile: Profile) -> Shaped:
    return shape(request, Hints(), Rules(profile), BUILT_IN)


def _sent(shaped: Shaped) -> Json:
    """The upstream's body, less the flag that is set by how it is called."""
    return _unflagged(shaped.body)


def _unflagged(body: Json) -> Json:
    return {name: value for name, value in body.items() if name not in ("stream", "stream_options")}


PROFILES = {"codex_oauth": CODEX, "openai_api": OPENAI}
