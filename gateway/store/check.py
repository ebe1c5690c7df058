"""Whether the store could be used, without making or changing it: for `config check`."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from gateway.store.database import Database
from gateway.store.faults import unavailable
from gateway.store.place import Place, place_of
from gateway.store.schema import VERSION
from gateway.store.versions import refuse

if TYPE_CHECKING:
    from gateway.config import Store as Settings

_SAYINGS = {
    "new": "empty; its tables are made at the start",
    "older": f"its tables are of version {{version}}; they are brought to {VERSION} at the start. Make a backup first",
    "current": "tables of version {version}",
}


async def check(settings: Settings, workdir: Path) -> str:
    """One line about the store.

    Raises StoreUnavailable when the gateway could not use it.
    """
    if not settings.enabled:
        return "store: off"
    place = place_of(settings.url.get_secret_value(), workdir)
    if place.file is not None and not place.file.exists():
        _may_make(place, place.file.parent)
        return f"store: {place.shown}, made at the start"
    if place.file is not None and not os.access(place.file, os.W_OK):
        raise unavailable("the file is read-only. The gateway's user must be able to write it", place.shown)
    state, version = await Database(place, busy=settings.busy_seconds, clock=monotonic).look()
    refuse(state, version, place.shown)
    return f"store: {place.shown}, {_SAYINGS[state].format(version=version)}"


def _may_make(place: Place, directory: Path) -> None:
    if place.ours:
        while not directory.exists():
            directory = directory.parent
    if not directory.is_dir():
        raise unavailable(f"there is no directory {directory}", place.shown)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise unavailable(f"the gateway's user may not write the directory {directory}", place.shown)
