"""structlog, imported without Rich.

structlog loads its console for developers with itself, and this one loads Rich when it is installed, for colored
tracebacks that we never make: 90 modules, 4 MiB and 40 ms or more of every start. Nor is that all: those tracebacks
show local variables, and these hold tokens. Without Rich structlog has plain tracebacks. Only the first import of a
process decides, so whoever wants a logger asks `gateway.logs.get_logger`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["structlog"]


@contextmanager
def _as_if_missing(name: str) -> Iterator[None]:
    """Imports of `name` fail in here, as the import system promises for a module that is None."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # typeshed does not know of this use
    try:
        yield
    finally:
        del sys.modules[name]


with _as_if_missing("rich"):
    import structlog
