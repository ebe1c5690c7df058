"""Delays, and plan limits that are answered from memory."""

from __future__ import annotations

import pytest

from gateway.errors import (
    GatewayError,
    InvalidRequest,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamRefusal,
    UpstreamUnavailable,
)
from gateway.upstreams.retry import CoolDown, advised_seconds, delay

LIMIT_HEADERS = {"Retry-After": "7200", "x-should-retry": "false"}


def plan_limit(headers: dict[str, str] | None = None) -> UpstreamRefusal:
    return UpstreamRefusal(
        "The usage limit has been reached",
        status=429,
        kind="rate_limit_error",
        code="usage_limit_reached",
        headers=LIMIT_HEADERS if headers is None else headers,
    )


def burst(headers: dict[str, str] | None = None) -> UpstreamRefusal:
    return UpstreamRefusal(
        "Slow down", status=429, kind="rate_limit_error", code="rate_limit_exceeded", headers=headers, retryable=True
    )


@pytest.mark.parametrize(
    ("attempt", "error", "dice", "seconds"),
    [
        pytest.param(1, UpstreamUnavailable("x"), 0.5, 0.2, id="first"),
        pytest.param(2, UpstreamUnavailable("x"), 0.5, 0.4, id="doubled"),
        pytest.param(1, UpstreamUnavailable("x"), 0.0, 0.18, id="ten percent less"),
        pytest.param(3, UpstreamUnavailable("x"), 0.5, None, id="no more than the setting allows"),
        pytest.param(1, UpstreamError("x"), 0.5, None, id="not worth it"),
        pytest.param(1, InvalidRequest("x"), 0.5, None, id="would fail again"),
        pytest.param(1, UpstreamOverloaded("x", headers={"Retry-After": "5"}), 0.0, 5.0, id="as advised"),
        pytest.param(1, UpstreamOverloaded("x", headers={"retry-after-ms": "1500"}), 0.0, 1.5, id="in milliseconds"),
        pytest.param(1, UpstreamOverloaded("x", headers={"Retry-After": "60"}), 0.0, None, id="too long to wait"),
        pytest.param(1, burst(), 0.0, 2.0, id="burst, at least"),
        pytest.param(1, burst(), 0.5, 6.0, id="burst, jittered"),
        pytest.param(1, burst({"Retry-After": "3"}), 0.0, 3.0, id="burst with advice"),
        pytest.param(1, plan_limit(), 0.0, None, id="plan limit"),
    ],
)
@pytest.mark.proves("UPSTREAM-retry-delays", "FAIL-20")
def test_the_wait_before_a_retry(attempt: int, error: GatewayError, dice: float, seconds: float | None) -> None:
    found = delay(attempt, error, limit=2, random=lambda: dice)
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "-1", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_advice_that_is_no_number_of_seconds_is_none(value: str) -> None:
    assert advised_seconds(UpstreamOverloaded("x", headers={"Retry-After": value})) is None


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def use_up(cool_down: CoolDown, account: str = "a", error: GatewayError | None = None) -> None:
    with pytest.raises(UpstreamRefusal), cool_down.watch(account):
        raise error or plan_limit()


@pytest.mark.proves("UPSTREAM-plan-limit-memory", "FAIL-19")
def test_a_plan_limit_is_answered_from_memory_with_the_time_that_is_left() -> None:
    clock = Clock()
    cool_down = CoolDown(cap=900, clock=clock)
    use_up(cool_down)
    clock.time += 100.5
    with pytest.raises(UpstreamRefusal) as caught, cool_down.watch("a"):
        pytest.fail("the upstream was called")
    error = caught.value
    assert (error.status, error.error_object()) == (429, plan_limit().error_object())
    assert error.headers == {"Retry-After": "7100", "retry-after-ms": "7100000", "x-should-retry": "false"}
    with cool_down.watch("b"):
        pass  # Another account has its own plan.


@pytest.mark.proves("FAIL-21")
def test_after_the_cap_one_call_at_a_time_looks_whether_the_limit_still_holds() -> None:
    clock = Clock()
    cool_down = CoolDown(cap=900, clock=clock)
    use_up(cool_down)
    clock.time += 900
    with cool_down.watch("a"):
        with pytest.raises(UpstreamRefusal) as caught, cool_down.watch("a"):
            pytest.fail("two probes at once")
        assert caught.value.headers["Retry-After"] == "6300"
    with cool_down.watch("a"), cool_down.watch("a"):
        pass  # The probe got through: the limit is forgotten.


@pytest.mark.proves("FAIL-21")
def test_a_probe_that_finds_nothing_out_makes_way_for_the_next() -> None:
    clock = Clock()
    cool_down = CoolDown(cap=900, clock=clock)
    use_up(cool_down)
    clock.time += 900
    with pytest.raises(UpstreamUnavailable), cool_down.watch("a"):
        raise UpstreamUnavailable("x")
    with pytest.raises(KeyboardInterrupt), cool_down.watch("a"):
        raise KeyboardInterrupt
    use_up(cool_down)  # The third probe gets through and meets the limit again.
    with pytest.raises(UpstreamRefusal, match="usage limit"), cool_down.watch("a"):
        pytest.fail("the upstream was called")


@pytest.mark.proves("UPSTREAM-plan-limit-memory")
def test_a_short_limit_ends_by_itself_and_one_without_a_time_after_a_minute() -> None:
    clock = Clock()
    cool_down = CoolDown(cap=900, clock=clock)
    use_up(cool_down, error=plan_limit({"Retry-After": "30"}))
    clock.time += 30
    with cool_down.watch("a"):
        pass
    use_up(cool_down, error=plan_limit({}))
    with pytest.raises(UpstreamRefusal) as caught, cool_down.watch("a"):
        pytest.fail("the upstream was called")
    assert caught.value.headers == {"Retry-After": "60", "retry-after-ms": "60000"}


@pytest.mark.parametrize("error", [burst(), UpstreamOverloaded("x", code="upstream_unavailable"), UpstreamError("x")])
@pytest.mark.proves("FAIL-40", "UPSTREAM-plan-limit-memory")
def test_no_other_failure_is_held_against_the_account(error: GatewayError) -> None:
    cool_down = CoolDown(cap=900, clock=Clock())
    with pytest.raises(GatewayError), cool_down.watch("a"):
        raise error
    with cool_down.watch("a"):
        pass


@pytest.mark.proves("UPSTREAM-plan-limit-memory")
def test_a_cap_of_zero_switches_the_memory_off() -> None:
    cool_down = CoolDown(cap=0, clock=Clock())
    use_up(cool_down)
    with cool_down.watch("a"):
        pass
