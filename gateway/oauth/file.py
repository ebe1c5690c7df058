"""The token file: read whole, written whole or not at all, and for its owner only (design §6)."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from gateway.core import json
from gateway.errors import OAuthUnavailable
from gateway.oauth.failures import Mark
from gateway.oauth.token import Token

NAME = "oauth-token.json"
Stamp = tuple[int, int, int]
Step = Callable[[str], None]


class TokenFileDamaged(OAuthUnavailable):
    """The token file exists and holds no login that can be read."""


def told(error: OAuthUnavailable) -> str:
    """The message with its detail, for the person at the terminal: clients of the gateway are shown no paths."""
    return f"{error.message} ({error.detail})" if error.detail else error.message


class TokenFile:
    """`oauth-token.json`, the mark of a failed refresh beside it, and the name of their lock.

    `write`, `write_mark`, `clear_mark` and `remove` are called by whoever holds the lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock_path = path.with_suffix(".lock")
        self.mark_path = path.with_name(f"{path.stem}.refresh.json")

    def stamp(self) -> Stamp | None:
        """Changes whenever the file does; None while there is none. One stat()."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self) -> Token | None:
        """The login, or None while there is none. Raises TokenFileDamaged, OAuthUnavailable when it cannot be read."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OAuthUnavailable(
                f"The token file cannot be read ({error.strerror}). Give it to the user that runs the gateway.",
                detail=f"token file: {self.path}",
            ) from error
        try:
            return Token.read(_object(raw))
        except ValueError as error:
            # Only our own words: a parser's message may repeat what it read.
            reason = "it has no access_token" if "access_token" in str(error) else "it is not a JSON object"
        raise TokenFileDamaged(
            f"The token file is damaged ({reason}). Run `codex-gateway auth login`, which replaces it.",
            detail=f"token file: {self.path}",
        )

    def write(self, token: Token, step: Step = lambda _: None) -> None:
        """Replace the file. Raises OSError; whatever happens, the old or the new file is there, whole."""
        _replace(self.path, token.document(), step)

    def read_mark(self) -> Mark | None:
        """What is remembered of the last failed refresh; None also when it cannot be read, which costs one call."""
        try:
            return Mark.read(_object(self.mark_path.read_bytes()))
        except (OSError, ValueError):
            return None

    def write_mark(self, mark: Mark) -> None:
        """Remember a failed refresh, for every process. Raises OSError."""
        _replace(self.mark_path, mark.document(), lambda _: None)

    def clear_mark(self) -> None:
        """Forget it: there is a new login."""
        self.mark_path.unlink(missing_ok=True)

    def remove(self) -> bool:
        """Remove the login and what a killed write left. Says whether there was one. Raises OSError."""
        existed = self.stamp() is not None or self.path.is_symlink()
        self.path.unlink(missing_ok=True)
        self.clear_mark()
        _sweep(self.path)
        return existed

    def mode(self) -> int | None:
        """Permission bits of the file; None while there is none."""
        try:
            return stat.S_IMODE(self.path.stat().st_mode)
        except OSError:
            return None

    def warning(self) -> str:
        """What is unsafe about the file, and the cure; "" when nothing is."""
        mode = self.mode()
        if os.name == "posix" and mode is not None and mode & 0o077:
            return f"{self.path} can be read by other users (mode {mode:04o}). Run: chmod 600 {self.path}"
        if self.path.is_symlink():
            return f"{self.path} is a symbolic link. The next refresh replaces the link, not the file it points to."
        return ""


def _replace(path: Path, document: dict[str, Any], step: Step) -> None:
    """Write beside the target, flush, rename over it, flush the directory. `step` is told what has been done.

    A symbolic link at `path` is replaced, never followed: what it points to may be open to others.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(path)
    # mkstemp makes the file for its owner only and follows no link.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            step("created")
            file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
            file.flush()
            step("written")
            os.fsync(file.fileno())
            step("flushed")
        Path(name).replace(path)
        step("renamed")
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _flush_directory(path.parent)
    step("durable")


def _sweep(path: Path) -> None:
    """Remove what killed writes left; the lock makes sure that nobody is writing now."""
    for leftover in (*path.parent.glob(f".{path.name}.*.tmp"), path.with_name(f"{path.name}.tmp")):
        leftover.unlink(missing_ok=True)


def _flush_directory(directory: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _object(raw: bytes) -> dict[str, Any]:
    document = json.loads(raw)
    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004 - as for any other text that is no login
    return document
