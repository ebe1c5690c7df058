"""What the doctor looks at on this machine. Each check returns findings; none prints and none raises."""

from __future__ import annotations

import errno
import resource
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gateway.config import Address, Settings

FEW_FILES = 4096
"""Below this limit of open files a gateway of a team runs short: each turn holds two sockets."""


RUNNING = "a gateway runs there"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `fix` says what to do, "" when nothing."""

    subject: str
    level: Literal["ok", "warn", "fail"]
    text: str
    fix: str = ""


def python() -> Finding:
    """Tells the version; an older Python than ours cannot even read these files."""
    return Finding("python", "ok", f"Python {'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}")


def open_files() -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FEW_FILES:
        fix = "Raise it: LimitNOFILE=65536 in a systemd unit, or `ulimit -Hn 65536`."
        return Finding("open files", "warn", f"at most {hard} open files are allowed", fix)
    count = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
    return Finding("open files", "ok", f"{count} allowed (the gateway raises its own limit to that)")


def files(workdir: Path, config_path: Path) -> Iterator[Finding]:
    """Work directory and settings file: there, writable, and closed to other users."""
    if not workdir.exists():
        yield Finding("work directory", "warn", f"{workdir} does not exist yet", "It is made at the first start.")
    elif workdir.stat().st_mode & stat.S_IWOTH:
        yield Finding("work directory", "fail", f"{workdir} is writable by everybody", f"Run: chmod o-w {workdir}")
    else:
        yield Finding("work directory", "ok", str(workdir))
    if config_path.exists():
        mode = stat.S_IMODE(config_path.stat().st_mode)
        if mode & 0o077:
            text = f"{config_path} holds secrets and is open to other users (mode {mode:04o})"
            yield Finding("settings file", "warn", text, f"Run: chmod 600 {config_path}")
        else:
            yield Finding("settings file", "ok", str(config_path))


def keys(settings: Settings) -> Finding:
    from gateway.config import open_doors

    doors = open_doors(settings)
    if doors:
        fix = "Set auth.downstream_api_key, or listen on 127.0.0.1 only."
        return Finding("key", "fail", f"{doors[0]} is public and no key is set: `serve` refuses to start", fix)
    if not settings.auth.downstream_api_key.get_secret_value():
        fix = "Set auth.downstream_api_key if others use this machine."
        return Finding("key", "warn", "no key is set: every program on this machine may use the gateway", fix)
    return Finding("key", "ok", "clients need the key")


def other_key(address: Address, has_key: bool, where: str) -> Finding:
    """The gateway that runs is not the one of these settings, or it was started before they changed."""
    ours = "the key here is not its key" if has_key else "none is set here"
    return Finding("key", "warn", f"the gateway at {address} wants a key, and {ours}", f"{where}.")


def login(token_path: Path, command: str, now: float) -> Iterator[Finding]:
    """The ChatGPT login. `command` logs in; `now` in Unix seconds."""
    from gateway.oauth.file import TokenFile
    from gateway.oauth.status import login_status

    file = TokenFile(token_path)
    status = login_status(file, now)
    if not status.logged_in:
        nobody = file.stamp() is None
        yield Finding("login", "fail", "nobody is logged in" if nobody else status.advice, f"Run: {command}")
        return
    if warning := file.warning():
        yield Finding("token file", "warn", warning)
    if status.refresh == "dead":
        text = f"{_expiry(status.expires_at, now)} and cannot be renewed"
        yield Finding("login", "fail", text, f"Run: {command}")
    elif status.refresh == "failing":
        yield Finding("login", "warn", f"{_expiry(status.expires_at, now)}; the last renewal failed", "It is retried.")
    else:
        renewal = "never renewed: there is no refresh token" if status.refresh == "none" else "renewed by itself"
        yield Finding("login", "ok", f"{_expiry(status.expires_at, now)}, {renewal}")


def _expiry(expires_at: float | None, now: float) -> str:
    if expires_at is None:
        return "logged in; when the token expires is unknown"
    until = datetime.fromtimestamp(expires_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"logged in; the token {'is good until' if expires_at > now else 'expired at'} {until}"


def listening(address: Address, is_ours: Callable[[Address], bool]) -> Finding:
    """Whether the address is free, or the gateway answers there (`is_ours`)."""
    from gateway.cli.listening import CannotListen, bind, nobody_answers, occupied

    subject = f"listen {address}"
    if address.path:
        if obstacle := occupied(address.path):
            return Finding(subject, "fail", obstacle, "Move it away, or change server.listen.")
        taken = Path(address.path).exists() and not nobody_answers(address.path)
    else:
        try:
            for listener in bind(address):
                listener.close()
            return Finding(subject, "ok", "free; no gateway runs there")
        except CannotListen as error:
            cause = error.__cause__
            if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE or isinstance(cause, socket.gaierror):
                return Finding(subject, "fail", str(error))
            taken = True
    if not taken:
        return Finding(subject, "ok", "free; no gateway runs there")
    if is_ours(address):
        return Finding(subject, "ok", RUNNING)
    return Finding(subject, "fail", "another program has this address", "Stop it, or change server.listen.")
