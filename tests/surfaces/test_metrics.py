"""What is counted, and that labels stay bounded."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.usage import counts
from gateway.engine.counting import Counting, LibraryNumbers, OwnNumbers
from gateway.engine.metrics import Metrics, token_counts
from gateway.surfaces.state.routes import SURFACES


def samples(metrics: Metrics, *, of: str) -> list[str]:
    """The sample lines of one family, without its creation time."""
    lines = metrics.render().decode().splitlines()
    return [line for line in lines if line.startswith(of) and "_created" not in line]


@pytest.mark.proves("HTTP-metrics-labels")
def test_labels_that_nobody_listed_become_other() -> None:
    metrics = Metrics(("codex",))
    metrics.request("invented", "BREW", 200, seconds=1)
    metrics.upstream_answer("invented", 299)
    metrics.retried("invented")
    metrics.token_refresh("invented")
    assert b"invented" not in metrics.render()
    assert samples(metrics, of="gateway_upstream_answers") == [
        'gateway_upstream_answers_total{status="other",upstream="other"} 1.0'
    ]


@pytest.mark.proves("HTTP-metrics-labels")
@pytest.mark.parametrize(
    ("status", "family"),
    [(0, "none"), (99, "none"), (100, "1xx"), (200, "2xx"), (404, "4xx"), (599, "5xx"), (600, "none")],
)
def test_statuses_of_requests_are_told_by_their_family(status: int, family: str) -> None:
    metrics = Metrics()
    metrics.request("chat", "GET", status, seconds=1)
    assert samples(metrics, of="gateway_requests") == [
        f'gateway_requests_total{{method="GET",status="{family}",surface="chat"}} 1.0'
    ]


@pytest.mark.proves("HTTP-metrics-labels")
def test_the_surfaces_of_the_state_routes_are_told_apart() -> None:
    metrics = Metrics()
    for surface in SURFACES.values():
        metrics.request(surface, "GET", 200, seconds=1)
    assert {"conversations", "responses", "chat"} == set(SURFACES.values())
    assert not any("other" in line for line in samples(metrics, of="gateway_requests"))


@pytest.mark.proves("HTTP-metrics")
def test_each_kind_of_event_is_counted() -> None:
    metrics = Metrics(("codex",))
    metrics.request("chat", "POST", 0, seconds=1.5)
    metrics.request("chat", "POST", 200, seconds=1.5, first_byte=0.2)
    metrics.added(0.0003)
    metrics.tokens(token_counts(counts({"prompt_tokens": 3, "completion_tokens": 4})))
    metrics.stream_opened()
    metrics.stream_opened()
    metrics.stream_closed()
    metrics.websocket_opened()
    metrics.websocket_opened()
    metrics.websocket_closed()
    metrics.upstream_answer("codex", 200)
    metrics.upstream_answer("codex", 0)
    metrics.retried("codex")
    metrics.token_refresh("refreshed")
    metrics.cancelled()
    counted = [line for line in samples(metrics, of="gateway_") if "_bucket" not in line and "_sum" not in line]
    assert sorted(counted) == [
        "gateway_added_seconds_count 1.0",
        "gateway_cancelled_total 1.0",
        'gateway_first_byte_seconds_count{surface="chat"} 1.0',
        "gateway_open_streams 1.0",
        "gateway_open_websockets 1.0",
        'gateway_request_seconds_count{surface="chat"} 2.0',
        'gateway_requests_total{method="POST",status="2xx",surface="chat"} 1.0',
        'gateway_requests_total{method="POST",status="none",surface="chat"} 1.0',
        'gateway_retries_total{upstream="codex"} 1.0',
        'gateway_token_refreshes_total{outcome="refreshed"} 1.0',
        'gateway_tokens_total{kind="input"} 3.0',
        'gateway_tokens_total{kind="output"} 4.0',
        'gateway_upstream_answers_total{status="200",upstream="codex"} 1.0',
        'gateway_upstream_answers_total{status="none",upstream="codex"} 1.0',
    ]


@pytest.mark.proves("HTTP-metrics")
@pytest.mark.parametrize(
    ("usage", "told"),
    [
        pytest.param(
            {
                "input_tokens": 9,
                "input_tokens_details": {"cached_tokens": 5},
                "output_tokens": 4,
                "output_tokens_details": {"reasoning_tokens": 3},
                "total_tokens": 13,
            },
            {"input": 9, "output": 4, "cached": 5, "reasoning": 3},
            id="responses",
        ),
        pytest.param(
            {
                "prompt_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 5},
                "completion_tokens": 4,
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            {"input": 9, "output": 4, "cached": 5, "reasoning": 3},
            id="chat",
        ),
        pytest.param({"input_tokens": "9", "output_tokens": -1, "input_tokens_details": None}, {}, id="nonsense"),
        pytest.param(None, {}, id="none"),
        pytest.param([], {}, id="not an object"),
    ],
)
def test_usage_of_either_dialect_is_counted_and_nonsense_is_not(usage: Any, told: dict[str, int]) -> None:
    assert token_counts(counts(usage)) == told


Event = tuple[str, tuple[str, ...], float]

BOUNDS = (0.0002, 0.5, 1, 2.5, 1e6)
WORDS = st.sampled_from(["chat", "2xx", "", 'a "b"', "c\\d\n"])
AMOUNTS = st.sampled_from([0.0, *BOUNDS, 2**53, 1e300]) | st.integers(0, 2**64) | st.floats(0, 400)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["plain", "plain times"]), st.just(()), AMOUNTS),
        st.tuples(st.just("gauge"), st.just(()), st.sampled_from([1, -1])),
        st.tuples(st.sampled_from(["one", "times"]), st.tuples(WORDS), AMOUNTS),
        st.tuples(st.just("two"), st.tuples(WORDS, WORDS), AMOUNTS),
    ),
    max_size=30,
)


def told(numbers: Counting, events: list[Event]) -> str:
    """What is told of events; when a series began is left open."""
    families = {
        "plain": numbers.counter("plain", "A number."),
        "one": numbers.counter("one", "One\nlabel.", "kind"),
        "times": numbers.histogram("times", "Times.", BOUNDS, "surface"),
        "plain times": numbers.histogram("plain_times", "Times.", BOUNDS[:1]),
        "two": numbers.counter("two", "Two labels.", "method", "status"),
    }
    gauge = numbers.gauge("gauge", "Up and down.")
    for family, labels, amount in events:
        count = gauge if family == "gauge" else families[family][labels]
        count(amount)
    return re.sub(rb"(?m)^(\w+_created(?:\{.*\})?) \S+$", rb"\1 then", numbers.render()).decode()


@pytest.mark.proves("HTTP-metrics")
@given(EVENTS)
def test_numbers_of_our_own_are_told_like_those_of_the_library(events: list[Event]) -> None:
    assert told(OwnNumbers(), events) == told(LibraryNumbers(), events)


@pytest.mark.proves("HTTP-metrics")
def test_when_a_series_began_is_told_unless_the_library_is_told_not_to() -> None:
    events: list[Event] = [("one", ("a",), 1.0), ("times", ("b",), 1.0)]
    assert told(OwnNumbers(), events).count(" then") == 4
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the package types all but this
    try:
        assert told(OwnNumbers(), events) == told(LibraryNumbers(), events)
        assert "then" not in told(OwnNumbers(), events)
    finally:
        prometheus_client.enable_created_metrics()  # type: ignore[no-untyped-call]  # as above


@pytest.mark.proves("HTTP-metrics")
def test_a_series_begins_with_its_first_event() -> None:
    numbers = OwnNumbers()
    count = numbers.counter("events", "Events.", "kind")
    before = time.time()
    count[("a",)](1)
    after = time.time()
    (begun,) = [
        line.split()[1] for line in numbers.render().decode().splitlines() if line.startswith("events_created{")
    ]
    assert before <= float(begun) <= after


EVENTS_OF_EACH_KIND: list[tuple[str, list[Any], dict[str, float]]] = [
    ("request", ["chat", "POST", 200], {"seconds": 0.5, "first_byte": 0.25}),
    ("request", ["invented", "BREW", 0], {"seconds": 400}),
    ("added", [0.0005], {}),
    ("tokens", [{"input": 3, "output": 4}], {}),
    ("stream_opened", [], {}),
    ("websocket_opened", [], {}),
    ("websocket_closed", [], {}),
    ("upstream_answer", ["codex", 200], {}),
    ("upstream_answer", ["invented", 0], {}),
    ("retried", ["codex"], {}),
    ("token_refresh", ["blocked"], {}),
    ("cancelled", [], {}),
]

WORKER = """
import json, sys
from gateway.engine.metrics import Metrics
metrics = Metrics(("codex",), directory=sys.argv[1])
for name, values, named in json.loads(sys.argv[2]):
    getattr(metrics, name)(*values, **named)
sys.stdout.buffer.write(metrics.render())
"""


@pytest.mark.proves("HTTP-metrics-workers")
def test_workers_that_share_a_directory_report_their_sum(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", WORKER, str(tmp_path), json.dumps(EVENTS_OF_EACH_KIND)]
    alone = Metrics(("codex",))
    for _ in range(2):
        answer = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60).stdout
        for name, values, named in EVENTS_OF_EACH_KIND:
            getattr(alone, name)(*values, **named)
        lines = [line for line in answer.decode().splitlines() if not line.startswith("#")]
        assert sorted(lines) == sorted(samples(alone, of="gateway_"))
