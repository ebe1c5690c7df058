"""A log file that several processes write to: nothing is lost, whatever happens to the file."""

from __future__ import annotations

import fcntl
import gzip
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from gateway.logs.rotation import RotatingFile


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def rotating(path: Path, clock: Clock, *, compress: bool = False) -> RotatingFile:
    return RotatingFile(path, max_bytes=30, max_backups=10, max_age_days=7, compress=compress, clock=clock)


def shown(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


WRITER = """
import sys
from pathlib import Path
from gateway.logs.rotation import RotatingFile
path, name, compress = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "True"
file = RotatingFile(path, max_bytes=20_000, max_backups=1000, max_age_days=1, compress=compress)
sys.stdin.readline()
for number in range(3000):
    file.write(f"{name} {number} {'x' * (number % 60)}.\\n".encode())
file.close()
"""


@pytest.mark.proves("LOGS-shared")
@pytest.mark.parametrize("compress", [False, True], ids=["as they are", "compressed"])
def test_processes_that_share_a_file_lose_split_and_reorder_no_line(compress: bool, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "g.log")]
    names = ("a", "b", "c")
    writers = [subprocess.Popen([*command, name, str(compress)], stdin=subprocess.PIPE) for name in names]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    backups = sorted(tmp_path.glob("g-*"))
    assert len(backups) > 3
    written = b"".join(map(shown, [*backups, tmp_path / "g.log"]))
    numbers: dict[str, list[int]] = defaultdict(list)
    for line in written.decode().split("\n")[:-1]:
        name, number, rest = line.split(" ")
        assert rest == "x" * (int(number) % 60) + "."
        numbers[name].append(int(number))
    assert numbers == {name: list(range(3000)) for name in names}


@pytest.mark.proves("LOGS-renamed")
def test_a_file_renamed_by_another_is_left_soon_and_no_line_is_lost(tmp_path: Path) -> None:
    clock = Clock()
    one, other = (rotating(tmp_path / "g.log", clock) for _ in range(2))
    one.write(b"one 1.....\n")
    other.write(b"other 1\n")
    one.write(b"one 2..............\n")  # knows of its own bytes only, but looks before it makes the file too large
    one.write(b"one 3\n")
    other.write(b"other 2\n")  # has just looked
    clock.now += 1
    other.write(b"o 3\n")
    one.close()
    other.close()
    (backup,) = tmp_path.glob("g-*")
    assert backup.read_bytes() == b"one 1.....\nother 1\nother 2\n"
    assert (tmp_path / "g.log").read_bytes() == b"one 2..............\none 3\no 3\n"


@pytest.mark.proves("LOGS-renamed")
def test_the_size_that_another_writes_is_seen(tmp_path: Path) -> None:
    clock = Clock()
    one, other = (rotating(tmp_path / "g.log", clock) for _ in range(2))
    one.write(b"one 1\n")
    other.write(b"other 1............\n")
    clock.now += 1
    one.write(b"one 2\n")
    one.close()
    other.close()
    (backup,) = tmp_path.glob("g-*")
    assert (backup.read_bytes(), (tmp_path / "g.log").read_bytes()) == (b"one 1\nother 1............\n", b"one 2\n")


@pytest.mark.proves("LOGS-shared")
def test_a_backup_is_compressed_only_when_nobody_writes_to_it_any_more(tmp_path: Path) -> None:
    clock = Clock()
    one, other = (rotating(tmp_path / "g.log", clock, compress=True) for _ in range(2))
    one.write(b"one 1\n")
    other.write(b"other 1\n")
    one.write(b"one 2 is as long as this\n")  # renames
    one.close()  # waits for the tidying
    (backup,) = tmp_path.glob("g-*")
    assert backup.suffix == ".log"
    other.write(b"other 2\n")
    clock.now += 1
    other.write(b"o 3\n")  # leaves the renamed file, and tidies
    other.close()
    (backup,) = tmp_path.glob("g-*")
    assert (backup.suffix, shown(backup)) == (".gz", b"one 1\nother 1\nother 2\n")
    assert (tmp_path / "g.log").read_bytes() == b"one 2 is as long as this\no 3\n"


@pytest.mark.proves("LOGS-shared")
def test_a_line_does_not_wait_for_another_process_that_is_renaming(tmp_path: Path) -> None:
    file = rotating(tmp_path / "g.log", Clock())
    file.write(b"a" * 15 + b"\n")
    directory = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    file.write(b"b" * 15 + b"\n")
    os.close(directory)
    file.write(b"c\n")
    file.close()
    (backup,) = tmp_path.glob("g-*")
    assert (backup.read_bytes(), (tmp_path / "g.log").read_bytes()) == (b"a" * 15 + b"\n" + b"b" * 15 + b"\n", b"c\n")


@pytest.mark.proves("LOGS-full-disk")
def test_a_line_is_kept_where_no_new_file_can_be_opened(tmp_path: Path) -> None:
    clock = Clock()
    file = rotating(tmp_path / "logs" / "g.log", clock)
    file.write(b"one\n")
    (tmp_path / "logs").rename(tmp_path / "moved")
    clock.now += 1
    file.write(b"two\n")
    file.write(b"three is long, too long\n")
    (tmp_path / "logs").mkdir()
    file.write(b"four\n")
    file.close()
    assert (tmp_path / "moved" / "g.log").read_bytes() == b"one\ntwo\nthree is long, too long\n"
    assert (tmp_path / "logs" / "g.log").read_bytes() == b"four\n"


FULL = """
import resource, sys
from pathlib import Path
from gateway.config import Logging
from gateway.logs import configure, get_logger
configure(Logging(output="file", format="text"), Path(sys.argv[1]))
log = get_logger("x")
log.info("first")
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # the system then writes what fits, as on a full disk
log.info("a part of me fits")
log.info("nothing of me fits")
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
log.info("there is room again")
log.info("last")
"""


@pytest.mark.proves("LOGS-full-disk")
def test_a_full_disk_fails_no_caller_and_what_comes_after_is_whole(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], check=True, timeout=60)
    lines = (tmp_path / "logs" / "codex-gateway.log").read_text().splitlines()
    ends = [line.partition("INFO")[2].strip() for line in lines]
    assert len(lines[1]) == 99 - len(lines[0])
    assert [ends[0], *ends[2:]] == ["first logger=x", "there is room again logger=x", "last logger=x"]


@pytest.mark.proves("LOGS-lean")
def test_logging_loads_no_console_for_developers() -> None:
    code = "import sys, gateway.logs; assert not {'rich', 'pygments'} & {*sys.modules}; import rich.text"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.proves("LOGS-lean")
def test_logging_takes_a_console_that_is_there_already() -> None:
    code = "import rich, sys, gateway.logs; assert sys.modules['rich'] is rich"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
