"""Connections: many readers beside one writer on SQLite, one pool on PostgreSQL; the same SQL for both.

SQLite has one writer at a time, so each process has one connection that writes, and takes the lock at the beginning
(`BEGIN IMMEDIATE`): a lock that is asked for later, in the middle of a transaction, cannot be waited for.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Row, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.selectable import TypedReturnsRows

from gateway.errors import StoreUnavailable
from gateway.store import versions
from gateway.store.faults import DAMAGED, RETRIED, faults, sqlstate, unavailable
from gateway.store.place import Place

Result = TypeVar("Result")
Work = Callable[[AsyncConnection], Awaitable[Result]]

READERS = 4
"""Reading connections of one process on SQLite. Reads are short; more would be threads that wait."""
CONNECTIONS = 8
"""Connections of one process to PostgreSQL."""
ATTEMPTS = 4
"""Runs of a transaction that other writers made fail."""
REOPEN_SECONDS = 5.0
"""How long a store that could not be opened is left alone before a request tries again."""


class Database:
    """The connections of one process. `open` once; everything else raises StoreUnavailable while it is not open."""

    def __init__(self, place: Place, *, busy: float, clock: Callable[[], float]) -> None:
        self.place = place
        self.postgresql = place.file is None
        self._busy = busy
        self._clock = clock
        self._writer: AsyncEngine | None = None
        self._reader: AsyncEngine | None = None
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
            if self._writer is None:
                await self._open()

    async def aclose(self) -> None:
        """Finish what is being written and read, then close every connection."""
        self._closed = True
        while self._writing:
            await asyncio.wait(self._writing)
        writer, reader = self._writer, self._reader
        self._writer = self._reader = None
        self._fault = unavailable("it is closed", self.place.shown)
        await self._unread.wait()
        for engine in {writer, reader} - {None}:
            assert engine is not None
            await engine.dispose()

    async def _open(self) -> None:
        self._tried = self._clock()
        try:
            async with AsyncExitStack() as undo:
                with faults(self.place.shown):
                    writer, reader = self._connect()
                    undo.push_async_callback(reader.dispose)
                    undo.push_async_callback(writer.dispose)
                    if not self.postgresql:
                        await self._switch_to_wal(reader)
                    await versions.bring_up_to_date(reader, writer, self.place.shown)
                undo.pop_all()
        except StoreUnavailable as error:
            self._fault = error
            raise
        self._writer, self._reader = writer, reader

    def _connect(self) -> tuple[AsyncEngine, AsyncEngine]:
        """What writes, in transactions, and what reads, each statement for itself. Nothing is connected yet."""
        if self.place.file is not None:
            _make(self.place.file, ours=self.place.ours)
        return self._engines()

    def _engines(self) -> tuple[AsyncEngine, AsyncEngine]:
        place, busy = self.place, self._busy
        if place.file is None:
            writer = _postgresql_engine(place, busy)
            return writer, writer.execution_options(isolation_level="AUTOCOMMIT")
        _ask_for(place.file)
        writer = _sqlite_engine(place, busy, connections=1, begin="BEGIN IMMEDIATE")
        return writer, _sqlite_engine(place, busy, connections=READERS, begin="")

    async def _switch_to_wal(self, engine: AsyncEngine) -> None:
        """Let readers never wait for the writer. The file remembers it. SQLite itself does not wait to do this."""
        deadline = self._clock() + self._busy
        while True:
            try:
                async with engine.connect() as connection:
                    await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            except DBAPIError as error:
                if "locked" not in str(error.orig) or self._clock() >= deadline:
                    raise
            else:
                return
            await asyncio.sleep(0.02)

    async def look(self) -> tuple[versions.State, str | None]:
        """What is there, and its version, without changing anything. A file must exist.

        Raises StoreUnavailable, for a damaged file too.
        """
        with faults(self.place.shown):
            _, reader = self._engines()
            try:
                async with reader.connect() as connection:
                    if not self.postgresql:
                        await connection.exec_driver_sql("PRAGMA query_only=ON")
                        said = (await connection.exec_driver_sql("PRAGMA quick_check(1)")).scalar_one()
                        if said != "ok":
                            raise unavailable(DAMAGED, f"{self.place.shown}: {said}")
                    return await versions.look(connection)
            finally:
                await reader.dispose()

    # use --------------------------------------------------------------------------------------------------------------

    async def rows(self, statement: TypedReturnsRows[Any]) -> Sequence[Row[Any]]:
        """The rows of one query."""
        async with self.reading() as connection:
            found: Sequence[Row[Any]] = (await connection.execute(statement)).all()
            return found

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for queries, each of which sees what was committed when it began."""
        reader = await self._engine(write=False)
        self._reading += 1
        self._unread.clear()
        try:
            with faults(self.place.shown):
                async with reader.connect() as connection:
                    yield connection
        finally:
            self._reading -= 1
            if not self._reading:
                self._unread.set()

    async def write(self, work: Work[Result]) -> Result:
        """Run `work` in one transaction. It goes on when the caller is cancelled, and may run more than once."""
        writer = await self._engine(write=True)
        task = asyncio.ensure_future(self._run(writer, work))
        self._writing.add(task)
        task.add_done_callback(self._written)
        return await asyncio.shield(task)

    async def driver_connection(self) -> Any:
        """A connection of the driver's own, outside the pool, which the caller has to close."""
        engine = await self._engine(write=True)
        with faults(self.place.shown):
            raw = await engine.raw_connection()
            driver = raw.driver_connection
            raw.detach()
            return driver

    def _written(self, task: asyncio.Future[Any]) -> None:
        self._writing.discard(task)
        if not task.cancelled():
            task.exception()  # the caller may be gone, and nobody else asks

    async def _run(self, writer: AsyncEngine, work: Work[Result]) -> Result:
        attempt = 1
        while True:
            try:
                with faults(self.place.shown):
                    async with writer.begin() as connection:
                        return await work(connection)
            except (StoreUnavailable, DBAPIError) as error:
                state = sqlstate(error) or sqlstate(error.__cause__ or error)
                if state not in RETRIED or attempt == ATTEMPTS:
                    raise
            attempt += 1

    async def _engine(self, *, write: bool) -> AsyncEngine:
        if self._writer is None and not self._closed:
            async with self._opening:
                if self._writer is None and self._clock() - self._tried >= REOPEN_SECONDS:
                    with suppress(StoreUnavailable):  # what it says is raised below
                        await self._open()
        engine = self._writer if write else self._reader
        if engine is None:
            raise StoreUnavailable(self._fault.message, detail=self._fault.detail)
        return engine


def _make(file: Path, *, ours: bool) -> None:
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


def _ask_for(file: Path) -> None:
    """Raises OSError for what can be no file of ours. The driver leaves a thread behind when SQLite cannot open it."""
    if file.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not os.access(file, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _postgresql_engine(place: Place, busy: float) -> AsyncEngine:
    try:
        return create_async_engine(
            place.url,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={"timeout": busy, "server_settings": {"application_name": "codex-gateway"}},
        )
    except ModuleNotFoundError as error:
        reason = "asyncpg is not installed. Install it: pip install 'codex-gateway[postgres]'"
        raise unavailable(reason, place.shown, error) from error


def _sqlite_engine(place: Place, busy: float, *, connections: int, begin: str) -> AsyncEngine:
    """`begin`: how transactions begin; "" for none, so that each statement stands alone."""
    engine = create_async_engine(
        place.url,
        pool_size=connections,
        max_overflow=0,
        # The driver's own transactions begin too late, and not at all before DDL.
        connect_args={"timeout": busy, "isolation_level": None},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        cursor = connection.cursor()
        try:
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.execute("PRAGMA synchronous=NORMAL")
        except Exception:
            connection.close()  # the pool does not know it yet, and would leave its thread behind
            raise
        cursor.close()

    if begin:

        @event.listens_for(engine.sync_engine, "begin")
        def take_the_lock(connection: Any) -> None:
            connection.exec_driver_sql(begin)

    return engine
