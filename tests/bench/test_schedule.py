"""When the open-loop generator asks."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.schedule import Schedule, percentile


def test_a_request_is_due_at_its_moment_and_not_before() -> None:
    schedule = Schedule(start=10.0, rate=4, count=3)
    assert schedule.due(9.9) == []
    assert schedule.due(10.0) == [10.0]
    assert schedule.due(10.2) == []
    assert schedule.due(10.25) == [10.25]
    assert not schedule.finished
    assert schedule.due(99.0) == [10.5]
    assert schedule.finished


def test_what_was_missed_is_due_with_the_times_it_was_planned_for() -> None:
    """A late generator counts its own lateness as delay, and leaves out no request."""
    schedule = Schedule(start=0.0, rate=10, count=100)
    assert schedule.due(0.35) == pytest.approx([0.0, 0.1, 0.2, 0.3])


@given(
    rate=st.floats(0.1, 50_000),
    count=st.integers(1, 300),
    steps=st.lists(st.floats(0, 1), max_size=30),
)
def test_every_request_is_due_once_in_order_and_never_early(rate: float, count: int, steps: list[float]) -> None:
    schedule = Schedule(start=5.0, rate=rate, count=count)
    now, asked = 5.0, []
    for step in [*steps, count / rate + 1]:
        now += step
        due = schedule.due(now)
        assert all(planned <= now + 1e-6 / rate for planned in due)
        asked += due
    assert asked == [5.0 + number / rate for number in range(count)]
    assert schedule.due(now + 1) == []


def test_a_percentile_is_one_of_the_values() -> None:
    values = [5.0, 1.0, 3.0, 2.0, 4.0]
    assert [percentile(values, share) for share in (0, 0.2, 0.5, 0.99, 1)] == [1, 1, 3, 5, 5]
    assert percentile([7.0], 0.5) == 7


@given(st.lists(st.floats(0, 1000), min_size=1), st.floats(0, 1))
def test_a_percentile_is_not_exceeded_by_its_share(values: list[float], share: float) -> None:
    within = sum(value <= percentile(values, share) for value in values)
    assert within >= math.ceil(share * len(values))
