"""Logging: one pipeline for our own lines, for libraries' and for warnings. Secrets are taken out on the way.

`configure` once at start; `get_logger` anywhere above the pure packages. Imports nothing of the gateway.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import structlog

from gateway.logs.lines import as_json, as_text
from gateway.logs.redaction import redact
from gateway.logs.rotation import RotatingFile

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

    from gateway.config import Logging

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}

_CHATTY = ("httpx2", "httpcore2", "asyncio", "hpack", "watchfiles", "sqlalchemy", "aiosqlite", "asyncpg", "alembic")
"""Libraries that narrate each request, headers included, or each statement with what it writes: only their warnings are
wanted."""

Line = dict[str, Any]


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of one part; `name` becomes the field `logger`."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def configure(settings: Logging, workdir: Path) -> None:
    """Set up where lines go. May be called again; the former log file is closed.

    Raises OSError when the log file cannot be opened.
    """
    level = _LEVELS[settings.level]
    _outputs.use(_targets(settings, workdir))
    structlog.configure(
        processors=[structlog.stdlib.add_logger_name, *_PROCESSORS, _hand_over],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Named,
        cache_logger_on_first_use=False,  # a second `configure` must reach loggers that were already used
    )
    root = logging.getLogger()
    root.handlers = [_Bridge()]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)


class _Outputs:
    """The places lines go to, each with its own form."""

    def __init__(self) -> None:
        self._targets: list[tuple[Callable[[Line], bytes], Callable[[bytes], object]]] = []
        self._file: RotatingFile | None = None

    def use(self, targets: Iterable[tuple[Callable[[Line], bytes], IO[str] | RotatingFile]]) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._targets = []
        for form, target in targets:
            if isinstance(target, RotatingFile):
                self._file = target
                self._targets.append((form, target.write))
            else:
                self._targets.append((form, _Stream(target).write))

    def write(self, line: Line) -> None:
        for form, write in self._targets:
            try:
                write(form(line))
            except (OSError, ValueError):
                # A full disk, a closed terminal: a request must not fail because its line cannot be written.
                continue


class _Stream:
    """Writes bytes to a text stream such as `sys.stderr`."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, line: bytes) -> None:
        self._stream.write(line.decode("utf-8"))
        self._stream.flush()


_outputs = _Outputs()


class _Named:
    """What structlog wraps: takes finished lines, and knows the name for the field `logger`."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: Line) -> None:
        _outputs.write(line)

    debug = info = warning = error = critical = msg


def _targets(settings: Logging, workdir: Path) -> Iterable[tuple[Callable[[Line], bytes], IO[str] | RotatingFile]]:
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
        )
        yield (as_text(color=False) if settings.format == "text" else as_json), file


def _redacted(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    return redact(dict(line))


def _hand_over(_: WrappedLogger, __: str, line: EventDict) -> tuple[tuple[EventDict], dict[str, Any]]:
    return (line,), {}


_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    _redacted,  # after exceptions became text
]


class _Bridge(logging.Handler):
    """Lines of libraries and of `warnings`, through the same processors."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line: Any = {"event": record.getMessage().strip(), "logger": record.name, "exc_info": record.exc_info}
            method = record.levelname.lower()
            for processor in _PROCESSORS:
                line = processor(None, method, line)
            _outputs.write(line)
        except Exception:  # the last guard, as every logging handler has one
            self.handleError(record)
