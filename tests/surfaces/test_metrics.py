"""What is counted, and that labels stay bounded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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
    metrics.tokens(token_counts({"prompt_tokens": 3, "completion_tokens": 4}))
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
    ("usage", "counts"),
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
def test_usage_of_either_dialect_is_counted_and_nonsense_is_not(usage: Any, counts: dict[str, int]) -> None:
    assert token_counts(usage) == counts


WORKER = """
import sys
from gateway.engine.metrics import Metrics, token_counts
metrics = Metrics(("codex",), directory=sys.argv[1])
metrics.retried("codex")
sys.stdout.buffer.write(metrics.render())
"""


@pytest.mark.proves("HTTP-metrics-workers")
def test_workers_that_share_a_directory_report_their_sum(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    answers = [
        subprocess.run(
            [sys.executable, "-c", WORKER, str(tmp_path)], env=environment, check=True, capture_output=True
        ).stdout
        for _ in range(2)
    ]
    assert [b'gateway_retries_total{upstream="codex"} %d.0' % n in answers[n - 1] for n in (1, 2)] == [True, True]
