"""What the doctor looks at on the network: the proxy, the hosts that are needed, and the clock."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from gateway.cli.checks import Finding
from gateway.cli.hints import address
from gateway.config.mistakes import mask_url

if TYPE_CHECKING:
    import httpx2

    from gateway.config import Settings

PATIENCE_SECONDS = 10
SKEW_SECONDS = 60
"""Tokens carry times of issue and expiry; up to a minute is forgiven everywhere."""

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


def origins(settings: Settings) -> list[str]:
    """The servers that the upstreams need, without paths, each once."""
    urls = []
    for section in (settings.upstream, *settings.providers.values()):
        urls += [address(section), *([settings.oauth.token_endpoint] if section.mode == "codex_oauth" else [])]
    return list(dict.fromkeys(urlunsplit(urlsplit(url)._replace(path="/", query="")) for url in urls))


async def network(settings: Settings, client: httpx2.AsyncClient, now: float) -> list[Finding]:
    """Every network check, at the same time. `now` in Unix seconds."""
    proxy_url = settings.network.proxy_url.get_secret_value()
    found = await asyncio.gather(
        *([_proxy(proxy_url)] if proxy_url else []), *(_origin(url, client, now) for url in origins(settings))
    )
    return [finding for findings in found for finding in findings]


async def _proxy(url: str) -> list[Finding]:
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or _PORTS[parts.scheme])
    except (OSError, TimeoutError) as error:
        text = f"{mask_url(url)} cannot be reached: {_reason(error)}"
        return [Finding("proxy", "fail", text, "Check network.proxy_url.")]
    writer.close()
    return [Finding("proxy", "ok", mask_url(url))]


async def _origin(url: str, client: httpx2.AsyncClient, now: float) -> list[Finding]:
    """Any HTTP answer will do: without a login these addresses answer 401 or 403."""
    import httpx2

    host = urlsplit(url).hostname or ""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            response = await client.get(url)
    except (httpx2.TransportError, TimeoutError) as error:
        fix = "Check the network, DNS and network.proxy_url; behind a filtering proxy set SSL_CERT_FILE."
        return [Finding(f"reach {host}", "fail", f"no answer: {_reason(error)}", fix)]
    findings = [Finding(f"reach {host}", "ok", f"answers (HTTP {response.status_code})")]
    return findings + _clock(response.headers.get("date", ""), host, now)


def _clock(date: str, host: str, now: float) -> list[Finding]:
    try:
        skew = now - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return []
    if abs(skew) <= SKEW_SECONDS:
        return [Finding("clock", "ok", f"agrees with {host}")]
    side = "ahead of" if skew > 0 else "behind"
    text = f"this machine is {abs(skew):.0f} seconds {side} {host}"
    return [Finding("clock", "fail", text, "Set the clock: timedatectl set-ntp true")]


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
