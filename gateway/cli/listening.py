"""Binding listen addresses before anything else starts, so that a busy port is one clear line."""

from __future__ import annotations

import errno
import resource
import socket
import stat
from contextlib import suppress
from pathlib import Path

from gateway.config import Address

BACKLOG = 2048
"""Connections the kernel holds while the event loop is busy; Linux caps it at net.core.somaxconn (4096)."""

MOST_OPEN_FILES = 1024 * 1024
"""What Linux allows a process at most by default (fs.nr_open)."""

_ABSENT = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class CannotListen(Exception):
    """The address cannot be bound. The message says why, and what to do."""


def bind(address: Address) -> list[socket.socket]:
    """Listening sockets for an address: two for "every interface" and for a name with two addresses.

    Raises CannotListen.
    """
    try:
        return [_bind_path(address.path)] if address.path else _bind_port(address)
    except socket.gaierror as error:
        raise CannotListen(f"cannot listen on {address}: the host name is unknown ({error.strerror})") from error
    except OSError as error:
        raise CannotListen(f"cannot listen on {address}: {_reason(address, error)}") from error


def bound(address: Address, sockets: list[socket.socket]) -> Address:
    """The address with the port that the system chose, where 0 was asked for."""
    return address if address.path else Address(address.host, sockets[0].getsockname()[1])


def occupied(path: str) -> str:
    """What is at the path of a Unix socket and is in the way of one, in words; "" for nothing and for a socket."""
    try:
        mode = Path(path).lstat().st_mode
    except OSError:
        return ""
    if stat.S_ISSOCK(mode):
        return ""
    kinds = {stat.S_IFREG: "a file", stat.S_IFDIR: "a directory", stat.S_IFLNK: "a symbolic link"}
    return f"{kinds.get(stat.S_IFMT(mode), 'something that is no socket')} is there, which stays untouched"


def remove_socket(path: str) -> None:
    """Remove the socket file of a listener that has ended, and nothing else that may be at the path by now."""
    if nobody_answers(path):
        with suppress(OSError):
            Path(path).unlink()


def nobody_answers(path: str) -> bool:
    """Whether a dead process left this socket file behind. Only sockets are asked: a connection to an ordinary file
    is refused as well."""
    try:
        if not stat.S_ISSOCK(Path(path).lstat().st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(path)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def raise_open_files() -> int:
    """Raise the soft limit of open files as far as the hard one allows, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # Some sandboxes forbid it; the doctor tells the limit that holds.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _bind_port(address: Address) -> list[socket.socket]:
    # Two sockets instead of a dual-stack one: peers keep their plain IPv4 addresses in logs.
    hosts = [address.host] if address.host else ["0.0.0.0", "::"]  # noqa: S104 - the operator asked for it
    found = {
        (family, where[0]): None
        for host in hosts
        for family, _, _, _, where in socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM)
    }
    sockets: list[socket.socket] = []
    port = address.port
    for family, host in found:
        try:
            sockets.append(socket.create_server((str(host), port), family=family, backlog=BACKLOG))
        except OSError as error:
            if sockets and error.errno in _ABSENT:
                continue  # a machine without IPv6
            for bound_before in sockets:
                bound_before.close()
            raise
        port = sockets[0].getsockname()[1]
    return sockets


def _bind_path(path: str) -> socket.socket:
    if obstacle := occupied(path):
        raise CannotListen(f"cannot listen on unix:{path}: {obstacle}. Move it away, or choose another path")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if nobody_answers(path):
            Path(path).unlink()
        listener.bind(path)
        Path(path).chmod(0o600)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _reason(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        free = _neighbour(address)
        return (
            "the address is in use. Is another codex-gateway running? Stop that program, or choose another address: "
            f"--listen {free} (with make: GATEWAY_SERVER__LISTEN={free} make run)"
        )
    if error.errno == errno.EACCES and not address.path and address.port < 1024:
        return "ports below 1024 need root. Choose another: --listen " + str(Address(address.host, 8080))
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    return error.strerror or str(error)


def _neighbour(address: Address) -> Address:
    """A free address near a busy one; port 0, which is any, when the next ten are busy too."""
    if address.path:
        return Address(path=address.path + ".2")
    for port in range(address.port + 1, min(address.port + 10, 65535) + 1):
        candidate = Address(address.host, port)
        with suppress(OSError):
            for listener in _bind_port(candidate):
                listener.close()
            return candidate
    return Address(address.host, 0)
