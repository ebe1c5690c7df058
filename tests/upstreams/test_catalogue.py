"""Names of models."""

from __future__ import annotations

import pytest

from gateway.upstreams import Model
from gateway.upstreams.catalogue import BUILT_IN, find, names, nearest_effort, resolve

MODELS = (
    Model("gpt-5.6-sol", efforts=("low", "high", "max")),
    Model("gpt-5.2", efforts=("low", "medium")),
    Model("gpt-6-max", efforts=("low",)),
    Model("secret", hidden=True, efforts=("low",)),
)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param("gpt-5.6-sol", ("gpt-5.6-sol", None), id="as it is"),
        pytest.param("gpt-5.6-sol-high", ("gpt-5.6-sol", "high"), id="dash"),
        pytest.param("gpt-5.6-sol_high", ("gpt-5.6-sol", "high"), id="underscore"),
        pytest.param("gpt-5.6-sol:max", ("gpt-5.6-sol", "max"), id="colon"),
        pytest.param("gpt-5.6-sol(low)", ("gpt-5.6-sol", "low"), id="parentheses"),
        pytest.param("secret-low", ("secret", "low"), id="hidden models can be used"),
        pytest.param("gpt-5.2-high", ("gpt-5.2-high", None), id="not one of its efforts"),
        pytest.param("gpt-6-max", ("gpt-6-max", None), id="a real name that ends like an effort"),
        pytest.param("gpt-6-max-low", ("gpt-6-max", "low"), id="and that one with an effort"),
        pytest.param("unknown-high", ("unknown-high", None), id="unknown names stay whole"),
        pytest.param("best", ("gpt-5.6-sol", None), id="alias"),
        pytest.param("best-high", ("gpt-5.6-sol", "high"), id="alias with an effort"),
        pytest.param("quick", ("gpt-5.2", "low"), id="alias that names an effort"),
    ],
)
@pytest.mark.proves("UPSTREAM-model-names")
def test_a_name_is_resolved_without_cutting_real_names(name: str, found: tuple[str, str | None]) -> None:
    assert resolve(name, MODELS, {"best": "gpt-5.6-sol", "quick": "gpt-5.2:low"}) == found


@pytest.mark.parametrize(
    ("effort", "efforts", "nearest"),
    [
        ("high", ("low", "high"), "high"),
        ("xhigh", ("low", "high"), "high"),
        ("none", ("low", "high"), "low"),
        ("medium", (), "medium"),
        ("ultra", (), "max"),
        ("ultra", ("low", "xhigh"), "xhigh"),
        ("odd", ("low",), "odd"),
        ("high", ("brilliant",), "high"),
    ],
)
@pytest.mark.proves("UPSTREAM-reasoning")
def test_an_effort_falls_to_what_the_model_can(effort: str, efforts: tuple[str, ...], nearest: str) -> None:
    assert nearest_effort(effort, efforts) == nearest


@pytest.mark.proves("FAIL-24")
def test_the_built_in_list_serves_before_the_first_fetch() -> None:
    assert find("gpt-6-sol", BUILT_IN) == Model("gpt-6-sol", efforts=("low", "medium", "high", "xhigh", "max", "ultra"))
    assert find("gpt-4", BUILT_IN) is None
    assert names(MODELS) == "gpt-5.6-sol, gpt-5.2, gpt-6-max"
    assert names(MODELS, 1) == "gpt-5.6-sol"
