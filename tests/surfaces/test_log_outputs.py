"""When lines are written: at once, or together within milliseconds, and never not at all."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from gateway.logs.lines import as_json
from gateway.logs.outputs import Outputs
from gateway.logs.rotation import RotatingFile


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


Told = dict[str, Any]


def finished(told: Told) -> Told:
    return told


def instead(told: Told, error: Exception) -> Told:
    return {"n": f"{told['n']}: {type(error).__name__}"}


class Written:
    """Outputs to a text stream, and the numbers of the lines in each write."""

    def __init__(self) -> None:
        self.writes: list[list[int | str]] = []
        self.clock = Clock()
        self.outputs: Outputs[Told] = Outputs(finished, instead, self.clock)
        self.arrived = asyncio.Event()
        written = self

        class Stream(io.StringIO):
            def write(self, text: str) -> int:
                written.writes.append([json.loads(line)["n"] for line in text.splitlines()])
                written.arrived.set()
                return len(text)

        self.stream = Stream()
        self.outputs.use([(as_json, self.stream)])

    def tell(self, *numbers: int, urgent: bool = False, **fields: Any) -> None:
        for number in numbers:
            self.outputs.write({"n": number, **fields}, urgent=urgent)


@pytest.mark.proves("LOGS-at-once")
async def test_a_line_after_a_while_is_written_at_once() -> None:
    written = Written()
    for number in range(3):
        written.tell(number)
        written.clock.now += 1
    assert written.writes == [[0], [1], [2]]


@pytest.mark.proves("LOGS-at-once")
async def test_lines_close_together_are_written_together_without_anybody_asking() -> None:
    written = Written()
    written.tell(0, 1, 2, 3)
    assert written.writes == [[0]]
    written.arrived.clear()
    async with asyncio.timeout(5):
        await written.arrived.wait()
    assert written.writes == [[0], [1, 2, 3]]


@pytest.mark.proves("LOGS-at-once")
async def test_a_warning_does_not_wait_and_takes_along_what_does() -> None:
    written = Written()
    written.tell(0, 1, 2)
    written.tell(3, urgent=True)
    assert written.writes == [[0], [1, 2, 3]]


@pytest.mark.proves("LOGS-at-once")
def test_nothing_waits_where_no_loop_runs() -> None:
    written = Written()
    written.tell(0, 1, 2)
    assert written.writes == [[0], [1], [2]]


@pytest.mark.proves("LOGS-at-once")
@pytest.mark.parametrize(("lines", "text"), [(40, "x" * 4000), (4000, "")], ids=["in size", "in number"])
async def test_what_waits_is_bounded(lines: int, text: str) -> None:
    written = Written()
    written.tell(*range(lines), text=text)
    assert sum(map(len, written.writes)) > lines / 2


@pytest.mark.proves("LOGS-at-once")
async def test_each_write_to_a_stream_is_small_enough_for_a_pipe_to_take_it_whole() -> None:
    written = Written()
    written.tell(*range(9), text="x" * 1000)
    written.tell(9, text="x" * 5000)
    written.tell(10)
    written.outputs.flush()
    assert written.writes == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9], [10]]


@pytest.mark.proves("LOGS-kept")
async def test_a_line_that_cannot_be_made_fails_no_caller_and_loses_no_other() -> None:
    written = Written()
    written.tell(0, 1)
    written.tell(2, value=10**5000)  # more digits than Python makes text of
    written.tell(3)
    written.outputs.flush()
    written.tell(4, value=10**5000, urgent=True)
    assert written.writes == [[0], [1, "2: ValueError", 3], ["4: ValueError"]]


@pytest.mark.proves("LOGS-kept")
async def test_lines_of_many_threads_are_all_written_once_and_in_the_order_of_each() -> None:
    written = Written()
    threads = [threading.Thread(target=written.tell, args=range(first, 4000, 4)) for first in (1, 2, 3)]
    for thread in threads:
        thread.start()
    written.tell(*range(0, 4000, 4))
    for thread in threads:
        thread.join()
    written.outputs.flush()
    numbers = [number for write in written.writes for number in write]
    assert [[number for number in numbers if int(number) % 4 == first] for first in range(4)] == [
        list(range(first, 4000, 4)) for first in range(4)
    ]


@pytest.mark.proves("LOGS-kept")
async def test_a_signal_handler_that_logs_in_the_middle_of_a_line_loses_and_repeats_none() -> None:
    written = Written()

    def interrupted(line: Told) -> bytes:
        if line["n"] == 2:
            written.tell(99, urgent=True)
        return as_json(line)

    written.outputs.use([(interrupted, written.stream)])
    written.tell(0, 1, 2, 3)
    written.outputs.flush()
    assert written.writes == [[0], [1, 3, 99], [2]]


@pytest.mark.proves("LOGS-kept")
async def test_lines_of_other_threads_keep_their_place() -> None:
    written = Written()
    written.tell(0, 1)
    thread = threading.Thread(target=written.tell, args=(2, 3))
    thread.start()
    thread.join()
    written.tell(4)
    written.outputs.flush()
    assert written.writes == [[0], [1, 2], [3], [4]]


@pytest.mark.proves("LOGS-kept")
def test_what_waited_for_a_loop_that_has_ended_goes_before_the_next_line() -> None:
    written = Written()

    async def tell(*numbers: int) -> None:
        written.tell(*numbers)

    asyncio.run(tell(0, 1))
    assert written.writes == [[0]]
    asyncio.run(tell(2))
    assert written.writes == [[0], [1, 2]]


@pytest.mark.proves("LOGS-kept")
async def test_nothing_waits_any_more_once_a_process_is_about_to_end() -> None:
    written = Written()
    written.tell(0, 1)
    written.outputs.settle()
    written.tell(2, 3)
    assert written.writes == [[0], [1], [2], [3]]


@pytest.mark.proves("LOGS-kept")
async def test_other_places_take_over_without_a_line_lost(tmp_path: Path) -> None:
    written = Written()
    written.tell(0, 1)
    file = RotatingFile(tmp_path / "g.log", max_bytes=10_000, max_backups=1, max_age_days=1, compress=False)
    written.outputs.use([(as_json, file)])
    written.tell(2, 3)
    written.outputs.use([])
    assert written.writes == [[0], [1]]
    assert (tmp_path / "g.log").read_bytes() == b'{"n":2}\n{"n":3}\n'
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.write(b"late\n")


FORKING = """
import asyncio, os, sys
from pathlib import Path
hook = lambda: [log.info("here", number=number) for number in range(1, 51)]
os.register_at_fork(before=hook)  # runs after what was registered later
from gateway.config import Logging
from gateway.logs import configure, get_logger
configure(Logging(output="file"), Path(sys.argv[1]))
log = get_logger("x")
async def main():
    log.info("here", number=0)
    child = os.fork()
    log.info("here", number=51 if child else 52)
    return child
if child := asyncio.run(main()):
    os.waitpid(child, 0)
"""


@pytest.mark.proves("LOGS-kept")
def test_lines_told_while_a_process_forks_are_written_by_one_of_the_two(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORKING, str(tmp_path)], check=True, timeout=60)
    lines = (tmp_path / "logs" / "codex-gateway.log").read_text().splitlines()
    assert sorted(json.loads(line)["number"] for line in lines) == list(range(53))


ENDING = """
import asyncio, os, signal, sys
from pathlib import Path
from gateway.config import Logging
from gateway.logs import configure, get_logger, settle
configure(Logging(output=sys.argv[2]), Path(sys.argv[1]))
log = get_logger("x")
async def main():
    for number in range(20):
        log.info("here", number=number)
    exec(sys.argv[3])
asyncio.run(main())
"""


@pytest.mark.proves("LOGS-kept")
@pytest.mark.parametrize("output", ["file", "stdout", "stderr"])
@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("raise RuntimeError", 1),
        ("os.fork()", 0),
        ("os.fork(); log.info('both', number=20)", 0),
        ("log.error('last', number=20); os._exit(4)", 4),
        ("settle(); os.kill(os.getpid(), signal.SIGTERM)", -15),
    ],
    ids=[
        "the end",
        "exit",
        "a crash of the loop",
        "fork",
        "fork and go on",
        "an error, then a crash",
        "a signal foreseen",
    ],
)
def test_no_line_is_lost_or_told_twice_however_a_process_ends(end: str, code: int, output: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENDING, str(tmp_path), output, end]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == code
    file = tmp_path / "logs" / "codex-gateway.log"
    written = {"file": file.read_bytes() if file.exists() else b"", "stdout": done.stdout, "stderr": done.stderr}[
        output
    ]
    numbers = [json.loads(line)["number"] for line in written.splitlines() if line.startswith(b"{")]
    assert numbers == list(range(20)) + [20] * end.count("number") * (1 + end.count("fork"))
