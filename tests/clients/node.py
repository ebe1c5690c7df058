"""A Node process that runs our small programs (`programs/`) with the SDKs of npm, and says what came of them."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.clients.install import installed, node

PROGRAMS = Path(__file__).with_name("programs")
PATIENCE_SECONDS = 60
"""Only a hung program meets it."""
LONGEST_LINE = 64 * 1024 * 1024

Json = dict[str, Any]


class ProgramError(Exception):
    """A program ended in an error of its SDK: `told` is what programs can read of it (`programs/told.mjs`)."""

    def __init__(self, told: Json) -> None:
        super().__init__(f"{told.get('class')}: {told.get('message')}\n{told.get('stack')}")
        self.told = told


class Node:
    """The process. Programs run one after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = itertools.count()
        self.said: list[str] = []
        """What the last program or a library of it warned of or printed."""

    async def run(self, program: str, /, *, quiet: bool = True, **given: Any) -> Any:
        """Run `file.function` with these values; what it returns. Raises ProgramError.

        `quiet`: nothing may be said meanwhile, as warnings are errors.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        question = {"id": next(self._ids), "run": program, "with": given}
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                line = await self._process.stdout.readline()
        except TimeoutError:
            self._process.kill()  # the next program would only wait behind this one
            raise
        assert line, f"the driver has ended: {await self._process.wait()}"
        answer = json.loads(line)
        assert answer["id"] == question["id"]
        self.said = answer["said"]
        if "error" in answer:
            raise ProgramError(answer["error"])
        if quiet:
            assert self.said == []
        return answer["value"]

    async def refused(self, program: str, /, **given: Any) -> Json:
        """Run a program that must end in an error; what it can read of it."""
        try:
            value = await self.run(program, **given)
        except ProgramError as error:
            return error.told
        raise AssertionError(f"no error, but {value}")


@asynccontextmanager
async def started() -> AsyncIterator[Node]:
    """A process for as long as the block lasts."""
    process = await asyncio.create_subprocess_exec(
        node(),
        "--import",
        str(PROGRAMS / "resolve.mjs"),
        str(PROGRAMS / "driver.mjs"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PACKAGES": str(installed(os.environ)), "PATH": os.defpath, "NODE_ENV": "test"},
        limit=LONGEST_LINE,
    )
    try:
        yield Node(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            code = await process.wait()
        assert code == 0
