"""Where log lines go, how they look, and that no secret is in them."""

from __future__ import annotations

import gzip
import io
import json
import logging
import os
import stat
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Logging
from gateway.logs import configure, get_logger
from gateway.logs.lines import as_json, as_text
from gateway.logs.redaction import REDACTED, redact, redact_text
from gateway.logs.rotation import RotatingFile

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def logging_to(stream: io.StringIO, workdir: Path, **settings: Any) -> Iterator[None]:
    """Configured logging with both standard streams caught; afterwards everything is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    try:
        with redirect_stderr(stream), redirect_stdout(stream):
            configure(Logging.model_validate(settings), workdir)
            yield
    finally:
        configure(Logging(output="stderr"), workdir)  # closes the file
        structlog.reset_defaults()
        logging.captureWarnings(False)
        root.handlers, root.level = handlers, level


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.proves("HTTP-log-format")
def test_lines_are_json_when_nobody_watches(tmp_path: Path) -> None:
    stream = io.StringIO()
    with logging_to(stream, tmp_path):
        get_logger("access").info("request", status=200)
    (line,) = lines_of(stream)
    assert datetime.fromisoformat(line.pop("time")).tzinfo == UTC
    assert line == {"level": "info", "event": "request", "logger": "access", "status": 200}
    assert list(lines_of(stream)[0])[:3] == ["time", "level", "event"]


@pytest.mark.proves("HTTP-log-format")
@pytest.mark.parametrize(
    ("stream", "settings", "colored"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"color": "never"}, False),
        (io.StringIO(), {"format": "text"}, False),
        (io.StringIO(), {"format": "text", "color": "always"}, True),
    ],
    ids=["terminal", "terminal without color", "text by choice", "color by choice"],
)
def test_lines_are_text_in_a_terminal(
    stream: io.StringIO, settings: dict[str, str], colored: bool, tmp_path: Path
) -> None:
    with logging_to(stream, tmp_path, **settings):
        get_logger("access").warning("request", path="/a b", status=500)
    text = stream.getvalue()
    assert ("\x1b[33m" in text) == colored
    assert 'request path="/a b" status=500 logger=access\n' in text


@pytest.mark.proves("HTTP-log-format")
def test_a_value_cannot_begin_a_new_line_or_steer_the_terminal() -> None:
    line = as_text(color=False)({"time": "t", "level": "info", "event": "a\nb", "path": "/x\nforged \x1b[2J"})
    assert line.count(b"\n") == 1
    assert b"\x1b" not in line


@pytest.mark.proves("HTTP-log-format")
def test_lone_surrogates_and_huge_integers_can_be_logged() -> None:
    line = {"event": "\ud83d", "count": 2**70}
    assert json.loads(as_json(line))["count"] == 2**70
    assert b"ud83d" in as_text(color=False)(line)


@pytest.mark.proves("HTTP-log-level")
@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warn", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_level_holds_for_our_lines_and_those_of_libraries(level: str, heard: list[str], tmp_path: Path) -> None:
    stream = io.StringIO()
    with logging_to(stream, tmp_path, level=level):
        for logger in (get_logger("ours"), logging.getLogger("uvicorn.error")):
            logger.debug("a")
            logger.info("b")
            logger.warning("c")
            logger.error("d")
    assert [line["level"] for line in lines_of(stream)] == heard * 2


@pytest.mark.proves("HTTP-log-libraries")
def test_lines_of_libraries_and_warnings_go_through_the_same_pipeline(tmp_path: Path) -> None:
    stream = io.StringIO()
    with logging_to(stream, tmp_path):
        logging.getLogger("uvicorn.error").error("header %s", f"Authorization: Bearer {JWT}")
        logging.getLogger("httpx2").info("HTTP Request: POST https://host/ 200")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"old token {JWT}", stacklevel=1)
    library, warning = lines_of(stream)
    assert (library["logger"], library["event"]) == ("uvicorn.error", f"header Authorization: Bearer {REDACTED}")
    assert (warning["logger"], warning["level"]) == ("py.warnings", "warning")
    assert JWT not in stream.getvalue()


@pytest.mark.proves("HTTP-log-output")
@pytest.mark.parametrize(
    ("output", "streamed", "filed"), [("file", 0, 1), ("both", 1, 1), ("stderr", 1, 0), ("stdout", 1, 0)]
)
def test_lines_go_where_the_settings_say(output: str, streamed: int, filed: int, tmp_path: Path) -> None:
    stream = io.StringIO()
    with logging_to(stream, tmp_path, output=output):
        get_logger("x").info("here")
    file = tmp_path / "logs" / "codex-gateway.log"
    assert len(lines_of(stream)) == streamed
    assert (len(file.read_text().splitlines()) if file.exists() else 0) == filed


@pytest.mark.proves("HTTP-log-output")
def test_a_stream_that_cannot_be_written_to_fails_no_caller(tmp_path: Path) -> None:
    stream = io.StringIO()
    with logging_to(stream, tmp_path, output="both"):
        stream.close()
        get_logger("x").info("still here")
    assert "still here" in (tmp_path / "logs" / "codex-gateway.log").read_text()


@pytest.mark.proves("HTTP-log-file")
def test_the_log_file_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    with logging_to(io.StringIO(), tmp_path, output="file", file={"dir": "deep/down", "name": "g.log"}):
        get_logger("x").info("here")
    file = tmp_path / "deep" / "down" / "g.log"
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def rotating(
    path: Path, *, compress: bool = False, backups: int = 10, clock: Clock | None = None, seldom: bool = False
) -> RotatingFile:
    return RotatingFile(
        path,
        max_bytes=20,
        max_backups=backups,
        max_age_days=7,
        compress=compress,
        seldom=seldom,
        now=clock or Clock(),
    )


@pytest.mark.proves("HTTP-log-rotation")
def test_a_full_file_is_renamed_by_time_and_no_line_is_lost_or_split(tmp_path: Path) -> None:
    file = rotating(tmp_path / "g.log")
    lines = [b"line %d....\n" % number for number in range(5)]
    for line in lines:
        file.write(line)
    file.close()
    written = [part.read_bytes() for part in sorted(tmp_path.glob("g-*.log"))] + [(tmp_path / "g.log").read_bytes()]
    assert written == lines


@pytest.mark.proves("HTTP-log-rotation")
def test_a_line_larger_than_the_limit_is_written_whole(tmp_path: Path) -> None:
    file = rotating(tmp_path / "g.log")
    file.write(b"x" * 50 + b"\n")
    file.close()
    assert (tmp_path / "g.log").stat().st_size == 51


@pytest.mark.proves("HTTP-log-rotation")
def test_backups_too_many_or_too_old_are_removed(tmp_path: Path) -> None:
    old = tmp_path / "g-20200101T000000.000000.log"
    old.write_bytes(b"old")
    os.utime(old, (0, 0))
    for _ in range(4):
        file = rotating(tmp_path / "g.log", backups=2, clock=Clock())
        file.write(b"x" * 15)
        file.write(b"y" * 15)
        file.close()  # waits for the tidying
    assert not old.exists()
    assert len(list(tmp_path.glob("g-*"))) <= 2


@pytest.mark.proves("HTTP-log-rotation")
def test_a_backup_made_while_older_ones_are_tidied_is_counted_too(tmp_path: Path) -> None:
    seen, released = threading.Event(), threading.Event()
    clock = Clock()

    def now() -> datetime:
        if threading.current_thread().name == "log-rotation":  # which has listed the backups before it asks
            seen.set()
            assert released.wait(10)
        return clock()

    file = RotatingFile(tmp_path / "g.log", max_bytes=20, max_backups=1, max_age_days=7, compress=False, now=now)
    file.write(b"a" * 15)
    file.write(b"b" * 15)
    assert seen.wait(10)
    file.write(b"c" * 15)
    released.set()
    file.close()
    assert [backup.read_bytes() for backup in tmp_path.glob("g-*")] == [b"b" * 15]


@pytest.mark.proves("HTTP-log-rotation")
def test_backups_are_compressed_on_request_and_stay_private(tmp_path: Path) -> None:
    file = rotating(tmp_path / "g.log", compress=True)
    file.write(b"first line......\n")
    file.write(b"second line.....\n")
    file.close()
    (backup,) = tmp_path.glob("g-*")
    assert backup.suffix == ".gz"
    assert gzip.decompress(backup.read_bytes()) == b"first line......\n"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


@pytest.mark.proves("HTTP-log-rotation")
def test_two_processes_share_a_file_without_renaming_each_others(tmp_path: Path) -> None:
    one, other = rotating(tmp_path / "g.log"), rotating(tmp_path / "g.log")
    one.write(b"a" * 15)
    one.write(b"b" * 15)  # renames
    other.write(b"c" * 5)  # finds its file renamed, and opens the new one
    one.close()
    other.close()
    (backup,) = tmp_path.glob("g-*")
    assert (backup.read_bytes(), (tmp_path / "g.log").read_bytes()) == (b"a" * 15, b"b" * 15 + b"c" * 5)


@pytest.mark.proves("HTTP-log-rotation")
@pytest.mark.parametrize("seldom", [True, False])
def test_a_process_that_writes_seldom_keeps_no_backup_from_being_packed(tmp_path: Path, seldom: bool) -> None:
    busy, idle = rotating(tmp_path / "g.log", compress=True), rotating(tmp_path / "g.log", compress=True, seldom=seldom)
    idle.write(b"a" * 5)
    busy.write(b"b" * 15)
    busy.write(b"c" * 15)  # renames
    busy.close()
    (backup,) = tmp_path.glob("g-*")
    assert backup.suffix == (".gz" if seldom else ".log")
    assert not seldom or gzip.decompress(backup.read_bytes()) == b"a" * 5 + b"b" * 15
    idle.write(b"d" * 5)
    idle.close()
    assert not seldom or (tmp_path / "g.log").read_bytes() == b"c" * 15 + b"d" * 5
    with pytest.raises(OSError, match="descriptor"):
        idle.write(b"late")


@pytest.mark.proves("HTTP-log-secrets")
@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "api_key",
        "x-api-key",
        "downstream_api_key",
        "token",
        "access_token",
        "refreshToken",
        "id_token",
        "Cookie",
        "set-cookie",
        "password",
        "code",
        "code_verifier",
        "client_secret",
        "proxy_url",
    ],
)
def test_a_field_named_like_a_secret_is_redacted_at_any_depth(name: str) -> None:
    line = {name: "plain", "deep": [{"er": {name: ["plain"]}}], "pair": [(name.encode(), b"plain")]}
    assert redact(line) == {name: REDACTED, "deep": [{"er": {name: REDACTED}}], "pair": [[name, REDACTED]]}


@pytest.mark.proves("HTTP-log-secrets")
def test_harmless_fields_are_left_alone() -> None:
    line = {
        "tokens": {"input": 3, "cached": 0},
        "key": "config",
        "status": 200,
        "ttfb_ms": 1.5,
        "path": "/v1/chat/completions",
        "request_id": "0f" * 16,
        "token": None,
        "event": "the token was refreshed, the password is kept",
        "ok": True,
    }
    assert redact(line) == line


SHAPES = {
    "json web token": f"got {JWT}!",
    "openai key": "with sk-proj-abc_DEF-123456",
    "gateway key": "with sk-gw-0123456789abcdef",
    "bearer": "Authorization: Bearer opaque-0123456789",
    "basic": "authorization: basic b3BlcmF0b3I6c2VjcmV0",
    "headers dict": "{'authorization': 'Bearer opaque-0123456789'}",
    "headers list": "[(b'authorization', b'Bearer opaque-0123456789')]",
    "cookie header": "cookie: opaque-0123456789",
    "refresh token": "rt_0123456789abcdef.xyz",
    "json body": '{"refresh_token": "opaque-0123456789", "a": 1}',
    "escaped json": '"{\\"access_token\\":\\"opaque-0123456789\\"}"',
    "form body": "grant_type=refresh_token&refresh_token=opaque-0123456789&client_id=x",
    "callback url": "http://localhost:1455/auth/callback?code=opaque-0123456789&state=opaque-0123456789",
    "password in a url": "http://user:opaque-0123456789@proxy:3128",
    "api key in a url": "https://host/v1?key=opaque-0123456789",
    "named password": "password=opaque-0123456789",
    "key header": "x-api-key: opaque-0123456789",
}
OPAQUE = ("opaque-0123456789", JWT, "abc_DEF-123456", "0123456789abcdef", "b3BlcmF0b3I6c2VjcmV0")


@pytest.mark.proves("HTTP-log-secrets")
@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_a_text_shaped_like_a_secret_is_redacted(text: str) -> None:
    clean = redact_text(text)
    assert REDACTED in clean
    assert not [secret for secret in OPAQUE if secret in clean]


@pytest.mark.proves("HTTP-log-secrets")
@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_token_is_found_whatever_stands_around_it(before: str, after: str) -> None:
    assert JWT not in redact_text(f"{before} {JWT} {after}")


@pytest.mark.proves("HTTP-log-secrets")
def test_tracebacks_are_redacted_too(tmp_path: Path) -> None:
    stream = io.StringIO()
    with logging_to(stream, tmp_path):
        try:
            int(f"rt_0123456789abcdef {JWT}")  # its message repeats the text
        except ValueError:
            get_logger("x").exception("internal error", cause=ValueError(JWT), raw=JWT.encode())
    (line,) = lines_of(stream)
    assert "Traceback" in line["exception"]
    assert not [secret for secret in OPAQUE if secret in stream.getvalue()]


@pytest.mark.proves("HTTP-log-secrets")
def test_values_without_end_are_cut() -> None:
    endless: dict[str, Any] = {}
    endless["self"] = endless
    line = redact({"endless": endless, "long": "x" * 100_000})
    assert len(json.dumps(line)) < 20_000


@pytest.mark.proves("HTTP-log-alone")
def test_logging_imports_nothing_else_of_the_gateway() -> None:
    code = "import sys, gateway.logs; print(*sorted(name for name in sys.modules if name.startswith('gateway')))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert [name for name in found if not name.startswith("gateway.logs")] == ["gateway"]
