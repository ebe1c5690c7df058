"""Logging: one pipeline for our own lines, for libraries' and for warnings. Secrets are taken out on the way.

`configure` once at start; `get_logger` anywhere above the pure packages. Imports nothing of the gateway.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gateway.logs.lean import structlog
from gateway.logs.lines import as_json, as_text
from gateway.logs.outputs import Form
from gateway.logs.pipeline import Bridge, Named, bound_logger, noted, ready, sink
from gateway.logs.rotation import RotatingFile

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from gateway.config import Logging

__all__ = ["configure", "get_logger", "ready", "settle"]

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}

_CHATTY = ("httpx2", "httpcore2", "asyncio", "hpack", "watchfiles", "sqlalchemy", "asyncpg", "alembic")
"""Libraries that narrate each request, headers included, or each statement with what it writes: only their warnings are
wanted."""


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of one part; `name` becomes the field `logger`."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def configure(settings: Logging, workdir: Path, *, seldom: bool = False) -> None:
    """Set up where lines go. May be called again; the former log file is closed. `seldom`: as `RotatingFile` has it.

    Raises OSError when the log file cannot be opened.
    """
    level = _LEVELS[settings.level]
    sink.use(_targets(settings, workdir, seldom))
    structlog.configure(
        processors=[noted],
        wrapper_class=bound_logger(level),
        logger_factory=Named,
        cache_logger_on_first_use=False,  # a second `configure` must reach loggers that were already used
    )
    root = logging.getLogger()
    root.handlers = [Bridge()]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)


def settle() -> None:
    """Write all lines that wait, and each further one at once: the process may be about to end by a signal."""
    sink.settle()


def _targets(settings: Logging, workdir: Path, seldom: bool) -> Iterable[tuple[Form, IO[str] | RotatingFile]]:
    """`both` is standard error and the file."""
    if settings.output != "file":
        stream = sys.stdout if settings.output == "stdout" else sys.stderr
        terminal = stream.isatty()
        text = settings.format == "text" or (settings.format == "auto" and terminal)
        color = settings.color == "always" or (settings.color == "auto" and terminal)
        yield (as_text(color=color) if text else as_json), stream
    if settings.output in ("file", "both"):
        options = settings.file
        directory = (workdir / options.dir) if options.dir else workdir / "logs"
        file = RotatingFile(
            directory / options.name,
            max_bytes=options.max_size_mb * 1024 * 1024,
            max_backups=options.max_backups,
            max_age_days=options.max_age_days,
            compress=options.compress,
            seldom=seldom,
        )
        yield (as_text(color=False) if settings.format == "text" else as_json), file
