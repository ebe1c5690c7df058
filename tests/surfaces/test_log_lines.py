"""What holds for each log line: its beginning, its secrets, and that it is not lost."""

from __future__ import annotations

import io
import logging
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.logs import get_logger, ready, settle
from gateway.logs.pipeline import Stamps
from gateway.logs.redaction import redact, redact_each
from tests.surfaces.test_logs import lines_of, logging_to


@pytest.mark.proves("LOGS-order")
def test_time_level_and_event_come_first_and_are_ours(tmp_path: Path) -> None:
    stream = io.StringIO()
    with logging_to(stream, tmp_path):
        log = get_logger("ours").bind(bound=1)
        log.info("request", path="/", time="noon", level="high", logger="other")
        log.warning("again", stack_info=True)
    first, second = lines_of(stream)
    assert list(first) == ["time", "level", "event", "bound", "path", "logger"]
    assert (first["level"], first["event"], first["logger"]) == ("info", "request", "ours")
    assert first["time"] != "noon"
    assert list(second)[:3] == ["time", "level", "event"]
    assert 'log.warning("again"' in second["stack"].splitlines()[-1]


@pytest.mark.proves("LOGS-order")
def test_lines_told_in_rarer_ways_look_the_same(tmp_path: Path) -> None:
    stream = io.StringIO()
    with logging_to(stream, tmp_path):
        log = get_logger("ours").bind(bound=1)
        log.info("%d of %d", 1, 2, path="/", level="high")
        log.log(logging.ERROR, "by number", path="/", exc_info=ValueError("no"))
    by_arguments, by_number = lines_of(stream)
    assert list(by_arguments) == ["time", "level", "event", "bound", "path", "logger"]
    assert list(by_number) == ["time", "level", "event", "bound", "path", "exception", "logger"]
    told = [(line["level"], line["event"], line["logger"]) for line in (by_arguments, by_number)]
    assert told == [("info", "1 of 2", "ours"), ("error", "by number", "ours")]


@pytest.mark.proves("LOGS-order")
@pytest.mark.parametrize("bound", [{}, {"bound": 1}], ids=["plain", "bound"])
def test_lines_told_as_one_dict_look_the_same(bound: dict[str, int], tmp_path: Path) -> None:
    stream = io.StringIO()
    fields: dict[str, Any] = {"path": "/?key=opaque-0123456789", "level": "high", "tokens": {"input": 1}}
    with logging_to(stream, tmp_path):
        log = get_logger("ours").bind(**bound)
        log.warning("request", **fields)
        ready(log, "warning")("request", {**fields})
    expected, told = lines_of(stream)
    assert list(told) == list(expected)
    assert {**told, "time": ""} == {**expected, "time": ""}
    assert told["path"] == "/?key=[redacted]"


@pytest.mark.proves("HTTP-log-level")
def test_lines_told_as_one_dict_are_heard_by_their_level_and_by_tests(tmp_path: Path) -> None:
    stream = io.StringIO()
    with logging_to(stream, tmp_path, level="warn"):
        log = get_logger("ours")
        tells = [ready(log, method) for method in ("debug", "info", "warning", "error")]
        for tell in tells:
            tell("heard", {"number": 1})
        with structlog.testing.capture_logs() as caught:
            tells[2]("caught", {"number": 2})
    assert [line["level"] for line in lines_of(stream)] == ["warning", "error"]
    assert caught == [{"event": "caught", "number": 2, "log_level": "warning"}]


@pytest.mark.proves("LOGS-order")
async def test_a_line_that_waits_tells_of_the_moment_it_was_told(tmp_path: Path) -> None:
    stream = io.StringIO()
    with logging_to(stream, tmp_path):
        log = get_logger("ours").bind(bound=1)
        log.info("at once")
        before = datetime.now(UTC)
        try:
            int("sk-0123456789")
        except ValueError as error:
            log.info("caught", exc_info=True)
            failure = error
        after = datetime.now(UTC)
        log.info("kept", exc_info=failure)
        log.info("here", stack_info=True)
        log.new(bound=2).info("anew")
        logging.getLogger("library").info("%s", "written", exc_info=failure)
        settle()
    caught, kept, here, anew, library = lines_of(stream)[1:]
    assert before <= datetime.fromisoformat(caught["time"]) <= after
    for line in (caught, kept, library):
        assert line["exception"].splitlines()[-1] == "ValueError: invalid literal for int() with base 10: '[redacted]'"
        assert "exc_info" not in line
    assert 'log.info("here"' in here["stack"].splitlines()[-1]
    assert [line["bound"] for line in (caught, kept, here, anew)] == [1, 1, 1, 2]


@pytest.mark.proves("LOGS-kept")
async def test_a_line_that_cannot_be_made_is_told_to_be_missing_without_its_values(tmp_path: Path) -> None:
    stream = io.StringIO()
    with logging_to(stream, tmp_path):
        log = get_logger("ours")
        log.info("first", number=1)
        log.info("second", number=10**5000, text="opaque")  # more digits than Python makes text of
        log.info("third", number=3)
        settle()
    first, missing, third = lines_of(stream)
    assert (first["number"], third["number"]) == (1, 3)
    del missing["time"]
    assert missing == {
        "level": "error",
        "event": "a log line could not be made",
        "reason": "ValueError",
        "logger": "ours",
    }


@pytest.mark.proves("LOGS-time")
@given(
    st.lists(st.integers(1_000_000_000, 4_000_000_000_000_000_000), min_size=1, max_size=4), st.integers(0, 2 * 10**9)
)
def test_a_line_tells_its_time_in_utc(points: list[int], later: int) -> None:
    stamps = Stamps()
    for point in [*points, points[-1] + later, points[0]]:
        told = datetime.fromisoformat(stamps(point))
        assert told == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=point // 1000)
        assert len(stamps(point)) == len("2026-11-21T01:38:23.123456Z")


MARKS = r"""eyJhbGciOiJSUzI1NiJ9|.eyJzdWIi|.c2ln|sk-|sk-proj-abcdef|rt_|rt_0123456789|Bearer|basic|authorization|cookie|
token|tokens|access_|password|secret|api_key|x-api-key|code|key=|?code=|&state=|code_verifier|://|user|@|host|/|:|=|,|;|&|?|
"|'|\|{|[|opaque-0123456789|0f0f|[redacted]| """
PIECES = st.sampled_from([*MARKS.split("|"), "token", "\t", "\u017f", "\u00e9", "\u212a", "\ud83d"])
LONG = st.just("abcdefgh" * 2500)
TEXTS = st.lists(PIECES, max_size=6).map("".join) | st.text(max_size=12) | LONG
NAMES = TEXTS | st.sampled_from(
    ["status", "path", "Token", "access-token", "CODE", "tokens", "c_o_d_e", "refreshToken"]
)
SCALARS = TEXTS | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none() | st.binary(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda deeper: (
        st.lists(deeper, max_size=3)
        | st.tuples(NAMES, deeper)
        | st.dictionaries(NAMES, deeper, max_size=3)
        | st.dictionaries(st.integers() | st.none(), deeper, max_size=2)
    ),
    max_leaves=6,
)


@pytest.mark.proves("LOGS-redaction")
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=3))
def test_known_lines_lose_the_same_secrets_as_new_ones(lines: list[dict[str, Any]]) -> None:
    for line in [*lines, *lines]:
        assert redact(line) == redact_each(line)


@pytest.mark.proves("LOGS-redaction")
def test_a_secret_is_found_in_a_line_of_a_known_form() -> None:
    clean = {"path": "/v1/models", "key": "config", "tokens": {"input": 1}}
    assert redact(clean) is clean
    assert redact({**clean, "path": "/v1/models?key=opaque-0123456789"})["path"] == "/v1/models?key=[redacted]"
    assert redact({**clean, "tokens": {"token": "opaque"}})["tokens"] == {"token": "[redacted]"}
    assert redact({**clean, "key": ["authorization", "opaque"]})["key"] == ["authorization", "[redacted]"]


@pytest.mark.proves("LOGS-memory")
def test_what_is_remembered_of_lines_is_bounded() -> None:
    tracemalloc.start()
    try:
        for number in range(10_000):
            redact({f"name-{number}": f"/path/{number}/{'x' * 80}", "long": f"{number} {'x y' * 1000}"})
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1024 * 1024
