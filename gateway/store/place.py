"""Where the store is: a SQLite file, or a PostgreSQL database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url

FILE = "gateway.db"
"""The store in the work directory."""


@dataclass(frozen=True, slots=True)
class Place:
    """`shown`: for people, without a password. `file`: None for PostgreSQL. `ours`: the file of the work directory."""

    url: URL
    shown: str
    file: Path | None
    ours: bool = False


def place_of(url: str, workdir: Path) -> Place:
    """What `store.url` names; "" is the file of the work directory. A relative path is below the work directory.

    Raises ValueError for a URL of another database.
    """
    if not url:
        return _file(workdir / FILE, ours=True)
    parsed = make_url(url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url)
    match parsed.get_backend_name():
        case "sqlite" if parsed.database:
            return _file(workdir / parsed.database)
        case "postgresql":
            shown = parsed.set(query={}).render_as_string(hide_password=True)
            return Place(_asyncpg(parsed), shown, None)
    raise ValueError("expected a sqlite:/// or postgresql:// URL")


def _file(path: Path, *, ours: bool = False) -> Place:
    return Place(URL.create("sqlite", database=str(path)), f"the file {path}", path, ours)


def _asyncpg(url: URL) -> URL:
    """The URL in the driver's words: libpq says sslmode where asyncpg says ssl."""
    query = {("ssl" if name == "sslmode" else name): value for name, value in url.query.items()}
    return url.set(drivername="postgresql+asyncpg", query=query)
