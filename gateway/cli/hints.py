"""What is odd about the upstreams of the settings, although nothing forbids it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from gateway.config import Settings, Upstream


def address(section: Upstream) -> str:
    """The server of an upstream."""
    return section.codex_base_url if section.mode == "codex_oauth" else section.base_url


def needs_key(section: Upstream) -> str | None:
    """The variable for the key that the server of a section wants; "" when there is none, None when it wants no key."""
    from gateway.config.presets import KNOWN, VARIABLES

    host = urlsplit(section.base_url).hostname
    for name, known in KNOWN.items():
        if known["base_url"].startswith("https:") and urlsplit(known["base_url"]).hostname == host:
            return VARIABLES.get(name, "")
    return None


def hints(settings: Settings, *, keys: bool = True) -> Iterator[str]:
    """One line for each oddity. `keys`: also for keys that are missing."""
    from gateway.config.tree import DEFAULT_PROVIDER

    sections: dict[str, Upstream] = {DEFAULT_PROVIDER: settings.upstream}
    sections |= {f"providers.{name}": provider for name, provider in settings.providers.items()}
    for place, section in sections.items():
        if section.mode == "codex_oauth":
            yield from _token(place, section, settings)
        else:
            yield from _key(place, section, missing=keys)
    yield from _aliases(settings)
    yield from _twice(sections)


def _token(place: str, section: Upstream, settings: Settings) -> Iterator[str]:
    from gateway.oauth.hosts import may_receive_token

    if not may_receive_token(section.codex_base_url + section.codex_responses_path, settings.oauth.token_hosts):
        yield f"{place}.codex_base_url: the ChatGPT token is not sent to this host unless oauth.token_hosts names it"


def _key(place: str, section: Upstream, *, missing: bool) -> Iterator[str]:
    from gateway.config import Address

    parts = urlsplit(section.base_url)
    if not section.api_key.get_secret_value():
        variable = needs_key(section)
        if missing and variable is not None:
            yield f"{place}.api_key is not set{variable and f', nor is {variable}'}: {parts.hostname} will refuse"
    elif parts.scheme == "http" and not Address(parts.hostname or "").is_loopback:
        yield f"{place}.base_url: the key goes over the network unencrypted; use https where you can"


def _aliases(settings: Settings) -> Iterator[str]:
    """Names that lead nowhere: the models of a ChatGPT plan have no slash in theirs."""
    if settings.upstream.mode != "codex_oauth":
        return
    for alias, model in settings.upstream.aliases.items():
        name, slash, _ = model.partition("/")
        if slash and name not in settings.providers:
            yield f"upstream.aliases.{alias}: there is no provider {name!r} to run {model!r}"


def _twice(sections: dict[str, Upstream]) -> Iterator[str]:
    """Bare names that two upstreams were given: the first runs them."""
    holders: dict[str, list[str]] = defaultdict(list)
    for place, section in sections.items():
        for name in dict.fromkeys((*section.aliases, *section.models)):
            holders[name].append(place)
    for name, places in holders.items():
        if len(places) > 1:
            yield f"{name!r} is named by {' and '.join(places)}; {places[0]} runs it"
