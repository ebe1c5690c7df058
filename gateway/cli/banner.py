"""What `serve` prints when it is ready: where it listens, and lines to paste."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway import __version__

if TYPE_CHECKING:
    from gateway.config import Address, Settings

EXAMPLE_MODEL = "gpt-5.5"


@dataclass(frozen=True, slots=True)
class Commands:
    """Command lines to paste: `login` logs in, `key` prints the gateway's key."""

    login: str
    key: str


def banner(
    settings: Settings,
    addresses: Sequence[Address],
    commands: Commands,
    *,
    logged_in: bool,
    demo: bool,
    show_key: bool,
) -> str:
    """The whole banner. Without `show_key` its lines fetch the key instead of holding it, and still paste."""
    key = settings.auth.downstream_api_key.get_secret_value()
    base = f"{addresses[0].url}/v1"
    lines = [
        f"codex-gateway {__version__}",
        f"  listening on  {', '.join(str(address) if address.path else address.url for address in addresses)}",
        f"  upstream      {_upstream(settings)}",
        *_providers(settings),
        *_login(settings, commands, logged_in=logged_in, demo=demo),
        *_open(key),
        "",
        "Use it from any OpenAI SDK:",
        f"  export OPENAI_BASE_URL={shlex.quote(base)}",
        f"  export OPENAI_API_KEY={_exported(key, commands, show_key=show_key)}",
        "",
        "Try it:",
        f"  {_curl(addresses[0], base, _header(key, commands, show_key=show_key))}",
        *_model_hint(settings),
    ]
    return "\n".join(lines)


def _upstream(settings: Settings) -> str:
    upstream = settings.upstream
    if upstream.mode == "codex_oauth":
        return f"ChatGPT plan (codex_oauth, {_masked(upstream.codex_base_url)})"
    return f"openai_api, {_masked(upstream.base_url)}"


def _providers(settings: Settings) -> list[str]:
    """Where else turns are run: each key goes to the address beside it, and nowhere else."""
    lines = []
    for name, provider in settings.providers.items():
        if provider.mode == "codex_oauth":
            place = f"ChatGPT plan ({_masked(provider.codex_base_url)})"
        else:
            place = f"{_masked(provider.base_url)}, {'with a' if provider.api_key.get_secret_value() else 'no'} key"
        lines.append(f"  provider      {name}/…  {place}")
    return lines


def _masked(url: str) -> str:
    from gateway.config.mistakes import mask_url

    return mask_url(url)


def _login(settings: Settings, commands: Commands, *, logged_in: bool, demo: bool) -> list[str]:
    if logged_in or not settings.uses_login:
        return []
    demo = demo and settings.upstream.mode == "codex_oauth"
    state = "  answers       SIMULATED: nobody is logged in." if demo else "  login         nobody is logged in."
    return [f"{state} To use your ChatGPT plan (no restart needed): {commands.login}"]


def _open(key: str) -> list[str]:
    if key:
        return []
    return ["  warning       no key is set: every program on this machine can use it (auth.downstream_api_key)"]


def _exported(key: str, commands: Commands, *, show_key: bool) -> str:
    if not key:
        return "unused"  # SDKs refuse to start without a key, and the gateway does not look at it
    return shlex.quote(key) if show_key else f'"$({commands.key})"'


def _header(key: str, commands: Commands, *, show_key: bool) -> str:
    if not key:
        return ""
    quoted = shlex.quote(f"Authorization: Bearer {key}") if show_key else f'"Authorization: Bearer $({commands.key})"'
    return f"-H {quoted} "


def _curl(address: Address, base: str, authorization: str) -> str:
    body = json.dumps({"model": EXAMPLE_MODEL, "stream": True, "messages": [{"role": "user", "content": "Say hello"}]})
    socket = f"--unix-socket {shlex.quote(address.path)} " if address.path else ""
    return (
        f"curl -N {socket}{base}/chat/completions {authorization}"
        f"-H 'Content-Type: application/json' -d {shlex.quote(body)}"
    )


def _model_hint(settings: Settings) -> list[str]:
    if settings.upstream.mode == "codex_oauth" or settings.upstream.base_url == "https://api.openai.com":
        return []
    return [f"  (with a model of your server in place of {EXAMPLE_MODEL})"]
