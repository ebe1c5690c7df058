"""`codex-gateway service`: a systemd unit that runs the gateway."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.context import ConfigOption, Context, WorkdirOption

app = typer.Typer(help="Run the gateway under systemd.", no_args_is_help=True)

NAME = "codex-gateway.service"

_HARDENED = (
    "LimitNOFILE=65536",
    "UMask=0077",
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
)
"""What any service manager may do, a user's own too."""

Everywhere = Annotated[
    bool | None,
    typer.Option(
        "--system/--user",
        help="For the whole machine, or for your own sessions. [default: --system for root, else --user]",
        show_default=False,
    ),
]


@app.command()
def show(
    ctx: typer.Context, workdir: WorkdirOption = None, config: ConfigOption = None, system: Everywhere = None
) -> None:
    """Print the unit that `install` would write."""
    context: Context = ctx.obj
    context.say(_unit(context, system=_is_system(system)).rstrip())


@app.command()
def install(
    ctx: typer.Context, workdir: WorkdirOption = None, config: ConfigOption = None, system: Everywhere = None
) -> None:
    """Write the unit, start it, and start it with the machine."""
    context: Context = ctx.obj
    everywhere = _is_system(system)
    text = _unit(context, system=everywhere)
    context.make_workdir()  # systemd cannot open a sandbox around a directory that is not there
    path = _unit_path(context, system=everywhere)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        context.fail(f"cannot write {path}: {error.strerror}")
    context.say(f"wrote {path}")
    _systemctl(context, everywhere, ["daemon-reload"], ["enable", "--now", NAME])
    if not everywhere:
        context.note("to keep it running while you are logged out: loginctl enable-linger")


@app.command()
def uninstall(ctx: typer.Context, workdir: WorkdirOption = None, system: Everywhere = None) -> None:
    """Stop the service and remove its unit. The work directory stays."""
    context: Context = ctx.obj
    everywhere = _is_system(system)
    path = _unit_path(context, system=everywhere)
    if not path.exists():
        context.fail(f"there is no {path}")
    _systemctl(context, everywhere, ["disable", "--now", NAME])
    try:
        path.unlink()
    except OSError as error:
        context.fail(f"cannot remove {path}: {error.strerror}")
    context.say(f"removed {path}")
    _systemctl(context, everywhere, ["daemon-reload"])


def unit(command: list[str], *, workdir: Path, user: str, stop_seconds: float, state: str = "") -> str:
    """A systemd unit. `user` "": a unit of a user's own manager. `state`: a StateDirectory for systemd to make."""
    return "\n".join(
        [
            "[Unit]",
            "Description=codex-gateway, an OpenAI-compatible gateway",
            *(["After=network-online.target", "Wants=network-online.target"] if user else []),
            "StartLimitIntervalSec=60",
            "StartLimitBurst=5",
            "",
            "[Service]",
            "Type=notify",
            f"ExecStart={' '.join(_argument(word) for word in command)}",
            *([f"User={user}"] if user else []),
            *([f"StateDirectory={state}", "StateDirectoryMode=0700"] if state else []),
            f"WorkingDirectory={_escape(str(workdir))}",
            "Restart=on-failure",
            "RestartSec=2",
            "# Only the main process is told to stop; it lets open requests finish.",
            "KillMode=mixed",
            f"TimeoutStopSec={stop_seconds + 15:.0f}",
            *_HARDENED,
            *(_sandbox(workdir) if user else []),
            "",
            "[Install]",
            f"WantedBy={'multi-user.target' if user else 'default.target'}",
            "",
        ]
    )


def _sandbox(workdir: Path) -> list[str]:
    """What needs mount namespaces, which a user's own manager may not be allowed to make."""
    return [
        "ProtectSystem=strict",
        f"ReadWritePaths={_quote(str(workdir))}",
        "# Not hidden: the program or the work directory may be in somebody's home.",
        "ProtectHome=read-only",
        f"PrivateTmp={'no' if _is_temporary(workdir) else 'yes'}",
        "PrivateDevices=yes",
        "ProtectClock=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "ProtectKernelLogs=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
        "RestrictNamespaces=yes",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "SystemCallFilter=@system-service",
    ]


def _is_temporary(workdir: Path) -> bool:
    """With a /tmp of its own the service would not see a work directory that is in the real one."""
    return any(workdir.is_relative_to(directory) for directory in ("/tmp", "/var/tmp"))  # noqa: S108 - only compared


def _unit(context: Context, *, system: bool) -> str:
    # -P: a folder named `gateway` in the work directory is not our package.
    command = [sys.executable, "-P", "-m", "gateway", "serve", "--workdir", str(context.workdir)]
    if context.config_option is not None:
        command += ["--config", str(context.config_path)]
    if any(not word.isprintable() for word in command):
        context.fail("a path with line ends or control characters cannot be written into a unit")
    return unit(
        command,
        workdir=context.workdir,
        user=_owner(context.workdir) if system else "",
        stop_seconds=context.settings.limits.drain_seconds,
    )


def _owner(workdir: Path) -> str:
    """Who owns the work directory (or its nearest parent that exists): its files stay theirs."""
    existing = next(path for path in (workdir, *workdir.parents) if path.exists())
    number = existing.stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _is_system(choice: bool | None) -> bool:
    return os.geteuid() == 0 if choice is None else choice


def _unit_path(context: Context, *, system: bool) -> Path:
    if system:
        return Path("/etc/systemd/system") / NAME
    home = context.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "systemd" / "user" / NAME


def _systemctl(context: Context, system: bool, *commands: list[str]) -> None:
    """Run systemctl commands, or say which to run when it is not there. Fails when one of them fails."""
    scope = [] if system else ["--user"]
    program = shutil.which("systemctl", path=context.environ.get("PATH"))
    for command in commands:
        line = ["systemctl", *scope, *command]
        if program is None:
            context.note(f"systemctl is not here; run: {' '.join(line)}")
        elif subprocess.run([program, *line[1:]], check=False).returncode != 0:  # noqa: S603 - our own words only
            context.fail(f"this failed, run it yourself: {' '.join(line)}")


def _argument(word: str) -> str:
    """A word of a command line, where `$` begins a variable (systemd.service(5), "Command lines")."""
    return _quote(word.replace("$", "$$"))


def _quote(word: str) -> str:
    """A word of a list (systemd.syntax(7), "Quoting")."""
    word = _escape(word.replace("\\", "\\\\").replace('"', '\\"'))
    return f'"{word}"' if any(character in " \t'\";\\" for character in word) else word


def _escape(text: str) -> str:
    """`%` begins a specifier everywhere in a unit."""
    return text.replace("%", "%%")
