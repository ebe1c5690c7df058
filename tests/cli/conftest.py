"""Running the command line: in this process for what it says, as a real process for what it does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.commands import app
from gateway.cli.context import Context

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60
"""Only a hung process meets it."""


class Cli:
    """The command line with an environment and a work directory of its own."""

    def __init__(self, workdir: Path) -> None:
        self.workdir = workdir
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(workdir.parent),
            "PYTHONPATH": str(ROOT),
            "CODEX_GATEWAY_HOME": str(workdir),
        }

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments), obj=Context(self.environ))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            env=self.environ,
            cwd=self.workdir.parent,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def write(self, text: str) -> Path:
        """Write the settings file."""
        self.workdir.mkdir(exist_ok=True)
        path = self.workdir / "config.yaml"
        path.write_text(text)
        path.chmod(0o600)
        return path


class Process:
    """A running `codex-gateway`, and what it has said on standard error so far."""

    def __init__(self, cli: Cli, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gateway", *arguments],
            env=cli.environ,
            cwd=cli.workdir.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        self._stderr: IO[str] = self._process.stderr
        self.said = ""
        # A process that hangs is killed, which ends every wait below.
        self._guard = threading.Timer(PATIENCE_SECONDS, self._process.kill)
        self._guard.start()

    def wait_for(self, text: str) -> str:
        """Read standard error until a line holds this text; returns the line."""
        for line in self._stderr:
            self.said += line
            if text in line:
                return line
        raise AssertionError(f"{text!r} was never said; exit code {self._process.wait()}:\n{self.said}")

    def base_url(self) -> str:
        """Where it listens, once the banner has told it."""
        url = self.wait_for("listening on").split()[-1]
        self.wait_for("Try it")
        return url

    @property
    def pid(self) -> int:
        return self._process.pid

    def terminate(self) -> None:
        self._process.terminate()

    def exit_code(self) -> int:
        """Wait for the end."""
        self.said += self._stderr.read()
        return self._process.wait()

    def close(self) -> None:
        self._guard.cancel()
        self._process.kill()
        self._process.wait()
        self._stderr.close()


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "work")


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    """Processes put here are ended with the test."""
    running: list[Process] = []
    yield running
    for process in running:
        process.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of a service manager; its path is NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(PATIENCE_SECONDS)
        yield receiver


@pytest.fixture
def busy() -> Iterator[int]:
    """A port of 127.0.0.1 that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
