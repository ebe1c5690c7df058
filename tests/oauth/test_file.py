"""The token file: private, whole, and never somewhere else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import OAuthUnavailable
from gateway.oauth.file import TokenFile, TokenFileDamaged
from gateway.oauth.token import Token

OLD = Token("old", "old-refresh", "y" * 9000)
NEW = Token("new", "new-refresh", "x" * 5000)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "oauth-token.json")


@pytest.mark.proves("OAUTH-file-private")
def test_the_file_is_for_its_owner_only_whatever_the_umask(file: TokenFile) -> None:
    before = os.umask(0)
    try:
        file.write(OLD)
    finally:
        os.umask(before)
    assert file.mode() == 0o600
    assert file.read() == OLD
    assert file.warning() == ""


@pytest.mark.proves("OAUTH-file-atomic")
@pytest.mark.parametrize(
    ("step", "survivor"),
    [("created", OLD), ("written", OLD), ("flushed", OLD), ("renamed", NEW), ("durable", NEW)],
)
def test_a_process_killed_while_it_writes_leaves_the_old_or_the_new_file(
    file: TokenFile, step: str, survivor: Token
) -> None:
    file.write(OLD)
    killed = subprocess.run(
        [sys.executable, "-m", "tests.oauth.writer", file.path, step], check=False, timeout=30, cwd=ROOT
    )
    assert killed.returncode == -signal.SIGKILL
    assert file.read() == survivor
    assert file.mode() == 0o600
    file.write(NEW)
    assert [path.name for path in file.path.parent.iterdir()] == ["oauth-token.json"]


@pytest.mark.proves("OAUTH-file-atomic")
def test_every_step_of_a_write_is_one_a_process_was_killed_at(file: TokenFile) -> None:
    steps: list[str] = []
    file.write(OLD, steps.append)
    assert steps == ["created", "written", "flushed", "renamed", "durable"]


@pytest.mark.proves("OAUTH-file-atomic")
@pytest.mark.parametrize("step", ["created", "written", "flushed"])
def test_a_write_that_fails_leaves_nothing_behind(file: TokenFile, step: str) -> None:
    file.write(OLD)

    def fail(name: str) -> None:
        if name == step:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        file.write(NEW, fail)
    assert file.read() == OLD
    assert [path.name for path in file.path.parent.iterdir()] == ["oauth-token.json"]


@pytest.mark.proves("OAUTH-file-private")
def test_a_symbolic_link_is_replaced_not_followed(file: TokenFile, tmp_path: Path) -> None:
    public = tmp_path / "public"
    public.mkdir(mode=0o777)
    target = public / "stolen.json"
    target.write_text("{}")
    file.path.symlink_to(target)
    assert "symbolic link" in file.warning() or "chmod" in file.warning()
    file.write(NEW)
    assert target.read_text() == "{}"
    assert not file.path.is_symlink()
    assert file.read() == NEW


@pytest.mark.proves("OAUTH-file-private")
def test_a_file_that_others_can_read_is_warned_of(file: TokenFile) -> None:
    file.write(OLD)
    file.path.chmod(0o644)
    assert file.warning() == (f"{file.path} can be read by other users (mode 0644). Run: chmod 600 {file.path}")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff", b'{"access_token":"SECRET'], ids=ascii)
def test_a_damaged_file_is_named_and_not_repeated(file: TokenFile, content: bytes) -> None:
    file.path.write_bytes(content)
    with pytest.raises(TokenFileDamaged) as damaged:
        file.read()
    assert "auth login" in damaged.value.message
    assert "SECRET" not in damaged.value.message


def test_a_missing_file_is_no_login(file: TokenFile) -> None:
    assert file.read() is None
    assert file.stamp() is None
    assert file.mode() is None


def test_a_directory_in_its_place_is_an_error_that_says_what_to_do(file: TokenFile) -> None:
    file.path.mkdir()
    with pytest.raises(OAuthUnavailable, match="cannot be read"):
        file.read()


def test_removing_takes_leftovers_along(file: TokenFile) -> None:
    file.write(OLD)
    (file.path.parent / ".oauth-token.json.abc.tmp").write_text("left")
    (file.path.parent / "oauth-token.json.tmp").write_text("left by the original")
    assert file.remove()
    assert list(file.path.parent.iterdir()) == []
    assert not file.remove()
