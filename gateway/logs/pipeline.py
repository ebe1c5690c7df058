"""What every line goes through: exceptions become text, time, level and event come first, secrets are taken out.

The same steps for our own lines, which come through structlog, and for those of libraries and of `warnings`. A request
pays for one line: a call notes what only it can know, and the rest happens when lines are written, many at a time.
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

Told = tuple[int, str, str, str, Line]
"""Nanoseconds since 1970, level, logger, event and fields of a line to be: what a call notes."""


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


def finished(told: Told) -> Line:
    """The line, without secrets. What is ours to say wins over fields of the same name."""
    nanoseconds, level, logger, event, fields = told
    line = {"time": "", "level": "", "event": "", **fields}
    line["level"] = level
    line["event"] = event
    line["logger"] = logger
    clean = redact(line)
    clean["time"] = _stamp(nanoseconds)
    return clean


def instead(told: Told, error: Exception) -> Line:
    """Stands for a line that cannot be made; no value of it is told, because nobody knows which one was to blame."""
    nanoseconds, _, logger, _, _ = told
    reason = type(error).__name__
    return finished((nanoseconds, "error", logger, "a log line could not be made", {"reason": reason}))


sink = Outputs(finished, instead)
sink.guard()


class Named:
    """What structlog wraps: hands on what was told, and knows the name for the field `logger`."""

    __slots__ = ("name",)

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, told: Told) -> None:
        sink.write(told, urgent=False)

    def warning(self, told: Told) -> None:
        sink.write(told, urgent=True)

    debug = info = msg
    error = critical = warning


_METHODS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}

_stack = structlog.processors.StackInfoRenderer(additional_ignores=[__name__])


def _seen(method: str, fields: EventDict) -> Line:
    """The fields, with the traceback and the stack that only the moment of the call can tell."""
    if "stack_info" in fields:
        fields = _stack(None, method, fields)
    if "exc_info" in fields:
        fields = structlog.processors.format_exc_info(None, method, fields)
    return fields  # type: ignore[return-value]  # structlog promises less than the dict that it gets and gives


def noted(logger: Named, method: str, line: EventDict) -> tuple[tuple[Told], dict[str, Any]]:
    """The step after which a line is as `Named` takes it."""
    event = line.pop("event", "")
    return ((time.time_ns(), method, logger.name, event, _seen(method, line)),), {}


def bound_logger(level: int) -> type[FilteringBoundLogger]:
    """structlog's logger for this level and those above, with a shorter way to the one step there is.

    On its own way it copies the fields of a line three times, which is a good part of what a call costs.
    """
    filtering = structlog.make_filtering_bound_logger(level)
    quick = {name: _method(name, value >= logging.WARNING) for name, value in _METHODS.items() if value >= level}
    return type(filtering.__name__, (filtering,), {**quick, "quick": frozenset(quick)})


def _method(name: str, urgent: bool) -> Callable[..., None]:
    def tell(self: Any, event: str, *args: Any, **fields: Any) -> None:
        if args or self._processors[0] is not noted:  # a test looks at the lines itself
            self._proxy_to_logger(name, event % args if args else event, **fields)
            return
        if self._context:
            fields = {**self._context, **fields}
        if "exc_info" in fields or "stack_info" in fields:
            fields = _seen(name, fields)
        sink.write((time.time_ns(), name, self._logger.name, event, fields), urgent=urgent)

    return tell


def ready(log: FilteringBoundLogger, method: str) -> Callable[[str, Line], None]:
    """`log.info` and its like for fields that are a dict already, which nobody changes any more.

    As keywords they would be copied, which costs as much as all else that a call does. No tracebacks.
    """
    bound: Any = log.bind()
    tell = getattr(bound, method)
    if method not in getattr(bound, "quick", ()) or bound._context:  # not heard at this level, or not ours
        return lambda event, fields: tell(event, **fields)
    name, urgent = bound._logger.name, _METHODS[method] >= logging.WARNING
    processors = bound._processors

    def told(event: str, fields: Line) -> None:
        if processors[0] is noted:
            sink.write((time.time_ns(), method, name, event, fields), urgent=urgent)
        else:  # a test looks at the lines itself
            tell(event, **fields)

    return told


class Bridge(logging.Handler):
    """Lines of libraries and of `warnings`, through the same steps."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fields = _seen(record.levelname, {"exc_info": record.exc_info})
            told = (time.time_ns(), record.levelname.lower(), record.name, record.getMessage().strip(), fields)
            sink.write(told, urgent=record.levelno >= logging.WARNING)
        except Exception:  # the last guard, as every logging handler has one
            self.handleError(record)
