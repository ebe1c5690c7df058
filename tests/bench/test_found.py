"""What is made of the rounds."""

from __future__ import annotations

import pytest

from bench.found import Found, differences, ratios, shown


def test_ratios_are_made_within_a_round() -> None:
    """The second round ran on a machine half as fast; the ratio is the same."""
    assert ratios([20.0, 40.0], [10.0, 20.0]) == [2.0, 2.0]


def test_differences_are_made_within_a_round_and_shared_out() -> None:
    assert differences([100.0, 300.0], [10.0, 30.0], per=9) == [10.0, 30.0]


def test_nothing_is_made_of_what_was_not_measured() -> None:
    found = Found()
    found.add("json16", "gateway", 5.0)
    assert found.of("json16") == [5.0]
    assert found.of("json16", "nginx") == []
    assert ratios(found.of("json16"), found.of("json16", "nginx")) == []
    assert shown(found.of("json16", "nginx")) == "–"


def test_rounds_that_are_not_the_same_are_not_divided() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_the_median_is_shown_with_the_least_and_the_most() -> None:
    assert shown([3000.0, 1000.0, 1400.4]) == "1,400 (1,000–3,000)"
    assert shown([0.126], 2) == "0.13"
