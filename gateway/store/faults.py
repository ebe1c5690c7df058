"""What a database says when it fails, as one error that tells what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.errors import StoreUnavailable

DAMAGED = "the file is damaged. Stop the gateway, move the file away or restore a backup"

_SQLITE = {
    "SQLITE_FULL": "the disk is full, or a limit of the file's size is reached. Free space",
    "SQLITE_BUSY": "another process holds the lock. Try again; raise store.busy_seconds if this lasts",
    "SQLITE_LOCKED": "another process holds the lock. Try again; raise store.busy_seconds if this lasts",
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_NOTADB": "the file is not a SQLite database. Move it away, or set store.url to another",
    "SQLITE_READONLY": "the file or its directory is read-only. The gateway's user must be able to write both",
    "SQLITE_CANTOPEN": "the file cannot be opened. Its directory must exist and be writable for the gateway's user",
    "SQLITE_PERM": "the file cannot be opened. The gateway's user must be able to write it and its directory",
    "SQLITE_IOERR": "the disk does not read or write. Look at the system's log; a full disk says this too",
}
"""By the primary name of SQLite's result codes; extended ones begin with it."""

_POSTGRESQL = {
    "53100": "the database's disk is full. Free space there",
    "53300": "PostgreSQL takes no more connections. Raise its max_connections, or run fewer workers",
    "53": "PostgreSQL is out of resources. Look at its log",
    "28": "PostgreSQL refused the user or the password of store.url",
    "3D": "there is no database of the name in store.url. Create it: createdb NAME",
    "42501": "the user of store.url may not do this. It must own its schema",
    "42P01": "a table is missing. Restart the gateway, which makes the tables",
    "25006": "the database is read-only. store.url must name the primary server",
    "55P03": "another process holds a lock. Try again",
    "57": "PostgreSQL stops or starts. Try again",
    "08": "the connection to PostgreSQL broke. Try again",
}
"""By SQLSTATE, and by its class."""

RETRIED = frozenset({"40001", "40P01", "23505"})
"""SQLSTATEs of transactions that succeed when they are run again: other writers were in the way."""


@contextlib.contextmanager
def faults(place: str) -> Iterator[None]:
    """Turn what databases raise into StoreUnavailable. Errors of our own SQL pass as they are."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise unavailable(reason, place, error) from error
    except PoolTimeout as error:
        raise unavailable("every connection is in use. Try again", place, error) from error
    except OSError as error:
        raise unavailable(_of_the_system(error), place, error) from error
    except Exception as error:
        if not type(error).__module__.startswith("asyncpg."):
            raise
        # What SQLAlchemy does not know of: the driver's own state, after a connection was cut in the wrong moment.
        raise unavailable(_POSTGRESQL["08"], place, error) from error


def unavailable(reason: str, place: str, cause: BaseException | None = None) -> StoreUnavailable:
    """The error for a client: what is wrong, without saying where the store is. The log is told that too."""
    detail = place if cause is None else f"{place}: {getattr(cause, 'orig', None) or cause!r}"
    return StoreUnavailable(f"The session store cannot be used: {reason}.", detail=detail)


def sqlstate(error: BaseException) -> str:
    """The SQLSTATE of a PostgreSQL error; "" for others."""
    original = getattr(error, "orig", None)
    return str(getattr(original, "sqlstate", None) or "")


def _reason(error: DBAPIError) -> str | None:
    """What is wrong with the database; None when it is what was asked of it."""
    name = str(getattr(error.orig, "sqlite_errorname", ""))
    for known, reason in _SQLITE.items():
        if name.startswith(known):
            return reason
    state = sqlstate(error)
    for prefix in (state, state[:2]):
        if prefix in _POSTGRESQL:
            return _POSTGRESQL[prefix]
    if isinstance(error.orig, OSError) or error.connection_invalidated:
        return _POSTGRESQL["08"]
    if isinstance(error, OperationalError | InternalError):
        return f"the database failed: {type(error.orig).__name__}. Look at the log"
    return None


def _of_the_system(error: OSError) -> str:
    if isinstance(error, ConnectionError | TimeoutError) or error.strerror is None:
        return "PostgreSQL does not answer. Check that it runs, and host and port of store.url"
    return f"{error.strerror}. Check store.url, and that the gateway's user may use what it names"
