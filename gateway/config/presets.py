"""Providers that need no more than their key: known addresses, switched on by the usual environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

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

_VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "gemini": "GEMINI_API_KEY"}


def add(values: Json, environ: Mapping[str, str]) -> dict[str, str]:
    """Fill in known providers and their keys, before validation. Returns dotted path → variable of what it took.

    The gateway's own key is never taken for a provider's: shells that use the gateway export it as OPENAI_API_KEY.
    """
    providers = values.get("providers", {})
    if not isinstance(providers, dict):
        return {}  # a mistake that validation will name
    origins = {}
    for name, variable in _VARIABLES.items():
        key = environ.get(variable, "").strip()
        section = providers.get(name, {})
        if not key or key == _own_key(values) or not isinstance(section, dict) or section.get("api_key"):
            continue
        if name not in providers and _is_default(values, KNOWN[name]["base_url"]):
            continue
        if _host(section.get("base_url", KNOWN[name]["base_url"])) != _host(KNOWN[name]["base_url"]):
            continue  # the variable's key is for the maker's own servers
        providers[name] = {**section, "api_key": key}
        origins[f"providers.{name}.api_key"] = variable
    for name, section in providers.items():
        if name in KNOWN and isinstance(section, dict) and section.get("mode", "openai_api") == "openai_api":
            known = KNOWN[name] if "base_url" not in section else {}
            providers[name] = {**known, **section}
    if providers:
        values["providers"] = providers
    return origins


def _own_key(values: Json) -> object:
    auth = values.get("auth")
    return auth.get("downstream_api_key") if isinstance(auth, dict) else None


def _is_default(values: Json, base_url: str) -> bool:
    """The default upstream is this very server already."""
    upstream = values.get("upstream")
    if not isinstance(upstream, dict) or upstream.get("mode") != "openai_api":
        return False
    return _host(upstream.get("base_url", "https://api.openai.com")) == _host(base_url)


def _host(url: object) -> str | None:
    try:
        return urlsplit(str(url)).hostname
    except ValueError:
        return None
