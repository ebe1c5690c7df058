"""What the work of the store is given: a connection, whatever the database, and not the thread or task it runs in.

Work is a coroutine function that awaits nothing but its connection, and may run more than once. On PostgreSQL its
connection is SQLAlchemy's `AsyncConnection`, which is imported there only. On SQLite nothing of it ever suspends, and a
whole transaction is one visit to the thread of the writer.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import CursorResult, Executable
from sqlalchemy.engine import Dialect

Result = TypeVar("Result")


class Connection(Protocol):
    """The part of SQLAlchemy's `AsyncConnection` that the store uses."""

    @property
    def dialect(self) -> Dialect: ...

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[Any]: ...

    async def exec_driver_sql(self, statement: str, parameters: Any = None, /) -> CursorResult[Any]: ...

    async def run_sync(self, work: Callable[[SyncConnection], Result], /) -> Result: ...


Work = Callable[[Connection], Coroutine[Any, Any, Result]]


class Direct:
    """A synchronous connection as work sees it: every call is done when it returns."""

    def __init__(self, connection: SyncConnection) -> None:
        self._connection = connection
        self.dialect = connection.dialect

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[Any]:
        return self._connection.execute(statement, parameters)

    async def exec_driver_sql(self, statement: str, parameters: Any = None, /) -> CursorResult[Any]:
        return self._connection.exec_driver_sql(statement, parameters)

    async def run_sync(self, work: Callable[[SyncConnection], Result], /) -> Result:
        return work(self._connection)


def done(work: Coroutine[Any, Any, Result]) -> Result:
    """What work on a `Direct` connection returns.

    Raises RuntimeError when it awaits something else, which could not go on without an event loop.
    """
    try:
        work.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
    work.close()
    raise RuntimeError("the work of a transaction awaits something other than its connection")
