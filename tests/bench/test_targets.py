"""Verdicts, and the tables."""

from __future__ import annotations

import pytest

from bench import targets
from bench.cases import cases
from bench.found import Found, Values
from bench.report import report
from bench.run import OTHERS, QUICK, choose
from bench.targets import TARGETS, Target


def _nothing(found: Found) -> Values:
    return []


@pytest.mark.parametrize(
    ("value", "verdict"), [(5.9, "met"), (6, "met"), (6.1, "must met"), (8, "must met"), (8.1, "missed")]
)
def test_at_most(value: float, verdict: str) -> None:
    assert Target("", _nothing, 6, 8).verdict(value) == verdict


@pytest.mark.parametrize(("value", "verdict"), [(20, "met"), (19.9, "must met"), (15, "must met"), (14.9, "missed")])
def test_at_least(value: float, verdict: str) -> None:
    assert Target("", _nothing, 20, 15, least=True).verdict(value) == verdict


def _found() -> Found:
    found = Found(loads=[0.5, 1.5])
    for nginx, gateway, plain in ((10.0, 50.0, 1000.0), (20.0, 140.0, 2800.0)):
        for who, value in (("nginx", nginx), ("gateway", gateway), ("plain", plain)):
            found.add("json16", who, value)
    for short, long in ((400.0, 4000.0), (500.0, 7700.0)):
        found.add("inner200", "gateway", short)
        found.add("inner2000", "gateway", long)
    for direct, gateway in ((0.1, 0.4), (0.2, 0.7)):
        found.add("half whole 50", "direct", direct)
        found.add("half whole 50", "gateway", gateway)
    return found


def test_a_target_is_told_when_its_parts_were_measured() -> None:
    told = {name: rest for name, *rest in targets.lines(_found())}
    assert told == {
        "JSON passed on, CPU x nginx": ["6.0 (5.0–7.0)", "≤ 6", "≤ 8", "met"],
        "… times cheaper than plain": ["20.0 (20.0–20.0)", "≥ 20", "≥ 15", "met"],
        "Responses → chat, µs per delta of a burst": ["3.00 (2.00–4.00)", "≤ 2.5", "≤ 3.5", "must met"],
        "added p50 at half load, ms": ["0.40 (0.30–0.50)", "≤ 0.5", "≤ 1", "met"],
    }


def test_the_report_has_a_row_for_each_kind_of_work_that_was_chosen() -> None:
    chosen, _ = choose("json16,inner2000", quick=False)
    text = report(_found(), chosen, [])
    assert "| JSON passed on, 16 connections | 15 (10–20) | 95 (50–140) | 1,900 (1,000–2,800) |" in text
    assert "| stream of 2,000 deltas, Responses → chat | – | 5,850 (4,000–7,700) | – | – | – |" in text
    assert "- gateway, Responses → chat, a delta of a burst (200 to 2,000): 3.00 (2.00–4.00) µs" in text
    assert "request body" not in text
    assert text.endswith("Load average before each round: 0.5, 1.5.")


def test_work_comes_with_the_work_that_it_is_compared_with() -> None:
    chosen, others = choose("jsontls,memory", quick=False)
    assert [case.key for case in chosen] == ["json16", "jsontls"]
    assert others == {"memory"}


def test_a_group_is_all_its_work() -> None:
    chosen, others = choose("bodies", quick=False)
    assert {case.group for case in chosen} == {"bodies"}
    assert len(chosen) == 5
    assert others == set()


def test_unknown_work_is_refused_with_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"no such work: jsn; there is: json, json16, .*linear"):
        choose("json16,jsn", quick=False)


def test_everything_is_what_nothing_means() -> None:
    chosen, others = choose("", quick=False)
    assert chosen == cases()
    assert others == set(OTHERS)


def test_a_quick_look_has_a_part_in_every_target() -> None:
    chosen, others = choose("", quick=True)
    assert {case.key for case in chosen} | others == set(QUICK)
    found = Found()
    for what in (*(case.key for case in chosen), "half whole 50", "open KiB"):
        for who in ("nginx", "gateway", "plain", "direct"):
            found.add(what, who, 1.0)
    for what in ("first resident", "later resident", "first ready", "later ready"):
        found.add(what, "gateway", 1.0)
    assert len(list(targets.lines(found))) == len(TARGETS)
