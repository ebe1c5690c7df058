"""SQLite: one thread that writes and a few that read, each on a connection of its own.

SQLite has one writer at a time, so each process has one connection that writes, and takes the lock at the beginning
(`BEGIN IMMEDIATE`): a lock that is asked for later, in the middle of a transaction, cannot be waited for.

What waits while a transaction is committed shares the next one: a commit costs about as much as two rows.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from gateway.store.connection import Direct, Result, Work, done
from gateway.store.place import Place
from gateway.store.threads import Outcome, Threads

READERS = 4
"""Reading connections of one process. Reads are short; more would be threads that wait."""
TOGETHER = 32
"""Pieces of work in one transaction, at most: other processes wait for its end."""
_PAUSE_SECONDS = 0.02


class SQLite:
    """A file, open. `busy`: seconds to wait for other processes' writes."""

    def __init__(self, place: Place, busy: float) -> None:
        assert place.file is not None
        _ask_for(place.file)
        self._busy = busy
        self.engine = _engine(place, busy)
        self._writer = Threads("store-write", self._writing, size=1, together=TOGETHER)
        self._readers = Threads("store-read", self._reading, size=READERS)

    async def prepare(self) -> None:
        """Let readers never wait for the writer. The file remembers it. SQLite itself does not wait to do this."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._busy
        while True:
            try:
                await self.read(_switch_to_wal)
            except DBAPIError as error:
                if "locked" not in str(error.orig) or loop.time() >= deadline:
                    raise
            else:
                return
            await asyncio.sleep(_PAUSE_SECONDS)

    async def read(self, work: Work[Result]) -> Result:
        """Run `work`, each of whose queries sees what was committed when it began."""
        result: Result = await self._readers.submit(work)
        return result

    def write(self, work: Work[Result]) -> asyncio.Future[Result]:
        """Run `work` in a transaction, which goes on even if nobody waits for it any more."""
        return self._writer.submit(work)

    async def aclose(self) -> None:
        """Finish what was begun, and close every connection."""
        await self._readers.aclose()
        await self._writer.aclose()  # the last: SQLite now puts in its place what waits in the log
        self.engine.dispose()

    def _writing(self) -> _Writer:
        return _Writer(self.engine)

    def _reading(self) -> _Reader:
        return _Reader(self.engine)


async def _switch_to_wal(connection: Any) -> None:
    await connection.exec_driver_sql("PRAGMA journal_mode=WAL")


class _Hand:
    """The connection of one thread, opened for its first work; a file that cannot be opened is tried again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: SyncConnection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _opened(self) -> SyncConnection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection


class _Reader(_Hand):
    def work(self, jobs: Sequence[Work[Any]], /) -> Sequence[Outcome]:
        return [self._read(job) for job in jobs]

    def _read(self, job: Work[Any]) -> Outcome:
        try:
            connection = self._opened()
            with connection.begin():  # in name only: every query stands alone
                return done(job(Direct(connection))), None
        except Exception as error:
            return None, error


class _Writer(_Hand):
    def work(self, jobs: Sequence[Work[Any]], /) -> Sequence[Outcome]:
        """Do the jobs in one transaction. When one of them fails, each gets one of its own, from the beginning."""
        begun = False
        try:
            connection = self._opened()
            with connection.begin():
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                begun = True
                outcomes: list[Outcome] = [(done(job(Direct(connection))), None) for job in jobs]
        except Exception as error:
            if begun and len(jobs) > 1:
                return [outcome for job in jobs for outcome in self.work([job])]
            # Nobody has the lock: trying again for each would have the last wait for all before it.
            return [(None, error)] * len(jobs)
        return outcomes


def _ask_for(file: Path) -> None:
    """Raises OSError for what can be no file of ours: it says more than SQLite does."""
    if file.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not os.access(file, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _engine(place: Place, busy: float) -> Engine:
    # No pool: each thread opens a connection and closes it. The driver's own transactions begin too late, and not at
    # all before DDL.
    engine = create_engine(place.url, poolclass=NullPool, connect_args={"timeout": busy, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        try:
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA synchronous=NORMAL")
        except Exception:
            connection.close()
            raise

    return engine
