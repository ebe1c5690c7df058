"""Listening at a Unix socket: what a dead process left is replaced, everything else is left alone."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli.listening import CannotListen, bind, remove_socket
from gateway.config import Address
from tests.cli.conftest import Cli, Process


def _link_to_a_dead_socket(path: Path) -> None:
    target = path.with_name("target.sock")
    _dead_socket(target)
    path.symlink_to(target)


def _link_to_a_file(path: Path) -> None:
    target = path.with_name("target")
    target.write_text("kept")
    path.symlink_to(target)


def _dead_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def _dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


OBSTACLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "file": (lambda path: path.write_text("kept"), "a file"),
    "empty file": (Path.touch, "a file"),
    "directory": (Path.mkdir, "a directory"),
    "link to a file": (_link_to_a_file, "a symbolic link"),
    "link to a dead socket": (_link_to_a_dead_socket, "a symbolic link"),
    "link to nothing": (_dangling_link, "a symbolic link"),
    "fifo": (os.mkfifo, "something that is no socket"),
}


def _state(path: Path) -> tuple[int, int, str]:
    found = path.lstat()
    return found.st_mode, found.st_ino, path.read_text() if path.is_file() else ""


@pytest.mark.proves("CLI-unix-socket")
@pytest.mark.parametrize(("make", "name"), OBSTACLES.values(), ids=OBSTACLES)
def test_what_is_no_socket_is_an_error_and_stays_untouched(
    tmp_path: Path, make: Callable[[Path], object], name: str
) -> None:
    path = tmp_path / "gateway.sock"
    make(path)
    before = _state(path)
    with pytest.raises(CannotListen) as refused:
        bind(Address(path=str(path)))
    assert str(refused.value) == (
        f"cannot listen on unix:{path}: {name} is there, which stays untouched. Move it away, or choose another path"
    )
    remove_socket(str(path))
    assert _state(path) == before


@pytest.mark.proves("CLI-unix-socket")
def test_a_dead_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    _dead_socket(path)
    (listener,) = bind(Address(path=str(path)))
    with listener:
        with pytest.raises(CannotListen, match="the address is in use"):
            bind(Address(path=str(path)))
        remove_socket(str(path))
        assert path.is_socket()
    remove_socket(str(path))
    assert not path.exists()


@pytest.mark.proves("CLI-unix-socket")
def test_serve_leaves_a_file_in_the_place_of_its_socket_alone(cli: Cli, processes: list[Process]) -> None:
    """Also one that was put there while the gateway ran."""
    path = cli.workdir.parent / "gateway.sock"
    process = Process(cli, "serve", "--listen", f"unix:{path}")
    processes.append(process)
    process.wait_for("Try it")
    path.unlink()
    path.write_text("kept")
    process.terminate()
    assert process.exit_code() == 0
    found = cli.run("serve", "--listen", f"unix:{path}")
    assert (found.returncode, path.read_text()) == (1, "kept")
    assert "a file is there" in found.stderr
