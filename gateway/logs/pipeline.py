"""What every line goes through: exceptions become text, time, level and event come first, secrets are taken out.

The same steps for our own lines, which come through structlog, and for those of libraries and of `warnings`. A request
pays for one line, so there are few steps, and the usual line passes them without being copied again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gateway.logs.lean import structlog
from gateway.logs.lines import Line
from gateway.logs.outputs import Outputs
from gateway.logs.redaction import redact

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger

sink = Outputs()
sink.guard()


class Named:
    """What structlog wraps: takes finished lines, and knows the name for the field `logger`."""

    __slots__ = ("name",)

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: Line) -> None:
        sink.write(line, urgent=False)

    def warning(self, line: Line) -> None:
        sink.write(line, urgent=True)

    debug = info = msg
    error = critical = warning


class Stamps:
    """Points of time as ISO 8601 in UTC, with microseconds. All but those is made once for the lines of a second."""

    def __init__(self) -> None:
        self._last = ("0", "1970-01-01T00:00:00")

    def __call__(self, nanoseconds: int) -> str:
        """`nanoseconds` since 1970, at least a second of them."""
        digits = str(nanoseconds)
        second = digits[:-9]
        known, text = self._last  # both at once: another thread may change them
        if second != known:
            text = datetime.fromtimestamp(int(second), UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._last = (second, text)
        return f"{text}.{digits[-9:-3]}Z"


_stamp = Stamps()


class Begun(dict[str, Any]):
    """What a line begins as, a copy of its logger's context: time, level and event have the first places."""

    def __init__(self, *given: Any, **fields: Any) -> None:
        super().__init__(time="", level="", event="")
        self.update(*given, **fields)


_METHODS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}

_stack = structlog.processors.StackInfoRenderer(additional_ignores=[__name__])


def finished(logger: Named, method: str, line: EventDict) -> tuple[tuple[Line], dict[str, Any]]:
    """The step after which a line is as `Named` takes it."""
    return (_finished(logger, method, line),), {}


def _finished(logger: Named, method: str, line: EventDict) -> Line:
    """What is ours to say wins over fields of the same name."""
    if "stack_info" in line:
        line = _stack(logger, method, line)
    if "exc_info" in line:
        line = structlog.processors.format_exc_info(logger, method, line)
    line["level"] = method
    line["logger"] = logger.name
    # After exceptions became text: secrets are taken out of them, too.
    clean = redact(line)  # type: ignore[arg-type]  # structlog promises less than the copy of a Begun that it gives
    clean["time"] = _stamp(time.time_ns())
    return clean


def bound_logger(level: int) -> type[FilteringBoundLogger]:
    """structlog's logger for this level and those above, with a shorter way to the one step there is.

    On its own way it copies the fields of a line four times, which is a quarter of what a line costs.
    """
    filtering = structlog.make_filtering_bound_logger(level)
    quick = {name: _method(name) for name, value in _METHODS.items() if value >= level}
    return type(filtering.__name__, (filtering,), quick)


def _method(name: str) -> Callable[..., None]:
    def tell(self: Any, event: str, *args: Any, **fields: Any) -> None:
        if args or self._processors[0] is not finished:  # a test looks at the lines itself
            self._proxy_to_logger(name, event % args if args else event, **fields)
            return
        line = {**self._context, **fields}
        line["event"] = event
        getattr(self._logger, name)(_finished(self._logger, name, line))

    return tell


class Bridge(logging.Handler):
    """Lines of libraries and of `warnings`, through the same steps."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = Begun(event=record.getMessage().strip(), exc_info=record.exc_info)
            clean = _finished(Named(record.name), record.levelname.lower(), line)
            sink.write(clean, urgent=record.levelno >= logging.WARNING)
        except Exception:  # the last guard, as every logging handler has one
            self.handleError(record)
