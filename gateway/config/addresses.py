"""Listen addresses: `host:port`, `:port` for all interfaces, `[::1]:port`, `unix:/path`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.config.tree import Settings


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. `host` "" is every interface; `path` is set for a Unix socket only."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Only programs of this machine can connect."""
        if self.path or self.host.lower() == "localhost":
            return True
        try:
            ip = ipaddress.ip_address(self.host)
        except ValueError:
            return False
        mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
        return (mapped or ip).is_loopback

    @property
    def url(self) -> str:
        """The base URL for a program on this machine, without a path."""
        if self.path:
            return "http://localhost"
        host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://{Address(host, self.port)}"


def parse_address(text: str) -> Address:
    """Read a listen address.

    Raises ValueError saying what was expected.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/"):
            raise ValueError('an absolute path after "unix:"')
        return Address(path=path)
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError('"host:port", ":port", "[IPv6]:port" or "unix:/path"')
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if not _is_ipv6(host):
            raise ValueError("an IPv6 address between the brackets")
    elif ":" in host:
        raise ValueError("brackets around an IPv6 address: [::1]:8080")
    elif "/" in host or any(character.isspace() for character in host):
        raise ValueError('"host:port" without a scheme, a path or spaces')
    return Address(host, int(port))


def listeners(settings: Settings) -> list[Address]:
    """Every address to listen at, `server.listen` first."""
    return [parse_address(text) for text in (settings.server.listen, *settings.server.extra_listen)]


def open_doors(settings: Settings) -> list[Address]:
    """Addresses that other machines could use without any key; the gateway refuses to listen there."""
    if settings.auth.downstream_api_key.get_secret_value():
        return []
    return [address for address in listeners(settings) if not address.is_loopback]


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True
