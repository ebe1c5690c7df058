"""The systemd unit."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.service import unit
from gateway.config import Settings
from tests.cli.conftest import PATIENCE_SECONDS, ROOT, Cli

FAKE_SYSTEMCTL = """\
#!/bin/sh
echo "$@" >> "$0.log"
exit $(cat "$0.code" 2>/dev/null || echo 0)
"""


@pytest.fixture
def systemctl(cli: Cli, tmp_path: Path) -> Path:
    """A `systemctl` that writes down its arguments, one call a line, in `systemctl.log`."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(FAKE_SYSTEMCTL)
    program.chmod(0o755)
    cli.environ["PATH"] = f"{program.parent}:/usr/bin:/bin"
    cli.environ["XDG_CONFIG_HOME"] = str(tmp_path / "home-config")
    return program


def calls(systemctl: Path) -> list[str]:
    return systemctl.with_name("systemctl.log").read_text().splitlines()


@pytest.mark.proves("CLI-service")
def test_the_unit_notifies_is_hardened_and_quotes_its_paths(cli: Cli) -> None:
    workdir = '/srv/a "b" $c %d'
    shown = cli("service", "show", "--system", "--workdir", workdir).stdout.splitlines()
    assert {
        "Type=notify",
        f'ExecStart={sys.executable} -P -m gateway serve --workdir "/srv/a \\"b\\" $$c %%d"',
        'WorkingDirectory=/srv/a "b" $c %%d',
        'ReadWritePaths="/srv/a \\"b\\" $c %%d"',
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "PrivateTmp=yes",
        "KillMode=mixed",
        "TimeoutStopSec=45",
        "WantedBy=multi-user.target",
    } <= set(shown)
    assert [line for line in shown if "--demo" in line] == []


def test_the_unit_of_a_user_needs_no_privilege(cli: Cli) -> None:
    cli.write("limits: {drain_seconds: 100}")
    shown = cli("service", "show", "--user").stdout.splitlines()
    assert {"WantedBy=default.target", "TimeoutStopSec=115", "NoNewPrivileges=yes"} <= set(shown)
    assert [line for line in shown if line.startswith(("User=", "Protect", "Private", "Capability"))] == []


@pytest.mark.parametrize("scope", ["--system", "--user"])
def test_systemd_accepts_the_unit(cli: Cli, tmp_path: Path, scope: str) -> None:
    file = tmp_path / "codex-gateway.service"
    file.write_text(cli("service", "show", scope, "--workdir", '/srv/a "b" $c %d').stdout)
    if shutil.which("systemd-analyze") is None:
        return  # a machine without a systemd to ask
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.proves("CLI-service")
def test_install_writes_the_unit_and_starts_it_and_uninstall_takes_both_back(
    cli: Cli, systemctl: Path, tmp_path: Path
) -> None:
    path = tmp_path / "home-config" / "systemd" / "user" / "codex-gateway.service"
    assert cli("service", "install", "--user").exit_code == 0
    assert path.read_text() == cli("service", "show", "--user").stdout
    assert cli.workdir.is_dir()
    assert cli("service", "uninstall", "--user").exit_code == 0
    assert not path.exists()
    assert calls(systemctl) == [
        "--user daemon-reload",
        "--user enable --now codex-gateway.service",
        "--user disable --now codex-gateway.service",
        "--user daemon-reload",
    ]
    assert cli("service", "uninstall", "--user").exit_code == 1


def test_install_says_what_to_run_when_systemctl_fails_or_is_not_there(cli: Cli, systemctl: Path) -> None:
    systemctl.with_name("systemctl.code").write_text("1")
    failed = cli("service", "install", "--user")
    assert (failed.exit_code, failed.stderr.splitlines()[-1]) == (
        1,
        "error: this failed, run it yourself: systemctl --user daemon-reload",
    )
    cli.environ["PATH"] = str(systemctl.parent.parent)
    absent = cli("service", "install", "--user")
    assert absent.exit_code == 0
    assert "systemctl is not here; run: systemctl --user enable --now codex-gateway.service" in absent.stderr


def test_a_path_that_would_end_the_line_is_refused(cli: Cli) -> None:
    assert cli("service", "show", "--workdir", "/srv/a\nUser=root").exit_code == 1


def test_the_copy_for_packagers_is_what_install_writes() -> None:
    workdir = Path("/var/lib/codex-gateway")
    text = unit(
        ["/usr/bin/codex-gateway", "serve", "--workdir", str(workdir)],
        workdir=workdir,
        user="codex-gateway",
        stop_seconds=Settings().limits.drain_seconds,
        state="codex-gateway",
    )
    shipped = (ROOT / "deploy" / "codex-gateway.service").read_text()
    assert shipped.partition("[Unit]")[2] == text.partition("[Unit]")[2]
