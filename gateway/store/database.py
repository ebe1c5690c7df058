"""The database of one process: opened, opened again after a failure, read, written and closed; the same for both kinds.

What it holds is in `sqlite` and `postgresql`; what they raise becomes StoreUnavailable here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine, Executable, Row

from gateway.errors import StoreUnavailable
from gateway.store import versions
from gateway.store.connection import Connection, Result, Work
from gateway.store.faults import DAMAGED, faults, unavailable
from gateway.store.place import Place
from gateway.store.sqlite import SQLite

REOPEN_SECONDS = 5.0
"""How long a store that could not be opened is left alone before a request tries again."""


class Driver(Protocol):
    """One kind of database, open. It raises what SQLAlchemy raises."""

    engine: Engine

    async def prepare(self) -> None: ...

    async def read(self, work: Work[Result]) -> Result: ...

    def write(self, work: Work[Result]) -> asyncio.Future[Result]: ...

    async def aclose(self) -> None: ...


class Database:
    """The connections of one process. `open` once; everything else raises StoreUnavailable while it is not open."""

    def __init__(self, place: Place, *, busy: float, clock: Callable[[], float]) -> None:
        self.place = place
        self.postgresql = place.file is None
        self._busy = busy
        self._clock = clock
        self._driver: Driver | None = None
        self._fault = unavailable("it is not open", place.shown)
        self._tried = 0.0
        self._opening = asyncio.Lock()
        self._writing: set[asyncio.Future[Any]] = set()
        self._reading = 0
        self._unread = asyncio.Event()
        self._unread.set()
        self._closed = True

    # opening and closing ----------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and bring the tables up to date.

        Raises StoreUnavailable, and then tries again when somebody needs it, after a while.
        """
        self._closed = False
        async with self._opening:
            if self._driver is None:
                await self._open()

    async def aclose(self) -> None:
        """Finish what is being written and read, then close every connection."""
        self._closed = True
        while self._writing:
            await asyncio.wait(self._writing)
        driver, self._driver = self._driver, None
        self._fault = unavailable("it is closed", self.place.shown)
        await self._unread.wait()
        if driver is not None:
            await driver.aclose()

    async def _open(self) -> None:
        self._tried = self._clock()
        try:
            with faults(self.place.shown):
                if self.place.file is not None:
                    make_file(self.place.file, ours=self.place.ours)
                driver = open_driver(self.place, self._busy)
                try:
                    await driver.prepare()
                    await versions.bring_up_to_date(driver, self.place, self._busy)
                except BaseException:
                    await driver.aclose()
                    raise
        except StoreUnavailable as error:
            self._fault = error
            raise
        self._driver = driver

    async def look(self) -> tuple[versions.State, str | None]:
        """What is there, and its version, without changing anything. A file must exist.

        Raises StoreUnavailable, for a damaged file too.
        """
        with faults(self.place.shown):
            driver = open_driver(self.place, self._busy)
            try:
                return await driver.read(self._look)
            finally:
                await driver.aclose()

    async def _look(self, connection: Connection) -> tuple[versions.State, str | None]:
        if not self.postgresql:
            await connection.exec_driver_sql("PRAGMA query_only=ON")
            said = (await connection.exec_driver_sql("PRAGMA quick_check(1)")).scalar_one()
            if said != "ok":
                raise unavailable(DAMAGED, f"{self.place.shown}: {said}")
        return await versions.look(connection)

    # use --------------------------------------------------------------------------------------------------------------

    async def rows(self, statement: Executable, parameters: Any = None) -> Sequence[Row[Any]]:
        """The rows of one query."""

        async def work(connection: Connection) -> Sequence[Row[Any]]:
            return (await connection.execute(statement, parameters)).all()

        return await self.read(work)

    async def read(self, work: Work[Result]) -> Result:
        """Run `work`, each of whose queries sees what was committed when it began."""
        driver = await self._opened()
        self._reading += 1
        self._unread.clear()
        try:
            with faults(self.place.shown):
                return await driver.read(work)
        finally:
            self._reading -= 1
            if not self._reading:
                self._unread.set()

    async def write(self, work: Work[Result]) -> Result:
        """Run `work` in one transaction. It goes on when the caller is cancelled, and may run more than once."""
        driver = await self._opened()
        task = driver.write(work)
        self._writing.add(task)
        task.add_done_callback(self._written)
        with faults(self.place.shown):
            return await asyncio.shield(task)

    async def driver_connection(self) -> Any:
        """A connection of PostgreSQL's driver, outside the pool, which the caller has to close."""
        driver: Any = await self._opened()
        with faults(self.place.shown):
            return await driver.driver_connection()

    def _written(self, task: asyncio.Future[Any]) -> None:
        self._writing.discard(task)
        if not task.cancelled():
            task.exception()  # the caller may be gone, and nobody else asks

    async def _opened(self) -> Driver:
        if self._driver is None and not self._closed:
            async with self._opening:
                if self._driver is None and self._clock() - self._tried >= REOPEN_SECONDS:
                    with suppress(StoreUnavailable):  # what it says is raised below
                        await self._open()
        if self._driver is None:
            raise StoreUnavailable(self._fault.message, detail=self._fault.detail)
        return self._driver


def open_driver(place: Place, busy: float) -> Driver:
    """What a place needs. Nothing is connected yet; a file must exist. `busy`: see the drivers.

    Raises StoreUnavailable when what PostgreSQL needs is not installed.
    """
    if place.file is not None:
        return SQLite(place, busy)
    try:
        from gateway.store.postgresql import PostgreSQL  # noqa: PLC0415 - 10 MiB that SQLite does not need

        return PostgreSQL(place, busy)
    except ImportError as error:
        missing = getattr(error.__cause__ or error, "name", None)
        reason = f"{missing} is not installed. Install it: pip install 'codex-gateway[postgres]'"
        raise unavailable(reason, place.shown, error) from error


def make_file(file: Path, *, ours: bool) -> None:
    """A file that only its owner can read, a backup that was put here too; what SQLite puts beside it gets its mode."""
    if ours:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    if ours:
        for name in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
            with suppress(OSError):  # not there, or another user's: then the mode is not ours to choose
                if name.stat().st_mode & 0o077:
                    name.chmod(0o600)
