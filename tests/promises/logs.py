"""Log lines: what holds for each of them, whatever the process meets."""

from __future__ import annotations

from tests.promises import Promise

LOGS = {
    "LOGS-order": Promise("design §5.4", "A line begins with time, level and event, whatever its fields are called."),
    "LOGS-time": Promise("design §6", "Lines tell their time in UTC to the microsecond."),
    "LOGS-redaction": Promise(
        "design §6",
        "A line whose parts are known to be clean loses the same secrets as one that is looked at part by part.",
    ),
    "LOGS-memory": Promise("design §6", "What is remembered of earlier lines is bounded."),
    "LOGS-at-once": Promise(
        "design §6", "A line is written at once, under load within milliseconds, warnings always at once."
    ),
    "LOGS-kept": Promise(
        "design §6", "No line is lost, told twice or out of order when a process exits, crashes, forks or is stopped."
    ),
    "LOGS-shared": Promise(
        "design §5.2",
        "Processes that share a log file lose, split and reorder no line, through rotation and compression.",
    ),
    "LOGS-renamed": Promise(
        "design §5.2", "A file renamed by another process is left soon; lines in between are kept in the renamed one."
    ),
    "LOGS-full-disk": Promise(
        "design §6", "A full disk or a file that cannot be renamed fails no caller; lines after it are whole again."
    ),
    "LOGS-lean": Promise("performance §6", "Logging does not load the console that structlog has for developers."),
}
