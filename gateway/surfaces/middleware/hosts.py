"""Host names in requests: which of them mean this machine."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address


def host_of(address: str) -> str:
    """The host in `host`, `host:port` or `[v6]:port`, lower-case, without the dot that may end a full name."""
    if address.startswith("["):
        host = address[1:].partition("]")[0]
    elif ":" in address:
        host = address.rpartition(":")[0]
    else:
        host = address
    return host.strip().lower().removesuffix(".")


def is_loopback(host: str) -> bool:
    """Whether a host name can only mean this machine: localhost, *.localhost (RFC 6761), a loopback address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
