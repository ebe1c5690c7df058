"""Providers that need no more than their key: known addresses, switched on by the usual environment variables.

A key of the environment goes to its maker's own address and nowhere else. Shells that use the gateway export the
gateway's key as OPENAI_API_KEY, beside its address as OPENAI_BASE_URL: that one is never taken for OpenAI's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gateway.config.fields import Location

Json = dict[str, Any]

KNOWN: Mapping[str, Json] = {
    "openai": {"base_url": "https://api.openai.com", "server": "openai"},
    "anthropic": {
        "base_url": "https://api.anthropic.com",
        "dialects": ["chat"],
        "server": "anthropic",
        "passthrough": [],
    },
    "gemini": {
        "base_url": "https://generativelanguage.googleapis.com/v1beta/openai",
        "dialects": ["chat"],
        "server": "gemini",
        "passthrough": ["embeddings", "images"],
    },
    "mistral": {"base_url": "https://api.mistral.ai", "dialects": ["chat"], "server": "mistral"},
    "deepseek": {"base_url": "https://api.deepseek.com", "dialects": ["chat"], "server": "deepseek"},
    "openrouter": {"base_url": "https://openrouter.ai/api/v1", "dialects": ["chat"], "server": "openrouter"},
    "groq": {"base_url": "https://api.groq.com/openai/v1", "dialects": ["chat"], "server": "groq"},
    "ollama": {"base_url": "http://127.0.0.1:11434", "dialects": ["chat"], "server": "ollama"},
    "lmstudio": {"base_url": "http://127.0.0.1:1234", "dialects": ["chat"], "server": "lmstudio"},
}
"""What a provider of one of these names is unless its own section says otherwise."""

VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "gemini": "GEMINI_API_KEY"}
KEY_PREFIX = "sk-gw-"
"""How keys begin that the gateway makes for its clients."""

_NO_KEY = "unused"
"""What the banner tells clients to export where no key is needed."""


def add(values: Json, environ: Mapping[str, str]) -> dict[Location, str]:
    """Fill in known providers and their keys, before validation. Returns location → variable of what it took.

    A provider that is `false` is none, also where its variable is set.
    """
    providers = values.get("providers", {})
    if not isinstance(providers, dict):
        return {}  # a mistake that validation will name
    written = set(providers)
    for name in written:
        if providers[name] is False:
            del providers[name]
    taken: dict[Location, str] = {}
    for name, variable in VARIABLES.items():
        key = _key(environ, variable, values)
        for place in _places(values, name, written) if key else ():
            section = values
            for step in place:
                section = section.setdefault(step, {})
            if not section.get("api_key"):
                section["api_key"] = key
                taken[(*place, "api_key")] = variable
    for name, section in values.get("providers", {}).items():
        if name in KNOWN and _is_at(section, "openai_api", KNOWN[name]["base_url"], KNOWN[name]["base_url"]):
            values["providers"][name] = {**KNOWN[name], **section}
    return taken


def _key(environ: Mapping[str, str], variable: str, values: Json) -> str:
    """The key of a variable; "" when it is not for its maker but one that clients of a gateway send."""
    key = environ.get(variable, "").strip()
    auth = values.get("auth")
    ours = auth.get("downstream_api_key") if isinstance(auth, dict) else None
    if key in (ours, _NO_KEY) or key.startswith(KEY_PREFIX):
        return ""
    base_url = environ.get("OPENAI_BASE_URL", "").strip()
    if variable == "OPENAI_API_KEY" and base_url and _origin(base_url) != _origin(KNOWN["openai"]["base_url"]):
        return ""
    return key


def _places(values: Json, name: str, written: set[str]) -> list[tuple[str, ...]]:
    """The sections about this maker's own server. A provider that is not written is one, unless the default is."""
    upstream, providers = values.get("upstream", {}), values.get("providers", {})
    found: list[tuple[str, ...]] = []
    if _is_at(upstream, "codex_oauth", KNOWN["openai"]["base_url"], KNOWN[name]["base_url"]):
        found.append(("upstream",))
    on = name in providers if name in written else not found
    if on and _is_at(providers.get(name, {}), "openai_api", KNOWN[name]["base_url"], KNOWN[name]["base_url"]):
        found.append(("providers", name))
    return found


def _is_at(section: object, mode: str, base_url: str, server: str) -> bool:
    """Whether a section, with these defaults, is about this server."""
    if not isinstance(section, dict) or _mode(section, mode) != "openai_api":
        return False
    return _origin(section.get("base_url") or base_url) == _origin(server)


def _mode(section: Json, default: str) -> str:
    return str(section.get("mode") or default).lower()


def _origin(url: object) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urlsplit(str(url))
        return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
