"""Known servers of chat completions: how each one is recognised, and what it wants said differently.

One table, read from the makers' own references and from what their servers answer. A server that is not in it gets the
form that every server takes. `upstream.server` names a row; `auto` finds it by host and port.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.dialects.chat.outbound.quirks import GENERIC, Quirks

AUTO = "auto"

_SAMPLING = frozenset({"stop", "seed", "presence_penalty", "frequency_penalty"})
_LOCAL = _SAMPLING | {"top_k", "min_p", "repeat_penalty"}


@dataclass(frozen=True, slots=True)
class Server:
    """A kind of server. `hosts` stand for their subdomains too; `port` is the one its maker gave it."""

    quirks: Quirks
    hosts: tuple[str, ...] = ()
    port: int | None = None


# Servers that people run themselves pass thoughts on as tagged text when nobody named a parser: `think_tags`.
SERVERS: Mapping[str, Server] = {
    "generic": Server(GENERIC),
    "openai": Server(
        Quirks(
            accepts=_SAMPLING
            | {
                "parallel_tool_calls",
                "metadata",
                "user",
                "safety_identifier",
                "service_tier",
                "store",
                "verbosity",
                "prompt_cache_key",
                "prompt_cache_retention",
                "prompt_cache_options",
                "moderation",
            },
            max_tokens="max_completion_tokens",
            developer_role=True,
            merge_system=False,
            refusal_field=True,
            call_ids="safe",
            strict_tools=True,
            files=True,
            file_ids=True,
            audio=True,
        ),
        hosts=("api.openai.com", "openai.azure.com"),
    ),
    "vllm": Server(
        Quirks(
            accepts=_SAMPLING | {"parallel_tool_calls", "chat_template_kwargs", "top_k", "min_p", "repetition_penalty"},
            # Anything but these three is refused; templates with a switch of their own take that instead of `none`.
            efforts=("low", "medium", "high"),
            switch="chat_template_kwargs",
            thoughts="reasoning",
            audio=True,
            think_tags=True,
        ),
    ),
    "ollama": Server(
        Quirks(
            accepts=_SAMPLING,
            named_choice=False,  # it reads no tool_choice at all
            efforts=("none", "low", "medium", "high"),
            thoughts="reasoning",
            images="data",
            think_tags=True,
        ),
        port=11434,
    ),
    "llamacpp": Server(
        Quirks(
            accepts=_LOCAL | {"parallel_tool_calls", "chat_template_kwargs"},
            named_choice=False,  # an object is taken for no choice
            effort="none",
            switch="chat_template_kwargs",
            thoughts="reasoning_content",
            audio=True,
            think_tags=True,
        ),
    ),
    "lmstudio": Server(
        Quirks(
            accepts=_LOCAL | {"logit_bias"},
            named_choice=False,
            formats="json_schema",
            logprobs=False,
            images="data",
            think_tags=True,
        ),
        port=1234,
    ),
    "mistral": Server(
        Quirks(
            # It answers 422 to every field it does not know.
            accepts=frozenset({"parallel_tool_calls", "stop", "presence_penalty", "frequency_penalty"}),
            stream_usage=False,
            assistant_after_tool="Understood.",
            tool_names=True,
            call_ids="nine",
            strict_tools=True,
            logprobs=False,
            effort="none",
        ),
        hosts=("api.mistral.ai",),
    ),
    "deepseek": Server(
        Quirks(
            accepts=frozenset({"stop", "presence_penalty", "frequency_penalty"}),
            merge_system=False,
            formats="json_object",
            effort="none",
            switch="thinking",
            # Where it thinks, a call of the history without the thoughts that led to it is refused.
            thoughts="reasoning_content",
            thoughts_needed=True,
            images="none",
        ),
        hosts=("api.deepseek.com",),
    ),
    "gemini": Server(
        Quirks(
            # It answers 400 to every field it does not know.
            accepts=frozenset({"stop"}),
            tool_names=True,
            logprobs=False,
            efforts=("none", "minimal", "low", "medium", "high"),
            # The value that its maker names for calls that came from elsewhere.
            call_signature="skip_thought_signature_validator",
            images="data",
            audio=True,
        ),
        hosts=("generativelanguage.googleapis.com",),
    ),
    "anthropic": Server(
        Quirks(
            accepts=frozenset({"parallel_tool_calls", "stop"}),
            call_ids="safe",
            formats="none",
            logprobs=False,
            effort="none",
        ),
        hosts=("api.anthropic.com",),
    ),
    "openrouter": Server(
        Quirks(
            accepts=_SAMPLING
            | {
                "parallel_tool_calls",
                "user",
                "metadata",
                "verbosity",
                "prompt_cache_key",
                "top_k",
                "min_p",
                "repetition_penalty",
                "models",
                "provider",
                "plugins",
            },
            strict_tools=True,
            effort="reasoning",
            thoughts="reasoning",
            files=True,
            audio=True,
        ),
        hosts=("openrouter.ai",),
    ),
    "groq": Server(
        Quirks(
            accepts=frozenset({"parallel_tool_calls", "user", "seed", "stop", "service_tier"}),
            max_tokens="max_completion_tokens",
            logprobs=False,
        ),
        hosts=("api.groq.com",),
    ),
}
"""By the names of `upstream.server`."""


def quirks_of(kind: str, base_url: str) -> Quirks:
    """The quirks of a server that the operator named, or of the one that stands at this address."""
    return SERVERS[recognised(base_url) if kind == AUTO else kind].quirks


def recognised(base_url: str) -> str:
    """The name of the server at this address; `generic` when nothing tells."""
    address = urlsplit(base_url)
    host = address.hostname or ""
    for name, server in SERVERS.items():
        if any(host == known or host.endswith("." + known) for known in server.hosts):
            return name
    return next((name for name, server in SERVERS.items() if server.port and server.port == address.port), "generic")
