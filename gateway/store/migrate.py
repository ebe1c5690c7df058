"""Migrations, in a process of their own: `elsewhere` runs this file as a program and tells it what to do.

Alembic takes 20 MiB and a quarter of a second, and most processes never need it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import make_url

from gateway.errors import StoreUnavailable
from gateway.store import versions
from gateway.store.connection import Connection
from gateway.store.database import open_driver
from gateway.store.faults import faults
from gateway.store.place import Place

UNAVAILABLE = 3
"""The exit code that says: what is wrong is on standard output, as it was raised."""


@dataclass(frozen=True, slots=True)
class Order:
    """Bring `place` to version `ours` with `migrations`. `busy`: seconds to wait for other processes."""

    place: Place
    busy: float
    ours: str
    migrations: Path


async def elsewhere(order: Order) -> None:
    """Carry out an order in a process of its own.

    Raises StoreUnavailable, and RuntimeError when a migration fails by its own mistake; then nothing has changed.
    """
    # A thread, because it may be asked for in any event loop, also in one that cannot watch children.
    ended = await asyncio.to_thread(_run, order)
    if ended.returncode == UNAVAILABLE:
        said = json.loads(ended.stdout)
        raise StoreUnavailable(said["message"], detail=said["detail"])
    if ended.returncode != 0:
        raise RuntimeError(f"the tables could not be brought to version {order.ours}: {ended.stderr.strip()[-2000:]}")


def _run(order: Order) -> subprocess.CompletedProcess[str]:
    place = order.place
    told = {
        # With its password, and so not among the arguments, which every user can read.
        "url": place.url.render_as_string(hide_password=False),
        "shown": place.shown,
        "file": None if place.file is None else str(place.file),
        "busy": order.busy,
        "ours": order.ours,
        "migrations": str(order.migrations),
    }
    return subprocess.run(
        [sys.executable, "-m", "gateway.store.migrate"],
        input=json.dumps(told),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


async def _carry_out(order: Order) -> None:
    with faults(order.place.shown):
        driver = open_driver(order.place, order.busy)
        try:
            await driver.write(partial(_upgrade, order))
        finally:
            await driver.aclose()


async def _upgrade(order: Order, connection: Connection) -> None:
    await versions.lock(connection)
    state, version = await versions.look(connection, order.ours)
    versions.refuse(state, version, order.place.shown, order.ours)
    await connection.run_sync(partial(upgrade, order.ours, order.migrations))  # another process may have been faster


def upgrade(ours: str, migrations: Path, connection: SyncConnection) -> None:
    """Run the migrations that are missing, as a part of this transaction."""
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, ours)


def main() -> None:
    told = json.load(sys.stdin)
    file = None if told["file"] is None else Path(told["file"])
    place = Place(make_url(told["url"]), told["shown"], file)
    try:
        asyncio.run(_carry_out(Order(place, told["busy"], told["ours"], Path(told["migrations"]))))
    except StoreUnavailable as error:
        json.dump({"message": error.message, "detail": error.detail}, sys.stdout)
        sys.exit(UNAVAILABLE)


if __name__ == "__main__":
    main()
