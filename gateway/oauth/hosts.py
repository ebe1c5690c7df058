"""Which addresses may receive a ChatGPT token (design §5.2). Everything that is not plainly allowed is refused."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

import httpx2

from gateway.errors import OAuthUnavailable

_HOME = ("openai.com", "chatgpt.com")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*", re.ASCII)
_PORTS = {"http": 80, "https": 443}


class TokenHostRefused(OAuthUnavailable):
    """A token would have gone to a host that the rule does not allow. Nothing was sent."""


def may_receive_token(url: str, extra_hosts: Collection[str]) -> bool:
    """Whether a request that carries a token may go to `url`.

    Allowed: https on port 443 of openai.com, chatgpt.com and their subdomains; loopback, http or https, any port;
    `extra_hosts` with https, each "host" (port 443) or "host:port".
    """
    place = _place(url)
    if place is None:
        return False
    scheme, host, port = place
    if _is_loopback(host):
        return True
    if scheme != "https":
        return False
    if port == 443 and any(host == home or host.endswith("." + home) for home in _HOME):
        return True
    return any(_entry(extra) == (host, port) for extra in extra_hosts)


def require_token_host(url: str, extra_hosts: Collection[str]) -> None:
    """Raises TokenHostRefused, naming `oauth.token_hosts`, unless `url` may receive a token."""
    if may_receive_token(url, extra_hosts):
        return
    place = _place(url)
    if place is None:
        where, advice = "an address that cannot be read safely", "Check the addresses in the configuration."
    else:
        scheme, host, port = place
        name = f"[{host}]" if ":" in host else host
        where = f"{scheme}://{name}:{port}"
        entry = name if port == 443 else f"{name}:{port}"
        advice = f"If you trust this host, use https and add {entry!r} to oauth.token_hosts."
    raise TokenHostRefused(
        f"The ChatGPT token is not sent to {where}: only https hosts of openai.com and chatgpt.com, loopback, "
        f"and the hosts in oauth.token_hosts may receive it. {advice}"
    )


def _place(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port, or None for an address that two parsers could read differently."""
    if not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
        return None
    try:
        parts = urlsplit(url)
        port, client = parts.port, httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL):
        return None
    scheme, host = parts.scheme, parts.hostname or ""
    if scheme not in _PORTS or "@" in parts.netloc or parts.netloc.endswith(":") or not _is_host(host):
        return None
    port = _PORTS[scheme] if port is None else port
    # The HTTP client decides where the bytes go: it has to read the address as this rule does.
    if (client.scheme, client.host, client.port or _PORTS[scheme]) != (scheme, host, port):
        return None
    return scheme, host, port


def _is_host(host: str) -> bool:
    if _NAME.fullmatch(host):
        return True
    try:
        return ipaddress.IPv6Address(host).scope_id is None
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return False
    return address.is_loopback


def _entry(text: str) -> tuple[str, int] | None:
    """An entry of `oauth.token_hosts` as (host, port)."""
    place = _place(f"https://{text.strip()}")
    if place is None or "/" in text:
        return None
    return place[1], place[2]
